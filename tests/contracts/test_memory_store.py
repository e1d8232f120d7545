"""The store in memory passes the contract of stores, from threads and on an event loop; its leases run on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import attrs
import pytest

from orderkit.domain.events import Event, decided
from orderkit.domain.value import evolve
from orderkit.ports.store import AsyncStore, ClaimDue, Committed, GiveUp, Lease, LeaseLost, Store
from orderkit.testing.contracts.store import AsyncStoreContract, StoreContract
from orderkit.testing.contracts.store_case import answer, shelved, stored
from orderkit.testing.samples import NOON, a_commit, next_commit
from orderkit_memory.store import MemoryStore


@attrs.define
class Watch:
    """Seconds that pass when told to."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


class TestMemoryStore(StoreContract):
    watch = Watch()

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with closing(MemoryStore(lease_clock=self.watch)) as store:
            yield store

    def outlive_lease(self, store: Store) -> None:
        self.watch.seconds += self.lease_seconds + 0.1


class OnALoop:
    """A store that answers at once, for an event loop: every method of it, awaited."""

    def __init__(self, store: Store) -> None:
        self.capabilities = store.capabilities
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def awaited(*asked: Sequence[Any]) -> Any:
            return method(*asked)

        return awaited


class TestMemoryStoreOnALoop(AsyncStoreContract):
    watch = Watch()

    @pytest.fixture
    def async_store(self) -> AsyncStore:
        store: Any = OnALoop(MemoryStore(lease_clock=self.watch))
        return store  # type: ignore[no-any-return]  # its methods are those of the store that it stands for

    def outlive_lease(self, store: Store) -> None:
        self.watch.seconds += self.lease_seconds + 0.1


# ---- what only this store has


def test_leases_run_in_real_time_unless_told_otherwise() -> None:
    """A lease of a hundredth of a second is over by itself, whatever time the shop's clock has."""
    store = MemoryStore()
    shelved(store, {("MUG", "berlin"): 1})
    order = stored(store, a_commit("order-1", {"MUG": 1}))
    (lease,) = store.claim_due(ClaimDue(NOON, 1, lease_seconds=0.01))
    while not store.claim_due(ClaimDue(NOON, 1)):
        pass

    assert answer(store, next_commit(order, lease=lease)) == LeaseLost()


def test_an_order_that_is_due_again_and_again_is_handed_out_once_each_time() -> None:
    """A hundred steps, each due at once, leave no trace in the line of what is due."""
    store = MemoryStore()
    shelved(store, {("MUG", "berlin"): 1})
    order = stored(store, a_commit("order-1", {"MUG": 1}))
    for step in range(100):
        (lease,) = store.claim_due(ClaimDue(NOON + timedelta(days=1), 10))
        store.give_up(GiveUp(lease, NOON + timedelta(seconds=step % 3), "again"))
        order = stored(
            store, evolve(next_commit(order), due_at=NOON + timedelta(seconds=step % 5), due_for="move_money")
        )

    assert [lease.order_id for lease in store.claim_due(ClaimDue(NOON + timedelta(days=1), 10))] == ["order-1"]
    assert store.claim_due(ClaimDue(NOON + timedelta(days=1), 10)) == ()


def test_what_is_due_is_found_in_time_among_many() -> None:
    """Whatever was put off or brought forward: claims hand out exactly what is due by now, the longest waiting first."""
    store = MemoryStore()
    names = [f"order-{n:03}" for n in range(200)]
    shelved(store, {("MUG", "berlin"): len(names)})
    expected = []
    for n, name in enumerate(names):
        order = stored(store, a_commit(name, {"MUG": 1}))
        due_at = NOON + timedelta(minutes=(n * 37) % 200)
        moved = next_commit(order, decided(order, Event("order.noted")))
        assert answer(store, evolve(moved, due_at=due_at, due_for="expire_hold")) == Committed(2)
        expected.append((due_at, name))
    until = NOON + timedelta(minutes=120)
    leases: list[Lease] = []
    while claimed := store.claim_due(ClaimDue(until, 7)):
        leases += claimed

    assert [lease.order_id for lease in leases] == [name for due_at, name in sorted(expected) if due_at <= until]
