"""Money follows the goods: from what is due and what was taken, which operations are missing.

One rule serves every command. What the shop has (captured, less refunded, less refunds under way) must come to equal what is due (the
agreed total, less everything credited). A surplus is refunded over the tenders; an authorization without which the others are enough is voided;
a refund decision is sent when all of it is asked for, and done when that is confirmed, or at once when nothing was taken yet.
While an answer is unknown its amount is held: no refund counts on it, and it is not asked for a second time.

Where money is taken per shipment, what still waits is paid for when it leaves: a refund goes out whole meanwhile, and when nothing waits any
more, what is due and was in no shipment's share is captured, as long as an authorization is there; the rest of it is voided.

What is due follows the policy of the order, with two exceptions: an order that is given up before it was confirmed owes nothing, and the lines
of a refused amendment take all that came with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.lifecycle import REFUND
from orderkit.domain.order import Order, Refund
from orderkit.domain.owing import stuck, uncaptured, uncovered_minor, unpaid_minor, waiting_minor
from orderkit.domain.payment import NEW_MONEY, TAKING, CaptureMode, Operation, OperationKind, Payment, requested
from orderkit.domain.refunds import (
    Grading,
    RefundComponent,
    RefundPolicy,
    ShippingPolicy,
    TenderBalance,
    quote,
    spread,
)
from orderkit.domain.saga import dropped_lines, unpaid_lines
from orderkit.domain.value import evolve

_UNCONFIRMED = ("placed", "payment_pending", "payment_failed")


def settled(order: Order, now: datetime) -> Decision:
    """Return the operations that bring the money in line with what is due, and the refunds that they belong to."""
    if order.state in ("placed", "payment_pending") or _even(order):
        return decided(order)
    decision = _captured(order, now)
    decision = decision.then(_paid_out(decision.order, now))
    decision = decision.then(_unstuck(decision.order))
    return decision.then(_voided(decision.order, now))


def _even(order: Order) -> bool:
    """Whether the order was paid to the cent, owes nothing, holds nothing and nobody missed anything: then there is nothing to settle.

    Almost every order is like that when its payment is booked, so it is seen before the others look for themselves.
    """
    if order.refunds or order.findings or order.state == "payment_failed" or order.paid_minor != order.total_minor:
        return False
    return not any([payment.capturable_minor for payment in order.payments])  # noqa: C419  (a list of one or two is faster than a generator)


def _captured(order: Order, now: datetime) -> Decision:
    """Capture what is due when all that will leave has left: shipping, say, whose goods were cancelled, some or all of them.

    While a capture is refused and nobody has attended to it, what is due may come from another tender: nothing is captured beside it.
    """
    gone = order.state in ("confirmed", "cancelled") and not any(line.open for line in order.lines)
    if not gone or order.facts.policies.capture is CaptureMode.NOW or uncaptured(order):
        return decided(order)
    return captures(order, unpaid_minor(order), now)[0]


def captures(
    order: Order, wanted_minor: int, now: datetime, *, shipment: str | None = None, only: str | None = None
) -> tuple[Decision, int]:
    """Ask for an amount of the tenders that are authorized, in turn, or of one `only`; the answer says what none of them covers."""
    asked_of, events = [], []
    for payment in order.payments:
        if (part := min(wanted_minor, payment.capturable_minor)) <= 0 or only not in (None, payment.id):
            asked_of.append(payment)
            continue
        operation = asked(payment, OperationKind.CAPTURE, part, now, shipment=shipment)
        asked_of.append(requested(payment, operation, order.currency))
        events.append(
            Event("capture.requested", {"operation": operation.id, "amount_minor": part, "shipment": shipment})
        )
        wanted_minor -= part
    return decided(order, *events, payments=tuple(asked_of)), wanted_minor


def _paid_out(order: Order, now: datetime) -> Decision:
    """Ask for the refunds that make the surplus vanish; call a refund done when nothing of it was ever taken."""
    granted = [refund for refund in order.refunds if REFUND.allows(refund.state, "send")]
    rest = _surplus(order, granted)
    if rest <= 0:
        return _released(order, granted)
    payments = {payment.id: payment for payment in order.payments}
    refunds = {refund.id: refund for refund in order.refunds}
    events: list[Event] = []
    for refund, amount in _shares(order, granted, rest):
        balances, rule = _balances(payments.values()), order.facts.policies.refund.tender_order
        for payment_id, part in spread(amount, balances, rule, order.currency):
            payment = payments[payment_id]
            operation = asked(payment, OperationKind.REFUND, part, now, refund=refund.id if refund else None)
            payments[payment_id] = requested(payment, operation, order.currency)
            events.append(
                Event("refund.requested", {"operation": operation.id, "amount_minor": part, "refund": operation.refund})
            )
        if refund and amount == _outstanding(order, refund):  # else its rest waits for the money, or for needing none
            refunds[refund.id] = evolve(refund, state=REFUND.step(refund.state, "send"))
    decision = decided(order, *events, payments=tuple(payments.values()), refunds=tuple(refunds.values()))
    return decision.then(_released(decision.order, [r for r in refunds.values() if REFUND.allows(r.state, "release")]))


def _released(order: Order, granted: Sequence[Refund]) -> Decision:
    """Call refunds done that need no money: none was taken for what they give back, or less is taken instead of it."""
    under_way = {operation.refund for _, operation in order.operations() if operation.open}
    released = {r.id: evolve(r, state=REFUND.step(r.state, "release")) for r in granted if r.id not in under_way}
    if not released or _taking(order):
        return decided(order)
    told = [release_told(refund) for refund in released.values()]
    return decided(order, *told, refunds=tuple(released.get(refund.id, refund) for refund in order.refunds))


def set_off(order: Order) -> Decision:
    """Call the refunds done that need no money, after a bank refused to take what they waited for; nothing is asked of anybody."""
    granted = [refund for refund in order.refunds if REFUND.allows(refund.state, "release")]
    return decided(order) if _surplus(order, granted) > 0 else _released(order, granted)


def release_told(refund: Refund) -> Event:
    """Tell that a refund is done without money: what it gives back was never taken."""
    return Event("refund.released", {"refund": refund.id, "total_minor": refund.total_minor})


def wanted_minor(order: Order) -> int:
    """What the shop should have of the customer's money: what is due, and nothing of an order whose payment failed."""
    return 0 if order.state == "payment_failed" else order.due_minor


