"""Adds a replay up: the plans of the file on one side, what was read back from the store on the other.

The builder is fed plan by plan and order by order and keeps sums, never lines; only what differs is kept one by one. What is unexplained
is computed last, from sums that were made apart from each other. It reads no file and no store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

import attrs

from orderkit.replay.dispositions import Disposition, Meaning, Nature, Reason, money_of
from orderkit.replay.plans import CURRENCY, CreditPlan, PlannedGoodwill, PlannedOrder, PlannedReturn, SalePlan
from orderkit.replay.report import (
    AccountedFor,
    Check,
    Difference,
    DispositionCount,
    OrderCounts,
    Reconciliation,
    Report,
    Shares,
    Slice,
)
from orderkit.replay.source import EXACT, Bucket, RefusedRow

__all__ = ["ReportBuilder", "StoredOrder", "StoredRefund"]

_UNREADABLE = "unreadable"  # the month and country of a row whose own cannot be told
_UNPLANNED = "unplanned"
_ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class StoredRefund:
    """Money that the store says was given back, and the credit note for which it was."""

    credit: str
    amount_minor: int


@attrs.frozen(kw_only=True)
class StoredOrder:
    """What the store says of one order. `charged_minor` is its total, or 0 where nothing was ever captured."""

    reference: str
    status: str
    charged_minor: int
    refunds: tuple[StoredRefund, ...] = ()
    shipments: int = 0
    returned: bool = False


@attrs.define
class _Cell:
    """Strictly private: the running sums of one month of one country."""

    sums: dict[str, Decimal] = attrs.Factory(dict)
    accounted: dict[Reason, Decimal] = attrs.Factory(dict)
    orders: int = 0

    def add(self, name: str, amount: Decimal) -> None:
        self.sums[name] = EXACT.add(self.sums.get(name, _ZERO), amount)

    def account(self, reason: Reason, amount: Decimal) -> None:
        self.accounted[reason] = EXACT.add(self.accounted.get(reason, _ZERO), amount)

    def include(self, other: _Cell) -> None:
        for name, amount in other.sums.items():
            self.add(name, amount)
        for reason, amount in other.accounted.items():
            self.account(reason, amount)
        self.orders += other.orders

    def reconciliation(self) -> Reconciliation:
        return Reconciliation(
            file_sales=self.sums.get(Bucket.SALES, _ZERO),
            file_credits=self.sums.get(Bucket.CREDITS, _ZERO),
            file_other=self.sums.get(Bucket.OTHER, _ZERO),
            orders_total=self.sums.get("orders", _ZERO),
            refunds_total=self.sums.get("refunds", _ZERO),
            accounted_otherwise=dict(sorted(self.accounted.items())),
        )


@attrs.define
class _Expected:
    """Strictly private: an order or a refund that the plans ask for, until the store has shown it."""

    place: tuple[str, str]
    amount_minor: int
    product_value: Decimal = _ZERO


class ReportBuilder:
    """Gathers a report. Feed it every plan, then every stored order, then the checks; then ask for the report."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], _Cell] = {}
        self._orders: dict[str, _Expected] = {}
        self._refunds: dict[tuple[str, str], _Expected] = {}
        self._credits: dict[str, tuple[str, str]] = {}
        self._kinds: Counter[tuple[Meaning, Reason | None]] = Counter()
        self._values: dict[tuple[Meaning, Reason | None], Decimal] = {}
        self._reasons: Counter[Reason] = Counter()
        self._shares: dict[str, Decimal] = {}
        self._differences: list[Difference] = []
        self._unexpected: list[Difference] = []
        self._checks: list[Check] = []
        self._refused: tuple[RefusedRow, ...] = ()
        self._statuses: Counter[str] = Counter()
        self._split = self._shipments = self._returned = self._lines = self._invoices = 0

    # ---- the file

    def refuse_rows(self, rows: Iterable[RefusedRow]) -> None:
        """Take the rows that the reader refused; an amount that could be read is accounted for under `unreadable_row`."""
        rows = tuple(rows)
        self._refused += rows
        for row in rows:
            self._lines += 1
            if row.value is None:
                continue
            cell = self._cell((_UNREADABLE, _UNREADABLE))
            cell.add(row.bucket, row.value)
            cell.account(Reason.UNREADABLE_ROW, row.value)
            self._reasons[Reason.UNREADABLE_ROW] += 1
            self._kinds[Meaning.REFUSED, Reason.UNREADABLE_ROW] += 1
            self._add_value((Meaning.REFUSED, Reason.UNREADABLE_ROW), row.value)
            if row.value:
                self._differences.append(
                    Difference(
                        invoice=row.invoice,
                        row=row.row,
                        month=_UNREADABLE,
                        country=_UNREADABLE,
                        amount=row.value,
                        reason=Reason.UNREADABLE_ROW.value,
                        message=row.message,
                    )
                )

    def plan(self, plan: SalePlan | CreditPlan) -> None:
        """Take what became of one invoice: its lines, and the orders and refunds that the store must show."""
        self._invoices += 1
        if not plan.dispositions:
            return
        place = (f"{plan.at:%Y-%m}", plan.dispositions[0].line.country)
        cell = self._cell(place)
        for disposition in plan.dispositions:
            self._line(disposition, cell, place)
        if isinstance(plan, SalePlan):
            for order in plan.orders:
                self._orders[order.reference] = _Expected(place, order.total_minor, order.product_value)
            return
        self._credits[plan.invoice] = place
        steps: tuple[PlannedReturn | PlannedGoodwill, ...] = (*plan.returns, *plan.goodwill)
        for step in steps:
            amount = _amount_of(step)
            known = self._refunds.setdefault((step.credit, step.order), _Expected(place, 0))
            known.amount_minor += amount

    def _line(self, disposition: Disposition, cell: _Cell, place: tuple[str, str]) -> None:
        line = disposition.line
        value, bucket = line.value, line.bucket
        kind = (disposition.meaning, disposition.reason)
        self._lines += 1
        self._kinds[kind] += 1
        self._add_value(kind, value)
        cell.add(bucket, value)
        if disposition.nature is Nature.PRODUCT and bucket is not Bucket.OTHER:
            self._share(f"{bucket.value}", value)
            self._share(f"{bucket.value}_met", disposition.carried if bucket is Bucket.SALES else disposition.matched)
        for reason, amount in disposition.accounted:
            cell.account(reason, amount)
            self._reasons[reason] += 1
            if amount:
                self._differences.append(_difference_of(disposition, place, reason, amount))

    # ---- what the library refused

    def order_refused(self, order: PlannedOrder, reason: Reason, message: str) -> None:
        """Take an order that came to nothing: its total is accounted for under the reason instead."""
        expected = self._orders.pop(order.reference)
        amount = money_of(expected.amount_minor)
        self._instead(order.reference, expected.place, reason, amount, message)
        self._share("file_sales_met", -expected.product_value)

    def refund_refused(self, step: PlannedReturn | PlannedGoodwill, message: str) -> None:
        """Take a return or goodwill refund that the library refused: its amount is accounted for as `refund_refused` instead."""
        amount_minor = _amount_of(step)
        expected = self._refunds[step.credit, step.order]
        expected.amount_minor -= amount_minor
        self._instead(step.credit, expected.place, Reason.REFUND_REFUSED, -money_of(amount_minor), message)
        if isinstance(step, PlannedReturn):
            self._share("file_credits_met", -step.matched_value)

    def _instead(self, invoice: str, place: tuple[str, str], reason: Reason, amount: Decimal, message: str) -> None:
        self._cell(place).account(reason, amount)
        self._reasons[reason] += 1
        month, country = place
        self._differences.append(
            Difference(
                invoice=invoice, month=month, country=country, amount=amount, reason=reason.value, message=message
            )
        )

    # ---- the store

    def stored(self, order: StoredOrder) -> None:
        """Take one order as the store has it, and compare it with what was planned."""
        self._statuses[order.status] += 1
        self._split += order.shipments > 1
        self._shipments += order.shipments
        self._returned += order.returned
        expected = self._orders.pop(order.reference, None)
        place = expected.place if expected else (_UNPLANNED, _UNPLANNED)
        if order.charged_minor:
            cell = self._cell(place)
            cell.add("orders", money_of(order.charged_minor))
            cell.orders += 1
        planned_minor = expected.amount_minor if expected else 0
        if order.charged_minor != planned_minor:
            message = "the stored order's total is not the plan's" if expected else "nobody planned this order"
            self._found(order.reference, place, order.charged_minor - planned_minor, "order_differs", message)
        given: Counter[str] = Counter()
        for refund in order.refunds:
            given[refund.credit] += refund.amount_minor
        for credit, amount_minor in sorted(given.items()):
            self._refunded(order.reference, credit, amount_minor)

    def _refunded(self, reference: str, credit: str, amount_minor: int) -> None:
        expected = self._refunds.pop((credit, reference), None)
        place = expected.place if expected else self._credits.get(credit, (_UNPLANNED, _UNPLANNED))
        self._cell(place).add("refunds", money_of(amount_minor))
        planned_minor = expected.amount_minor if expected else 0
        if amount_minor != planned_minor:
            message = (
                f"the stored refund on order {reference} is not the plan's"
                if expected
                else f"nobody planned this refund on order {reference}"
            )
            self._found(credit or reference, place, planned_minor - amount_minor, "refund_differs", message)

    def _found(self, invoice: str, place: tuple[str, str], amount_minor: int, reason: str, message: str) -> None:
        month, country = place
        self._unexpected.append(
            Difference(
                invoice=invoice,
                month=month,
                country=country,
                amount=money_of(amount_minor),
                reason=reason,
                message=message,
            )
        )

    def check(self, check: Check) -> None:
        """Take the result of one law tried on the store."""
        self._checks.append(check)

    # ---- the end

    def report(self) -> Report:
        """Return the report. What was planned and never shown by the store is a difference now."""
        for reference, expected in self._orders.items():
            self._found(
                reference, expected.place, -expected.amount_minor, "order_missing", "the store does not have the order"
            )
        for (credit, reference), expected in self._refunds.items():
            if expected.amount_minor:
                message = f"order {reference} does not have the refund"
                self._found(credit, expected.place, expected.amount_minor, "refund_missing", message)
        self._orders.clear()
        self._refunds.clear()
        total = _Cell()
        for cell in self._cells.values():
            total.include(cell)
        months = sorted(month for month, _ in self._cells if month[:1].isdigit())
        return Report(
            currency=CURRENCY,
            lines=self._lines,
            invoices=self._invoices,
            first_month=months[0] if months else "",
            last_month=months[-1] if months else "",
            total=total.reconciliation(),
            months=tuple(_slices(((month, ""), cell) for (month, _), cell in self._cells.items())),
            countries=tuple(_slices((("", country), cell) for (_, country), cell in self._cells.items())),
            cells=tuple(_slices(self._cells.items())),
            orders=self._order_counts(),
            shares=self._shares_found(),
            dispositions=self._dispositions(),
            accounted=tuple(
                AccountedFor(reason=reason, lines=self._reasons[reason], amount=amount)
                for reason, amount in sorted(total.accounted.items())
            ),
            checks=tuple(self._checks),
            differences=tuple(sorted(self._differences, key=_place_of)),
            unexpected=tuple(sorted(self._unexpected, key=_place_of)),
            refused_rows=tuple(sorted(self._refused, key=lambda row: row.row)),
        )

    def _order_counts(self) -> OrderCounts:
        return OrderCounts(
            placed=sum(self._statuses.values()),
            split=self._split,
            shipments=self._shipments,
            returned=self._returned,
            by_status=dict(sorted(self._statuses.items())),
        )

    def _shares_found(self) -> Shares:
        return Shares(
            product_sales=self._shares.get("file_sales", _ZERO),
            product_sales_ordered=self._shares.get("file_sales_met", _ZERO),
            product_credits=self._shares.get("file_credits", _ZERO),
            product_credits_matched=self._shares.get("file_credits_met", _ZERO),
        )

    def _dispositions(self) -> tuple[DispositionCount, ...]:
        keys = sorted(self._kinds, key=lambda key: (list(Meaning).index(key[0]), key[1] or ""))
        return tuple(
            DispositionCount(meaning=key[0], reason=key[1], lines=self._kinds[key], value=self._values[key])
            for key in keys
        )

    def _cell(self, place: tuple[str, str]) -> _Cell:
        found = self._cells.get(place)
        if found is None:
            found = self._cells[place] = _Cell()
        return found

    def _add_value(self, kind: tuple[Meaning, Reason | None], value: Decimal) -> None:
        self._values[kind] = EXACT.add(self._values.get(kind, _ZERO), value)

    def _share(self, name: str, amount: Decimal) -> None:
        self._shares[name] = EXACT.add(self._shares.get(name, _ZERO), amount)


def _amount_of(step: PlannedReturn | PlannedGoodwill) -> int:
    return step.refund_minor if isinstance(step, PlannedReturn) else step.amount_minor


def _difference_of(disposition: Disposition, place: tuple[str, str], reason: Reason, amount: Decimal) -> Difference:
    line = disposition.line
    return Difference(
        invoice=line.invoice,
        row=line.row,
        stock_code=line.stock_code,
        month=place[0],
        country=place[1],
        amount=amount,
        reason=reason.value,
        message=line.description,
    )


def _slices(cells: Iterable[tuple[tuple[str, str], _Cell]]) -> Iterator[Slice]:
    """Return a slice for each place, those of one place added up, sorted."""
    gathered: dict[tuple[str, str], _Cell] = {}
    for place, cell in cells:
        gathered.setdefault(place, _Cell()).include(cell)
    for (month, country), cell in sorted(gathered.items()):
        yield Slice(month=month, country=country, orders=cell.orders, sums=cell.reconciliation())


def _place_of(difference: Difference) -> tuple[str, int, str, str, str]:
    return difference.month, difference.row or 0, difference.invoice, difference.reason, difference.message
