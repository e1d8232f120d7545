"""Go on with an order: whatever its agenda says is due, one task after the other. Sagas, timers and the resolver are this one function.

Every task is safe to repeat. A provider is called under a key that a repeat shares; its answer is decided on the order as it is then, so two
workers that both got the answer book it once.
"""

from __future__ import annotations

from datetime import datetime

from orderkit.domain import answering, expiring, returning, shipping
from orderkit.domain.agenda import Task, TaskKind, due, tasks
from orderkit.domain.events import Decision, decided
from orderkit.domain.holding import hold_released
from orderkit.domain.order import Order
from orderkit.domain.payment import NEW_MONEY, OperationKind
from orderkit.domain.quantities import Bucket
from orderkit.domain.saga import definition
from orderkit.errors import Conflict, NotAllowed, OrderkitError, PortError
from orderkit.flows.kit import Caller, Decide, changed, loaded, replanned, waiting
from orderkit.ports.carriers import TrackParcel
from orderkit.ports.clock import Now, Pause
from orderkit.ports.effect import Flow
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer, Refused, Reversed, Unknown
from orderkit.ports.settings import ReadSettings

STEPS_MAX = 100  # an order has a handful of operations; more steps in a row than this is a loop


async def advance(order_id: str, caller: Caller) -> Order:
    """Do everything that is due for the order now, and return it."""
    return await advanced(await loaded(order_id), caller)


async def advanced(order: Order, caller: Caller) -> Order:
    """The same for an order at hand."""
    caller = caller.going_on
    for _ in range(STEPS_MAX):
        now = await Now()
        task = due(order)
        if task is None or task.at > now:
            return order
        before = order.version
        order = await performed(order, task, now, caller)
        if order.version == before:
            return order
    return order


async def continued(order: Order, caller: Caller) -> Order:
    """The same after a request that is durable on the order."""
    return await followed(order, advanced(order, caller))


async def followed(order: Order, flow: Flow[Order]) -> Order:
    """Go on after a request that is durable on the order: from here on nothing may say that it was not applied.

    Where the store, a provider or another worker is in the way, the answer is the order as it was accepted: its agenda has the rest. What a
    person has to mend is raised, with the order named and `applied` for its outcome.
    """
    try:
        return await flow
    except (PortError, Conflict):
        return order
    except OrderkitError as error:
        raise error.after_applying(order.id) from error


async def performed(order: Order, task: Task, now: datetime, caller: Caller) -> Order:
    """Do one task of the agenda. Of a saga whose version this program does not know nothing is done: another program's order."""
    for run in order.sagas:
        definition(run)
    match task.kind:
        case TaskKind.MOVE_MONEY:
            return await _move_money(order, task.subject, now, caller)
        case TaskKind.ASK_PAYMENT:
            return await _ask_payment(order, task.subject, now, caller)
        case TaskKind.EXPIRE_RESERVATION:
            return await _expire_reservation(order, now, caller)
        case TaskKind.TRACK_SHIPMENT:
            return await _track(order, task.subject, now, caller)
        case TaskKind.ALLOCATE_BACKORDER:
            return await _allocate(order, caller)
        case _:
            return await changed(order.id, task.kind.value, _timed(task), caller, known=order)


def _timed(task: Task) -> Decide:
    """The tasks that only time decides, and that call nobody."""

    def decide(order: Order, now: datetime) -> Decision:
        if not any(t.kind is task.kind and t.subject == task.subject and t.at <= now for t in tasks(order)):
            return decided(order)
        match task.kind:
            case TaskKind.EXPIRE_AUTHORIZATION:
                return expiring.authorization_expired(order, task.subject, now)
            case TaskKind.RELEASE_SHIPMENT:
                return shipping.released(order, task.subject, now)
            case TaskKind.EXPIRE_RETURN:
                return returning.return_expired(order, task.subject)
            case TaskKind.EXPIRE_HOLD:
                return hold_released(order, task.subject, now, trigger="expire")
            case _:
                raise NotAllowed(f"no timer for {task.kind.value}", code="internal")

    return decide


async def _move_money(order: Order, operation_id: str, now: datetime, caller: Caller) -> Order:
    payment, operation = order.operation(operation_id)
    answer = await MoveMoney(
        key=operation.key,
        kind=operation.kind,
        payment=payment.id,
        method=payment.method,
        tender=payment.kind,
        amount_minor=operation.amount_minor,
        currency=order.currency,
        order_id=order.id,
        at=now,
    )
    return await booked(order, operation_id, operation.attempt, answer, caller)


