"""Where the units of a line are: a vector of buckets that only moves change, and that always adds up.

A line's life has two parts. The *forward* buckets hold every ordered unit exactly once, from reservation to delivery. The *reverse*
buckets are a vector of their own, capped by what left the warehouse, so that a return never rewrites the history of a delivery.
A `Move` is one row of the append-only ledger; replaying all moves of a line gives its vector. Nothing here knows orders or money.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from orderkit.domain.value import Value
from orderkit.errors import NotAllowed


class Bucket(IntEnum):
    """A place that units of a line can be in. The number is the position in the vector and in stored rows: never renumber."""

    UNALLOCATED = 0
    BACKORDERED = 1
    RESERVED = 2
    RELEASED = 3
    SHIPPED = 4
    DELIVERED = 5
    LOST = 6
    CANCELLED = 7
    RETURN_REQUESTED = 8
    RETURN_IN_TRANSIT = 9
    RETURN_RECEIVED = 10
    RESTOCKED = 11
    QUARANTINED = 12
    WRITTEN_OFF = 13
    SENT_BACK = 14


FORWARD = tuple(Bucket)[:8]
REVERSE = tuple(Bucket)[8:]
EMPTY: tuple[int, ...] = (0,) * len(Bucket)

# Where units may go from where. `None` is outside the vector: the customer's wish before placement (forward),
# or the customer's hands (reverse).
LEGAL: dict[Bucket | None, frozenset[Bucket | None]] = {
    None: frozenset({Bucket.RESERVED, Bucket.BACKORDERED, Bucket.CANCELLED, Bucket.RETURN_REQUESTED}),
    Bucket.UNALLOCATED: frozenset({Bucket.RESERVED, Bucket.BACKORDERED, Bucket.CANCELLED}),
    Bucket.BACKORDERED: frozenset({Bucket.RESERVED, Bucket.UNALLOCATED, Bucket.CANCELLED}),
    Bucket.RESERVED: frozenset({Bucket.RELEASED, Bucket.UNALLOCATED, Bucket.BACKORDERED, Bucket.CANCELLED}),
    Bucket.RELEASED: frozenset({Bucket.SHIPPED, Bucket.RESERVED, Bucket.BACKORDERED, Bucket.CANCELLED}),
    Bucket.SHIPPED: frozenset({Bucket.DELIVERED, Bucket.LOST}),
    Bucket.LOST: frozenset({Bucket.DELIVERED, Bucket.SHIPPED}),  # a parcel that is found arrives, or is brought back
    Bucket.DELIVERED: frozenset(),
    Bucket.CANCELLED: frozenset(),
    Bucket.RETURN_REQUESTED: frozenset({None, Bucket.RETURN_IN_TRANSIT, Bucket.RETURN_RECEIVED}),
    Bucket.RETURN_IN_TRANSIT: frozenset({None, Bucket.RETURN_RECEIVED}),
    Bucket.RETURN_RECEIVED: frozenset({Bucket.RESTOCKED, Bucket.QUARANTINED, Bucket.WRITTEN_OFF, Bucket.SENT_BACK}),
    Bucket.QUARANTINED: frozenset({Bucket.RESTOCKED, Bucket.WRITTEN_OFF, Bucket.SENT_BACK}),
    Bucket.RESTOCKED: frozenset(),
    Bucket.WRITTEN_OFF: frozenset(),
    Bucket.SENT_BACK: frozenset(),
}


class Move(Value):
    """One row of the quantity ledger: `quantity` units of a line go from one bucket to another.

    `cause` is the id of the shipment or return that the units belong to, if any.
    """

    line: int
    source: Bucket | None
    target: Bucket | None
    quantity: int
    cause: str | None = None


class Line(Value):
    """A line's units: how many were ordered, and where they are now."""

    number: int
    sku: str
    ordered: int
    buckets: tuple[int, ...] = EMPTY

    def __getitem__(self, bucket: Bucket) -> int:
        return self.buckets[bucket]

    @property
    def open(self) -> int:
        """Units that the customer still waits for and that have not left a warehouse."""
        return sum(self.buckets[:4])

    @property
    def left(self) -> int:
        """Units that left a warehouse, wherever they are now."""
        return sum(self.buckets[4:7])

    @property
    def returning(self) -> int:
        """Units that are in a return or went through one."""
        return sum(self.buckets[8:])

    def quantities(self) -> dict[str, int]:
        """The buckets that hold units, by name."""
        return {bucket.name.lower(): self.buckets[bucket] for bucket in Bucket if self.buckets[bucket]}


def moved(lines: tuple[Line, ...], moves: Iterable[Move]) -> tuple[Line, ...]:
    """Return the lines after the moves; an illegal move raises `NotAllowed` and changes nothing."""
    vectors: dict[int, list[int]] = {}
    index = {line.number: line for line in lines}
    for move in moves:
        source, target, quantity = move.source, move.target, move.quantity
        if quantity <= 0 or target not in LEGAL[source]:
            raise _illegal(move, "no such move")
        if (line := index.get(move.line)) is None:
            raise _illegal(move, "no such line")
        vector = vectors.get(move.line) or vectors.setdefault(move.line, list(line.buckets))
        if source is not None:
            vector[source] -= quantity
            if vector[source] < 0:
                raise _illegal(move, f"only {vector[source] + quantity} there")
        if target is not None:
            vector[target] += quantity
    changed = {n: Line(n, index[n].sku, index[n].ordered, tuple(vector)) for n, vector in vectors.items()}
    for line in changed.values():
        check(line)
    return tuple([changed.get(line.number, line) for line in lines])


def check(line: Line) -> None:
    """Raise `NotAllowed` unless the line conserves its units: forward adds up, reverse is no more than what left."""
    buckets = line.buckets
    if sum(buckets[:8]) != line.ordered or min(buckets) < 0:
        raise NotAllowed(
            f"line {line.number} holds {sum(line.buckets[:8])} of {line.ordered} ordered units",
            code="illegal_transition",
            facts={"line": line.number, "ordered": line.ordered, "quantities": line.quantities()},
        )
    if sum(buckets[8:]) > sum(buckets[4:7]):
        raise NotAllowed(
            f"line {line.number} has {counted(line.returning)} in returns, but only {line.left} left the warehouse",
            code="not_returnable",
            facts={"line": line.number, "left": line.left, "returning": line.returning},
        )


def counted(units: int) -> str:
    """Return a number of units in words: `1 unit`, `3 units`."""
    return f"{units} unit" if units == 1 else f"{units} units"


def _illegal(move: Move, why: str) -> NotAllowed:
    source = move.source.name.lower() if move.source is not None else "outside"
    target = move.target.name.lower() if move.target is not None else "outside"
    return NotAllowed(
        f"cannot move {move.quantity} of line {move.line} from {source} to {target}: {why}",
        code="illegal_transition",
        facts={"line": move.line, "from": source, "to": target, "quantity": move.quantity},
    )
