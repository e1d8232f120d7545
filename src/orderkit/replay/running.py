"""Runs a shop's year through the library, in time order on a virtual clock, and reads the result back from the store.

A day is a batch: its orders are placed, what is due is shipped, parcels are polled, credit notes become returns and refunds. Every flow has the
time of its own invoice, and every id and key follows from the file; nothing is remembered outside the store and the provider's book. So a run
that was killed is simply started again, and one that has ended changes nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import attrs

import orderkit
from orderkit import Order, OrderkitError, Policies, RefundPolicy, ReturnPolicy, Shop, VirtualClock, Warehouse
from orderkit.domain.refunds import ShippingPolicy
from orderkit.ports.effect import Flow
from orderkit.replay import lives
from orderkit.replay.planning import CreditPlan, PlannedGoodwill, PlannedReturn, Planner, SalePlan, plan_sale
from orderkit.replay.reading import load
from orderkit.replay.remedies import arrives_at, leaves_at
from orderkit.replay.source import SourceBook
from orderkit.replay.warehouses import WAREHOUSES, Arrival, Demand, stocking_of
from orderkit.runtime.timed import as_of, named_id

Progress = Callable[[str, int, int], None]

POLICIES = Policies(
    refund=RefundPolicy(
        shipping=ShippingPolicy.NONE, cancellation_shipping=ShippingPolicy.NONE
    ),  # credit notes name postage
    returns=ReturnPolicy(window=timedelta(days=400), expires_after=timedelta(days=90)),
    reservation=timedelta(days=1),
)
POLL_DAYS_MAX = 21  # a parcel that no carrier has reported by then is somebody's finding, not a loop


@attrs.define
class Ran:
    """What a run did, for the report: plans by invoice, order ids by reference, and what was refused."""

    sales: list[SalePlan] = attrs.Factory(list)
    credits: list[CreditPlan] = attrs.Factory(list)
    order_ids: dict[str, str] = attrs.Factory(dict)
    refused: dict[str, str] = attrs.Factory(dict)


def run(
    file: Path, *, store: str, book: Path | None = None, progress: Progress | None = None
) -> tuple[SourceBook, Ran, Shop]:
    """Replay a file into a store and return the file's book, what was done, and the open shop."""
    tell = progress or _silent
    source = load(file, lambda rows: tell("reading", rows, 0))
    clock = VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
    shop = orderkit.open(
        store,
        payments=f"fakepsp:///{book}" if book else "fakepsp:",
        carriers="fakecarrier:",
        bus=None,
        notifications=None,
        documents=None,
        warehouses=[
            Warehouse(
                id=site.id, country=site.country, position=(site.latitude, site.longitude), priority=site.priority
            )
            for site in WAREHOUSES
        ],
        policies=POLICIES,
        clock=clock,
    )
    replay = _Replay(shop, clock, source, tell)
    replay.run()
    return source, replay.ran, shop


def _silent(*_: object) -> None:
    """Tell nobody."""


