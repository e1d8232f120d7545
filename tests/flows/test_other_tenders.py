"""Another tender pays what is missing on a confirmed order: never more than that, never twice, and what it cannot give stays missing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orderkit import (
    CaptureMode,
    InvalidInput,
    KeyReused,
    NotAllowed,
    Order,
    Policies,
    Tender,
)
from orderkit.domain.actions import Action
from orderkit.domain.covering import answer_of, covered
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind
from orderkit.domain.placing import PAYMENTS_MAX
from orderkit.domain.refunds import RefundPolicy, ShippingPolicy
from orderkit.domain.value import evolve
from orderkit_sql import migrate
from tests.missing import (
    LATER,
    a_half_held_order,
    a_lapsed_order,
    an_uncaptured_order,
    asked_of,
    only,
    opened,
    restocked,
    until_idle,
)
from tests.shops import NOON, World, a_cart

TAKEN = (OperationKind.CHARGE, OperationKind.CAPTURE)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store, or its URL; nothing for one in memory."""
    if request.param == "memory":
        return None
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = request.getfixturevalue("make_postgres_database")()
    migrate(url)
    return url


def offer(world: World, order: Order) -> Action:
    """The action `pay` as the order stands."""
    return next(action for action in world.shop.actions(order.id) if action.name == "pay")


# ---- what is missing, and who brings it


def test_another_card_holds_what_a_lapsed_authorization_held(store: Any) -> None:
    """All goods wait: the other card is authorized, the finding goes, and each shipment is captured from it when it leaves."""
    world, order = a_lapsed_order(store)

    paid = world.shop.pay(order.id, "pm_other", key="k")
    first = world.shop.ship(order.id, order.shipments[0].id)
    last = restocked(world, first)
    last = world.shop.ship(order.id, last.shipments[1].id)

    assert (missing_minor(order), missing_minor(paid), paid.findings) == (10000, 0, ())
    assert asked_of(paid, 1) == [("authorize", 10000, "confirmed")]
    assert (first.captured_minor, last.captured_minor, last.findings) == (5000, 10000, ())
    assert world.bank.total(*TAKEN) == 10000


def test_what_left_is_charged_and_what_waits_is_authorized(store: Any) -> None:
    """One mug left unpaid: the other card pays it at once, and holds the value of the one that waits."""
    world, order = a_lapsed_order(store, shipped=True)

    paid = world.shop.pay(order.id, "pm_other")

    assert [finding.partition(":")[0] for finding in order.findings] == ["authorize_failed", "capture_short"]
    assert asked_of(paid, 1) == [("charge", 5000, "confirmed"), ("authorize", 5000, "confirmed")]
    assert (paid.findings, paid.captured_minor, missing_minor(paid)) == ((), 5000, 0)
    assert world.shop.replay(order.id) == paid


def test_a_refused_capture_is_paid_by_another_card_and_the_old_authorization_given_up(store: Any) -> None:
    """The first card was authorized all the time, and would not be captured: it counts for nothing, and is not held any longer."""
    world, order = an_uncaptured_order(store)

    paid = world.shop.pay(order.id, "pm_other")

    assert (missing_minor(order), order.payments[0].capturable_minor) == (5000, 5000)
    assert asked_of(paid, 1) == [("charge", 5000, "confirmed")]
    assert asked_of(paid, 0)[-1] == ("void", 5000, "confirmed")
    assert (paid.findings, paid.paid_minor, paid.due_minor) == ((), 5000, 5000)


def test_the_rest_of_an_authorization_still_counts(store: Any) -> None:
    """One of two mugs left and was not captured: only that one is missing, and the other is captured where it was authorized."""
    world, order = an_uncaptured_order(store, waiting=1)

    paid = world.shop.pay(order.id, "pm_other")
    world.bank.say = lambda _: "yes"
    ready = restocked(world, paid)
    last = world.shop.ship(order.id, ready.shipments[1].id)

    assert (missing_minor(order), paid.findings, asked_of(paid, 1)) == (5000, (), [("charge", 5000, "confirmed")])
    assert [payment.captured_minor for payment in last.payments] == [5000, 5000]
    assert asked_of(last, 0)[-1] == ("void", 5000, "confirmed")
    assert world.bank.total(*TAKEN) == last.due_minor == 10000


