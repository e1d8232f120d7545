"""Glances: a status and the latest orders, out of a cache that may know nothing, something old, or nonsense."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import orderkit
from orderkit import InvalidInput, KeyReused, NotFound, PortError, Settings
from orderkit.flows.glancing import glance, remember_status
from orderkit.ports.cache import Entry, Forget, Recall, Remember
from orderkit.ports.store import FindOrders, Page
from orderkit_memory import MemoryCache, MemorySearch, MemoryStore
from tests.shops import NOON, World, a_cart, a_world


class Counted(MemoryStore):
    """A store that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def load_many(self, order_ids):  # type: ignore[no-untyped-def]  # as the store has it
        self.asked += ["Load"] * len(order_ids)
        return super().load_many(order_ids)

    def find_orders(self, asked: FindOrders) -> Page:
        self.asked.append("FindOrders")
        return super().find_orders(asked)

    def read_supply_many(self, asked):  # type: ignore[no-untyped-def]  # as the store has it
        self.asked += ["ReadSupply"] * len(asked)
        return super().read_supply_many(asked)

    def told(self) -> list[str]:
        """Return what was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked


class Lying(MemoryCache):
    """A cache that answers what it likes."""

    def __init__(self, entry: Entry | None) -> None:
        super().__init__()
        self._entry = entry

    def recall(self, asked: Recall) -> Entry | None:
        return self._entry


class Broken(MemoryCache):
    """A cache that fails at everything."""

    def remember(self, asked: Remember) -> None:
        raise PortError("away")

    def recall(self, asked: Recall) -> Entry | None:
        raise ConnectionError("away")

    def forget(self, asked: Forget) -> None:
        raise OSError("away")


class Listening(MemoryCache):
    """A cache that writes down what it is asked and told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def remember(self, asked: Remember) -> None:
        self.asked.append(asked.key)
        super().remember(asked)

    def recall(self, asked: Recall) -> Entry | None:
        self.asked.append(asked.key)
        return super().recall(asked)


class Unsearchable(MemorySearch):
    """An index that takes nothing."""

    def index(self, documents: object) -> None:
        raise PortError("the index is full")


LIES: list[Entry | None] = [
    None,
    "",
    "shipped",
    ("order-9",),
    {"status": "shipped"},
    {"status": "shipped", "customer": "anna", "tracking": "", "updated_at": "now", "version": "1"},
    {"status": "shipped", "customer": "anna", "tracking": "[]", "updated_at": NOON.isoformat(), "version": "one"},
    {"status": "shipped", "customer": "anna", "tracking": "[]", "updated_at": "2026-03-03T12:00:00", "version": "1"},
    {"status": "shipped", "customer": "anna", "tracking": "[1, {}]", "updated_at": NOON.isoformat(), "version": "1"},
    {"status": "shipped", "customer": "anna", "tracking": "7", "updated_at": NOON.isoformat(), "version": "1"},
    {"status": "shipped", "customer": "anna", "tracking": '"abc"', "updated_at": NOON.isoformat(), "version": "1"},
    {"status": "shipped", "customer": "anna", "tracking": '{"a": 1}', "updated_at": NOON.isoformat(), "version": "1"},
    {
        "status": "shipped",
        "customer": "anna",
        "tracking": "[" * 200_000,
        "updated_at": NOON.isoformat(),
        "version": "1",
    },
    {"status": "shipped", "customer": "anna", "tracking": "[]", "updated_at": NOON.isoformat(), "version": "-5"},
    {"status": "shipped", "customer": "anna", "tracking": "[]", "updated_at": NOON.isoformat(), "version": "9" * 5_000},
    {"status": "bogus", "customer": "anna", "tracking": "[]", "updated_at": NOON.isoformat(), "version": "1"},
    {"status": None, "customer": 5, "tracking": [], "updated_at": NOON, "version": 1},  # type: ignore[dict-item]  # a host's own cache
]


def with_cache(**options: object) -> tuple[World, Counted, MemoryCache]:
    """Return a world with a counting store and a cache."""
    store, cache = Counted(), MemoryCache()
    world = a_world(store=store, cache=cache, **options)
    store.told()
    return world, store, cache


def a_mug_for(customer: str, world: World) -> str:
    """Place an order a second after the last one, and return its id."""
    world.clock.advance(seconds=1)
    return world.shop.place(a_cart(("MUG", 1, "5.00"), customer=customer), "pm_visa").id


# ---- an order's status


