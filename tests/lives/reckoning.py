"""What an order comes to, reckoned a second time: from the units that its log says went where, and from the prices that were agreed.

It follows the ledger of units record by record and never looks at what the library granted, settled or asked a bank for. Of a plain shop it
knows the amount to the cent; where grades, fees and shipping policies have a say it knows the bounds.
"""

from __future__ import annotations

from collections import Counter

import attrs

from orderkit import Order, Policies
from orderkit.domain.events import Record
from orderkit.domain.quantities import Bucket, Line, Move
from orderkit.domain.refunds import ShippingPolicy

_KEPT = (Bucket.RESTOCKED, Bucket.QUARANTINED, Bucket.WRITTEN_OFF)
_WITH_THE_LAST = ShippingPolicy.FULL_ON_FULL_RETURN


def plain(policies: Policies) -> bool:
    """Whether the shop gives back whole values, and shipping with the last unit."""
    refund = policies.refund
    fees = refund.restocking_fee_percent or refund.restocking_fee_minor_per_unit or refund.return_label_cost_minor
    return not fees and not refund.grades and refund.shipping is refund.cancellation_shipping is _WITH_THE_LAST


def first_units(whole: int, quantity: int, units: int) -> int:
    """What the first units of a line are worth, of whose units all together are worth the whole: to the cent below."""
    return whole * units // quantity


@attrs.define
class Reckoning:
    """One order, as far as its log was read.

    `worthless` are the units of each line whose value was given back; `free` ones of them the customer has all the same, or they are on their
    way, as when a lost parcel turned up. `due` is what a plain shop is due, and `exact` says whether it is one; `least` and `most` are what
    any shop is due.
    """

    exact: bool = False
    version: int = 0
    lines: list[Line] = attrs.Factory(list)
    worthless: Counter[int] = attrs.Factory(Counter)
    free: Counter[int] = attrs.Factory(Counter)
    shipping: int = 0
    shipping_left: int = 0
    due: int = 0
    least: int = 0
    most: int = 0

    def read(self, order: Order, records: tuple[Record, ...]) -> None:
        """Go on with the records that are new."""
        self.exact = plain(order.facts.policies)
        for record in records[self.version :]:
            for line in record.change.lines:
                self._agreed(order, line)
            self._followed(order, record)
            self.version = record.version

    def _agreed(self, order: Order, line: Line) -> None:
        """A line was ordered: from now on it is to be paid."""
        price = order.facts.prices.line(line.number)
        self.lines.append(line)
        self.shipping += price.shipping_minor
        self.shipping_left += price.shipping_minor
        for name in ("due", "least", "most"):
            setattr(self, name, getattr(self, name) + price.total_minor)

    def _followed(self, order: Order, record: Record) -> None:
        before = Counter(self.worthless)
        graded = any([self._moved(move) for move in record.moves])  # noqa: C419  (every move counts)
        value = sum(self._value(order, n, before[n], count - before[n]) for n, count in self.worthless.items())
        goodwill = sum(event.data["amount_minor"] for event in record.events if event.type == "refund.granted")
        shipping = self._shipping(order, record)
        self.due = max(0, self.due - value - shipping - goodwill)
        self.least = max(0, self.least - value - goodwill)
        self.most = max(0, self.most - (0 if graded else value) - goodwill)

    def _moved(self, move: Move) -> bool:
        """Count the units of a move whose value goes back; the answer says whether somebody graded them first."""
        number, units = move.line, move.quantity
        if move.target is Bucket.CANCELLED:
            self._gone(number, units)
        elif move.source is Bucket.LOST:
            self.free[number] += units
        elif move.target is Bucket.LOST:
            self._gone(number, units)  # what turned up is in another parcel: none is lost twice
        elif move.source is Bucket.RETURN_RECEIVED and move.target in _KEPT:
            self._unless_free(number, units)
            return True
        return False

    def _unless_free(self, number: int, units: int) -> None:
        """Units are gone from the customer: first those that he had for nothing."""
        for_nothing = min(units, self.free[number])
        self.free[number] -= for_nothing
        self._gone(number, units - for_nothing)

    def _gone(self, number: int, units: int) -> None:
        ordered = next(line.ordered for line in self.lines if line.number == number)
        self.worthless[number] = min(ordered, self.worthless[number] + units)

    def _value(self, order: Order, number: int, already: int, units: int) -> int:
        """Return what units of a line are worth with their fees, when the value of some was given back already."""
        price = order.facts.prices.line(number)
        return sum(
            first_units(whole, price.quantity, already + units) - first_units(whole, price.quantity, already)
            for whole in (price.payable_minor, price.fee_minor)
        )

    def _shipping(self, order: Order, record: Record) -> int:
        """Return what goes back of shipping: what came with the lines of a refused amendment, and with the last unit all that is left."""
        back = 0
        if any(event.type == "order.amendment_failed" for event in record.events):
            latest = max(order.facts.line(line.number).amendment for line in self.lines)
            came = [
                order.facts.prices.line(x.number) for x in self.lines if order.facts.line(x.number).amendment == latest
            ]
            back = min(self.shipping_left, sum(price.shipping_minor for price in came))
        if all(self.worthless[line.number] >= line.ordered for line in self.lines):
            back = self.shipping_left
        self.shipping_left -= back
        return back
