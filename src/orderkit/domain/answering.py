"""What a provider's answer means for an order: the payment first, then the saga that waited for it.

Every way in which an answer arrives (the call itself, the resolver's question, a webhook) ends in `answered`. It is total: a repeated
answer changes nothing, a late one is still booked, and an unknown one only says when to ask again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orderkit.domain import payment as payments
from orderkit.domain.cancelling import stock_released, units_cancelled
from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.expiring import finding_noted
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import OPERATION, ORDER, REFUND
from orderkit.domain.order import Order, SagaRun
from orderkit.domain.owing import shortfall_minor, stuck, uncovered_minor
from orderkit.domain.payment import NEW_MONEY, TAKING, Operation, OperationKind, Payment
from orderkit.domain.quantities import Bucket
from orderkit.domain.recovering import caught_up, only_tried
from orderkit.domain.saga import dropped_lines, turned, without_run
from orderkit.domain.settling import ended, over_sent_minor, owed_back, set_off, settled, surplus_minor, unstuck
from orderkit.domain.value import evolve

ATTEMPTS_MAX = 3  # definite refusals of the same refund, capture or void before a person is asked
ASK_AGAIN = (1, 5, 30, 120, 600, 3600)  # seconds until the resolver asks again; the last one repeats
RETRY_AFTER = timedelta(hours=1)  # a refusal of a refund or capture is rarely cured by haste

_EVENTS = {
    OperationKind.CHARGE: "payment.captured",
    OperationKind.AUTHORIZE: "payment.authorized",
    OperationKind.CAPTURE: "payment.captured",
    OperationKind.VOID: "authorization.voided",
    OperationKind.REFUND: "payment.refunded",
}


def confirmed(
    order: Order,
    operation_id: str,
    now: datetime,
    *,
    reference: str,
    expires_at: datetime | None = None,
    attempt: int | None = None,
) -> Decision:
    """Book that the provider did it, at whichever attempt (`None`: the last one).

    A repeat changes nothing, nor does an answer that took longer than the money took to come back.
    """
    payment, operation = order.operation(operation_id)
    if operation.state in ("confirmed", "reversed"):
        return decided(order)
    if attempt is not None and attempt != operation.attempt:
        operation = evolve(operation, attempt=attempt)
        payment = payment.with_operation(operation)
    after_all = operation.state == "refused"  # said no, and then the money moved: book it, then settle gives it back
    if after_all:
        operation = evolve(operation, state="unknown")
        payment = payment.with_operation(operation)
    after = payments.confirmed(payment, operation, at=now, reference=reference, expires_at=expires_at)
    data = {
        "payment": payment.id,
        "operation": operation.id,
        "amount_minor": operation.amount_minor,
        "currency": order.currency,
    }
    decision = _with_payment(order, after, known=operation).told(Event(_EVENTS[operation.kind], data))
    if after_all and operation.kind is OperationKind.REFUND:
        decision = decision.then(_resends_closed(decision.order, payment.id, operation, now))
    decision = decision.then(_refund_stepped(decision.order, operation))
    # A capture brings nothing that was not there, and what a sequence asked for pays for its own goods: nothing more is asked of their tenders.
    if operation.kind in NEW_MONEY and operation.saga is None:
        decision = decision.then(caught_up(decision.order, after, now))
    return decision.then(_onward(decision.order, operation, now))


def refused(order: Order, operation_id: str, now: datetime, *, reason: str) -> Decision:
    """Book that the provider definitely did not do it."""
    payment, operation = order.operation(operation_id)
    if not operation.open:
        return decided(order)
    if _may_try_again(order, operation, reason):
        again = payment.with_operation(_next_attempt(operation, now, reason))
        return _with_payment(order, again, known=operation)
    after = payments.refused(payment, operation, at=now, reason=reason)
    data = {"payment": payment.id, "operation": operation.id, "kind": operation.kind.value, "reason": reason}
    decision = _with_payment(order, after, known=operation).told(Event("payment.refused", data))
    run = _waiting_run(order, operation)
    found = f"{operation.kind.value}_failed:{operation.id}"
    if run is not None:
        decision = decision.then(_compensated(decision.order, run, reason, now))
        return decision.then(_counted_on(decision.order, found))
    if operation.kind in NEW_MONEY and only_tried(decision.order, after):
        return decision.then(settled(decision.order, now))  # what it was asked for may not be due any more
    decision = decision.then(_refund_stepped(decision.order, operation))
    if operation.kind is OperationKind.REFUND and not owed_back(decision.order, operation):
        return decision.then(settled(decision.order, now))  # it went back another way
    noted = finding_noted(decision.order, found)
    if operation.kind in TAKING and not uncovered_minor(noted.order, hoped=False):
        return decision.then(settled(decision.order, now))  # nobody misses it
    decision = decision.then(noted)
    # What did not go back covers what was missing without it.
    return decision.then((unstuck if operation.kind is OperationKind.REFUND else set_off)(decision.order))


def refund_reversed(order: Order, operation_id: str, attempt: int, now: datetime, *, reason: str) -> Decision:
    """Book that the money of a refund came back, whether it was known to have gone or not: the customer's account is closed, say.

    It is owed again, and waits for a person (`settling`), who knows where to send it. Another attempt than the one that is known may have been done
    and come back unnoticed: that is even.
    """
    payment, operation = order.operation(operation_id)
    if operation.in_vain or operation.attempt != attempt:
        return decided(order)
    after = payments.reversed_refund(payment, operation, at=now, reason=reason)
    data = {
        "payment": payment.id,
        "operation": operation.id,
        "amount_minor": operation.amount_minor,
        "currency": order.currency,
        "reason": reason,
    }
    decision = _with_payment(order, after, known=operation).told(Event("payment.refund_reversed", data))
    owed = owed_back(decision.order, operation)
    if owed:
        decision = decision.then(_refund_stepped(decision.order, operation))
    paying = order.state in ("placed", "payment_pending")  # and nobody knows yet whether it is needed
    if owed or paying or surplus_minor(decision.order) > 0:
        about = {name: data[name] for name in ("amount_minor", "currency", "reason")}
        decision = decision.told(Event("refund.returned", {"refund": operation.refund, **about}))
        decision = decision.then(finding_noted(decision.order, f"refund_failed:{operation.id}"))
        return decision.then(unstuck(decision.order))  # as after a refusal
    return decision.then(settled(decision.order, now))  # it had gone back twice


def doubted(order: Order, operation_id: str, now: datetime, *, reason: str) -> Decision:
    """Book that nobody knows; the amount and the stock stay held, and the resolver asks later."""
    payment, operation = order.operation(operation_id)
    if not operation.open:
        return decided(order)
    wait = timedelta(seconds=ASK_AGAIN[min(operation.asked, len(ASK_AGAIN) - 1)])
    first = operation.state == "pending"
    decision = _with_payment(order, payments.doubted(payment, operation, next_at=now + wait, reason=reason))
    if first:
        decision = decision.told(Event("payment.in_doubt", {"payment": payment.id, "operation": operation.id}))
    decision = decision.then(_refund_stepped(decision.order, operation))
    run = _waiting_run(order, operation)
    if run is not None and run.name == "placement" and ORDER.allows(order.state, "doubt"):
        return decision.then(decided(decision.order, state=ORDER.step(order.state, "doubt")))
    return decision


# ---- the saga that waited


def _onward(order: Order, operation: Operation, now: datetime) -> Decision:
    run = _waiting_run(order, operation)
    if run is None:
        return settled(order, now)
    if any(o.open and o.saga == run.id for _, o in order.operations()):
        return decided(order)
    ended = without_run(order, run)
    if run.name == "placement":
        if order.state == "cancelled":  # the customer was faster than the provider
            decision = decided(order, sagas=ended)
            return decision.then(settled(decision.order, now))
        decision = order_confirmed(evolve(order, sagas=ended))
        return decision.then(settled(decision.order, now))  # a part may have been given up while the answer was awaited
    decision = decided(order, Event("order.amendment_paid", {"saga": run.id}), sagas=ended)
    return decision.then(settled(decision.order, now))


def order_confirmed(order: Order) -> Decision:
    """The order is paid or safely authorized: its reservation no longer expires."""
    return decided(
        order,
        Event("order.confirmed", {"total_minor": order.total_minor, "currency": order.currency}),
        state=ORDER.step(order.state, "confirm"),
        reserved_until=None,
    )


def _compensated(order: Order, run: SagaRun, reason: str, now: datetime) -> Decision:
    """Undo what the run did, in reverse: tenders give back what they took, stock is released, the order fails or loses the lines."""
    back = turned(run, reason)
    decision = _unsent_closed(order, run, now)
    if run.name == "amendment":
        following = _lines_dropped(evolve(decision.order, sagas=(*without_run(order, run), back)), now, reason)
    elif order.state == "cancelled":
        following = decided(decision.order)
    else:
        released = stock_released(decision.order, Bucket.UNALLOCATED)
        failed = Event(
            "order.payment_failed", {"reason": reason, "total_minor": order.total_minor, "currency": order.currency}
        )
        state = ORDER.step(order.state, "decline")
        following = released.then(decided(released.order, failed, state=state, reason=reason, reserved_until=None))
    decision = decision.then(following)
    decision = decision.then(decided(decision.order, sagas=without_run(decision.order, back)))
    return decision.then(settled(decision.order, now))


def _counted_on(order: Order, finding: str) -> Decision:
    """Note what is missing after a sequence was undone: its money was counted on for other goods, when their authorization was given anew."""
    said = order.state not in ("confirmed", "cancelled") or stuck(order) or not shortfall_minor(order)
    return decided(order) if said else finding_noted(order, finding)


def _lines_dropped(order: Order, now: datetime, reason: str) -> Decision:
    """Take the lines of the amendment off again with everything that came with them, whoever cancelled some of their units meanwhile."""
    units = {number: units for number in dropped_lines(order) if (units := order.line(number).open)}
    if units:
        return units_cancelled(order, units, now, reason=reason, event="order.amendment_failed")
    refund = granted(order, "cancellation", reason, now, units={})
    if not refund.total_minor:
        return decided(order)
    told = Event(
        "order.amendment_failed",
        {"units": {}, "reason": reason, "credited_minor": refund.total_minor, "refund": refund.id},
    )
    return decided(order, told, refunds=(*order.refunds, refund))


def _unsent_closed(order: Order, run: SagaRun, now: datetime) -> Decision:
    """Tenders are asked one after the other, so those behind the refused one were never sent: close them."""
    kept = {payment.id: payment for payment in order.payments}
    for payment, operation in order.operations():
        if operation.saga == run.id and operation.state == "pending" and operation.kind in NEW_MONEY:
            kept[payment.id] = payments.refused(kept[payment.id], operation, at=now, reason="not_attempted")
    return decided(order, payments=tuple(kept.values()))


# ---- small parts


def _with_payment(order: Order, payment: Payment, *, known: Operation | None = None) -> Decision:
    """Put the payment in its place; once the answer to an operation is `known`, nobody needs to look at that doubt any more."""
    findings = order.findings
    if known is not None and findings:
        findings = tuple(found for found in findings if found != doubt_of(known.id))
    return decided(
        order, payments=tuple([payment if p.id == payment.id else p for p in order.payments]), findings=findings
    )


def doubt_of(operation_id: str) -> str:
    """Return the name of the finding that an answer is missing for too long."""
    return f"payment_in_doubt:{operation_id}"


def _waiting_run(order: Order, operation: Operation) -> SagaRun | None:
    for run in order.sagas:
        if run.id == operation.saga and run.direction == "forward":
            return run
    return None


def _may_try_again(order: Order, operation: Operation, reason: str) -> bool:
    if operation.attempt >= ATTEMPTS_MAX or (order.state == "cancelled" and operation.kind in NEW_MONEY):
        return False
    return reason == "not_found" or operation.kind not in NEW_MONEY


def _next_attempt(operation: Operation, now: datetime, reason: str) -> Operation:
    """A definite refusal is the only thing that advances the attempt, and with it the provider's key."""
    refused_first = OPERATION.step(operation.state, "refuse")
    pause = timedelta(0) if reason == "not_found" else RETRY_AFTER
    return evolve(
        operation,
        state=OPERATION.step(refused_first, "try_again"),
        attempt=operation.attempt + 1,
        asked=0,
        next_at=now + pause if pause else None,
        reason=reason,
    )


