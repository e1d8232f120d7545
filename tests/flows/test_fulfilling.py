"""Shipping, tracking, refusing, returning: goods on their way, and back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orderkit import (
    Disposition,
    Grade,
    Graded,
    InvalidInput,
    KeyReused,
    NotAllowed,
    Policies,
    RefundPolicy,
    ReturnPolicy,
    Warehouse,
)
from orderkit.domain.quantities import Bucket
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import axes, word
from orderkit.flows.kit import Caller, principal_of
from orderkit.flows.returning import accept_return, asked_for
from orderkit.ports.carriers import Booked
from tests.shops import World, a_cart, a_world

SPLIT = {"MUG": {"berlin": 3}, "TEE": {"madrid": 1}}


def a_shipped_order(**options: object) -> tuple[World, str]:
    """Return a world with a split order of which everything has left."""
    world = a_world(SPLIT, **options)
    order = world.shop.place(a_cart(shipping="4.90"), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    return world, order.id


def a_delivered_order(**options: object) -> tuple[World, str]:
    """The same, arrived."""
    world, order_id = a_shipped_order(**options)
    for shipment in world.shop.order(order_id).shipments:
        world.shop.deliver(order_id, shipment.id)
    return world, order_id


def test_the_parent_follows_its_shipments() -> None:
    """One of two left: partially shipped; both: shipped; both arrived: delivered."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")

    left = [word(world.shop.ship(order.id, shipment.id)) for shipment in order.shipments]
    arrived = [word(world.shop.deliver(order.id, shipment.id)) for shipment in order.shipments]

    assert left + arrived == ["partially_shipped", "shipped", "shipped", "delivered"]


def test_shipping_takes_from_the_shelf() -> None:
    """On hand and promise go down together."""
    world, _ = a_shipped_order()

    assert [(s.on_hand, s.reserved) for s in world.shop.stock()] == [(0, 0), (0, 0)]


def test_a_silent_parcel_is_polled() -> None:
    """Half an hour after the last word the carrier is asked."""
    world, order_id = a_shipped_order()
    for shipment in world.shop.order(order_id).shipments:
        world.van.delivers(shipment.tracking_number or "", world.clock.now() + timedelta(minutes=20))

    world.clock.advance(minutes=31)
    world.shop.sweep()
    world.shop.sweep()

    assert word(world.shop.order(order_id)) == "delivered"


def test_a_carrier_whose_times_have_no_zone_is_found_out() -> None:
    """Nothing of it is kept and the error names the field; once its adapter is mended, the parcel arrives."""
    world, order_id = a_shipped_order()
    before = world.shop.order(order_id)
    for shipment in before.shipments:
        world.van.delivers(shipment.tracking_number or "", world.clock.now().replace(tzinfo=None))

    world.clock.advance(minutes=31)
    failed = world.shop.sweep(roles=("timers",)).failed
    with pytest.raises(InvalidInput) as caught:
        world.shop.advance(order_id)
    kept = world.shop.order(order_id)
    for shipment in before.shipments:
        world.van.delivers(shipment.tracking_number or "", world.clock.now())
    world.clock.advance(minutes=31)
    world.shop.sweep()

    assert failed == 1
    assert (caught.value.code, caught.value.field) == ("invalid_input", "at")
    assert kept == before
    assert word(world.shop.order(order_id)) == "delivered"


def test_late_and_repeated_scans_change_nothing() -> None:
    """A parcel never goes backwards."""
    world, order_id = a_delivered_order()
    shipment = world.shop.order(order_id).shipments[0]
    late = Scan(id="old", status=CarrierStatus.IN_TRANSIT, at=world.clock.now() - timedelta(days=1))

    order = world.shop.track(order_id, shipment.id, [late, late])

    assert word(order) == "delivered"
    assert [s.id for s in order.shipment(shipment.id).scans].count("old") == 1


