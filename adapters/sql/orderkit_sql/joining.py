"""The host's own transaction, as a SQLAlchemy connection: whatever it is, orderkit's statements run in it and nothing here ends it.

A driver's bare connection is lent to an engine of one connection whose commit, rollback and close do nothing. A connection that would
commit by itself is refused: then "nothing happens before your COMMIT" could not be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.pool import StaticPool

from orderkit.errors import Misconfigured

# The drivers of stores, by what SQLAlchemy calls them.
_DRIVERS = {
    "psycopg": "psycopg",
    "psycopg_async": "psycopg's AsyncConnection",
    "pysqlite": "sqlite3",
    "aiosqlite": "aiosqlite",
}


class Host(Protocol):
    """Where the host's transaction is open."""

    def opened(self) -> AbstractContextManager[Connection]:
        """Give the connection for one piece of work, inside the host's transaction."""


class HostConnection:
    """A way to the host's connection: one that SQLAlchemy knows, or an engine around a borrowed one."""

    def __init__(self, connection: Connection | None = None, engine: Engine | None = None) -> None:
        self._connection, self._engine = connection, engine

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """Give the connection for one piece of work, inside the host's transaction."""
        if self._connection is not None:
            yield self._connection
        elif self._engine is not None:
            with self._engine.connect() as connection:
                yield connection


def host_connection(transaction: object, engine: Engine) -> HostConnection:
    """Return the way to what the host passed as `tx=`."""
    from sqlalchemy.orm import Session  # noqa: PLC0415  (a third of what importing SQLAlchemy takes)

    if isinstance(transaction, Session):
        transaction = transaction.connection()
    if isinstance(transaction, Connection):
        if transaction.closed:
            raise misfit("a connection that is closed", engine.dialect)
        joinable(transaction, engine.dialect)
        return HostConnection(connection=transaction)
    driver: Any = engine.dialect.dbapi
    if isinstance(transaction, driver.Connection):
        try:
            bare_joinable(transaction, engine.dialect.name)
        except driver.Error as error:
            raise misfit("a connection that is closed", engine.dialect) from error
        return HostConnection(engine=borrowing_engine(Borrowed(transaction), engine))
    raise misfit(transaction, engine.dialect)


def joinable(connection: Connection, dialect: Dialect) -> None:
    """Refuse a connection of another database or driver, or one that commits by itself; begin what SQLite's driver puts off."""
    if connection.dialect.name != dialect.name or connection.dialect.driver not in _DRIVERS:
        raise misfit(f"{connection.dialect.name}+{connection.dialect.driver}", dialect)
    driver: Any = connection.connection.dbapi_connection
    if dialect.name == "sqlite":
        bare: Any = getattr(driver, "driver_connection", driver)
        if not bare.in_transaction:
            # A host's `with engine.begin()` has begun nothing yet where the driver waits for the first write; a savepoint now would be
            # the transaction itself, and its release a commit.
            if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
                raise autocommit()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif driver.autocommit and not in_transaction(driver):
        raise autocommit()


def bare_joinable(connection: Any, name: str) -> None:
    """Refuse a driver's connection that commits by itself, unless a transaction is open on it; begin what SQLite's driver puts off."""
    if name == "sqlite":
        if not connection.in_transaction:
            if commits_alone(connection):
                raise autocommit()
            connection.execute("BEGIN IMMEDIATE")
    elif connection.autocommit and not in_transaction(connection):
        raise autocommit()


def commits_alone(connection: Any) -> bool:
    """Whether a sqlite3 connection has no transaction until somebody writes BEGIN: in both of its ways to say so."""
    return connection.isolation_level is None or getattr(connection, "autocommit", -1) is True


def in_transaction(connection: Any) -> bool:
    """Whether a transaction is open on a psycopg connection (libpq's INTRANS, or failed within one)."""
    return int(connection.info.transaction_status) in (2, 3)


def autocommit() -> Misconfigured:
    """Return the error for a connection without a transaction."""
    return Misconfigured(
        "the connection passed as tx= commits by itself: there is no transaction to join",
        code="autocommit_refused",
        field="tx",
    )


def misfit(given: object, dialect: Dialect) -> Misconfigured:
    """Return the error for something that cannot be joined."""
    driver = _DRIVERS["psycopg_async" if dialect.driver == "psycopg" and dialect.is_async else dialect.driver]
    name = given if isinstance(given, str) else f"{type(given).__module__}.{type(given).__qualname__}"
    return Misconfigured(
        f"tx= cannot be {name}: this store is on {dialect.name}, by {driver}",
        field="tx",
        remedy=f"Pass a SQLAlchemy connection or session, or a connection of {driver}, of the store's database.",
    )


class Borrowed:
    """A driver's connection that is the host's: everything but its end. Rows are tuples, whatever the host has chosen for itself."""

    def __init__(self, connection: Any) -> None:
        self._lent = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lent, name)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """Return a cursor whose rows are tuples."""
        if hasattr(self._lent, "in_transaction"):
            cursor = self._lent.cursor(*arguments, **options)
            cursor.row_factory = None
            return cursor
        return self._lent.cursor(*arguments, **{**options, "row_factory": tuple_rows()})

    def commit(self) -> None:
        """Leave the end of the transaction to the host."""

    def rollback(self) -> None:
        """Leave the end of the transaction to the host."""

    def close(self) -> None:
        """Leave the connection open."""


def tuple_rows() -> Any:
    """Return psycopg's factory of plain rows."""
    from psycopg.rows import tuple_row  # noqa: PLC0415  (only where psycopg is there)

    return tuple_row


def borrowing_engine(lent: Any, engine: Engine) -> Engine:
    """Return an engine around one borrowed connection. It shares the store's dialect, so nothing is asked or set on first use."""
    pool = StaticPool(lambda: lent, dialect=engine.dialect, reset_on_return=None)
    return Engine(pool, engine.dialect, engine.url, hide_parameters=True)
