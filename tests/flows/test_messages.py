"""What providers and carriers tell us unasked: late, unclear, of nobody's order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import Order
from orderkit.domain.status import axes, word
from orderkit.ports.carriers import Booked
from orderkit.ports.store import Message
from tests.shops import NOON, World, a_cart, a_world


def a_message(kind: str, reference: str, **data: str) -> Message:
    """Return a webhook's message about that reference."""
    return Message(source="test", id=f"{kind}/{reference}", kind=kind, reference=reference, data=data, received_at=NOON)


def test_money_that_comes_twice_goes_back_once() -> None:
    """A refusal that was none: the first card's money turns up after the second has paid, and the surplus is refunded."""
    world = a_world()
    world.bank.say = lambda _: "no"
    order = world.shop.place(a_cart(), "pm_visa")
    first = order.payments[0].operations[0]
    world.bank.say = lambda _: "yes"
    world.shop.pay(order.id, "pm_other")
    world.bank.moved[first.key] = world.bank.calls[0]  # the provider finds out that it did charge

    world.shop.receive_message(a_message("payment.captured", first.key))

    after = world.shop.order(order.id)
    assert word(after) == "payment_confirmed"
    assert after.captured_minor == 2 * 5750
    assert after.paid_minor == after.due_minor == 5750
    assert axes(after).payment == "partially_refunded"


@pytest.mark.parametrize("data", [{"status": "teleported"}, {"status": "delivered", "at": "soon"}])
def test_a_message_that_nobody_understands_stops_no_other(data: dict[str, str]) -> None:
    """It waits in the inbox and is given to a person in the end; the sweep goes on."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    number = world.shop.ship(order.id, order.shipments[0].id).shipments[0].tracking_number

    fresh = world.shop.receive_message(a_message("shipment.scan", str(number), **data))
    world.clock.advance(seconds=10)

    assert fresh
    assert world.shop.sweep(roles=("inbox",)).messages == 1


def test_a_time_without_a_zone_is_read_as_utc() -> None:
    """A carrier that writes no zone is taken to mean UTC, and its parcel arrives."""
    world = a_world({"MUG": {"berlin": 3}})
    order = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    number = world.shop.ship(order.id, order.shipments[0].id).shipments[0].tracking_number

    world.shop.receive_message(a_message("shipment.scan", str(number), status="delivered", at="2026-03-04T10:00:00"))

    delivered_at = world.shop.order(order.id).shipments[0].delivered_at
    assert delivered_at is not None
    assert delivered_at.isoformat() == "2026-03-04T10:00:00+00:00"


def test_a_message_of_nobody_is_tried_twelve_times_more() -> None:
    """It may be early, so it waits, each time twice as long; then it is left in the inbox with its reason."""
    world = a_world()
    world.shop.receive_message(a_message("shipment.scan", "JJD-unknown", status="delivered"))
    tries, wait = 0, timedelta(seconds=5)
    while True:
        world.clock.advance(seconds=wait.total_seconds())
        tried = world.shop.sweep(roles=("inbox",)).messages
        if not tried:
            break
        tries, wait = tries + tried, wait * 2

    assert tries == 12
    assert wait == timedelta(seconds=5) * 2**12


def sent(world: World, carrier: str, number: str = "123") -> Order:
    """Place an order for a mug, and let it leave under that carrier's number."""
    order = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    booked = Booked(carrier=carrier, tracking_number=number, tracking_url="", label_url="")
    return world.shop.ship(order.id, order.shipments[0].id, booked=booked)


def states(world: World, *orders: Order) -> list[str]:
    """Where the shipments of these orders are now."""
    return [shipment.state for order in orders for shipment in world.shop.order(order.id).shipments]


def note(world: World, message: Message) -> str:
    """What the inbox says about a message that waits; nothing, when it does not wait."""
    kept = world.store._inbox[message.source, message.id]
    return kept.note if kept.due_at else ""


def test_a_scan_is_for_the_carrier_that_it_names() -> None:
    """Two carriers gave two customers' parcels one number; the older order's arrives, however the carrier's name is written."""
    world = a_world()
    ours, others = sent(world, "dhl"), sent(world, "ups")

    world.shop.receive_message(a_message("shipment.scan", "123", status="delivered", carrier="DHL"))

    assert states(world, ours, others) == ["delivered", "shipped"]


def test_a_scan_that_may_be_anothers_waits() -> None:
    """Without a carrier the number is that of two orders: neither moves, also when one of them has arrived, and the note names both."""
    world = a_world()
    ours, others = sent(world, "dhl"), sent(world, "ups")
    early, late = (a_message(kind, "123", status="delivered") for kind in ("shipment.scan", "shipment.again"))

    world.shop.receive_message(early)
    waited = states(world, ours, others)
    world.shop.deliver(ours.id, ours.shipments[0].id)
    world.shop.receive_message(late)

    assert waited == ["shipped", "shipped"]
    assert states(world, ours, others) == ["delivered", "shipped"]
    assert all(order.id in note(world, early) and order.id in note(world, late) for order in (ours, others))
    assert "does not tell them apart" in note(world, early)


def test_a_number_that_is_used_again_is_the_parcel_under_way() -> None:
    """One carrier, the same number months later: the first parcel is long there."""
    world = a_world()
    first = sent(world, "dhl")
    world.shop.deliver(first.id, first.shipments[0].id)
    second = sent(world, "dhl")

    world.shop.receive_message(a_message("shipment.scan", "123", status="lost"))

    assert states(world, first, second) == ["delivered", "lost"]


def test_two_parcels_of_one_carrier_under_one_number_wait() -> None:
    """Both are under way: even the carrier's name does not tell them apart."""
    world = a_world()
    orders = [sent(world, "dhl") for _ in range(2)]
    message = a_message("shipment.scan", "123", status="delivered", carrier="dhl")

    world.shop.receive_message(message)

    assert states(world, *orders) == ["shipped", "shipped"]
    assert "several orders" in note(world, message)


def test_all_shipments_of_one_parcel_arrive_together() -> None:
    """Two shipments of an order left under one number: one scan moves both, and a repeat moves neither."""
    world = a_world({"MUG": {"berlin": 3}, "TEE": {"madrid": 1}})
    order = world.shop.place(a_cart(), "pm_visa")
    booked = Booked(carrier="dhl", tracking_number="777", tracking_url="", label_url="")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id, booked=booked)

    world.shop.receive_message(a_message("shipment.scan", "777", status="delivered"))
    again = a_message("shipment.again", "777", status="delivered")
    world.shop.receive_message(again)

    assert states(world, order) == ["delivered", "delivered"]
    assert note(world, again) == ""


@pytest.mark.parametrize(("carrier", "said"), [("ups", "ups's tracking number '123'"), ("", "names no carrier")])
def test_a_carrier_that_has_no_such_parcel_moves_none(carrier: str, said: str) -> None:
    """The number is known, but from another carrier, or the carrier has no name: the message waits."""
    world = a_world()
    order = sent(world, "dhl")
    message = a_message("shipment.scan", "123", status="delivered", carrier=carrier)

    world.shop.receive_message(message)

    assert states(world, order) == ["shipped"]
    assert said in note(world, message)
