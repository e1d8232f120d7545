"""What a cache costs and saves, one caller, on PostgreSQL: statuses and lists with Redis and without, and keys that it is asked for.

All ways are taken in turn, call by call, so that whatever else the machine does, it does to all of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count

from benchmarks.harness import Bench, Unavailable
from benchmarks.load import percentile
from benchmarks.shops import open_shop, place_many, stocked
from benchmarks.workload import Workload
from orderkit import Settings, Shop
from tests.caches import ENABLE, RedisServer
from tests.servers import NoServer

ORDERS = 1_000
CALLS_MIN, CALLS_MAX = 50, 5_000
STORE, CACHE = "store", "cache"


def run(bench: Bench) -> None:
    """Measure on a store with a thousand orders."""
    workload, url = Workload(), bench.server.database()
    with _redis() as cache, ExitStack() as shops:
        bare, cached, asking = (
            shops.enter_context(open_shop(url, **options))
            for options in ({}, {"cache": cache}, {"cache": cache, "settings": Settings(recalls_keys=True)})
        )
        stocked(bare, workload)
        ids = place_many(bare, workload, ORDERS)
        _glances(bench, {STORE: bare, CACHE: cached}, ids, [workload.customer(n) for n in range(ORDERS)])
        _keys(bench, {"not asked": bare, "asked first": asking}, workload)
    bench.server.drop(url)


@contextmanager
def _redis() -> Iterator[str]:
    try:
        server = RedisServer.start()
    except NoServer as missing:
        raise Unavailable(f"{missing}: {ENABLE}") from missing
    try:
        yield f"{server.url}?timeout_ms=1000"
    finally:
        server.stop()


def _glances(bench: Bench, shops: Mapping[str, Shop], ids: list[str], customers: list[str]) -> None:
    dice = random.Random("cache")
    order_ids, names = dice.sample(ids, 100), dice.sample(customers, 100)
    for metric, ask in (
        ("a status", lambda shop: shop.status(dice.choice(order_ids))),
        ("a customer's latest orders", lambda shop: shop.latest(dice.choice(names))),
    ):
        for name, millis in _in_turn({name: _asked(ask, shop) for name, shop in shops.items()}, bench.seconds).items():
            for share, word in ((0.50, "p50"), (0.99, "p99")):
                bench.figure(f"{metric}, {word}", percentile(millis, share), "ms", answered_by=name)


def _keys(bench: Bench, shops: Mapping[str, Shop], workload: Workload) -> None:
    numbers = count(ORDERS)

    def placed(shop: Shop) -> Callable[[], object]:
        def place() -> None:
            n = next(numbers)
            shop.place(workload.cart(n), "pm_visa", key=workload.key(n))

        return place

    def repeated(shop: Shop) -> Callable[[], object]:
        cart = workload.cart(0)
        shop.place(cart, "pm_visa", key=f"again-{id(shop)}")
        return lambda: shop.place(cart, "pm_visa", key=f"again-{id(shop)}")

    for metric, make in (("a first placement", placed), ("a repeat of its key", repeated)):
        for name, millis in _in_turn({name: make(shop) for name, shop in shops.items()}, bench.seconds).items():
            bench.figure(f"{metric}, p50", percentile(millis, 0.50), "ms", cache=name)


def _asked(ask: Callable[[Shop], object], shop: Shop) -> Callable[[], object]:
    return lambda: ask(shop)


def _in_turn(acts: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Return the ms of each call, by name; the first ones, which fill the cache, do not count."""
    millis: dict[str, list[float]] = {name: [] for name in acts}
    for act in acts.values():
        for _ in range(10 * CALLS_MIN):
            act()
    until = time.perf_counter() + seconds
    while (done := min(map(len, millis.values()))) < CALLS_MIN or (time.perf_counter() < until and done < CALLS_MAX):
        for name, act in acts.items():
            begin = time.perf_counter()
            act()
            millis[name].append((time.perf_counter() - begin) * 1e3)
    return millis
