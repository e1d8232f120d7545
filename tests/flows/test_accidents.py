"""Sequences that go wrong in the middle: parcels that turn up again, answers that come late, holds that outlast a cutoff."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import CaptureMode, Cart, InvalidInput, Misconfigured, NotAllowed, Order, OrderQuery, Policies
from orderkit.domain.events import decided
from orderkit.domain.payment import OperationKind
from orderkit.domain.quantities import Bucket
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import word
from orderkit.domain.value import evolve
from orderkit.flows.advancing import advance
from orderkit.flows.kit import Caller, changed
from orderkit.flows.working import work_on
from orderkit.ports.store import ClaimDue
from tests.shops import HOME, World, a_cart, a_world

SPLIT = {"MUG": {"berlin": 3}, "TEE": {"madrid": 1}}
LATER = Policies(capture=CaptureMode.PER_SHIPMENT)


def says(world: World, order: Order, warehouse: str, status: CarrierStatus) -> Order:
    """A carrier says something of the shipment from that warehouse."""
    shipment = next(s for s in order.shipments if s.warehouse == warehouse)
    now = world.clock.now()
    return world.shop.track(order.id, shipment.id, [Scan(id=f"{status}@{now}", status=status, at=now)])


def test_a_parcel_after_a_refunded_one_is_still_captured() -> None:
    """Per shipment: the first parcel is captured, lost and wholly refunded; the second is captured for itself."""
    world = a_world(SPLIT, policies=LATER)
    order = world.shop.place(a_cart(), "pm_visa")
    mugs = next(s for s in order.shipments if s.warehouse == "berlin")
    tee = next(s for s in order.shipments if s.warehouse == "madrid")
    world.shop.ship(order.id, mugs.id)
    lost = says(world, order, "berlin", CarrierStatus.LOST)

    after = world.shop.ship(order.id, tee.id)

    assert (lost.paid_minor, lost.due_minor) == (0, 2000)
    assert after.paid_minor == after.due_minor == 2000
    assert not any(o.open for _, o in after.operations())


def test_a_refund_goes_out_whole_while_other_goods_wait() -> None:
    """Per shipment: what the customer gives back is refunded at once, not kept for a parcel that has not left."""
    world = a_world(SPLIT, policies=LATER)
    order = world.shop.place(a_cart(), "pm_visa")
    mugs, tee = sorted(order.shipments, key=lambda s: s.warehouse)
    world.shop.ship(order.id, mugs.id)
    world.shop.deliver(order.id, mugs.id)
    found = world.shop.request_return(order.id, {"MUG": 3}, reason="wrong").returns[0]

    back = world.shop.receive_return(order.id, found.id, warehouse="berlin")
    after = world.shop.ship(order.id, tee.id)

    assert (back.refunded_minor, back.paid_minor) == (3750, 0)
    assert after.paid_minor == after.due_minor == 2000


def test_shipping_is_captured_though_its_goods_were_cancelled() -> None:
    """Per shipment: when nothing waits any more, what is due and was in no parcel's share is captured."""
    world = a_world(SPLIT, policies=LATER)
    order = world.shop.place(a_cart(shipping="4.90"), "pm_visa")
    mugs, tee = sorted(order.shipments, key=lambda s: s.warehouse)
    world.shop.ship(order.id, mugs.id)

    after = world.shop.cancel(order.id, shipment=tee.id, reason="changed_mind")

    assert after.paid_minor == after.due_minor == 3750 + 490
    assert after.payments[0].capturable_minor == 0
    assert world.bank.total(OperationKind.VOID) == 2000


