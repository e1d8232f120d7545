from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orderkit.replay.planning import plan_sale
from orderkit.replay.warehouses import HUB, SATELLITES, WAREHOUSES, Demand, stocking_of
from tests.unit.replay.slices import invoice_of, line

MARCH = datetime(2010, 3, 1, tzinfo=UTC)
PINNED = {
    "85123A": (("WH-DAVENTRY", 110),),
    "22423": (("WH-DAVENTRY", 110), ("WH-ROTTERDAM", 10)),
    "10047": (("WH-ROTTERDAM", 110),),
}
SKUS = [f"{number}" for number in range(10_000, 30_000)]


def test_stocking_is_the_same_on_every_machine() -> None:
    """The digest is of the SKU alone; these are its answers for ever."""
    assert {sku: stocking_of(sku).shares for sku in PINNED} == PINNED


def test_about_one_sku_in_a_hundred_is_not_at_the_hub() -> None:
    """Those are what splits an order."""
    away = sum(HUB.id not in dict(stocking_of(sku).shares) for sku in SKUS)

    assert 0.008 < away / len(SKUS) < 0.012


def test_every_satellite_has_its_part() -> None:
    """No warehouse is left out by the digest."""
    found = Counter(warehouse for sku in SKUS for warehouse, _ in stocking_of(sku).shares)

    assert set(found) == {site.id for site in WAREHOUSES}
    assert all(found[site.id] > 1_000 for site in SATELLITES)


@given(st.text(min_size=1, max_size=12))
def test_the_main_warehouse_gets_all_that_is_needed(sku: str) -> None:
    """Whatever the SKU: one warehouse could serve the month alone, and its satellites only come on top."""
    stocking = stocking_of(sku)

    assert max(percent for _, percent in stocking.shares) >= 100
    assert dict(stocking.shares)[stocking.main] >= 100


def test_goods_arrive_with_a_margin_before_they_are_sold() -> None:
    """100 units sold in March: 110 arrive with the first second of March, under a key of their own."""
    hub_only = next(sku for sku in SKUS if stocking_of(sku).shares == ((HUB.id, 110),))
    demand = Demand.of([plan_sale(invoice_of(line("1", hub_only, 60, "1.00"), line("1", hub_only, 40, "1.00")))])
    (arrival,) = demand.arrivals(MARCH)

    assert demand.months() == (MARCH,)
    assert (arrival.quantity, arrival.at, arrival.key) == (110, MARCH, f"replay:arrival:2010-03:{HUB.id}:{hub_only}")


def test_what_will_be_written_off_arrives_too() -> None:
    """A write-off finds its units at the main warehouse, though nothing was ordered."""
    hub_only = next(sku for sku in SKUS if stocking_of(sku).shares == ((HUB.id, 110),))
    demand = Demand.of([plan_sale(invoice_of(line("1", hub_only, -96, "0", customer=None)))])

    assert [(arrival.warehouse, arrival.quantity) for arrival in demand.arrivals(MARCH)] == [(HUB.id, 96)]


def test_arrivals_are_the_same_whatever_the_order_of_the_plans() -> None:
    """The first pass adds up; it does not depend on when it met what."""
    plans = [plan_sale(invoice_of(line(f"{n}", f"{20_000 + n % 7}", n, "1.00"))) for n in range(1, 30)]

    assert list(Demand.of(plans).arrivals(MARCH)) == list(Demand.of(reversed(plans)).arrivals(MARCH))
