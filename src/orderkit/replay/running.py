"""Runs a shop's year through the library, in time order on a virtual clock, and reads the result back from the store.

A day is a batch: its orders are placed, what is due is shipped, parcels are polled, credit notes become returns and refunds. Every flow has
the time of its own invoice, and every id and key follows from the file; nothing is remembered outside the store and the provider's book.
So a run that was killed is simply started again, and one that has ended changes nothing.
"""

from __future__ import annotations

import gc
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orderkit
from orderkit import Order, OrderQuery, Policies, RefundPolicy, ReturnPolicy, Shop, VirtualClock, Warehouse
from orderkit.domain.events import Record
from orderkit.domain.refunds import ShippingPolicy
from orderkit.domain.value import evolve
from orderkit.errors import OrderkitError
from orderkit.flows.kit import loaded
from orderkit.plugins.manager import Plugins
from orderkit.ports.effect import Flow
from orderkit.ports.store import ReadRecords
from orderkit.replay import lives
from orderkit.replay.auditing import Audit, stored_order
from orderkit.replay.dispositions import Reason
from orderkit.replay.planning import (
    CreditPlan,
    PlannedGoodwill,
    PlannedOrder,
    PlannedReturn,
    Planner,
    SalePlan,
    plan_sale,
)
from orderkit.replay.reading import load
from orderkit.replay.reckoning import ReportBuilder
from orderkit.replay.remedies import arrives_at, leaves_at
from orderkit.replay.report import Check, Report
from orderkit.replay.source import SourceBook, SourceInvoice
from orderkit.replay.warehouses import WAREHOUSES, Arrival, Demand, stocking_of
from orderkit.runtime.timed import as_of, named_id

Progress = Callable[[str, int, int], None]
Step = PlannedReturn | PlannedGoodwill

# Credit notes name the postage that goes back, so nothing is given back for shipping besides.
POLICIES = Policies(
    refund=RefundPolicy(shipping=ShippingPolicy.NONE, cancellation_shipping=ShippingPolicy.NONE),
    returns=ReturnPolicy(window=timedelta(days=400), expires_after=timedelta(days=90)),
    reservation=timedelta(days=1),
)
POLL_DAYS_MAX = 21  # a parcel that no carrier has reported by then is somebody's finding, not a loop
GRACE = timedelta(days=2)  # most parcels have arrived by then, so one question is enough
PAGE = 1_000


def replayed(file: Path, *, store: str, book: Path | None = None, progress: Progress | None = None) -> Report:
    """Replay a file into a store and return the report of what the store holds then.

    Args:
        file: invoices and credit notes, as CSV or parquet.
        store: the URL of the store; its tables are made where there are none.
        book: the fake provider's own book; beside the store if not given.
        progress: called with (phase, done, total) as the work goes on; a total of 0 is not known.

    Raises:
        Misconfigured: the file or the store cannot be opened.
    """
    tell = progress or _silent
    source = load(file, lambda rows: tell("reading", rows, 0))
    if store.startswith("postgresql"):
        Plugins().migrate_store(store)
    with _shop(store, book or beside(store)) as shop, _collected_seldom():
        replay = _Replay(shop, source, tell)
        replay.run()
        return replay.report()


