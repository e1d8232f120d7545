"""What `open` is given: each wrong argument is refused by its name, on both faces, before anything is opened."""

from __future__ import annotations

from collections import ChainMap, UserDict
from collections.abc import Callable
from datetime import date, time, timedelta
from types import MappingProxyType
from typing import Any

import pytest

import orderkit
from orderkit import (
    CaptureMode,
    Handling,
    OrderkitError,
    Policies,
    ReturnPolicy,
    Rules,
    Settings,
    VirtualClock,
    Warehouse,
)
from orderkit.domain.value import evolve
from orderkit_sql import AsyncSqlStore, SqlStore
from tests.drivers import needs_aiosqlite
from tests.shops import NOON, a_cart, a_world


class Empty:
    """An object that can do nothing."""


class Clock:
    """A clock that answers what a test wants."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def now(self) -> Any:
        """Answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


TWICE = Empty()
URLS = ("", "x", "nope:", "nope://x?y=1")
PORTS = ("store", "payments", "carriers", "bus", "cache", "search", "notifications", "documents")
WRONG: dict[str, tuple[object, ...]] = {
    **{port: (*URLS, 5, b"memory:", Empty(), ["memory:"]) for port in PORTS},
    "warehouses": (
        ["berlin"],
        "berlin",
        5,
        None,
        [None],
        Warehouse("b"),
        {"b": Warehouse("b")},
        [Warehouse(5)],  # type: ignore[arg-type]  (the mistake that is refused)
        [Warehouse("b"), Warehouse("b")],
    ),
    "rules": (5, "x", {}, Rules),
    "handling": (5, "x", [Handling()], {"berlin": 5}, {5: Handling()}, Handling),
    "policies": (5, {}, Policies),
    "settings": (5, {}, Settings),
    "clock": (5, "now", lambda: NOON, VirtualClock, Clock("noon"), Clock(NOON.replace(tzinfo=None)), Clock(OSError())),
    "ids": (5, "x", lambda at: "x", orderkit.SeededIds),
    "plugins": (5, None, "x", [5], [None], [Empty()], orderkit, [TWICE, TWICE]),
    "running_max": (0, -1, "3", 1.5, True, float("nan")),
    "logs": (5, "yes", Empty(), []),
    "metrics": (5, "x", Empty()),
}
WITHIN: tuple[tuple[str, object], ...] = (
    ("policies.refund", Settings(policies=Policies(refund=5))),  # type: ignore[arg-type]  (the mistake that is refused)
    ("policies.returns", Settings(policies=Policies(returns=30))),  # type: ignore[arg-type]  (the mistake that is refused)
    ("policies.reservation", Settings(policies=Policies(reservation=1800))),  # type: ignore[arg-type]  (the mistake that is refused)
    ("warehouses", Settings(warehouses=[Warehouse("berlin")])),  # type: ignore[arg-type]  (the mistake that is refused)
    ("warehouses", Settings(warehouses={"berlin": 5})),  # type: ignore[dict-item]  (the mistake that is refused)
    ("policies.returns.approval", Settings(policies=Policies(returns=ReturnPolicy(approval="no")))),  # type: ignore[arg-type]  (the mistake that is refused)
    ("warehouses.ships_to", Settings(warehouses={"berlin": Warehouse("berlin", ships_to="DE")})),  # type: ignore[arg-type]  (the mistake that is refused)
    ("warehouses.seller", Settings(warehouses={"berlin": Warehouse("berlin", seller=7)})),  # type: ignore[arg-type]  (the mistake that is refused)
    ("handling.cutoff", Settings(handling={"*": Handling(cutoff="15:00")})),  # type: ignore[arg-type]  (the mistake that is refused)
    ("handling.holidays", Settings(handling={"*": Handling(holidays=None)})),  # type: ignore[arg-type]  (the mistake that is refused)
    ("handling", Settings(handling=Handling())),  # type: ignore[arg-type]  (the mistake that is refused)
    ("answer_within", Settings(answer_within=2)),  # type: ignore[arg-type]  (the mistake that is refused)
    ("retry_max", Settings(retry_max=0)),
    ("reacts", Settings(reacts="no")),  # type: ignore[arg-type]  (the mistake that is refused)
)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
async def test_a_wrong_argument_is_refused_by_its_name(name: str, value: object) -> None:
    """Whatever it is: the error has a code of the catalog and the argument's name, for a sync and for an async shop."""
    wrong: dict[str, Any] = {name: value}

    with pytest.raises(OrderkitError) as sync:
        orderkit.open(**wrong)
    with pytest.raises(OrderkitError) as awaited:
        await orderkit.open_async(**wrong)

    assert sync.value.field == awaited.value.field == name
    assert sync.value.code == awaited.value.code != "internal"
    assert sync.value.outcome == "not_applied"