def test_a_status_is_what_the_order_says() -> None:
    """Its one word, its parcels, when it changed, and whose it is."""
    world, _, _ = with_cache()
    order = world.shop.place(a_cart(("MUG", 7, "5.00")), "pm_visa")
    for shipment in order.shipments:
        world.shop.ship(order.id, shipment.id)
    shipped = world.shop.order(order.id)
    found = world.shop.status(order.id)

    assert found == glance(shipped) == world.shop.status(order.id)
    assert (found.order_id, found.customer, found.version) == (order.id, "anna", shipped.version)
    assert found.status == "shipped"
    assert found.tracking == tuple(s.tracking_number for s in shipped.shipments)
    assert len(found.tracking) == 2
    assert found.updated_at == shipped.updated_at


def test_a_status_is_asked_of_the_store_once() -> None:
    """Then the cache knows it; what the relay does keeps it new, and after five minutes it is asked again."""
    world, store, _ = with_cache()
    order = world.shop.place(a_cart(), "pm_visa")
    store.told()
    first, asked = world.shop.status(order.id), store.told()
    again, more = world.shop.status(order.id), store.told()

    assert asked == ["Load"]
    assert more == []
    assert first == again

    world.shop.cancel(order.id, reason="changed mind")
    assert world.shop.status(order.id).status == first.status  # the relay has not told it yet
    world.shop.sweep()
    store.told()
    assert world.shop.status(order.id).status == "cancelled"
    assert store.told() == []


def test_a_late_relay_does_not_bring_back_an_old_status() -> None:
    """Two relays loaded the order, and the one that loaded it first writes last."""
    world, _, _ = with_cache()
    order = world.shop.place(a_cart(), "pm_visa")
    world.shop.cancel(order.id, reason="changed mind")
    for each in (world.shop.order(order.id), order):
        world.shop.run(remember_status(each))

    assert world.shop.status(order.id).status == "cancelled"


@pytest.mark.parametrize("lie", LIES)
def test_nonsense_is_no_status(lie: Entry | None) -> None:
    """What others put there, or half of what should be there, is as good as nothing."""
    world = a_world(cache=Lying(lie))
    order = world.shop.place(a_cart(), "pm_visa")

    assert world.shop.status(order.id) == glance(world.shop.order(order.id))


@pytest.mark.parametrize("cache", [None, Broken()], ids=["none", "broken"])
def test_without_a_cache_the_store_answers(cache: MemoryCache | None) -> None:
    """Nothing but time is lost, in whatever the shop does."""
    world = a_world(cache=cache, settings=Settings(recalls_keys=True))
    order = world.shop.place(a_cart(), "pm_visa", key="k")
    again = world.shop.place(a_cart(), "pm_visa", key="k")
    swept = world.shop.sweep()

    assert again.id == order.id
    assert swept.error == ""
    assert world.shop.status(order.id) == glance(order)
    assert world.shop.latest("anna") == (order.id,)


@pytest.mark.parametrize("order_id", ["no-such-order", "", "\ud800"])
def test_a_status_of_no_order(order_id: str) -> None:
    """Nothing is cached of what is not there."""
    world, _, cache = with_cache()
    with pytest.raises(NotFound, match="order_not_found"):
        world.shop.status(order_id)

    assert cache._entries == {}


def test_an_index_that_fails_is_no_reason_to_tell_what_is_over() -> None:
    """The cache is told before anything else that follows from a change: its record comes again, the old status must not."""
    world, _, _ = with_cache(search=Unsearchable())
    first = a_mug_for("anna", world)
    known = world.shop.latest("anna"), world.shop.status(first).status
    second = a_mug_for("anna", world)
    world.shop.cancel(first, reason="changed mind")
    swept = world.shop.sweep()

    assert "the index is full" in swept.error
    assert known == ((first,), "payment_confirmed")
    assert world.shop.status(first).status == "cancelled"
    assert world.shop.latest("anna") == (second, first)


# ---- a customer's latest orders


def test_the_latest_orders_are_read_once_and_the_newest_is_among_them() -> None:
    """Newest first, twenty at most; a new one is there as soon as the relay has told of it."""
    world, store, _ = with_cache(stock={"MUG": {"berlin": 100}})
    ids = [a_mug_for("anna", world) for _ in range(22)][::-1]
    a_mug_for("ben", world)
    store.told()

    assert world.shop.latest("anna") == tuple(ids[:20])
    assert world.shop.latest("anna") == tuple(ids[:20])
    assert store.told() == ["FindOrders"]

    newest = a_mug_for("anna", world)
    world.shop.sweep()
    assert world.shop.latest("anna") == (newest, *ids[:19])


