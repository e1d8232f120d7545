"""Holds, goodwill and findings: what people decide about an order besides its goods."""

from __future__ import annotations

from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.given import check_time
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import HOLD, ORDER
from orderkit.domain.money import Money
from orderkit.domain.order import Hold, Order
from orderkit.domain.owing import STUCK, uncovered_minor
from orderkit.domain.recovering import asked_again, hurried
from orderkit.domain.settling import settled
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed

HOLD_REASONS = frozenset(
    {"fraud_review", "payment_review", "address_check", "customer_request", "stock_check", "credit_check", "manual"}
)
_REFUSED = STUCK | {"refund_failed", "void_failed"}  # findings that a provider's no has made


def held(order: Order, now: datetime, *, reason: str, note: str = "", until: datetime | None = None) -> Decision:
    """Put the order on hold for one more reason; nothing leaves a warehouse until all are released."""
    if reason not in HOLD_REASONS:
        raise InvalidInput(
            f"{reason!r} is no hold reason; choose one of {', '.join(sorted(HOLD_REASONS))}", field="reason"
        )
    if until is not None:
        check_time(until, "until")
        if until <= now:
            raise InvalidInput("a hold cannot end in the past", field="until")
    if ORDER.states[order.state].final or not any(line.open for line in order.lines):
        raise NotAllowed(f"order {order.id} has nothing left to hold", code="not_allowed", facts={"state": order.state})
    hold = Hold(id=f"{order.id}-H{len(order.holds) + 1}", reason=reason, placed_at=now, note=note, until=until)
    return decided(order, Event("order.held", {"hold": hold.id, "reason": reason}), holds=(*order.holds, hold))


def hold_released(order: Order, hold_id: str, now: datetime, *, trigger: str = "release") -> Decision:
    """End one hold; `trigger` is `expire` when its time is up."""
    hold = order.hold(hold_id)
    after = evolve(hold, state=HOLD.step(hold.state, trigger), released_at=now)
    told = Event("order.hold_released", {"hold": hold.id, "reason": hold.reason, "by": trigger})
    return decided(order, told, holds=tuple(after if h.id == hold_id else h for h in order.holds))


def goodwill(order: Order, amount_minor: int, now: datetime, *, reason: str) -> Decision:
    """Give money back, or give up what is missing, for nothing but the customer's good will; no units are credited."""
    if type(amount_minor) is not int or amount_minor <= 0:
        raise InvalidInput(
            f"a refund gives back more than nothing, not {amount_minor!r}", code="invalid_money", field="amount"
        )
    if order.state in ("placed", "payment_pending"):
        raise NotAllowed(
            "the payment of this order is not known yet", code="action_in_flight", facts={"state": order.state}
        )
    in_flight = any(o.open and o.kind.value == "refund" for _, o in order.operations())
    if in_flight:
        raise NotAllowed(
            "a refund of this order is under way",
            code="action_in_flight",
            facts={"refunding_minor": order.refunding_minor},
        )
    left_minor = refundable_minor(order)
    if amount_minor > left_minor:
        asked, left = Money(amount_minor, order.currency), Money(left_minor, order.currency)
        raise NotAllowed(
            f"asked for {asked}, but only {left} of the order's money are left",
            code="refund_exceeds_captured",
            field="amount",
            facts={"asked_minor": amount_minor, "remaining_minor": left_minor},
        )
    refund = granted(order, "goodwill", reason, now, units={}, goodwill_minor=amount_minor)
    told = Event("refund.granted", {"refund": refund.id, "amount_minor": amount_minor, "reason": reason})
    decision = decided(order, told, refunds=(*order.refunds, refund))
    return decision.then(settled(decision.order, now))


def refundable_minor(order: Order) -> int:
    """What may be given for good will: what the shop has and does not owe already, to a refund that failed for example; and what it misses."""
    missing = uncovered_minor(order, hoped=True) if order.state in ("confirmed", "cancelled") else 0
    return max(0, min(order.paid_minor + missing, order.due_minor))


def finding_settled(order: Order, finding: str, now: datetime) -> Decision:
    """A person looked at it: what is owed and got stuck, such as a refund or an authorization that was refused, is asked for again, at once.

    Raises: `InvalidInput` (no such finding), `NotAllowed` (money is missing, and no tender may be asked for it: the finding stays).
    """
    if finding not in order.findings:
        known = ", ".join(order.findings) or "none"
        raise InvalidInput(
            f"order {order.id} has no finding {finding!r}; there are: {known}",
            code="not_found",
            field="finding",
            facts={"findings": list(order.findings)},
            remedy="Attend to a finding of the order, by its name.",
        )
    decision = decided(
        order, Event("order.attended", {"finding": finding}), findings=tuple(f for f in order.findings if f != finding)
    )
    decision = decision.then(asked_again(decision.order, finding, now))
    decision = decision.then(settled(decision.order, now))
    return decision.then(hurried(decision.order)) if finding.partition(":")[0] in _REFUSED else decision
