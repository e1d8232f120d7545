"""What an order waits for, and since when or until when: one agenda for sagas, timers, doubts and polls.

It is a pure function of the order, so nothing can be forgotten by being stored in two places: stores index `due`, one sweep claims what
is due, and `tasks` says what to do. A crash loses nothing, because the agenda of the stored order is what it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter

from orderkit.domain.order import Order
from orderkit.domain.payment import NEW_MONEY, OPEN, TAKING
from orderkit.domain.quantities import Bucket
from orderkit.domain.saga import unpaid_lines
from orderkit.domain.value import Value

POLL_AFTER = timedelta(minutes=30)  # the requirements' poll of what is shipped and silent
BACKORDER_AFTER = timedelta(hours=1)
PARKED = "parked"  # the finding of an order whose every attempt failed
_BACKORDERED = int(Bucket.BACKORDERED)


class TaskKind(StrEnum):
    """Kinds of waiting, and with them the worker roles: sagas, resolver, timers."""

    MOVE_MONEY = "move_money"
    ASK_PAYMENT = "ask_payment"
    EXPIRE_RESERVATION = "expire_reservation"
    EXPIRE_AUTHORIZATION = "expire_authorization"
    RELEASE_SHIPMENT = "release_shipment"
    TRACK_SHIPMENT = "track_shipment"
    EXPIRE_RETURN = "expire_return"
    EXPIRE_HOLD = "expire_hold"
    ALLOCATE_BACKORDER = "allocate_backorder"


ROLES: dict[str, tuple[TaskKind, ...]] = {
    "sagas": (TaskKind.MOVE_MONEY,),
    "resolver": (TaskKind.ASK_PAYMENT, TaskKind.EXPIRE_RESERVATION),
    "timers": (
        TaskKind.EXPIRE_AUTHORIZATION,
        TaskKind.RELEASE_SHIPMENT,
        TaskKind.TRACK_SHIPMENT,
        TaskKind.EXPIRE_RETURN,
        TaskKind.EXPIRE_HOLD,
        TaskKind.ALLOCATE_BACKORDER,
    ),
}


class Task(Value):
    """One thing to do for an order, and when. `subject` is the id of the operation, shipment, return or hold."""

    at: datetime
    kind: TaskKind
    subject: str = ""


def due(order: Order) -> Task | None:
    """Return what comes first."""
    return min(tasks(order), key=attrgetter("at"), default=None)


def tasks(order: Order) -> list[Task]:
    """Return everything that the order waits for. What comes first in the list comes first among equals.

    A parked order waits for a person only.
    """
    if PARKED in order.findings:
        return []
    found = _money(order)
    if order.reserved_until is not None and order.state in ("placed", "payment_pending"):
        found.append(Task(order.reserved_until, TaskKind.EXPIRE_RESERVATION))
    if order.state == "confirmed":
        found += _goods(order)
    for shipment in order.shipments:
        if shipment.carrier and shipment.travelling:
            since = shipment.asked_at or shipment.shipped_at or order.updated_at
            wait = POLL_AFTER if shipment.state in ("shipped", "out_for_delivery") else timedelta(days=1)
            found.append(Task(since + wait, TaskKind.TRACK_SHIPMENT, shipment.id))
    for back in order.returns:
        if back.expires_at and back.state in ("authorized", "in_transit"):
            found.append(Task(back.expires_at, TaskKind.EXPIRE_RETURN, back.id))
    for hold in order.holds:
        if hold.until and hold.state == "active":
            found.append(Task(hold.until, TaskKind.EXPIRE_HOLD, hold.id))
    return found


def _money(order: Order) -> list[Task]:
    """Each payment's first open operation is due; of those that take money for one saga only the first, so that a refusal stops the rest."""
    found: list[Task] = []
    expiring: list[Task] = []
    taking: set[str] = set()
    for payment in order.payments:
        for operation in payment.operations:
            if operation.state in OPEN:
                break
        else:
            if payment.expires_at is not None and payment.capturable_minor > 0:
                expiring.append(Task(payment.expires_at, TaskKind.EXPIRE_AUTHORIZATION, payment.id))
            continue
        if operation.saga is not None and operation.kind in TAKING:
            if operation.saga in taking:
                continue
            taking.add(operation.saga)
        # New money is not wanted any more once the order is cancelled.
        ask = operation.state == "unknown" or (order.state == "cancelled" and operation.kind in NEW_MONEY)
        kind = TaskKind.ASK_PAYMENT if ask else TaskKind.MOVE_MONEY
        found.append(Task(operation.next_at or operation.requested_at, kind, operation.id))
    return found + expiring


def _goods(order: Order) -> list[Task]:
    found: list[Task] = []
    if not order.active_holds:
        unpaid = unpaid_lines(order)
        found += [
            Task(s.cutoff_at, TaskKind.RELEASE_SHIPMENT, s.id)
            for s in order.shipments
            if s.state == "planned" and s.cutoff_at and (not unpaid or unpaid.isdisjoint(s.numbers))
        ]
    if any([line.buckets[_BACKORDERED] for line in order.lines]):  # noqa: C419  (a list of three is faster than a generator)
        found.append(Task((order.sought_at or order.placed_at) + BACKORDER_AFTER, TaskKind.ALLOCATE_BACKORDER))
    return found
