"""Orders whose money got stuck, for tests: their shop stays in reach, and is closed after the test (`tests/flows/conftest.py`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orderkit import CaptureMode, Order, Policies, Tender
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from tests.shops import World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)

_opened: list[World] = []


def close_all() -> None:
    """Close what a test opened."""
    while _opened:
        _opened.pop().shop.close()


def opened(stock: dict[str, dict[str, int]], **options: Any) -> World:
    """Open a shop that is closed after the test."""
    _opened.append(a_world(stock, **{"policies": LATER, **options}))
    return _opened[-1]


def only(*methods: str, **kinds: str) -> Any:
    """Return a provider's mood: it says yes to these methods only, and of the first card what is said by kind of operation."""

    def say(asked: MoveMoney) -> str:
        return "yes" if asked.method in methods else kinds.get(asked.kind.value, "no")

    return say


def until_idle(world: World) -> None:
    """Let workers do what is due."""
    while not world.shop.sweep().idle:
        pass


def a_lapsed_order(store: Any = None, *, shipped: bool = False) -> tuple[World, Order]:
    """One of two mugs is there, the other is waited for; the authorization ran out and the card gives no other. Perhaps one mug left."""
    world = opened({"MUG": {"berlin": 1}}, store=store)
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 2, "50.00", backorder=True), "pm_visa")
    world.bank.say = only("pm_other", "gift")
    world.clock.advance(days=8)
    until_idle(world)
    if shipped:
        world.shop.ship(order.id, order.shipments[0].id)
    return world, world.shop.order(order.id)


def an_uncaptured_order(
    store: Any = None, *, waiting: int = 0, holds_for: timedelta | None = None
) -> tuple[World, Order]:
    """A mug for 50.00 left, and its capture was refused three times although the authorization holds; so many others wait."""
    world = opened({"MUG": {"berlin": 1}}, store=store)
    world.bank.expires_after = holds_for
    cart = evolve(a_cart(), lines=()).add("MUG", 1 + waiting, "50.00", backorder=True)
    order = world.shop.place(cart, "pm_visa")
    world.bank.say = only("pm_other", "gift", void="yes")
    world.shop.ship(order.id, order.shipments[0].id)
    for _ in range(3):
        world.clock.advance(hours=1)
        until_idle(world)
    return world, world.shop.order(order.id)


def restocked(world: World, order: Order) -> Order:
    """The mug that was waited for comes."""
    world.shop.put_stock("MUG", {"berlin": 1})
    world.clock.advance(hours=2)
    until_idle(world)
    return world.shop.order(order.id)


def asked_of(order: Order, payment: int) -> list[tuple[str, int, str]]:
    """What was asked of a tender, and what became of it."""
    return [(o.kind.value, o.amount_minor, o.state) for o in order.payments[payment].operations]


def an_order_of_two_cards() -> tuple[World, Order]:
    """Two cards are authorized for a week, 30.00 and 20.00, for a mug that is on hold."""
    world = opened({"MUG": {"berlin": 1}})
    world.bank.expires_after = timedelta(days=7)
    order = world.shop.place(
        a_cart(("MUG", 1, "50.00")), [Tender(method="pm_other", amount_minor=3000), Tender(method="pm_second")]
    )
    return world, world.shop.hold(order.id, reason="customer_request")


def a_half_held_order() -> tuple[World, Order]:
    """Two cards were authorized for a mug that is on hold; after a week only the first gave its authorization again."""
    world, order = an_order_of_two_cards()
    world.bank.say = only("pm_other")
    world.clock.advance(days=8)
    until_idle(world)
    return world, world.shop.order(order.id)
