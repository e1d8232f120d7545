"""The SQL store for programs without an event loop: a unit of work is one transaction, tried again where that is safe.

What is done in a transaction stands elsewhere (`writing`, `reading`, `stocking`, `searching`, `working`); here is only who begins, commits,
waits and tries again. `joined` gives the same store in a transaction of the host, where none of that is ours.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.errors import Misconfigured, OrderkitError
from orderkit.plugins.url import Url
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    CommitAnswer,
    DuplicateKey,
    FindKey,
    FindOrders,
    GiveUp,
    KeepMessage,
    Lease,
    MarkPublished,
    Message,
    Page,
    PutStock,
    ReadRecords,
    ReadStock,
    ReadSupply,
    SettleMessage,
    StockLevel,
    StoreCapabilities,
    TakeMessages,
    TakeOutbox,
)
from orderkit_sql import reading, searching, stocking, working, writing
from orderkit_sql.database import Database
from orderkit_sql.engines import READS, Address, address_of, make_engine, prepared
from orderkit_sql.failures import Attempts, as_error, of_one_element
from orderkit_sql.joining import HostConnection, host_connection
from orderkit_sql.migrating import ensure
from orderkit_sql.verifying import Finding, verify_log

A = TypeVar("A")
Work = Callable[[Connection], A]


class SqlMethods(ABC):
    """Every method of a store, in terms of units of work that somebody else runs."""

    database: Database
    capabilities: StoreCapabilities

    @abstractmethod
    def _write(self, work: Callable[[Connection, bool], A]) -> A:
        """Run work that writes; it is told whether an earlier try may have been committed."""

    @abstractmethod
    def _read(self, work: Work[A]) -> A:
        """Run work that is one statement."""

    @abstractmethod
    def _read_whole(self, order_ids: Sequence[str]) -> list[Order | None]:
        """Load orders as of one moment."""

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply each commit wholly or not at all, in order, in one transaction; a value that cannot be stored is its own element's error."""
        if not commits:
            return []
        try:
            return self._commit(commits)
        except Exception as error:
            if len(commits) == 1 or not of_one_element(error):
                raise
        return [self._alone(commit) for commit in commits]

    def _commit(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        return self._write(lambda c, unsure: writing.commit_many(self.database, c, commits, resolving=unsure))

    def _alone(self, commit: Commit) -> Any:
        try:
            return self._commit([commit])[0]
        except OrderkitError as error:
            return error
        except Exception as error:
            if not of_one_element(error):
                raise
            return as_error(error)

    def load_many(self, order_ids: Sequence[str]) -> list[Order | None]:
        """Return each order, or nothing in its place."""
        return self._read_whole(order_ids)

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Return what each key stands for."""
        return self._read(lambda c: reading.find_keys(self.database, c, keys))

    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Return the log of an order."""
        return self._read(lambda c: reading.read_records(self.database, c, asked))

    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]:
        """Return units available for each question."""
        return self._read(lambda c: stocking.read_supply_many(self.database, c, asked))

    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Return stock levels, sorted."""
        return self._read(lambda c: stocking.read_stock(self.database, c, asked))

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Add to shelves, each id once; an error of one element is its answer."""
        return self._write(lambda c, _: stocking.put_stock_many(self.database, c, puts))

    def find_orders(self, asked: FindOrders) -> Page:
        """Return a page of orders, newest first."""
        return self._read(lambda c: searching.find_orders(self.database, c, asked))

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due and free."""
        return self._write(lambda c, _: working.claim_due(self.database, c, asked))

    def give_up(self, asked: GiveUp) -> None:
        """Free a leased order until its next time."""
        return self._write(lambda c, _: working.give_up(self.database, c, asked))

    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Claim unpublished records, never one behind an earlier record that another relay has."""
        return self._write(lambda c, _: working.take_outbox(self.database, c, asked))

    def mark_published(self, asked: MarkPublished) -> None:
        """Mark records as published."""
        return self._write(lambda c, _: working.mark_published(self.database, c, asked))

    def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message once."""
        return self._write(lambda c, _: working.keep_message(self.database, c, asked))

    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Return waiting messages that are due, oldest first."""
        return self._read(lambda c: working.take_messages(self.database, c, asked))

    def settle_message(self, asked: SettleMessage) -> None:
        """Mark a message as applied, or as waiting for another time."""
        return self._write(lambda c, _: working.settle_message(self.database, c, asked))


