"""The SQL store for programs without an event loop: a unit of work is one transaction, tried again where that is safe.

What is done in a transaction stands elsewhere (`writing`, `reading`, `stocking`, `searching`, `working`); here is only who begins, commits,
waits and tries again. `joined` gives the same store in a transaction of the host, where none of that is ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orderkit.errors import Misconfigured
from orderkit.plugins.url import Url
from orderkit.ports.audit import Finding, Head
from orderkit.ports.store import StoreCapabilities
from orderkit_sql import verifying
from orderkit_sql.database import Database
from orderkit_sql.direct import directly
from orderkit_sql.engines import READS, Address, address_of, make_engine, prepared
from orderkit_sql.failures import Attempts, as_error
from orderkit_sql.joining import Host, host_connection
from orderkit_sql.methods import SqlMethods, Work
from orderkit_sql.migrating import ensure

A = TypeVar("A")


class SqlStore(SqlMethods):
    """A store on an engine of its own. Safe to use from many threads."""

    def __init__(self, engine: Engine, database: Database, *, durable: bool = True) -> None:
        if not prepared(engine):
            raise Misconfigured(
                "this SQLite engine lets its driver handle transactions: concurrent updates would be lost without an error",
                remedy="Open the store with open_store(URL), or call orderkit_sql.prepare(engine) before the first connection.",
            )
        self.database = database
        self.capabilities = capabilities(database.backend.name, durable=durable)
        sqlite = engine.dialect.name == "sqlite"
        self._engine = directly(engine)
        self._single = directly(engine, **({READS: True} if sqlite else {"isolation_level": "AUTOCOMMIT"}))
        self._snapshot = directly(engine, **({READS: True} if sqlite else {"isolation_level": "REPEATABLE READ"}))
        # SQLite has one writer at a time; waiting here is fair and wakes at once, its own waiting polls.
        self._writer: AbstractContextManager[Any] = self._turns() if sqlite else nullcontext()

    def joined(self, transaction: object) -> JoinedStore:
        """Return the store inside the host's open transaction: savepoints, no commit, no second try.

        Takes a SQLAlchemy `Connection` or `Session`, a `psycopg.Connection` or a `sqlite3.Connection`.
        Raises: `Misconfigured` (`autocommit_refused`) when there is no transaction to join.
        """
        return JoinedStore(self.database, host_connection(transaction, self._engine), self._write_apart)

    def verify_log(self, looked: Callable[[int], None] = lambda _: None) -> Iterable[Finding]:
        """Hold every hash chain and every stored order against the log; yield what is wrong."""
        with self._snapshot.connect() as connection:
            yield from verifying.verify_log(self.database, connection, looked)

    def read_heads(self, since: datetime | None = None) -> Iterable[Head]:
        """Yield the head of every order's chain, or of those that changed since a time."""
        with self._snapshot.connect() as connection:
            yield from verifying.read_heads(self.database, connection, since)

    def verify_heads(self, heads: Sequence[Head]) -> Iterable[Finding]:
        """Yield each head that the log does not hold any more."""
        with self._snapshot.connect() as connection:
            yield from verifying.verify_heads(self.database, connection, heads)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _write(self, work: Callable[[Connection, Attempts], A]) -> A:
        attempts = Attempts()
        while True:
            committing = False
            try:
                with self._writer, self._engine.connect() as connection:
                    with _unless_cut_off(connection):
                        answer = work(connection, attempts)
                        committing = True
                        connection.commit()
                    return answer
            except (DBAPIError, PoolTimeout) as error:
                delay = attempts.after(error, committing=committing)
            self._pause(delay)

    def _write_apart(self, work: Work[None]) -> None:
        self._write(lambda connection, _: work(connection))

    def _read(self, work: Work[A]) -> A:
        attempts = Attempts()
        while True:
            try:
                with self._single.connect() as connection:
                    with _unless_cut_off(connection):
                        answer = work(connection)
                        connection.commit()  # after a rollback psycopg prepares every statement of the connection anew, those that write too
                    return answer
            except (DBAPIError, PoolTimeout) as error:
                delay = attempts.after(error, committing=False)
            self._pause(delay)

    def _pause(self, seconds: float) -> None:
        """Wait between two tries."""
        time.sleep(seconds)

    def _turns(self) -> AbstractContextManager[Any]:
        """Return the lock of SQLite's one writer."""
        return threading.Lock()


