"""What reading costs: an order by its id, a customer's last 20, the timeline of an order; one caller, whatever it picks by chance.

The client's time is what the caller waits. The server's time is what PostgreSQL itself logs for every statement of the call, documents
fetched and rows sent, added up: no plan is asked for, nothing is estimated.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks.harness import Bench
from benchmarks.load import percentile
from benchmarks.shops import open_shop, place_many, stocked
from benchmarks.workload import Workload
from orderkit import OrderQuery, Shop

ORDERS = 2_000
CALLS_MIN, CALLS_MAX = 50, 5_000
# Goals of server time in ms, at the 99th percentile.
ORDER, LAST_20, TIMELINE = "order by id", "customer's last 20", "timeline"
GOALS_MS = {ORDER: 2.0, LAST_20: 5.0, TIMELINE: 5.0}
_DURATION = re.compile(rb"duration: ([0-9.]+) ms")
LOGGED = "options=-c%20log_duration%3Don"


@attrs.frozen
class Picks:
    """What a caller may ask for: some orders, and some customers."""

    orders: Sequence[str]
    customers: Sequence[str]


@attrs.define
class ServerLog:
    """The server's log, read on from where it was left."""

    path: Path
    _position: int = 0

    def millis(self) -> float:
        """Return the sum of the durations that were logged since the last time."""
        with self.path.open("rb") as log:
            log.seek(self._position)
            found = log.read()
        self._position += len(found)
        return sum(map(float, _DURATION.findall(found)))


def run(bench: Bench) -> None:
    """Measure on PostgreSQL and on SQLite."""
    workload = Workload()
    with (
        tempfile.TemporaryDirectory(prefix="orderkit-bench-") as folder,
        _filled(f"sqlite:///{folder}/shop.db", workload) as shop,
    ):
        report_reads(bench, shop, _picks(shop, workload), store="sqlite", orders=ORDERS)
    url = bench.server.database()
    with _filled(f"{url}?{LOGGED}", workload) as shop:
        log = ServerLog(bench.server.log)
        report_reads(bench, shop, _picks(shop, workload), log=log, store="postgresql", orders=ORDERS)
    bench.server.drop(url)


def _filled(url: str, workload: Workload) -> Shop:
    shop = open_shop(url)
    stocked(shop, workload)
    place_many(shop, workload, ORDERS)
    return shop


def _picks(shop: Shop, workload: Workload) -> Picks:
    customers = [workload.customer(n) for n in range(0, ORDERS, 20)]
    orders = [item.id for customer in customers for item in shop.orders(OrderQuery(customer=customer)).items]
    return Picks(orders, customers)


def report_reads(bench: Bench, shop: Shop, picks: Picks, *, log: ServerLog | None = None, **params: Any) -> None:
    """Time each kind of read for a share of the seconds, and say p50 and p99 of client and server."""
    dice = random.Random("reads")
    for name, act in (
        (ORDER, lambda: shop.order(dice.choice(picks.orders))),
        (LAST_20, lambda: shop.orders(OrderQuery(customer=dice.choice(picks.customers), limit=20))),
        (TIMELINE, lambda: shop.timeline(dice.choice(picks.orders))),
    ):
        client, server = _timed(act, bench.seconds / 3, log)
        for share, word in ((0.50, "p50"), (0.99, "p99")):
            bench.figure(f"{name}, {word}", percentile(client, share), "ms", time="client", **params)
            if log is not None:
                goal = GOALS_MS[name] if word == "p99" else None
                bench.figure(f"{name}, {word}", percentile(server, share), "ms", at_most=goal, time="server", **params)


def _timed(act: Callable[[], object], seconds: float, log: ServerLog | None) -> tuple[list[float], list[float]]:
    """Return the ms of client and server of each call."""
    client: list[float] = []
    server: list[float] = []
    for _ in range(10):  # a connection plans a statement anew a few times before it keeps the plan
        act()
    if log is not None:
        log.millis()
    until = time.perf_counter() + seconds
    while len(client) < CALLS_MIN or (time.perf_counter() < until and len(client) < CALLS_MAX):
        begin = time.perf_counter()
        act()
        client.append((time.perf_counter() - begin) * 1e3)
        if log is not None:
            server.append(log.millis())
    return client, server
