"""What a decision is made of, and the record that it leaves: events, stock moves, the difference of the state.

A command function answers with a `Decision`: the new order, the quantity moves, the stock moves, and events for the world. `sealed`
stamps it into the next version, and `record` makes the row that is log and outbox at once. The record carries the events for consumers
*and* the mechanical difference of the state, so that replaying the records gives the stored order (`replayed`) whatever the events say.
No record holds personal data: who and where stand in the document alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from orderkit.domain.order import Facts, Hold, Order, Refund, SagaRun
from orderkit.domain.payment import Payment
from orderkit.domain.quantities import Line, Move, moved
from orderkit.domain.returns import Return
from orderkit.domain.shipment import Shipment
from orderkit.domain.status import word
from orderkit.domain.value import Value, evolve, field

RECORD_SCHEMA = 1


class Event(Value):
    """A fact for the world: `order.placed`, `shipment.delivered`. `data` holds ids, names and numbers, never personal data."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    schema: int = 1


class StockMove(Value):
    """What a decision does to one SKU at one warehouse: units on the shelf, and units promised."""

    sku: str
    warehouse: str
    on_hand: int = 0
    reserved: int = 0


class Stamp(Value, kw_only=True):
    """Who did it, when, why, by which command; `correlation` ties what belongs to one request together."""

    at: datetime
    actor: str
    command: str
    reason: str = ""
    correlation: str = ""


class Change(Value, kw_only=True):
    """The difference between two versions of an order, part by part. Units are not in it: the moves say them."""

    state: str
    reason: str | None = None
    reserved_until: datetime | None = None
    sought_at: datetime | None = None
    amended: bool = False
    lines: tuple[Line, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    returns: tuple[Return, ...] = ()
    holds: tuple[Hold, ...] = ()
    sagas: tuple[SagaRun, ...] = ()
    findings: tuple[str, ...] = ()


class Record(Value, kw_only=True):
    """One commit of one order in the log: (order, version) is its name and its place in the order of things."""

    order_id: str
    version: int
    stamp: Stamp
    from_status: str | None
    to_status: str
    events: tuple[Event, ...]
    moves: tuple[Move, ...] = ()
    stock: tuple[StockMove, ...] = ()
    change: Change
    schema: int = RECORD_SCHEMA

    @property
    def id(self) -> str:
        """The name by which consumers recognize a repeat."""
        return f"{self.order_id}/{self.version}"


class Decision(Value, kw_only=True):
    """What a command does, before anything has happened: the dry run and the real run read the same value."""

    order: Order
    events: tuple[Event, ...] = ()
    moves: tuple[Move, ...] = ()
    stock: tuple[StockMove, ...] = ()

    def then(self, following: Decision) -> Decision:
        """Return both decisions as one; `following` was made from this one's order."""
        if following.order is self.order and not (following.events or following.moves or following.stock):
            return self
        return Decision(
            order=following.order,
            events=self.events + following.events,
            moves=self.moves + following.moves,
            stock=self.stock + following.stock,
        )

    def told(self, *events: Event) -> Decision:
        """Return the decision with more events."""
        return evolve(self, events=self.events + events)


def decided(
    order: Order, *events: Event, moves: Iterable[Move] = (), stock: Iterable[StockMove] = (), **changes: Any
) -> Decision:
    """Return the decision that changes the order so; the moves are applied to its lines here, once."""
    moves = tuple(moves)
    if moves:
        changes["lines"] = moved(changes.get("lines", order.lines), moves)
    return Decision(
        order=evolve(order, **changes) if changes else order, events=events, moves=moves, stock=tuple(stock)
    )


def sealed(decision: Decision, before: Order | None, stamp: Stamp) -> tuple[Order, Record]:
    """Return the next version of the order and the record of the step, ready to be committed."""
    version = before.version + 1 if before else 1
    after = evolve(decision.order, version=version, updated_at=stamp.at)
    record = Record(
        order_id=after.id,
        version=version,
        stamp=stamp,
        from_status=word(before) if before else None,
        to_status=word(after),
        events=decision.events,
        moves=decision.moves,
        stock=summed(decision.stock),
        change=difference(before, after),
    )
    return after, record


def summed(stock: Sequence[StockMove]) -> tuple[StockMove, ...]:
    """Return one move for each SKU and warehouse, sorted: the order in which stock rows are locked everywhere."""
    if len({(move.sku, move.warehouse) for move in stock}) == len(stock):  # nearly always: nothing is added up
        return tuple(sorted([move for move in stock if move.on_hand or move.reserved], key=_PLACE))
    totals: dict[tuple[str, str], list[int]] = {}
    for move in stock:
        total = totals.setdefault((move.sku, move.warehouse), [0, 0])
        total[0] += move.on_hand
        total[1] += move.reserved
    return tuple([StockMove(*place, *total) for place, total in sorted(totals.items()) if total[0] or total[1]])


_PLACE = attrgetter("sku", "warehouse")
_PARTS = ("shipments", "payments", "refunds", "returns", "holds")
P = TypeVar("P", Shipment, Payment, Refund, Return, Hold)


def difference(before: Order | None, after: Order) -> Change:
    """Return what is different, so that `replayed` can do it again."""
    parts: dict[str, Any] = {}
    for name in _PARTS:
        old, new = getattr(before, name) if before else (), getattr(after, name)
        if old is not new:
            known = {part.id: part for part in old}
            parts[name] = tuple([part for part in new if known.get(part.id) is not part]) if known else new
    lines: tuple[Line, ...] = ()
    if before is None or before.lines is not after.lines:
        known_lines = {line.number for line in before.lines} if before else set()
        lines = tuple(
            [Line(line.number, line.sku, line.ordered) for line in after.lines if line.number not in known_lines]
        )
    return Change(
        state=after.state,
        reason=after.reason,
        reserved_until=after.reserved_until,
        sought_at=after.sought_at,
        amended=before is not None and before.facts is not after.facts and before.facts != after.facts,
        lines=lines,
        sagas=after.sagas,
        findings=after.findings,
        **parts,
    )


def replayed(records: Iterable[Record], facts: Facts) -> Order:
    """Return the order that the records tell, from nothing; `facts` is its document.

    This is the law `fold(log) = state`: the result equals the stored order, or the log is broken.
    """
    order: Order | None = None
    for record in records:
        change = record.change
        base = order or Order(id=record.order_id, facts=facts, placed_at=record.stamp.at, updated_at=record.stamp.at)
        order = evolve(
            base,
            version=record.version,
            updated_at=record.stamp.at,
            state=change.state,
            reason=change.reason,
            reserved_until=change.reserved_until,
            sought_at=change.sought_at,
            lines=moved(base.lines + change.lines, record.moves) if record.moves or change.lines else base.lines,
            shipments=_merged(base.shipments, change.shipments),
            payments=_merged(base.payments, change.payments),
            refunds=_merged(base.refunds, change.refunds),
            returns=_merged(base.returns, change.returns),
            holds=_merged(base.holds, change.holds),
            sagas=change.sagas,
            findings=change.findings,
        )
    if order is None:
        raise ValueError("no records: an order begins with one")
    return order


def _merged(parts: tuple[P, ...], changed: tuple[P, ...]) -> tuple[P, ...]:
    if not changed:
        return parts
    new = {part.id: part for part in changed}
    kept = tuple(new.pop(part.id, part) for part in parts)
    return kept + tuple(new.values())
