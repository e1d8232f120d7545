"""Answers that come late, or say no after all: what they bring is booked and given back, and what they do not bring is missed, not forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import NotAllowed, Order, Tender
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import RefundPolicy, ShippingPolicy
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from orderkit.ports.store import Message
from tests.missing import LATER, a_lapsed_order, an_uncaptured_order, asked_of, opened, restocked, until_idle
from tests.shops import World, a_cart

TAKEN = (OperationKind.CHARGE, OperationKind.CAPTURE)


def told_after_all(world: World, order: Order, operation_id: str) -> None:
    """The provider had refused the operation, and now it tells that it was done; its book says so too."""
    payment, operation = order.operation(operation_id)
    world.bank.moved[operation.key] = MoveMoney(
        key=operation.key,
        kind=operation.kind,
        payment=payment.id,
        method=payment.method,
        tender=payment.kind,
        amount_minor=operation.amount_minor,
        currency=order.currency,
        order_id=order.id,
        at=world.clock.now(),
    )
    told = Message(
        source="psp",
        id=f"late:{operation.key}",
        kind=f"payment.{operation.kind.value}",
        reference=operation.key,
        received_at=world.clock.now(),
        data={},
    )
    world.shop.receive_message(told)


def happened_after_all(world: World, order: Order, operation_id: str) -> Order:
    """It is told that the refused operation was done, then days pass in which the provider does all that it is asked for."""
    world.bank.say = lambda _: "yes"
    told_after_all(world, order, operation_id)
    pass_days(world, 3)
    return world.shop.order(order.id)


def pass_days(world: World, days: int) -> None:
    """Let workers do what is due for so long, every two hours."""
    for _ in range(12 * days):
        world.clock.advance(hours=2)
        until_idle(world)


# ---- a yes after all


def test_a_capture_that_happened_after_all_is_given_back_though_its_authorization_was_given_up() -> None:
    """It was refused three times, the claim was given up and the authorization voided: the money that came goes back."""
    world, order = an_uncaptured_order()
    capture = next(o.id for o in order.payments[0].operations if o.kind is OperationKind.CAPTURE)
    voided = world.shop.refund(order.id, "50.00", reason="goodwill")

    after = happened_after_all(world, voided, capture)

    assert voided.payments[0].state == "voided"
    assert (after.captured_minor, after.refunded_minor, after.findings) == (5000, 5000, ())
    assert world.bank.total(OperationKind.REFUND) == 5000


def test_a_charge_that_happened_after_all_is_given_back_though_its_payment_was_voided() -> None:
    """Attending charged what left and authorized what waits; only the authorization came, and both debts are gone before the charge is told."""
    world, order = a_lapsed_order(shipped=True)
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.CHARGE else "yes"
    short = next(found for found in order.findings if "short" in found)
    attended = world.shop.attend(order.id, short)
    charge = next(o.id for o in attended.payments[0].operations if o.kind is OperationKind.CHARGE)
    world.shop.refund(order.id, "50.00", reason="goodwill")
    off = world.shop.cancel(order.id, {"MUG": 1}, reason="changed_mind")

    after = happened_after_all(world, off, charge)

    assert off.payments[0].state == "voided"
    assert (after.due_minor, after.paid_minor, after.findings) == (0, 0, ())
    assert (world.bank.total(*TAKEN), world.bank.total(OperationKind.REFUND)) == (5000, 5000)


def test_a_second_authorization_is_known_and_given_up() -> None:
    """The refused renewal was given after all, beside the one that a person asked for: both are in the books, one is captured, the rest is voided."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=70)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    hold = world.shop.hold(order.id, reason="customer_request").holds[0].id
    world.bank.say = lambda _: "no"
    world.clock.advance(days=71)
    until_idle(world)
    lapsed = world.shop.order(order.id)
    world.bank.say = lambda _: "yes"
    again = world.shop.attend(order.id, lapsed.findings[0])

    both = happened_after_all(world, again, lapsed.payments[0].operations[1].id)
    world.shop.release_hold(order.id, hold)
    world.shop.ship(order.id, order.shipments[0].id)
    after = world.shop.order(order.id)

    assert (again.payments[0].capturable_minor, both.payments[0].capturable_minor) == (5000, 10000)
    assert (after.captured_minor, after.payments[0].capturable_minor) == (5000, 0)
    assert asked_of(after, 0)[-1] == ("void", 5000, "confirmed")


