"""What laws are asked about, and what it means that one is broken. No law is stated here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import attrs

from orderkit import Order
from orderkit.domain.events import Event
from tests.lives.reckoning import Reckoning
from tests.lives.shop import World

Law = Callable[["Books"], Iterator[str]]


class Broken(AssertionError):
    """A law did not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law.replace('_', ' ')}: {text}")
        self.law = law
        self.text = text

    def __reduce__(self) -> tuple[type[Broken], tuple[str, str]]:
        return Broken, (self.law, self.text)  # it crosses from the process that lived to the one that tells


@attrs.define
class Books:
    """The world, and what the laws keep of it from step to step."""

    world: World
    reckonings: dict[str, Reckoning] = attrs.Factory(dict)
    replayed: dict[str, int] = attrs.Factory(dict)
    found: dict[str, tuple[str, ...]] = attrs.Factory(dict)
    done: dict[str, set[str]] = attrs.Factory(dict)
    entries_read: int = 0

    def changed(self) -> list[Order]:
        """The orders that the last step changed."""
        return [order for order in self.world.all() if self.replayed.get(order.id) != order.version]

    def news(self, order: Order) -> list[Event]:
        """What the last step told of an order."""
        return [
            event
            for record in self.world.shop.records(order.id)[self.replayed.get(order.id, 0) :]
            for event in record.events
        ]

    def reckoned(self, order: Order) -> Reckoning:
        """What the order comes to, with all that its log says by now."""
        found = self.reckonings.setdefault(order.id, Reckoning())
        if found.version != order.version:
            found.read(order, self.world.shop.records(order.id))
        return found

    def moved(self, operation_id: str) -> bool:
        """Whether the bank has done the operation, under whichever of its keys, and what it did has not come back.

        Of anything else what its ledger says once it says for ever.
        """
        entries = self.world.bank.entries
        for key in islice(entries, self.entries_read, None):
            if entries[key].moved:
                self.done.setdefault(key.partition("/")[0], set()).add(key)
        self.entries_read = len(entries)
        return any(not entries[key].reversed for key in self.done.get(operation_id, ()))

    def check(self, laws: tuple[Law, ...]) -> None:
        """Raise `Broken` for the first law that does not hold."""
        for law in laws:
            for text in law(self):
                raise Broken(law.__name__, text)

    def turn_over(self) -> None:
        """Begin a new page: what was changed until now has been looked at."""
        orders = self.world.all()
        self.replayed = {order.id: order.version for order in orders}
        self.found = {order.id: order.findings for order in orders}