def _to_come(order: Order) -> int:
    """What will be captured with the goods that still wait, as far as it is authorized or asked for; until then the shop has no claim on it.

    What is asked for added lines is for them alone: when they are given up meanwhile, nobody counts on it.
    """
    if order.state != "confirmed" or order.facts.policies.capture is CaptureMode.NOW:
        return 0
    asked_for = [o for _, o in order.operations() if o.open and o.kind in NEW_MONEY]
    added = sum(o.amount_minor for o in asked_for if o.saga is not None)
    coming = sum(p.capturable_minor for p in order.payments) + sum(o.amount_minor for o in asked_for) - added
    return min(waiting_minor(order), coming + min(added, waiting_minor(order, unpaid_lines(order))))


def _outstanding(order: Order, refund: Refund) -> int:
    """Return what of a refund neither went back nor is on its way."""
    sent = (o for _, o in order.operations() if o.refund == refund.id and o.state != "refused")
    return refund.total_minor - sum(operation.amount_minor for operation in sent)


def _surplus(order: Order, granted: Sequence[Refund]) -> int:
    """What the shop has beyond what it may keep; refunds that wait are not kept from the customer for the sake of goods that wait.

    It is never more than the shop has: what is cancelled of goods that wait may be more than was taken for others of them.
    """
    surplus = order.paid_minor - wanted_minor(order)
    if not granted:
        return surplus
    wanted = sum(_outstanding(order, refund) for refund in granted)
    return max(surplus, min(wanted, surplus + _to_come(order), order.paid_minor))


