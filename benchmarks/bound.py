"""The machine's bound: the same rows as orders that orderkit places, by a bare driver script, and by COPY of what was made before.

The bare script (`bare`) builds the rows from the same carts in batches of 256, and commits each batch twice, as the saga does. COPY sends the
same rows ready made and commits each batch once: nothing could be faster. orderkit's own verification is run over what the bare script wrote,
so that "the same rows" is no mere claim.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import psycopg

import orderkit
from benchmarks import bare
from benchmarks.bare import Batch, Row
from benchmarks.cpu import CpuWatch
from benchmarks.harness import Bench
from benchmarks.load import Load, collect_rarely, in_processes
from benchmarks.shops import stocked
from benchmarks.workload import Provider, Workload

BATCH = 256
CONNECTIONS = 2
VERIFIED_S = 2.0  # seconds of the bare script whose orders are verified: it takes longer than placing them
_KINDS = {
    **dict.fromkeys(("version", "number", "ordered", "shipment_count", "return_count", "attempts"), "int"),
    **dict.fromkeys(bare.NEW_LINE[4:], "int"),
    **dict.fromkeys(("reserved",), "bigint"),
    **{name: "bigint" for name in (*bare.NEW_PAYMENT, "total_minor") if name.endswith("_minor")},
    **dict.fromkeys(("placed_at", "updated_at", "due_at", "claimed_at", "at", "expires_at"), "timestamptz"),
    **dict.fromkeys(
        ("document", "state_document", "log_head", "body", "previous_hash", "hash", "operations", "detail"), "bytea"
    ),
    **dict.fromkeys(("on_hold", "parked"), "bool"),
}


def run(bench: Bench) -> None:
    """Measure the bare script with as many SKUs as placement has, and COPY; each has a database of its own, as in placement."""
    # What suits a machine best is not known beforehand: two connections in one process, as many in each of two, or one in each.
    for skus, name, processes, connections in (
        (1_000, "uniform", 1, CONNECTIONS),
        (1_000, "uniform", 2, CONNECTIONS),
        (1_000, "uniform", 2, 1),
        (10, "hot", 1, CONNECTIONS),
    ):
        with _stocked(bench, Workload(skus=skus)) as url:
            load = _bare_load(bench, url, Workload(skus=skus), processes, connections)
        params: dict[str, Any] = {"batch": BATCH, "skus": name, "processes": processes, "connections": connections}
        bench.figure("bare_driver", load.per_second, "orders/s", **params)
        bench.figure("bare_driver_cpu", load.client_cpu_micros(), "µs/order", side="client", **params)
        bench.figure("bare_driver_cpu", load.server_cpu_micros(), "µs/order", side="server", **params)
    with _stocked(bench, Workload()) as url:
        bare_loop(url, Workload(), min(bench.seconds, VERIFIED_S))
        bench.figure("findings", _findings(url), "findings", at_most=0)
    with _stocked(bench, Workload()) as url:
        copied = copy_loop(url, Workload(), seconds=bench.seconds, server_pid=bench.server.pid)
    bench.figure("copy", copied.per_second, "orders/s", batch=BATCH, connections=CONNECTIONS, processes=1)
    bench.figure("copy_cpu", copied.client_cpu_micros() + copied.server_cpu_micros(), "µs/order", side="both")


def _bare_load(bench: Bench, url: str, workload: Workload, processes: int, connections: int) -> Load:
    loop = partial(bare_loop, connections=connections)
    if processes == 1:
        return loop(url, workload, bench.seconds, 0, bench.server.pid)
    return in_processes(processes, loop, url, workload, bench.seconds, server_pid=bench.server.pid)


@contextmanager
def _stocked(bench: Bench, workload: Workload) -> Iterator[str]:
    """Make a database with stock, and with the month's partitions, which the library makes with its first order; it is gone afterwards."""
    url = bench.server.database()
    with orderkit.open(url, payments=Provider()) as shop:
        stocked(shop, workload)
        shop.place(workload.cart(0), "pm_visa")
    yield url
    bench.server.drop(url)


