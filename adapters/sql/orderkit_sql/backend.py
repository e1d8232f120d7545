"""What the two databases do differently, in one place: times, sets of rows as parameters, bulk writes, row locks.

Bulk rows go to the driver directly, without a compiled statement in between: on SQLite by `executemany`, on PostgreSQL as arrays written as
text (measured: as fast as COPY, and it also works for updates, for async drivers, and inside a host's transaction). What a commit writes to
all its tables is one statement there, because each way to the server and back is time in which nobody works. This module knows tables, not
orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain
from json import dumps
from typing import Any, Protocol

import attrs
from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, Table

from orderkit.domain.given import storable
from orderkit_sql import partitioning
from orderkit_sql.direct import rows_of
from orderkit_sql.documents import Documents
from orderkit_sql.schema import full_name

Row = tuple[Any, ...]
Piece = tuple[str, Sequence[Any]]  # a piece of SQL, and its parameters or its rows


@attrs.frozen
class Change:
    """Rows of one table that are written: new ones, or with `keys` those that are there; `adds` says that numbers are added to what is there.

    Without names they are those that go. Each row has the values of `names` first, then those of `kept` and of `keys`: what a row that is there
    keeps is given all the same, and not written, so that the row is whole. Any value that the table takes will do for it.
    """

    table: Table
    names: tuple[str, ...]
    rows: Sequence[Row]
    keys: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    adds: bool = False


class Backend(Protocol):
    """One kind of database's ways: without state, so that one of each kind is enough."""

    name: str
    for_update: str
    skip_locked: bool
    clock: str

    def __hash__(self) -> int: ...

    def moment(self, at: datetime | None) -> Any:
        """Return a time as a parameter of hand-written SQL."""

    def instant(self, stored: Any) -> datetime | None:
        """Return a stored time as a value, in UTC."""

    def row_set(self, table: Table, names: Sequence[str]) -> str:
        """Return SQL for many rows from parameters, named `v`, with the columns that the table declares."""

    def row_parameters(self, table: Table, names: Sequence[str], rows: Sequence[Row]) -> Row:
        """Return the parameters of `row_set`."""

    def pieces(self, changes: Iterable[Change]) -> list[Piece]:
        """Return what is sent to write the changes: it can be made before a lock is taken."""

    def write(self, connection: Connection, pieces: Sequence[Piece]) -> None:
        """Write all pieces. No row of a table may be in two of them."""

    def locking(self, table: Table, columns: str, ids: Sequence[str]) -> Piece:
        """Return a question for rows by their ids, which locks them in the order of the ids: they are sorted."""

    def among(self, column: str, values: Sequence[str]) -> str:
        """Return SQL that holds for rows whose column is in a list of texts."""

    def texts(self, values: Sequence[str]) -> Row:
        """Return the parameters of `among`. A text that no database keeps is in no row, and is left out."""

    def blank(self, table: Table, name: str) -> str:
        """Return SQL for no value, of a column's type; columns for which it is the same may share one of an answer."""

    def near(self, column: str, order_ids: Sequence[str]) -> str:
        """Return SQL, to follow other conditions, that names the partitions of these orders; nothing where there are none."""


class Sqlite:
    """SQLite: one writer at a time, so a transaction that has begun holds every lock."""

    name = "sqlite"
    for_update = ""
    skip_locked = False
    clock = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"

    def moment(self, at: datetime | None) -> Any:
        """Return a time as a parameter."""
        return None if at is None else _written(at.astimezone(UTC))

    def instant(self, stored: Any) -> datetime | None:
        """Return a stored time as a value."""
        return None if stored is None else datetime.fromisoformat(stored)

    def row_set(self, table: Table, names: Sequence[str]) -> str:  # noqa: ARG002  (JSON has its own types)
        """Return SQL for many rows."""
        return _json_rows(tuple(names))

    def row_parameters(self, table: Table, names: Sequence[str], rows: Sequence[Row]) -> Row:  # noqa: ARG002  (JSON has its own types)
        """Return the parameters of many rows."""
        return (_json(rows),)

    def pieces(self, changes: Iterable[Change]) -> list[Piece]:
        """Return a statement and its rows for each change."""
        return [
            (_write_each(change.table, change.names, change.keys, adds=change.adds), _without_kept(change))
            for change in changes
            if change.rows
        ]

    def write(self, connection: Connection, pieces: Sequence[Piece]) -> None:
        """Write one piece after the other."""
        for statement, rows in pieces:
            connection.exec_driver_sql(statement, list(rows))

    def locking(self, table: Table, columns: str, ids: Sequence[str]) -> Piece:
        """Return a question for rows by their ids; whoever writes has the lock of all."""
        return f"SELECT {columns} FROM {full_name(table)} WHERE {self.among('id', ids)}", self.texts(ids)

    def among(self, column: str, values: Sequence[str]) -> str:  # noqa: ARG002  (one text or many, it is a list)
        """Return SQL for membership in a list of texts."""
        return f"{column} IN (SELECT value FROM json_each(?))"

    def texts(self, values: Sequence[str]) -> Row:
        """Return the list's parameter."""
        return (_json(_storable(values)),)

    def blank(self, table: Table, name: str) -> str:  # noqa: ARG002  (a column of an answer takes any type)
        """Return nothing in SQL."""
        return "NULL"

    def near(self, column: str, order_ids: Sequence[str]) -> str:  # noqa: ARG002  (nothing is partitioned)
        """Return nothing: there are no partitions."""
        return ""


