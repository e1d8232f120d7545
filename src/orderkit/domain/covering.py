"""Another tender for money that is missing on a confirmed order: the customer gives another card, or pays a part of it with one.

The tenders stand beside those of before. Each is asked by itself, without a saga: what one of them gives stays when another is declined, since
it is due. What has left is charged, what waits is authorized, as far as the shop waits with that kind of tender at all. Together they may give
less than is missing, never more; the rest stays missing, and its findings with it. Nothing here looks at goods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.order import Order
from orderkit.domain.owing import missing_minor, unpaid_minor
from orderkit.domain.payment import NEW_MONEY, TAKING, OperationKind, Payment, Tender, requested
from orderkit.domain.placing import charge_kind, check_offers, divided
from orderkit.domain.recovering import ASKED
from orderkit.domain.settling import asked
from orderkit.errors import NotAllowed


def covered(order: Order, tenders: Sequence[Tender], now: datetime) -> Decision:
    """Ask other tenders for what is missing.

    Raises: `NotAllowed` (`nothing_due`; `action_in_flight` while money that was asked for may still come), `InvalidInput` (the tenders).
    """
    missing = missing_minor(order)
    if not missing:
        raise _nothing_missing(order)
    check_offers(order, len(tenders))
    left = min(missing, unpaid_minor(order))
    payments, events = list(order.payments), []
    for tender, amount in divided(tenders, missing, order.currency, whole=False):
        at_once = charge_kind(order.facts.policies.capture, tender.kind) is OperationKind.CHARGE
        taken = amount if at_once else min(amount, left)
        left = max(0, left - taken)
        payment = Payment(
            id=f"{order.id}-P{len(payments) + 1}", kind=tender.kind, method=tender.method, amount_minor=amount
        )
        events.append(Event("payment.added", {"payment": payment.id, "amount_minor": amount, "missing_minor": missing}))
        for kind, part in ((OperationKind.CHARGE, taken), (OperationKind.AUTHORIZE, amount - taken)):
            if part:
                operation = asked(payment, kind, part, now)
                payment = requested(payment, operation, order.currency)
                events.append(Event(ASKED[kind], {"operation": operation.id, "amount_minor": part}))
        payments.append(payment)
    return decided(order, *events, payments=tuple(payments))


def answer_of(order: Order, payments: Iterable[str]) -> str:
    """Return what the tenders of one request have said so far, by the ids of their payments: accepted, declined, unknown or pending.

    What one of them does not know nobody knows; they are declined when none gave anything, or when an order whose payment failed gave it back.
    """
    if order.state == "payment_failed":
        return "declined"
    states = [
        operation.state
        for payment_id in payments
        for operation in order.payment(payment_id).operations
        if operation.kind in NEW_MONEY
    ]
    if "unknown" in states:
        return "unknown"
    if "pending" in states:
        return "pending"
    return "declined" if states and set(states) == {"refused"} else "accepted"


def _nothing_missing(order: Order) -> NotAllowed:
    coming = sum(payment.open_minor(kind) for payment in order.payments for kind in TAKING)
    if coming:
        return NotAllowed(
            f"money for order {order.id} is on its way: until its answer is known, nobody else is asked",
            code="action_in_flight",
            facts={"state": order.state, "coming_minor": coming},
        )
    return NotAllowed(f"order {order.id} misses no money", code="nothing_due", facts={"state": order.state})
