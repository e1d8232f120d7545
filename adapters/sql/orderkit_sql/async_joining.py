"""The host's own transaction on an event loop: found when the first method runs, because finding it may have to be awaited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.util import await_only

from orderkit_sql.joining import (
    Borrowed,
    Host,
    HostConnection,
    autocommit,
    bare_joinable,
    borrowing_engine,
    commits_alone,
    host_connection,
    misfit,
    tuple_rows,
)


def late_host_connection(transaction: object, engine: Engine) -> Host:
    """Return the way to what the host passed as `tx=`."""
    return _Late(transaction, engine)


class _Late:
    def __init__(self, transaction: object, engine: Engine) -> None:
        self._transaction, self._engine = transaction, engine
        self._found: HostConnection | None = None

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        if self._found is None:
            self._found = _found(self._transaction, self._engine)
        with self._found.opened() as connection:
            yield connection


def _found(transaction: object, engine: Engine) -> HostConnection:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession  # noqa: PLC0415  (it needs greenlet)

    if isinstance(transaction, AsyncSession):
        return host_connection(transaction.sync_session, engine)
    if isinstance(transaction, AsyncConnection):
        connection = transaction.sync_connection
        if connection is None:
            raise misfit("a connection that is not open", engine.dialect)
        return host_connection(connection, engine)
    driver: Any = engine.dialect.dbapi
    if engine.dialect.name == "sqlite" and isinstance(transaction, driver.aiosqlite.Connection):
        _begin(transaction)
        return HostConnection(engine=_borrowing(_BorrowedSqlite(transaction), engine))
    if engine.dialect.name == "postgresql" and isinstance(transaction, driver.AsyncConnection):
        bare_joinable(transaction, "postgresql")
        return HostConnection(engine=_borrowing(_BorrowedPostgres(transaction), engine))
    raise misfit(transaction, engine.dialect)


def _begin(connection: Any) -> None:
    if not connection.in_transaction:
        if commits_alone(connection):
            raise autocommit()
        await_only(connection.execute("BEGIN IMMEDIATE"))


def _borrowing(lent: Borrowed, engine: Engine) -> Engine:
    async def lend() -> Borrowed:  # what SQLAlchemy's adapter awaits in place of a new connection
        return lent

    driver: Any = engine.dialect.dbapi
    return borrowing_engine(driver.connect(async_creator_fn=lend), engine)


class _Lent(Borrowed):
    """A borrowed connection whose end is awaited, and does nothing."""

    async def commit(self) -> None:  # type: ignore[override]  # awaited where the sync one is called
        """Leave the end of the transaction to the host."""

    async def rollback(self) -> None:  # type: ignore[override]  # awaited where the sync one is called
        """Leave the end of the transaction to the host."""

    async def close(self) -> None:  # type: ignore[override]  # awaited where the sync one is called
        """Leave the connection open."""


class _BorrowedPostgres(_Lent):
    def cursor(self, *arguments: Any, **options: Any) -> Any:
        return self._lent.cursor(*arguments, **{**options, "row_factory": tuple_rows()})


class _BorrowedSqlite(_Lent):
    def cursor(self, *arguments: Any, **options: Any) -> Any:
        return _PlainCursor(self._lent.cursor(*arguments, **options))


class _PlainCursor:
    """An aiosqlite cursor about to be opened; its rows are tuples."""

    def __init__(self, opening: Any) -> None:
        self._opening = opening

    async def __aenter__(self) -> Any:
        cursor = await self._opening
        cursor.row_factory = None
        return cursor

    def __await__(self) -> Any:
        return self.__aenter__().__await__()