class Postgres:
    """PostgreSQL through psycopg: rows are locked in order, and sets of rows travel as arrays."""

    name = "postgresql"
    for_update = "FOR UPDATE"
    skip_locked = True
    clock = "clock_timestamp()"

    def moment(self, at: datetime | None) -> Any:
        """Return a time as a parameter."""
        return at

    def instant(self, stored: Any) -> datetime | None:
        """Return a stored time as a value."""
        return None if stored is None else stored.astimezone(UTC)

    def row_set(self, table: Table, names: Sequence[str]) -> str:
        """Return SQL for many rows."""
        return _arrays(table, tuple(names))

    def row_parameters(self, table: Table, names: Sequence[str], rows: Sequence[Row]) -> Row:
        """Return the parameters of many rows."""
        writers = _writers(table, tuple(names))
        return tuple([write(values) for write, values in zip(writers, zip(*rows, strict=True), strict=True)])

    def pieces(self, changes: Iterable[Change]) -> list[Piece]:
        """Return a part of the statement and its parameters for each change."""
        return [
            (
                self._part(change),
                self.row_parameters(change.table, change.names + change.kept + change.keys, change.rows),
            )
            for change in changes
            if change.rows
        ]

    def write(self, connection: Connection, pieces: Sequence[Piece]) -> None:
        """Write all pieces by one statement."""
        if pieces:
            texts, parameters = zip(*pieces, strict=True)
            rows_of(connection, _all_at_once(texts), tuple(chain.from_iterable(parameters)))

    def _part(self, change: Change) -> str:
        if not change.keys or (change.names and not change.adds):
            return _put_set(change.table, change.names, change.kept, change.keys)
        part = _join_set(change.table, change.names, change.keys)
        if "by" in change.table.info:
            part += self.near(f"t.{change.keys[0]}", [row[len(change.names)] for row in change.rows])
        return part

    def locking(self, table: Table, columns: str, ids: Sequence[str]) -> Piece:
        """Return a question for rows by their ids. Each is looked up by itself: the server cannot come to read a whole month for them."""
        name, near = full_name(table), self.near("id", ids)
        if len(ids) == 1:
            return f"SELECT {columns} FROM {name} WHERE id = %s{near} FOR UPDATE", self.texts(ids)
        one = f"SELECT {columns} FROM {name} WHERE id = v.id{near} FOR UPDATE"
        asked = (_texts(sorted(_storable(ids))),)
        return f"SELECT o.* FROM {self.row_set(table, ('id',))}, LATERAL ({one}) AS o", asked

    def among(self, column: str, values: Sequence[str]) -> str:
        """Return SQL for membership in a list of texts. A list is planned for anew each time; for one text the server keeps its plan."""
        return f"{column} = %s" if len(_storable(values)) == 1 else f"{column} = ANY(%s::text[])"

    def texts(self, values: Sequence[str]) -> Row:
        """Return the list's parameter."""
        kept = _storable(values)
        return (kept[0] if len(kept) == 1 else _texts(kept),)

    def blank(self, table: Table, name: str) -> str:
        """Return nothing, of the type; all numbers are one type."""
        kind = _type(table, name)
        return f"NULL::{'bigint' if kind == 'integer' else kind}"

    def near(self, column: str, order_ids: Sequence[str]) -> str:
        """Return the bounds of the orders' months."""
        return partitioning.near(column, order_ids)


@lru_cache(maxsize=4_096)  # a row has the same time in several columns
def _written(at: datetime) -> str:
    """Write a time in UTC: elsewhere two times of one night may be equal and an hour apart."""
    return at.isoformat(timespec="microseconds")


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _json(values: Sequence[Any]) -> str:
    """Write values as JSON. SQLite reads a text in it no further than a NUL: two keys would be one."""
    text = dumps(values, ensure_ascii=False)
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("a text holds a NUL character")
    return text


def _storable(values: Sequence[str]) -> list[str]:
    return [text for text in values if storable(text)]


# ---- SQL of SQLite; every name in it is the schema's own