def test_a_lost_parcel_is_refunded_and_may_be_found() -> None:
    """Lost units are credited at once; a parcel that turns up is delivered, and nobody pays twice."""
    world, order_id = a_shipped_order()
    shipment = next(s for s in world.shop.order(order_id).shipments if s.warehouse == "madrid")
    lost = Scan(id="lost", status=CarrierStatus.LOST, at=world.clock.now())

    order = world.shop.track(order_id, shipment.id, [lost])
    assert order.line(2)[Bucket.LOST] == 1
    assert order.refunded_minor == 2000
    found = world.shop.track(
        order_id,
        shipment.id,
        [Scan(id="found", status=CarrierStatus.DELIVERED, at=world.clock.now() + timedelta(days=1))],
    )

    assert found.line(2)[Bucket.DELIVERED] == 1
    assert found.refunded_minor == 2000


def test_a_refused_shipment_goes_elsewhere() -> None:
    """Another warehouse has it: the units move there, and the shelf of the first is free."""
    world = a_world({"MUG": {"berlin": 3, "madrid": 3}})
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")
    first = order.shipments[0]

    after = world.shop.refuse(order.id, first.id, reason="strike")

    assert after.shipment(first.id).state == "cancelled"
    assert after.shipments[-1].warehouse != first.warehouse
    assert sum(level.reserved for level in world.shop.stock()) == 3


def test_a_short_shelf_is_counted_off_and_refunded() -> None:
    """What is nowhere else is cancelled and given back, and the stock is corrected."""
    world = a_world({"MUG": {"berlin": 3}})
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")

    after = world.shop.refuse(order.id, order.shipments[0].id, reason="shelf_empty", missing={1: 1})

    assert after.line(1).quantities() == {"reserved": 2, "cancelled": 1}
    assert after.refunded_minor == 1250
    assert [(s.on_hand, s.reserved) for s in world.shop.stock("MUG")] == [(2, 2)]


def test_a_return_is_refunded_on_receipt() -> None:
    """Opened with a label, refunded when it arrives, restocked where it arrives."""
    world, order_id = a_delivered_order()
    order = world.shop.request_return(order_id, {"MUG": 2}, reason="too_small")
    assert order.returns[0].label_url is not None
    assert order.refunded_minor == 0

    order = world.shop.receive_return(order_id, order.returns[0].id, warehouse="madrid")

    assert order.refunded_minor == 2500
    assert (word(order), axes(order).returns) == ("partially_returned", "partially_returned")
    assert [s.on_hand for s in world.shop.stock("MUG") if s.warehouse == "madrid"] == [2]


@pytest.mark.parametrize("warehouses", [(), (Warehouse("berlin"), Warehouse("lyon"))])
def test_a_return_is_received_where_the_shop_has_a_warehouse(warehouses: tuple[Warehouse, ...]) -> None:
    """A place that was neither described nor holds a shelf is a typing error: no goods move there, and no money."""
    world, order_id = a_delivered_order(warehouses=warehouses)
    found = world.shop.request_return(order_id, {"MUG": 2}, reason="too_small").returns[0]

    with pytest.raises(InvalidInput) as caught:
        world.shop.receive_return(order_id, found.id, warehouse="atlantis")

    assert (caught.value.code, caught.value.field) == ("unknown_warehouse", "warehouse")
    assert caught.value.facts == {"warehouses": sorted({"berlin", "madrid", *(place.id for place in warehouses)})}
    assert world.shop.order(order_id).refunded_minor == 0


def test_without_units_everything_that_may_come_back_does() -> None:
    """Repeated with its key it answers the same; without one the rule says no, and names no field that nobody sent."""
    world, order_id = a_delivered_order()

    first = world.shop.request_return(order_id, reason="wrong", key="all")
    again = world.shop.request_return(order_id, reason="wrong", key="all")
    with pytest.raises(NotAllowed) as caught:
        world.shop.request_return(order_id, reason="wrong")

    assert [(item.line, item.quantity) for item in first.returns[0].items] == [(1, 3), (2, 1)]
    assert again == first
    assert (caught.value.code, caught.value.field) == ("not_returnable", None)
    assert caught.value.message == f"nothing of order {order_id} can come back: all of it is in returns already"