class SqlStore(SqlMethods):
    """A store on an engine of its own. Safe to use from many threads."""

    def __init__(self, engine: Engine, database: Database, *, durable: bool = True) -> None:
        if not prepared(engine):
            raise Misconfigured(
                "this SQLite engine lets its driver handle transactions: concurrent updates would be lost without an error",
                remedy="Open the store with open_store(URL), or call orderkit_sql.prepare(engine) before the first connection.",
            )
        self.database = database
        self.capabilities = capabilities(durable=durable)
        self._engine = engine
        sqlite = engine.dialect.name == "sqlite"
        self._single = engine.execution_options(**({READS: True} if sqlite else {"isolation_level": "AUTOCOMMIT"}))
        self._snapshot = engine.execution_options(**({READS: True} if sqlite else {"isolation_level": "REPEATABLE READ"}))
        # SQLite has one writer at a time; waiting here is fair and wakes at once, its own waiting polls.
        self._writer: AbstractContextManager[Any] = threading.Lock() if sqlite else nullcontext()

    def joined(self, transaction: object) -> JoinedStore:
        """Return the store inside the host's open transaction: savepoints, no commit, no second try.

        Takes a SQLAlchemy `Connection` or `Session`, a `psycopg.Connection` or a `sqlite3.Connection`.
        Raises: `Misconfigured` (`autocommit_refused`) when there is no transaction to join.
        """
        return JoinedStore(self.database, host_connection(transaction, self._engine))

    def verify_log(self) -> Iterable[Finding]:
        """Hold every hash chain and every stored order against the log; yield what is wrong."""
        with self._snapshot.connect() as connection:
            yield from verify_log(self.database, connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _write(self, work: Callable[[Connection, bool], A]) -> A:
        attempts = Attempts()
        while True:
            committing = False
            try:
                with self._writer, self._engine.connect() as connection:
                    answer = work(connection, attempts.unsure)
                    committing = True
                    connection.commit()
                    return answer
            except (DBAPIError, PoolTimeout) as error:
                delay = attempts.after(error, committing=committing)
            time.sleep(delay)

    def _read(self, work: Work[A]) -> A:
        return self._looked(self._single, work)

    def _read_whole(self, order_ids: Sequence[str]) -> list[Order | None]:
        return self._looked(self._snapshot, lambda c: reading.load_many(self.database, c, order_ids))

    def _looked(self, engine: Engine, work: Work[A]) -> A:
        attempts = Attempts()
        while True:
            try:
                with engine.connect() as connection:
                    return work(connection)
            except (DBAPIError, PoolTimeout) as error:
                delay = attempts.after(error, committing=False)
            time.sleep(delay)


class JoinedStore(SqlMethods):
    """The store in a transaction of the host: each method between SAVEPOINT and RELEASE, so that a refusal leaves the host's rows alone."""

    def __init__(self, database: Database, host: HostConnection) -> None:
        self.database = database
        self.capabilities = capabilities(durable=False)
        self._host = host

    def close(self) -> None:
        """Nothing is closed: everything is the host's."""

    def _write(self, work: Callable[[Connection, bool], A]) -> A:
        return self._within(lambda connection: work(connection, False))  # noqa: FBT003  (there was no earlier try)

    def _read(self, work: Work[A]) -> A:
        return self._within(work)

    def _read_whole(self, order_ids: Sequence[str]) -> list[Order | None]:
        return self._within(lambda c: reading.load_many_again(self.database, c, order_ids))

    def _within(self, work: Work[A]) -> A:
        try:
            with self._host.opened() as connection:
                return within_savepoint(connection, work)
        except DBAPIError as error:
            raise as_error(error) from error


def within_savepoint(connection: Connection, work: Work[A]) -> A:
    """Run work between SAVEPOINT and RELEASE; what it raises undoes its own rows only."""
    connection.exec_driver_sql("SAVEPOINT orderkit")
    try:
        answer = work(connection)
    except Exception:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT orderkit")
        connection.exec_driver_sql("RELEASE SAVEPOINT orderkit")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT orderkit")
    return answer


def capabilities(*, durable: bool) -> StoreCapabilities:
    """Return what a SQL store can do."""
    return StoreCapabilities(durable=durable, concurrent_writers=True, joins_host_transaction=True, batch_max=256)


def open_store(url: Url | str, *, create: bool | None = None) -> SqlStore:
    """Open the store at the URL: `sqlite:///shop.db`, `sqlite:///:memory:`, `postgresql://user@host/database`.

    `create` makes missing tables; it is the default on SQLite, while PostgreSQL waits for `orderkit migrate`.
    Raises: `Misconfigured` when the address, the driver or the tables are wrong; `PortError` when the database cannot be reached.
    """
    address: Address = address_of(url, create=create)
    engine = make_engine(address)
    ensure(address)
    return SqlStore(engine, address.database, durable=address.durable)