@contextmanager
def _unless_cut_off(connection: Connection) -> Iterator[None]:
    """Give a connection up whose work was cut off in the middle, by a cancellation, say: nobody knows what it still has open."""
    try:
        yield
    except Exception:
        raise
    except BaseException:
        connection.invalidate()
        raise


class JoinedStore(SqlMethods):
    """The store in a transaction of the host: each method between SAVEPOINT and RELEASE, so that a refusal leaves the host's rows alone."""

    def __init__(self, database: Database, host: Host, apart: Callable[[Work[None]], None]) -> None:
        self.database = database
        self.capabilities = capabilities(database.backend.name, durable=False)
        self._host = host
        self._apart = apart

    def close(self) -> None:
        """Nothing is closed: everything is the host's."""

    def _write(self, work: Callable[[Connection, Attempts], A]) -> A:
        # There is no second try here, so this one looks for everything; and the COMMIT is the host's.
        return self._within(lambda connection: work(connection, Attempts(done=1)))

    def _write_apart(self, work: Work[None]) -> None:
        self._apart(work)

    def _read(self, work: Work[A]) -> A:
        return self._within(work)

    def _within(self, work: Work[A]) -> A:
        try:
            with self._host.opened() as connection:
                return within_savepoint(connection, work)
        except DBAPIError as error:
            found = as_error(error)
            if found.code == "schema_missing":
                found = Misconfigured(
                    "the database of tx= has no tables of orderkit",
                    code="schema_missing",
                    field="tx",
                    remedy="Pass a connection or session of the store's own database.",
                )
            raise found from error


def within_savepoint(connection: Connection, work: Work[A]) -> A:
    """Run work between SAVEPOINT and RELEASE; what it raises, a cancellation too, undoes its own rows only."""
    driver: Any = connection.connection.dbapi_connection
    connection.exec_driver_sql("SAVEPOINT orderkit")
    try:
        answer = work(connection)
    except Exception:
        for statement in _UNDO:
            connection.exec_driver_sql(statement)
        raise
    except (
        BaseException
    ):  # cut off: SQLAlchemy has given its own connection up, and the host may go on with the driver's and commit
        with suppress(Exception):  # or the connection is gone, and all of it with it
            cursor = driver.cursor()
            for statement in _UNDO:
                cursor.execute(statement)
            cursor.close()
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT orderkit")
    return answer


_UNDO = ("ROLLBACK TO SAVEPOINT orderkit", "RELEASE SAVEPOINT orderkit")


def capabilities(dialect: str, *, durable: bool) -> StoreCapabilities:
    """Return what a SQL store can do. SQLite takes writers from anywhere, but one at a time."""
    several = dialect != "sqlite"
    return StoreCapabilities(durable=durable, concurrent_writers=several, joins_host_transaction=True, batch_max=256)


def open_store(url: Url | str, *, create: bool | None = None) -> SqlStore:
    """Open the store at the URL: `sqlite:///shop.db`, `sqlite:///:memory:`, `postgresql://user@host/database`.

    `create` makes missing tables; it is the default on SQLite, while PostgreSQL waits for `orderkit migrate`.
    Raises: `Misconfigured` when the address, the driver or the tables are wrong; `PortError` when the database cannot be reached.
    """
    address: Address = address_of(url, create=create)
    engine = make_engine(address)
    ensure(address)
    return SqlStore(engine, address.database, durable=address.durable)
