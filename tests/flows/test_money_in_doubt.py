"""Money whose answer comes late, twice, never, or too late for the goods."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import CaptureMode, NotAllowed, Order, Policies, ReturnPolicy, Tender
from orderkit.domain import answering
from orderkit.domain.actions import actions
from orderkit.domain.expiring import authorization_expired
from orderkit.domain.payment import OperationKind
from orderkit.domain.status import axes, word
from orderkit.ports.payments import Confirmed
from tests.shops import NOON, Bank, World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)
SPLIT = {"MUG": {"berlin": 3}, "TEE": {"madrid": 1}}
TENDERS = [Tender(method="gift_1", kind="gift_card", amount_minor=1000), Tender(method="pm_visa")]


def held(world: World) -> int:
    """How many units are promised."""
    return sum(level.reserved for level in world.shop.stock())


def later(world: World, order: Order, **time: float) -> Order:
    """Some time passes, a worker sweeps, and this is the order."""
    world.clock.advance(**time)
    world.shop.sweep()
    return world.shop.order(order.id)


def test_a_reservation_lasts_as_long_as_nobody_knows() -> None:
    """The provider is silent: the goods stay promised. It says that nothing ever came: the order is cancelled, they are free."""
    world = a_world(SPLIT)
    world.bank.say, world.bank.silent = (lambda _: "never"), True
    order = world.shop.place(a_cart(), "pm_visa")

    doubtful = [later(world, order, hours=1) for _ in range(3)][-1]
    assert (word(doubtful), held(world)) == ("payment_pending", 4)
    world.bank.silent = False
    ended = [later(world, order, hours=1) for _ in range(3)][-1]

    assert (word(ended), ended.reason, held(world)) == ("cancelled", "reservation_expired", 0)
    assert ended.sagas == ()
    assert not any(operation.open for _, operation in ended.operations())


def test_an_expiry_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The money is held already, so the answer stands: it leaves no doubt, and the order is confirmed."""
    world = a_world(SPLIT, policies=LATER)
    expires_at = NOON + timedelta(days=7)
    monkeypatch.setattr(Bank, "_confirmed", lambda _, key: Confirmed(key, expires_at.replace(tzinfo=None)))

    order = world.shop.place(a_cart(), "pm_visa")

    assert word(order) == "payment_confirmed"
    assert [payment.expires_at for payment in order.payments] == [expires_at]


def test_after_six_questions_a_person_is_asked() -> None:
    """The provider stays silent: the sixth question leaves a finding, and the answer takes it away again."""
    world = a_world(SPLIT)
    world.bank.say, world.bank.silent = (lambda _: "never"), True
    order = world.shop.place(a_cart(), "pm_visa")
    asked: dict[int, tuple[str, ...]] = {}
    while len(asked) < 6:
        doubtful = later(world, order, minutes=20)
        asked[doubtful.payments[0].operations[0].asked] = doubtful.findings

    finding = f"payment_in_doubt:{order.payments[0].operations[0].id}"
    assert min(number for number, findings in asked.items() if finding in findings) == 6


def test_money_that_comes_after_the_reservation_goes_back() -> None:
    """The order is gone when the provider finds the charge: it is booked, and refunded."""
    world = a_world(SPLIT)
    world.bank.say = lambda _: "never"
    order = world.shop.place(a_cart(), "pm_visa")
    ended = [later(world, order, hours=1) for _ in range(3)][-1]
    operation = ended.payments[0].operations[0]

    late = answering.confirmed(ended, operation.id, world.clock.now(), reference="late")

    assert word(ended) == "cancelled"
    assert [(o.kind.value, o.amount_minor) for _, o in late.order.operations()] == [("charge", 5750), ("refund", 5750)]


def test_a_repeated_answer_changes_nothing() -> None:
    """Whatever is said again of an operation that is decided, the order stays as it is."""
    world = a_world(SPLIT)
    paid = world.shop.place(a_cart(), "pm_visa")
    operation = paid.payments[0].operations[0].id

    for decision in (
        answering.confirmed(paid, operation, NOON, reference="again"),
        answering.refused(paid, operation, NOON, reason="declined"),
        answering.doubted(paid, operation, NOON, reason="no answer"),
        authorization_expired(paid, paid.payments[0].id, NOON + timedelta(days=99)),
    ):
        assert decision.order == paid
        assert decision.events == ()