def _findings(url: str) -> int:
    """Let orderkit verify hash chains, log and state of what the bare script wrote."""
    with orderkit.open(url, payments=Provider()) as shop:
        return sum(1 for _ in shop.store.verify_log())


# ---- the bare script


def bare_loop(
    url: str,
    workload: Workload,
    seconds: float,
    first: int = 0,
    server_pid: int | None = None,
    *,
    connections: int = CONNECTIONS,
) -> Load:
    """Place batch after batch on a few connections, each in a thread of its own: one builds while the server works for the other."""
    return _threads(
        lambda connection, numbers: _placed(connection, workload, numbers),
        url,
        seconds,
        server_pid,
        first,
        connections=connections,
    )


def _placed(connection: psycopg.Connection[Any], workload: Workload, numbers: Sequence[int]) -> None:
    batch = Batch(workload, numbers)
    with connection.transaction():
        _insert(connection, "keys", bare.NEW_KEY, batch.keys, " ON CONFLICT DO NOTHING")
        _move(connection, batch.stock)
        _insert(connection, "orders", bare.NEW_ORDER, batch.orders)
        _insert(connection, "order_texts", bare.NEW_TEXT, batch.texts)
        _insert(connection, "order_lines", bare.NEW_LINE, batch.lines)
        _insert(connection, "payments", bare.NEW_PAYMENT, batch.payments)
        _insert(connection, "shipments", bare.NEW_SHIPMENT, batch.shipments)
        _insert(connection, "records", bare.NEW_RECORD, batch.records)
    batch.confirm()
    with connection.transaction():
        _update(connection, "orders", bare.ORDER_CONFIRMED, ("id",), batch.confirmed)
        _update(connection, "payments", bare.PAYMENT_CONFIRMED, ("order_id", "number"), batch.paid)
        _insert(connection, "records", bare.NEW_RECORD, batch.confirmations)


def _kind(table: str, name: str) -> str:
    if name == "state" and table == "orders":
        return "bytea"
    return _KINDS.get(name, "text")


def _set(table: str, names: Sequence[str]) -> str:
    arrays = ", ".join(f"{'%b' if (kind := _kind(table, name)) == 'bytea' else '%s'}::{kind}[]" for name in names)
    return f"unnest({arrays}) AS v({', '.join(names)})"


def _array(kind: str, values: Sequence[Any]) -> Any:
    """Write a column as PostgreSQL's own text for arrays: the driver's way for lists costs several times as much."""
    if kind == "bytea":
        return list(values)
    if kind in ("int", "bigint", "bool"):
        return "{" + ",".join(map(str, values)) + "}"
    if kind == "timestamptz":
        return "{" + ",".join(["NULL" if at is None else f'"{at.isoformat()}"' for at in values]) + "}"
    return "{" + ",".join(["NULL" if value is None else f'"{value}"' for value in values]) + "}"


def _columns(table: str, names: Sequence[str], rows: Sequence[Row]) -> list[Any]:
    return [_array(_kind(table, name), values) for name, values in zip(names, zip(*rows, strict=True), strict=True)]


def _insert(
    connection: psycopg.Connection[Any], table: str, names: Sequence[str], rows: list[Row], more: str = ""
) -> None:
    columns = ", ".join(names)
    statement = f"INSERT INTO orderkit.{table} ({columns}) SELECT {columns} FROM {_set(table, names)}{more}"
    connection.execute(statement, _columns(table, names, rows))


def _update(
    connection: psycopg.Connection[Any], table: str, names: Sequence[str], keys: tuple[str, ...], rows: list[Row]
) -> None:
    values = ", ".join(f"{name} = v.{name}" for name in names if name not in keys)
    where = " AND ".join(f"t.{key} = v.{key}" for key in keys)
    statement = f"UPDATE orderkit.{table} AS t SET {values} FROM {_set(table, names)} WHERE {where}"
    connection.execute(statement, _columns(table, names, rows))


