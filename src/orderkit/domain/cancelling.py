"""Cancelling: goods stop first, then their value is credited, and the money follows by itself (see `settling`).

Units that wait are cancelled, wherever they wait, until the warehouse has begun to work on them. What a cancelled unit was worth was frozen
at placement, so it takes its share of every discount with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from orderkit.domain.events import Decision, Event, StockMove, decided
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import ORDER, SHIPMENT
from orderkit.domain.order import Order
from orderkit.domain.quantities import Bucket, Move, counted
from orderkit.domain.settling import settled
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed

_WAITING = (Bucket.UNALLOCATED, Bucket.BACKORDERED)


def cancellable(order: Order, now: datetime) -> dict[int, int]:
    """Return how many units of each line can be cancelled now."""
    return {line.number: count for line in order.lines if (count := _free(order, line.number, now))}


def why_not(order: Order, now: datetime) -> tuple[str, str] | None:
    """Return the code and the reason why nothing can be cancelled, or nothing when something can."""
    if order.state == "cancelled" or all(line[Bucket.CANCELLED] == line.ordered for line in order.lines):
        return "already_cancelled", "everything is cancelled already"
    if cancellable(order, now):
        return None
    if any(line[Bucket.RESERVED] + line[Bucket.RELEASED] for line in order.lines):
        return "cutoff_passed", "the warehouse is working on what has not left yet"
    return "already_shipped", "everything has left the warehouse"


def cancelled(
    order: Order, now: datetime, *, reason: str, units: Mapping[int, int] | None = None, shipment: str | None = None
) -> Decision:
    """Cancel the whole order, some units by line number, or what one shipment holds.

    Without `units` and `shipment` everything must still be cancellable: half a cancellation is never guessed. Nor is what no units are, or
    units beside a shipment. Raises: `InvalidInput`, `NotAllowed`.
    """
    if units is not None and not units:
        raise InvalidInput("say which units to cancel; leave them out to cancel the whole order", field="units")
    if units is not None and shipment is not None:
        raise InvalidInput("cancel either units or a whole shipment, not both", field="units")
    if (refusal := why_not(order, now)) is not None:
        raise NotAllowed(
            f"order {order.id} cannot be cancelled: {refusal[1]}", code=refusal[0], facts={"status": order.state}
        )
    if shipment is not None:
        return _shipment_cancelled(order, order.shipment(shipment), now, reason)
    free = cancellable(order, now)
    everything = {
        line.number: line.ordered - line[Bucket.CANCELLED]
        for line in order.lines
        if line.ordered > line[Bucket.CANCELLED]
    }
    units = everything if units is None else units
    for number, count in units.items():
        if count <= 0:
            raise InvalidInput(f"cannot cancel {count} units", code="invalid_quantity", field="units")
        if count > free.get(order.line(number).number, 0):
            raise _too_many(order, number, count, free.get(number, 0))
    if order.state != "confirmed" and dict(units) != everything:
        raise NotAllowed(
            "until the payment is confirmed only the whole order can be cancelled",
            code="action_in_flight",
            facts={"status": order.state},
        )
    if not units:
        raise InvalidInput("say which units to cancel; leave them out to cancel the whole order", field="units")
    decision = units_cancelled(order, units, now, reason=reason)
    return decision.then(settled(decision.order, now))


def units_cancelled(
    order: Order, units: Mapping[int, int], now: datetime, *, reason: str, event: str = "order.units_cancelled"
) -> Decision:
    """Cancel these units and credit their value; asks nothing about whether it is allowed, and moves no money."""
    taken = {number: _taken(order, number, count, now) for number, count in units.items()}
    moves = [move for parts in taken.values() for move in parts]
    decision = _from_shelves(order, moves)
    refund = granted(order, "cancellation", reason, now, units=units)
    decision = decision.then(decided(decision.order, refunds=(*order.refunds, refund)))
    skus = {str(number): count for number, count in sorted(units.items())}
    decision = decision.told(
        Event(event, {"units": skus, "reason": reason, "credited_minor": refund.total_minor, "refund": refund.id})
    )
    if any(line.ordered > line[Bucket.CANCELLED] for line in decision.order.lines):
        return decision
    return decision.then(_closed(decision.order, reason))


def _closed(order: Order, reason: str) -> Decision:
    state = ORDER.step(order.state, "cancel")
    return decided(order, Event("order.cancelled", {"reason": reason}), state=state, reason=reason, reserved_until=None)


def stock_released(order: Order, target: Bucket) -> Decision:
    """Take every unit that waits off the shelves' promises and drop the planned shipments; the units go to `target`."""
    moves = [
        Move(n, Bucket.RESERVED, target, q, s.id) for s in order.shipments if s.state == "planned" for n, q in s.lines
    ]
    moves += [
        Move(x.number, Bucket.BACKORDERED, target, x[Bucket.BACKORDERED]) for x in order.lines if x[Bucket.BACKORDERED]
    ]
    return _from_shelves(order, moves)


