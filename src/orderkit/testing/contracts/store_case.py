"""What the cases of the store's contract share: the fixture, and a few words to tell their stories with. It knows no adapter."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar

import pytest

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.ports.store import (
    Commit,
    CommitAnswer,
    Committed,
    FindOrders,
    KeyClaim,
    OrderQuery,
    OrderSummary,
    ReadStock,
    Store,
)
from orderkit.testing.samples import NOON, a_commit, goods

Place = tuple[str, str]
MINUTE = timedelta(minutes=1)
LATER = timedelta(days=1)


class StoreCase:
    """An empty store, and time that passes on its own clock.

    Leases run on the store's clock: `lease_seconds` is how long the leases of these cases last, `outlive_lease` waits until one is over. A
    store whose clock can be moved overrides the latter.
    """

    lease_seconds: ClassVar[float] = 0.4

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """The store under test, empty. Override it."""
        pytest.fail("the suite needs its own `store`: override it")

    def outlive_lease(self, store: Store) -> None:  # noqa: ARG002  (a store with a clock of its own needs it)
        """Wait until a lease of `lease_seconds` is over."""
        time.sleep(self.lease_seconds + 0.1)


def answer(store: Store, commit: Commit) -> CommitAnswer:
    """Commit one and return its answer."""
    return store.commit_many([commit])[0]


def stored(store: Store, *commits: Commit) -> Order:
    """Commit one after the other, each successfully, and return the order of the last."""
    for commit in commits:
        assert answer(store, commit) == Committed(commit.after.version)
    return commits[-1].after


def recorded(store: Store, commit: Commit) -> Record:
    """Commit successfully and return the record."""
    stored(store, commit)
    return commit.record


def shelved(store: Store, units: Mapping[Place, int]) -> None:
    """Put units on shelves, by (SKU, warehouse)."""
    puts = [goods(f"receipt/{sku}/{place}", sku, place, count) for (sku, place), count in units.items()]
    assert store.put_stock_many(puts) == [None] * len(puts)


def shelves(store: Store) -> dict[Place, tuple[int, int]]:
    """Return what is on hand and reserved, by (SKU, warehouse)."""
    return {(level.sku, level.warehouse): (level.on_hand, level.reserved) for level in store.read_stock(ReadStock())}


def a_claim(
    key: str = "checkout-7f3a", *, fingerprint: str = "f1", principal: str = "shop", operation: str = "place"
) -> KeyClaim:
    """Return the claim of an idempotency key."""
    return KeyClaim(principal=principal, operation=operation, key=key, fingerprint=fingerprint)


def summary(store: Store, order_id: str) -> OrderSummary:
    """Return an order's row in the list of orders."""
    return next(row for row in store.find_orders(FindOrders(OrderQuery(limit=500))).items if row.id == order_id)


def due(store: Store, *names: str) -> list[Order]:
    """Store orders that are due at once, a second apart, and return them."""
    shelved(store, {("MUG", "berlin"): len(names)})
    commits = [a_commit(name, {"MUG": 1}, at=NOON + timedelta(seconds=n)) for n, name in enumerate(names)]
    stored(store, *commits)
    return [commit.after for commit in commits]
