"""Refunds that were done and came back: the money is owed again, a person is asked, and it goes back once more, once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import orderkit
from orderkit import Order, Policies, Tender, VirtualClock
from orderkit.domain import answering
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import RefundPolicy, TenderOrder
from orderkit.domain.status import axes
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from orderkit.ports.store import Message
from orderkit_fakepsp import FakePayments
from orderkit_memory import MemoryDocuments
from tests.flows.test_done_after_all import first_refund, returned_in_vain
from tests.flows.test_late_answers import pass_days, told_after_all
from tests.invoices import amounts
from tests.missing import opened, restocked, until_idle
from tests.shops import NOON, World, a_cart


def a_refunded_order(mugs: int = 1) -> tuple[World, Order]:
    """One of some mugs for 50.00 came back, and its money went back."""
    return a_returned_mug(lambda _: "yes", mugs=mugs)


def a_returned_mug(say: Callable[[MoveMoney], str], *, mugs: int = 1) -> tuple[World, Order]:
    """One of some mugs for 50.00 came back, to which the bank says something."""
    world = opened({"MUG": {"berlin": mugs}})
    order = world.shop.place(a_cart(("MUG", mugs, "50.00")), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.bank.say = say
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    until_idle(world)
    return world, world.shop.order(order.id)


def told_of(world: World, order: Order, operation_id: str, *, says: str = "1") -> None:
    """The provider tells something about an operation."""
    _, operation = order.operation(operation_id)
    told = Message(
        source="psp",
        id=f"{says}:{operation.key}",
        kind="payment.refund_failed",
        reference=operation.key,
        received_at=world.clock.now(),
        data={},
    )
    world.shop.receive_message(told)


def comes_back(world: World, order: Order, operation_id: str) -> Order:
    """The customer's bank sends the money of a refund back, and the provider tells."""
    _, operation = order.operation(operation_id)
    world.bank.came_back.add(operation.key)
    told_of(world, order, operation_id)
    until_idle(world)
    return world.shop.order(order.id)


def test_a_refund_that_comes_back_is_owed_again_and_says_so() -> None:
    """It has failed, a finding asks for a person, and nothing is sent to where it came back from by itself."""
    world, order = a_refunded_order()
    after = comes_back(world, order, first_refund(order))
    pass_days(world, 2)

    assert world.shop.order(order.id) == after
    assert [refund.state for refund in after.refunds] == ["failed"]
    assert (after.paid_minor, after.due_minor, after.refunded_minor) == (5000, 0, 0)
    assert after.findings == (f"refund_failed:{first_refund(order)}",)
    assert after.operation(first_refund(order))[1].reason == "account_closed"
    assert (axes(order).payment, axes(after).payment) == ("refunded", "overpaid")
    assert "payment.refund_reversed" in [e.type for r in world.shop.records(order.id) for e in r.events]


def test_attended_to_it_is_sent_once_more() -> None:
    """The customer has opened another account; the refund is done again, and its finding is gone."""
    world, order = a_refunded_order()
    after = comes_back(world, order, first_refund(order))
    after = world.shop.attend(order.id, after.findings[0])

    assert [(refund.state, refund.total_minor) for refund in after.refunds] == [("refunded", 5000)]
    assert (world.bank.total(OperationKind.REFUND), after.paid_minor, after.findings) == (5000, 0, ())


def test_told_twice_it_is_booked_once() -> None:
    """The second message finds the refund owed already."""
    world, order = a_refunded_order()
    after = comes_back(world, order, first_refund(order))
    told_of(world, order, first_refund(order), says="2")

    assert world.shop.order(order.id) == after


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_answer_that_took_longer_than_the_money_to_come_back_is_not_believed(attempt: int) -> None:
    """Somebody was told that the refund is done, and stood still before he booked it."""
    world, order = a_refunded_order()
    after = comes_back(world, order, first_refund(order))

    late = answering.confirmed(after, first_refund(order), world.clock.now(), reference="ref", attempt=attempt)
    assert (late.order, late.events) == (after, ())


def test_told_before_the_yes_was_booked_it_waits_for_a_person_all_the_same() -> None:
    """The answer was lost, and the money came back before anybody asked; it is not sent once more to the same account."""
    world, order = a_returned_mug(lambda asked: "lost" if asked.kind is OperationKind.REFUND else "yes")
    after = comes_back(world, order, first_refund(order))
    pass_days(world, 2)

    assert world.shop.order(order.id) == after
    assert ([refund.state for refund in after.refunds], after.findings) == (
        ["failed"],
        (f"refund_failed:{first_refund(order)}",),
    )
    assert (after.refunded_minor, after.paid_minor) == (0, 5000)


