"""Money follows the goods: from what is due and what was taken, which operations are missing.

One rule serves every command. What the shop has (captured, less refunded, less refunds under way) must come to equal what is due (the agreed total,
less everything credited). A surplus is refunded over the tenders; what is authorized is voided when nothing needs any of it, or what it was for was
undone. A refund decision is sent when all of it is asked for, and done when that is confirmed, or when what is left of it needs no money: it was
never taken, or is taken less instead. What went back and did not stay there is put aside for a person. While an answer is unknown its amount is
held: no refund counts on it, and it is not asked for a second time.

Where money is taken per shipment, what still waits is paid for when it leaves: a refund goes out meanwhile as far as there is money. When nothing
waits any more, what is due and was in no shipment's share is captured, as long as an authorization is there; the rest of it is voided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.lifecycle import REFUND
from orderkit.domain.order import Order, Refund
from orderkit.domain.owing import kept, reliable_minor, stuck, uncaptured, uncovered_minor, unpaid_minor, waiting_minor
from orderkit.domain.payment import NEW_MONEY, TAKING, CaptureMode, Operation, OperationKind, Payment, requested
from orderkit.domain.refunds import TenderBalance, spread
from orderkit.domain.saga import unpaid_lines
from orderkit.domain.value import Value, evolve


def settled(order: Order, now: datetime) -> Decision:
    """Return the operations that bring the money in line with what is due, and the refunds that they belong to."""
    if order.state in ("placed", "payment_pending") or _even(order):
        return decided(order)
    decision = _captured(order, now)
    decision = decision.then(_paid_out(decision.order, now))
    decision = decision.then(_voided(decision.order, now))
    decision = decision.then(_moot(decision.order))
    return decision.then(unstuck(decision.order))


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
    payments, events = {payment.id: payment for payment in order.payments}, []
    for payment in sorted(
        order.payments, key=lambda p: not reliable_minor(order, p)
    ):  # who is not counted on comes last
        if (part := min(wanted_minor, payment.capturable_minor)) <= 0 or only not in (None, payment.id):
            continue
        operation = asked(payment, OperationKind.CAPTURE, part, now, shipment=shipment)
        payments[payment.id] = requested(payment, operation, order.currency)
        events.append(
            Event("capture.requested", {"operation": operation.id, "amount_minor": part, "shipment": shipment})
        )
        wanted_minor -= part
    return decided(order, *events, payments=tuple(payments.values())), wanted_minor


def _paid_out(order: Order, now: datetime) -> Decision:
    """Ask for the refunds that make the surplus vanish, as far as there is money for them, and end those that need none."""
    granted, aside = [refund for refund in order.refunds if REFUND.allows(refund.state, "send")], _put_aside(order)
    rest = _surplus(order, granted, aside)
    if rest <= 0:
        return _released(order, granted, aside)
    payments = {payment.id: payment for payment in order.payments}
    refunds = {refund.id: refund for refund in order.refunds}
    events: list[Event] = []
    for refund, amount in _shares(order, granted, rest, aside):
        balances, rule = _balances(payments.values(), aside), order.facts.policies.refund.tender_order
        for payment_id, part in spread(amount, balances, rule, order.currency):
            payment = payments[payment_id]
            operation = asked(payment, OperationKind.REFUND, part, now, refund=refund.id if refund else None)
            payments[payment_id] = requested(payment, operation, order.currency)
            events.append(
                Event("refund.requested", {"operation": operation.id, "amount_minor": part, "refund": operation.refund})
            )
        if refund:
            trigger = "send" if amount == _outstanding(order, refund) else "send_part"
            refunds[refund.id] = evolve(refund, state=REFUND.step(refund.state, trigger))
    decision = decided(order, *events, payments=tuple(payments.values()), refunds=tuple(refunds.values()))
    left = [refund for refund in refunds.values() if REFUND.allows(refund.state, "release")]
    return decision.then(_released(decision.order, left, aside))


class _Aside(Value):
    """What came back and waits for a person: amounts, with the refund that each belongs to (`None`: paid too much) and the payment it is at."""

    parts: tuple[tuple[str | None, str, int], ...] = ()

    @property
    def total_minor(self) -> int:
        return sum(minor for _, _, minor in self.parts)

    def of_refund(self, name: str) -> int:
        return sum(minor for refund, _, minor in self.parts if refund == name)

    def at_payment(self, name: str) -> int:
        return sum(minor for _, payment, minor in self.parts if payment == name)


def _put_aside(order: Order) -> _Aside:
    """Return what came back and nobody has attended to yet, as far as it is owed and would be paid out now.

    Once nothing would be, it needs nobody: less was taken for other goods instead.
    """
    returned = [
        (p, o) for p, o in order.operations() if o.state == "reversed" and f"refund_failed:{o.id}" in order.findings
    ]
    if not returned or surplus_minor(order) + _to_come(order) <= 0:
        return _Aside()
    owed = {refund.id: _outstanding(order, refund) for refund in order.refunds if REFUND.allows(refund.state, "send")}
    over_minor = max(0, surplus_minor(order) - sum(owed.values()))
    parts: list[tuple[str | None, str, int]] = []
    for payment, operation in returned:
        refund = operation.refund
        if refund is not None and (minor := min(operation.amount_minor, owed.get(refund, 0))):
            parts.append((refund, payment.id, minor))
            owed[refund] -= minor
        elif minor := min(operation.amount_minor, over_minor):
            parts.append((None, payment.id, minor))
            over_minor -= minor
    return _Aside(tuple(parts))


def _released(order: Order, granted: Sequence[Refund], aside: _Aside) -> Decision:
    """End refunds whose rest needs no money: none was taken for what they give back, or less is taken instead of it."""
    under_way = {operation.refund for _, operation in order.operations() if operation.open}
    released = [refund for refund in granted if refund.id not in under_way and not aside.of_refund(refund.id)]
    return decided(order) if not released or _taking(order) else ended(order, released, "release")


def set_off(order: Order) -> Decision:
    """End the refunds whose rest needs no money, after a bank refused to take what they waited for; nothing is asked of anybody."""
    granted, aside = [refund for refund in order.refunds if REFUND.allows(refund.state, "release")], _put_aside(order)
    return decided(order) if _surplus(order, granted, aside) > 0 else _released(order, granted, aside)


def ended(order: Order, refunds: Sequence[Refund], trigger: str) -> Decision:
    """End refunds, and tell what went back of each. That an operation of theirs was refused on the way is nobody's concern any more."""
    after = {refund.id: evolve(refund, state=REFUND.step(refund.state, trigger)) for refund in refunds}
    mine = [operation for _, operation in order.operations() if operation.refund in after]
    paid = {name: sum(o.amount_minor for o in mine if o.refund == name and o.state == "confirmed") for name in after}
    moot = {f"refund_failed:{operation.id}" for operation in mine}
    return decided(
        order,
        *[told_end(refund, paid[refund.id]) for refund in refunds],
        refunds=tuple([after.get(refund.id, refund) for refund in order.refunds]),
        findings=tuple([finding for finding in order.findings if finding not in moot]),
    )


