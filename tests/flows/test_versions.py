"""A change that means one version of an order: it is looked at on every try, and a repeated key still answers with what it did."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from datetime import date
from typing import Any

import pytest

from orderkit import Address, Caller, Conflict, DeliveryPreference, Order, flows
from orderkit.domain.value import evolve
from orderkit.ports.clock import Now
from tests.shops import HOME, World, a_cart, a_world

NEXT_DOOR = evolve(HOME, street="Invalidenstr. 2")
MORE = a_cart(("MUG", 1, "12.50"))


def a_paid_order() -> tuple[World, Order]:
    """Return a world with one paid order in it."""
    world = a_world()
    return world, world.shop.place(a_cart(), "pm_visa", key="k-1")


CHANGES: dict[str, dict[str, Any]] = {
    "address": {"ship_to": NEXT_DOOR},
    "delivery": {"delivery": DeliveryPreference(not_before=date(2026, 3, 20))},
    "lines": {"add": MORE, "pay_with": "pm_visa"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_version_of_now_is_made(change: dict[str, Any]) -> None:
    """Whoever saw the latest version is heard, and a repeat of its key is answered though the version is another by then."""
    world, order = a_paid_order()

    changed = world.shop.amend(order.id, **change, expected_version=order.version, key="a-1")
    again = world.shop.amend(order.id, **change, expected_version=order.version, key="a-1")

    assert changed.version > order.version
    assert again == changed


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_an_earlier_version_is_a_conflict(change: dict[str, Any]) -> None:
    """The facts say which version there is now; nothing is changed."""
    world, order = a_paid_order()
    current = world.shop.hold(order.id, reason="manual")

    with pytest.raises(Conflict) as caught:
        world.shop.amend(order.id, **change, expected_version=order.version)

    assert (caught.value.code, caught.value.facts) == ("version_conflict", {"version": current.version})
    assert world.shop.order(order.id) == current


def test_a_change_that_loses_the_race_to_its_commit_is_a_conflict() -> None:
    """Somebody amends between the look and the commit: without a version the later one wins, with one it is refused."""
    world, order = a_paid_order()

    def faster() -> None:
        world.shop.amend(order.id, ship_to=evolve(HOME, street="Torstr. 1"))

    unconcerned = world.shop.run(_interrupted(flows.amend_address(order.id, NEXT_DOOR, Caller()), faster))
    assert unconcerned.facts.ship_to == NEXT_DOOR
    seen = flows.amend_address(order.id, HOME, Caller(), expected_version=unconcerned.version)
    with pytest.raises(Conflict) as caught:
        world.shop.run(_interrupted(seen, faster))

    assert caught.value.code == "version_conflict"
    assert _street(world, order.id) == "Torstr. 1"


def _street(world: World, order_id: str) -> str:
    to: Address = world.shop.order(order_id).facts.ship_to
    return to.street


@types.coroutine
def _interrupted(flow: Any, act: Callable[[], None]) -> Generator[Any, Any, Order]:
    """The flow; the first time that it asks for the time, after it has loaded, something else happens."""
    value, acted = None, False
    while True:
        try:
            effect = flow.send(value)
        except StopIteration as end:
            order: Order = end.value
            return order
        if type(effect) is Now and not acted:
            act()
            acted = True
        value = yield effect
