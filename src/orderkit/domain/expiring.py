"""What time alone does to an order: reservations and authorizations run out. Whoever calls has looked at the provider first."""

from __future__ import annotations

from datetime import datetime

from orderkit.domain import payment as payments
from orderkit.domain.agenda import PARKED
from orderkit.domain.cancelling import units_cancelled
from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.order import Order
from orderkit.domain.owing import kept, shortfall_minor, stuck, uncovered_minor
from orderkit.domain.payment import NEW_MONEY, OperationKind, Payment
from orderkit.domain.quantities import Bucket
from orderkit.domain.saga import without_run
from orderkit.domain.settling import asked, settled

# A card's authorization lasts about a week, so this is a quarter of a year: whoever waits longer for goods has forgotten the money that is held.
RENEWALS_MAX = 12


def reservation_expired(order: Order, now: datetime) -> Decision:
    """The payment did not come in time, and the provider said that it never will: the order is cancelled, its stock is free.

    Every operation that would take money is closed as refused; the flow has asked the provider about each first.
    """
    kept = {payment.id: payment for payment in order.payments}
    for payment, operation in order.operations():
        if operation.open and operation.kind in NEW_MONEY:
            kept[payment.id] = payments.refused(kept[payment.id], operation, at=now, reason="reservation_expired")
    sagas = order.sagas
    if (run := order.saga("placement")) is not None:
        sagas = without_run(order, run)
    decision = decided(order, Event("order.reservation_expired", {}), payments=tuple(kept.values()), sagas=sagas)
    units = {
        line.number: line.ordered - line[Bucket.CANCELLED]
        for line in order.lines
        if line.ordered > line[Bucket.CANCELLED]
    }
    decision = decision.then(units_cancelled(decision.order, units, now, reason="reservation_expired"))
    return decision.then(settled(decision.order, now))


def reservation_extended(order: Order, now: datetime) -> Decision:
    """Nobody knows yet whether the customer paid: the goods stay promised meanwhile."""
    until = now + order.facts.policies.reservation
    return decided(order, Event("order.reservation_extended", {"until": until.isoformat()}), reserved_until=until)


def authorization_expired(order: Order, payment_id: str, now: datetime) -> Decision:
    """An authorization, or what was not captured of it, ran out: ask for it anew while goods still wait, else let it go.

    Not for ever: a person says whether a customer's money is held even longer (`authorization_lapsed`), each time from then on. So does one
    when nothing waits and it was to be captured all the same. An order whose payment failed misses nothing. What a bank had refused to give up
    is gone at last, and was counted on by nobody.
    """
    payment = order.payment(payment_id)
    if payment.capturable_minor <= 0 or payment.expires_at is None or payment.expires_at > now:
        return decided(order)
    lost_minor = payment.authorized_minor - payment.captured_minor
    after = payments.expired(payment)
    told = Event("authorization.expired", {"payment": payment.id, "amount_minor": lost_minor})
    gone = kept(order, payment)
    findings = tuple(found for found in order.findings if found not in gone)
    decision = decided(order, told, payments=_with(order, after), findings=findings)
    if order.state == "payment_failed" or gone:  # it was to be given up anyway
        return decision
    lapsed = finding_noted(decision.order, f"authorization_lapsed:{payment.id}")
    if not any(line.open for line in order.lines):  # nothing waits, so all that is due should be there
        missed = not stuck(order) and uncovered_minor(lapsed.order, hoped=False)
        return decision.then(lapsed) if missed else decision
    missing = min(lost_minor, shortfall_minor(decision.order))  # others may hold what this one did
    if not missing:
        return decision
    if _renewals(payment) >= RENEWALS_MAX:
        return decision.then(lapsed)
    after = after.with_operation(asked(after, OperationKind.AUTHORIZE, missing, now))
    return decision.then(decided(decision.order, payments=_with(order, after)))


def _renewals(payment: Payment) -> int:
    """How often the authorization was given again, whoever asked for it."""
    given = [o for o in payment.operations if o.kind is OperationKind.AUTHORIZE and o.state == "confirmed"]
    return max(0, len(given) - 1)


def _with(order: Order, payment: Payment) -> tuple[Payment, ...]:
    return tuple(payment if p.id == payment.id else p for p in order.payments)


def finding_noted(order: Order, finding: str) -> Decision:
    """Something needs a person's eyes; noted once."""
    if finding in order.findings:
        return decided(order)
    return decided(order, Event("order.needs_attention", {"finding": finding}), findings=(*order.findings, finding))


def parked(order: Order, *, attempts: int, error: str) -> Decision:
    """Every attempt failed: nothing is done for the order until a person has looked, and the log says why."""
    if PARKED in order.findings:
        return decided(order)
    told = Event("order.needs_attention", {"finding": PARKED, "attempts": attempts, "error": error})
    return decided(order, told, findings=(*order.findings, PARKED))
