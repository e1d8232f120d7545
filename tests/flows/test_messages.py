"""What providers and carriers tell us unasked: late, unclear, of nobody's order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit.domain.status import axes, word
from orderkit.ports.store import Message
from tests.shops import NOON, a_cart, a_world


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


def test_a_message_of_nobody_is_tried_twelve_times() -> None:
    """It may be early, so it waits, each time twice as long; then it is left in the inbox with its reason."""
    world = a_world()
    world.shop.receive_message(a_message("shipment.scan", "JJD-unknown", status="delivered"))
    tries, wait = 1, timedelta(seconds=5)
    while True:
        world.clock.advance(seconds=wait.total_seconds())
        tried = world.shop.sweep(roles=("inbox",)).messages
        if not tried:
            break
        tries, wait = tries + tried, wait * 2

    assert tries == 12
    assert wait == timedelta(seconds=5) * 2**11