def test_after_its_window_nothing_comes_back() -> None:
    """The rule that says no is the window's."""
    world, order_id = a_delivered_order()
    world.clock.advance(days=31)

    with pytest.raises(NotAllowed) as caught:
        world.shop.request_return(order_id, reason="late")

    assert caught.value.code == "return_window_closed"


def test_a_return_arrives_in_parts() -> None:
    """Two receipts add up to one; everything returned gives the shipping back too."""
    world, order_id = a_delivered_order()
    found = world.shop.request_return(order_id, {"MUG": 3, "TEE": 1}, reason="wrong").returns[0]

    part = world.shop.receive_return(order_id, found.id, {"MUG": 1}, warehouse="berlin")
    assert part.returns[0].state == "partially_received"
    whole = world.shop.receive_return(order_id, found.id, None, warehouse="berlin")

    assert whole.returns[0].state == "received"
    assert whole.refunded_minor == whole.total_minor
    assert word(whole) == "returned"


def test_grades_decide_fate_and_refund() -> None:
    """A damaged unit is written off and half refunded; a wrong item goes back and is not."""
    world, order_id = a_delivered_order(policies=Policies(refund=RefundPolicy(grades={"damaged": 5000})))  # type: ignore[arg-type]
    found = world.shop.request_return(order_id, {"MUG": 3}, reason="wrong").returns[0]
    graded = [
        Graded(line=1, quantity=1, grade=Grade.LIKE_NEW, disposition=Disposition.RESTOCK),
        Graded(line=1, quantity=1, grade=Grade.DAMAGED, disposition=Disposition.WRITE_OFF),
        Graded(line=1, quantity=1, grade=Grade.WRONG_ITEM, disposition=Disposition.SEND_BACK),
    ]

    order = world.shop.receive_return(order_id, found.id, graded, warehouse="berlin")

    assert order.refunded_minor == 1250 + 625
    assert order.line(1).quantities() == {"delivered": 3, "restocked": 1, "written_off": 1, "sent_back": 1}


def test_two_returns_never_share_a_unit() -> None:
    """The cap counts what is announced as well as what arrived."""
    world, order_id = a_delivered_order()
    world.shop.request_return(order_id, {"MUG": 2}, reason="wrong")

    with pytest.raises(NotAllowed) as caught:
        world.shop.request_return(order_id, {"MUG": 2}, reason="wrong")

    assert caught.value.facts["returnable"] == 1


def test_the_window_counts_from_delivery() -> None:
    """A day inside it is fine, a day after it is not."""
    world, order_id = a_delivered_order(policies=Policies(returns=ReturnPolicy(window=timedelta(days=30))))
    world.clock.advance(days=29)
    world.shop.request_return(order_id, {"MUG": 1}, reason="wrong")
    world.clock.advance(days=2)

    with pytest.raises(NotAllowed) as caught:
        world.shop.request_return(order_id, {"MUG": 1}, reason="wrong")

    assert caught.value.code == "return_window_closed"


def test_an_unsent_return_expires() -> None:
    """Its units are free again."""
    world, order_id = a_delivered_order()
    world.shop.request_return(order_id, {"MUG": 1}, reason="wrong")

    world.clock.advance(days=22)
    world.shop.sweep()

    order = world.shop.order(order_id)
    assert order.returns[0].state == "expired"
    assert order.line(1).returning == 0


