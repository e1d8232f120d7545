"""Whether the log is what was written, and the stored orders what the log tells. It reports; it repairs nothing.

For every order: the versions are without a gap, every hash is that of its bytes and its forerunner, the last one stands in the order's
row, the columns beside the bytes say the same, replaying the records gives the stored order, and its prices come to what was placed. Orders
are read a page at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection

from orderkit.domain.events import Record, replayed
from orderkit.domain.order import Order
from orderkit.domain.value import as_dict
from orderkit.errors import OrderkitError
from orderkit.ports.audit import Finding, Head
from orderkit_sql.codec import CHAIN_START, UNREADABLE, chained, decode_record
from orderkit_sql.database import Database
from orderkit_sql.reading import load_many

PAGE = 200


def verify_log(
    database: Database, connection: Connection, looked: Callable[[int], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield what is wrong with the log and the stored orders, by order; nothing when all is well.

    The connection should see one moment (a snapshot) where others write meanwhile. `looked` is told how many orders were looked at so far.
    """
    after, count = "", 0
    while ids := _page(database, connection, after):
        heads = _heads(database, connection, ids)
        records = _records(database, connection, ids)
        orders = _orders(database, connection, ids)
        for order_id in ids:
            yield from _checked(
                order_id, orders.get(order_id), heads.get(order_id), records.get(order_id, []), database
            )
        after, count = ids[-1], count + len(ids)
        looked(count)


def read_heads(database: Database, connection: Connection, since: datetime | None) -> Iterator[Head]:
    """Yield the head of every order, or of those that changed since a time, by order id."""
    orders = database.name(database.tables.orders)
    mark = "?" if database.backend.name == "sqlite" else "%s"
    changed, values = (f" AND updated_at >= {mark}", (database.backend.moment(since),)) if since else ("", ())
    after = ""
    while rows := connection.exec_driver_sql(
        f"SELECT id, version, log_head FROM {orders} WHERE id > {mark}{changed} ORDER BY id LIMIT {PAGE}",
        (after, *values),
    ).fetchall():
        for row in rows:
            yield Head(row[0], row[1], _bytes(row[2]))
        after = rows[-1][0]


def verify_heads(database: Database, connection: Connection, heads: Sequence[Head]) -> Iterator[Finding]:
    """Yield each head whose record is not in the log as it was."""
    table, backend, names = database.tables.records, database.backend, ("order_id", "version")
    for start in range(0, len(heads), PAGE):
        page = heads[start : start + PAGE]
        near = backend.near("r.order_id", [head.order_id for head in page])
        statement = (
            f"SELECT r.order_id, r.version, r.hash FROM {backend.row_set(table, names)} JOIN {database.name(table)} AS r"
            f" ON r.order_id = v.order_id AND r.version = v.version{near}"
        )
        rows = connection.exec_driver_sql(
            statement, backend.row_parameters(table, names, [(head.order_id, head.version) for head in page])
        )
        hashes = {(row[0], row[1]): _bytes(row[2]) for row in rows}
        for head in page:
            found = hashes.get((head.order_id, head.version))
            if found is None:
                yield Finding(head.order_id, head.version, "the log ends before the record that was anchored")
            elif found != head.hash:
                yield Finding(head.order_id, head.version, "the record is not the one that was anchored")


def _page(database: Database, connection: Connection, after: str) -> list[str]:
    """Return the next ids that have an order or a record."""
    orders, records = database.name(database.tables.orders), database.name(database.tables.records)
    mark = "?" if database.backend.name == "sqlite" else "%s"
    found = connection.exec_driver_sql(
        f"SELECT id FROM (SELECT id FROM {orders} WHERE id > {mark} ORDER BY id LIMIT {PAGE}) AS o"
        f" UNION SELECT order_id FROM (SELECT DISTINCT order_id FROM {records} WHERE order_id > {mark} ORDER BY order_id LIMIT {PAGE}) AS r"
        f" ORDER BY 1 LIMIT {PAGE}",
        (after, after),
    )
    return [row[0] for row in found]


def _orders(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, Order | Exception]:
    """Load a page of orders; where one cannot be read, each by itself, the error in its place."""
    try:
        loaded = load_many(database, connection, ids)
    except UNREADABLE as error:
        if len(ids) == 1:
            return {ids[0]: error}
        return {id_: order for one in ids for id_, order in _orders(database, connection, [one]).items()}
    return {order.id: order for order in loaded if order is not None}


