"""Callers that do one thing again and again for some seconds, and what came of it: how many, how long each took, what it cost.

Closed loop: a number of callers, each beginning anew when it has its answer. Open loop: calls begin at a rate, answered or not, and a
call's time counts from when it should have begun, so that a stall is seen by everybody who would have met it. Only the standard library is
needed here, since programs in other environments (the peers) use it too.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import math
import multiprocessing
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.cpu import CpuWatch

# A program that places thousands of orders a second has many young objects alive at any time: with Python's default of 700 it spends a third
# of its time looking for cycles among them. Every system that is measured runs under the same settings.
COLLECT = (50_000, 20, 50)

FAR = 1_000_000_000  # what the processes of a run count from is so far apart; a run in one process counts from 0

Act = Callable[[int], object]
AsyncAct = Callable[[int], Awaitable[object]]


def collect_rarely() -> None:
    """Put what is alive aside, and look for cycles among what comes after now and then only."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed (nearest rank); nan of none."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


@dataclass
class Load:
    """What came of a run. `client_cpu` and `server_cpu` are seconds."""

    seconds: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many calls were answered."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Calls answered per second."""
        return self.count / self.seconds

    def client_cpu_micros(self) -> float:
        """Return the client's CPU µs for each call."""
        return self.client_cpu / max(self.count, 1) * 1e6

    def server_cpu_micros(self) -> float:
        """Return the server's CPU µs for each call."""
        return self.server_cpu / max(self.count, 1) * 1e6

    def millis(self, share: float) -> float:
        """Return the percentile of the latencies, in ms."""
        return percentile(self.latencies, share) * 1e3

    def joined(self, other: Load) -> Load:
        """Return this run and another that ran at the same time, such as in another process."""
        return Load(
            max(self.seconds, other.seconds),
            self.client_cpu + other.client_cpu,
            self.server_cpu + other.server_cpu,
            self.latencies + other.latencies,
        )


async def closed_loop(
    act: AsyncAct, *, callers: int, seconds: float, warm_up: float = 0.0, server_pid: int | None = None, first: int = 0
) -> Load:
    """Let callers do `act(n)` one after the other, with a number `n` of its own each time, counted from `first`."""
    numbers = itertools.count(first)
    load = Load()
    clock = time.perf_counter
    until = clock() + warm_up + seconds
    counting = False

    async def caller() -> None:
        while (begin := clock()) < until:
            await act(next(numbers))
            if counting:
                load.latencies.append(clock() - begin)

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    await asyncio.sleep(warm_up)
    watch, begin, counting = CpuWatch(server_pid), clock(), True
    await asyncio.gather(*tasks)
    load.seconds = clock() - begin
    load.client_cpu, load.server_cpu = watch.spent()
    return load


async def open_loop(
    act: AsyncAct, *, rate: float, seconds: float, server_pid: int | None = None, first: int = 0
) -> Load:
    """Begin `act(n)` at a rate a second, whether earlier ones are answered or not."""
    load = Load()
    clock = time.perf_counter
    watch, begin = CpuWatch(server_pid), clock()

    async def call(number: int, due: float) -> None:
        await act(number)
        load.latencies.append(clock() - due)

    running: set[asyncio.Task[None]] = set()
    for n in range(round(rate * seconds)):
        due = begin + n / rate
        if (early := due - clock()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(call(first + n, due))
        running.add(task)
        task.add_done_callback(running.discard)
        if not n % 64:  # being late must not keep answers from coming in
            await asyncio.sleep(0)
    await asyncio.gather(*running)
    load.seconds = clock() - begin
    load.client_cpu, load.server_cpu = watch.spent()
    return load


def threaded_loop(act: Act, *, callers: int, seconds: float, server_pid: int | None = None, first: int = 0) -> Load:
    """Do the same as `closed_loop` with threads, for programs without an event loop."""
    numbers = itertools.count(first)
    load = Load()
    clock = time.perf_counter
    watch, begin = CpuWatch(server_pid), clock()
    errors: list[BaseException] = []

    def caller() -> None:
        try:
            while (start := clock()) < begin + seconds and not errors:
                act(next(numbers))
                load.latencies.append(clock() - start)
        except BaseException as error:  # noqa: BLE001  (raised below, where somebody sees it)
            errors.append(error)

    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    load.seconds = clock() - begin
    load.client_cpu, load.server_cpu = watch.spent()
    return load


# ---- processes


def warm_up_of(seconds: float) -> float:
    """Return for how many seconds a run of so many goes on before it counts."""
    return min(2.0, seconds / 4)


def in_processes(
    processes: int,
    measure: Callable[..., Load],
    url: str,
    what: object,
    seconds: float,
    *,
    server_pid: int | None,
    warm_up: float = 0.0,
) -> Load:
    """Run `measure(url, what, seconds, first)` in processes of its own; each counts its own CPU time, the server's is counted here."""
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(processes + 1)
    with context.Pool(processes, started.wait) as pool:
        started.wait()
        watch = CpuWatch(server_pid)
        parts = pool.starmap(measure, [(url, what, seconds, n * FAR) for n in range(1, processes + 1)])
        _, server = watch.spent()
    load = functools.reduce(Load.joined, parts)
    # The server worked for the orders of the warm-up too; they are part of the count of what it spent, so it is spread over all of them.
    load.server_cpu = server * load.seconds / (load.seconds + warm_up)
    return load
