"""Money that got stuck on its way in: what a person who attended to the finding has asked for again.

Goods that left are to be paid for: what is still authorized is captured, the rest is charged. For goods that wait the rest is authorized anew.
It is asked of the tender that the finding is about, or of those that were authorized before, each up to its own amount. What the tender says
no to is a finding again, under the new operation's name.

Of a cancelled order, which may owe its shipping, only what is still authorized is captured: no card is charged anew for an order that is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.money import Money
from orderkit.domain.order import Order
from orderkit.domain.payment import CaptureMode, OperationKind, Payment, requested
from orderkit.domain.settling import asked, captures, waiting_minor
from orderkit.errors import NotAllowed

STUCK = frozenset(
    {"authorize_failed", "charge_failed", "capture_failed", "capture_short"}
)  # findings of money that did not come
_ASKED = {OperationKind.CHARGE: "charge.requested", OperationKind.AUTHORIZE: "authorization.requested"}


def asked_again(order: Order, finding: str, now: datetime) -> Decision:
    """Return the operations that bring in what the order misses, when that is what the finding is about; it is off the order already.

    While something is missing that nobody is asked for, and no other finding says so, the finding stays.

    Raises: `NotAllowed` (money is missing, and no tender may be asked for it).
    """
    kind, _, subject = finding.partition(":")
    if kind not in STUCK or order.state not in ("confirmed", "cancelled"):
        return decided(order)
    missing_minor = max(0, _missing_minor(order))
    decision, unpaid_minor = captures(order, _unpaid_minor(order), now)
    charged_minor = min(unpaid_minor, missing_minor)
    tenders = _tenders(decision.order, subject) if order.state == "confirmed" else []
    decision = decision.then(_spread(decision.order, OperationKind.CHARGE, charged_minor, tenders, now))
    held_minor = missing_minor - charged_minor
    decision = decision.then(_spread(decision.order, OperationKind.AUTHORIZE, held_minor, tenders, now))
    if _missing_minor(decision.order) <= 0 or any(found.partition(":")[0] in STUCK for found in order.findings):
        return decision
    if not decision.events:
        missing = Money(missing_minor, order.currency)
        raise NotAllowed(
            f"{missing} of order {order.id} are missing, and it has no tender that may be asked for them",
            field="finding",
            facts={"missing_minor": missing_minor},
        )
    return decision.then(decided(decision.order, findings=(*decision.order.findings, finding)))


def _missing_minor(order: Order) -> int:
    """What is due and neither paid, nor authorized, nor asked for."""
    covered = sum(
        payment.capturable_minor + sum(payment.open_minor(kind) for kind in (*_ASKED, OperationKind.CAPTURE))
        for payment in order.payments
    )
    return order.due_minor - order.paid_minor - covered


def _unpaid_minor(order: Order) -> int:
    """What is due for goods that left, and is neither paid nor about to be; where money is taken at once, all that is due."""
    coming = sum(
        payment.open_minor(kind) for payment in order.payments for kind in (OperationKind.CHARGE, OperationKind.CAPTURE)
    )
    waiting = waiting_minor(order) if order.facts.policies.capture is CaptureMode.PER_SHIPMENT else 0
    return max(0, order.due_minor - order.paid_minor - coming - waiting)


def _tenders(order: Order, subject: str) -> list[str]:
    """Return the ids of the tenders to ask: that of the operation that was refused, else all that ever held money, in turn."""
    able = [payment for payment in order.payments if payment.state != "voided" and _was_good(payment)]
    named = [p.id for p in able if any(o.id == subject for o in p.operations) and _room_minor(p) > 0]
    return named or [payment.id for payment in able]


def _was_good(payment: Payment) -> bool:
    return any(o.kind in _ASKED and o.state == "confirmed" for o in payment.operations)


def _room_minor(payment: Payment) -> int:
    """How much more may be asked of the tender: its amount, less what it has given or been asked for.

    Nothing while it holds an authorization, which a new one would replace.
    """
    if payment.capturable_minor > 0:
        return 0
    return payment.amount_minor - payment.authorized_minor - sum(payment.open_minor(kind) for kind in _ASKED)


def _spread(order: Order, kind: OperationKind, amount_minor: int, tenders: Sequence[str], now: datetime) -> Decision:
    """Ask the tenders for an amount, in turn."""
    payments, events = {payment.id: payment for payment in order.payments}, []
    for payment_id in tenders:
        payment = payments[payment_id]
        if (part := min(amount_minor, _room_minor(payment))) <= 0:
            continue
        operation = asked(payment, kind, part, now)
        payments[payment_id] = requested(payment, operation)
        events.append(Event(_ASKED[kind], {"operation": operation.id, "amount_minor": part}))
        amount_minor -= part
    return decided(order, *events, payments=tuple(payments.values())) if events else decided(order)
