"""Statements that go straight to psycopg: on connections of our own, where what is around a statement costs more than the statement.

SQLAlchemy still opens, lends, begins, commits and gives up the connection, and judges its failures. Left out are its picture of each result, and
the driver's search for placeholders, which it does anew each time in a statement with more than fifty of them. One caller pays for these by the
call, many callers by the batch: they matter most where few wait. The connection of a host's transaction, and SQLite's, are left to SQLAlchemy: who
joins us to his transaction sees our statements on his engine. This module knows no tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import count
from typing import Any

import attrs
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

_DIRECT = "orderkit_direct"  # an execution option of our engines
_PLACEHOLDER = re.compile("%[sb]")


def directly(engine: Engine, **options: Any) -> Engine:
    """Return the engine with these options, and with statements that go straight to its driver where that is psycopg.

    All options are given at once: on an engine that has options already, the lowest SQLAlchemy that we take can set no isolation level.
    """
    if engine.dialect.driver == "psycopg":
        options[_DIRECT] = True
    return engine.execution_options(**options) if options else engine


def rows_of(connection: Connection, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Run a statement, with `%s` or the database's own sign for each parameter, and return its rows, if it returns any.

    Raises: `DBAPIError`, as SQLAlchemy does.
    """
    if not connection.get_execution_options().get(_DIRECT):
        found = connection.exec_driver_sql(statement, tuple(parameters))
        return found.fetchall() if found.returns_rows else []
    if not connection.in_transaction():
        connection.begin()  # or nothing would be there to commit
    driver, psycopg = connection.connection.driver_connection, _psycopg()
    try:
        if connection.dialect.is_async:
            return await_only(_awaited(psycopg.async_cursor(driver), statement, parameters))
        cursor = psycopg.cursor(driver)
        cursor.execute(_numbered(statement), parameters)
        return cursor.fetchall() if cursor.pgresult.nfields else []
    except psycopg.error as error:
        raise _as_failure(connection, statement, error) from error


async def _awaited(cursor: Any, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
    await cursor.execute(_numbered(statement), parameters)
    return await cursor.fetchall() if cursor.pgresult.nfields else []


@lru_cache(maxsize=1_024)
def _numbered(statement: str) -> bytes:
    """Write the statement as the server reads it, with numbers for its parameters."""
    numbers = count(1)
    return _PLACEHOLDER.sub(lambda _: f"${next(numbers)}", statement).encode()


def _as_failure(connection: Connection, statement: str, error: Exception) -> BaseException:
    """Return the driver's error as SQLAlchemy's. Of a connection that is gone SQLAlchemy is told, and gives up those that were opened before it."""
    gone = connection.connection.driver_connection.closed  # type: ignore[union-attr]  # a driver's connection is behind each of the pool
    if gone:
        with suppress(DBAPIError):
            connection.exec_driver_sql("SELECT 1")
    return DBAPIError.instance(
        statement,
        None,
        error,
        _psycopg().error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=connection.dialect,
    )


@attrs.frozen
class _Psycopg:
    cursor: Any
    async_cursor: Any
    error: type[Exception]


@cache
def _psycopg() -> _Psycopg:
    import psycopg  # noqa: PLC0415  (only where PostgreSQL is used)

    return _Psycopg(psycopg.RawCursor, psycopg.AsyncRawCursor, psycopg.Error)