def test_a_gift_card_is_taken_at_once_and_the_card_holds_the_rest() -> None:
    """What a shop keeps itself does not wait for the goods: it pays what left, and then some; the card is asked for the remainder."""
    world, order = a_lapsed_order(shipped=True)

    paid = world.shop.pay(
        order.id, [Tender(method="pm_other"), Tender(method="gift", kind="gift_card", amount_minor=6000)]
    )
    ready = restocked(world, paid)
    last = world.shop.ship(order.id, ready.shipments[1].id)

    assert (asked_of(paid, 1), asked_of(paid, 2)) == (
        [("charge", 6000, "confirmed")],
        [("authorize", 4000, "confirmed")],
    )
    assert (paid.findings, last.captured_minor, last.findings) == ((), 10000, ())


def test_goods_that_leave_before_the_authorization_is_there_are_captured_from_it() -> None:
    """The provider is slow to authorize and the mug leaves meanwhile: it is paid as soon as the answer is there, and once."""
    world, order = a_lapsed_order()
    world.bank.say = lambda _: "lost"
    world.shop.pay(order.id, "pm_other")
    world.shop.ship(order.id, order.shipments[0].id)
    world.bank.say = lambda _: "yes"
    world.clock.advance(minutes=10)
    until_idle(world)

    after = world.shop.order(order.id)
    assert asked_of(after, 1) == [("authorize", 10000, "confirmed"), ("capture", 5000, "confirmed")]
    assert (after.findings, after.captured_minor) == ((), 5000)


def test_a_charge_in_flight_is_not_captured_a_second_time() -> None:
    """The other card's answer is not known, and the last mug leaves: only that one is captured from the first card."""
    world, order = an_uncaptured_order(waiting=1)
    world.bank.say, world.bank.silent = (lambda asked: "lost" if asked.method == "pm_other" else "yes"), True
    doubtful = world.shop.pay(order.id, "pm_other")
    ready = restocked(world, doubtful)
    left = world.shop.ship(order.id, ready.shipments[1].id)
    world.bank.silent = False
    world.clock.advance(hours=2)
    until_idle(world)

    after = world.shop.order(order.id)
    assert asked_of(left, 1) == [("charge", 5000, "unknown")]
    assert asked_of(after, 0)[2:] == [("capture", 5000, "confirmed"), ("void", 5000, "confirmed")]
    assert world.bank.total(*TAKEN) == after.due_minor == after.captured_minor == 10000
    assert world.bank.total(OperationKind.REFUND) == 0


# ---- less, more, again


def test_a_part_may_be_given_and_the_rest_stays_missing(store: Any) -> None:
    """Forty of a hundred, then the rest with a second card: the finding goes with the last of it."""
    world, order = a_lapsed_order(store, shipped=True)

    part = world.shop.pay(order.id, Tender(method="gift", kind="gift_card", amount_minor=4000))
    whole = world.shop.pay(order.id, "pm_other")

    assert (missing_minor(part), part.findings) == (6000, order.findings)
    assert asked_of(whole, 2) == [("charge", 1000, "confirmed"), ("authorize", 5000, "confirmed")]
    assert (missing_minor(whole), whole.findings, whole.captured_minor) == (0, (), 5000)


def test_a_part_payment_leaves_a_refused_authorization_alone() -> None:
    """Between two parts nobody asks the first card again, which would keep the second part waiting for hours."""
    world, order = an_uncaptured_order()

    part = world.shop.pay(order.id, Tender(method="gift", kind="gift_card", amount_minor=2000))
    whole = world.shop.pay(order.id, "pm_other")

    assert (missing_minor(part), asked_of(part, 0)) == (3000, asked_of(order, 0))
    assert (whole.findings, whole.paid_minor) == ((), 5000)


@pytest.mark.parametrize(
    "tenders",
    [
        [],
        [Tender(method="pm_other", amount_minor=10001)],
        [Tender(method="pm_other", amount_minor=0)],
        [Tender(method="pm_other", amount_minor=6000), Tender(method="gift", amount_minor=4001)],
        [Tender(method="pm_other"), Tender(method="gift")],
    ],
)
def test_more_than_is_missing_is_refused(tenders: list[Tender]) -> None:
    """And so is nothing, and two tenders that both take the rest; the order is as before."""
    world, order = a_lapsed_order()

    with pytest.raises(InvalidInput) as caught:
        world.shop.pay(order.id, tenders)

    assert caught.value.code == "tenders_mismatch"
    assert not tenders or caught.value.facts["missing_minor"] == 10000
    assert world.shop.order(order.id) == order