def test_a_yes_of_an_earlier_attempt_is_the_attempt_that_comes_back() -> None:
    """The first try was not found, so another was to follow; then it turns out to have been done, and comes back."""
    world, order = a_returned_mug(lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes")
    first = order.operation(first_refund(order))[1]
    done = answering.confirmed(order, first.id, world.clock.now(), reference="ref", attempt=1)
    back = answering.refund_reversed(done.order, first.id, 1, world.clock.now(), reason="account_closed")
    other = answering.refund_reversed(done.order, first.id, 2, world.clock.now(), reason="account_closed")

    assert (first.attempt, done.order.operation(first.id)[1].key) == (2, f"{first.id}/1")
    assert (back.order.refunded_minor, back.order.findings) == (0, (f"refund_failed:{first.id}",))
    assert other.order is done.order


def test_nothing_is_sent_again_because_something_else_is_answered() -> None:
    """One part of a refund came back; that the other is known by now is no reason to send the first once more."""
    world = opened({"MUG": {"berlin": 1}}, policies=Policies())
    tenders = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), tenders)
    world.bank.say = lambda asked: "never" if asked.method == "pm_visa" else "yes"
    world.bank.silent = True
    order = world.shop.cancel(order.id, reason="changed_mind")
    other = next(o.id for p, o in order.operations() if o.kind is OperationKind.REFUND and p.method == "pm_other")
    world.bank.silent = False
    world.bank.say = lambda _: "yes"
    comes_back(world, order, other)
    pass_days(world, 1)
    after = world.shop.order(order.id)
    again = world.shop.attend(order.id, *after.findings)

    assert (after.refunded_minor, after.findings) == (2000, (f"refund_failed:{other}",))
    assert (again.refunded_minor, again.findings, [refund.state for refund in again.refunds]) == (
        5000,
        (),
        ["refunded"],
    )


def test_what_else_belongs_to_the_refund_goes_out() -> None:
    """Cancelled while a second card was in doubt: the first one's part came back, and that of the second goes back when it turns out to have paid."""
    world = opened({"MUG": {"berlin": 1}}, policies=Policies())
    world.bank.say = lambda asked: "lost" if asked.method == "pm_other" else "yes"
    world.bank.silent = True
    tenders = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), tenders)
    order = world.shop.cancel(order.id, reason="changed_mind")
    world.bank.say, world.bank.silent = (lambda _: "yes"), False
    back = comes_back(world, order, first_refund(order))
    pass_days(world, 1)
    after = world.shop.order(order.id)

    assert [payment.refunded_minor for payment in after.payments] == [0, 3000]
    assert (after.findings, [refund.state for refund in after.refunds]) == (back.findings, ["failed"])
    assert world.shop.attend(order.id, after.findings[0]).refunded_minor == 5000


@pytest.mark.parametrize("rule", list(TenderOrder))
def test_attended_to_it_goes_to_the_card_from_which_it_came_back(rule: TenderOrder) -> None:
    """Both cards' parts came back; somebody attends to the first, then to the second; whatever the rule for other refunds is."""
    world = opened({"MUG": {"berlin": 1}}, policies=Policies(refund=RefundPolicy(tender_order=rule)))
    tenders = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), tenders)
    order = world.shop.cancel(order.id, reason="changed_mind")
    back = order
    for payment, operation in order.operations():
        if operation.kind is OperationKind.REFUND:
            back = comes_back(world, back, operation.id)
            assert back.payment(payment.id).refunded_minor == 0
    after = back
    for paid, finding in zip(([2000, 0], [2000, 3000]), sorted(back.findings), strict=True):
        after = world.shop.attend(order.id, finding)
        assert [payment.refunded_minor for payment in after.payments] == paid
    assert (after.findings, [refund.state for refund in after.refunds]) == ((), ["refunded"])


