"""The cache is flushed, killed and stopped while orders are placed, changed and looked at: time is lost, and nothing else."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

import orderkit
from orderkit import NotAllowed, Shop
from orderkit.domain.value import evolve
from orderkit.flows.glancing import glance
from orderkit.plugins.manager import Plugins
from orderkit.ports.cache import Recall
from tests.caches import RedisServer
from tests.chaos.books import acknowledged, examined, settled
from tests.chaos.placer import again
from tests.chaos.processes import until
from tests.chaos.scale import scale
from tests.chaos.shops import METHODS, SETTINGS, a_cart, stocked

pytest.importorskip("redis", reason="pip install 'orderkit[redis]'")

from orderkit_redis import RedisCache, open_cache

pytestmark = [pytest.mark.chaos, pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]
QUIET: dict[str, Any] = {"bus": None, "notifications": None, "documents": None}
CACHED = evolve(SETTINGS, recalls_keys=True, reacts=True)
NEWEST = 50  # of so many orders the threads choose


@attrs.define
class Crowd:
    """Threads that place orders, change them and look at them until they are stopped, and what they found wrong."""

    shop: Shop
    cache: RedisCache
    store: str
    acks: Path
    wrong: list[str] = attrs.Factory(list)
    _known: list[str] = attrs.Factory(list)
    _numbers: Iterator[int] = attrs.Factory(itertools.count)
    _threads: list[tuple[threading.Thread, threading.Event]] = attrs.Factory(list)

    def start(self, work: Callable[[random.Random], None]) -> None:
        """Do some work in a thread of its own, again and again."""
        enough, dice = threading.Event(), random.Random(len(self._threads))

        def run() -> None:
            try:
                while not enough.is_set():
                    work(dice)
            except Exception as error:  # noqa: BLE001  (the test tells it)
                self.wrong.append(repr(error))

        self._threads.append((threading.Thread(target=run), enough))
        self._threads[-1][0].start()

    def end(self, first: int = 0) -> None:
        """Stop the threads, or those that were started first."""
        chosen = self._threads[: first or None]
        for _, enough in chosen:
            enough.set()
        for thread, _ in chosen:
            thread.join()

    def place(self, _: random.Random) -> None:
        """Send a placement twice under one key: it makes one order."""
        n = next(self._numbers)
        method, key = METHODS[n % len(METHODS)], f"key-{n}"
        first, second = (again(lambda: self.shop.place(a_cart(n), method, key=key)).id for _ in range(2))
        if first != second:
            self.wrong.append(f"{key} made {first} and {second}")
        with self.acks.open("a", encoding="utf-8") as file:
            file.write(f"{key} {first} placed\n")
        self._known.append(first)

    def change(self, dice: random.Random) -> None:
        """Give an order two more versions."""
        with contextlib.suppress(NotAllowed, IndexError):  # its payment failed; there is none yet
            order_id = dice.choice(self._known[-NEWEST:])
            order = again(lambda: self.shop.hold(order_id, reason="manual"))
            again(lambda: self.shop.release_hold(order_id, order.active_holds[0].id))

    def look(self, dice: random.Random) -> None:
        """Look at an order, which fills the cache as well."""
        with contextlib.suppress(IndexError):  # there is none yet
            order_id = dice.choice(self._known[-NEWEST:])
            again(lambda: self.shop.status(order_id))

    def sweep(self, _: random.Random) -> None:
        """Relay, and go on with what is due."""
        again(self.shop.sweep)
        time.sleep(0.05)


@pytest.fixture
def crowd(make_postgres_database: Callable[[], str], redis_server: RedisServer, tmp_path: Path) -> Iterator[Crowd]:
    """A shop on PostgreSQL with a cache, and nobody in it yet."""
    scale()
    store = make_postgres_database()
    Plugins().migrate_store(store)
    payments = f"fakepsp:///{tmp_path}/psp.db"
    with (
        closing(open_cache(redis_server.url, rest_seconds=0.2)) as cache,
        orderkit.open(store, payments=payments, cache=cache, settings=CACHED, **QUIET) as shop,
    ):
        stocked(shop)
        found = Crowd(shop, cache, store, tmp_path / "acks")
        yield found
        found.end()


def test_a_cache_that_is_flushed_killed_and_stopped_costs_time_only(
    crowd: Crowd, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Every key makes one order, however often it is sent; the books agree; and what the relay could not tell is not told as it was before."""
    writers = [crowd.place, crowd.place, crowd.place, crowd.change]
    for work in (*writers, crowd.look, crowd.look, crowd.sweep):
        crowd.start(work)
    _attack(redis_server, scale().attacks)
    filled = {order_id: crowd.shop.status(order_id) for order_id in acknowledged(crowd.acks).values()}
    redis_server.hang()  # the last changes, and all that the relay tells of them, are not heard
    time.sleep(1.0)
    crowd.end(len(writers))
    settled(crowd.store)
    redis_server.go_on()
    crowd.end()
    until(lambda: not crowd.cache._outage.here, "the cache is reached again, and told what it is owed")
    books, acks = examined(crowd.store, tmp_path / "psp.db", crowd.acks), acknowledged(crowd.acks)
    told = [{order_id: crowd.shop.status(order_id) for order_id in acks.values()} for _ in range(2)]
    with closing(open_cache(redis_server.url, timeout_seconds=30.0)) as patient:
        cached = [order_id for order_id in told[0] if patient.recall(Recall(f"order_status:{order_id}")) is not None]
    print({"attacks": scale().attacks, "acknowledged": len(acks), "filled": len(filled), "cached": len(cached)})  # noqa: T201  (the report)

    assert crowd.wrong == []
    assert books.wrong == {}
    assert books.orders == len(acks) > 0
    assert told == [{order_id: glance(crowd.shop.order(order_id)) for order_id in acks.values()}] * 2
    assert len(cached) > len(acks) // 2


def _attack(server: RedisServer, attacks: int) -> None:
    """Flush it, kill it, let it hang, in turn, with a moment of peace between."""
    import redis  # noqa: PLC0415  (it is there: the server was started)

    dice = random.Random(7)
    for n in range(attacks):
        time.sleep(dice.uniform(0.2, 0.5))
        if n % 3 == 0:
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
        elif n % 3 == 1:
            server.crash()
            time.sleep(dice.uniform(0.0, 0.4))
            server.resume()
        else:
            server.hang()
            time.sleep(dice.uniform(0.1, 0.6))
            server.go_on()
