"""Orders placed per second on PostgreSQL, end to end through the public API, every safeguard on.

Each order is a saga of two commits with a provider asked in between: three lines, a document of about 5 KB, an idempotency key, the log with its
hash chain, the outbox, stock that is guarded. `bound` is run first where it was not: the ratios to it are what a shared machine can say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import attrs

import orderkit
from benchmarks.bound import CONNECTIONS
from benchmarks.cpu import CpuWatch
from benchmarks.harness import Bench
from benchmarks.load import FAR, Load, closed_loop, collect_rarely, in_processes, open_loop, warm_up_of
from benchmarks.shops import open_shop
from benchmarks.workload import AsyncProvider, Provider, Workload
from orderkit import flows
from orderkit.ports.effect import Flow

GOAL, RATIO_GOAL = 10_000, 0.75
P99_MS_MAX, IDLE_P50_MS_MAX = 500, 10
SKUS = {"uniform": 1_000, "hot": 10}


@attrs.frozen
class Case:
    """One way to load the system: how many callers (or orders in flight) in how many processes, which SKUs, how long the provider takes."""

    callers: int
    processes: int = 1
    skus: str = "uniform"
    psp_ms: int = 0
    loop: str = "closed"

    def params(self) -> dict[str, Any]:
        """Return what is said of the figures."""
        return attrs.asdict(self)


BATCHES = Case(512, loop="batch driver")
CASES = (
    BATCHES,
    Case(256),
    Case(1_024),
    Case(1_024, skus="hot"),
    Case(2_048, psp_ms=50),
    attrs.evolve(BATCHES, processes=2),
    Case(1_024, 2),
    Case(2_048, 2, "hot", 50),
)


def run(bench: Bench) -> None:
    """Measure one caller, many, many processes, the batch driver, and open loops at 80% of what callers reach."""
    bare = bench.value("bare_driver", name="bound", skus="uniform")
    if bare is None:
        bench.run.benchmark("bound")
    _idle(bench)
    rates = {case: _closed(bench, case) for case in CASES}
    bench.figure("best", max(rates.values()), "orders/s", at_least=GOAL)
    # Compared is like with like: uniform SKUs, a provider that answers at once.
    alike = {case: rate for case, rate in rates.items() if (case.skus, case.psp_ms) == ("uniform", 0)}
    _ratios(bench, alike)
    for processes in (1, 2):
        rate = max(rate for case, rate in alike.items() if (case.loop, case.processes) == ("closed", processes))
        _open(bench, rate * 0.8, processes)


def _ratios(bench: Bench, rates: Mapping[Case, float]) -> None:
    """Say what share of the bare script's rate is reached: in one process, and with as many processes as suit each best."""
    alone = max(rate for case, rate in rates.items() if case.processes == 1)
    ways = (1, CONNECTIONS), (2, CONNECTIONS), (2, 1)
    bare = [
        bench.value("bare_driver", name="bound", skus="uniform", processes=n, connections=each) or 0.0
        for n, each in ways
    ]
    copied = bench.value("copy", name="bound")
    if not (all(bare) and copied):
        return
    best = max(rates.values())
    bench.figure("placement_to_bare_driver", alone / bare[0], "ratio", at_least=RATIO_GOAL, of="orders/s")
    bench.figure(
        "placement_to_bare_driver", best / max(bare), "ratio", at_least=RATIO_GOAL, of="orders/s, the best of each"
    )
    bench.figure("placement_to_copy", best / copied, "ratio", of="orders/s")
    sides = [
        bench.value("bare_driver_cpu", name="bound", skus="uniform", processes=1, side=side)
        for side in ("client", "server")
    ]
    ours = bench.value("cpu", **BATCHES.params())
    bench.figure("placement_to_bare_driver", sum(filter(None, sides)) / (ours or 1), "ratio", of="CPU per order")


def _figures(bench: Bench, load: Load, **params: Any) -> float:
    bench.figure("rate", load.per_second, "orders/s", **params)
    for share in (0.5, 0.99, 0.999):
        bench.figure(f"p{share * 100:g}", load.millis(share), "ms", **params)
    client, server = load.client_cpu_micros(), load.server_cpu_micros()
    bench.figure("cpu", client + server, "µs/order", **params, client=round(client), server=round(server))
    return load.per_second


def _idle(bench: Bench) -> None:
    """One caller on an idle system: whatever gathers orders into batches must not make it wait."""
    load = _measured(bench, Case(1), bench.seconds)
    bench.figure("idle_p50", load.millis(0.5), "ms", at_most=IDLE_P50_MS_MAX, callers=1)
    bench.figure("idle_p99", load.millis(0.99), "ms", callers=1)


