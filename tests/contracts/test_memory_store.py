"""The store in memory passes the contract of stores; its leases run on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import attrs
import pytest

from orderkit.ports.store import Store
from orderkit.testing.contracts.store import StoreContract
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
