"""The SQL store for an event loop: the very same store, run by SQLAlchemy's bridge between calls and awaits. Nothing is written twice.

SQLAlchemy's async drivers are called like sync ones inside a greenlet; a method of the sync store, run in one, waits without blocking the
loop. Only what waits by itself is replaced: the pause between tries, and the lock of SQLite's one writer. SQLAlchemy's half for event loops is
imported when a store is opened: it needs greenlet, which only the drivers' extras bring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only, greenlet_spawn

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.errors import OrderkitError
from orderkit.plugins.url import Url
from orderkit.ports.audit import Finding
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
    TakeMessages,
    TakeOutbox,
)
from orderkit_sql.async_joining import late_host_connection
from orderkit_sql.database import Database
from orderkit_sql.engines import Address, address_of, missing_driver, prepare
from orderkit_sql.methods import SqlMethods
from orderkit_sql.migrating import ensure
from orderkit_sql.store import JoinedStore, SqlStore

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


class AsyncSqlMethods:
    """Every method of a store, awaited."""

    def __init__(self, methods: SqlMethods) -> None:
        self._methods = methods
        self.database = methods.database
        self.capabilities = methods.capabilities

    async def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply each commit wholly or not at all, in order, in one transaction."""
        return await greenlet_spawn(self._methods.commit_many, commits)

    async def load_many(self, order_ids: Sequence[str]) -> list[Order | OrderkitError | None]:
        """Return each order, or nothing in its place; for one that cannot be read, an error."""
        return await greenlet_spawn(self._methods.load_many, order_ids)

    async def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Return what each key stands for."""
        return await greenlet_spawn(self._methods.find_keys, keys)

    async def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Return the log of an order."""
        return await greenlet_spawn(self._methods.read_records, asked)

    async def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]:
        """Return units available for each question."""
        return await greenlet_spawn(self._methods.read_supply_many, asked)

    async def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Return stock levels, sorted."""
        return await greenlet_spawn(self._methods.read_stock, asked)

    async def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Add to shelves, each id once; an error of one element is its answer."""
        return await greenlet_spawn(self._methods.put_stock_many, puts)

    async def find_orders(self, asked: FindOrders) -> Page:
        """Return a page of orders, newest first."""
        return await greenlet_spawn(self._methods.find_orders, asked)

    async def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due and free."""
        return await greenlet_spawn(self._methods.claim_due, asked)

    async def give_up(self, asked: GiveUp) -> None:
        """Free a leased order until its next time."""
        await greenlet_spawn(self._methods.give_up, asked)

    async def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Claim unpublished records, never one behind an earlier record that another relay has."""
        return await greenlet_spawn(self._methods.take_outbox, asked)

    async def mark_published(self, asked: MarkPublished) -> None:
        """Mark records as published."""
        await greenlet_spawn(self._methods.mark_published, asked)

    async def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message once."""
        return await greenlet_spawn(self._methods.keep_message, asked)

    async def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Return waiting messages that are due, oldest first."""
        return await greenlet_spawn(self._methods.take_messages, asked)

    async def settle_message(self, asked: SettleMessage) -> None:
        """Mark a message as applied, or as waiting for another time."""
        await greenlet_spawn(self._methods.settle_message, asked)

    async def close(self) -> None:
        """Close what belongs to the store."""
        await greenlet_spawn(self._methods.close)


class AsyncSqlStore(AsyncSqlMethods):
    """A store on an async engine of its own, for one event loop."""

    def __init__(self, engine: AsyncEngine, database: Database, *, durable: bool = True) -> None:
        self._engine = engine
        self._store = _Bridged(engine.sync_engine, database, durable=durable)
        super().__init__(self._store)

    def joined(self, transaction: object) -> AsyncSqlMethods:
        """Return the store inside the host's open transaction: savepoints, no commit, no second try.

        Takes a SQLAlchemy `AsyncConnection` or `AsyncSession`, a `psycopg.AsyncConnection` or an `aiosqlite.Connection`. The first method
        raises `Misconfigured` (`autocommit_refused`) when there is no transaction to join.
        """
        host = late_host_connection(transaction, self._engine.sync_engine)
        return AsyncSqlMethods(JoinedStore(self.database, host, self._store._write_apart))  # noqa: SLF001  (its other half)

    async def verify_log(self) -> list[Finding]:
        """Hold every hash chain and every stored order against the log; return what is wrong."""
        return await greenlet_spawn(lambda: list(self._store.verify_log()))


class _Bridged(SqlStore):
    """The sync store inside the bridge: it pauses by awaiting, and waits for its turn by awaiting."""

    def _pause(self, seconds: float) -> None:
        await_only(asyncio.sleep(seconds))

    def _turns(self) -> _Turns:
        return _Turns()


class _Turns:
    """A lock that is awaited from inside the bridge."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def __enter__(self) -> None:
        await_only(self._lock.acquire())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def make_async_engine(address: Address) -> AsyncEngine:
    """Return the same for an event loop: other drivers, the same hooks."""
    options: dict[str, Any] = {"hide_parameters": True, "connect_args": dict(address.arguments), **address.pool}
    name = "sqlite+aiosqlite" if address.url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    try:
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  (it needs greenlet)

        engine = create_async_engine(address.url.set(drivername=name), poolclass=AsyncAdaptedQueuePool, **options)
    except ImportError as error:
        raise missing_driver(address.url.get_backend_name(), error) from error
    prepare(engine.sync_engine, address)
    return engine


def open_async_store(url: Url | str, *, create: bool | None = None) -> AsyncSqlStore:
    """Open the store at the URL for an event loop; the tables are looked at before, by a connection without one.

    Raises: `Misconfigured` when the address, the driver or the tables are wrong; `PortError` when the database cannot be reached.
    """
    address = address_of(url, create=create)
    engine = make_async_engine(address)
    ensure(address)
    return AsyncSqlStore(engine, address.database, durable=address.durable)