@pytest.mark.parametrize("what", ["a parcel leaves", "a cancellation", "good will"])
def test_nothing_is_sent_before_though_goods_wait(what: str) -> None:
    """Parcels are paid for as they leave, so the shop has no more than is due; what came back is put aside all the same."""
    world = opened({"MUG": {"berlin": 2}})
    cart = evolve(a_cart(), lines=()).add("MUG", 5, "50.00", backorder=True)
    order = world.shop.place(cart, "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    order = world.shop.receive_return(order.id, back.id, warehouse="berlin")
    order = comes_back(world, order, first_refund(order))
    match what:
        case "a parcel leaves":
            restocked(world, order)  # beside the one that came back
            (parcel,) = [shipment for shipment in world.shop.order(order.id).shipments if shipment.waiting]
            world.shop.ship(order.id, parcel.id)
        case "a cancellation":
            world.shop.cancel(order.id, {1: 1}, reason="changed_mind")
        case _:
            world.shop.refund(order.id, "1.00", reason="sorry")
    pass_days(world, 1)
    after = world.shop.order(order.id)
    again = world.shop.attend(order.id, order.findings[0])

    assert after.findings == order.findings
    assert after.refund(f"{order.id}-F1").state == "failed"
    assert again.refund(f"{order.id}-F1").state == "refunded"
    assert (again.findings, again.refunded_minor - after.refunded_minor) == ((), 5000)


def test_what_is_not_owed_any_more_keeps_nothing_from_another_refund() -> None:
    """Two refunds came back; of the first an earlier try turns out to have been done. Who attends to the second sees it paid."""
    world = opened({"MUG": {"berlin": 3}}, policies=Policies())
    order = world.shop.place(a_cart(("MUG", 3, "50.00")), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    world.shop.refund(order.id, "50.00", reason="sorry")
    pass_days(world, 1)
    refused = world.shop.order(order.id)
    world.bank.say = lambda _: "yes"
    order = world.shop.attend(order.id, refused.findings[0])
    order = world.shop.refund(order.id, "50.00", reason="sorry")
    for operation in [o for _, o in order.operations() if o.kind is OperationKind.REFUND and o.state == "confirmed"]:
        order = comes_back(world, order, operation.id)
    told_after_all(world, refused, first_refund(refused))
    until_idle(world)
    known = world.shop.order(order.id)
    after = world.shop.attend(order.id, known.findings[0])

    assert [refund.state for refund in known.refunds] == ["refunded", "failed"]
    assert ([refund.state for refund in after.refunds], after.refunded_minor, after.findings) == (
        ["refunded", "refunded"],
        10000,
        (),
    )


def test_another_refund_goes_out_beside_one_that_came_back() -> None:
    """What is given for good will meanwhile is sent, and what came back is put aside."""
    world, order = a_refunded_order(mugs=2)
    after = comes_back(world, order, first_refund(order))
    more = world.shop.refund(order.id, "10.00", reason="goodwill")

    assert [refund.state for refund in more.refunds] == ["failed", "refunded"]
    assert (more.refunded_minor, more.findings) == (1000, after.findings)


@pytest.mark.parametrize("card", ["yes", "no"])
def test_what_comes_back_while_a_failed_order_is_paid_again_waits_for_a_person(card: str) -> None:
    """Two cards, one of which gave nothing: the other's money went back, comes back, and nobody knows yet whether it is needed."""
    world = opened({"MUG": {"berlin": 1}}, policies=Policies())
    world.bank.say = lambda asked: "no" if asked.method == "pm_other" else "yes"
    tenders = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), tenders)
    world.bank.say, world.bank.silent = lambda _: "never", True
    order = world.shop.pay(order.id, "pm_third")
    world.bank.silent = False
    paying = comes_back(world, order, first_refund(order))
    world.bank.say, world.bank.denies = (lambda _: card), "declined"
    pass_days(world, 2)
    after = world.shop.order(order.id)

    assert paying.findings == after.findings == (f"refund_failed:{first_refund(order)}",)
    assert after.refunded_minor == 0
    world.bank.say = lambda _: "yes"
    assert world.shop.attend(order.id, after.findings[0]).refunded_minor == 2000


def test_a_refund_of_which_the_provider_says_nothing_is_no_dead_letter() -> None:
    """It tells that it was done, which is known, and has no answer about it any more: that is tried for a while, and then over."""
    world, order = a_refunded_order()
    world.bank.silent = True
    told_of(world, order, first_refund(order))
    for _ in range(40):
        world.clock.advance(hours=2)
        world.shop.sweep(roles=("inbox",))
    (kept,) = world.store._inbox.values()

    assert (kept.due_at, kept.note) == (None, "")