@pytest.mark.parametrize(("name", "settings"), WITHIN)
def test_a_wrong_part_of_the_settings_is_refused_by_its_name(name: str, settings: Settings) -> None:
    """Some would fail late: they are stored with each order, which could not be read again."""
    with pytest.raises(OrderkitError) as caught:
        orderkit.open(settings=settings)

    assert (caught.value.code, caught.value.field) == ("misconfigured", name)


def test_a_text_is_the_choice_that_it_spells() -> None:
    """Whoever reads settings from a file need not know the classes of choices."""
    with orderkit.open(policies=Policies(capture="per_shipment")) as shop:  # type: ignore[arg-type]  (what a file has)
        assert shop.settings.policies.capture is CaptureMode.PER_SHIPMENT


class Late(Handling):
    """Hours of a host's own."""

    def works_on(self, day: date) -> bool:
        """Never on a first of the month."""
        return day.day > 1


@pytest.mark.parametrize("mapping", [dict, MappingProxyType, ChainMap, UserDict])
def test_classes_and_mappings_of_the_hosts_own_are_let_in(mapping: Callable[[Any], Any]) -> None:
    """They stay what they are: settings are looked at, not copied."""
    berlin = Warehouse("berlin", ships_to=["DE"], position=[52.5, 13.4])  # type: ignore[arg-type]  (as a file has them)
    settings = Settings(handling=mapping({"*": Late()}), warehouses=mapping({"berlin": berlin}))
    with orderkit.open(settings=settings) as shop:
        assert shop.settings is settings
        assert isinstance(shop.settings.handling["*"], Late)


def test_what_was_given_is_looked_at_before_a_store_is_made(tmp_path: Any) -> None:
    """A wrong number leaves no file behind."""
    with pytest.raises(OrderkitError):
        orderkit.open(f"sqlite:///{tmp_path}/shop.db", running_max=0)

    assert list(tmp_path.iterdir()) == []


@needs_aiosqlite
@pytest.mark.parametrize("wrong", [object(), "nope:"], ids=["a carrier without a method", "a scheme that nobody has"])
async def test_what_was_opened_is_closed_when_another_port_is_wrong(
    wrong: object, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop that does not come to be leaves no connection behind, in neither world."""
    closed: list[str] = []
    sync, awaited = SqlStore.close, AsyncSqlStore.close

    async def closing(store: AsyncSqlStore) -> None:
        closed.append("async")
        await awaited(store)

    monkeypatch.setattr(SqlStore, "close", lambda store: (closed.append("sync"), sync(store)))
    monkeypatch.setattr(AsyncSqlStore, "close", closing)
    with pytest.raises(OrderkitError):
        orderkit.open(f"sqlite:///{tmp_path}/shop.db", carriers=wrong)
    with pytest.raises(OrderkitError):
        await orderkit.open_async(f"sqlite:///{tmp_path}/shop.db", carriers=wrong)

    assert closed == ["sync", "async", "sync"]  # the one for event loops closes the other half of itself


def test_what_may_be_left_out_may_be_none_or_empty() -> None:
    """The defaults hold, and a right setting of each kind is taken."""
    options: dict[str, Any] = {
        "rules": None,
        "handling": {},
        "policies": Policies(capture=CaptureMode.PER_SHIPMENT),
        "settings": evolve(Settings(), answer_within=timedelta(0)),
        "clock": None,
        "ids": None,
        "running_max": None,
        "logs": None,
        "metrics": None,
    }
    with orderkit.open(**options) as shop:
        assert shop.settings.policies.capture is CaptureMode.PER_SHIPMENT
        assert shop.settings.answer_within == timedelta(0)


def test_a_warehouse_whose_handling_is_not_listed_has_the_defaults() -> None:
    """Only Madrid's hours are known: Berlin works as warehouses do."""
    world = a_world({"MUG": {"berlin": 1, "madrid": 1}}, handling={"madrid": Handling(cutoff=time(20, 0))})

    order = world.shop.place(a_cart(("MUG", 2, "12.50")), "pm_visa")

    cutoffs = {s.warehouse: s.cutoff_at for s in order.shipments}
    assert cutoffs == {"berlin": NOON.replace(hour=15), "madrid": NOON.replace(hour=20)}
