"""What a bank refused and did after all, and what it kept and lost: nothing goes back twice for it, and no finding outlives what it says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import Order, Tender
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from tests.flows.test_late_answers import pass_days, told_after_all
from tests.missing import an_uncaptured_order, opened, until_idle
from tests.shops import World, a_cart


def a_refund_that_failed(then: str) -> tuple[World, Order]:
    """A mug came back, its refund was refused for good and is sent again, to which the bank says something else."""
    world = opened({"MUG": {"berlin": 1}})
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    pass_days(world, 1)
    failed = world.shop.order(order.id)
    world.bank.say = lambda asked: then if asked.kind is OperationKind.REFUND else "yes"
    world.shop.attend(order.id, failed.findings[0])
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


@pytest.mark.parametrize(("resend", "missing"), [("lost", 5000), ("never", 0)])
def test_what_went_back_twice_is_said(resend: str, missing: int) -> None:
    """The resend is in doubt already when the first turns out done: the customer may have both, until the bank says that it did not."""
    world, failed = a_refund_that_failed(then=resend)
    world.bank.denies = "declined"
    told_after_all(world, failed, first_refund(failed))
    until_idle(world)
    doubted = world.shop.order(failed.id)
    world.bank.silent = False
    world.bank.say = lambda _: "no"
    pass_days(world, 2)
    after = world.shop.order(failed.id)

    assert [finding.partition(":")[0] for finding in doubted.findings] == ["over_refunded"]
    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert (after.findings == (), -after.paid_minor, missing_minor(after)) == (not missing, missing, missing)


def test_what_went_back_twice_is_paid_with_another_card_or_seen_to() -> None:
    """It was the bank's fault: no card is charged for it by itself."""
    world, failed = a_refund_that_failed(then="lost")
    told_after_all(world, failed, first_refund(failed))
    world.bank.say, world.bank.silent = lambda _: "yes", False
    pass_days(world, 1)
    said = world.shop.order(failed.id)

    paid = world.shop.pay(failed.id, "pm_other")

    assert (said.findings, paid.findings, paid.paid_minor) == ((f"over_refunded:{first_refund(failed)}",), (), 0)
    world, failed = a_refund_that_failed(then="lost")
    told_after_all(world, failed, first_refund(failed))
    world.bank.say, world.bank.silent = lambda _: "yes", False
    pass_days(world, 1)
    seen = world.shop.attend(failed.id, f"over_refunded:{first_refund(failed)}")
    assert (seen.findings, seen.paid_minor, missing_minor(seen)) == ((), -5000, 5000)


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


def test_what_a_bank_would_not_give_up_covers_nothing_and_is_over_when_it_runs_out() -> None:
    """A refused amendment's card stays held; the first card is renewed for all that waits, the other not at all, and its finding goes."""
    world = opened({"MUG": {"berlin": 1}, "TEE": {"berlin": 1}})
    world.bank.lasts = {"pm_visa": timedelta(days=7), "pm_good": timedelta(days=9)}
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")

    def say(asked: MoveMoney) -> str:
        return "no" if asked.method == "pm_bad" or asked.kind is OperationKind.VOID else "yes"

    world.bank.say = say
    tenders = [Tender(method="pm_good", amount_minor=1500), Tender(method="pm_bad")]
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with=tenders)
    pass_days(world, 8)
    kept = world.shop.order(order.id)
    pass_days(world, 2)
    after = world.shop.order(order.id)

    assert [finding.partition(":")[0] for finding in kept.findings] == ["void_failed"]
    assert [payment.capturable_minor for payment in kept.payments] == [10000, 1500, 0]
    assert ([payment.capturable_minor for payment in after.payments], after.findings) == ([10000, 0, 0], ())