def test_a_return_may_need_a_person() -> None:
    """With approval, the label comes after the yes; a no frees the units."""
    world, order_id = a_delivered_order(policies=Policies(returns=ReturnPolicy(approval=True)))
    order = world.shop.request_return(order_id, {"MUG": 1}, reason="wrong")
    assert (order.returns[0].state, order.returns[0].label_url) == ("requested", None)
    approved = world.shop.authorize_return(order_id, order.returns[0].id)
    assert approved.returns[0].label_url is not None
    second = world.shop.request_return(order_id, {"TEE": 1}, reason="wrong").returns[1]

    declined = world.shop.decline_return(order_id, second.id, reason="worn")

    assert declined.line(2).returning == 0


def test_shipping_twice_is_refused() -> None:
    """A second dispatch of one shipment is an error, and its tracking number stays."""
    world, order_id = a_shipped_order()
    shipment = world.shop.order(order_id).shipments[0]

    with pytest.raises(NotAllowed) as caught:
        world.shop.ship(order_id, shipment.id)

    assert caught.value.code == "already_shipped"


def booked(number: str) -> Booked:
    """Return a parcel that the host booked itself."""
    return Booked(carrier="dhl", tracking_number=number, tracking_url="", label_url="")


def test_a_repeated_key_ships_once() -> None:
    """The same request under its key answers with the order as it is, and no carrier is asked again; a fresh key is another request."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    first, second = (shipment.id for shipment in order.shipments)
    shipped = world.shop.ship(order.id, first, key="a")
    world.shop.ship(order.id, second, carrier="ups", key="b")

    again = world.shop.ship(order.id, first, key="a")
    assert again.shipment(first) == shipped.shipment(first)
    assert world.shop.ship(order.id, second, carrier="ups", key="b") == again
    for key in ("c", None):
        with pytest.raises(NotAllowed) as caught:
            world.shop.ship(order.id, first, key=key)
        assert caught.value.code == "already_shipped"


def test_the_key_of_another_dispatch_is_refused() -> None:
    """Another shipment, another carrier, a parcel booked elsewhere: each is another request, whether its shipment has left or not."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    first, second = (shipment.id for shipment in order.shipments)
    world.shop.ship(order.id, first, key="a")
    asked = [
        lambda: world.shop.ship(order.id, second, key="a"),
        lambda: world.shop.ship(order.id, first, key="a", carrier="ups"),
        lambda: world.shop.ship(order.id, first, key="a", booked=booked("T1")),
        lambda: world.shop.ship(order.id, second, key="a", booked=booked("T2")),
    ]
    for ship in asked:
        with pytest.raises(KeyReused) as caught:
            ship()
        assert (caught.value.code, caught.value.field) == ("key_reused", "key")
    assert world.shop.order(order.id).shipment(second).waiting

    world.shop.ship(order.id, second, booked=booked("T2"), key="b")
    for ship in asked:
        with pytest.raises(KeyReused):
            ship()


def test_a_parcel_booked_elsewhere_is_known_by_its_number() -> None:
    """Telling it again changes nothing; another number, or another request's key, is refused."""
    world = a_world(SPLIT)
    order = world.shop.place(a_cart(), "pm_visa")
    first, second = (shipment.id for shipment in order.shipments)
    shipped = world.shop.ship(order.id, first, booked=booked("T1"), key="a")
    world.shop.ship(order.id, second, booked=booked("T2"), key="b")

    for key in ("a", "fresh", None):
        assert world.shop.ship(order.id, first, booked=booked("T1"), key=key).shipment(first) == shipped.shipment(first)
    for number, key, code in (
        ("T3", "a", "key_reused"),
        ("T3", None, "already_shipped"),
        ("T3", "fresh", "already_shipped"),
        ("T1", "b", "key_reused"),
    ):
        with pytest.raises(NotAllowed) as caught:
            world.shop.ship(order.id, first, booked=booked(number), key=key)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ({}, "invalid_input"),
        ([(1, 1)], "invalid_input"),
        ({1: "1"}, "invalid_quantity"),
        ({1: True}, "invalid_quantity"),
        ({1: 0}, "invalid_quantity"),
        ({"MUG": 1}, "invalid_quantity"),
        ({1: 4}, "invalid_quantity"),
        ({9: 1}, "invalid_quantity"),
    ],
)
def test_missing_units_that_are_none_are_refused(missing: Any, code: str) -> None:
    """No units are not all units: the shipment waits as before, and its shelf is as full."""
    world = a_world({"MUG": {"berlin": 3}})
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")

    with pytest.raises(InvalidInput) as caught:
        world.shop.refuse(order.id, order.shipments[0].id, reason="shelf_empty", missing=missing)

    assert (caught.value.code, caught.value.field, caught.value.outcome) == (code, "missing", "not_applied")
    assert world.shop.order(order.id) == order
    assert [(s.on_hand, s.reserved) for s in world.shop.stock("MUG")] == [(3, 3)]


