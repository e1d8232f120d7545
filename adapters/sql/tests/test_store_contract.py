"""The SQL store passes the contract of stores: on a SQLite file, in memory, and on a real PostgreSQL, with and without an event loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.ports.store import AsyncStore, Store
from orderkit.testing.contracts.store import AsyncStoreContract, StoreContract
from orderkit.testing.contracts.store_commits import CommitCases
from orderkit.testing.contracts.store_lists import ListCases
from orderkit.testing.contracts.store_stock import StockCases
from orderkit.testing.contracts.store_work import LeaseCases
from orderkit_sql import open_async_store, open_store
from tests.drivers import needs_aiosqlite


class TestSqliteFile(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(open_store(f"sqlite:///{tmp_path}/shop.db")) as store:
            yield store


class TestSqliteMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with closing(open_store("sqlite:///:memory:")) as store:
            yield store


class JoinedContract(CommitCases, StockCases, LeaseCases, ListCases):
    """What holds in a transaction of the host too: all but races, since the host's transaction is one."""


class TestJoinedSqlite(JoinedContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(open_store(f"sqlite:///{tmp_path}/shop.db")) as store, store._engine.begin() as host:
            yield store.joined(host)


@pytest.mark.postgres
class TestJoinedPostgres(JoinedContract):
    @pytest.fixture
    def store(self, postgres_shop: str) -> Iterator[Store]:
        with closing(open_store(postgres_shop)) as store, store._engine.begin() as host:
            yield store.joined(host)


@needs_aiosqlite
class TestAsyncSqliteFile(AsyncStoreContract):
    @pytest.fixture
    def async_store(self, tmp_path: Path) -> AsyncStore:
        return open_async_store(f"sqlite:///{tmp_path}/shop.db")


@needs_aiosqlite
class TestAsyncSqliteMemory(AsyncStoreContract):
    @pytest.fixture
    def async_store(self) -> AsyncStore:
        return open_async_store("sqlite:///:memory:")


@pytest.fixture
def postgres_shop(postgres_database: str) -> str:
    """The address of a store on PostgreSQL, empty. Its tables are made once; emptying them costs a tenth of that."""
    with closing(open_store(postgres_database, create=True)) as store, store._engine.begin() as connection:
        tables, records = store.database.tables, store.database.name(store.database.tables.records)
        kept = (tables.schema_version, tables.migrations)
        others = [store.database.name(table) for table in tables.metadata.sorted_tables if table not in kept]
        statements = [f"ALTER TABLE {records} DISABLE TRIGGER USER", *(f"DELETE FROM {name}" for name in others)]
        connection.exec_driver_sql("; ".join([*statements, f"ALTER TABLE {records} ENABLE TRIGGER USER"]))
    return postgres_database


@pytest.mark.postgres
class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, postgres_shop: str) -> Iterator[Store]:
        with closing(open_store(postgres_shop)) as store:
            yield store


@pytest.mark.postgres
class TestAsyncPostgres(AsyncStoreContract):
    @pytest.fixture
    def async_store(self, postgres_shop: str) -> AsyncStore:
        return open_async_store(postgres_shop)