# ---- a no after all


def test_a_doubt_that_ends_with_a_no_is_one_finding() -> None:
    """The finding that an answer is missing goes once it is there, whatever it says."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.shop.hold(order.id, reason="customer_request")
    world.bank.silent, world.bank.say = True, lambda _: "never"
    world.clock.advance(days=8)
    pass_days(world, 1)
    doubtful = world.shop.order(order.id)
    world.bank.silent, world.bank.denies = False, "declined"
    pass_days(world, 1)

    after = world.shop.order(order.id)

    renewal = order.payments[0].id + ".2"
    assert doubtful.findings == (f"payment_in_doubt:{renewal}",)
    assert after.findings == (f"authorize_failed:{renewal}",)


def test_a_refund_does_not_count_on_money_in_doubt() -> None:
    """An added tee is cancelled while its gift card is asked: nobody pays it back, and the first gift card stays as it was."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    tenders = [Tender(method="gift_1", kind="gift_card", amount_minor=3000), Tender(method="pm_visa")]
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), tenders)
    world.bank.silent, world.bank.say = True, lambda asked: "never" if asked.method == "gift_2" else "yes"
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=Tender(method="gift_2", kind="gift_card"))
    cancelled = world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    world.bank.silent, world.bank.say = False, lambda asked: "no" if asked.method == "gift_2" else "yes"
    pass_days(world, 1)
    last = restocked(world, order)
    for shipment in last.shipments:
        if shipment.waiting:
            world.shop.ship(order.id, shipment.id)

    after = world.shop.order(order.id)

    assert [refund.state for refund in cancelled.refunds] == ["granted"]
    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert (after.due_minor, after.paid_minor, after.refunded_minor, after.findings) == (10000, 10000, 0, ())


def test_what_a_refused_amendment_holds_is_given_up_while_the_rest_waits() -> None:
    """Of two cards for an added tee one is declined: what the other holds is given up at once, the mug's own card holds on."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.method == "pm_third" else "yes"
    tenders = [Tender(method="pm_second", amount_minor=500), Tender(method="pm_third")]
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=tenders)
    until_idle(world)

    after = world.shop.order(order.id)

    assert [payment.state for payment in after.payments] == ["authorized", "voided", "declined"]
    assert (after.due_minor, after.payments[0].capturable_minor, after.findings) == (5000, 5000, ())


# ---- an authorization that runs out meanwhile


def test_what_was_counted_on_is_missed_when_the_authorization_runs_out_first() -> None:
    """The last parcel took less, since a charge might still come. Then the card's rest ran out, and the charge is declined."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}})
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.bank.silent, world.bank.say = True, lambda asked: "never" if asked.method == "gift" else "yes"
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=Tender(method="gift", kind="gift_card"))
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    left = world.shop.ship(order.id, order.shipments[0].id)
    world.clock.advance(days=8)
    until_idle(world)
    world.bank.silent, world.bank.say = False, lambda asked: "no" if asked.method == "gift" else "yes"
    pass_days(world, 1)

    after = world.shop.order(order.id)

    assert left.captured_minor == 3000
    assert (after.findings, missing_minor(after)) == ((f"authorization_lapsed:{order.payments[0].id}",), 2000)
    assert world.shop.pay(order.id, "pm_other").findings == ()


def test_kept_shipping_does_not_wait_for_the_answer_about_another_card() -> None:
    """The first card's capture is in doubt; what the cancelled tee's shipping costs is captured from the second before it runs out."""
    policies = evolve(LATER, refund=RefundPolicy(cancellation_shipping=ShippingPolicy.NONE))
    world = opened({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}}, policies=policies)
    world.bank.expires_after = timedelta(days=1)
    cart = evolve(a_cart(shipping="9.00"), lines=()).add("MUG", 1, "50.00").add("TEE", 1, "50.00", backorder=True)
    order = world.shop.place(cart, [Tender(method="pm_first", amount_minor=5000), Tender(method="pm_second")])
    world.bank.silent, world.bank.say = True, lambda asked: "lost" if asked.method == "pm_first" else "yes"
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    world.clock.advance(days=2)
    until_idle(world)
    world.bank.silent, world.bank.say = False, lambda _: "yes"
    pass_days(world, 1)

    after = world.shop.order(order.id)

    assert (after.due_minor, after.paid_minor, after.findings) == (5900, 5900, ())
    assert world.bank.total(*TAKEN) == 5900


