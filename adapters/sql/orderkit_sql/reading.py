"""Reading orders and their log. What is decided on is read from the primary, whole, as of one moment: an order is one question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from msgspec import DecodeError
from sqlalchemy import Connection

from orderkit.domain.events import Record
from orderkit.domain.given import storable
from orderkit.domain.order import Order
from orderkit.errors import OrderkitError, PortError
from orderkit.ports.store import DuplicateKey, FindKey, ReadRecords
from orderkit_sql import writing
from orderkit_sql.backend import Backend
from orderkit_sql.codec import UNREADABLE, decode_record
from orderkit_sql.database import Database
from orderkit_sql.direct import rows_of
from orderkit_sql.rows import DETAIL_LOADED, LINE_LOADED, ORDER_LOADED, PAYMENT_LOADED, loaded_order
from orderkit_sql.schema import Tables
from orderkit_sql.together import Source, Together


def load_many(
    database: Database, connection: Connection, order_ids: Sequence[str]
) -> list[Order | OrderkitError | None]:
    """Return each order, or nothing in its place; for one that cannot be read any more, an error."""
    ids = list(dict.fromkeys(order_ids))
    if not ids:
        return []
    backend = database.backend
    orders, lines, payments, shipments, returns = _whole(database.tables, backend).read(connection, ids)
    loaded: dict[str, Order | OrderkitError] = {}
    for id_, (row,) in orders.items():
        rows = (lines.get(id_, ()), payments.get(id_, ()), shipments.get(id_, ()), returns.get(id_, ()))
        try:
            loaded[id_] = loaded_order(row, *rows, backend)
        except UNREADABLE as error:
            loaded[id_] = damaged(id_, error)
    return [loaded.get(order_id) for order_id in order_ids]


def damaged(order_id: str, error: Exception) -> PortError:
    """Return the error of an order of which something was stored that cannot be read; what that holds is not said."""
    why = str(error) if isinstance(error, DecodeError) else type(error).__name__
    return PortError(
        f"order {order_id} cannot be read: {why}",
        code="order_damaged",
        field="order_id",
        facts={"order_id": order_id},
    )


@cache
def _whole(tables: Tables, backend: Backend) -> Together:
    """Return the question for all rows of an order."""
    sources = (
        Source(tables.orders, ORDER_LOADED),
        Source(tables.order_lines, LINE_LOADED),
        Source(tables.payments, PAYMENT_LOADED),
        Source(tables.shipments, DETAIL_LOADED),
        Source(tables.returns, DETAIL_LOADED),
    )
    return Together(backend, sources)


def find_keys(database: Database, connection: Connection, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
    """Return what each key stands for."""
    scopes = [(key.principal, key.operation, key.key) for key in keys]
    known = [scope for scope in dict.fromkeys(scopes) if all(map(storable, scope))]
    found = writing.find_keys(database, connection, known)
    return [found.get(scope) for scope in scopes]


def read_records(database: Database, connection: Connection, asked: ReadRecords) -> tuple[Record, ...]:
    """Return the log of an order, oldest first."""
    backend = database.backend
    ids = [asked.order_id]
    where = backend.among("order_id", ids) + backend.near("order_id", ids)
    statement = f"SELECT body FROM {database.name(database.tables.records)} WHERE {where} ORDER BY version"
    rows = rows_of(connection, statement, backend.texts(ids))
    try:
        return tuple([decode_record(row[0]) for row in rows])
    except UNREADABLE as error:
        raise damaged(asked.order_id, error) from error