def test_a_repeat_pays_nothing_more(store: Any) -> None:
    """The same key is the same payment; another request under it is refused, and a new key finds nothing to pay."""
    world, order = a_lapsed_order(store, shipped=True)

    first = world.shop.pay(order.id, "pm_other", key="once")
    again = world.shop.pay(order.id, "pm_other", key="once")
    with pytest.raises(KeyReused):
        world.shop.pay(order.id, "pm_third", key="once")
    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(order.id, "pm_other", key="twice")

    assert again == first == world.shop.order(order.id)
    assert caught.value.code == "nothing_due"
    assert world.bank.total(OperationKind.CHARGE) == 5000


def test_an_order_that_misses_nothing_takes_nothing() -> None:
    """Neither one that is paid, nor one whose goods wait under an authorization, nor one that was cancelled."""
    world = opened({"MUG": {"berlin": 5, "madrid": 3}, "TEE": {"madrid": 4}})
    waiting = world.shop.place(a_cart(), "pm_visa")
    cancelled = world.shop.cancel(world.shop.place(a_cart(), "pm_visa").id, reason="changed_mind")

    for order in (waiting, cancelled):
        with pytest.raises(NotAllowed) as caught:
            world.shop.pay(order.id, "pm_other")
        assert (caught.value.code, offer(world, order).code) == ("nothing_due", "nothing_due")


def test_while_money_may_still_come_nobody_else_is_asked() -> None:
    """The capture was refused once and is tried again in an hour: another card would perhaps pay it a second time."""
    world = opened({"MUG": {"berlin": 1}})
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 1, "50.00"), "pm_visa")
    world.bank.say = only("pm_other")
    world.shop.ship(order.id, order.shipments[0].id)

    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(order.id, "pm_other")

    assert (caught.value.code, caught.value.facts["coming_minor"]) == ("action_in_flight", 5000)


# ---- declines and doubts


def test_a_decline_is_an_answer(store: Any) -> None:
    """Nothing is lost: what was missing is missing, its findings stand, no new one joins them, and the next card pays."""
    world, order = a_lapsed_order(store, shipped=True)

    declined = world.shop.pay(order.id, "pm_empty")
    paid = world.shop.pay(order.id, "pm_other")

    assert (declined.state, declined.findings, missing_minor(declined)) == ("confirmed", order.findings, 10000)
    assert declined.payments[1].state == "declined"
    assert answer_of(declined, [declined.payments[1].id]) == "declined"
    assert (answer_of(paid, [paid.payments[2].id]), paid.findings, paid.captured_minor) == ("accepted", (), 5000)


def test_what_one_tender_gave_stays_when_another_is_declined() -> None:
    """It is due: there is no saga that gives it back."""
    world, order = a_lapsed_order(shipped=True)

    half = world.shop.pay(
        order.id, [Tender(method="gift", kind="gift_card", amount_minor=5000), Tender(method="pm_empty")]
    )

    assert (half.captured_minor, missing_minor(half), half.findings) == (5000, 5000, order.findings)
    assert world.bank.total(OperationKind.REFUND) == 0


def test_a_decline_after_the_finding_was_attended_to_is_a_finding() -> None:
    """Somebody attended while the other card was asked, so nothing says any more that money is missing: its decline does."""
    world, order = an_uncaptured_order()
    world.bank.say = lambda _: "never"
    world.shop.pay(order.id, "pm_empty")
    attended = world.shop.attend(order.id, order.findings[0])
    world.bank.say = only("pm_other", void="yes")
    world.clock.advance(minutes=10)
    until_idle(world)
    declined = world.shop.order(order.id)
    paid = world.shop.pay(order.id, "pm_other")

    assert attended.findings == ()
    assert declined.findings == (f"charge_failed:{declined.payments[1].operations[0].id}",)
    assert (missing_minor(declined), paid.findings, paid.paid_minor) == (5000, (), 5000)


def test_a_doubt_holds_the_amount() -> None:
    """The other card's answer is lost: it is not missing, a third card is not asked, and the money is there once the answer is."""
    world, order = a_lapsed_order(shipped=True)
    world.bank.say = lambda _: "lost"
    doubtful = world.shop.pay(order.id, "pm_other")
    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(order.id, "pm_third")
    world.bank.say = lambda _: "yes"
    world.clock.advance(minutes=10)
    until_idle(world)

    after = world.shop.order(order.id)
    assert (missing_minor(doubtful), doubtful.findings) == (0, order.findings)
    assert answer_of(doubtful, [doubtful.payments[1].id]) == "unknown"
    assert (caught.value.code, after.findings, after.captured_minor) == ("action_in_flight", (), 5000)