def _move(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
    """Lock the shelves in order, and promise units of each once; the table's own CHECK is the guard."""
    places = _columns("stock", bare.MOVED, rows)
    connection.execute(
        "SELECT FROM unnest(%s::text[], %s::text[]) AS v(sku, warehouse) JOIN orderkit.stock AS s USING (sku, warehouse)"
        " ORDER BY s.sku, s.warehouse FOR UPDATE OF s",
        places[:2],
    )
    connection.execute(
        f"UPDATE orderkit.stock AS t SET reserved = t.reserved + v.reserved FROM {_set('stock', bare.MOVED)}"
        " WHERE t.sku = v.sku AND t.warehouse = v.warehouse",
        places,
    )


# ---- COPY of rows that were made before


def copy_loop(url: str, workload: Workload, *, seconds: float, server_pid: int | None) -> Load:
    """Copy rows that are texts already, made before the clock runs; ids are made unique by the batch's number."""
    batch = Batch(workload, range(BATCH))
    batch.confirm()
    tables = (
        ("keys", bare.NEW_KEY, batch.keys),
        ("orders", bare.NEW_ORDER, batch.orders),
        ("order_texts", bare.NEW_TEXT, batch.texts),
        ("order_lines", bare.NEW_LINE, batch.lines),
        ("payments", bare.NEW_PAYMENT, batch.payments),
        ("shipments", bare.NEW_SHIPMENT, batch.shipments),
        ("records", bare.NEW_RECORD, [*batch.records, *batch.confirmations]),
    )
    made = [(table, names, _lines(rows)) for table, names, rows in tables]
    marks = {row[0][:8]: None for row in batch.orders}  # the ids of a batch begin with the same milliseconds

    begin = _time_of(batch.orders[0][0]).replace(day=2, hour=0)  # in the same month, whose partitions are there

    def copied(connection: psycopg.Connection[Any], numbers: Sequence[int]) -> None:
        mark = f"{(round(begin.timestamp() * 1000) >> 16) + numbers[0] // BATCH:08x}".encode()
        with connection.transaction(), connection.cursor() as cursor:
            for table, names, template in made:
                text = template.replace(b"checkout-", b"checkout-" + mark)
                for old in marks:
                    text = text.replace(old.encode(), mark)
                with cursor.copy(f"COPY orderkit.{table} ({', '.join(names)}) FROM STDIN") as copy:
                    copy.write(text)

    return _threads(copied, url, seconds, server_pid, 0)


def _time_of(order_id: str) -> datetime:
    """Return the time in a UUIDv7: its first 48 bits are milliseconds."""
    return datetime.fromtimestamp(int(order_id[:8] + order_id[9:13], 16) / 1000, UTC)


def _lines(rows: Sequence[Row]) -> bytes:
    """Return rows as COPY reads them."""
    return "".join(["\t".join(map(_text, row)) + "\n" for row in rows]).encode()


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


# ---- threads with a connection each


def _threads(
    act: Callable[[psycopg.Connection[Any], Sequence[int]], None],
    url: str,
    seconds: float,
    server_pid: int | None,
    first: int,
    *,
    connections: int = CONNECTIONS,
) -> Load:
    numbers: Iterator[int] = count(first, BATCH)
    load = Load()
    errors: list[BaseException] = []
    collect_rarely()

    def worker() -> None:
        try:
            with psycopg.connect(url, autocommit=True, prepare_threshold=1) as connection:
                while time.perf_counter() < begin + seconds and not errors:
                    start = next(numbers)
                    since = time.perf_counter()
                    act(connection, range(start, start + BATCH))
                    load.latencies += [time.perf_counter() - since] * BATCH
        except BaseException as error:  # noqa: BLE001  (raised below, where somebody sees it)
            errors.append(error)

    watch, begin = CpuWatch(server_pid), time.perf_counter()
    threads = [threading.Thread(target=worker) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    load.seconds = time.perf_counter() - begin
    load.client_cpu, load.server_cpu = watch.spent()
    return load
