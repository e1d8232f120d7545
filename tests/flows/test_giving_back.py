"""What returned goods give back: once for each unit, as the quote says, also when a parcel was lost, found or turned back."""

from __future__ import annotations

import pytest

from orderkit import Disposition, Grade, Graded, NotAllowed, Order, Policies, RefundPolicy, ReturnPolicy
from orderkit.domain.quantities import Bucket
from orderkit.domain.returning import return_cancelled, return_requested
from orderkit.domain.returns import ReturnItem
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.flows import expected_refund
from tests.shops import World, a_cart, a_world


def says(world: World, order: Order, warehouse: str, status: CarrierStatus) -> Order:
    """A carrier says something of the shipment from that warehouse."""
    shipment = next(s for s in order.shipments if s.warehouse == warehouse)
    now = world.clock.now()
    return world.shop.track(order.id, shipment.id, [Scan(id=f"{status}@{now}", status=status, at=now)])


def a_found_and_a_delivered_mug(*, also_lost: bool = True, **options: object) -> tuple[World, Order]:
    """Two mugs of one line in two parcels, both delivered; the first was lost before it was found, and its value given back."""
    world = a_world({"MUG": {"berlin": 1, "madrid": 1}}, **options)
    order = world.shop.place(a_cart(("MUG", 2, "12.50")), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    if also_lost:
        says(world, order, "berlin", CarrierStatus.LOST)
    says(world, order, "berlin", CarrierStatus.DELIVERED)
    return world, says(world, order, "madrid", CarrierStatus.DELIVERED)


def test_a_unit_found_again_gives_back_nothing_though_its_line_has_another() -> None:
    """Two mugs, one paid: the first that comes back is the one whose value was given back, the second is refunded."""
    world, order = a_found_and_a_delivered_mug()
    paid = []
    for _ in range(2):
        found = world.shop.request_return(order.id, {"MUG": 1}, reason="late").returns[-1]
        expected = expected_refund(world.shop.order(order.id), found)
        after = world.shop.receive_return(order.id, found.id, warehouse="berlin")
        paid.append((expected, after.paid_minor))

    assert paid == [(0, 1250), (1250, 0)]
    assert after.line(1)[Bucket.RESTOCKED] == 2


@pytest.mark.parametrize("approval", [False, True])
def test_of_two_open_returns_only_the_first_is_for_the_unit_that_was_given_back(approval: bool) -> None:
    """What was opened first is taken to arrive first: the quotes of two returns add up to what both give back."""
    world, order = a_found_and_a_delivered_mug(policies=Policies(returns=ReturnPolicy(approval=approval)))
    for _ in range(2):
        order = world.shop.request_return(order.id, {"MUG": 1}, reason="late")
    quoted = [expected_refund(order, each) for each in order.returns]

    for each in order.returns:
        if approval:
            world.shop.authorize_return(order.id, each.id)
        after = world.shop.receive_return(order.id, each.id, warehouse="berlin")

    assert quoted == [0, 1250]
    assert (after.paid_minor, after.refunded_minor) == (0, 2500)


def test_whichever_of_two_returns_arrives_first_the_other_is_quoted_anew() -> None:
    """The unit that comes back first is the one whose value was given back; then the quote of the other says all of its value."""
    world, order = a_found_and_a_delivered_mug()
    for _ in range(2):
        order = world.shop.request_return(order.id, {"MUG": 1}, reason="late")

    after = world.shop.receive_return(order.id, order.returns[1].id, warehouse="berlin")
    last = world.shop.receive_return(order.id, order.returns[0].id, warehouse="berlin")

    assert (after.paid_minor, expected_refund(after, after.returns[0]), last.paid_minor) == (1250, 1250, 0)


def test_the_last_of_the_open_returns_is_quoted_with_the_shipping() -> None:
    """With the last unit all of the shipping goes back, though each open return alone leaves something with the customer."""
    world = a_world()
    order = world.shop.place(a_cart(shipping="4.90"), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
        world.shop.deliver(order.id, shipment.id)
    for units in ({"MUG": 3}, {"TEE": 1}):
        order = world.shop.request_return(order.id, units, reason="late")

    assert [expected_refund(order, each) for each in order.returns] == [3750, 2490]


def test_a_unit_found_again_is_the_first_of_a_receipt() -> None:
    """Both in one parcel: one is worth nothing any more; what is sent back to the customer again takes no part in that."""
    world, order = a_found_and_a_delivered_mug()
    found = world.shop.request_return(order.id, {"MUG": 2}, reason="late").returns[0]
    graded = [
        Graded(line=1, quantity=1, grade=Grade.WRONG_ITEM, disposition=Disposition.SEND_BACK),
        Graded(line=1, quantity=1, grade=Grade.LIKE_NEW, disposition=Disposition.RESTOCK),
    ]

    both = expected_refund(world.shop.order(order.id), found)
    after = world.shop.receive_return(order.id, found.id, graded, warehouse="berlin")

    assert both == 1250
    assert (after.paid_minor, after.line(1)[Bucket.SENT_BACK]) == (1250, 1)


def test_a_unit_that_was_never_lost_is_refunded_beside_a_lost_one() -> None:
    """What is still lost, or was cancelled, is not with the customer: another unit of its line that comes back is refunded in full."""
    world = a_world({"MUG": {"berlin": 1, "madrid": 2}})
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")
    order = world.shop.cancel(order.id, {"MUG": 1}, reason="too_many")
    for shipment in order.shipments:
        if shipment.waiting:
            world.shop.ship(order.id, shipment.id)
    says(world, order, "berlin", CarrierStatus.LOST)
    says(world, order, "madrid", CarrierStatus.DELIVERED)
    found = world.shop.request_return(order.id, {"MUG": 1}, reason="late").returns[0]

    after = world.shop.receive_return(order.id, found.id, warehouse="berlin")

    assert (after.refunded_minor, after.paid_minor) == (3750, 0)


def test_what_a_return_will_give_back_is_what_its_receipt_gives() -> None:
    """For a parcel that was lost and found that is nothing; a grade that every whole unit has counts as it will on receipt."""
    world = a_world(policies=Policies(refund=RefundPolicy(grades={"like_new": 9_000}, return_label_cost_minor=100)))
    order = world.shop.place(a_cart(("MUG", 1, "12.50"), ("TEE", 1, "20.00")), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
        world.shop.deliver(order.id, shipment.id)
    order = world.shop.request_return(order.id, reason="too_small")
    expected = expected_refund(order, order.returns[0])

    after = world.shop.receive_return(order.id, order.returns[0].id, warehouse="berlin")

    assert expected == after.refunded_minor == 2825
    assert expected_refund(after, after.returns[0]) == 0


def test_a_return_that_ended_gives_back_nothing() -> None:
    """Cancelled or closed: its outstanding units are the customer's, though they come back in another return."""
    world, order = a_found_and_a_delivered_mug(also_lost=False)
    given_up = world.shop.request_return(order.id, {"MUG": 1}, reason="late").returns[0]
    order = world.shop.cancel_return(order.id, given_up.id, reason="keeps_it")
    cancelled = expected_refund(order, order.returns[0])
    found = world.shop.request_return(order.id, {"MUG": 2}, reason="late").returns[1]
    part = world.shop.receive_return(order.id, found.id, {"MUG": 1}, warehouse="berlin")
    closed = world.shop.close_return(order.id, found.id, reason="keeps_the_other")

    assert cancelled == 0
    assert expected_refund(part, part.returns[1]) == 1250
    assert [expected_refund(closed, each) for each in closed.returns] == [0, 0]


@pytest.mark.parametrize("units", [None, {"MUG": 2}, {1: 2}])
@pytest.mark.parametrize("enforce_window", [True, False])
def test_a_parcel_that_was_turned_back_comes_back_with_and_without_the_window(
    enforce_window: bool, units: dict[str | int, int] | None
) -> None:
    """No window has begun for it, so not to look at the window refuses nothing that looking at it allows."""
    world = a_world()
    order = world.shop.place(a_cart(("MUG", 2, "12.50")), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    says(world, order, order.shipments[0].warehouse, CarrierStatus.RETURN_TO_SENDER)

    order = world.shop.request_return(order.id, units, reason="refused_at_door", enforce_window=enforce_window)
    with pytest.raises(NotAllowed) as twice:
        world.shop.request_return(order.id, {1: 1}, reason="again", enforce_window=enforce_window)
    after = world.shop.receive_return(order.id, order.returns[0].id, warehouse="berlin")

    assert twice.value.code == "not_returnable"
    assert (after.refunded_minor, after.line(1)[Bucket.RESTOCKED]) == (2500, 2)


def test_a_line_that_comes_back_for_two_reasons_is_outstanding_as_a_whole() -> None:
    """Each reason is an item of the return; what has not arrived of the line is the sum of them, and ends with the return."""
    world, order = a_found_and_a_delivered_mug(also_lost=False)
    now = world.clock.now()
    items = [ReturnItem(line=1, quantity=1, reason=reason) for reason in ("damaged", "changed_mind")]
    opened = return_requested(order, items, now).order
    found = opened.returns[0]

    ended = return_cancelled(opened, found.id, reason="keeps_them").order

    assert (found.outstanding, expected_refund(opened, found)) == ({1: 2}, 2500)
    assert ended.line(1).returning == 0
