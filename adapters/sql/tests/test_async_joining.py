"""`tx=` on an event loop: the same promises with the connections that hosts have there."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from orderkit.errors import Misconfigured
from orderkit.ports.store import Committed, KeyClaim, OutOfStock
from orderkit.testing.samples import a_commit, goods

try:
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    from orderkit_sql import AsyncSqlStore, open_async_store
except ImportError:  # it needs greenlet
    pytest.skip(
        "SQLAlchemy's asyncio extra is not installed (pip install 'orderkit[sqlite-async]')", allow_module_level=True
    )

CLAIM = KeyClaim(principal="shop", operation="place", key="checkout-7f3a", fingerprint="f1")


@attrs.frozen
class Host:
    store: AsyncSqlStore
    address: str

    @property
    def sqlite(self) -> bool:
        return self.address.startswith("sqlite")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Host]:
    address, options = f"sqlite:///{tmp_path}/shop.db", ""
    if request.param == "postgresql":
        address, options = request.getfixturevalue("postgres_database"), f"?schema=shop_{secrets.token_hex(4)}"
    store = open_async_store(address + options, create=True)
    await store.put_stock_many([goods("r1", "MUG", "berlin", 5)])
    yield Host(store, address)
    await store.close()


@asynccontextmanager
async def bare(host: Host, *, alone: bool = False) -> AsyncIterator[Any]:
    if host.sqlite:
        import aiosqlite  # noqa: PLC0415  (an extra)

        path = host.address.removeprefix("sqlite:///")
        async with aiosqlite.connect(path, isolation_level=None if alone else "DEFERRED") as connection:
            yield connection
    else:
        import psycopg  # noqa: PLC0415  (an extra)

        async with await psycopg.AsyncConnection.connect(host.address, autocommit=alone) as lent:
            yield lent
            await lent.rollback()


def _engine(host: Host) -> Any:
    return create_async_engine(
        host.address.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+psycopg:")
    )


@asynccontextmanager
async def core(host: Host) -> AsyncIterator[Any]:
    engine = _engine(host)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@asynccontextmanager
async def orm(host: Host) -> AsyncIterator[Any]:
    engine = _engine(host)
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()


FORMS = pytest.mark.parametrize("form", [bare, core, orm], ids=["bare", "core", "orm"])


@FORMS
async def test_the_hosts_commit_is_ours(host: Host, form: Callable[[Host], Any]) -> None:
    """The order is there with the host's COMMIT; a refusal before it leaves the transaction usable."""
    commit = a_commit("order-1", {"MUG": 4}, key=CLAIM)
    async with form(host) as transaction:
        joined = host.store.joined(transaction)
        assert await joined.commit_many([commit]) == [Committed(1)]
        assert await joined.commit_many([a_commit("order-2", {"MUG": 2})]) == [OutOfStock((("MUG", "berlin"),))]
        assert await joined.load_many(["order-1"]) == [commit.after]
        await transaction.commit()

    assert await host.store.load_many(["order-1", "order-2"]) == [commit.after, None]


@FORMS
async def test_the_hosts_rollback_is_ours(host: Host, form: Callable[[Host], Any]) -> None:
    """Nothing of the order is left, and its key is free."""
    async with form(host) as transaction:
        await host.store.joined(transaction).commit_many([a_commit("order-1", {"MUG": 4}, key=CLAIM)])
        await transaction.rollback()

    assert await host.store.commit_many([a_commit("order-2", {"MUG": 5}, key=CLAIM)]) == [Committed(1)]
    assert await host.store.load_many(["order-1"]) == [None]


async def test_a_connection_that_commits_by_itself_is_refused(host: Host) -> None:
    """Its first method says so."""
    async with bare(host, alone=True) as connection:
        with pytest.raises(Misconfigured) as refusal:
            await host.store.joined(connection).load_many(["order-1"])

    assert refusal.value.code == "autocommit_refused"


async def test_a_sync_connection_is_refused(host: Host) -> None:
    """What would block the loop cannot be joined: the error says by which driver it could."""
    with closing(sqlite3.connect(":memory:")) as sync, pytest.raises(Misconfigured) as refusal:
        await host.store.joined(sync).load_many(["order-1"])

    assert refusal.value.field == "tx"
    assert ("aiosqlite" if host.sqlite else "AsyncConnection") in refusal.value.remedy


@pytest.mark.postgres
async def test_a_cancelled_verb_leaves_nothing_in_the_hosts_transaction(postgres_database: str) -> None:
    """A time-out between the key and the shelf: the host goes on and commits its own row, and the key is free."""
    import psycopg  # noqa: PLC0415  (an extra)

    store = open_async_store(f"{postgres_database}?schema=shop_{secrets.token_hex(4)}", create=True)
    schema = store.database.tables.schema
    await store.put_stock_many([goods("r1", "MUG", "berlin", 5)])
    connect = psycopg.AsyncConnection.connect
    async with await connect(postgres_database) as host, await connect(postgres_database) as somebody:
        await host.execute(f"CREATE TABLE {schema}.notes (note text)".encode())
        await host.commit()
        await somebody.execute(f"SELECT * FROM {schema}.stock FOR UPDATE".encode())
        await host.execute(f"INSERT INTO {schema}.notes VALUES ('ours')".encode())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await store.joined(host).commit_many([a_commit("order-1", {"MUG": 1}, key=CLAIM)])
        await host.commit()
        await somebody.rollback()
        noted = await (await host.execute(f"SELECT note FROM {schema}.notes".encode())).fetchall()

    assert noted == [("ours",)]
    assert await store.commit_many([a_commit("order-2", {"MUG": 1}, key=CLAIM)]) == [Committed(1)]
    await store.close()
