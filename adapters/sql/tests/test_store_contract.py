"""The SQL store passes the contract of stores: on a SQLite file, in memory, and on a real PostgreSQL, with and without an event loop."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.ports.store import AsyncStore, Store
from orderkit.testing.contracts.store import AsyncStoreContract, StoreContract
from orderkit_sql import open_async_store, open_store


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


class TestAsyncSqliteFile(AsyncStoreContract):
    @pytest.fixture
    def async_store(self, tmp_path: Path) -> AsyncStore:
        return open_async_store(f"sqlite:///{tmp_path}/shop.db")


class TestAsyncSqliteMemory(AsyncStoreContract):
    @pytest.fixture
    def async_store(self) -> AsyncStore:
        return open_async_store("sqlite:///:memory:")


@pytest.mark.postgres
class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, postgres_database: str) -> Iterator[Store]:
        with closing(open_store(f"{postgres_database}?schema=shop_{secrets.token_hex(4)}", create=True)) as store:
            yield store


@pytest.mark.postgres
class TestAsyncPostgres(AsyncStoreContract):
    @pytest.fixture
    def async_store(self, postgres_database: str) -> AsyncStore:
        return open_async_store(f"{postgres_database}?schema=shop_{secrets.token_hex(4)}", create=True)