def test_two_tenders_are_both_waited_for_before_the_finding_goes() -> None:
    """The first of two gives its part; while nobody knows of the other, money may be missing still."""
    world, order = an_uncaptured_order()
    world.bank.say = lambda asked: "yes" if asked.method == "gift" else "never"
    tenders = [Tender(method="gift", kind="gift_card", amount_minor=2000), Tender(method="pm_empty")]
    doubtful = world.shop.pay(order.id, tenders)
    world.bank.say = only("pm_other")
    world.clock.advance(minutes=10)
    until_idle(world)

    after = world.shop.order(order.id)
    assert doubtful.findings == after.findings == order.findings
    assert (after.captured_minor, missing_minor(after)) == (2000, 3000)


@pytest.mark.parametrize("confirmed", [True, False])
def test_cards_are_not_tried_without_end(confirmed: bool) -> None:
    """An order takes fifty tenders, confirmed or not; then the action is not offered any more, and the code is the same."""
    world, order = a_lapsed_order() if confirmed else (opened({"MUG": {"berlin": 9}}), None)
    world.bank.say = lambda _: "no"
    order = order or world.shop.place(a_cart(("MUG", 1, "5.00")), "pm_empty")
    for _ in range(PAYMENTS_MAX - 1):
        world.shop.pay(order.id, "pm_empty")

    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(order.id, "pm_other")

    assert (caught.value.code, caught.value.facts["tenders"]) == ("not_allowed", 50)
    assert (offer(world, order).allowed, offer(world, order).code) == (False, "not_allowed")


# ---- afterwards


def test_a_refund_is_spread_over_the_new_tender_too() -> None:
    """Both mugs come back: the newest tender is refunded first, the other its own part."""
    world, order = a_lapsed_order(shipped=True)
    world.shop.pay(order.id, Tender(method="gift", kind="gift_card", amount_minor=3000))
    world.shop.pay(order.id, "pm_other")
    ready = restocked(world, order)
    world.shop.ship(order.id, ready.shipments[1].id)
    for shipment in ready.shipments:
        world.shop.deliver(order.id, shipment.id)
    asked = world.shop.request_return(order.id, {"MUG": 2}, reason="broken")

    back = world.shop.receive_return(order.id, asked.returns[-1].id, warehouse="berlin")

    assert [payment.refunded_minor for payment in back.payments] == [0, 3000, 7000]
    assert (back.paid_minor, back.due_minor, back.refunds[-1].state) == (0, 0, "refunded")


def test_cancelling_while_the_other_card_is_asked_gives_its_money_back() -> None:
    """The charge happened and its answer was lost; the order is given up, and what came is refunded."""
    world, order = a_lapsed_order()
    world.bank.say = lambda _: "lost"
    world.shop.pay(order.id, Tender(method="gift", kind="gift_card", amount_minor=4000))
    world.bank.say = lambda _: "yes"
    world.shop.refuse(order.id, order.shipments[0].id, reason="broken")
    world.shop.cancel(order.id, reason="changed_mind")
    world.clock.advance(minutes=10)
    until_idle(world)

    after = world.shop.order(order.id)
    assert (after.state, after.captured_minor, after.paid_minor) == ("cancelled", 4000, 0)


def test_kept_shipping_is_paid_by_another_card() -> None:
    """The only goods were cancelled but for their shipping, and the mug left: the other card pays all that is due, to the cent."""
    policies = evolve(LATER, refund=RefundPolicy(cancellation_shipping=ShippingPolicy.NONE))
    world = opened({"MUG": {"berlin": 2}, "TEE": {"madrid": 1}}, policies=policies)
    cart = evolve(a_cart(shipping="4.99"), lines=()).add("MUG", 1, "50.00").add("TEE", 1, "20.00")
    order = world.shop.place(cart, "pm_visa")
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    world.bank.say = only("pm_other", void="yes")
    world.shop.ship(order.id, order.shipments[0].id)
    for _ in range(3):
        world.clock.advance(hours=1)
        until_idle(world)

    paid = world.shop.pay(order.id, "pm_other")

    assert (paid.due_minor, paid.paid_minor, paid.findings) == (5499, 5499, ())


# ---- what readers see


