"""The models of the simulated world pass the contract suites of the ports that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta

import attrs
import pytest

from orderkit.domain.payment import OperationKind
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache
from orderkit.ports.carriers import Carriers
from orderkit.ports.payments import Confirmed, Payments, Refused, Unknown
from orderkit.ports.store import Commit, CommitAnswer, Lease, Store
from orderkit.testing.contracts.bus import BusContract
from orderkit.testing.contracts.cache import CacheContract
from orderkit.testing.contracts.carriers import CarriersContract
from orderkit.testing.contracts.payments import MONDAY, PaymentsContract, Tab
from orderkit.testing.contracts.store import StoreContract
from orderkit.testing.sim.bank import ABANDONED, DECLINED, GIFT, GOOD, HELD, HELD_FOR, LOST, UNSENT, Bank
from orderkit.testing.sim.couriers import Couriers
from orderkit.testing.sim.storage import Bus, Storage
from orderkit.testing.sim.storage import Cache as SimulatedCache


@attrs.define
class Seconds:
    """Virtual seconds."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Nobody:
    """A witness that does not look."""

    def committed(self, commit: Commit, answer: CommitAnswer) -> None:
        """Nothing."""

    def claimed(self, leases: Sequence[Lease], seconds: float) -> None:
        """Nothing."""

    def freed(self, lease: Lease) -> None:
        """Nothing."""


class TestStorage(StoreContract):
    seconds = Seconds()

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with closing(Storage(Nobody(), self.seconds)) as store:
            yield store

    def outlive_lease(self, store: Store) -> None:
        self.seconds.now += self.lease_seconds + 0.1


class TestBank(PaymentsContract):
    method = GOOD
    declined_method = DECLINED
    lost_method = LOST
    unsent_method = UNSENT

    @pytest.fixture
    def payments(self) -> Iterator[Payments]:
        with closing(Bank()) as bank:
            yield bank


class TestCouriers(CarriersContract):
    @pytest.fixture
    def carriers(self) -> Iterator[Carriers]:
        with closing(Couriers()) as couriers:
            yield couriers


class TestBus(BusContract):
    @pytest.fixture
    def bus(self) -> Iterator[EventBus]:
        with closing(Bus()) as bus:
            yield bus


class TestCache(CacheContract):
    seconds = Seconds()

    @pytest.fixture
    def cache(self) -> Iterator[Cache]:
        with closing(SimulatedCache(self.seconds)) as cache:
            yield cache

    def pass_seconds(self, cache: Cache, seconds: float) -> None:
        self.seconds.now += seconds


# ---- what only the bank has


def test_a_gift_card_pays_what_is_on_it() -> None:
    """Fifty euros are on the card: forty go, then eleven do not, and after a refund they do."""
    tab = Tab(Bank(), GIFT, "gift_card")

    assert isinstance(tab.move(OperationKind.CHARGE, 4_000), Confirmed)
    assert tab.move(OperationKind.CHARGE, 1_100) == Refused("insufficient_funds")
    assert isinstance(tab.move(OperationKind.REFUND, 500), Confirmed)
    assert isinstance(tab.move(OperationKind.CHARGE, 1_100), Confirmed)


@pytest.mark.parametrize(("method", "end"), [(HELD, Confirmed), (ABANDONED, Refused)])
def test_what_is_held_is_decided_in_its_time(method: str, end: type) -> None:
    """Until then nobody knows, whether he calls again or asks; then the first who asks learns the end."""
    tab = Tab(Bank(), method, "card")
    key = f"{tab.payment}.1/1"

    assert isinstance(tab.move(OperationKind.CHARGE, 100, key=key), Unknown)
    assert isinstance(tab.ask(key, at=MONDAY + timedelta(minutes=1)), Unknown)
    assert isinstance(tab.move(OperationKind.CHARGE, 100, key=key, at=MONDAY + timedelta(minutes=2)), Unknown)
    assert isinstance(tab.ask(key, at=MONDAY + HELD_FOR), end)


def test_a_bank_that_breaks_its_promise_lets_a_late_call_in() -> None:
    """Without finality `not_found` is no promise: that is what an ablation takes away."""
    tab = Tab(Bank(final=False), GOOD, "card")
    key = f"{tab.payment}.1/1"

    assert tab.ask(key) == Refused("not_found")
    assert isinstance(tab.move(OperationKind.CHARGE, 100, key=key), Confirmed)
