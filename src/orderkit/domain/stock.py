"""Receipts of goods: what came to one shelf, or was counted off it, as it is kept. Which of them are new is for stores to say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from orderkit.domain.value import Value
from orderkit.errors import InvalidInput

RECEIPT_MAX = 1_000_000_000  # units of one receipt; a shelf would need billions of the largest to leave 64 bits
ReceiptContent: TypeAlias = tuple[str, str, int, str]  # SKU, warehouse, quantity, reason


class StockReceipt(Value):
    """Goods that arrived at one shelf, or were counted off it: `quantity` is added to what is on hand. The same `id` is applied once.

    Raises: `InvalidInput` for what is no shelf, or no number of units that shelves can add up.
    """

    id: str
    sku: str
    warehouse: str
    quantity: int
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        for name in ("sku", "warehouse", "reason"):
            text = getattr(self, name)
            if not isinstance(text, str) or (name != "reason" and not text.strip()):
                raise InvalidInput("stock has a SKU, a warehouse and a reason", field=name)
        if type(self.quantity) is not int or abs(self.quantity) > RECEIPT_MAX:
            raise InvalidInput(
                f"{self.quantity!r} is no number of units for {self.warehouse}",
                code="invalid_quantity",
                field="quantity",
                facts={"warehouse": self.warehouse, "max": RECEIPT_MAX},
                remedy=f"Send a whole number of units, {RECEIPT_MAX} at most; below zero it is counted off.",
            )

    @property
    def content(self) -> ReceiptContent:
        """What the receipt says, whenever it was: a repeat says the same."""
        return self.sku, self.warehouse, self.quantity, self.reason


def cannot_be_counted_off(place: tuple[str, str], quantity: int, *, on_hand: int, reserved: int) -> InvalidInput:
    """Return the error for a receipt that would take from a shelf (SKU, warehouse) what it has not, or what is promised to orders."""
    sku, warehouse = place
    return InvalidInput(
        f"{warehouse} has {on_hand} of {sku} and has promised {reserved}: {quantity} cannot be counted off",
        code="invalid_quantity",
        field="quantity",
        facts={"warehouse": warehouse, "on_hand": on_hand, "reserved": reserved},
        remedy="Count off no more than is there and not promised; what is promised comes free when its orders are cancelled or refused.",
    )


def by_shelf(receipts: Iterable[StockReceipt]) -> dict[tuple[str, str], int]:
    """Return the units by SKU and warehouse that the receipts add."""
    found: dict[tuple[str, str], int] = {}
    for receipt in receipts:
        place = receipt.sku, receipt.warehouse
        found[place] = found.get(place, 0) + receipt.quantity
    return found
