"""Many at once for little: never oversold, never twice, and everybody gets an answer. In memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import orderkit
from orderkit import Address, Cart, NotAllowed, Order, OrderQuery, Shop
from orderkit.domain.status import word
from orderkit.plugins.manager import Plugins
from tests.shops import Van

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
CALLERS = 64


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = request.getfixturevalue("make_postgres_database")()
    Plugins().migrate_store(url)
    return url


@pytest.fixture
def shop(store_url: str) -> Iterator[Shop]:
    """A shop on that store."""
    with orderkit.open(store_url, bus=None, notifications=None, documents=None) as found:
        yield found


def cart_of(*lines: tuple[str, int]) -> Cart:
    """Return a cart at one euro a piece."""
    cart = Cart(customer="anna", ship_to=HOME, currency="EUR")
    for sku, units in lines:
        cart = cart.add(sku, units, "1.00")
    return cart


def test_the_last_units_are_sold_once(shop: Shop) -> None:
    """64 callers want pairs of three scarce SKUs: what is confirmed is covered, the rest is out of stock."""
    for sku in ("MUG", "TEE", "TENT"):
        shop.put_stock(sku, {"berlin": 7, "madrid": 6})
    carts = [cart_of(("MUG", 1), ("TEE", 1)), cart_of(("TEE", 1), ("TENT", 1)), cart_of(("TENT", 1), ("MUG", 1))]

    def buy(n: int) -> Order:
        return shop.place(carts[n % 3], "pm_visa", key=f"caller-{n}")

    with ThreadPoolExecutor(CALLERS) as pool:
        orders = list(pool.map(buy, range(CALLERS)))

    sold = Counter(line.sku for order in orders if word(order) == "payment_confirmed" for line in order.lines)
    assert {word(order) for order in orders} == {"payment_confirmed", "cancelled"}
    assert all(level.reserved <= level.on_hand for level in shop.stock())
    assert {sku: sum(level.reserved for level in shop.stock(sku)) for sku in sold} == dict(sold)
    assert max(sold.values()) <= 13
    # Nobody is refused a pair that is there: so no two SKUs have units left. How many of the third is a matter of who came first.
    assert sorted(sold.values())[1:] == [13, 13]


def test_fifty_posts_of_one_key_are_one_order(shop: Shop) -> None:
    """Fifty callers with one key get one order, and the same answer."""
    shop.put_stock("MUG", {"berlin": 500})

    with ThreadPoolExecutor(50) as pool:
        orders = list(pool.map(lambda _: shop.place(cart_of(("MUG", 3)), "pm_visa", key="one"), range(50)))

    assert {(order.id, order.total_minor, word(order)) for order in orders} == {
        (orders[0].id, 300, "payment_confirmed")
    }
    assert len(shop.orders(OrderQuery(customer="anna")).items) == 1
    assert [(s.on_hand, s.reserved) for s in shop.stock("MUG")] == [(500, 3)]


async def test_tasks_of_an_event_loop_fight_fairly(store_url: str) -> None:
    """The same for 64 tasks: never oversold, one order for one key."""
    async with await orderkit.open_async(store_url, bus=None, notifications=None, documents=None) as shop:
        await shop.put_stock("MUG", {"berlin": 20})

        orders = await asyncio.gather(
            *(shop.place(cart_of(("MUG", 1)), "pm_visa", key=f"task-{n % 40}") for n in range(CALLERS))
        )

        assert len({order.id for order in orders}) == 40
        assert Counter(word(order) for order in {order.id: order for order in orders}.values()) == {
            "payment_confirmed": 20,
            "cancelled": 20,
        }
        assert [(s.on_hand, s.reserved) for s in await shop.stock("MUG")] == [(20, 20)]


def test_two_editors_never_overwrite_each_other(shop: Shop) -> None:
    """Two people cancel different units at once: both happen, each once, and the books agree."""
    shop.put_stock("MUG", {"berlin": 50})
    order = shop.place(cart_of(("MUG", 20)), "pm_visa")

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: shop.cancel(order.id, {"MUG": 1}, reason="less", key=f"click-{n}"), range(10)))

    after = shop.order(order.id)
    assert after.line(1).quantities() == {"cancelled": 10, "reserved": 10}
    assert after.refunded_minor == 1000
    assert shop.replay(order.id) == after


@pytest.mark.parametrize("keys", [("left", "right"), (None, None), ("one", "one")])
def test_of_two_that_ship_one_shipment_one_did_it(store_url: str, keys: tuple[str | None, str | None]) -> None:
    """Both have booked its parcel when the first lets it leave: the second is told so, unless it is the same request."""
    van = Van(meanwhile=threading.Barrier(2).wait)
    with orderkit.open(store_url, carriers=van, bus=None, notifications=None, documents=None) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        order = shop.place(cart_of(("MUG", 2)), "pm_visa")
        shipment = order.shipments[0].id

        def ship(key: str | None) -> str:
            try:
                return shop.ship(order.id, shipment, key=key).shipment(shipment).state
            except NotAllowed as error:
                return error.code

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(ship, keys))

        assert answers == (["shipped", "shipped"] if keys == ("one", "one") else ["already_shipped", "shipped"])
        assert van.cancelled == []
        assert [(s.on_hand, s.reserved) for s in shop.stock("MUG")] == [(3, 0)]