def test_what_is_missing_is_said(store: Any) -> None:
    """By `why` with its amount and what to do, and by the action `pay`, whose dry run moves that money."""
    world, order = a_lapsed_order(store, shipped=True)

    why, action = world.shop.why(order.id), offer(world, order)
    paid = world.shop.pay(order.id, "pm_other")

    assert why.missing_minor == action.amount_minor == 10000
    assert "100.00 EUR are missing: pay with another tender" in why.text
    assert action.preview is not None
    assert [(m.kind, m.amount_minor) for m in action.preview.money] == [("charge", 5000), ("authorize", 5000)]
    assert (world.shop.why(order.id).missing_minor, offer(world, paid).code) == (0, "nothing_due")


def test_an_order_whose_payment_failed_says_what_to_pay() -> None:
    """All of it, as before."""
    world = opened({"MUG": {"berlin": 5, "madrid": 3}, "TEE": {"madrid": 4}})
    world.bank.say = lambda _: "no"
    order = world.shop.place(a_cart(), "pm_visa")

    assert (offer(world, order).allowed, offer(world, order).amount_minor) == (True, order.due_minor)
    assert world.shop.why(order.id).missing_minor == order.due_minor


def test_the_log_tells_what_happened() -> None:
    """Which tender was added for how much, what was asked of it, and which findings went with it."""
    world, order = a_lapsed_order(shipped=True)

    world.shop.pay(order.id, "pm_other", actor="staff:eva")

    told = [(entry.event, entry.actor) for entry in world.shop.timeline(order.id).entries][-6:]
    assert told == [
        ("payment.added", "staff:eva"),
        ("charge.requested", "staff:eva"),
        ("authorization.requested", "staff:eva"),
        ("payment.captured", "staff:eva"),
        ("payment.authorized", "staff:eva"),
        ("order.nothing_missing", "staff:eva"),
    ]


def test_everything_is_charged_where_money_is_taken_at_once() -> None:
    """Under capture at once everything that is missing is charged, whatever waits."""
    _, order = a_lapsed_order()
    facts = evolve(order.facts, policies=Policies(capture=CaptureMode.NOW))

    decision = covered(evolve(order, facts=facts), [Tender(method="pm_other")], NOON)

    assert [(o.kind.value, o.amount_minor) for o in decision.order.payments[1].operations] == [("charge", 10000)]


@pytest.mark.parametrize("deed", ["returned", "cancelled"])
def test_what_is_given_up_while_another_card_is_in_doubt_is_settled_when_it_declines(deed: str) -> None:
    """Nothing is due any more once the card says no: the refund is done without money, and the first card is let go."""
    world, order = an_uncaptured_order() if deed == "returned" else a_half_held_order()
    world.bank.silent, world.bank.say = True, lambda _: "never"
    world.shop.pay(order.id, "pm_empty")
    if deed == "returned":
        world.shop.deliver(order.id, order.shipments[0].id)
        back = world.shop.request_return(order.id, {"MUG": 1}, reason="too_small").returns[-1]
        world.shop.receive_return(order.id, back.id, warehouse="berlin")
    else:
        world.shop.cancel(order.id, reason="changed_mind")
    world.bank.silent, world.bank.say = False, only(void="yes")
    for _ in range(24):
        world.clock.advance(hours=2)
        until_idle(world)
    after = world.shop.order(order.id)

    assert after.payments[-1].state == "declined"
    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert (after.due_minor, after.paid_minor, [p.capturable_minor for p in after.payments]) == (
        0,
        0,
        [0] * len(after.payments),
    )


def test_a_card_that_pays_its_next_parcel_is_not_asked_again_for_what_it_refused() -> None:
    """The other card's first capture is refused for good, its second is paid: the finding stays, and the 50.00 are there to pay for a third."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=70)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 3, "50.00", backorder=True), "pm_visa")
    world.bank.expires_after = timedelta(days=700)
    world.bank.say = lambda _: "no"
    world.clock.advance(days=71)
    until_idle(world)
    world.bank.say = only("pm_third", authorize="yes")
    world.shop.pay(order.id, "pm_other")
    world.shop.ship(order.id, order.shipments[0].id)
    for _ in range(4):
        world.clock.advance(hours=1)
        until_idle(world)
    restocked(world, order)
    world.bank.say = only("pm_third", capture="yes")

    after = world.shop.ship(order.id, world.shop.order(order.id).shipments[-1].id)

    assert asked_of(after, 1)[1:] == [("capture", 5000, "refused"), ("capture", 5000, "confirmed")]
    assert (after.findings, missing_minor(after)) == ((f"capture_failed:{after.payments[1].operations[1].id}",), 5000)
    assert world.shop.pay(order.id, "pm_third").findings == ()