def test_a_list_that_was_read_before_the_newest_order_does_not_come_back() -> None:
    """A reader holds the old list while an order is placed and told, and remembers it then: for a minute nobody listens to such lists."""
    world, _, cache = with_cache()
    old, new = a_mug_for("anna", world), a_mug_for("anna", world)
    world.shop.sweep()
    cache.remember(Remember("user_orders:anna", (old,), 3_600))

    assert world.shop.latest("anna") == (new, old)


def test_who_has_no_orders_is_not_remembered() -> None:
    """Else anybody could fill the cache with names."""
    world, _, cache = with_cache()

    assert world.shop.latest("nobody") == ()
    assert cache._entries == {}


@pytest.mark.parametrize("lie", [lie for lie in LIES if not isinstance(lie, tuple)])
def test_nonsense_is_no_list(lie: Entry | None) -> None:
    """A list is a list."""
    world = a_world(cache=Lying(lie))
    order = world.shop.place(a_cart(), "pm_visa")

    assert world.shop.latest("anna") == (order.id,)


def test_a_customer_is_a_text_that_can_be_kept() -> None:
    """Said before anything is asked."""
    world, _, _ = with_cache()
    with pytest.raises(InvalidInput) as refused:
        world.shop.latest("\ud800")

    assert refused.value.field == "customer"


# ---- keys


def test_a_repeat_that_the_cache_knows_plans_nothing() -> None:
    """The first placement tells the cache of its key, for a day; a repeat then costs a look at the store."""
    world, store, cache = with_cache(settings=Settings(recalls_keys=True))
    order = world.shop.place(a_cart(), "pm_visa", key="checkout-1", actor="customer:anna")
    store.told()
    again = world.shop.place(a_cart(), "pm_visa", key="checkout-1", actor="customer:anna")

    assert again.id == order.id
    assert "ReadSupply" not in store.told()
    assert cache.recall(Recall("idempotency:customer:anna:place:checkout-1")) == order.id


def test_by_itself_placing_does_not_ask_the_cache() -> None:
    """It is a trip for every order, so the host says whether it is worth it."""
    world, _, cache = with_cache()
    world.shop.place(a_cart(), "pm_visa", key="checkout-1")

    assert cache._entries == {}


@pytest.mark.parametrize("lie", ["order-9", ("x",), {"a": "b"}, ""])
def test_a_cache_that_lies_about_a_key_loses_no_order(lie: Entry) -> None:
    """It says that the key is spent: the store is asked, says that it is not, and the order is placed."""
    world = a_world(cache=Lying(lie), settings=Settings(recalls_keys=True))
    order = world.shop.place(a_cart(), "pm_visa", key="k")

    assert order.state == "confirmed"
    assert world.shop.place(a_cart(), "pm_visa", key="k").id == order.id
    assert len(world.bank.calls) == 1


def test_another_request_under_a_known_key_is_refused() -> None:
    """Whether the cache knows the key or not."""
    world, _, cache = with_cache(settings=Settings(recalls_keys=True))
    world.shop.place(a_cart(), "pm_visa", key="k")
    for _ in range(2):
        with pytest.raises(KeyReused):
            world.shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k")
        cache._entries.clear()


def test_a_dry_run_and_a_hosts_transaction_ask_no_cache(tmp_path: Path) -> None:
    """There nothing may leave the process: they go without, and nothing is told before the host's COMMIT."""
    cache = Listening()
    with (
        orderkit.open(f"sqlite:///{tmp_path}/shop.db", cache=cache, settings=Settings(recalls_keys=True)) as shop,
        closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as connection,
    ):
        shop.put_stock("MUG", {"berlin": 5})
        shop.plan.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k")
        connection.execute("BEGIN IMMEDIATE")
        staged = shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k", tx=connection)
        connection.execute("COMMIT")
        quiet = list(cache.asked)
        again = shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k")

    assert quiet == []
    assert again.id == staged.id
    assert cache.asked == ["idempotency:shop:place:k"]


async def test_the_same_on_an_event_loop() -> None:
    """A status, a list, a key and a dry run."""
    cache = MemoryCache()
    async with await orderkit.open_async(
        "memory:", cache=cache, settings=Settings(recalls_keys=True), clock=orderkit.VirtualClock(NOON)
    ) as shop:
        await shop.put_stock("MUG", {"berlin": 5})
        await shop.plan.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k")
        empty = dict(cache._entries)
        order = await shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k")
        again = await asyncio.gather(*(shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa", key="k") for _ in range(3)))

        assert empty == {}
        assert {each.id for each in again} == {order.id}
        assert await shop.status(order.id) == glance(order)
        assert await shop.latest("anna") == (order.id,)
