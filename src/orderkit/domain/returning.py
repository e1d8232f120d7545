"""Returning: what may come back and until when, what arrived in which state, and what is given back for it.

The window counts from the delivery of the shipment that brought the unit. The cap counts what was asked for and what arrived alike, so
two requests can never share one unit. Each receipt grades its units, decides their fate and grants their refund; a return that is never
sent expires and frees its units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, StockMove, decided
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import RETURN
from orderkit.domain.order import Order, Refund
from orderkit.domain.quantities import Bucket, Line, Move, counted
from orderkit.domain.refunds import WHOLE, Grading
from orderkit.domain.returns import (
    DEFAULT_DISPOSITIONS,
    DISPOSED_TO,
    Disposition,
    Grade,
    Graded,
    Receipt,
    Return,
    ReturnItem,
)
from orderkit.domain.settling import settled
from orderkit.domain.value import Value, evolve
from orderkit.errors import InvalidInput, NotAllowed

# Where units are that the customer does not have, each with its value given back at the latest when it got there.
_GONE = (
    Bucket.CANCELLED,
    Bucket.LOST,
    Bucket.RETURN_RECEIVED,
    Bucket.RESTOCKED,
    Bucket.QUARANTINED,
    Bucket.WRITTEN_OFF,
)


class Eligibility(Value, kw_only=True):
    """How many units of a line may come back now, until when, and why no more."""

    line: int
    sku: str
    units: int
    until: datetime | None
    code: str | None = None
    reason: str | None = None


def eligibility(order: Order, number: int, now: datetime) -> Eligibility:
    """Say what of a line may come back now."""
    line, policy = order.line(number), order.facts.policies.returns
    if line.sku in policy.final_sale:
        return Eligibility(
            line=number, sku=line.sku, units=0, until=None, code="not_returnable", reason="sold as final"
        )
    arrived = [(s.delivered_at, dict(s.lines).get(number, 0)) for s in order.shipments if s.delivered_at is not None]
    back = _turned_back(order, number)
    in_window = sum(q for at, q in arrived if at + policy.window >= now) + back
    at_customer = line[Bucket.DELIVERED] + back
    # Units that went back already are taken from the oldest deliveries first: that is kinder to the customer.
    too_late = at_customer - in_window
    units = max(0, min(at_customer - line.returning, in_window - max(0, line.returning - too_late)))
    deadlines = [at + policy.window for at, q in arrived if q and at + policy.window >= now]
    until = max(deadlines, default=None)
    if units:
        return Eligibility(line=number, sku=line.sku, units=units, until=until)
    if not at_customer:
        return Eligibility(
            line=number, sku=line.sku, units=0, until=None, code="not_returnable", reason="nothing of it was delivered"
        )
    if line.returning >= at_customer:
        return Eligibility(
            line=number,
            sku=line.sku,
            units=0,
            until=until,
            code="not_returnable",
            reason="all of it is in returns already",
        )
    return Eligibility(
        line=number,
        sku=line.sku,
        units=0,
        until=None,
        code="return_window_closed",
        reason="the return window has closed",
    )


def returnable(order: Order, number: int) -> int:
    """How many units of a line may come back when nobody looks at the window: what arrived or was turned back, and is in no return."""
    line = order.line(number)
    return max(0, line[Bucket.DELIVERED] + _turned_back(order, number) - line.returning)


def _turned_back(order: Order, number: int) -> int:
    """How many units of a line the carrier brings back to their sender; no window has begun for them."""
    return sum(dict(s.lines).get(number, 0) for s in order.shipments if s.state == "returned_to_sender")


def return_requested(
    order: Order, items: Sequence[ReturnItem], now: datetime, *, method: str = "mail", enforce_window: bool = True
) -> Decision:
    """Open a return; without a shop that wants to approve each one it is authorized at once."""
    if not items:
        raise InvalidInput("a return names at least one line", code="invalid_quantity", field="items")
    wanted: dict[int, int] = {}
    for item in items:
        if item.quantity <= 0:
            raise InvalidInput(f"cannot return {item.quantity} units", code="invalid_quantity", field="items")
        wanted[item.line] = wanted.get(item.line, 0) + item.quantity
    for number, count in wanted.items():
        _allowed(order, number, count, now, enforce_window=enforce_window)
    policy = order.facts.policies.returns
    found = Return(
        id=f"{order.id}-R{len(order.returns) + 1}",
        items=tuple(items),
        requested_at=now,
        method=method,
        state=RETURN.initial if policy.approval else RETURN.step(RETURN.initial, "authorize"),
        expires_at=None if policy.approval else now + policy.expires_after,
    )
    moves = [Move(item.line, None, Bucket.RETURN_REQUESTED, item.quantity, found.id) for item in items]
    name = "return.requested" if policy.approval else "return.authorized"
    told = Event(
        name,
        {"return": found.id, "items": [{"line": i.line, "quantity": i.quantity, "reason": i.reason} for i in items]},
    )
    return decided(order, told, moves=moves, returns=(*order.returns, found))


def _allowed(order: Order, number: int, count: int, now: datetime, *, enforce_window: bool) -> None:
    found = eligibility(order, number, now)
    line = order.line(number)
    free = found.units if enforce_window else returnable(order, number)
    if count > free:
        raise NotAllowed(
            f"asked for {counted(count)} of line {number} ({line.sku}), but {f'only {free}' if free else 'none'} may come back"
            + (f": {found.reason}" if found.reason else ""),
            code=found.code or "not_returnable",
            field="items",
            facts={
                "line": number,
                "sku": line.sku,
                "asked": count,
                "returnable": free,
                "quantities": line.quantities(),
            },
        )


def return_authorized(order: Order, return_id: str, now: datetime) -> Decision:
    """A person says yes."""
    found = order.return_(return_id)
    after = evolve(
        found, state=RETURN.step(found.state, "authorize"), expires_at=now + order.facts.policies.returns.expires_after
    )
    return decided(order, Event("return.authorized", {"return": found.id}), returns=_with(order, after))


def return_declined(order: Order, return_id: str, *, reason: str) -> Decision:
    """A person says no; the units are free again."""
    return _ended(order, order.return_(return_id), "decline", "return.declined", reason)


def return_cancelled(order: Order, return_id: str, *, reason: str) -> Decision:
    """The customer keeps it after all."""
    return _ended(order, order.return_(return_id), "cancel", "return.cancelled", reason)


def return_expired(order: Order, return_id: str) -> Decision:
    """Nothing was sent in time, or what was sent did not arrive; the units are free again."""
    found = order.return_(return_id)
    return _ended(order, found, "expire", "return.expired", "never_arrived" if found.sent_at else "never_sent")


def return_closed(order: Order, return_id: str, *, reason: str) -> Decision:
    """The rest of a return will not come; what has arrived stands."""
    return _ended(order, order.return_(return_id), "close", "return.closed", reason)


def _ended(order: Order, found: Return, trigger: str, event: str, reason: str) -> Decision:
    moves = [Move(number, found.expected_in, None, count, found.id) for number, count in found.outstanding.items()]
    after = evolve(found, state=RETURN.step(found.state, trigger), reason=reason, expires_at=None)
    return decided(
        order, Event(event, {"return": found.id, "reason": reason}), moves=moves, returns=_with(order, after)
    )


def return_labeled(order: Order, return_id: str, *, label_url: str, tracking_number: str | None = None) -> Decision:
    """A label for the way back exists."""
    found = order.return_(return_id)
    after = evolve(found, label_url=label_url, tracking_number=tracking_number)
    return decided(order, Event("return.labeled", {"return": found.id}), returns=_with(order, after))


def return_sent(order: Order, return_id: str, now: datetime) -> Decision:
    """The parcel is on its way back: the return no longer expires as never sent."""
    found = order.return_(return_id)
    moves = [Move(i.line, Bucket.RETURN_REQUESTED, Bucket.RETURN_IN_TRANSIT, i.quantity, found.id) for i in found.items]
    after = evolve(
        found,
        state=RETURN.step(found.state, "send"),
        sent_at=now,
        expires_at=now + order.facts.policies.returns.expires_after,
    )
    return decided(order, Event("return.sent", {"return": found.id}), moves=moves, returns=_with(order, after))


def return_received(
    order: Order,
    return_id: str,
    graded: Sequence[Graded],
    now: datetime,
    *,
    warehouse: str,
    reason: str = "returned",
    deduction_minor: int = 0,
) -> Decision:
    """A parcel of the return was opened: units are graded, go where their disposition says, and their value is given back.

    What is sent back to the customer is not refunded, nor is what was given back before, as for a lost parcel that turned up. The refund
    multipliers by grade stand in the order's refund policy; an amount agreed with the customer may be kept besides (`deduction_minor`).
    """
    found = order.return_(return_id)
    if RETURN.states[found.state].final:
        raise NotAllowed(
            f"return {found.id} is {found.state.replace('_', ' ')}: nothing of it is expected",
            code="illegal_transition",
            field="return",
            facts={"return": found.id, "state": found.state},
            remedy="Receive the return that the goods belong to, or open another one.",
        )
    arrived = _counted(graded)
    if not arrived:
        raise InvalidInput("a receipt holds at least one unit", code="invalid_quantity", field="graded")
    if type(deduction_minor) is not int or deduction_minor < 0:
        raise InvalidInput(
            f"{deduction_minor!r} is no number of minor units to keep", code="invalid_money", field="deduction_minor"
        )
    outstanding = found.outstanding
    for number, count in arrived.items():
        if count > outstanding.get(number, 0):
            raise NotAllowed(
                f"return {found.id} expects {outstanding.get(number, 0)} of line {number}, not {count}",
                code="not_returnable",
                field="graded",
                facts={"line": number, "expected": outstanding.get(number, 0), "arrived": count},
            )
    items = _booked(found.items, arrived)
    trigger = "receive" if all(i.received == i.quantity for i in items) else "receive_part"
    receipt = Receipt(id=f"{found.id}-{len(found.receipts) + 1}", warehouse=warehouse, at=now, graded=tuple(graded))
    moves, stock = _disposed(order, found, graded, warehouse)
    told = Event(
        "return.received", {"return": found.id, "receipt": receipt.id, "units": {str(n): q for n, q in arrived.items()}}
    )
    decision = decided(order, told, moves=moves, stock=stock)
    refund = refund_of(order, return_id, graded, reason, now, deduction_minor=deduction_minor)
    if refund is not None:
        receipt = evolve(receipt, refund=refund.id)
        decision = decision.then(decided(decision.order, refunds=(*order.refunds, refund)))
    after = evolve(found, items=items, receipts=(*found.receipts, receipt), state=RETURN.step(found.state, trigger))
    if trigger == "receive":
        after = evolve(after, expires_at=None)
    decision = decision.then(decided(decision.order, returns=_with(decision.order, after)))
    return decision.then(settled(decision.order, now))


def refund_of(
    order: Order, return_id: str, graded: Sequence[Graded], reason: str, now: datetime, *, deduction_minor: int = 0
) -> Refund | None:
    """Return the refund that a receipt of these units grants, as the order stands before it; `None` when they give back nothing.

    What a return will give back is this same call.
    """
    refunded = _refundable(order, graded)
    if not refunded:
        return None
    return granted(
        order,
        "return",
        reason,
        now,
        units=_counted(refunded),
        grades=_multipliers(order, refunded),
        deduction_minor=deduction_minor,
        return_id=return_id,
    )


def graded_by_default(items: Mapping[int, int], grade: Grade = Grade.LIKE_NEW) -> tuple[Graded, ...]:
    """Return units of one grade with the fate that the grade usually has."""
    return tuple(
        Graded(line=number, quantity=count, grade=grade, disposition=DEFAULT_DISPOSITIONS[grade])
        for number, count in items.items()
    )


def _counted(graded: Iterable[Graded]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for part in graded:
        if type(part.quantity) is not int or part.quantity <= 0:
            raise InvalidInput(f"cannot receive {part.quantity!r} units", code="invalid_quantity", field="graded")
        counts[part.line] = counts.get(part.line, 0) + part.quantity
    return counts


def _booked(items: tuple[ReturnItem, ...], arrived: Mapping[int, int]) -> tuple[ReturnItem, ...]:
    rest, booked = dict(arrived), []
    for item in items:
        part = min(rest.get(item.line, 0), item.quantity - item.received)
        rest[item.line] = rest.get(item.line, 0) - part
        booked.append(evolve(item, received=item.received + part) if part else item)
    return tuple(booked)


def _disposed(
    order: Order, found: Return, graded: Sequence[Graded], warehouse: str
) -> tuple[list[Move], list[StockMove]]:
    moves: list[Move] = []
    stock: list[StockMove] = []
    for part in graded:
        moves.append(Move(part.line, found.expected_in, Bucket.RETURN_RECEIVED, part.quantity, found.id))
        moves.append(Move(part.line, Bucket.RETURN_RECEIVED, DISPOSED_TO[part.disposition], part.quantity, found.id))
        if part.disposition is Disposition.RESTOCK:
            stock.append(StockMove(order.line(part.line).sku, warehouse, on_hand=part.quantity))
    return moves, stock


def _refundable(order: Order, graded: Sequence[Graded]) -> list[Graded]:
    """Return what of a receipt is given value for: units that the customer has for nothing come back first."""
    had = {line.number: _credited_at_customer(order, line) for line in order.lines}
    found = []
    for part in graded:
        if part.disposition is Disposition.SEND_BACK:
            continue
        worthless = min(part.quantity, had[part.line])
        had[part.line] -= worthless
        if units := part.quantity - worthless:
            found.append(evolve(part, quantity=units))
    return found


def _credited_at_customer(order: Order, line: Line) -> int:
    """How many units the customer has and got the value of before, as for a lost parcel that turned up.

    Every other unit whose value was given back was cancelled, is lost, or came back and stayed.
    """
    gone = sum(line[bucket] for bucket in _GONE)
    return max(0, order.credited_units(line.number) - gone)


def _multipliers(order: Order, graded: Sequence[Graded]) -> dict[int, Grading]:
    """Return (units, basis points of value) by line for the lines of which something came back less than whole."""
    by_grade = dict(order.facts.policies.refund.grades)
    parts: dict[int, list[tuple[int, int]]] = {}
    for part in graded:
        parts.setdefault(part.line, []).append((part.quantity, by_grade.get(part.grade.value, WHOLE)))
    return {number: tuple(found) for number, found in parts.items() if any(points != WHOLE for _, points in found)}


def _with(order: Order, found: Return) -> tuple[Return, ...]:
    return tuple(found if r.id == found.id else r for r in order.returns)