@cache
def _json_rows(names: tuple[str, ...]) -> str:
    columns = ", ".join(f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(names))
    return f"(SELECT {columns} FROM json_each(?)) AS v"


@cache
def _write_each(table: Table, names: tuple[str, ...], keys: tuple[str, ...], *, adds: bool) -> str:
    if not keys:
        return f"INSERT INTO {full_name(table)} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    values = ", ".join(f"{name} = {name} + ?" if adds else f"{name} = ?" for name in names)
    change = f"UPDATE {full_name(table)} SET {values}" if names else f"DELETE FROM {full_name(table)}"
    return f"{change} WHERE {' AND '.join(f'{key} = ?' for key in keys)}"


def _without_kept(change: Change) -> Sequence[Row]:
    if not change.kept:
        return change.rows
    first, after = len(change.names), len(change.names) + len(change.kept)
    return [row[:first] + row[after:] for row in change.rows]


# ---- SQL of PostgreSQL


@cache
def _arrays(table: Table, names: tuple[str, ...]) -> str:
    kinds = [_type(table, name) for name in names]
    arrays = ", ".join(f"{'%b' if kind == 'bytea' else '%s'}::{kind}[]" for kind in kinds)
    return f"unnest({arrays}) AS v({', '.join(names)})"


@cache
def _put_set(table: Table, names: tuple[str, ...], kept: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """Return what puts rows: new ones, or in the place of those with these keys.

    No UPDATE with a join, though the rows are there: its plan is chosen by what the server knows of the table, and kept. Of a month that has just
    begun it knows nothing, and then it reads all of the month for each commit, or goes through all rows of the commit for each row of the month.
    This way it looks up each row by its key, whatever it knows.
    """
    columns = names + kept + keys
    put = f"INSERT INTO {full_name(table)} ({', '.join(columns)}) SELECT * FROM {_arrays(table, columns)}"
    values = ", ".join(f"{name} = excluded.{name}" for name in names)
    return f"{put} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {values}" if keys else put


@cache
def _join_set(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """Return what adds to rows, or takes them away."""
    values = ", ".join(f"{name} = t.{name} + v.{name}" for name in names)
    change, source = (
        (f"UPDATE {full_name(table)} AS t SET {values}", "FROM")
        if names
        else (f"DELETE FROM {full_name(table)} AS t", "USING")
    )
    rows = " AND ".join(f"t.{key} = v.{key}" for key in keys)
    return f"{change} {source} {_arrays(table, names + keys)} WHERE {rows}"


@lru_cache(maxsize=1_024)  # the text stays the same for a month, so that drivers and servers recognize it
def _all_at_once(parts: tuple[str, ...]) -> str:
    """Join the parts behind a question that looks at no table: so they lock their tables in their own order, prepared or not."""
    named = ", ".join(f"w{n} AS ({part})" for n, part in enumerate(parts))
    return f"WITH {named} SELECT 1" if len(parts) > 1 else parts[0]


@cache
def _type(table: Table, name: str) -> str:
    kind = table.columns[name].type
    if isinstance(kind, Boolean):
        return "boolean"
    if isinstance(kind, BigInteger):
        return "bigint"
    if isinstance(kind, Integer):
        return "integer"
    if isinstance(kind, LargeBinary):
        return "bytea"
    return "timestamptz" if hasattr(kind, "timezone") else "text"


@cache
def _writers(table: Table, names: tuple[str, ...]) -> tuple[Callable[[Sequence[Any]], str | Documents], ...]:
    """Return what writes each column's values as the text of an array, in the database's own notation; bytes go as they are."""
    return tuple(_WRITERS.get(_type(table, name), _texts) for name in names)


def _numbers(values: Sequence[int | bool]) -> str:
    """Write numbers as an array. Most columns of new orders hold one number: nothing was shipped or returned yet."""
    alike = values.count(values[0]) == len(values)
    return "{" + ",".join([str(values[0])] * len(values) if alike else map(str, values)) + "}"


def _times(values: Sequence[datetime | None]) -> str:
    return "{" + ",".join(["NULL" if at is None else f'"{_written(at.astimezone(UTC))}"' for at in values]) + "}"


def _texts(values: Sequence[str | None]) -> str:
    """Write texts as an array. Whether any needs care is seen in all of them at once: hardly ever one does."""
    if None not in values:
        joined = '","'.join(values)  # type: ignore[arg-type]  # just seen
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return f'{{"{joined}"}}' if values else "{}"
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_WRITERS: Mapping[str, Callable[[Sequence[Any]], str | Documents]] = {
    "bytea": Documents,
    "integer": _numbers,
    "bigint": _numbers,
    "boolean": _numbers,
    "timestamptz": _times,
}