def _from_shelves(order: Order, moves: list[Move]) -> Decision:
    """Apply moves out of planned shipments: the shipments shrink or vanish, and their shelves are free again."""
    skus = {line.number: line.sku for line in order.lines}
    places = {shipment.id: shipment.warehouse for shipment in order.shipments}
    reserved = [move for move in moves if move.source is Bucket.RESERVED and move.cause is not None]
    stock = [StockMove(skus[m.line], places[m.cause], reserved=-m.quantity) for m in reserved if m.cause is not None]
    return decided(order, moves=moves, stock=stock, shipments=shrunk(order.shipments, reserved))


def shrunk(shipments: Iterable[Shipment], moves: Iterable[Move]) -> tuple[Shipment, ...]:
    """Return the shipments without the units that the moves took out of them; an empty one is cancelled."""
    gone: dict[str | None, dict[int, int]] = {}
    for move in moves:
        lines = gone.setdefault(move.cause, {})
        lines[move.line] = lines.get(move.line, 0) + move.quantity
    return tuple(_less(shipment, gone[shipment.id]) if shipment.id in gone else shipment for shipment in shipments)


def _less(shipment: Shipment, gone: Mapping[int, int]) -> Shipment:
    left = tuple((number, rest) for number, units in shipment.lines if (rest := units - gone.get(number, 0)))
    if left:
        return evolve(shipment, lines=left)
    return evolve(shipment, lines=(), state=SHIPMENT.step(shipment.state, "cancel"))


def _shipment_cancelled(order: Order, shipment: Shipment, now: datetime, reason: str) -> Decision:
    if order.state != "confirmed":
        raise NotAllowed(
            "until the payment is confirmed only the whole order can be cancelled", code="action_in_flight"
        )
    if not still_ours(order, shipment, now):
        code = (
            "cutoff_passed"
            if shipment.waiting
            else "already_cancelled"
            if shipment.state == "cancelled"
            else "already_shipped"
        )
        raise NotAllowed(
            f"shipment {shipment.id} is {shipment.state}",
            code=code,
            facts={"shipment": shipment.id, "state": shipment.state},
        )
    units = dict(shipment.lines)
    moves = [Move(number, Bucket.RESERVED, Bucket.CANCELLED, count, shipment.id) for number, count in units.items()]
    decision = _from_shelves(order, moves)
    refund = granted(order, "cancellation", reason, now, units=units)
    told = Event(
        "shipment.cancelled",
        {"shipment": shipment.id, "reason": reason, "credited_minor": refund.total_minor, "refund": refund.id},
    )
    decision = decision.then(decided(decision.order, told, refunds=(*order.refunds, refund)))
    if all(line.ordered == line[Bucket.CANCELLED] for line in decision.order.lines):
        decision = decision.then(_closed(decision.order, reason))
    return decision.then(settled(decision.order, now))


def still_ours(order: Order, shipment: Shipment, now: datetime) -> bool:
    """Whether the warehouse has not begun: before the cutoff, and as long as the order is on hold."""
    before = shipment.cutoff_at is None or now < shipment.cutoff_at or bool(order.active_holds)
    return shipment.state == "planned" and before


def _free(order: Order, number: int, now: datetime) -> int:
    line = order.line(number)
    in_shipments = sum(q for s in order.shipments if still_ours(order, s, now) for n, q in s.lines if n == number)
    return sum(line[bucket] for bucket in _WAITING) + in_shipments


def _taken(order: Order, number: int, count: int, now: datetime) -> list[Move]:
    """Take units from where it hurts least: what has no stock first, then the latest planned shipment.

    One past its cutoff comes last, though nobody has released it yet: the lines of a refused amendment may wait there.
    """
    line, moves = order.line(number), []
    for bucket in _WAITING:
        if part := min(count, line[bucket]):
            moves.append(Move(number, bucket, Bucket.CANCELLED, part))
            count -= part
    latest = reversed([shipment for shipment in order.shipments if shipment.state == "planned"])
    for shipment in sorted(latest, key=lambda s: not still_ours(order, s, now)):
        held = dict(shipment.lines).get(number, 0)
        if part := min(count, held):
            moves.append(Move(number, Bucket.RESERVED, Bucket.CANCELLED, part, shipment.id))
            count -= part
    if count:
        raise _too_many(order, number, count, 0)
    return moves


def _too_many(order: Order, number: int, asked: int, free: int) -> NotAllowed:
    line = order.line(number)
    code = (
        "invalid_quantity"
        if asked > line.ordered
        else "already_shipped"
        if line.left and not line[Bucket.RELEASED]
        else "cutoff_passed"
        if line[Bucket.RELEASED] + line[Bucket.RESERVED]
        else "already_cancelled"
    )
    return NotAllowed(
        f"asked for {counted(asked)} of line {number} ({line.sku}), but {f'only {free}' if free else 'none'} can still be cancelled",
        code=code,
        field="units",
        facts={"line": number, "sku": line.sku, "asked": asked, "cancellable": free, "quantities": line.quantities()},
        remedy="Cancel no more units than can still be cancelled." if free else None,
    )
