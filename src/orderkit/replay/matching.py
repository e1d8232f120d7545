"""Which order a credited unit came from, and how much money that order still holds.

For each customer and SKU the book keeps what was bought and has not come back. A credit takes units from the most recent purchase first,
from several orders if need be: a shop credits what it sold last. The book is fed in order of time and asks nobody, so a replay that was
killed rebuilds it by walking the file again. It knows nothing of stores and decides nothing about money beyond what an order holds.
"""

from __future__ import annotations

from array import array

import attrs

__all__ = ["MatchedUnits", "OrderFunds", "PurchaseBook"]

_NONE = 0xFFFF_FFFF


@attrs.frozen(kw_only=True)
class MatchedUnits:
    """Units of one order line that a credit takes back, and the price at which they were bought, in pennies."""

    order: str
    line: int
    quantity: int
    unit_price_minor: int


class PurchaseBook:
    """What each customer bought and may still give back, as columns of numbers: half a million lines need some forty megabytes."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._skus: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._orders: list[str] = []
        self._order_numbers: dict[str, int] = {}
        self._order, self._line = array("I"), array("I")
        self._left, self._price, self._earlier = array("q"), array("q"), array("I")

    def __len__(self) -> int:
        return len(self._order)

    def buy(self, *, customer: str, sku: str, order: str, line: int, quantity: int, unit_price_minor: int) -> None:
        """Record one purchased line. Purchases come in order of time."""
        key = self._key(customer, sku)
        number = self._order_numbers.get(order)
        if number is None:
            number = self._order_numbers[order] = len(self._orders)
            self._orders.append(order)
        entry = len(self._order)
        self._order.append(number)
        self._line.append(line)
        self._left.append(quantity)
        self._price.append(unit_price_minor)
        self._earlier.append(self._latest.get(key, _NONE))
        self._latest[key] = entry

    def take_back(self, *, customer: str, sku: str, quantity: int) -> tuple[MatchedUnits, ...]:
        """Return where up to `quantity` units came from, most recent purchase first, and count them as given back.

        The answer may hold fewer units than asked for, or none.
        """
        found: list[MatchedUnits] = []
        key = self._key(customer, sku)
        entry = self._latest.get(key, _NONE)
        while quantity > 0 and entry != _NONE:
            units = min(quantity, self._left[entry])
            if units > 0:
                self._left[entry] -= units
                quantity -= units
                found.append(
                    MatchedUnits(
                        order=self._orders[self._order[entry]],
                        line=self._line[entry],
                        quantity=units,
                        unit_price_minor=self._price[entry],
                    )
                )
            if self._left[entry] == 0 and self._latest[key] == entry:
                self._latest[key] = self._earlier[entry]  # nothing is left of the newest: never walk over it again
            entry = self._earlier[entry]
        return tuple(found)

    def returnable(self, *, customer: str, sku: str) -> int:
        """Return how many units that customer may still give back."""
        total, entry = 0, self._latest.get(self._key(customer, sku), _NONE)
        while entry != _NONE:
            total += self._left[entry]
            entry = self._earlier[entry]
        return total

    def _key(self, customer: str, sku: str) -> int:
        who = self._customers.setdefault(customer, len(self._customers))
        return who << 32 | self._skus.setdefault(sku, len(self._skus))


class OrderFunds:
    """What each order was paid and has not yet given back, in pennies; and each customer's orders, the latest last."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._orders: dict[str, list[str]] = {}

    def pay(self, *, customer: str, order: str, amount_minor: int) -> None:
        """Record that an order was paid in full. Orders come in order of time."""
        self._left[order] = amount_minor
        self._orders.setdefault(customer, []).append(order)

    def left_minor(self, order: str) -> int:
        """Return what may still be refunded on an order."""
        return self._left.get(order, 0)

    def take(self, order: str, amount_minor: int) -> int:
        """Take up to that much from an order; return how much it was."""
        taken = min(amount_minor, self._left.get(order, 0))
        if taken > 0:
            self._left[order] -= taken
        return max(taken, 0)

    def take_from_latest(self, customer: str, amount_minor: int) -> tuple[tuple[str, int], ...]:
        """Take up to that much from a customer's orders, the latest first; return (order, amount) for each that gave some."""
        given: list[tuple[str, int]] = []
        for order in reversed(self._orders.get(customer, ())):
            if amount_minor <= 0:
                break
            if taken := self.take(order, amount_minor):
                given.append((order, taken))
                amount_minor -= taken
        return tuple(given)

    def knows(self, customer: str) -> bool:
        """Whether the customer has any order."""
        return customer in self._orders

    def forget(self, order: str) -> None:
        """An order came to nothing: it holds no money."""
        self._left.pop(order, None)
