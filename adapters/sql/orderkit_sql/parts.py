"""The rows of an order's parts: only what a commit changed is written, found by identity, because unchanged parts are the same objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Table

from orderkit.ports.store import Commit
from orderkit_sql.backend import Backend, Change, Row
from orderkit_sql.database import Database
from orderkit_sql.rows import (
    LINE_KEPT,
    LINE_KEY,
    LINE_NEW,
    PAYMENT_CHANGES,
    RETURN_CHANGES,
    SHIPMENT_CHANGES,
    line_row,
    payment_changes,
    return_changes,
    shipment_changes,
)
from orderkit_sql.schema import BUCKETS

_Write = Callable[[Any, Backend], Row]


class _Numbered(Protocol):
    id: str


def part_changes(database: Database, commits: Sequence[Commit]) -> Iterator[Change]:
    """Yield how the lines, payments, shipments and returns change that the commits changed.

    The domain never takes one away; the stored order is what was committed all the same.
    """
    tables = database.tables
    yield from _line_changes(database, commits)
    for name, table, columns, write in (
        ("payments", tables.payments, PAYMENT_CHANGES, payment_changes),
        ("shipments", tables.shipments, SHIPMENT_CHANGES, shipment_changes),
        ("returns", tables.returns, RETURN_CHANGES, return_changes),
    ):
        yield from _numbered_changes(database, commits, name, table, columns, write)


def _line_changes(database: Database, commits: Sequence[Commit]) -> Iterator[Change]:
    new: list[Row] = []
    changed: list[Row] = []
    gone: list[Row] = []
    for commit in commits:
        lines, order_id = commit.after.lines, commit.after.id
        if commit.before is None:
            new += [line_row(order_id, line) for line in lines]
        elif lines is not commit.before.lines:
            known = {line.number: line for line in commit.before.lines}
            for line in lines:
                old = known.pop(line.number, None)
                if old is None:
                    new.append(line_row(order_id, line))
                elif old is not line and old.buckets != line.buckets:
                    changed.append(line_row(order_id, line))
            gone += [(order_id, number) for number in known]
    table = database.tables.order_lines
    yield Change(table, LINE_NEW, new)
    yield Change(table, BUCKETS, changed, keys=LINE_KEY, kept=LINE_KEPT)
    yield Change(table, (), gone, keys=LINE_KEY)


def _numbered_changes(
    database: Database,
    commits: Sequence[Commit],
    name: str,
    table: Table,
    columns: tuple[str, ...],
    write: _Write,
) -> Iterator[Change]:
    """Yield how parts change, under their position in the order: it is the order in which they are loaded again."""
    new: list[Row] = []
    changed: list[Row] = []
    gone: list[Row] = []
    backend = database.backend
    for commit in commits:
        order_id = commit.after.id
        parts: Sequence[_Numbered] = getattr(commit.after, name)
        known: Sequence[_Numbered] = getattr(commit.before, name) if commit.before else ()
        if parts is known:
            continue
        for number, part in enumerate(parts):
            if number >= len(known):
                new.append((*write(part, backend), order_id, number))
            elif part is not known[number]:
                changed.append((*write(part, backend), order_id, number))
        gone += [(order_id, number) for number in range(len(parts), len(known))]
    yield Change(table, columns + LINE_KEY, new)
    yield Change(table, columns, changed, keys=LINE_KEY)
    yield Change(table, (), gone, keys=LINE_KEY)
