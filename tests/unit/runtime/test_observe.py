"""Observers: events of committed records and outcomes of calls, as logs and as metrics, with nothing personal in either."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
import structlog

import orderkit
from orderkit.domain.order import SagaRun
from orderkit.errors import PortError
from orderkit.ports.payments import Confirmed, Refused, Unknown
from orderkit.ports.store import Committed, DuplicateKey, OutOfStock
from orderkit.runtime.observe import SIGNALS, Observer, observer
from orderkit_memory.store import MemoryStore
from tests.shops import Bank, Van, a_cart
from tests.unit.runtime.effects import NOON, a_booking, a_charge, a_commit, an_order


@attrs.define
class Meter:
    """Metrics that a test can read."""

    numbers: list[tuple[str, float, Mapping[str, str]]] = attrs.Factory(list)

    def add(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
        """Remember a count."""
        self.numbers.append((name, amount, attributes))

    def record(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """Remember a value."""
        self.numbers.append((name, value, attributes))

    def of(self, name: str) -> list[tuple[float, Mapping[str, str]]]:
        """Return what was told under a name."""
        return [(value, attributes) for told, value, attributes in self.numbers if told == name]


QUIET: dict[str, Any] = {"bus": None, "notifications": None, "documents": None}


@pytest.fixture
def logs() -> Any:
    """Return what structlog is told."""
    with structlog.testing.capture_logs() as told:
        yield told


def placed(**options: Any) -> tuple[Meter, orderkit.Order]:
    """Place an order in a watched shop."""
    meter = Meter()
    shop = orderkit.open(MemoryStore(), payments=Bank(), carriers=Van(), metrics=meter, **QUIET, **options)
    for sku in ("MUG", "TEE"):
        shop.put_stock(sku, {"berlin": 5})
    return meter, shop.place(a_cart(), "pm_visa_of_anna", key="checkout-7f3a", actor="customer:anna")


def test_each_event_of_a_committed_record_is_a_log_event(logs: Sequence[Mapping[str, Any]]) -> None:
    """`order.placed` is told with the order, what ties the request together, and the command."""
    _, order = placed(logs=True)
    told = [log for log in logs if log["event"] == "order.placed"]

    assert [(log["order_id"], log["correlation_id"], log["command"]) for log in told] == [
        (order.id, "checkout-7f3a", "place")
    ]


def test_calls_of_the_provider_are_told_with_outcome_and_duration(logs: Sequence[Mapping[str, Any]]) -> None:
    """A charge says what became of it and how long it took."""
    _, order = placed(logs=True)
    (told,) = [log for log in logs if log["event"] == "provider.answered"]

    assert (told["port"], told["operation"], told["outcome"], told["order_id"]) == (
        "payments",
        "charge",
        "confirmed",
        order.id,
    )
    assert told["seconds"] >= 0


def test_sagas_are_told_at_their_start_and_at_their_end(logs: Sequence[Mapping[str, Any]]) -> None:
    """The placement begins and ends."""
    placed(logs=True)

    assert [(log["event"], log["saga"]) for log in logs if log["event"].startswith("saga.")] == [
        ("saga.started", "placement"),
        ("saga.ended", "placement"),
    ]


def test_nothing_personal_is_told(logs: Sequence[Mapping[str, Any]]) -> None:
    """Neither the customer, nor the address, nor the card is in any log event or metric."""
    meter, _ = placed(logs=True)
    everything = repr(list(logs)) + repr(meter.numbers)

    assert len(logs) > 3
    assert [word for word in ("anna", "Anna", "Invalidenstr", "10115", "pm_visa") if word in everything] == []


def test_metrics_carry_no_ids() -> None:
    """The number of series stays small, whatever is sold."""
    meter, order = placed()

    assert order.id not in repr(meter.numbers)
    assert "checkout-7f3a" not in repr(meter.numbers)


def test_every_metric_told_is_declared_with_its_attributes() -> None:
    """What is not in `SIGNALS` is not emitted, and every name is in the library's own namespace."""
    declared = {signal.name: set(signal.attributes) for signal in SIGNALS}
    meter, _ = placed()

    assert {name for name, _, _ in meter.numbers} <= set(declared)
    assert [name for name, _, attributes in meter.numbers if not set(attributes) <= declared[name]] == []
    assert all(name.startswith("orderkit.") for name in declared)


def test_the_orders_in_each_status_add_up() -> None:
    """One order was placed, so one order is in one status."""
    meter, _ = placed()
    by_status: dict[str, float] = {}
    for change, attributes in meter.of("orderkit.order.status"):
        status = attributes["orderkit.order.state"]
        by_status[status] = by_status.get(status, 0) + change

    assert {status: count for status, count in by_status.items() if count} == {"payment_confirmed": 1}
    assert meter.of("orderkit.saga.active") == [
        (1, {"orderkit.saga.name": "placement"}),
        (-1, {"orderkit.saga.name": "placement"}),
    ]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Committed(1), "first"),
        (DuplicateKey("o-1", "f-1"), "replayed"),
        (DuplicateKey("o-1", "f-of-another-cart"), "mismatch"),
    ],
)
def test_what_became_of_an_idempotency_key_is_counted(answer: object, result: str) -> None:
    """A first request, a retry, and a key that was used for something else."""
    meter = Meter()
    Observer(metrics=meter).committed(a_commit(key="checkout-7f3a"), answer)

    assert meter.of("orderkit.idempotency.requests") == [(1, {"orderkit.idempotency.result": result})]


