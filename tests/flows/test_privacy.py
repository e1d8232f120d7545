"""Canaries in every personal field of an order, and a life with all that can happen to it: no log, number or record sings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
import structlog

from orderkit import Address, Cart, DeliveryPreference, NotAllowed, Order, OrderkitError, Tender
from orderkit.domain.events import Record
from orderkit.domain.payment import OperationKind
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from tests.shops import World, a_world

CANARIES = (
    "Canary-Name",
    "Canary-Street",
    "Canary-City",
    "99-CANARY",
    "canary@mail",
    "canary-note",
    "canary-engraving",
)


@attrs.define
class Meter:
    """Metrics that a test can read."""

    told: list[object] = attrs.Factory(list)

    def add(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
        """Remember a count."""
        self.told.append((name, amount, dict(attributes)))

    def record(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """Remember a value."""
        self.told.append((name, value, dict(attributes)))


def a_cart_of_canaries() -> Cart:
    """Return a cart that holds a canary wherever a person can be named."""
    home = Address(name="Canary-Name", street="Canary-Street 1", city="Canary-City", zip="99-CANARY", country="DE")
    cart = Cart(
        customer="c-4711", ship_to=home, contact="canary@mail.example", delivery=DeliveryPreference(note="canary-note")
    )
    return cart.add("MUG", 3, "12.50", attributes={"engraving": "canary-engraving"}).add("TEE", 1, "20.00")


def a_whole_life(world: World) -> Sequence[Order]:
    """Place three orders and let everything happen to them: splits, parcels, returns, declines, doubts, refusals."""
    shop, clock, bank = world.shop, world.clock, world.bank
    tenders = [Tender(method="gift_1", kind="gift_card", amount_minor=500), Tender(method="pm_canary-note")]
    order = shop.place(a_cart_of_canaries(), tenders, key="k-1")
    shop.amend(order.id, ship_to=evolve(order.facts.ship_to, street="Canary-Street 2"))
    first, second = shop.order(order.id).shipments
    shop.ship(order.id, first.id)
    shop.track(order.id, first.id, [Scan(id="1", status=CarrierStatus.LOST, at=clock.now(), place="Depot 7")])
    shop.ship(order.id, second.id)
    shop.deliver(order.id, second.id)
    found = shop.request_return(order.id, {second.lines[0][0]: 1}, reason="wrong").returns[0]
    shop.receive_return(order.id, found.id, warehouse="madrid")
    bank.say = lambda _: "no"
    declined = shop.place(a_cart_of_canaries(), "pm_visa", key="k-2")
    bank.say = lambda _: "lost"
    doubtful = shop.place(a_cart_of_canaries(), "pm_visa", key="k-3")
    bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    clock.advance(minutes=1)
    shop.sweep()
    with pytest.raises(NotAllowed):
        shop.cancel(order.id, reason="late")
    shop.cancel(doubtful.id, {"MUG": 1}, reason="too_many")
    for _ in range(4):
        clock.advance(hours=2)
        shop.sweep()
    return order, declined, doubtful


def sung(*told: object) -> list[str]:
    """Return the canaries that can be heard."""
    return [canary for canary in CANARIES if canary in repr(told)]


def test_no_canary_sings_in_logs_and_numbers() -> None:
    """Structlog events and metrics of a whole life name orders and outcomes, and nobody."""
    meter = Meter()
    with structlog.testing.capture_logs() as logs:
        a_whole_life(a_world({"MUG": {"berlin": 9}, "TEE": {"madrid": 9}}, logs=True, metrics=meter))

    assert {"order.placed", "shipment.lost", "return.received", "payment.refused", "provider.answered"} <= {
        log["event"] for log in logs
    }
    assert len(meter.told) > 40
    assert sung(logs, meter.told) == []


def test_no_canary_sings_in_the_log_of_the_orders() -> None:
    """Records outlive an erasure, so none of them holds who somebody is, or where."""
    world = a_world({"MUG": {"berlin": 9}, "TEE": {"madrid": 9}})
    orders = a_whole_life(world)
    records: list[Record] = [record for order in orders for record in world.shop.records(order.id)]

    assert len(records) > 15
    assert sung(*[(r.events, r.moves, r.stamp, evolve(r.change, payments=())) for r in records]) == []


def test_no_canary_sings_in_errors() -> None:
    """What is refused is said with numbers and names of things; a person's data is not repeated to whoever logs the error."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 9}})
    order = world.shop.place(a_cart_of_canaries(), "pm_visa", key="k-1")
    errors: list[Any] = []
    for act in (
        lambda: world.shop.place(evolve(a_cart_of_canaries(), reference="other"), "pm_visa", key="k-1"),
        lambda: world.shop.amend(order.id, ship_to=evolve(order.facts.ship_to, country="FR")),
        lambda: world.shop.cancel(order.id, {"MUG": 99}, reason="late"),
        lambda: world.shop.hold(order.id, reason="manual", until=world.clock.now() - timedelta(days=1)),
    ):
        with pytest.raises(OrderkitError) as caught:
            act()
        errors.append((caught.value.message, caught.value.facts, caught.value.remedy))

    assert len(errors) == 4
    assert sung(errors) == []