def test_a_parcel_found_again_may_be_returned_without_a_second_refund() -> None:
    """Its value was given back when it was lost: its return is received, and gives back nothing more."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    says(world, order, "berlin", CarrierStatus.LOST)
    says(world, order, "berlin", CarrierStatus.DELIVERED)
    found = world.shop.request_return(order.id, {"MUG": 3}, reason="late").returns[0]

    after = world.shop.receive_return(order.id, found.id, warehouse="berlin")

    assert after.refunded_minor == 3750
    assert after.line(1)[Bucket.RESTOCKED] == 3


@pytest.mark.parametrize("other", [None, CarrierStatus.DELIVERED])
def test_a_lost_parcel_that_comes_back_to_its_sender_is_received_without_a_second_refund(
    other: CarrierStatus | None,
) -> None:
    """The carrier found it and brings it back: somebody looks, its units are received onto the shelf, and no money moves again."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    if other:
        says(world, order, "madrid", other)
    lost = says(world, order, "berlin", CarrierStatus.LOST)

    back = says(world, order, "berlin", CarrierStatus.RETURN_TO_SENDER)
    found = world.shop.request_return(order.id, {"MUG": 3}, reason="turned_back").returns[0]
    after = world.shop.receive_return(order.id, found.id, warehouse="berlin")

    (shipment,) = (s for s in back.shipments if s.warehouse == "berlin")
    assert (shipment.state, back.findings) == ("returned_to_sender", (f"returned_to_sender:{shipment.id}",))
    assert word(lost) == word(back) == ("delivered" if other else "shipped")
    assert after.line(1).quantities() == {"shipped": 3, "restocked": 3}
    assert after.refunded_minor == world.bank.total(OperationKind.REFUND) == 3750
    assert [level.on_hand for level in world.shop.stock("MUG")] == [3]
    assert word(after) == "partially_returned"


def test_a_lost_parcel_that_was_turned_back_may_be_delivered_after_all() -> None:
    """Lost, found, on its way back, and yet handed over: the units are delivered, and what was given back stays given back."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    for status in (CarrierStatus.LOST, CarrierStatus.RETURN_TO_SENDER, CarrierStatus.DELIVERED):
        after = says(world, order, "berlin", status)

    assert after.line(1).quantities() == {"delivered": 3}
    assert after.refunded_minor == 3750


def test_what_is_turned_back_keeps_nobody_waiting() -> None:
    """One parcel arrived, the other goes back to its sender: nothing is on its way to the customer any more."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    says(world, order, "madrid", CarrierStatus.DELIVERED)

    after = says(world, order, "berlin", CarrierStatus.RETURN_TO_SENDER)

    assert word(after) == "delivered"


def test_two_returns_of_one_line_keep_their_units_apart() -> None:
    """One is on its way, the other was never sent: each is received, or ends, with its own units."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
        world.shop.deliver(order.id, shipment.id)
    sent = world.shop.request_return(order.id, {"MUG": 1}, reason="wrong").returns[0]
    world.shop.send_return(order.id, sent.id)
    kept = world.shop.request_return(order.id, {"MUG": 2}, reason="wrong").returns[1]

    after = world.shop.cancel_return(order.id, kept.id, reason="keeps_them")

    assert (after.line(1)[Bucket.RETURN_REQUESTED], after.line(1)[Bucket.RETURN_IN_TRANSIT]) == (0, 1)
    assert world.shop.receive_return(order.id, sent.id, warehouse="berlin").line(1)[Bucket.RESTOCKED] == 1


def test_added_lines_do_not_leave_before_they_are_paid() -> None:
    """While the answer about the difference is awaited, their shipment stays; refused, they are dropped."""
    world = a_world()
    order = world.shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa")
    world.bank.say = lambda _: "never"
    more = world.shop.amend(order.id, add=a_cart(("TEE", 1, "20.00")), pay_with="pm_visa")
    added = more.shipments[-1]

    with pytest.raises(NotAllowed) as caught:
        world.shop.ship(order.id, added.id)
    world.clock.advance(days=2)
    world.bank.say = lambda _: "no"
    for _ in range(3):
        world.shop.sweep()

    after = world.shop.order(order.id)
    assert caught.value.code == "action_in_flight"
    assert after.line(2).quantities() == {"cancelled": 1}
    assert after.paid_minor == after.due_minor == 1250


def test_what_was_given_up_in_doubt_is_not_paid_again() -> None:
    """A unit was cancelled while the payment was in doubt; a new tender pays for the others."""
    world = a_world({"MUG": {"berlin": 3}})
    world.bank.say = lambda _: "never"
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")
    world.shop.refuse(order.id, order.shipments[0].id, reason="shelf_empty", missing={1: 1})
    world.bank.say = lambda _: "no"
    world.clock.advance(seconds=30)
    world.shop.sweep()
    world.bank.say = lambda _: "yes"

    after = world.shop.pay(order.id, "pm_other")

    assert word(after) == "payment_confirmed"
    assert after.line(1).quantities() == {"reserved": 2, "cancelled": 1}
    assert after.paid_minor == after.due_minor == 2500


def test_an_authorization_that_runs_out_after_a_capture_is_renewed() -> None:
    """A part was captured, the rest waits longer than the authorization holds: it is asked for again before it leaves."""
    world = a_world(SPLIT, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(), "pm_visa")
    mugs, tee = sorted(order.shipments, key=lambda s: s.warehouse)
    world.shop.ship(order.id, mugs.id)
    held = world.shop.hold(order.id, reason="customer_request").holds[0]

    world.clock.advance(days=8)
    world.shop.sweep()
    renewed = world.shop.order(order.id)
    world.shop.release_hold(order.id, held.id)
    after = world.shop.ship(order.id, tee.id)

    assert renewed.payments[0].expires_at == world.clock.now() + timedelta(days=7)
    assert (renewed.captured_minor, renewed.authorized_minor) == (3750, 5750)
    assert after.captured_minor == after.total_minor == 5750
    assert world.bank.total(OperationKind.AUTHORIZE) == 5750 + 2000


def test_an_authorization_that_runs_out_is_renewed_while_goods_wait() -> None:
    """Nothing was captured yet: the whole amount is authorized again, and captured when the goods leave."""
    world = a_world({"MUG": {"berlin": 3}}, policies=LATER)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")
    held = world.shop.hold(order.id, reason="stock_check").holds[0]

    world.clock.advance(days=8)
    world.shop.sweep()
    world.shop.release_hold(order.id, held.id)
    after = world.shop.ship(order.id, order.shipments[0].id)

    assert after.captured_minor == 3750
    assert [o.kind.value for _, o in after.operations()] == ["authorize", "authorize", "capture"]


def test_an_order_on_hold_can_be_changed_and_cancelled_past_its_cutoff() -> None:
    """What is held has not begun: its address can be put right, and it can be cancelled, however late."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    world.shop.hold(order.id, reason="address_check")
    world.clock.advance(days=5)
    world.shop.sweep()
    elsewhere = evolve(HOME, street="Torstr. 2")

    amended = world.shop.amend(order.id, ship_to=elsewhere)
    after = world.shop.cancel(order.id, reason="fraud")

    assert amended.facts.ship_to == elsewhere
    assert (word(after), after.refunded_minor) == ("cancelled", 5750)