def test_what_was_not_committed_is_not_told(logs: Sequence[Mapping[str, Any]]) -> None:
    """A guard that held changes nothing, and neither does its order's status."""
    meter = Meter()
    watcher = observer(logs=True, metrics=meter)
    assert watcher is not None
    watcher.committed(a_commit(), OutOfStock((("MUG", "berlin"),)))

    assert (list(logs), meter.numbers) == ([], [])


def test_the_length_of_a_saga_is_that_of_the_shops_clock() -> None:
    """A saga that ended after ninety seconds is recorded as such, with the way it went."""
    run = SagaRun(id="s-1", name="placement", version=1, step="charge", started_at=NOON, direction="back")
    meter = Meter()
    ended = a_commit(before=an_order("o-1", run), after=an_order("o-1"), at=NOON + timedelta(seconds=90))
    Observer(metrics=meter).committed(ended, Committed(2))

    assert meter.of("orderkit.saga.duration") == [
        (90.0, {"orderkit.saga.name": "placement", "orderkit.saga.direction": "back"}),
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Confirmed("r-1"), {"orderkit.outcome": "confirmed"}),
        (Refused("declined"), {"orderkit.outcome": "refused"}),
        (Unknown("TimeoutError"), {"orderkit.outcome": "unknown", "error.type": "TimeoutError"}),
        (PortError("away"), {"orderkit.outcome": "failed", "error.type": "PortError"}),
    ],
)
def test_the_length_of_a_call_is_recorded_with_its_outcome(answer: object, expected: Mapping[str, str]) -> None:
    """One metric for success and failure; `error.type` stands there only when something failed."""
    meter = Meter()
    Observer(metrics=meter).answered(a_charge(), answer, 0.25)

    assert meter.of("orderkit.psp.operation.duration") == [(0.25, {"orderkit.operation": "charge", **expected})]


def test_carriers_have_a_metric_of_their_own() -> None:
    """A booking is not a payment."""
    meter = Meter()
    Observer(metrics=meter).answered(a_booking(), Refused("no such street"), 0.5)

    assert [name for name, _, _ in meter.numbers] == ["orderkit.carrier.operation.duration"]


def test_an_observer_that_fails_does_not_fail_the_order() -> None:
    """The order is placed, whatever became of the numbers."""

    class Down(Meter):
        def add(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
            raise ConnectionError(name)

    shop = orderkit.open(MemoryStore(), payments=Bank(), carriers=Van(), metrics=Down(), **QUIET)
    for sku in ("MUG", "TEE"):
        shop.put_stock(sku, {"berlin": 5})

    assert shop.place(a_cart(), "pm_visa").state == "confirmed"


async def test_an_async_shop_tells_the_same(logs: Sequence[Mapping[str, Any]]) -> None:
    """The events are those of the sync shop, in the same order."""
    meter, _ = placed(logs=True)
    expected = [log["event"] for log in logs]
    names = [name for name, _, _ in meter.numbers]
    logs.clear()  # type: ignore[attr-defined]  # structlog hands out the list that it fills
    meter = Meter()
    async with await orderkit.open_async(
        MemoryStore(), payments=Bank(), carriers=Van(), logs=True, metrics=meter, **QUIET
    ) as shop:
        for sku in ("MUG", "TEE"):
            await shop.put_stock(sku, {"berlin": 5})
        await shop.place(a_cart(), "pm_visa", key="checkout-7f3a")

    assert [log["event"] for log in logs] == expected
    assert [name for name, _, _ in meter.numbers] == names


def test_bulk_work_is_told_too() -> None:
    """Ten flows through one call are ten transitions."""
    from orderkit.flows import placing  # noqa: PLC0415  (only this test runs flows by hand)

    meter = Meter()
    shop = orderkit.open(MemoryStore(), payments=Bank(), carriers=Van(), metrics=meter, **QUIET)
    for sku in ("MUG", "TEE"):
        shop.put_stock(sku, {"berlin": 500})
    shop.run_many([placing.accept(a_cart(), "pm_visa", orderkit.Caller(key=f"k-{n}")) for n in range(10)])
    first = [
        attributes
        for _, attributes in meter.of("orderkit.order.transitions")
        if attributes["orderkit.order.state.from"] == ""
    ]

    assert len(first) == 10


def test_who_asks_for_nothing_is_not_watched() -> None:
    """Without logs and metrics there is no observer, and structlog is not imported by opening a shop."""
    code = (
        "import sys, orderkit; from orderkit_memory.store import MemoryStore; from tests.shops import Bank, Van; "
        "orderkit.open(MemoryStore(), payments=Bank(), carriers=Van(), bus=None, notifications=None, documents=None); "
        "print('structlog' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert observer(logs=False, metrics=None) is None
    assert ran.stdout.strip() == "False"