class _Replay:
    """One run: the days of the file, one after the other."""

    def __init__(self, shop: Shop, clock: VirtualClock, source: SourceBook, tell: Progress) -> None:
        self.shop, self.clock, self.source, self.tell = shop, clock, source, tell
        self.ran = Ran()
        self._planner = Planner()
        self._countries: dict[str, str] = {}
        self._ships: dict[date, list[str]] = defaultdict(list)
        self._polls: dict[date, list[tuple[str, int]]] = defaultdict(list)

    def run(self) -> None:
        """Run every day of the file, and the days until the last parcel has arrived."""
        demand = Demand.of(plan_sale(invoice) for invoice in self.source.invoices() if not invoice.is_credit)
        months = deque(demand.months())
        total, done = self.source.invoice_count, 0
        day: date | None = None
        for day, invoices in _by_day(self.source):
            self._quiet_days(day)
            while months and months[0].date() <= day:
                self._put(demand.arrivals(months.popleft()))
            plans = [self._planner.plan(invoice) for invoice in invoices]
            self._sales([plan for plan in plans if isinstance(plan, SalePlan)])
            self._credits([plan for plan in plans if isinstance(plan, CreditPlan)])
            done += len(invoices)
            self.tell("replaying", done, total)
        if day is not None:
            self._quiet_days(day + timedelta(days=60))
        self.tell("done", total, total)

    # ---- a day

    def _quiet_days(self, until: date) -> None:
        """Ship and poll on the days before `until`, whether anything was sold on them or not."""
        while (day := min({*self._ships, *self._polls}, default=until)) < until:
            self._carry(day)

    def _carry(self, day: date) -> None:
        at = _at(day, 10)
        self.clock.set(at)
        for order_id, order in self._each(
            (oid, at, lives.shipped(oid, self._countries[oid])) for oid in self._ships.pop(day, ())
        ):
            if isinstance(order, Order):
                arrival = arrives_at(at, self._countries[order_id]).date()
                self._polls[arrival].append((order_id, 0))
            else:
                self.ran.refused[f"ship:{order_id}"] = str(order)
        waiting = dict(self._polls.pop(day, ()))
        late = _at(day, 20)
        for order_id, order in self._each((oid, late, lives.polled(oid)) for oid in waiting):
            if (
                isinstance(order, Order)
                and any(s.travelling for s in order.shipments)
                and waiting[order_id] < POLL_DAYS_MAX
            ):
                self._polls[day + timedelta(days=1)].append((order_id, waiting[order_id] + 1))

    def _put(self, arrivals: Iterable[Arrival]) -> None:
        """Receive goods, or count them off; each key once."""
        puts = (
            (
                one.key,
                one.at,
                orderkit.flows.put_stock(
                    one.sku, {one.warehouse: one.quantity}, attrs.evolve(lives.CALLER, key=one.key)
                ),
            )
            for one in arrivals
        )
        for key, answer in self._each(puts):
            if isinstance(answer, Exception):
                self.ran.refused[key] = str(answer)

    def _sales(self, plans: list[SalePlan]) -> None:
        self.ran.sales += plans
        orders = [(order, named_id(order.placed_at, f"{order.key}/1")) for plan in plans for order in plan.orders]
        for order, order_id in orders:
            self.ran.order_ids[order.reference] = order_id
            self._countries[order_id] = order.country
        started = ((order_id, order.placed_at, lives.placed(order, order_id), order.key) for order, order_id in orders)
        for order_id, answer in self._each(started):
            if isinstance(answer, Order):
                if answer.state == "confirmed":
                    left = leaves_at(max(s.cutoff_at or answer.placed_at for s in answer.shipments))
                    self._ships[left.date()].append(order_id)
            else:
                self.ran.refused[order_id] = str(answer)
        self._put(
            Arrival(key=one.key, warehouse=stocking_of(one.sku).main, sku=one.sku, quantity=one.quantity, at=plan.at)
            for plan in plans
            for one in plan.corrections
        )

    def _credits(self, plans: list[CreditPlan]) -> None:
        """Do what the credit notes of a day say; those that concern one order go one after the other."""
        self.ran.credits += plans
        steps: dict[str, list[PlannedReturn | PlannedGoodwill]] = defaultdict(list)
        for plan in plans:
            asked: list[PlannedReturn | PlannedGoodwill] = [*plan.returns, *plan.goodwill]
            for step in asked:
                steps[self.ran.order_ids[step.order]].append(step)
        for answer in self.shop.run_many(lives.credited(found, order_id) for order_id, found in steps.items()):
            if isinstance(answer, Exception):
                raise answer
            self.ran.refused.update(answer)

    def _each(self, started: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
        """Run flows together, each as of its own moment; yield (name, answer or exception)."""
        names: list[str] = []

        def timed() -> Iterator[Flow[Any]]:
            for name, moment, flow, *ids in started:
                names.append(name)
                yield as_of(flow, moment, ids[0] if ids else name)

        for position, answer in self.shop.run_each(timed()):
            if isinstance(answer, Exception) and not isinstance(answer, OrderkitError):
                raise answer
            yield names[position], answer


def _by_day(source: SourceBook) -> Iterator[tuple[date, list[Any]]]:
    day: date | None = None
    batch: list[Any] = []
    for invoice in source.invoices():
        if day is not None and invoice.invoiced_at.date() != day:
            yield day, batch
            batch = []
        day = invoice.invoiced_at.date()
        batch.append(invoice)
    if day is not None:
        yield day, batch


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)