def test_a_failed_refund_is_sent_again_once_somebody_has_looked() -> None:
    """Attending to it sends the same refund again, which then is refunded; the money goes back once."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    for _ in range(3):
        world.clock.advance(hours=2)
        world.shop.sweep(roles=("sagas", "resolver"))
    world.bank.say = lambda _: "yes"
    failed = world.shop.order(order.id)

    after = world.shop.attend(order.id, failed.findings[0])

    assert (failed.refunds[0].state, after.refunds[0].state) == ("failed", "refunded")
    assert world.bank.total(OperationKind.REFUND) == after.refunded_minor == 2000
    assert all(operation.refund for _, operation in after.operations() if operation.kind is OperationKind.REFUND)


def test_goodwill_leaves_what_is_owed_already() -> None:
    """While a refund has failed its amount is the customer's: good will cannot promise it a second time."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    for _ in range(3):
        world.clock.advance(hours=2)
        world.shop.sweep(roles=("sagas", "resolver"))

    with pytest.raises(NotAllowed) as caught:
        world.shop.refund(order.id, "40.00", reason="sorry")

    assert caught.value.code == "refund_exceeds_captured"
    assert caught.value.facts == {"asked_minor": 4000, "remaining_minor": 3750}


def test_doubt_that_is_resolved_needs_nobody() -> None:
    """A person is asked when the provider stays silent; once it answers, the finding is gone by itself."""
    world = a_world()
    world.bank.say = lambda _: "lost"
    world.bank.silent = True
    order = world.shop.place(a_cart(), "pm_visa")
    for _ in range(8):
        world.clock.advance(minutes=20)
        world.shop.sweep()
    doubtful = world.shop.order(order.id)
    world.bank.silent = False
    world.clock.advance(hours=2)
    world.shop.sweep()

    after = world.shop.order(order.id)
    assert doubtful.findings == (f"payment_in_doubt:{order.payments[0].operations[0].id}",)
    assert (after.state, after.findings) == ("confirmed", ())
    assert world.bank.total(OperationKind.CHARGE) == after.captured_minor == 5750


def test_an_order_that_breaks_its_worker_does_not_stop_the_others() -> None:
    """Whatever one order raises is kept with it; the sweep goes on with the next."""
    world = a_world()
    first = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    second = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    bad, good = (
        world.shop.ship(order.id, order.shipments[0].id).shipments[0].tracking_number or "" for order in (first, second)
    )
    world.van.delivers(good, world.clock.now())
    world.van.breaks_on = bad

    world.clock.advance(hours=1)
    swept = world.shop.sweep(roles=("timers",))

    assert (swept.claimed, swept.failed) == (2, 1)
    assert word(world.shop.order(second.id)) == "delivered"


