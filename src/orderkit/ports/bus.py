"""The event bus: where published records go, in the order of each order's versions, at least once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from orderkit.domain.events import Record
from orderkit.ports.effect import Outside


class Publish(Outside[None]):
    """Publish these records. Records of one order are in the order of their versions; a repeat has the same (order, version)."""

    records: tuple[Record, ...]


Subscriber = Callable[[Record], None]


class EventBus(Protocol):
    """What a bus adapter fulfills. `subscribe` is for buses that live in the process."""

    def publish(self, records: Sequence[Record]) -> None: ...
    def subscribe(self, subscriber: Subscriber) -> None: ...
    def close(self) -> None: ...