def _heads(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    backend, orders = database.backend, database.name(database.tables.orders)
    rows = connection.exec_driver_sql(
        f"SELECT id, log_head FROM {orders} WHERE {backend.among('id')}{backend.near('id', ids)}", backend.texts(ids)
    )
    return {row[0]: _bytes(row[1]) for row in rows}


def _records(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, list[Sequence[Any]]]:
    backend, records = database.backend, database.name(database.tables.records)
    names = "order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash"
    rows = connection.exec_driver_sql(
        f"SELECT {names} FROM {records} WHERE {backend.among('order_id')}{backend.near('order_id', ids)} ORDER BY order_id, version",
        backend.texts(ids),
    )
    grouped: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    return grouped


@attrs.define
class _Chain:
    """What reading the rows of one log has shown so far."""

    records: list[Record] = attrs.field(factory=list)
    head: bytes = CHAIN_START
    readable: bool = True
    intact: bool = True


def _checked(
    order_id: str,
    order: Order | Exception | None,
    head: bytes | None,
    rows: Sequence[Sequence[Any]],
    database: Database,
) -> Iterator[Finding]:
    chain = _Chain()
    for expected, row in enumerate(rows, start=1):
        yield from _followed(chain, expected, row, database)
        if not chain.readable:
            return
    if isinstance(order, Exception):
        yield Finding(order_id, None, f"the stored order cannot be read: {order}")
    elif order is None:
        yield Finding(order_id, None, "the log has records of an order that is not there")
    elif not chain.records:
        yield Finding(order_id, None, "the order has no log")
    elif len(chain.records) != order.version:
        yield Finding(
            order_id, order.version, f"the order is at version {order.version}, the log ends at {len(chain.records)}"
        )
    else:
        if head != chain.head:
            yield Finding(order_id, order.version, "the order's row names another end of the log")
        if chain.intact:
            yield from _folded(order, chain.records)
            yield from _worth(order, chain.records)


def _followed(chain: _Chain, expected: int, row: Sequence[Any], database: Database) -> Iterator[Finding]:
    """Take one more row of a log; what cannot be read ends the reading."""
    order_id, version, at, actor, reason, source, target, body, before, hashed = row
    if version != expected:
        chain.readable = False
        yield Finding(order_id, version, f"version {expected} is missing from the log")
        return
    body, before, hashed = _bytes(body), _bytes(before), _bytes(hashed)
    if before != chain.head or chained(chain.head, body) != hashed:
        chain.intact = False
        yield Finding(order_id, version, "the hash is not that of the record and the one before it")
    chain.head = hashed
    try:
        record = decode_record(body)
    except UNREADABLE as error:
        chain.readable = False
        yield Finding(order_id, version, f"the record cannot be read: {error}")
        return
    chain.records.append(record)
    told = (record.order_id, record.version, record.stamp.at, record.stamp.actor, record.stamp.reason)
    if (order_id, version, database.backend.instant(at), actor, reason) != told:
        yield Finding(order_id, version, "a column says something else than the record")
    if (source, target) != (record.from_status, record.to_status):
        yield Finding(order_id, version, "the status in the column is not that of the record")


def _folded(order: Order, records: Sequence[Record]) -> Iterator[Finding]:
    try:
        told = replayed(records, order.facts)
    except OrderkitError as error:
        yield Finding(order.id, order.version, f"the log cannot be replayed: {error}")
        return
    for name, value in as_dict(order).items():
        if getattr(told, name) != value:
            yield Finding(order.id, order.version, f"the log tells another {name} than the stored order has")


def _worth(order: Order, records: Sequence[Record]) -> Iterator[Finding]:
    """The prices stand in the document, which is no part of the log; what they came to when it was placed is in the first record."""
    placed = next((event.data for event in records[0].events if event.type == "order.placed"), None)
    if placed is None or any(record.change.amended for record in records):
        return
    if (placed.get("total_minor"), placed.get("currency")) != (order.total_minor, order.currency):
        yield Finding(order.id, 1, "the order is worth something else than what was placed")


def _bytes(stored: Any) -> bytes:
    """Return stored bytes; whoever tampers with a file may leave another kind of value in their place."""
    return bytes(stored) if isinstance(stored, bytes | memoryview) else str(stored).encode()
