"""Reading orders and their log. What is decided on is read from the primary, whole, as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from orderkit.domain.events import Record
from orderkit.domain.given import storable
from orderkit.domain.order import Order
from orderkit.errors import Conflict
from orderkit.ports.store import DuplicateKey, FindKey, ReadRecords
from orderkit_sql import writing
from orderkit_sql.codec import decode_record
from orderkit_sql.database import Database
from orderkit_sql.direct import rows_of
from orderkit_sql.rows import LINE_LOADED, ORDER_LOADED, PAYMENT_LOADED, loaded_order

_Rows = Mapping[str, Sequence[Sequence[Any]]]
LOADS_MAX = 20
_DETAIL = ("order_id", "detail")


def load_many(database: Database, connection: Connection, order_ids: Sequence[str]) -> list[Order | None]:
    """Return each order, or nothing in its place. The transaction has to see one moment, as a snapshot does."""
    ids = list(dict.fromkeys(order_ids))
    if not ids:
        return []
    tables, backend = database.tables, database.backend
    orders = _orders(database, connection, ids)
    found = list(orders)
    lines = _parts(database, connection, tables.order_lines, LINE_LOADED, found)
    payments = _parts(database, connection, tables.payments, PAYMENT_LOADED, found)
    shipments = _parts(database, connection, tables.shipments, _DETAIL, found)
    returns = _parts(database, connection, tables.returns, _DETAIL, [i for i, row in orders.items() if row[3]])
    loaded = {
        id_: loaded_order(
            row, lines.get(id_, ()), payments.get(id_, ()), shipments.get(id_, ()), returns.get(id_, ()), backend
        )
        for id_, row in orders.items()
    }
    return [loaded.get(order_id) for order_id in order_ids]


def load_many_again(database: Database, connection: Connection, order_ids: Sequence[str]) -> list[Order | None]:
    """Do the same in a transaction whose statements each see a moment of their own: read again until no order changed meanwhile.

    Every commit counts the version on, so an order whose version is the same before and after is whole.
    """
    for _ in range(LOADS_MAX):
        loaded = load_many(database, connection, order_ids)
        versions = {order.id: order.version for order in loaded if order is not None}
        if versions == {id_: row[1] for id_, row in _orders(database, connection, list(versions)).items()}:
            return loaded
    raise Conflict("the orders changed again and again while they were read")


def _orders(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, Sequence[Any]]:
    if not ids:
        return {}
    return {row[0]: row for row in selected(database, connection, database.tables.orders, ORDER_LOADED, "id", ids)}


def _parts(
    database: Database, connection: Connection, table: Table, names: tuple[str, ...], ids: Sequence[str]
) -> _Rows:
    """Return rows by order, each in the order of its numbers."""
    grouped: dict[str, list[Sequence[Any]]] = {}
    if ids:
        for row in selected(database, connection, table, names, "order_id", ids, " ORDER BY order_id, number"):
            grouped.setdefault(row[0], []).append(row)
    return grouped


def selected(
    database: Database,
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    key: str,
    ids: Sequence[str],
    order: str = "",
) -> Sequence[Sequence[Any]]:
    """Return these columns of the rows of some orders."""
    backend = database.backend
    statement = f"SELECT {', '.join(names)} FROM {database.name(table)} WHERE {backend.among(key, ids)}{backend.near(key, ids)}{order}"
    return rows_of(connection, statement, backend.texts(ids))


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
    return tuple(decode_record(row[0]) for row in rows)