def test_an_order_of_a_newer_program_is_left_alone() -> None:
    """A run whose version is not known here belongs to another program: nothing is done to it, and others go on."""
    world = a_world()
    world.bank.say = lambda _: "lost"
    newer = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    other = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    runs = (evolve(newer.sagas[0], version=99),)
    before = world.shop.run(changed(newer.id, "deploy", lambda order, _: decided(order, sagas=runs), Caller()))
    world.clock.advance(minutes=5)

    swept = world.shop.sweep()

    assert swept.failed == 1
    assert world.shop.order(newer.id) == before
    assert word(world.shop.order(other.id)) == "payment_confirmed"
    with pytest.raises(Misconfigured) as caught:
        world.shop.advance(newer.id)
    assert "version 99" in caught.value.message


def test_a_parcel_booked_for_a_cancelled_shipment_is_given_up() -> None:
    """The customer cancels while the carrier is asked: nothing leaves, and the carrier is told."""
    world = a_world({"MUG": {"berlin": 3}})
    order = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    world.van.meanwhile = lambda: world.shop.cancel(order.id, reason="changed_mind")

    with pytest.raises(NotAllowed):
        world.shop.ship(order.id, order.shipments[0].id)

    assert word(world.shop.order(order.id)) == "cancelled"
    (given_up,) = world.van.cancelled
    assert given_up.startswith(f"VAN-{order.shipments[0].id}/")


def test_nothing_is_deducted_below_zero() -> None:
    """What is kept of a refund is an amount, not a way to pay out more than was paid."""
    world = a_world({"MUG": {"berlin": 3}})
    order = world.shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    found = world.shop.request_return(order.id, {"MUG": 1}, reason="wrong").returns[0]

    with pytest.raises(InvalidInput) as caught:
        world.shop.receive_return(order.id, found.id, warehouse="berlin", deduction_minor=-1)

    assert (caught.value.code, caught.value.field) == ("invalid_money", "deduction_minor")


def test_a_returned_unit_is_taken_from_the_line_that_may_come_back() -> None:
    """Two lines of one SKU, the first beyond its window: the SKU stands for the second."""
    world = a_world({"MUG": {"berlin": 1, "madrid": 1}})
    cart = a_cart(("MUG", 1, "12.50"), ("MUG", 1, "12.50"))
    order = world.shop.place(cart, "pm_visa")
    early, late = sorted(order.shipments, key=lambda s: s.lines)
    for shipment in (early, late):
        world.shop.ship(order.id, shipment.id)
    world.shop.deliver(order.id, early.id)
    world.clock.advance(days=20)
    world.shop.deliver(order.id, late.id)
    world.clock.advance(days=20)

    after = world.shop.request_return(order.id, {"MUG": 1}, reason="wrong")

    assert [item.line for item in after.returns[0].items] == [late.lines[0][0]]


def test_ordering_again_keeps_how_tax_is_counted() -> None:
    """A cart made of an earlier order has its lines, prices and tax: the same total as long as nothing was discounted."""
    world = a_world()
    cart = Cart(customer="anna", ship_to=HOME, tax_included=False).add("MUG", 2, "10.00", tax="3.80")
    order = world.shop.place(cart, "pm_visa")

    again = world.shop.place(world.shop.cart_of(order.id), "pm_visa")

    assert again.total_minor == order.total_minor == 2380
    assert again.facts.prices.tax_minor == 380


def test_an_order_that_somebody_else_brought_on_waits_for_its_own_time() -> None:
    """A worker has claimed an order when a person resolves it: the worker gives it back, and nobody looks at it before its cutoff."""
    world = a_world()
    world.bank.say = lambda _: "lost"
    order = world.shop.place(a_cart(), "pm_visa")
    world.clock.advance(minutes=1)
    (lease,) = world.store.claim_due(ClaimDue(world.clock.now(), 1))
    confirmed = world.shop.run(advance(order.id, Caller()))
    assert world.shop.run(work_on(lease))

    (row,) = world.shop.orders(OrderQuery()).items
    assert word(confirmed) == "payment_confirmed"
    assert row.due_at == confirmed.shipments[0].cutoff_at
    assert world.shop.sweep(roles=("sagas", "resolver", "timers")).claimed == 0
