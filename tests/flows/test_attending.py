"""A person attends to a finding about money that did not come: it is asked for again, and stays a finding until it is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import CaptureMode, NotAllowed, Order, Policies, RefundPolicy, Tender
from orderkit.domain.expiring import RENEWALS_MAX
from orderkit.domain.holding import finding_settled
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import ShippingPolicy
from orderkit.domain.value import evolve
from tests.shops import NOON, World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)
TENDERS = [Tender(method="pm_one", amount_minor=4000), Tender(method="pm_two")]


def a_lapsed_order(tenders: str | list[Tender] = "pm_visa") -> tuple[World, Order]:
    """One of two mugs is there, the other is waited for; the authorization ran out, and nobody gave another."""
    world = a_world({"MUG": {"berlin": 1}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    cart = evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True)
    order = world.shop.place(cart, tenders)
    world.bank.say = lambda _: "no"
    world.clock.advance(days=8)
    while not world.shop.sweep().idle:
        pass
    world.bank.say = lambda _: "yes"
    return world, world.shop.order(order.id)


def moves(order: Order) -> list[tuple[str, int, str]]:
    """What was asked of the providers since the order was placed, and what became of it."""
    return [(o.kind.value, o.amount_minor, o.state) for p in order.payments for o in p.operations[1:]]


def ship(world: World, order: Order) -> Order:
    """Let the next shipment leave."""
    return world.shop.ship(order.id, next(s.id for s in order.shipments if s.waiting))


def test_a_refused_authorization_is_asked_for_again() -> None:
    """The customer has money again: it is authorized while the goods wait, and each shipment is paid for when it leaves."""
    world, order = a_lapsed_order()
    assert order.findings == (f"authorize_failed:{order.payments[0].operations[1].id}",)

    after = world.shop.attend(order.id, order.findings[0])
    first = ship(world, after)
    world.shop.put_stock("MUG", {"berlin": 1})
    world.clock.advance(hours=2)
    world.shop.sweep()
    last = ship(world, world.shop.order(order.id))

    assert (after.findings, after.authorized_minor, after.captured_minor) == ((), 10000, 0)
    assert moves(after)[1:] == [("authorize", 10000, "confirmed")]
    assert (first.findings, first.captured_minor) == ((), 5000)
    assert (last.findings, last.captured_minor) == ((), 10000)


def test_what_is_refused_again_is_a_finding_again() -> None:
    """As often as it is attended to; nothing is forgotten while the money is missing."""
    world, order = a_lapsed_order()
    world.bank.say = lambda _: "no"

    for number in (2, 3, 4):
        (finding,) = order.findings
        assert finding == f"authorize_failed:{order.payments[0].id}.{number}"
        order = world.shop.attend(order.id, finding)


def test_goods_that_left_unpaid_are_charged() -> None:
    """One mug left all the same: it is charged, and the one that waits is authorized; with that the other finding goes too."""
    world, order = a_lapsed_order()
    left = ship(world, order)
    assert [finding.partition(":")[0] for finding in left.findings] == ["authorize_failed", "capture_short"]

    after = world.shop.attend(order.id, left.findings[1])

    assert after.findings == ()
    assert moves(after)[1:] == [("charge", 5000, "confirmed"), ("authorize", 5000, "confirmed")]
    assert (after.captured_minor, after.authorized_minor) == (5000, 10000)


def test_a_refused_charge_is_attended_to_like_the_rest() -> None:
    """Charge and authorization are both refused: two findings more, and the next try takes both and all three off."""
    world, order = a_lapsed_order()
    left = ship(world, order)
    world.bank.say = lambda _: "no"
    refused = world.shop.attend(order.id, left.findings[1])
    world.bank.say = lambda _: "yes"

    after = world.shop.attend(order.id, refused.findings[0])

    assert [finding.partition(":")[0] for finding in refused.findings] == [
        "authorize_failed",
        "charge_failed",
        "authorize_failed",
    ]
    assert (after.findings, after.captured_minor, after.authorized_minor) == ((), 5000, 10000)
    assert world.bank.total(OperationKind.CHARGE) == 5000


def test_what_is_in_doubt_is_not_asked_for_twice() -> None:
    """The provider does not answer the charge; attending to the other finding meanwhile asks for nothing more."""
    world, order = a_lapsed_order()
    left = ship(world, order)
    world.bank.say = lambda _: "lost"
    doubtful = world.shop.attend(order.id, left.findings[1])
    again = world.shop.attend(order.id, doubtful.findings[0])
    world.bank.say = lambda _: "yes"
    world.clock.advance(minutes=10)
    while not world.shop.sweep().idle:
        pass

    after = world.shop.order(order.id)
    assert [(o.kind.value, o.state) for o in again.payments[0].operations[2:]] == [
        ("charge", "unknown"),
        ("authorize", "pending"),
    ]
    assert (after.findings, after.captured_minor, after.authorized_minor) == ((), 5000, 10000)
    assert world.bank.total(OperationKind.CHARGE) == 5000


def test_each_tender_is_asked_for_its_own_part() -> None:
    """Two cards: each one's finding asks that card, and none is asked for more than it was to pay."""
    world, order = a_lapsed_order(TENDERS)
    assert len(order.findings) == 2

    half = world.shop.attend(order.id, order.findings[0])
    whole = world.shop.attend(order.id, order.findings[1])

    assert [p.authorized_minor for p in half.payments] == [4000, 0]
    assert [p.authorized_minor for p in whole.payments] == [4000, 6000]
    assert whole.findings == ()