def test_what_stands_behind_a_refused_tender_is_never_asked() -> None:
    """The gift card says no: the card behind it is not charged, and nothing has to go back."""
    world = a_world(SPLIT)
    world.bank.say = lambda asked: "no" if asked.tender == "gift_card" else "yes"

    order = world.shop.place(a_cart(), TENDERS)

    assert word(order) == "payment_failed"
    assert [(p.kind, p.operations[0].reason) for p in order.payments] == [
        ("gift_card", "declined"),
        ("card", "not_attempted"),
    ]
    assert [call.tender for call in world.bank.calls] == ["gift_card"]


def test_nothing_is_paid_again_while_money_is_on_its_way_back() -> None:
    """The gift card's refund is in doubt: a new tender waits for it."""
    world = a_world(SPLIT)
    world.bank.say = lambda asked: {"card": "no"}.get(asked.tender, "never" if asked.kind.value == "refund" else "yes")
    order = world.shop.place(a_cart(), TENDERS)

    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(order.id, "pm_other")

    assert caught.value.code == "action_in_flight"
    assert not next(a for a in actions(order, world.clock.now()) if a.name == "pay").allowed


def test_two_cards_authorized_for_nothing_are_both_let_go() -> None:
    """Per shipment: cancelled before anything left, authorizations are voided and nothing was ever captured."""
    world = a_world(SPLIT, policies=LATER)
    order = world.shop.place(a_cart(), [Tender(method="pm_one", amount_minor=2000), Tender(method="pm_two")])

    after = world.shop.cancel(order.id, reason="changed_mind")

    assert (word(after), axes(order).payment, axes(after).payment) == ("cancelled", "authorized", "voided")
    assert world.bank.total(OperationKind.VOID) == 5750
    assert after.refunds[0].state == "refunded"


def test_what_nobody_authorizes_again_is_a_finding_when_it_leaves() -> None:
    """The renewal is declined; should the goods leave all the same, a person learns what was not captured."""
    world = a_world(SPLIT, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(), "pm_visa")
    hold = world.shop.hold(order.id, reason="stock_check").holds[0]
    world.bank.say = lambda _: "no"
    declined = later(world, order, days=8)
    declined = later(world, declined, hours=1)

    world.shop.release_hold(order.id, hold.id)
    after = world.shop.ship(order.id, order.shipments[0].id)

    assert declined.payments[0].state == "declined"
    assert declined.findings == (f"authorize_failed:{declined.payments[0].operations[1].id}",)
    assert after.findings[1:] == (f"capture_short:{order.shipments[0].id}",)
    assert after.captured_minor == 0


def test_a_split_refund_fails_and_is_sent_again_in_part() -> None:
    """One of two tenders refuses its part: only that part is sent again, and then the refund is whole."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), TENDERS)
    refused = {"gift_card"}
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND and asked.tender in refused else "yes"
    world.shop.cancel(order.id, reason="changed_mind")
    failed = [later(world, order, hours=2) for _ in range(6)][-1]
    refused.clear()

    after = world.shop.attend(order.id, failed.findings[0])

    assert (failed.refunded_minor, after.refunded_minor) == (4750, 5750)
    assert world.bank.total(OperationKind.REFUND) == 5750
    assert after.refunds[0].state == "refunded"


def test_an_approval_is_offered_while_a_person_is_asked() -> None:
    """A return that waits for approval may be authorized, declined or cancelled, and nothing else."""
    world = a_world(SPLIT, policies=Policies(returns=ReturnPolicy(approval=True)))
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
        world.shop.deliver(order.id, shipment.id)
    asked = world.shop.request_return(order.id, {"MUG": 1}, reason="wrong")

    offered = [a.name for a in actions(asked, world.clock.now()) if a.subject == asked.returns[0].id and a.allowed]

    assert offered == ["authorize_return", "decline_return", "cancel_return"]


def test_lines_that_are_cancelled_while_their_payment_is_in_doubt_cost_nothing() -> None:
    """The first of two tenders is declined in the end: the second was never sent, and is not sent for goods that nobody gets."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    world.bank.say = lambda _: "never"
    more = a_cart(("TEE", 1, "30.00"))
    world.shop.amend(order.id, add=more, pay_with=[Tender(method="pm_1", amount_minor=1000), Tender(method="pm_2")])
    world.shop.cancel(order.id, {3: 1}, reason="changed_mind")
    world.bank.say = lambda asked: "no" if asked.method == "pm_1" else "yes"

    for _ in range(3):
        after = later(world, order, minutes=10)

    assert world.bank.total(OperationKind.CHARGE) == order.total_minor
    assert [payment.state for payment in after.payments] == ["captured", "declined", "declined"]
    assert (after.refunded_minor, after.sagas) == (0, ())
