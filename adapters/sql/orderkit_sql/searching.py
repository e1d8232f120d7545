"""Lists of orders: filters, words, and pages by position (newest first), so that a page costs the same however deep it is.

Words are looked for in a side table of folded text, by a scan of what the other filters leave; a search index does better where there is
one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, or_, select, tuple_

from orderkit.domain.given import instant
from orderkit.domain.value import as_dict, evolve
from orderkit.errors import InvalidInput
from orderkit.ports.store import FindOrders, OrderQuery, OrderSummary, Page
from orderkit_sql.backend import Backend
from orderkit_sql.codec import UNREADABLE
from orderkit_sql.database import Database
from orderkit_sql.reading import damaged
from orderkit_sql.rows import SUMMARY, loaded_summary


def _summary(row: Sequence[Any], backend: Backend) -> OrderSummary:
    try:
        return loaded_summary(row, backend)
    except UNREADABLE as error:
        raise damaged(row[0], error) from error


def find_orders(database: Database, connection: Connection, asked: FindOrders) -> Page:
    """Return a page of orders, newest first."""
    query, backend = asked.query, database.backend
    orders = database.tables.orders
    conditions = list(_conditions(database, query))
    if (after := _position(query)) is not None:
        placed_at, order_id = after
        conditions.append(tuple_(orders.c.placed_at, orders.c.id) < tuple_(backend.moment(placed_at), order_id))
    statement = (
        select(*(orders.c[name] for name in SUMMARY))
        .where(*conditions)
        .order_by(orders.c.placed_at.desc(), orders.c.id.desc())
        .limit(query.limit + 1)
    )
    rows = connection.execute(statement).fetchall()
    items = tuple([_summary(row, backend) for row in rows[: query.limit]])
    more = len(rows) > query.limit and bool(items)
    return Page(items, _cursor(query, items[-1].placed_at, items[-1].id) if more else None)


def _conditions(database: Database, query: OrderQuery) -> Iterator[ColumnElement[bool]]:
    orders, moment = database.tables.orders, database.backend.moment
    if query.customer is not None:
        yield orders.c.customer == query.customer
    if query.statuses:
        yield orders.c.status.in_(query.statuses)
    if query.payment_statuses:
        yield orders.c.payment_status.in_(query.payment_statuses)
    if query.placed_from is not None:
        yield orders.c.placed_at >= moment(query.placed_from)
    if query.placed_until is not None:
        yield orders.c.placed_at < moment(query.placed_until)
    yield from _conditions_of_parts(database, query)


def _conditions_of_parts(database: Database, query: OrderQuery) -> Iterator[ColumnElement[bool]]:
    tables, moment = database.tables, database.backend.moment
    orders, lines, shipments = tables.orders, tables.order_lines, tables.shipments
    if query.sku is not None:
        yield _with(database, lines, lines.c.sku == query.sku)
    left = []  # both bounds hold for one shipment: of two, one before and one after the span, none left within it
    if query.shipped_from is not None:
        left.append(shipments.c.shipped_at >= moment(query.shipped_from))
    if query.shipped_until is not None:
        left.append(shipments.c.shipped_at < moment(query.shipped_until))
    if left:
        yield _with(database, shipments, *left)
    if query.tracking_number is not None:
        # Not as `exists`: the number picks the order, so it comes first.
        numbers = select(shipments.c.order_id).where(shipments.c.tracking_number == query.tracking_number)
        yield orders.c.id.in_(numbers)
    for word in (query.text or "").casefold().split():
        yield _with(database, tables.texts, _said(tables.texts.c.text, word))


def _said(text: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Whether a search text holds the word, or begins with it: the id comes first, up to the first space, and is found by its beginning only."""
    escaped = re.sub(r"([/%_])", r"/\1", word)
    return or_(text.like(f"{escaped}%", escape="/"), text.like(f"% %{escaped}%", escape="/"))


def _with(database: Database, table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(and_(table.c.order_id == database.tables.orders.c.id, *conditions))


# ---- cursors


def _cursor(query: OrderQuery, placed_at: datetime, order_id: str) -> str:
    return f"{_digest(query)}.{placed_at.isoformat()}.{order_id}"


def _position(query: OrderQuery) -> tuple[datetime, str] | None:
    if query.cursor is None:
        return None
    digest, _, rest = query.cursor.partition(".")
    at, separator, order_id = _split(rest)
    if digest != _digest(query) or not separator:
        raise InvalidInput("the cursor belongs to another query", code="invalid_cursor", field="cursor")
    try:
        placed_at = instant(at)
    except ValueError:
        raise InvalidInput("the cursor is damaged", code="invalid_cursor", field="cursor") from None
    return placed_at, order_id


def _split(rest: str) -> tuple[str, str, str]:
    """Split after the offset of the time; the time may hold a point, an id may hold anything."""
    at, plus, tail = rest.partition("+")
    offset, separator, order_id = tail.partition(".")
    return f"{at}{plus}{offset}", separator, order_id


def _digest(query: OrderQuery) -> str:
    same = as_dict(evolve(query, cursor=None, limit=50))
    return hashlib.blake2b(repr(sorted(same.items())).encode(), digest_size=6).hexdigest()
