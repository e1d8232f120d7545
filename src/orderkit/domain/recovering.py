"""Money that got stuck on its way in: what is asked for again when a person attends to the finding.

Goods that left are to be paid for: what is still authorized is captured, the rest is charged. For goods that wait the rest is authorized anew.
It is asked of the tender that the finding is about, or of those that were authorized before, each up to its own amount. What the tender says
no to is a finding again, under the new operation's name. Other tenders are taken elsewhere (`covering`). Once nothing is missing any more, because
one of them has brought it or because it is not due any more, the findings about it go by themselves (`settling`).

Of a cancelled order, which may owe its shipping, only what is still authorized is captured: no card is charged anew for an order that is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.money import Money
from orderkit.domain.order import Order
from orderkit.domain.owing import STUCK, shortfall_minor, spare_minor, stuck, unpaid_minor
from orderkit.domain.payment import NEW_MONEY, OperationKind, Payment, requested
from orderkit.domain.settling import asked, captures
from orderkit.domain.value import evolve
from orderkit.errors import NotAllowed

ASKED = {OperationKind.CHARGE: "charge.requested", OperationKind.AUTHORIZE: "authorization.requested"}


def asked_again(order: Order, finding: str, now: datetime) -> Decision:
    """Return the operations that bring in what the order misses, when that is what the finding is about; it is off the order already.

    While something is missing that nobody is asked for, and no other finding says so, the finding stays.

    Raises: `NotAllowed` (money is missing, and no tender may be asked for it, or one is being asked already).
    """
    kind, _, subject = finding.partition(":")
    short_minor = shortfall_minor(order)
    if kind in STUCK and order.state in ("placed", "payment_pending") and short_minor:
        raise NotAllowed(
            f"order {order.id} is being paid for: what it misses is asked for again when that has ended",
            code="action_in_flight",
            field="finding",
            facts={"state": order.state, "missing_minor": short_minor},
            remedy="Attend to the finding again once the order is confirmed.",
        )
    if kind not in STUCK or order.state not in ("confirmed", "cancelled"):
        return decided(order)
    decision, left_minor = captures(order, unpaid_minor(order), now)
    charged_minor = min(left_minor, short_minor)
    tenders = _tenders(decision.order, subject) if order.state == "confirmed" else []
    decision = decision.then(_spread(decision.order, OperationKind.CHARGE, charged_minor, tenders, now))
    held_minor = short_minor - charged_minor
    decision = decision.then(_spread(decision.order, OperationKind.AUTHORIZE, held_minor, tenders, now))
    rest_minor = max(shortfall_minor(decision.order), unpaid_minor(decision.order))
    if not rest_minor or stuck(order):
        return decision
    if not short_minor and not decision.events:
        raise NotAllowed(
            f"an authorization of order {order.id} is being asked for: what left is captured from it once it is there",
            code="action_in_flight",
            field="finding",
            facts={"missing_minor": rest_minor},
            remedy="Wait for its answer; attend to the finding again if it still stands then.",
        )
    if not decision.events:
        missing = Money(short_minor, order.currency)
        raise NotAllowed(
            f"{missing} of order {order.id} are missing, and it has no tender that may be asked for them",
            field="finding",
            facts={"missing_minor": short_minor},
            remedy="Pay the order with another tender, or give up the claim with a goodwill refund."
            if order.state == "confirmed"
            else "Nobody is charged anew for a cancelled order: collect it outside, or not at all, and give up the claim with a goodwill refund.",
        )
    return decision.then(decided(decision.order, findings=(*decision.order.findings, finding)))


def hurried(order: Order) -> Decision:
    """Ask at once what was refused and waits for its next attempt: it stands in the way of what a person has just asked for."""
    payments = tuple(_hurried(payment) for payment in order.payments)
    return decided(order, payments=payments) if payments != order.payments else decided(order)


def _hurried(payment: Payment) -> Payment:
    waiting = [o for o in payment.operations if o.state == "pending" and o.next_at is not None]
    for operation in waiting:
        payment = payment.with_operation(evolve(operation, next_at=None))
    return payment


# ---- another tender


def only_tried(order: Order, payment: Payment) -> bool:
    """Whether a tender was offered for missing money and gave none: a decline is an answer, the finding that was there says the rest."""
    return _offered(payment) and not _was_good(payment) and bool(stuck(order))


def caught_up(order: Order, payment: Payment, now: datetime) -> Decision:
    """Capture what left without being paid from a tender that has just been authorized for it: another one, or the same one anew."""
    if not stuck(order) or order.state != "confirmed":
        return decided(order)
    return captures(order, min(unpaid_minor(order), spare_minor(order)), now, only=payment.id)[0]


def _offered(payment: Payment) -> bool:
    """Whether the tender was given for missing money: no placement and no amendment asked it first."""
    return bool(payment.operations) and payment.operations[0].saga is None


# ---- the tenders of before


def _tenders(order: Order, subject: str) -> list[str]:
    """Return the ids of the tenders to ask: that of the operation that was refused, else all that ever held money, in turn."""
    able = [payment for payment in order.payments if payment.state != "voided" and _was_good(payment)]
    named = [p.id for p in able if subject in (p.id, *(o.id for o in p.operations)) and _room_minor(p) > 0]
    return named or [payment.id for payment in able]


def _was_good(payment: Payment) -> bool:
    return any(o.kind in NEW_MONEY and o.state == "confirmed" for o in payment.operations)


def _room_minor(payment: Payment) -> int:
    """How much more may be asked of the tender: its amount, less what it has given or been asked for.

    Nothing while it holds an authorization, which a new one would replace.
    """
    if payment.capturable_minor > 0:
        return 0
    return payment.amount_minor - payment.authorized_minor - sum(payment.open_minor(kind) for kind in NEW_MONEY)


def _spread(order: Order, kind: OperationKind, amount_minor: int, tenders: Sequence[str], now: datetime) -> Decision:
    """Ask the tenders for an amount, in turn."""
    payments, events = {payment.id: payment for payment in order.payments}, []
    for payment_id in tenders:
        payment = payments[payment_id]
        if (part := min(amount_minor, _room_minor(payment))) <= 0:
            continue
        operation = asked(payment, kind, part, now)
        payments[payment_id] = requested(payment, operation, order.currency)
        events.append(Event(ASKED[kind], {"operation": operation.id, "amount_minor": part}))
        amount_minor -= part
    return decided(order, *events, payments=tuple(payments.values())) if events else decided(order)