def _resends_closed(order: Order, payment_id: str, done: Operation, now: datetime) -> Decision:
    """Close what was to be sent again for what went back after all, as long as it waits for its next attempt: what is too much, and no more.

    What was sent already is out of reach: the customer may have it twice.
    """
    kept = {payment.id: payment for payment in order.payments}
    too_much = over_sent_minor(order, done.refund)
    for payment in sorted(order.payments, key=lambda payment: payment.id != payment_id):
        for operation in payment.operations:
            waits = operation.state == "pending" and operation.next_at is not None and operation.next_at > now
            same = operation.kind is OperationKind.REFUND and operation.refund == done.refund
            if waits and same and too_much > 0:
                kept[payment.id] = payments.refused(kept[payment.id], operation, at=now, reason="not_needed")
                too_much -= operation.amount_minor
    return decided(order, payments=tuple(kept.values()))


def _refund_stepped(order: Order, operation: Operation) -> Decision:
    """Bring the refund that an operation belongs to to where its operations stand."""
    if operation.refund is None:
        return decided(order)
    refund = order.refund(operation.refund)
    states = {o.state for _, o in order.operations() if o.refund == refund.id and not o.in_vain}
    trigger = (
        "fail"
        if order.operation(operation.id)[1].in_vain or (states == {"confirmed"} and owed_back(order, operation))
        else "doubt"
        if "unknown" in states
        else "confirm"
        if states == {"confirmed"}
        else None
    )
    if trigger is None or not REFUND.allows(refund.state, trigger):
        return decided(order)
    if trigger == "confirm":
        return ended(order, [refund], trigger)
    after = evolve(refund, state=REFUND.step(refund.state, trigger))
    return decided(order, refunds=tuple(after if r.id == refund.id else r for r in order.refunds))
