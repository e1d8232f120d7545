"""Money that is missing is missed once: no finding outlives its debt, no refusal holds up another card, and a shop may give a claim up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from orderkit import InvalidInput, NotAllowed, Order, Tender
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind
from orderkit.domain.placing import PAYMENTS_MAX
from orderkit.domain.refunds import RefundPolicy, ShippingPolicy
from orderkit.domain.value import evolve
from tests.missing import (
    LATER,
    a_half_held_order,
    a_lapsed_order,
    an_order_of_two_cards,
    an_uncaptured_order,
    asked_of,
    only,
    opened,
    restocked,
    until_idle,
)
from tests.shops import World, a_cart

# ---- parcels


def test_the_last_parcel_is_paid_although_the_one_before_was_refused() -> None:
    """The card gives 50.00 and no more: the last mug's capture asks for its own 50.00, and the first one's are still missing."""
    world, order = an_uncaptured_order(waiting=1)
    restocked(world, order)
    world.bank.say = lambda asked: "yes" if asked.amount_minor <= 5000 else "no"

    after = world.shop.ship(order.id, world.shop.order(order.id).shipments[-1].id)

    assert asked_of(after, 0)[1:] == [("capture", 5000, "refused"), ("capture", 5000, "confirmed")]
    assert (after.findings, missing_minor(after)) == (order.findings, 5000)


def test_a_finding_that_was_attended_to_takes_the_last_parcel_along_again() -> None:
    """What the bank had refused is captured once a person has attended to it, and nothing is left over."""
    world, order = an_uncaptured_order(waiting=1)
    restocked(world, order)
    world.bank.say = lambda _: "yes"
    world.shop.ship(order.id, world.shop.order(order.id).shipments[-1].id)

    after = world.shop.attend(order.id, order.findings[0])

    assert (after.captured_minor, after.findings, missing_minor(after)) == (10000, (), 0)


# ---- a debt that goes


def returned(world: World, order: Order) -> Order:
    """The mug that left comes back."""
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, {"MUG": 1}, reason="too_small").returns[-1]
    return world.shop.receive_return(order.id, back.id, warehouse="berlin")


def given_up(world: World, order: Order) -> Order:
    """The shop does not insist."""
    return world.shop.refund(order.id, "50.00", reason="goodwill")


@pytest.mark.parametrize("deed", [returned, given_up])
def test_a_finding_goes_with_its_debt(deed: Callable[[World, Order], Order]) -> None:
    """The mug whose capture was refused comes back, or the shop gives the claim up: nothing is missing, nobody has to look, no money moves."""
    world, order = an_uncaptured_order()
    world.bank.say = lambda asked: "yes" if asked.kind.value == "void" else "no"

    after = deed(world, order)
    until_idle(world)
    after = world.shop.order(order.id)

    assert (after.findings, after.due_minor, after.captured_minor) == ((), 0, 0)
    gone = [e.data["findings"] for e in world.shop.timeline(order.id).entries if e.event == "order.nothing_missing"]
    assert gone == [list(order.findings)]
    assert (after.payments[0].capturable_minor, [refund.state for refund in after.refunds]) == (0, ["refunded"])
    assert {move.kind.value for move in world.bank.moved.values()} == {"authorize", "void"}


def test_a_finding_stays_while_a_part_of_its_debt_does() -> None:
    """A part of the claim is given up: the rest is missing still."""
    world, order = an_uncaptured_order()

    after = world.shop.refund(order.id, "49.99", reason="goodwill")

    assert (after.findings, missing_minor(after)) == (order.findings, 1)


def test_no_more_is_given_up_than_is_due() -> None:
    """What is missing may be given up, and not a cent besides."""
    world, order = an_uncaptured_order()

    offered = next(action for action in world.shop.actions(order.id) if action.name == "refund")
    with pytest.raises(NotAllowed) as caught:
        world.shop.refund(order.id, "50.01", reason="goodwill")

    assert (offered.allowed, offered.amount_minor) == (True, 5000)
    assert (caught.value.code, caught.value.facts["remaining_minor"]) == ("refund_exceeds_captured", 5000)


def test_kept_shipping_that_no_card_gives_can_be_given_up() -> None:
    """A cancelled order owes its shipping, and its authorization ran out: its finding says what to do, and that helps."""
    policies = evolve(LATER, refund=RefundPolicy(cancellation_shipping=ShippingPolicy.NONE))
    world = opened({"MUG": {"berlin": 1}}, policies=policies)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(shipping="4.99"), lines=()).add("MUG", 1, "50.00"), "pm_visa")
    world.shop.hold(order.id, reason="customer_request")
    world.bank.say = lambda _: "no"
    world.clock.advance(days=8)
    until_idle(world)
    off = world.shop.cancel(order.id, reason="changed_mind")
    with pytest.raises(NotAllowed, match="has no tender") as caught:
        world.shop.attend(order.id, off.findings[0])

    after = world.shop.refund(order.id, "4.99", reason="goodwill")

    assert "goodwill" in caught.value.remedy
    assert (off.state, off.due_minor, len(off.findings)) == ("cancelled", 499, 1)
    assert (after.findings, after.due_minor, after.captured_minor) == ((), 0, 0)


def test_a_renewal_that_is_refused_after_all_was_cancelled_is_nobodys_finding() -> None:
    """The answer to it was lost, and the order is cancelled meanwhile: the other card is let go, and nothing is missing."""
    world, order = a_renewal_in_doubt()
    world.shop.cancel(order.id, reason="changed_mind")
    world.bank.silent, world.bank.say = False, lambda asked: "yes" if asked.kind.value == "void" else "no"
    for _ in range(6):
        world.clock.advance(hours=1)
        until_idle(world)

    after = world.shop.order(order.id)

    assert [payment.capturable_minor for payment in order.payments] == [3000, 0]
    assert (after.state, after.findings, [payment.capturable_minor for payment in after.payments]) == (
        "cancelled",
        (),
        [0, 0],
    )


def a_renewal_in_doubt() -> tuple[World, Order]:
    """Two cards were authorized for a mug that is on hold; the first gave its authorization again, and the second's answer is lost."""
    world, order = an_order_of_two_cards()
    world.bank.silent, world.bank.say = True, lambda asked: "yes" if asked.method == "pm_other" else "never"
    world.clock.advance(days=8)
    until_idle(world)
    return world, world.shop.order(order.id)


