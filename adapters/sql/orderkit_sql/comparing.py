"""Whether an order's rows say what the order says, column by column.

An order is loaded from a few columns and documents. The others are written beside them for lists, reports and constraints, and nothing that acts
on the order reads them again: who changes one by hand changes what people see, and no program notices. So the stored rows are held against
those that would be written for the order; a release that derives one of them otherwise has to write it anew in its migration. Which column holds
what is said in `rows` and `parts` alone; this module must not know it, nor anything of the log and its hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, LargeBinary, Table

from orderkit.domain.agenda import due
from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.ports.audit import Finding
from orderkit.ports.store import Commit
from orderkit_sql.backend import Backend, Change
from orderkit_sql.database import Database
from orderkit_sql.direct import rows_of
from orderkit_sql.parts import part_changes
from orderkit_sql.rows import ORDER_NEW, order_changes, order_identity

# The rows of one order: by table, and by number, which is 0 for the order's own row.
Stored: TypeAlias = dict[Table, dict[int, Sequence[Any]]]

# What workers write into an order's row while they are at it is no fact: it says how the work goes, and the log knows nothing of it.
WORKING = ("lease_until", "attempts", "parked", "error")


def stored_rows(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, Stored]:
    """Return the rows of a page of orders, with the columns that are compared; one statement for each table."""
    found: dict[str, Stored] = {id_: {} for id_ in ids}
    backend = database.backend
    for change in _written(database, ()):
        table, names = change.table, _compared(change.table, change.names)
        key = "order_id" if "number" in change.names else "id"
        number = "number" if "number" in change.names else "0"
        statement = f"SELECT {', '.join((key, number, *names))} FROM {database.name(table)} WHERE {backend.among(key, ids)}{backend.near(key, ids)}"
        for row in rows_of(connection, statement, backend.texts(ids)):
            found[row[0]].setdefault(table, {})[row[1]] = row[2:]
    return found


def differing(database: Database, order: Order, last: Record, stored: Stored) -> Iterator[Finding]:
    """Yield each column, and each row, that is not as it would be written for the order after its last record."""
    task = due(order)
    commit = Commit(
        before=None,
        after=order,
        record=last,
        due_at=task.at if task else None,
        due_for=task.kind.value if task else None,
    )
    for change in _written(database, (commit,)):
        rows, name = dict(stored.get(change.table, {})), database.name(change.table)
        compared = _compared(change.table, change.names)
        for row in change.rows:
            values = dict(zip(change.names, row, strict=True))
            number = values.get("number", 0)
            there = rows.pop(number, None)
            if there is None:
                yield Finding(order.id, order.version, f"{name} {number}: the row is missing")
                continue
            for column, value in zip(compared, there, strict=True):
                if value != values[column] and not _put_off(column, value, values[column], database.backend):
                    problem = f"{name} {number}: the column {column} says something else than the order"
                    yield Finding(order.id, order.version, problem)
        for number in sorted(rows, key=str):
            yield Finding(order.id, order.version, f"{name} {number}: the order has no such row")


def ownerless(database: Database, order_id: str, stored: Stored) -> Iterator[Finding]:
    """Yield each row that belongs to an order that is not there."""
    for table, rows in stored.items():
        for number in sorted(rows, key=str):
            yield Finding(order_id, None, f"{database.name(table)} {number}: the order of this row is not there")


def _put_off(column: str, stored: Any, written: Any, backend: Backend) -> bool:
    """Whether it is the time when an order is due next, and a later one than its agenda says: this alone may differ.

    A worker that gives an order up moves the time on, and a caller that goes on by itself asks for a while before workers take over; by how much
    is their matter. Never is an order due sooner than its agenda says, nor for something else, nor never though it waits.
    """
    if column != "due_at" or stored is None or written is None:
        return False
    try:
        there, agenda = backend.instant(stored), backend.instant(written)
        return there is not None and agenda is not None and there > agenda
    except (TypeError, ValueError):  # no time at all
        return False


def _written(database: Database, commits: Sequence[Commit]) -> list[Change]:
    """Return the rows that would be written for new orders that are as these are; without orders only which tables and columns."""
    backend = database.backend
    rows = [
        order_changes(commit, backend, lease_until=None, log_head=b"") + order_identity(commit.after, backend)
        for commit in commits
    ]
    parts = [change for change in part_changes(database, commits) if not change.keys]
    return [Change(database.tables.orders, ORDER_NEW, rows), *parts]


@cache
def _compared(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that are compared.

    Not the documents: what orders are loaded from is held against the log as values, because an older program may have written equal ones as other
    bytes. The head of the log is held against the log.
    """
    return tuple(
        name for name in names if name not in WORKING and not isinstance(table.columns[name].type, LargeBinary)
    )
