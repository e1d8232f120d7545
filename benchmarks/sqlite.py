"""Orders placed per second in a SQLite file (WAL, synchronous=FULL), beside a bare sqlite3 script that writes the same rows in the same batches."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import orderkit
from benchmarks import bare
from benchmarks.bare import Batch, Row
from benchmarks.cpu import CpuWatch
from benchmarks.harness import Bench
from benchmarks.load import closed_loop, collect_rarely
from benchmarks.workload import AsyncProvider, Provider, Workload
from orderkit import flows

BATCH = 256
SHARE_GOAL, BATCH_SHARE_GOAL = 0.5, 0.7
CALLERS = 256


def run(bench: Bench) -> None:
    """Measure the bare script, the batch driver, and callers on an event loop."""
    collect_rarely()
    bare_rate = _measured(bench, "bare_driver", _bare)
    batch_rate = _measured(bench, "batch_driver", _batches)
    with _file() as url:
        load = asyncio.run(_callers(url, bench.seconds))
    bench.figure("rate", load.per_second, "orders/s", loop="closed", callers=CALLERS)
    for share in (0.5, 0.99):
        bench.figure(f"p{share * 100:g}", load.millis(share), "ms", loop="closed", callers=CALLERS)
    bench.figure("cpu", load.client_cpu_micros(), "µs/order", loop="closed", callers=CALLERS)
    best = max(batch_rate, load.per_second)
    bench.figure("sqlite_to_bare_driver", best / bare_rate, "ratio", at_least=SHARE_GOAL)
    bench.figure("batch_driver_to_bare_driver", batch_rate / bare_rate, "ratio", at_least=BATCH_SHARE_GOAL)


@contextmanager
def _file() -> Iterator[str]:
    """Make a file with the tables and plenty of stock; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'shop.db'}"
        with orderkit.open(url, payments=Provider()) as shop:
            for sku, places in Workload().stock().items():
                shop.put_stock(sku, places)
        yield url


def _measured(bench: Bench, name: str, make: Callable[[str], Callable[[Sequence[int]], None]]) -> float:
    with _file() as url:
        place = make(url)
        place(range(BATCH))
        watch, begin = CpuWatch(), time.perf_counter()
        for first in count(BATCH, 4 * BATCH):
            if time.perf_counter() > begin + bench.seconds:
                break
            place(range(first, first + 4 * BATCH))
        seconds, (spent, _), done = time.perf_counter() - begin, watch.spent(), first - BATCH
        with orderkit.open(url, payments=Provider()) as shop:
            bench.figure("findings", sum(1 for _ in shop.store.verify_log()), "findings", at_most=0, of=name)
    bench.figure(name, done / seconds, "orders/s", batch=BATCH)
    bench.figure(f"{name}_cpu", spent / done * 1e6, "µs/order", batch=BATCH)
    return done / seconds


def _batches(url: str) -> Callable[[Sequence[int]], None]:
    shop = orderkit.open(url, payments=Provider(), bus=None, notifications=None, documents=None)
    workload = Workload()

    def place(numbers: Sequence[int]) -> None:
        placing = (flows.place(workload.cart(n), "pm_visa", orderkit.Caller(key=workload.key(n))) for n in numbers)
        for answer in shop.run_many(placing):
            if isinstance(answer, Exception):
                raise answer

    return place


async def _callers(url: str, seconds: float) -> Any:
    workload = Workload()
    shop = await orderkit.open_async(url, payments=AsyncProvider(), bus=None, notifications=None, documents=None)
    async with shop:
        return await closed_loop(
            lambda n: shop.place(workload.cart(n), "pm_visa", key=workload.key(n)),
            callers=CALLERS,
            seconds=seconds,
            warm_up=min(1.0, seconds / 4),
        )


# ---- the bare script


def _bare(url: str) -> Callable[[Sequence[int]], None]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -32000"):
        connection.execute(f"PRAGMA {pragma}")
    workload = Workload()

    def place(numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), BATCH):
            _placed(connection, Batch(workload, numbers[first : first + BATCH]))

    return place


def _placed(connection: sqlite3.Connection, batch: Batch) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, names, rows in (
        ("keys", bare.NEW_KEY, batch.keys),
        ("orders", bare.NEW_ORDER, batch.orders),
        ("order_texts", bare.NEW_TEXT, batch.texts),
        ("order_lines", bare.NEW_LINE, batch.lines),
        ("payments", bare.NEW_PAYMENT, batch.payments),
        ("shipments", bare.NEW_SHIPMENT, batch.shipments),
        ("records", bare.NEW_RECORD, batch.records),
    ):
        _insert(connection, table, names, rows)
    moved = [(units, sku, place) for sku, place, units in batch.stock]
    connection.executemany("UPDATE orderkit_stock SET reserved = reserved + ? WHERE sku = ? AND warehouse = ?", moved)
    connection.execute("COMMIT")
    batch.confirm()
    connection.execute("BEGIN IMMEDIATE")
    _update(connection, "orders", bare.ORDER_CONFIRMED, ("id",), batch.confirmed)
    _update(connection, "payments", bare.PAYMENT_CONFIRMED, ("order_id", "number"), batch.paid)
    _insert(connection, "records", bare.NEW_RECORD, batch.confirmations)
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: str, names: Sequence[str], rows: list[Row]) -> None:
    connection.executemany(
        f"INSERT INTO orderkit_{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [tuple(map(_stored, row)) for row in rows],
    )


def _update(
    connection: sqlite3.Connection, table: str, names: Sequence[str], keys: Sequence[str], rows: list[Row]
) -> None:
    values = ", ".join(f"{name} = ?" for name in names if name not in keys)
    where = " AND ".join(f"{key} = ?" for key in keys)
    connection.executemany(
        f"UPDATE orderkit_{table} SET {values} WHERE {where}", [tuple(map(_stored, row)) for row in rows]
    )


def _stored(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