# ---- nobody waits for another's answer


def test_another_card_is_asked_although_a_capture_waits_for_its_next_try() -> None:
    """One mug's capture was refused and is tried again in an hour; the other card pays at once for what the lapsed part of the first held."""
    world, order = a_half_held_order()
    hold = order.holds[0].id
    world.bank.say = lambda asked: "yes" if asked.kind.value != "capture" else "no"
    world.shop.release_hold(order.id, hold)
    waiting = world.shop.ship(order.id, order.shipments[0].id)

    paid = world.shop.pay(order.id, "pm_third")

    assert asked_of(waiting, 0)[-1] == ("capture", 3000, "pending")
    assert asked_of(paid, 2) == [("charge", 2000, "confirmed")]


def test_a_card_is_asked_behind_one_in_doubt() -> None:
    """The first of two cards does not answer; the second is asked all the same, and gives its part."""
    world, order = a_lapsed_order()
    world.bank.silent, world.bank.say = True, lambda asked: "yes" if asked.method == "pm_other" else "never"

    paid = world.shop.pay(order.id, [Tender(method="pm_mute", amount_minor=4000), Tender(method="pm_other")])

    assert (asked_of(paid, 1), asked_of(paid, 2)) == (
        [("authorize", 4000, "unknown")],
        [("authorize", 6000, "confirmed")],
    )


# ---- counted on, and never come


