"""What an invoice becomes, as values: orders to place, goods to take back, money to give back, stock to correct.

Each has a key made of its invoice, so that doing it twice is doing it once. They hold no rules (see `planning`) and know no store.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from orderkit.replay.dispositions import Disposition

__all__ = [
    "CURRENCY",
    "Cause",
    "CreditPlan",
    "PlannedGoodwill",
    "PlannedLine",
    "PlannedOrder",
    "PlannedReturn",
    "ReturnedUnits",
    "SalePlan",
    "StockCorrection",
]

CURRENCY = "GBP"


@attrs.frozen
class PlannedLine:
    """One line to order. `number` counts the order's lines from 1."""

    number: int
    sku: str
    name: str
    quantity: int
    unit_price_minor: int


@attrs.frozen(kw_only=True)
class PlannedOrder:
    """An order to place. `reference` is the invoice, with /2, /3… for the further parts of one above 1,000 lines."""

    reference: str
    placed_at: datetime
    customer: str
    country: str
    lines: tuple[PlannedLine, ...]
    shipping_minor: int = 0
    product_value: Decimal = Decimal(0)

    @property
    def key(self) -> str:
        """The idempotency key of the placement."""
        return f"replay:order:{self.reference}"

    @property
    def total_minor(self) -> int:
        """What the customer pays, in pennies."""
        return self.shipping_minor + sum(line.quantity * line.unit_price_minor for line in self.lines)


@attrs.frozen(kw_only=True)
class StockCorrection:
    """Units that came to light (above zero) or are gone (below), outside of any order."""

    key: str
    sku: str
    quantity: int


@attrs.frozen(kw_only=True)
class SalePlan:
    """What an invoice that is no credit note becomes."""

    invoice: str
    at: datetime
    orders: tuple[PlannedOrder, ...]
    corrections: tuple[StockCorrection, ...]
    dispositions: tuple[Disposition, ...]


class Cause(StrEnum):
    """Why money is given back without goods."""

    POSTAGE = "postage"
    DISCOUNT = "discount"
    UNMATCHED_GOODS = "unmatched_goods"
    PRICE_DIFFERENCE = "price_difference"


@attrs.frozen(kw_only=True)
class ReturnedUnits:
    """Units of one order line that come back: what was paid for them, and what of it is refunded."""

    line: int
    sku: str
    quantity: int
    paid_minor: int
    refund_minor: int


@attrs.frozen(kw_only=True)
class PlannedReturn:
    """Goods of one order that a credit note takes back. `matched_value` is what the note credits for those that are products."""

    credit: str
    order: str
    credited_at: datetime
    units: tuple[ReturnedUnits, ...]
    matched_value: Decimal = Decimal(0)

    @property
    def key(self) -> str:
        """The idempotency key of the return."""
        return f"replay:return:{self.credit}:{self.order}"

    @property
    def refund_minor(self) -> int:
        """What the customer gets back for the goods."""
        return sum(units.refund_minor for units in self.units)

    @property
    def deduction_minor(self) -> int:
        """What the shop keeps of the price paid: the credit note credits less than was paid."""
        return sum(units.paid_minor - units.refund_minor for units in self.units)


@attrs.frozen(kw_only=True)
class PlannedGoodwill:
    """Money given back on an order without goods."""

    credit: str
    order: str
    credited_at: datetime
    cause: Cause
    amount_minor: int

    @property
    def key(self) -> str:
        """The idempotency key of the refund."""
        return f"replay:goodwill:{self.credit}:{self.order}:{self.cause.value}"


@attrs.frozen(kw_only=True)
class CreditPlan:
    """What a credit note becomes."""

    invoice: str
    at: datetime
    returns: tuple[PlannedReturn, ...]
    goodwill: tuple[PlannedGoodwill, ...]
    dispositions: tuple[Disposition, ...]