def shipped_while_refusing(world: World, order: Order, *, hours: int) -> Order:
    """Ship while the bank says no for so long; from then on it says yes."""
    world.bank.say = lambda _: "no"
    ship(world, order)
    for _ in range(hours):
        world.clock.advance(hours=1)
        world.shop.sweep()
    world.bank.say = lambda _: "yes"
    return world.shop.order(order.id)


def test_an_authorization_that_ran_out_after_the_goods_left_is_charged() -> None:
    """The capture was refused three times and the authorization is over: attending takes the money by a charge."""
    world = a_world({"MUG": {"berlin": 2}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00"), "pm_visa")
    failed = shipped_while_refusing(world, order, hours=200)

    after = world.shop.attend(order.id, failed.findings[0])

    assert (failed.payments[0].state, failed.findings[0].partition(":")[0]) == ("expired", "capture_failed")
    assert (after.findings, after.captured_minor, after.payments[0].state) == ((), 10000, "captured")
    assert moves(after)[-1] == ("charge", 10000, "confirmed")


def test_a_refused_capture_of_a_part_is_sent_again() -> None:
    """The authorization still holds, and other goods wait: what left is captured at once, not with the last shipment."""
    world = a_world({"MUG": {"berlin": 1}}, policies=LATER)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    failed = shipped_while_refusing(world, order, hours=4)

    after = world.shop.attend(order.id, failed.findings[0])

    assert moves(after) == [("capture", 5000, "refused"), ("capture", 5000, "confirmed")]
    assert (after.findings, after.captured_minor) == ((), 5000)


def test_the_finding_stays_when_nobody_can_be_asked() -> None:
    """No tender ever held money: nothing is asked for, and the finding is not dropped in silence."""
    _, order = a_lapsed_order()
    payment = order.payments[0]
    nobody = evolve(order, payments=(evolve(payment, operations=payment.operations[1:]),))

    with pytest.raises(NotAllowed) as caught:
        finding_settled(nobody, order.findings[0], NOON)

    assert (caught.value.code, caught.value.facts) == ("not_allowed", {"missing_minor": 10000})


def test_a_finding_stays_for_what_could_not_be_asked() -> None:
    """Two cards, one of which never held money: the other is asked for its part, and the rest stays a finding."""
    _, order = a_lapsed_order(TENDERS)
    one, two = order.payments
    halved = evolve(order, payments=(one, evolve(two, operations=())), findings=("capture_short:S1",))

    decision = finding_settled(halved, "capture_short:S1", NOON)

    assert [o.amount_minor for _, o in decision.order.operations() if o.open] == [4000]
    assert decision.order.findings == ("capture_short:S1",)


def test_what_is_not_due_any_more_is_not_asked_for() -> None:
    """The goods were cancelled after the refusal: the finding goes by itself, and nobody is asked for anything."""
    world, order = a_lapsed_order()
    world.shop.refuse(order.id, order.shipments[0].id, reason="broken")

    cancelled = world.shop.cancel(order.id, reason="changed_mind")

    assert len(order.findings) == 1
    assert (cancelled.findings, moves(cancelled)) == ((), moves(order))


def test_what_is_attended_to_is_asked_at_once() -> None:
    """Two parcels left, and the provider refuses: one capture three times, the other once. Nobody waits for the other's next try."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}}, policies=LATER)
    cart = evolve(a_cart(), lines=()).add("MUG", 1, "50.00").add("TEE", 1, "20.00")
    order = world.shop.place(cart, "pm_visa")
    world.bank.say = lambda _: "no"
    ship(world, ship(world, order))
    for _ in range(3):
        world.clock.advance(hours=1)
        world.shop.sweep()
    stuck = world.shop.order(order.id)
    world.bank.say = lambda _: "yes"

    after = world.shop.attend(order.id, stuck.findings[0])

    assert moves(stuck) == [("capture", 5000, "refused"), ("capture", 2000, "pending")]
    assert stuck.payments[0].operations[2].next_at == world.clock.now() + timedelta(hours=1)
    assert moves(after)[1:] == [("capture", 2000, "confirmed"), ("capture", 5000, "confirmed")]
    assert (after.findings, after.captured_minor) == ((), 7000)


def test_a_refund_behind_one_that_waits_is_asked_at_once_too() -> None:
    """A capture waits for its second try; attending to something else that a provider refused does not wait behind it."""
    world, order = a_lapsed_order()
    world.bank.say = lambda _: "yes"
    order = world.shop.attend(order.id, order.findings[0])
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.CAPTURE else "yes"
    waiting = ship(world, order)
    noted = evolve(waiting, findings=("refund_failed:X", "returned_to_sender:Y"))

    hurried = finding_settled(noted, "refund_failed:X", world.clock.now()).order
    calm = finding_settled(noted, "returned_to_sender:Y", world.clock.now()).order

    assert waiting.payments[0].operations[-1].next_at == world.clock.now() + timedelta(hours=1)
    assert hurried.payments[0].operations[-1].next_at is None
    assert calm.payments == waiting.payments


def renewals(order: Order) -> int:
    """How often the first tender was authorized again."""
    return sum(o.kind is OperationKind.AUTHORIZE for o in order.payments[0].operations) - 1


def lapsing(world: World, order: Order, *, weeks: int) -> Order:
    """Let authorizations run out so often."""
    for _ in range(weeks):
        world.clock.advance(days=7)
        while not world.shop.sweep().idle:
            pass
    return world.shop.order(order.id)


def test_an_authorization_is_not_renewed_for_ever() -> None:
    """Goods that never come hold a customer's money for a quarter of a year; then a person says whether they may longer, each time."""
    world = a_world({"MUG": {"berlin": 1}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")

    before = lapsing(world, order, weeks=RENEWALS_MAX)
    lapsed = lapsing(world, order, weeks=60)
    held = world.shop.attend(order.id, lapsed.findings[0])
    again = lapsing(world, order, weeks=1)

    assert (renewals(before), before.findings, before.authorized_minor) == (RENEWALS_MAX, (), 10000)
    finding = f"authorization_lapsed:{order.payments[0].id}"
    assert (renewals(lapsed), lapsed.findings, lapsed.authorized_minor) == (RENEWALS_MAX, (finding,), 0)
    assert (held.findings, held.authorized_minor) == ((), 10000)
    assert (again.findings, world.shop.why(order.id).missing_minor) == ((finding,), 10000)


def test_another_tender_is_renewed_from_the_beginning() -> None:
    """The bound is of one tender: whoever gives another card has just said that he waits."""
    world = a_world({"MUG": {"berlin": 1}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    lapsing(world, order, weeks=RENEWALS_MAX + 1)

    paid = world.shop.pay(order.id, "pm_other")
    later = lapsing(world, order, weeks=3)

    assert paid.findings == later.findings == ()
    assert [payment.authorized_minor for payment in later.payments] == [0, 10000]


def test_an_authorization_is_not_renewed_for_what_another_tender_holds() -> None:
    """One of two mugs was cancelled, and two cards hold more than is due: when both run out, no more than that is held again."""
    world = a_world({"MUG": {"berlin": 1}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    cart = evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True)
    order = world.shop.place(cart, TENDERS)
    world.shop.cancel(order.id, {"MUG": 1}, reason="changed_mind")

    after = lapsing(world, order, weeks=1)

    assert [payment.authorized_minor for payment in after.payments] == [0, 5000]
    assert (after.due_minor, after.findings) == (5000, ())


def a_kept_shipping(world: World) -> Order:
    """Everything is cancelled but the shop keeps the shipping, and the bank does not give it."""
    order = world.shop.place(a_cart(("MUG", 1, "12.50"), shipping="4.90"), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.CAPTURE else "yes"
    world.shop.cancel(order.id, reason="changed_mind")
    for _ in range(3):
        world.clock.advance(hours=2)
        world.shop.sweep()
    return world.shop.order(order.id)


KEEPS_SHIPPING = Policies(
    capture=CaptureMode.PER_SHIPMENT, refund=RefundPolicy(cancellation_shipping=ShippingPolicy.NONE)
)


def test_the_shipping_of_a_cancelled_order_is_captured_when_somebody_looks() -> None:
    """The shop keeps it, and it is still authorized: it is captured, once."""
    world = a_world(policies=KEEPS_SHIPPING)
    order = a_kept_shipping(world)
    world.bank.say = lambda _: "yes"

    after = world.shop.attend(order.id, order.findings[0])

    assert (after.findings, after.paid_minor, after.due_minor) == ((), 490, 490)
    assert [move for move in moves(after) if move[2] == "confirmed"] == [
        ("capture", 490, "confirmed"),
        ("void", 1250, "confirmed"),
    ]


def test_the_shipping_of_a_cancelled_order_is_not_forgotten() -> None:
    """The shop keeps it, but nothing is authorized any more: a card is not charged for an order that is off, and the finding stays."""
    world = a_world(policies=KEEPS_SHIPPING)
    world.bank.expires_after = timedelta(days=1)
    order = a_kept_shipping(world)
    world.clock.advance(days=2)
    world.shop.sweep()

    with pytest.raises(NotAllowed) as caught:
        world.shop.attend(order.id, order.findings[0])

    assert (caught.value.code, caught.value.facts) == ("not_allowed", {"missing_minor": 490})
    assert world.shop.order(order.id).findings == order.findings