def _shares(order: Order, granted: Sequence[Refund], total_minor: int) -> list[tuple[Refund | None, int]]:
    """Spread what is paid out over the decisions that wait for it; what is left over belongs to none (paid too much)."""
    shares: list[tuple[Refund | None, int]] = []
    for refund in granted:
        if share := min(_outstanding(order, refund), total_minor):
            shares.append((refund, share))
            total_minor -= share
    if total_minor:
        shares.append((None, total_minor))
    return shares


def _balances(payments: Iterable[Payment]) -> list[TenderBalance]:
    return [TenderBalance(p.id, p.kind, p.refundable_minor) for p in payments if p.refundable_minor > 0]


def _unstuck(order: Order) -> Decision:
    """Take the findings about missing money off once nothing is missing: another tender brought it, or it is not due any more."""
    found = stuck(order)
    if not found or uncovered_minor(order, hoped=False):
        return decided(order)
    told = Event("order.nothing_missing", {"findings": list(found)})
    return decided(order, told, findings=tuple([other for other in order.findings if other not in found]))


def _voided(order: Order, now: datetime) -> Decision:
    """Give up the authorizations that nothing on the order needs any more."""
    held = [payment for payment in order.payments if payment.capturable_minor > 0]
    if not held or _taking(order):
        return decided(order)
    payments, events = {payment.id: payment for payment in order.payments}, []
    for payment in _spare(order, held, now):
        operation = asked(payment, OperationKind.VOID, payment.capturable_minor, now)
        payments[payment.id] = requested(payment, operation, order.currency)
        events.append(Event("authorization.void_requested", {"payment": payment.id, "operation": operation.id}))
    return decided(order, *events, payments=tuple(payments.values())) if events else decided(order)


def _spare(order: Order, held: Sequence[Payment], now: datetime) -> Sequence[Payment]:
    """Return the authorizations without which the others are enough for what may still be captured; the latest, as captures begin with the first.

    While money is stuck nobody knows which of them are good, and all are kept. One that has run out is no good any more.
    """
    claim = wanted_minor(order) - order.paid_minor
    if claim <= 0 and not _to_come(order):
        return held
    if stuck(order) or order.state != "confirmed":
        return []
    good = [payment for payment in held if payment.expires_at is None or payment.expires_at > now]
    left, spare = sum(payment.capturable_minor for payment in good) - max(claim, waiting_minor(order)), []
    for payment in reversed(good):
        if payment.capturable_minor <= left:
            left -= payment.capturable_minor
            spare.append(payment)
    return spare


def _taking(order: Order) -> bool:
    return any(o.kind in TAKING and o.open for payment in order.payments for o in payment.operations)


def asked(
    payment: Payment,
    kind: OperationKind,
    amount_minor: int,
    now: datetime,
    *,
    saga: str | None = None,
    refund: str | None = None,
    shipment: str | None = None,
) -> Operation:
    """Return a new operation on the payment, as an intent."""
    return Operation(
        id=f"{payment.id}.{len(payment.operations) + 1}",
        kind=kind,
        amount_minor=amount_minor,
        requested_at=now,
        saga=saga,
        refund=refund,
        shipment=shipment,
    )


