"""What the pure core costs: µs per operation in memory, and the memory of open orders. Ratios between the rows say more than the digits.

Budgets are about five times what a quiet machine takes: they catch a change that makes something several times dearer, not a busy neighbor.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orderkit
from benchmarks.harness import Bench
from benchmarks.load import collect_rarely
from benchmarks.workload import Provider, Workload
from orderkit import RefundPolicy, Rules, SeededIds, Shop, VirtualClock, Warehouse, flows
from orderkit.domain.allocation import Demand, Supply, plan
from orderkit.domain.lifecycle import ORDER
from orderkit.domain.refunds import quote
from orderkit.domain.status import word
from orderkit.ports.store import Commit, CommitAnswer
from orderkit_memory.store import MemoryStore
from orderkit_sql.codec import CHAIN_START, chained, encode, state_of

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ROUNDS = 7
BATCH = 256
OPEN_ORDERS = 100_000
WORKLOAD = Workload()


def run(bench: Bench) -> None:
    """Measure."""
    _operations(bench)
    _planner(bench)
    _placement(bench)
    _memory(bench)


def micros(act: Callable[[], object], seconds: float, *, each: int = 1) -> float:
    """Return the median CPU µs of one call, or of each of the `each` things that it does, over several rounds in about that time."""
    act()
    begin = time.process_time()
    act()
    times = max(round(seconds / ROUNDS / max(time.process_time() - begin, 1e-6)), 1)
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(times):
            act()
        rounds.append((time.process_time() - begin) / times / each * 1e6)
    return statistics.median(rounds)


def _operations(bench: Bench) -> None:
    shop = a_shop(MemoryStore())
    order = shop.place(WORKLOAD.cart(0), "pm_visa")
    record = shop.records(order.id)[0]
    facts, policy, seconds = order.facts, RefundPolicy(), _share(bench)

    def refund() -> object:
        return quote(facts.prices, {1: (0, 1)}, policy, everything_gone=False, shipping_already_refunded_minor=0)

    for metric, act, most in (
        ("transition", lambda: ORDER.step("placed", "confirm"), 2),
        ("status word", lambda: word(order), 50),
        ("refund quote of one line", refund, 200),
        ("cart of three lines", lambda: WORKLOAD.cart(7), 100),
        ("encode the facts", lambda: encode(facts), 150),
        ("encode a record", lambda: encode(record), 150),
        ("hash a record into its chain", lambda: chained(CHAIN_START, encode(record)), 200),
    ):
        bench.figure(metric, micros(act, seconds), "µs", at_most=most)
    bench.figure("document", len(encode(facts)), "bytes")


def _planner(bench: Bench) -> None:
    """Time the planner as the design did: each line lies in each warehouse with a probability."""
    for warehouses in (2, 50):
        for lines, most in ((3, 500), (6, 3_000), (10, 50_000)):
            for share in (0.2, 0.5):
                cost = _planned(lines, warehouses, share, _share(bench))
                bench.figure("planner", cost, "µs", at_most=most, lines=lines, warehouses=warehouses, held_by=share)


def _planned(lines: int, warehouses: int, share: float, seconds: float) -> float:
    """Return the mean cost of a plan over several supplies, all the same in every run."""
    dice = random.Random(f"{lines} {warehouses} {share}")
    places = [Warehouse(f"w{n:02d}", priority=n) for n in range(warehouses)]
    demands = [Demand(line=n, sku=f"SKU-{n}", quantity=1 + n % 2) for n in range(1, lines + 1)]
    supplies = [Supply({(d.sku, p.id): 5 for d in demands for p in places if dice.random() < share}) for _ in range(20)]
    rules = Rules()

    def all_of_them() -> None:
        for supply in supplies:
            plan(demands, supply, places, rules)

    return micros(all_of_them, seconds, each=len(supplies))


class EncodingStore(MemoryStore):
    """The memory store, which also makes every byte that a durable one would write: documents, state, parts, records, hashes."""

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply the commits and encode their rows."""
        for commit in commits:
            after, before = commit.after, commit.before
            chained(CHAIN_START, encode(commit.record))
            encode(state_of(after))
            if before is None:
                encode(after.facts)
            for parts, known in (
                (after.shipments, before and before.shipments),
                (after.payments, before and before.payments),
            ):
                if parts is not known:
                    for part in parts:
                        encode(part)
        return super().commit_many(commits)


def _placement(bench: Bench) -> None:
    seconds = bench.seconds / 3
    collect_rarely()
    single = a_shop(MemoryStore())
    one = micros(lambda: single.place(WORKLOAD.cart(7), "pm_visa"), seconds)
    bench.figure("placement, one at a time", one, "µs", at_most=3_000)
    for metric, store, most in (
        ("placement, in batches", MemoryStore(), 2_000),
        ("placement to encoded rows, in batches", EncodingStore(), 2_500),
    ):
        shop = a_shop(store)
        cost = micros(lambda shop=shop: _placed(shop, BATCH), seconds, each=BATCH)  # type: ignore[misc]  # mypy wants no default here
        bench.figure(metric, cost, "µs", at_most=most, batch=BATCH)
        bench.figure("orders per second and core", 1e6 / cost, "orders/s", of=metric)


def _memory(bench: Bench) -> None:
    """Measure how much the memory store takes for some orders that are open, with their log, and say it for many."""
    count = max(min(round(bench.seconds * 1_000), 5_000), 200)
    shop = a_shop(MemoryStore())
    _placed(shop, 10)  # what is made once is no order's
    gc.collect()
    tracemalloc.start()
    _placed(shop, count)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bench.figure("memory of open orders", taken / count * OPEN_ORDERS / 2**20, "MB", at_most=4_000, orders=OPEN_ORDERS)


def a_shop(store: MemoryStore) -> Shop:
    """Return a shop in memory with plenty of stock, which tells nobody."""
    clock = VirtualClock(NOON)
    shop = orderkit.open(
        store, payments=Provider(), bus=None, notifications=None, documents=None, clock=clock, ids=SeededIds()
    )
    for sku, units in WORKLOAD.stock().items():
        shop.put_stock(sku, units)
    return shop


def _placed(shop: Shop, count: int) -> None:
    shop.run_many(flows.place(WORKLOAD.cart(n), "pm_visa", orderkit.Caller()) for n in range(count))


def _share(bench: Bench) -> float:
    """Return the seconds of one small row: there are twenty."""
    return bench.seconds / 10