@pytest.mark.parametrize("silent", [True, False])
def test_of_a_refund_that_stays_done_nothing_changes(*, silent: bool) -> None:
    """The provider says again that it was done, or has forgotten the key, or keeps silent: then the message waits for another try."""
    world, order = a_refunded_order()
    told_of(world, order, first_refund(order))
    del world.bank.moved[order.operation(first_refund(order))[1].key]
    world.bank.silent = silent
    told_of(world, order, first_refund(order), says="2")
    world.bank.silent = False
    world.clock.advance(hours=1)
    world.shop.sweep(roles=("inbox",))

    assert world.shop.order(order.id) == order


def test_a_part_that_comes_back_is_sent_again_alone() -> None:
    """Of a refund over two cards the other part stays where it is."""
    world = opened({"MUG": {"berlin": 1}}, policies=Policies())
    tenders = [Tender(method="pm_visa", amount_minor=2000), Tender(method="pm_other")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), tenders)
    order = world.shop.cancel(order.id, reason="changed_mind")
    after = comes_back(world, order, first_refund(order))
    again = world.shop.attend(order.id, after.findings[0])

    assert (order.refunded_minor, [refund.state for refund in after.refunds]) == (5000, ["failed"])
    assert [
        o.amount_minor for _, o in again.operations() if o.kind is OperationKind.REFUND and o.state == "confirmed"
    ] == [2000, 3000]
    assert ([payment.refunded_minor for payment in again.payments], again.findings) == ([2000, 3000], ())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_second_payout_that_comes_back_leaves_nothing_to_do(kind: str, tmp_path: Path) -> None:
    """A bank did a refund that it had refused, and the resend too; the one comes back, so the customer has it once."""
    store = None if kind == "memory" else f"sqlite:///{tmp_path}/shop.db"
    world = opened({"MUG": {"berlin": 2}}, store=store)
    order = world.shop.place(a_cart(("MUG", 2, "50.00")), "pm_visa")
    world, failed = returned_in_vain(world, order, then="yes")
    order = world.shop.order(failed.id)
    told_after_all(world, failed, first_refund(failed))
    twice = world.shop.order(failed.id)
    after = comes_back(world, twice, first_refund(failed))

    assert (order.refunded_minor, twice.refunded_minor, after.refunded_minor) == (5000, 10000, 5000)
    assert ([refund.state for refund in after.refunds], after.findings) == (["refunded"], ())


@pytest.mark.parametrize("late", [True, False])
def test_its_credit_memo_stands(*, late: bool) -> None:
    """What was credited stays credited, whether its money has arrived or not, and whenever the relay comes by; there is no second memo."""
    documents = MemoryDocuments()
    world = opened({"MUG": {"berlin": 1}}, policies=Policies(), documents=documents)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    order = world.shop.cancel(order.id, reason="changed_mind")
    if not late:
        world.shop.sweep(roles=("relay",))
    after = comes_back(world, order, first_refund(order))
    world.shop.sweep(roles=("relay",))
    before = amounts(documents)
    world.shop.attend(order.id, after.findings[0])
    world.shop.sweep(roles=("relay",))

    assert before == amounts(documents) == {"invoice": 5000, "F1-memo": -5000}


def test_the_fake_provider_plays_it_from_end_to_end(tmp_path: Path) -> None:
    """Cancelled, refunded, told five days later that the money came back, attended to: the customer has it, and all books agree."""
    clock, url = VirtualClock(NOON), f"sqlite:///{tmp_path}/shop.db"
    with (
        closing(FakePayments()) as psp,
        orderkit.open(url, payments=psp, carriers="fakecarrier:", clock=clock) as shop,
    ):
        shop.put_stock("MUG", {"berlin": 1})
        order = shop.cancel(shop.place(a_cart(("MUG", 1, "50.00")), "pm_refund_reversed").id, reason="changed_mind")
        clock.advance(days=6)
        for delivery in psp.deliveries(clock.now()):
            shop.receive_message(delivery.event.message(clock.now()))
        back = shop.order(order.id)
        after = shop.attend(order.id, *back.findings)

        assert (order.refunded_minor, back.refunded_minor, after.refunded_minor) == (5000, 0, 5000)
        assert (psp.totals()[f"{order.id}-P1"].refunded_minor, after.findings) == (5000, ())
        assert list(shop.store.verify_log()) == []