def a_renewal_in_doubt(say: str = "lost") -> tuple[World, Order]:
    """The authorization for two mugs ran out, whether it was given anew nobody knows; one of the mugs left meanwhile."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=70)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    world.bank.silent, world.bank.say = True, lambda _: say
    world.clock.advance(days=71)
    until_idle(world)
    return world, world.shop.ship(order.id, order.shipments[0].id)


def test_what_left_unpaid_stays_a_finding_while_its_authorization_is_asked_for() -> None:
    """Attending finds nothing to capture yet, and says so; once the renewal is there it is captured, and nobody need attend again."""
    world, short = a_renewal_in_doubt()
    with pytest.raises(NotAllowed) as caught:
        world.shop.attend(short.id, short.findings[0])
    world.bank.silent, world.bank.say = False, lambda _: "yes"
    pass_days(world, 1)

    after = world.shop.order(short.id)

    assert (caught.value.code, caught.value.facts["missing_minor"]) == ("action_in_flight", 5000)
    assert (after.captured_minor, after.payments[0].capturable_minor, after.findings) == (5000, 5000, ())


def test_a_refused_capture_is_made_good_by_the_authorization_that_follows() -> None:
    """The authorization whose capture was refused runs out; what the card gives anew pays for what left, and holds the rest."""
    world, order = an_uncaptured_order(waiting=1, holds_for=timedelta(days=7))
    world.bank.say = lambda _: "yes"
    world.clock.advance(days=7)
    until_idle(world)

    after = world.shop.order(order.id)

    assert asked_of(after, 0)[-2:] == [("authorize", 10000, "confirmed"), ("capture", 5000, "confirmed")]
    assert (after.captured_minor, after.payments[0].capturable_minor, after.findings) == (5000, 5000, ())


def test_no_other_card_is_asked_while_a_renewal_is_in_doubt() -> None:
    """The renewal may have been given: then what left is captured from it, and another card would hold the same money."""
    world, short = a_renewal_in_doubt("never")

    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(short.id, "pm_other")
    world.bank.silent, world.bank.denies = False, "declined"
    pass_days(world, 1)

    assert (caught.value.code, caught.value.facts["coming_minor"]) == ("action_in_flight", 10000)
    assert (missing_minor(short), missing_minor(world.shop.order(short.id))) == (0, 10000)


def test_a_renewal_pays_for_all_that_left_while_an_amendment_is_in_doubt() -> None:
    """What an added tee costs is its own card's business: nothing of the renewal is kept for it."""
    world, short = a_renewal_in_doubt()
    world.shop.put_stock("TEE", {"madrid": 1})
    world.shop.amend(short.id, add=a_cart(("TEE", 1, "20.00")), pay_with="pm_second")
    world.bank.silent, world.bank.say = False, lambda _: "yes"
    pass_days(world, 1)

    after = world.shop.order(short.id)

    assert (after.captured_minor, after.findings) == (5000, ())
    assert [payment.capturable_minor for payment in after.payments] == [5000, 2000]


def test_what_an_amendment_asks_for_does_not_cover_what_left() -> None:
    """While the answer for an added tee is awaited, all of what left unpaid is missing, and another card may pay it."""
    world, order = an_uncaptured_order(waiting=1)
    world.shop.put_stock("TEE", {"berlin": 1})
    world.bank.silent, world.bank.say = True, lambda asked: "lost" if asked.method == "pm_second" else "yes"

    amended = world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with="pm_second")
    paid = world.shop.pay(order.id, "pm_other")

    assert (missing_minor(order), missing_minor(amended)) == (5000, 5000)
    assert (paid.captured_minor, paid.findings) == (5000, ())
