"""Orders placed per second on PostgreSQL, end to end through the public API, every safeguard on.

Each order is a saga of two commits with a provider asked in between: three lines, a document of about 5 KB, an idempotency key, the log with its
hash chain, the outbox, stock that is guarded. `bound` is run first where it was not: the ratios to it are what a shared machine can say.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs

import orderkit
from benchmarks.cpu import CpuWatch
from benchmarks.harness import Bench
from benchmarks.load import Load, closed_loop, collect_rarely, open_loop
from benchmarks.workload import AsyncProvider, Provider, Workload
from orderkit import flows

GOAL, RATIO_GOAL = 10_000, 0.75
P99_MS_MAX, IDLE_P50_MS_MAX = 500, 10
SKUS = {"uniform": 1_000, "hot": 10}
FAR = 1_000_000_000  # numbers of orders that are far enough from each other's


@attrs.frozen
class Case:
    """One closed loop: how many callers in how many processes, which SKUs, how long the provider takes."""

    callers: int
    processes: int = 1
    skus: str = "uniform"
    psp_ms: int = 0

    def params(self) -> dict[str, Any]:
        """Return what is said of the figures."""
        return {"loop": "closed", **attrs.asdict(self)}


CASES = (
    Case(256),
    Case(1_024),
    Case(1_024, skus="hot"),
    Case(2_048, psp_ms=50),
    Case(1_024, 2),
    Case(2_048, 2, "hot", 50),
)


def run(bench: Bench) -> None:
    """Measure one caller, many, many processes, the batch driver, and an open loop at 80% of the best rate."""
    bare = bench.value("bare_driver", name="bound", skus="uniform")
    if bare is None:
        bench.run.benchmark("bound")
    _idle(bench)
    batches = _batches(bench, "uniform")
    rates = {case: _closed(bench, case) for case in CASES}
    bench.figure("best", max(batches, *rates.values()), "orders/s", at_least=GOAL)
    # Compared is like with like: one process, uniform SKUs, a provider that answers at once.
    alike = [rate for case, rate in rates.items() if (case.processes, case.skus, case.psp_ms) == (1, "uniform", 0)]
    _ratios(bench, max(batches, *alike))
    _open(bench, max(alike) * 0.8)


def _ratios(bench: Bench, best: float) -> None:
    bare = bench.value("bare_driver", name="bound", skus="uniform")
    copied = bench.value("copy", name="bound")
    if not (bare and copied):
        return
    bench.figure("placement_to_bare_driver", best / bare, "ratio", at_least=RATIO_GOAL, of="orders/s")
    bench.figure("placement_to_copy", best / copied, "ratio", of="orders/s")
    sides = [bench.value("bare_driver_cpu", name="bound", skus="uniform", side=side) for side in ("client", "server")]
    ours = bench.value("cpu", loop="batch driver", skus="uniform")
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
    alone = case.processes == 1
    load = (
        asyncio.run(_callers(url, case, seconds, 0, watch_server))
        if alone
        else _processes(url, case, seconds, watch_server)
    )
    bench.server.drop(url)
    return load


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
            warm_up=min(2.0, seconds / 4),
            server_pid=server_pid,
            first=first,
        )


def _placing(shop: orderkit.AsyncShop, workload: Workload) -> Callable[[int], Any]:
    async def place(n: int) -> None:
        order = await shop.place(workload.cart(n), "pm_visa", key=workload.key(n))
        if order.state != "confirmed":
            raise AssertionError(f"order {n} is {order.state}")

    return place


def _processes(url: str, case: Case, seconds: float, server_pid: int | None) -> Load:
    """Run the callers in processes of their own; each counts its own CPU time, the server's is counted here."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(case.processes) as pool:
        pool.map(_warm, range(case.processes))
        watch = CpuWatch(server_pid)
        parts = pool.starmap(_one_process, [(url, case, seconds, n * FAR) for n in range(case.processes)])
        _, server = watch.spent()
    load = parts[0]
    for part in parts[1:]:
        load = load.joined(part)
    # The server worked for the orders of the warm-up too; they are part of the count of what it spent, so it is spread over all of them.
    load.server_cpu = server * load.seconds / (load.seconds + min(2.0, seconds / 4))
    return load


def _warm(n: int) -> int:
    return n


def _one_process(url: str, case: Case, seconds: float, first: int) -> Load:
    return asyncio.run(_callers(url, case, seconds, first, None))


def _batches(bench: Bench, skus: str) -> float:
    """The batch driver (`run_many`): bulk work without an event loop."""
    url = _database(bench, SKUS[skus])
    workload = Workload(skus=SKUS[skus])
    load = Load()
    with orderkit.open(url, payments=Provider(), bus=None, notifications=None, documents=None) as shop:
        collect_rarely()

        def place(numbers: Sequence[int]) -> int:
            placing = (flows.place(workload.cart(n), "pm_visa", orderkit.Caller(key=workload.key(n))) for n in numbers)
            done = shop.run_many(placing, in_flight=1_024)
            return sum(1 for each in done if not isinstance(each, Exception) and each.order.state == "confirmed")

        place(range(1_024))
        watch, begin, count = CpuWatch(bench.server.pid), time.perf_counter(), 0
        while time.perf_counter() < begin + bench.seconds:
            count += place(range(1_024 + count, 5_120 + count))
        load.seconds = time.perf_counter() - begin
        load.client_cpu, load.server_cpu = watch.spent()
    bench.server.drop(url)
    params: dict[str, Any] = {"loop": "batch driver", "skus": skus, "processes": 1}
    client, server = load.client_cpu / count * 1e6, load.server_cpu / count * 1e6
    bench.figure("rate", count / load.seconds, "orders/s", **params)
    bench.figure("cpu", client + server, "µs/order", **params, client=round(client), server=round(server))
    return count / load.seconds


def _open(bench: Bench, rate: float) -> None:
    """Orders come at a rate, whether earlier ones are answered or not: what a stall costs is seen by everybody who would have met it."""
    url = _database(bench, SKUS["uniform"])

    async def measure() -> Load:
        async with await _shop(url, 0) as shop:
            collect_rarely()
            place = _placing(shop, Workload())
            await closed_loop(place, callers=64, seconds=min(2.0, bench.seconds / 4), first=FAR)
            return await open_loop(place, rate=rate, seconds=bench.seconds, server_pid=bench.server.pid)

    load = asyncio.run(measure())
    params: dict[str, Any] = {"loop": "open", "at": f"{rate:.0f} orders/s"}
    bench.figure("open_p50", load.millis(0.5), "ms", **params)
    bench.figure("open_p99", load.millis(0.99), "ms", at_most=P99_MS_MAX, **params)
    bench.figure("open_p99.9", load.millis(0.999), "ms", **params)
    bench.server.drop(url)