def test_the_key_of_another_return_is_refused() -> None:
    """Whether the window is looked at, and why goods came back, belong to what is asked."""
    world, order_id = a_delivered_order()
    found = world.shop.request_return(order_id, {"MUG": 1}, reason="wrong", key="r").returns[0]
    world.shop.receive_return(order_id, found.id, warehouse="berlin", key="in")

    with pytest.raises(KeyReused):
        world.shop.request_return(order_id, {"MUG": 1}, reason="wrong", enforce_window=False, key="r")
    with pytest.raises(KeyReused):
        world.shop.receive_return(order_id, found.id, warehouse="berlin", reason="damaged", key="in")


def test_a_sent_return_is_in_transit_until_it_arrives() -> None:
    """Units announced as sent are received from transit."""
    world, order_id = a_delivered_order()
    found = world.shop.request_return(order_id, {"MUG": 2}, reason="wrong").returns[0]
    sent = world.shop.send_return(order_id, found.id)
    assert sent.line(1)[Bucket.RETURN_IN_TRANSIT] == 2

    part = world.shop.receive_return(order_id, found.id, {"MUG": 1}, warehouse="berlin")
    closed = world.shop.close_return(order_id, found.id, reason="keeps_one")

    assert part.line(1)[Bucket.RETURN_IN_TRANSIT] == 1
    assert closed.line(1).returning == 1
    assert closed.returns[0].state == "received"


def test_a_repeat_labels_the_return_of_its_key() -> None:
    """The label of the first try failed; what a customer opened meanwhile keeps waiting for its own."""
    world, order_id = a_delivered_order()
    caller = Caller(key="k1", correlation="k1")
    world.shop.run(accept_return(order_id, {"MUG": 1}, caller, reason="too_small"))
    world.shop.run(accept_return(order_id, {"TEE": 1}, Caller(), reason="too_small"))

    after = world.shop.request_return(order_id, {"MUG": 1}, reason="too_small", key="k1")

    assert [found.label_url for found in after.returns] == [f"label:VAN-{order_id}-R1", None]


def test_anothers_key_that_reads_the_same_is_not_taken_for_it() -> None:
    """Keys belong to principals: a customer and the shop may both say k1."""
    world, order_id = a_delivered_order()
    for actor, sku in (("host", "MUG"), ("customer:anna", "TEE")):
        accepted = accept_return(
            order_id, {sku: 1}, Caller(actor=actor, key="k1", principal=principal_of(actor)), reason="worn"
        )
        world.shop.run(accepted)

    def opened(actor: str, key: str | None = "k1") -> str | None:
        caller = Caller(actor=actor, key=key, principal=principal_of(actor))
        found = world.shop.run(asked_for(world.shop.order(order_id), caller))
        return found and found.id.removeprefix(f"{order_id}-")

    assert [opened("host"), opened("staff:eve"), opened("customer:anna"), opened("customer:bob")] == [
        "R1",
        "R1",
        "R2",
        None,
    ]
    assert [opened("host", None), opened("host", "k2")] == ["R2", None]