def granted(
    order: Order,
    kind: str,
    reason: str,
    now: datetime,
    *,
    units: Mapping[int, int],
    grades: Mapping[int, Grading] | None = None,
    goodwill_minor: int = 0,
    deduction_minor: int = 0,
    return_id: str | None = None,
) -> Refund:
    """Return the refund decision for these units: the value of each, exactly, under the order's own policy.

    `grades` gives basis points of value by line for what came back less than whole; `deduction_minor` is kept besides, as agreed with the
    customer. What was given back before for good will is not given twice. The preview of a refund is this same call.
    """
    components = _quoted(order, kind, units, grades, goodwill_minor, return_id)
    components = _less(components, "deduction", deduction_minor)
    components = _less(components, "given_before", max(0, _counted(components) - order.due_minor))
    return Refund(
        id=f"{order.id}-F{len(order.refunds) + 1}",
        kind=kind,
        reason=reason,
        granted_at=now,
        total_minor=_counted(components),
        units=tuple(sorted(units.items())),
        components=components,
        return_id=return_id,
    )


def _less(components: tuple[RefundComponent, ...], kind: str, amount_minor: int) -> tuple[RefundComponent, ...]:
    kept = min(amount_minor, _counted(components))
    return (*components, RefundComponent(kind=kind, amount_minor=-kept)) if kept else components


def _counted(components: tuple[RefundComponent, ...]) -> int:
    return sum(part.amount_minor for part in components if not part.informational)


def _quoted(
    order: Order,
    kind: str,
    units: Mapping[int, int],
    grades: Mapping[int, Grading] | None,
    goodwill_minor: int,
    return_id: str | None,
) -> tuple[RefundComponent, ...]:
    already = _credited(order)
    gone = all(already.get(line.number, 0) + units.get(line.number, 0) >= line.ordered for line in order.lines)
    earlier = [(refund, part) for refund in order.refunds for part in refund.components]
    components = quote(
        order.facts.prices,
        {number: (already.get(number, 0), count) for number, count in units.items()},
        _policy(order, kind, everything_gone=gone),
        grades=grades,
        everything_gone=gone,
        shipping_already_refunded_minor=sum(part.amount_minor for _, part in earlier if part.kind == "shipping"),
        goodwill_minor=goodwill_minor,
        label_already_charged_minor=-sum(
            p.amount_minor for r, p in earlier if p.kind == "label_cost" and r.return_id == return_id
        ),
    ).components
    return components + _dropped_shipping(order, units, components)


def _policy(order: Order, kind: str, *, everything_gone: bool) -> RefundPolicy:
    """Return what this refund gives back besides the goods."""
    policy = order.facts.policies.refund
    if kind not in ("cancellation", "lost"):
        return policy
    all_with_the_last = everything_gone and policy.cancellation_shipping is ShippingPolicy.FULL_ON_FULL_RETURN
    if dropped_lines(order) and not all_with_the_last:
        return RefundPolicy(shipping=ShippingPolicy.NONE)  # exactly what came with the lines, see `_dropped_shipping`
    if everything_gone and order.state in _UNCONFIRMED:
        return RefundPolicy(shipping=ShippingPolicy.FULL)  # nothing is kept of an order that never came to be
    return policy.for_cancellation()


def _dropped_shipping(
    order: Order, units: Mapping[int, int], quoted: Sequence[RefundComponent]
) -> tuple[RefundComponent, ...]:
    """Return what is left of the shipping that came with the lines of a refused amendment: nobody ever agreed to pay it without them."""
    given = [part for refund in order.refunds for part in refund.components if part.kind == "shipping"]
    given += [part for part in quoted if part.kind == "shipping"]
    left = order.facts.prices.shipping_minor - sum(part.amount_minor for part in given)
    components = []
    for number in sorted(dropped_lines(order)):
        share = order.facts.prices.line(number).shipping_minor
        share = min(left, share - sum(part.amount_minor for part in given if part.line == number))
        if share > 0:
            left -= share
            quantity = units.get(number, 0)
            components.append(RefundComponent(kind="shipping", amount_minor=share, line=number, quantity=quantity))
    return tuple(components)


def _credited(order: Order) -> dict[int, int]:
    """Units by line whose value was given back before."""
    counts: dict[int, int] = {}
    for refund in order.refunds:
        for number, count in refund.units:
            counts[number] = counts.get(number, 0) + count
    return counts