def told_end(refund: Refund, paid_minor: int) -> Event:
    """Tell that a refund is done, and what went back of it: the rest was never taken, or is taken less instead."""
    data = {"refund": refund.id, "total_minor": refund.total_minor}
    return (
        Event("refund.completed", data | {"paid_minor": paid_minor}) if paid_minor else Event("refund.released", data)
    )


def owed_back(order: Order, refused: Operation) -> bool:
    """Whether what a refused operation was to pay back is still owed to the customer: it may have gone back another way."""
    if refused.refund is None:
        return surplus_minor(order) > 0
    return _outstanding(order, order.refund(refused.refund)) > 0


def over_sent_minor(order: Order, refund_id: str | None) -> int:
    """Return what went back or is on its way beyond a refund's total; with no refund, beyond what was paid too much."""
    if refund_id is None:
        return max(0, wanted_minor(order) - order.paid_minor)
    sent = sum(o.amount_minor for _, o in order.operations() if o.refund == refund_id and not o.in_vain)
    return max(0, sent - order.refund(refund_id).total_minor)


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
    held = sum(reliable_minor(order, payment) for payment in order.payments)
    coming = held + sum(o.amount_minor for o in asked_for) - added
    return min(waiting_minor(order), coming + min(added, waiting_minor(order, unpaid_lines(order))))


def _outstanding(order: Order, refund: Refund) -> int:
    """Return what of a refund neither went back nor is on its way: nothing, also when a bank did after all what was sent again meanwhile."""
    sent = (o for _, o in order.operations() if o.refund == refund.id and not o.in_vain)
    return max(0, refund.total_minor - sum(operation.amount_minor for operation in sent))


def surplus_minor(order: Order) -> int:
    """What the shop has beyond what it should have; below zero: what it misses."""
    return order.paid_minor - wanted_minor(order)


