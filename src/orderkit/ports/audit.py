"""What a store whose log is a chain can say of it: whether it is what was written, and where each order's chain ends.

Not every store has a chain, so this is a Protocol beside the store's own: whoever audits asks for it. Heads that are kept outside of the
store (anchors) show what nothing inside can: that the end of a log was cut off together with everything that knew of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from orderkit.domain.value import Value


class Finding(Value):
    """One thing that is wrong: where, and what."""

    order_id: str
    version: int | None
    problem: str

    def __str__(self) -> str:
        where = self.order_id if self.version is None else f"{self.order_id}/{self.version}"
        return f"{where}: {self.problem}"


class Head(Value):
    """Where the chain of an order ended at some time: the hash of its record of that version."""

    order_id: str
    version: int
    hash: bytes


@runtime_checkable
class ChainedLog(Protocol):
    """A store that chains the records of each order by hashes."""

    def verify_log(self, looked: Callable[[int], None] = ...) -> Iterable[Finding]:
        """Yield what is wrong with any log or stored order; `looked` is told how many orders were looked at so far."""

    def read_heads(self, since: datetime | None = None) -> Iterable[Head]:
        """Yield the head of every order, or of those that changed since a time, by order id."""

    def verify_heads(self, heads: Sequence[Head]) -> Iterable[Finding]:
        """Yield each head that the log does not hold any more. What was added since is no finding."""
