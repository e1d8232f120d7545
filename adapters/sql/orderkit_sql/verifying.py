"""Whether the log is what was written, and the stored orders what the log tells. It reports; it repairs nothing.

For every order: the versions are without a gap, every hash is that of its bytes and its forerunner, the last one stands in the order's
row, the columns beside the bytes say the same, replaying the records gives the stored order, its document names the customer, the lines and the
total that the log names, and its rows are those that would be written for it (see `comparing`). Orders are read a page at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from orderkit.domain.events import Record, replayed
from orderkit.domain.order import Order
from orderkit.domain.value import as_dict
from orderkit.errors import OrderkitError
from orderkit.ports.audit import Finding, Head
from orderkit_sql.codec import CHAIN_START, UNREADABLE, chained, decode_record
from orderkit_sql.comparing import Stored, differing, ownerless, stored_rows
from orderkit_sql.database import Database
from orderkit_sql.reading import load_many

PAGE = 200
STRANGE = (*UNREADABLE, DataError)  # PostgreSQL knows times that Python does not
_Log = Sequence[Sequence[Any]]
T = TypeVar("T")


def verify_log(
    database: Database, connection: Connection, looked: Callable[[int], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield what is wrong with the log and the stored orders, by order; nothing when all is well.

    The connection should see one moment (a snapshot) where others write meanwhile. `looked` is told how many orders were looked at so far.
    """
    after, count = "", 0
    while ids := _page(database, connection, after):
        heads = _heads(database, connection, ids)
        logs = _each(ids, lambda some: _records(database, connection, some))
        orders = _each(ids, lambda some: _orders(database, connection, some))
        rows = _each(ids, lambda some: stored_rows(database, connection, some))
        for order_id in ids:
            found = _Found(orders.get(order_id), heads.get(order_id), logs.get(order_id, ()), rows.get(order_id, {}))
            yield from _checked(order_id, found, database)
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
    """Return the next ids that have an order, a record, or a row of a part."""
    tables = database.tables
    mark = "?" if database.backend.name == "sqlite" else "%s"
    parts = (tables.records, tables.order_lines, tables.payments, tables.shipments, tables.returns)
    asked = [
        f"SELECT {key} AS id FROM (SELECT DISTINCT {key} FROM {database.name(table)} WHERE {key} > {mark} ORDER BY {key} LIMIT {PAGE}) AS t"
        for table, key in [(tables.orders, "id"), *((table, "order_id") for table in parts)]
    ]
    found = connection.exec_driver_sql(f"{' UNION '.join(asked)} ORDER BY 1 LIMIT {PAGE}", (after,) * len(asked))
    return [row[0] for row in found]


def _each(ids: Sequence[str], read: Callable[[Sequence[str]], Mapping[str, T]]) -> dict[str, T | Exception]:
    """Read something of a page of orders; where that of one cannot be read, of each by itself, the error in its place."""
    try:
        return dict(read(ids))
    except STRANGE as error:
        if len(ids) == 1:
            return {ids[0]: error}
        return {id_: found for one in ids for id_, found in _each([one], read).items()}


def _orders(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, Order | Exception]:
    return {
        id_: found for id_, found in zip(ids, load_many(database, connection, ids), strict=True) if found is not None
    }