def test_money_that_was_counted_on_for_other_lines_is_missed_when_it_does_not_come() -> None:
    """While the tender of added goods is in doubt, they turn out to be missing, and the first card is authorized anew for less: a no says so."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.shop.hold(order.id, reason="customer_request")
    world.bank.say, world.bank.silent = (lambda asked: "never" if asked.method == "pm_slow" else "yes"), True
    added = world.shop.amend(order.id, add=a_cart(("TEE", 1, "4.00")), pay_with="pm_slow").shipments[-1]
    world.shop.refuse(order.id, added.id, reason="shelf_empty", missing={2: 1})
    world.clock.advance(days=8)
    until_idle(world)
    renewed = world.shop.order(order.id)

    world.bank.say, world.bank.silent = only("pm_visa"), False
    world.clock.advance(hours=2)
    until_idle(world)
    after = world.shop.order(order.id)

    assert (renewed.due_minor, renewed.payments[0].capturable_minor, renewed.findings) == (5000, 4600, ())
    assert [finding.partition(":")[0] for finding in after.findings] == ["authorize_failed"]
    assert missing_minor(after) == 400
    assert world.shop.pay(order.id, "pm_visa").findings == ()


def test_nothing_is_held_anew_for_an_order_whose_payment_failed() -> None:
    """The second card was declined, the bank would not void the first, and its authorization runs out: that is the end of it."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=7)
    world.bank.say = lambda asked: "no" if asked.method == "pm_other" or asked.kind is OperationKind.VOID else "yes"
    cards = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), cards)
    for _ in range(4):
        world.clock.advance(hours=1)
        until_idle(world)
    world.clock.advance(days=8)
    until_idle(world)

    after = world.shop.order(order.id)

    assert (after.state, after.payments[0].capturable_minor) == ("payment_failed", 0)
    assert world.bank.total(OperationKind.AUTHORIZE) == 2000


# ---- how many


def test_an_order_is_not_placed_with_more_tenders_than_it_may_have() -> None:
    """Fifty at most, at placement and with an amendment; `pay` has a test of its own (`test_cards_are_not_tried_without_end`)."""
    world = opened({"MUG": {"berlin": 99}})
    many = [Tender(method=f"pm_{n}", amount_minor=100) for n in range(PAYMENTS_MAX + 1)]
    with pytest.raises(InvalidInput, match="51 tenders") as placing:
        world.shop.place(a_cart(("MUG", 51, "1.00")), many)
    order = world.shop.place(a_cart(("MUG", 50, "1.00")), many[:-1])
    with pytest.raises(NotAllowed) as amending:
        world.shop.amend(order.id, add=a_cart(("MUG", 1, "1.00")), pay_with=many[:1])

    assert (placing.value.code, placing.value.field) == ("tenders_mismatch", "tenders")
    assert amending.value.facts["tenders_max"] == PAYMENTS_MAX


def test_an_order_that_has_had_all_its_tenders_offers_no_more_lines() -> None:
    """What is offered is accepted: lines that cost something need a tender more, the address and the day do not."""
    world = opened({"MUG": {"berlin": 99}})
    many = [Tender(method=f"pm_{n}", amount_minor=100) for n in range(PAYMENTS_MAX)]
    order = world.shop.place(a_cart(("MUG", PAYMENTS_MAX, "1.00")), many)

    offers = {action.subject: action for action in world.shop.actions(order.id) if action.name == "amend"}

    assert {part: action.code for part, action in offers.items()} == {
        "ship_to": None,
        "delivery": None,
        "lines": "not_allowed",
    }
    assert "50 tenders" in (offers["lines"].reason or "")


def test_money_that_a_bank_would_not_pay_back_is_missing_nowhere() -> None:
    """While an authorization was in doubt something was given for good will; it was refused, and so was the refund: the shop has all that is due."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.bank.say, world.bank.silent = lambda _: "never", True
    world.clock.advance(days=8)
    until_idle(world)
    world.shop.refund(order.id, "50.00", reason="goodwill")
    world.bank.say, world.bank.silent, world.bank.denies = lambda _: "no", False, "declined"
    for _ in range(24):
        world.clock.advance(hours=2)
        until_idle(world)
    after = world.shop.order(order.id)

    assert (after.due_minor, after.paid_minor) == (5000, 5000)
    assert [finding.partition(":")[0] for finding in after.findings] == ["refund_failed"]
