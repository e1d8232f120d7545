"""Whether a shop gets slower with its years: placement and reads with 10,000 to 10,000,000 orders in the table.

Documents are 5 KB up to a million orders. For ten million they are 0.5 KB and the log rows are shortened, so that it fits on a disk; new
orders have 5 KB everywhere. Sizes above `--largest`, and those that the disk has no room for, are left out and said to be.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

import attrs

from benchmarks.harness import Bench
from benchmarks.loading import Loader
from benchmarks.reads import LOGGED, Picks, ServerLog, report_reads
from benchmarks.shops import open_shop, placement
from benchmarks.workload import Workload

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
LARGE = 1_000_000  # above it rows are compact
BYTES_AN_ORDER = {False: 20_000, True: 5_500}  # with indexes and the WAL of the load, generously
CALLERS = 256
KEPT_AT_LEAST = 0.8  # of the throughput of the smallest size, at any larger one
PICKS = 2_000


def run(bench: Bench) -> None:
    """Measure each size; the smaller ones grow in one database, the largest gets a database of its own."""
    sizes = [size for size in SIZES if size <= bench.run.largest]
    first: float | None = None
    for compact in (False, True):
        these = [size for size in sizes if (size > LARGE) is compact]
        if these and _fits(bench, these[-1], compact=compact):
            first = _grown(bench, these, first, compact=compact)


def _fits(bench: Bench, size: int, *, compact: bool) -> bool:
    free = shutil.disk_usage(bench.server.log.parent).free
    needed = size * BYTES_AN_ORDER[compact]
    if free < needed:
        bench.note(f"{size:,} orders need about {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free: left out")
    return free >= needed


def _grown(bench: Bench, sizes: Sequence[int], first: float | None, *, compact: bool) -> float | None:
    workload = Workload()
    url = bench.server.database()
    loader = Loader(url, attrs.evolve(workload, lines=1, document_bytes=500) if compact else workload, compact=compact)
    loader.prepare()
    placed = 0
    for size in sizes:
        loader.load(size, bench.note)
        load = asyncio.run(
            placement(url, workload, callers=CALLERS, seconds=bench.seconds, first=placed, server_pid=bench.server.pid)
        )
        placed += 10 * load.count + 10 * CALLERS  # the next numbers are free
        first = first or load.per_second
        bench.figure("placement", load.per_second, "orders/s", orders=size)
        bench.figure("server CPU per order", load.server_cpu_micros(), "µs", orders=size)
        bench.figure("client CPU per order", load.client_cpu_micros(), "µs", orders=size)
        goal = KEPT_AT_LEAST if size == max(SIZES) else None
        bench.figure("placement / that of the smallest", load.per_second / first, "ratio", at_least=goal, orders=size)
        _read(bench, loader, size)
    bench.server.drop(url)
    return first


def _read(bench: Bench, loader: Loader, size: int) -> None:
    found = list(loader.picks(PICKS))
    picks = Picks([order for order, _ in found], sorted({customer for _, customer in found}))
    with open_shop(f"{loader.url}?{LOGGED}") as shop:
        report_reads(bench, shop, picks, log=ServerLog(bench.server.log), orders=size)