def _closed(bench: Bench, case: Case) -> float:
    return _figures(bench, _measured(bench, case, bench.seconds), **case.params())


def _measured(bench: Bench, case: Case, seconds: float) -> Load:
    url = _database(bench, SKUS[case.skus])
    watch_server = bench.server.pid
    load = (
        _one_process(url, case, seconds, 0, watch_server)
        if case.processes == 1
        else in_processes(
            case.processes, _one_process, url, case, seconds, server_pid=watch_server, warm_up=warm_up_of(seconds)
        )
    )
    bench.server.drop(url)
    return load


def _one_process(url: str, case: Case, seconds: float, first: int, server_pid: int | None = None) -> Load:
    if case.loop == "closed":
        return asyncio.run(_callers(url, case, seconds, first, server_pid))
    return _in_batches(url, case, seconds, first, server_pid)


def _database(bench: Bench, skus: int) -> str:
    url = bench.server.database()
    with orderkit.open(url, payments=Provider()) as shop:
        for sku, places in Workload(skus=skus).stock().items():
            shop.put_stock(sku, places)
    return url


async def _shop(url: str, psp_ms: float) -> orderkit.AsyncShop:
    return await orderkit.open_async(
        url, payments=AsyncProvider(psp_ms / 1e3), bus=None, notifications=None, documents=None
    )


async def _callers(url: str, case: Case, seconds: float, first: int, server_pid: int | None) -> Load:
    workload = Workload(skus=SKUS[case.skus])
    async with await _shop(url, case.psp_ms) as shop:
        collect_rarely()
        return await closed_loop(
            _placing(shop, workload),
            callers=case.callers // case.processes,
            seconds=seconds,
            warm_up=warm_up_of(seconds),
            server_pid=server_pid,
            first=first,
        )


def _placing(shop: orderkit.AsyncShop, workload: Workload) -> Callable[[int], Any]:
    async def place(n: int) -> None:
        order = await shop.place(workload.cart(n), "pm_visa", key=workload.key(n))
        if order.state != "confirmed":
            raise AssertionError(f"order {n} is {order.state}")

    return place


def _in_batches(url: str, case: Case, seconds: float, first: int, server_pid: int | None) -> Load:
    """The batch driver (`run_each`): bulk work without an event loop."""
    workload, load, clock = Workload(skus=SKUS[case.skus]), Load(), time.perf_counter
    warm = clock() + warm_up_of(seconds)
    until, began = warm + seconds, []

    def placing() -> Iterator[Flow[Any]]:
        for n in count(first):
            if clock() > until:
                return
            began.append(clock())
            yield flows.place(workload.cart(n), "pm_visa", orderkit.Caller(key=workload.key(n)))

    with open_shop(url) as shop:
        collect_rarely()
        watch, begin = None, warm
        for position, answer in shop.run_each(placing(), in_flight=case.callers // case.processes):
            if isinstance(answer, Exception) or answer.order.state != "confirmed":
                raise AssertionError(f"order {position}: {answer}")
            now = clock()
            if watch is None and now > warm:
                watch, begin = CpuWatch(server_pid), now
            elif watch is not None and not load.seconds:
                load.latencies.append(now - began[position])
                if now > until:  # what is in flight still comes, and no longer counts
                    load.seconds, (load.client_cpu, load.server_cpu) = now - begin, watch.spent()
    load.seconds = load.seconds or clock() - begin
    return load


def _open(bench: Bench, rate: float, processes: int) -> None:
    """Orders come at a rate, whether earlier ones are answered or not: what a stall costs is seen by everybody who would have met it."""
    url, seconds, watch_server = _database(bench, SKUS["uniform"]), bench.seconds, bench.server.pid
    load = (
        _arriving(url, rate, seconds, 0, watch_server)
        if processes == 1
        else in_processes(processes, _arriving, url, rate / processes, seconds, server_pid=watch_server)
    )
    params: dict[str, Any] = {"loop": "open", "at": f"{rate:.0f} orders/s", "processes": processes}
    bench.figure("open_p50", load.millis(0.5), "ms", **params)
    bench.figure("open_p99", load.millis(0.99), "ms", at_most=P99_MS_MAX, **params)
    bench.figure("open_p99.9", load.millis(0.999), "ms", **params)
    bench.server.drop(url)


def _arriving(url: str, rate: float, seconds: float, first: int, server_pid: int | None = None) -> Load:
    async def measure() -> Load:
        async with await _shop(url, 0) as shop:
            collect_rarely()
            place = _placing(shop, Workload())
            await closed_loop(place, callers=64, seconds=warm_up_of(seconds), first=first + FAR // 2)
            return await open_loop(place, rate=rate, seconds=seconds, server_pid=server_pid, first=first)

    return asyncio.run(measure())
