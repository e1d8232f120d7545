"""The report of a replay as a value: what the file holds, what became of it, and what was read back from the store.

It holds no time of day of its own and no path, so two runs that come to the same end make the same report, byte for byte. It is put
together by `ReportBuilder` (see `reckoning`) and shown by the `render_*` modules; nothing here adds up or opens anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

import attrs

from orderkit.replay.dispositions import Meaning, Reason
from orderkit.replay.source import EXACT, RefusedRow

__all__ = [
    "AccountedFor",
    "Check",
    "Difference",
    "DispositionCount",
    "OrderCounts",
    "Reconciliation",
    "Report",
    "Shares",
    "Slice",
]

_SHARE_DECIMALS = Decimal("0.0001")


@attrs.frozen(kw_only=True)
class Reconciliation:
    """The sums that must agree: the file on one side; orders, refunds and what is accounted for otherwise on the other."""

    file_sales: Decimal
    file_credits: Decimal
    file_other: Decimal
    orders_total: Decimal
    refunds_total: Decimal
    accounted_otherwise: Mapping[Reason, Decimal]

    @property
    def file_total(self) -> Decimal:
        """Everything that the file holds."""
        return EXACT.add(EXACT.add(self.file_sales, self.file_credits), self.file_other)

    @property
    def accounted_total(self) -> Decimal:
        """Everything that is in no order and no refund, under its reasons."""
        total = Decimal(0)
        for amount in self.accounted_otherwise.values():
            total = EXACT.add(total, amount)
        return total

    @property
    def unexplained(self) -> Decimal:
        """What is left of the file when orders, refunds and reasons are taken off; zero, or something was lost or made up."""
        return EXACT.subtract(
            EXACT.add(EXACT.subtract(self.file_total, self.orders_total), self.refunds_total),
            self.accounted_total,
        )


@attrs.frozen(kw_only=True)
class Slice:
    """The reconciliation of a month, a country, or a month of a country. An empty name means all."""

    month: str = ""
    country: str = ""
    orders: int
    sums: Reconciliation


@attrs.frozen(kw_only=True)
class OrderCounts:
    """What the store holds: orders, those with several shipments, shipments, those with a return, and how many have each status."""

    placed: int = 0
    split: int = 0
    shipments: int = 0
    returned: int = 0
    by_status: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class DispositionCount:
    """How many lines became the same thing for the same reason, and their value in the file."""

    meaning: Meaning
    reason: Reason | None
    lines: int
    value: Decimal


@attrs.frozen(kw_only=True)
class AccountedFor:
    """What stands under one reason: in how many lines, and how much."""

    reason: Reason
    lines: int
    amount: Decimal


@attrs.frozen(kw_only=True)
class Shares:
    """How much of the value of product lines became orders, and how much of the credited value found the order it came from."""

    product_sales: Decimal
    product_sales_ordered: Decimal
    product_credits: Decimal
    product_credits_matched: Decimal

    @property
    def ordered(self) -> Decimal:
        """The share of the product sales that became orders, rounded down to four decimals; 1 where there are none."""
        return _share(self.product_sales_ordered, self.product_sales)

    @property
    def matched(self) -> Decimal:
        """The share of the product credits that were matched, rounded down to four decimals; 1 where there are none."""
        return _share(self.product_credits_matched, self.product_credits)


@attrs.frozen(kw_only=True)
class Check:
    """One law, tried on everything that the store holds. `findings` names what broke it."""

    name: str
    law: str
    checked: int
    findings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing broke the law."""
        return not self.findings


@attrs.frozen(kw_only=True)
class Difference:
    """An amount that the file has and orders or refunds have not, or the other way round; `row` is the file's, where it is one line's."""

    invoice: str
    month: str
    country: str
    amount: Decimal
    reason: str
    row: int | None = None
    stock_code: str = ""
    message: str = ""


@attrs.frozen(kw_only=True)
class Report:
    """Everything that a replay has to say."""

    currency: str
    lines: int
    invoices: int
    first_month: str
    last_month: str
    total: Reconciliation
    months: tuple[Slice, ...]
    countries: tuple[Slice, ...]
    cells: tuple[Slice, ...]
    orders: OrderCounts
    shares: Shares
    dispositions: tuple[DispositionCount, ...]
    accounted: tuple[AccountedFor, ...]
    checks: tuple[Check, ...]
    differences: tuple[Difference, ...]
    unexpected: tuple[Difference, ...]
    refused_rows: tuple[RefusedRow, ...]

    @property
    def balanced(self) -> bool:
        """Whether nothing is unexplained anywhere, every check passed, and the store holds what was planned."""
        slices = (*self.months, *self.countries, *self.cells)
        return (
            self.total.unexplained == 0
            and all(part.sums.unexplained == 0 for part in slices)
            and all(check.passed for check in self.checks)
            and not self.unexpected
        )


def _share(part: Decimal, whole: Decimal) -> Decimal:
    if whole == 0:
        return Decimal(1)
    return EXACT.divide(part, whole).quantize(_SHARE_DECIMALS, rounding=ROUND_FLOOR, context=EXACT)
