"""What a bank refused and did after all, and what it kept and lost: nothing goes back twice for it, and no finding outlives what it says."""

from __future__ import annotations

from datetime import timedelta

from orderkit import Order, Tender
from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from tests.flows.test_late_answers import pass_days, told_after_all
from tests.missing import an_uncaptured_order, opened, until_idle
from tests.shops import World, a_cart


def a_refund_that_failed(then: str) -> tuple[World, Order]:
    """A mug came back, its refund was refused for good and is sent again, to which the bank says something else."""
    world = opened({"MUG": {"berlin": 1}})
    return returned_in_vain(world, world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa"), then)


def returned_in_vain(world: World, order: Order, then: str) -> tuple[World, Order]:
    """Ship a mug and take it back; return the order as it was when its refund had been refused for good, and somebody attended."""
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    pass_days(world, 1)
    failed = world.shop.order(order.id)
    world.bank.say = lambda asked: then if asked.kind is OperationKind.REFUND else "yes"
    for finding in failed.findings:
        world.shop.attend(order.id, finding)
    until_idle(world)
    return world, failed


def first_refund(order: Order) -> str:
    return next(o.id for _, o in order.operations() if o.kind is OperationKind.REFUND)


def test_what_was_to_be_sent_again_is_not_once_it_went_back_after_all() -> None:
    """The resend waits for its next try when the bank tells that the first was done."""
    world, failed = a_refund_that_failed(then="no")

    told_after_all(world, failed, first_refund(failed))
    until_idle(world)
    world.bank.say = lambda _: "yes"
    pass_days(world, 1)
    after = world.shop.order(failed.id)

    assert [(refund.state, refund.total_minor) for refund in after.refunds] == [("refunded", 5000)]
    assert (world.bank.total(OperationKind.REFUND), after.refunded_minor, after.findings) == (5000, 5000, ())


def test_a_resend_in_doubt_that_was_not_done_is_no_failure_once_the_first_was() -> None:
    """Nothing is owed any more when the bank refuses it: the refund is done, and no finding asks for anybody."""
    world, failed = a_refund_that_failed(then="never")
    world.bank.silent = True
    told_after_all(world, failed, first_refund(failed))
    until_idle(world)
    doubted = world.shop.order(failed.id)
    world.bank.silent, world.bank.denies, world.bank.say = False, "declined", lambda _: "no"
    pass_days(world, 2)
    after = world.shop.order(failed.id)

    assert [refund.state for refund in doubted.refunds] == ["in_doubt"]
    assert ([refund.state for refund in after.refunds], after.paid_minor, after.findings) == (["refunded"], 0, ())


def test_of_a_refund_over_two_cards_only_what_is_too_much_is_not_sent_again() -> None:
    """The first card's part was done after all; the second card's part goes on, though a mug still waits."""
    world = opened({"MUG": {"berlin": 1}})
    cart = evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True)
    order = world.shop.place(cart, [Tender(method="pm_visa", amount_minor=3000), Tender(method="pm_other")])
    world, failed = returned_in_vain(world, order, then="no")
    told_after_all(world, failed, first_refund(failed))
    until_idle(world)
    world.bank.say = lambda _: "yes"
    pass_days(world, 2)
    after = world.shop.order(order.id)

    assert [(refund.state, refund.total_minor) for refund in after.refunds] == [("refunded", 5000)]
    assert [payment.refunded_minor for payment in after.payments] == [3000, 2000]
    assert (world.bank.total(OperationKind.REFUND), after.findings) == (5000, ())


def test_money_paid_too_much_that_was_refused_and_sent_again_is_no_finding_any_more() -> None:
    """A capture that was given up came after all, and the bank kept it; with the next change of the order it is sent again."""
    world, order = an_uncaptured_order()
    capture = next(o.id for o in order.payments[0].operations if o.kind is OperationKind.CAPTURE)
    world.shop.refund(order.id, "50.00", reason="goodwill")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    told_after_all(world, order, capture)
    pass_days(world, 1)
    kept = world.shop.order(order.id)
    world.bank.say = lambda _: "yes"
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert [finding.partition(":")[0] for finding in kept.findings] == ["refund_failed"]
    assert (after.paid_minor, after.due_minor, after.findings) == (0, 0, ())


def a_card_that_is_kept() -> tuple[World, Order]:
    """A refused amendment's card stays held, since its bank refuses to give it up; a mug of two waits, paid for by another card for a week."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    world.bank.lasts = {"pm_visa": timedelta(days=7), "pm_good": timedelta(days=9)}
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")

    def say(asked: MoveMoney) -> str:
        return "no" if asked.method == "pm_bad" or asked.kind is OperationKind.VOID else "yes"

    world.bank.say = say
    tenders = [Tender(method="pm_good", amount_minor=1500), Tender(method="pm_bad")]
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=tenders)
    pass_days(world, 1)
    return world, world.shop.order(order.id)


def kinds(order: Order) -> list[str]:
    return [finding.partition(":")[0] for finding in order.findings]


def test_what_a_bank_would_not_give_up_covers_nothing_and_is_over_when_it_runs_out() -> None:
    """The first card is renewed for all that waits, the other not at all, and its finding goes."""
    world, order = a_card_that_is_kept()
    pass_days(world, 7)
    kept = world.shop.order(order.id)
    pass_days(world, 2)
    after = world.shop.order(order.id)

    assert kinds(kept) == ["void_failed"]
    assert [payment.capturable_minor for payment in kept.payments] == [10000, 1500, 0]
    assert ([payment.capturable_minor for payment in after.payments], after.findings) == ([10000, 0, 0], ())


def test_what_a_bank_would_not_give_up_is_captured_last_and_is_no_finding_then() -> None:
    """The first card covers a part of the parcel only; the rest comes from what was held in vain, and nothing is held any more."""
    world, order = a_card_that_is_kept()
    world.bank.say = lambda asked: "no" if asked.method != "pm_good" or asked.kind is OperationKind.VOID else "yes"
    pass_days(world, 7)
    lapsed = world.shop.order(order.id)
    world.shop.ship(order.id, order.shipments[0].id)
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert kinds(lapsed) == ["void_failed", "authorize_failed"]
    assert (after.captured_minor, after.payments[1].captured_minor, "void_failed" in kinds(after)) == (
        1500,
        1500,
        False,
    )


def test_a_void_that_was_refused_waits_for_a_person_and_is_no_finding_once_it_was_done() -> None:
    """A change of the order does not ask again; the bank tells that it gave the money up after all."""
    world = opened({"MUG": {"berlin": 1}})
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.VOID else "yes"
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    world.shop.cancel(order.id, {1: 1}, reason="changed_mind")
    pass_days(world, 1)
    refused = world.shop.order(order.id)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    pass_days(world, 1)
    changed = world.shop.order(order.id)
    told_after_all(world, changed, changed.findings[0].partition(":")[2])
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert (kinds(refused), changed.findings) == (["void_failed"], refused.findings)
    assert (after.findings, after.payments[0].capturable_minor, after.paid_minor) == ((), 0, 0)
