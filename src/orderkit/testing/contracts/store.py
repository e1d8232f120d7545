"""The contract of a store.

Inherit `StoreContract` (or `AsyncStoreContract`) and override its fixture with an empty store:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            with closing(MyStore()) as store:
                yield store

    class TestMyAsyncStore(AsyncStoreContract):
        @pytest.fixture
        def async_store(self):
            return MyAsyncStore()

The cases are written once, for a store that answers at once; `BlockingStore` makes one of an async store. What a store declares in its
capabilities decides what is tested, nothing else. Nothing here knows any adapter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.errors import OrderkitError
from orderkit.ports.store import (
    AsyncStore,
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
    Store,
    TakeMessages,
    TakeOutbox,
)
from orderkit.testing.contracts.payments import EventLoop
from orderkit.testing.contracts.store_commits import CommitCases
from orderkit.testing.contracts.store_lists import ListCases
from orderkit.testing.contracts.store_races import RaceCases
from orderkit.testing.contracts.store_relay import InboxCases, OutboxCases
from orderkit.testing.contracts.store_stock import StockCases
from orderkit.testing.contracts.store_work import LeaseCases

__all__ = ["AsyncStoreContract", "BlockingStore", "StoreContract"]


class StoreContract(CommitCases, StockCases, LeaseCases, OutboxCases, InboxCases, ListCases, RaceCases):
    """What every store does."""


class AsyncStoreContract(StoreContract):
    """The same for a store of an event loop."""

    @pytest.fixture
    def async_store(self) -> AsyncStore | Awaitable[AsyncStore]:
        """The store under test, empty, or an awaitable of it that is awaited on the suite's own loop. Override it."""
        pytest.fail("the suite needs its own `async_store`: override it")

    @pytest.fixture
    def store(self, async_store: AsyncStore | Awaitable[AsyncStore]) -> Iterator[Store]:
        """The store as the cases call it; it is closed after each."""
        blocking = BlockingStore(async_store)
        yield blocking
        blocking.close()


class BlockingStore:
    """A store of an event loop, as the suite calls it: from any thread, each call waiting for its answer."""

    def __init__(self, store: AsyncStore | Awaitable[AsyncStore]) -> None:
        self._loop = EventLoop()
        self._store: AsyncStore = self._loop.run(_awaited(store)) if isinstance(store, Awaitable) else store
        self.capabilities = self._store.capabilities

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Pass the commits on."""
        return self._loop.run(self._store.commit_many(commits))

    def load_many(self, order_ids: Sequence[str]) -> Sequence[Order | OrderkitError | None]:
        """Pass the question on."""
        return self._loop.run(self._store.load_many(order_ids))

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Pass the question on."""
        return self._loop.run(self._store.find_keys(keys))

    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]:
        """Pass the question on."""
        return self._loop.run(self._store.read_supply_many(asked))

    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Pass the question on."""
        return self._loop.run(self._store.read_stock(asked))

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Pass the receipts on."""
        return self._loop.run(self._store.put_stock_many(puts))

    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Pass the question on."""
        return self._loop.run(self._store.read_records(asked))

    def find_orders(self, asked: FindOrders) -> Page:
        """Pass the question on."""
        return self._loop.run(self._store.find_orders(asked))

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Pass the claim on."""
        return self._loop.run(self._store.claim_due(asked))

    def give_up(self, asked: GiveUp) -> None:
        """Pass it on."""
        self._loop.run(self._store.give_up(asked))

    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Pass the claim on."""
        return self._loop.run(self._store.take_outbox(asked))

    def mark_published(self, asked: MarkPublished) -> None:
        """Pass the marks on."""
        self._loop.run(self._store.mark_published(asked))

    def keep_message(self, asked: KeepMessage) -> bool:
        """Pass the message on."""
        return self._loop.run(self._store.keep_message(asked))

    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Pass the question on."""
        return self._loop.run(self._store.take_messages(asked))

    def settle_message(self, asked: SettleMessage) -> None:
        """Pass it on."""
        self._loop.run(self._store.settle_message(asked))

    def close(self) -> None:
        """Close the store and the loop."""
        self._loop.run(self._store.close())
        self._loop.close()


async def _awaited(store: Awaitable[Any]) -> Any:
    return await store