def _surplus(order: Order, granted: Sequence[Refund], aside: _Aside) -> int:
    """What the shop may pay out, but for what is put aside; refunds that wait are not kept from the customer for the sake of goods that wait.

    It is never more than the shop has: what is cancelled of goods that wait may be more than was taken for others of them.
    """
    surplus = surplus_minor(order) - aside.total_minor
    if not granted:
        return surplus
    wanted = sum(_owed(order, refund, aside) for refund in granted)
    return max(surplus, min(wanted, surplus + _to_come(order), order.paid_minor - aside.total_minor))


def _owed(order: Order, refund: Refund, aside: _Aside) -> int:
    """Return what of a refund is to be asked for now."""
    return _outstanding(order, refund) - aside.of_refund(refund.id)


def _shares(
    order: Order, granted: Sequence[Refund], total_minor: int, aside: _Aside
) -> list[tuple[Refund | None, int]]:
    """Spread what is paid out over the decisions that wait for it; what is left over belongs to none (paid too much)."""
    shares: list[tuple[Refund | None, int]] = []
    for refund in granted:
        if share := min(_owed(order, refund, aside), total_minor):
            shares.append((refund, share))
            total_minor -= share
    if total_minor:
        shares.append((None, total_minor))
    return shares


def _balances(payments: Iterable[Payment], aside: _Aside) -> list[TenderBalance]:
    """Return what may be refunded to each tender: what came back from one is not for the others."""
    left = [(payment, payment.refundable_minor - aside.at_payment(payment.id)) for payment in payments]
    return [TenderBalance(payment.id, payment.kind, minor) for payment, minor in left if minor > 0]


def _voided(order: Order, now: datetime) -> Decision:
    """Give up all authorizations when nothing needs any of them, else those that were given for a sequence that was undone.

    What a bank has refused to give up waits for a person.
    """
    held = [payment for payment in order.payments if payment.capturable_minor > 0]
    if not held:
        return decided(order)
    if order.paid_minor < wanted_minor(order) or _to_come(order):
        return _given_up(order, _in_vain(order, held, now), now)
    return decided(order) if _taking(order) else _given_up(order, [p for p in held if not kept(order, p)], now)


def _in_vain(order: Order, held: Sequence[Payment], now: datetime) -> list[Payment]:
    """Return who holds money for a sequence that was undone, as far as the others hold enough: the rest may have been counted on.

    While money is stuck nobody knows who holds enough; what has run out, or is not counted on, holds nothing.
    """
    undone = _undone(order)
    if not undone or stuck(order) or order.state != "confirmed":
        return []
    good = [p for p in held if reliable_minor(order, p) and (p.expires_at is None or p.expires_at > now)]
    spare = sum(payment.capturable_minor for payment in good)
    spare -= max(waiting_minor(order), wanted_minor(order) - order.paid_minor)
    found = []
    for payment in good:
        if payment.operations[0].saga in undone and payment.capturable_minor <= spare:
            spare -= payment.capturable_minor
            found.append(payment)
    return found


def _undone(order: Order) -> set[str]:
    """Return the ids of the runs that have ended because a tender of theirs was refused."""
    running = {run.id for run in order.sagas}
    return {o.saga for _, o in order.operations() if o.saga and o.kind in NEW_MONEY and o.state == "refused"} - running


def _given_up(order: Order, held: Sequence[Payment], now: datetime) -> Decision:
    payments, events = {payment.id: payment for payment in order.payments}, []
    for payment in held:
        operation = asked(payment, OperationKind.VOID, payment.capturable_minor, now)
        payments[payment.id] = requested(payment, operation, order.currency)
        events.append(Event("authorization.void_requested", {"payment": payment.id, "operation": operation.id}))
    return decided(order, *events, payments=tuple(payments.values())) if events else decided(order)


def unstuck(order: Order) -> Decision:
    """Take the findings about missing money off once nothing is missing: another tender brought it, or it is not due any more."""
    found = stuck(order)
    if not found or uncovered_minor(order, hoped=False):
        return decided(order)
    told = Event("order.nothing_missing", {"findings": list(found)})
    return decided(order, told, findings=tuple([other for other in order.findings if other not in found]))


def _moot(order: Order) -> Decision:
    """Take the findings off about money that a bank kept, once it does not: paid too much, or authorized and to be given up.

    Those about a refund that was decided go with it (`ended`).
    """
    if not order.findings:
        return decided(order)
    over = [payment for payment in order.payments if payment.authorized_minor <= payment.captured_minor]
    moot = {finding for payment in over for finding in kept(order, payment)}
    if surplus_minor(order) <= 0 and not order.refunding_minor:
        moot |= {f"refund_failed:{o.id}" for _, o in order.operations() if o.refund is None}
    left = tuple([found for found in order.findings if found not in moot])
    return decided(order, findings=left) if left != order.findings else decided(order)


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