@contextmanager
def _collected_seldom() -> Iterator[None]:
    """Look for cycles of garbage less often: millions of small frozen values hold none, and looking took a quarter of the time."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def beside(store: str) -> Path:
    """Return where the fake provider keeps its book for a store: a killed run asks it what really happened."""
    location = store.split("?", 1)[0].split(":", 1)[1]
    path = location.removeprefix("///") if location.startswith("///") else location.rsplit("/", 1)[-1]
    return Path(f"{path or 'replay'}.fakepsp")


def _shop(store: str, book: Path) -> Shop:
    return orderkit.open(
        store,
        payments="fakepsp:?webhooks=no" if store == "memory:" else f"fakepsp:///{book}?webhooks=no",
        carriers="fakecarrier:",
        bus=None,
        notifications=None,
        documents=None,
        warehouses=[
            Warehouse(id=s.id, country=s.country, position=(s.latitude, s.longitude), priority=s.priority)
            for s in WAREHOUSES
        ],
        policies=POLICIES,
        clock=VirtualClock(datetime(2000, 1, 1, tzinfo=UTC)),  # every flow of a replay has a time of its own
    )


def _silent(*_: object) -> None:
    """Tell nobody."""


class _Replay:
    """One run: the days of the file, one after the other, then the questions to the store."""

    def __init__(self, shop: Shop, source: SourceBook, tell: Progress) -> None:
        self.shop, self.source, self.tell = shop, source, tell
        self._builder = ReportBuilder()
        self._planner = Planner()
        self._order_ids: dict[str, str] = {}
        self._countries: dict[str, str] = {}
        self._ships: dict[date, list[str]] = defaultdict(list)
        self._polls: dict[date, list[tuple[str, int]]] = defaultdict(list)
        self._trouble: list[str] = []

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
            for plan in plans:
                self._builder.plan(plan)
            self._sales([plan for plan in plans if isinstance(plan, SalePlan)])
            self._credits([plan for plan in plans if isinstance(plan, CreditPlan)])
            done += len(invoices)
            self.tell("replaying", done, total)
        if day is not None:
            self._quiet_days(day + timedelta(days=60))

    # ---- a day

    def _quiet_days(self, until: date) -> None:
        """Ship and poll on the days before `until`, whether anything was sold on them or not."""
        while (day := min({*self._ships, *self._polls}, default=until)) < until:
            self._carry(day)

    def _carry(self, day: date) -> None:
        at = datetime.combine(day, time(18), tzinfo=UTC)
        leaving = self._ships.pop(day, [])
        for order_id, order in self._each((oid, at, lives.shipped(oid, self._countries[oid])) for oid in leaving):
            if isinstance(order, Order):
                self._polls[arrives_at(at, self._countries[order_id]).date() + GRACE].append((order_id, 0))
            else:
                self._trouble.append(f"order {order_id} was not shipped: {order}")
        waiting = dict(self._polls.pop(day, ()))
        for order_id, order in self._each((oid, at, lives.polled(oid)) for oid in waiting):
            on_the_way = isinstance(order, Order) and any(s.travelling for s in order.shipments)
            if on_the_way and waiting[order_id] < POLL_DAYS_MAX:
                self._polls[day + timedelta(days=1)].append((order_id, waiting[order_id] + 1))

    def _put(self, arrivals: Iterable[Arrival]) -> None:
        """Receive goods, or count them off; each key once."""
        puts = (
            (
                a.key,
                a.at,
                orderkit.flows.put_stock(a.sku, {a.warehouse: a.quantity}, evolve(lives.CALLER, key=a.key)),
            )
            for a in arrivals
        )
        self._trouble += [f"stock {key}: {answer}" for key, answer in self._each(puts) if isinstance(answer, Exception)]

    def _sales(self, plans: list[SalePlan]) -> None:
        orders = {named_id(order.placed_at, f"{order.key}/1"): order for plan in plans for order in plan.orders}
        for order_id, order in orders.items():
            self._order_ids[order.reference] = order_id
            self._countries[order_id] = order.country
        started = (
            (order_id, order.placed_at, lives.placed(order, order_id), order.key) for order_id, order in orders.items()
        )
        for order_id, answer in self._each(started):
            self._placed(orders[order_id], order_id, answer)
        corrections = [(correction, plan.at) for plan in plans for correction in plan.corrections]
        self._put(
            Arrival(key=one.key, warehouse=stocking_of(one.sku).main, sku=one.sku, quantity=one.quantity, at=at)
            for one, at in corrections
        )

    def _placed(self, planned: PlannedOrder, order_id: str, answer: Order | Exception) -> None:
        """Look at how a placement went: what came to nothing is accounted for under its reason."""
        if not isinstance(answer, Order):
            self._builder.order_refused(planned, Reason.ORDER_REFUSED, str(answer))
        elif answer.captured_minor:
            left = [leaves_at(s.cutoff_at) for s in answer.shipments if s.cutoff_at and s.lines]
            if left:
                self._ships[max(left).date()].append(order_id)
        else:
            sold_out = (answer.reason or "").startswith("out_of_stock")
            reason = Reason.OUT_OF_STOCK if sold_out else Reason.PAYMENT_DECLINED
            self._builder.order_refused(planned, reason, answer.reason or answer.state)

    def _credits(self, plans: list[CreditPlan]) -> None:
        """Do what the credit notes of a day say; those that concern one order go one after the other."""
        by_order: dict[str, list[Step]] = defaultdict(list)
        by_key: dict[str, Step] = {}
        for plan in plans:
            asked: list[Step] = [*plan.returns, *plan.goodwill]
            for step in asked:
                by_order[self._order_ids[step.order]].append(step)
                by_key[step.key] = step
        lived = (lives.credited(steps, order_id) for order_id, steps in by_order.items())
        for answer in self.shop.run_many(lived, lanes=0):
            if isinstance(answer, Exception):
                raise answer
            for key, message in answer.items():
                self._builder.refund_refused(by_key[key], message)

    def _each(self, started: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
        """Run flows together, each as of its own moment; yield (name, answer or refusal). Anything else that goes wrong is raised."""
        names: list[str] = []

        def timed() -> Iterator[Flow[Any]]:
            for name, moment, flow, *ids in started:
                names.append(name)
                yield as_of(flow, moment, ids[0] if ids else name)

        # Without lanes: a replay that is repeated, or goes on after a crash, meets the same stock at the same order.
        for position, answer in self.shop.run_each(timed(), lanes=0):
            if isinstance(answer, Exception) and not isinstance(answer, OrderkitError):
                raise answer
            yield names[position], answer

    # ---- the store

    def report(self) -> Report:
        """Read every order and its log back from the store, try the laws on each, and add up."""
        self._builder.refuse_rows(self.source.refused)
        audit, seen = Audit(), 0
        for order_ids in _stored_ids(self.shop):
            for answer in self.shop.run_many(_read(order_id) for order_id in order_ids):
                if isinstance(answer, Exception):
                    raise answer
                order, records = answer
                self._builder.stored(stored_order(order))
                audit.look_at(order, records)
            seen += len(order_ids)
            self.tell("auditing", seen, len(self._order_ids))
        for check in audit.checks():
            self._builder.check(check)
        self._builder.check(self._stock())
        law = "Everything that was to be shipped, received or counted off was."
        self._builder.check(Check(name="handling", law=law, checked=seen, findings=tuple(sorted(self._trouble))))
        self.tell("done", seen, seen)
        return self._builder.report()

    def _stock(self) -> Check:
        """Hold every shelf against its own promises."""
        levels = self.shop.stock()
        wrong = [
            f"{s.sku} at {s.warehouse}: {s.reserved} promised of {s.on_hand}"
            for s in levels
            if not 0 <= s.reserved <= s.on_hand
        ]
        return Check(
            name="stock", law="No shelf promises more than it holds.", checked=len(levels), findings=tuple(wrong)
        )


async def _read(order_id: str) -> tuple[Order, tuple[Record, ...]]:
    return await loaded(order_id), await ReadRecords(order_id)


def _stored_ids(shop: Shop) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = shop.orders(OrderQuery(limit=PAGE, cursor=cursor))
        if page.items:
            yield [row.id for row in page.items]
        cursor = page.cursor
        if cursor is None:
            return


def _by_day(source: SourceBook) -> Iterator[tuple[date, list[SourceInvoice]]]:
    day: date | None = None
    batch: list[SourceInvoice] = []
    for invoice in source.invoices():
        if day is not None and invoice.invoiced_at.date() != day:
            yield day, batch
            batch = []
        day = invoice.invoiced_at.date()
        batch.append(invoice)
    if day is not None:
        yield day, batch