def _heads(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    backend, orders = database.backend, database.name(database.tables.orders)
    rows = connection.exec_driver_sql(
        f"SELECT id, log_head FROM {orders} WHERE {backend.among('id', ids)}{backend.near('id', ids)}",
        backend.texts(ids),
    )
    return {row[0]: _bytes(row[1]) for row in rows}


def _records(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, list[Sequence[Any]]]:
    backend, records = database.backend, database.name(database.tables.records)
    names = "order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash"
    rows = connection.exec_driver_sql(
        f"SELECT {names} FROM {records} WHERE {backend.among('order_id', ids)}{backend.near('order_id', ids)} ORDER BY order_id, version",
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


@attrs.frozen
class _Found:
    """What is stored of one order; an error where something cannot be read."""

    order: Order | Exception | None
    head: bytes | None
    log: _Log | Exception
    rows: Stored | Exception


def _checked(order_id: str, found: _Found, database: Database) -> Iterator[Finding]:
    chain, order = _Chain(), found.order
    yield from _read(chain, order_id, found.log, database)
    if not chain.readable:
        return
    if isinstance(order, Exception):
        yield Finding(order_id, None, f"the stored order cannot be read: {_said(order)}")
    elif isinstance(found.rows, Exception):
        yield Finding(order_id, None, f"the rows of the order cannot be read: {_said(found.rows)}")
    elif order is None:
        if chain.records:
            yield Finding(order_id, None, "the log has records of an order that is not there")
        yield from ownerless(database, order_id, found.rows)
    elif order.version == len(chain.records):
        if found.head != chain.head:
            yield Finding(order_id, order.version, "the order's row names another end of the log")
        if chain.intact:
            yield from _held_against_the_log(order, chain.records, found.rows, database)
    else:
        yield _without_a_log(order, len(chain.records))


def _without_a_log(order: Order, records: int) -> Finding:
    if not records:
        return Finding(order.id, None, "the order has no log")
    return Finding(order.id, order.version, f"the order is at version {order.version}, the log ends at {records}")


def _read(chain: _Chain, order_id: str, log: _Log | Exception, database: Database) -> Iterator[Finding]:
    """Take the rows of a log as far as they can be read."""
    if isinstance(log, Exception):
        chain.readable = False
        yield Finding(order_id, None, f"the log cannot be read: {_said(log)}")
        return
    for expected, row in enumerate(log, start=1):
        yield from _followed(chain, expected, row, database)
        if not chain.readable:
            return


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
    stamp, moment = record.stamp, database.backend.moment
    if (order_id, version, at, actor, reason) != (
        record.order_id,
        record.version,
        moment(stamp.at),
        stamp.actor,
        stamp.reason,
    ):
        yield Finding(order_id, version, "a column says something else than the record")
    if (source, target) != (record.from_status, record.to_status):
        yield Finding(order_id, version, "the status in the column is not that of the record")


def _held_against_the_log(
    order: Order, records: Sequence[Record], rows: Stored, database: Database
) -> Iterator[Finding]:
    """Hold the order, its document and its rows against what the log tells: the order that it tells is the one whose rows there should be."""
    try:
        told = replayed(records, order.facts)
    except OrderkitError as error:
        yield Finding(order.id, order.version, f"the log cannot be replayed: {error}")
        return
    for name, value in as_dict(order).items():
        if getattr(told, name) != value:
            yield Finding(order.id, order.version, f"the log tells another {name} than the stored order has")
    yield from _agreed(told, records)
    yield from differing(database, told, records[-1], rows)


def _agreed(told: Order, records: Sequence[Record]) -> Iterator[Finding]:
    """What was agreed stands in the document, which is no part of the log; so much of it as the records say is held against them."""
    placed = next((event.data for event in records[0].events if event.type == "order.placed"), None)
    if placed is not None:
        amounts = [placed.get("total_minor"), *_added(records)]
        total = sum(amounts) if all(isinstance(amount, int) for amount in amounts) else None
        if (total, placed.get("currency")) != (told.total_minor, told.currency):
            yield Finding(told.id, 1, "the order is worth something else than what was placed")
        if placed.get("customer") != told.facts.customer:
            yield Finding(told.id, 1, "the document names another customer than the log")
    if [(line.number, line.sku, line.quantity) for line in told.facts.lines] != [
        (line.number, line.sku, line.ordered) for line in told.lines
    ]:
        yield Finding(told.id, told.version, "the document has other lines than the log")


def _added(records: Sequence[Record]) -> list[Any]:
    """By how much each amendment made the total grow."""
    events = (event for record in records for event in record.events if event.type == "order.amended")
    return [event.data["difference_minor"] for event in events if "difference_minor" in event.data]


def _said(error: Exception) -> str:
    """What the driver said, without what was asked."""
    return str(error.orig) if isinstance(error, DataError) else str(error)


def _bytes(stored: Any) -> bytes:
    """Return stored bytes; whoever tampers with a file may leave another kind of value in their place."""
    return bytes(stored) if isinstance(stored, bytes | memoryview) else str(stored).encode()
