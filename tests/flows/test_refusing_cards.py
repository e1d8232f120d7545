"""A card that refused a capture for good still holds, but nobody counts on it: no refund is sent for it, no other card pays for its goods.

And what a bank refused to give up is asked for again when a person attends to it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import NotAllowed, Order, Tender
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from tests.flows.test_late_answers import pass_days, told_after_all
from tests.missing import opened, until_idle
from tests.shops import World, a_cart

TAKES = (OperationKind.CAPTURE, OperationKind.AUTHORIZE)


def test_the_rest_of_a_refund_is_not_sent_on_the_strength_of_a_card_that_refuses() -> None:
    """40.00 of 100.00 went out; then the tee's capture is refused for good, and the pen's card has lapsed: the rest is set off."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}, "PEN": {"berlin": 0}})
    world.bank.lasts = {"pm_pen": timedelta(days=7)}
    cart = evolve(a_cart(), lines=()).add("MUG", 1, "100.00").add("TEE", 1, "40.00")
    pay = [Tender(method="pm_visa", amount_minor=14000), Tender(method="pm_pen")]
    order = world.shop.place(cart.add("PEN", 1, "20.00", backorder=True), pay)
    mug, tee = (next(s.id for s in order.shipments if dict(s.lines).get(line)) for line in (1, 2))
    world.shop.ship(order.id, mug)
    world.shop.deliver(order.id, mug)
    world.bank.silent = True
    world.bank.say = lambda asked: {"capture": "never", "authorize": "no"}.get(asked.kind.value, "yes")
    world.shop.ship(order.id, tee)
    world.clock.advance(days=8)
    until_idle(world)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    world.bank.silent, world.bank.denies = False, "declined"
    world.bank.say = lambda asked: "no" if asked.kind in TAKES else "yes"
    pass_days(world, 3)

    after = world.shop.order(order.id)

    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert (after.due_minor, after.paid_minor, missing_minor(after)) == (6000, 6000, 0)


def a_card_that_refuses_beside_one_that_is_renewed() -> tuple[World, Order]:
    """A mug left and its card refused the capture, whose hold stands for a month; the other card's week is renewed for the mug that waits."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.lasts = {"pm_bad": timedelta(days=30), "pm_good": timedelta(days=7)}
    pay = [Tender(method="pm_bad", amount_minor=5000), Tender(method="pm_good")]
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), pay)
    world.bank.say = lambda asked: "no" if asked.method == "pm_bad" else "yes"
    world.shop.ship(order.id, order.shipments[0].id)
    pass_days(world, 8)
    return world, world.shop.order(order.id)


def test_a_renewal_for_goods_that_wait_does_not_pay_for_what_another_card_refused() -> None:
    """What left stays missing, and is said; the mug that waits is paid when it leaves."""
    world, order = a_card_that_refuses_beside_one_that_is_renewed()
    found = [finding.partition(":")[0] for finding in order.findings]

    assert (order.paid_minor, found, missing_minor(order)) == (0, ["capture_failed"], 5000)
    assert world.shop.pay(order.id, "pm_other").findings == ()


def test_a_void_that_was_refused_is_asked_for_again_when_somebody_attends() -> None:
    """The bank keeps what a refused amendment's card holds; a mug waits; a person attends, and it is given up."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.method == "pm_bad" or asked.kind is OperationKind.VOID else "yes"
    tenders = [Tender(method="pm_good", amount_minor=1500), Tender(method="pm_bad")]
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=tenders)
    pass_days(world, 1)
    kept = world.shop.order(order.id)
    world.bank.say = lambda _: "yes"

    world.shop.attend(order.id, kept.findings[0])
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert [finding.partition(":")[0] for finding in kept.findings] == ["void_failed"]
    assert ([payment.state for payment in after.payments], after.findings) == (["authorized", "voided", "declined"], ())


def test_a_second_void_after_a_late_yes_parks_nothing() -> None:
    """The first void was refused and attended to; it is done after all while the second waits, and the bank says yes to that too."""
    world = opened({"MUG": {"berlin": 1}})
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.VOID else "yes"
    world.shop.cancel(order.id, reason="changed_mind")
    pass_days(world, 1)
    kept = world.shop.order(order.id)
    world.shop.attend(order.id, kept.findings[0])
    until_idle(world)

    told_after_all(world, world.shop.order(order.id), kept.payments[0].operations[-1].id)
    world.bank.say = lambda _: "yes"
    pass_days(world, 2)
    after = world.shop.order(order.id)

    assert (after.payments[0].state, after.payments[0].capturable_minor, after.findings) == ("voided", 0, ())


def test_a_lapse_is_not_attended_to_while_the_order_is_being_paid_for() -> None:
    """One of two cards ran out, and gave no other authorization, before the other's answer was known: only then can it be asked again."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.lasts, world.bank.silent = {"pm_first": timedelta(minutes=10)}, True
    world.bank.say = lambda asked: "lost" if asked.method == "pm_second" else "yes"
    order = world.shop.place(
        a_cart(("MUG", 1, "50.00")), [Tender(method="pm_first", amount_minor=3000), Tender(method="pm_second")]
    )
    world.bank.say = lambda _: "no"
    world.clock.advance(minutes=11)
    until_idle(world)
    pending = world.shop.order(order.id)
    with pytest.raises(NotAllowed) as refused:
        world.shop.attend(order.id, pending.findings[0])
    world.bank.silent = False
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert (pending.state, refused.value.code, refused.value.field) == (
        "payment_pending",
        "action_in_flight",
        "finding",
    )
    assert (after.state, after.findings, missing_minor(after)) == ("confirmed", pending.findings, 3000)