async def _ask_payment(order: Order, operation_id: str, now: datetime, caller: Caller) -> Order:
    payment, operation = order.operation(operation_id)
    answer = await AskPayment(key=operation.key, payment=payment.id, at=now)
    settings = await ReadSettings()
    if isinstance(answer, Unknown) and operation.asked + 1 >= settings.doubts_max:
        order = await changed(
            order.id, "doubt", lambda o, _: expiring.finding_noted(o, answering.doubt_of(operation_id)), caller
        )
    return await booked(order, operation_id, operation.attempt, answer, caller)


async def booked(known: Order, operation_id: str, attempt: int, answer: PaymentAnswer, caller: Caller) -> Order:
    """Book a provider's answer to one attempt of an operation on the order as it is now; a repeat changes nothing."""

    def decide(order: Order, now: datetime) -> Decision:
        _, operation = order.operation(operation_id)
        match answer:
            case Confirmed(reference, expires_at):
                return answering.confirmed(
                    order, operation_id, now, reference=reference, expires_at=expires_at, attempt=attempt
                )
            case Reversed(reason) if operation.kind is OperationKind.REFUND:
                return answering.refund_reversed(order, operation_id, attempt, now, reason=reason)
            case Refused(reason) | Reversed(reason) if operation.attempt == attempt:
                return answering.refused(order, operation_id, now, reason=reason)
            case Unknown(reason) if operation.attempt == attempt:
                return answering.doubted(order, operation_id, now, reason=reason)
            case _:  # an answer to an attempt that is over
                return decided(order)

    return await changed(known.id, "book_answer", decide, caller, known=known)


async def _expire_reservation(order: Order, now: datetime, caller: Caller) -> Order:
    """Ask about every payment that may have come through before the goods are given up."""
    answered: set[str] = set()
    for payment, operation in order.operations():
        if not operation.open or operation.kind not in NEW_MONEY:
            continue
        answer = await AskPayment(key=operation.key, payment=payment.id, at=now)
        if isinstance(answer, Confirmed):
            return await booked(order, operation.id, operation.attempt, answer, caller)
        if isinstance(answer, Unknown):
            return await changed(order.id, "extend_reservation", _extended, caller)
        answered.add(operation.key)

    def expired(current: Order, at: datetime) -> Decision:
        asking = {o.key for _, o in current.operations() if o.open and o.kind in NEW_MONEY}
        if not _ran_out(current, at) or not asking <= answered:  # what was asked for meanwhile may come through
            return decided(current)
        return expiring.reservation_expired(current, at)

    return await changed(order.id, "expire_reservation", expired, caller)


def _extended(order: Order, now: datetime) -> Decision:
    return expiring.reservation_extended(order, now) if _ran_out(order, now) else decided(order)


def _ran_out(order: Order, now: datetime) -> bool:
    return (
        order.state in ("placed", "payment_pending")
        and order.reserved_until is not None
        and order.reserved_until <= now
    )


async def _track(order: Order, shipment_id: str, now: datetime, caller: Caller) -> Order:
    shipment = order.shipment(shipment_id)
    scans = await TrackParcel(carrier=shipment.carrier or "", tracking_number=shipment.tracking_number or "", at=now)

    def decide(current: Order, at: datetime) -> Decision:
        if not current.shipment(shipment_id).travelling:
            return decided(current)
        return shipping.tracked(current, shipment_id, scans, at)

    return await changed(order.id, "track", decide, caller, known=order)


async def _allocate(order: Order, caller: Caller) -> Order:
    return await replanned(
        order.id,
        "allocate_backorder",
        lambda current: waiting(current, Bucket.BACKORDERED, backorder=True),
        lambda current, now, plan, settings: shipping.reallocated(
            current,
            plan,
            now,
            warehouses=settings.known({p.warehouse for p in plan.parcels}),
            handling=settings.handling,
        ),
        caller,
        partial="backorder",
    )


async def answered_by_the_winner(order: Order) -> Order:
    """Another request with the same key is at work: wait for its first final answer, then say how the order stands."""
    settings = await ReadSettings()
    waited, pause = 0.0, 0.005
    while order.state == "placed" and waited < settings.answer_within.total_seconds():
        await Pause(pause)
        waited += pause
        pause = min(pause * 1.5, 0.1)
        order = await loaded(order.id)
    return order
