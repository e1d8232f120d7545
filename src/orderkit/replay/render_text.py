"""The report as plain text in columns: the whole of it for a file, the first page of it for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from orderkit.replay.report import Check, Difference, Report, Slice

__all__ = ["amount_text", "render_summary", "render_text"]


def amount_text(amount: Decimal) -> str:
    """Return an amount for people: thousands apart, two decimals, more only where they say something."""
    if amount == 0:
        return "0.00"
    whole, _, decimals = f"{amount:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def render_text(report: Report) -> str:
    """Return the whole report, every difference included."""
    sections = [
        *_summary(report),
        _section("By month", _slice_table(report.months, "month")),
        _section("By country", _slice_table(report.countries, "country")),
        _section("What each line became", _disposition_table(report)),
        _section(
            f"Differences: {len(report.differences):,}, every one accounted for", _difference_table(report.differences)
        ),
    ]
    return "\n".join(sections)


def render_summary(report: Report) -> str:
    """Return what fits on a screen: the sums, the shares, the orders and the checks."""
    return "\n".join(_summary(report))


def _summary(report: Report) -> list[str]:
    period = f"{report.first_month or '-'} to {report.last_month or '-'}"
    head = f"A shop's books: {report.lines:,} lines, {report.invoices:,} invoices, {period}"
    sections = [
        f"{head}\n{'=' * len(head)}\n",
        _section(f"Reconciliation ({report.currency})", _reconciliation(report)),
        _section("Orders", _orders(report)),
        _section("Checks", [_check_line(check) for check in report.checks] or ["none were made"]),
    ]
    if report.unexpected:
        title = f"The store differs from the plans: {len(report.unexpected):,}"
        sections.append(_section(title, _difference_table(report.unexpected)))
    if report.refused_rows:
        rows = [("row", "invoice", "why")]
        rows += [(f"{row.row:,}", row.invoice or "-", row.message) for row in report.refused_rows]
        sections.append(_section(f"Refused rows: {len(report.refused_rows):,}", _table(rows, right={0})))
    verdict = "Balanced: nothing is unexplained." if report.balanced else "NOT BALANCED: see above."
    return [*sections, f"{verdict}\n"]


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join((title, "-" * len(title), *lines, ""))


def _reconciliation(report: Report) -> list[str]:
    sums = report.total
    rows = [
        ("sales in the file", amount_text(sums.file_sales)),
        ("credit notes in the file", amount_text(sums.file_credits)),
        ("all else in the file", amount_text(sums.file_other)),
        ("= the file", amount_text(sums.file_total)),
        ("", ""),
        ("orders in the store", amount_text(sums.orders_total)),
        ("- refunds in the store", amount_text(sums.refunds_total)),
    ]
    rows += [(f"+ {found.reason.value}", amount_text(found.amount)) for found in report.accounted]
    rows += [("unexplained", amount_text(sums.unexplained))]
    return _table(rows, right={1})


def _orders(report: Report) -> list[str]:
    orders, shares = report.orders, report.shares
    rows = [
        ("placed", f"{orders.placed:,}"),
        ("split over several warehouses", f"{orders.split:,}"),
        ("shipments", f"{orders.shipments:,}"),
        ("with a return", f"{orders.returned:,}"),
        *((f"status {status}", f"{count:,}") for status, count in sorted(orders.by_status.items())),
        ("product sales that became orders", f"{shares.ordered:.2%}"),
        ("product credits matched to their order", f"{shares.matched:.2%}"),
    ]
    return _table(rows, right={1})


def _check_line(check: Check) -> str:
    state = "ok    " if check.passed else "BROKEN"
    found = "".join(f"\n         {finding}" for finding in check.findings)
    return f"{state}  {check.name}: {check.law} ({check.checked:,} checked){found}"


def _slice_table(slices: Sequence[Slice], name: str) -> list[str]:
    rows = [(name, "orders", "file", "orders total", "refunds", "accounted", "unexplained")]
    rows += [
        (
            getattr(part, name),
            f"{part.orders:,}",
            amount_text(part.sums.file_total),
            amount_text(part.sums.orders_total),
            amount_text(part.sums.refunds_total),
            amount_text(part.sums.accounted_total),
            amount_text(part.sums.unexplained),
        )
        for part in slices
    ]
    return _table(rows, right=set(range(1, 7)))


def _disposition_table(report: Report) -> list[str]:
    rows = [("meaning", "reason", "lines", "value")]
    rows += [
        (found.meaning.value, found.reason.value if found.reason else "-", f"{found.lines:,}", amount_text(found.value))
        for found in report.dispositions
    ]
    return _table(rows, right={2, 3})


def _difference_table(differences: Sequence[Difference]) -> list[str]:
    rows = [("month", "row", "invoice", "code", "country", "amount", "reason", "what")]
    rows += [
        (
            found.month,
            f"{found.row}" if found.row else "-",
            found.invoice or "-",
            found.stock_code or "-",
            found.country,
            amount_text(found.amount),
            found.reason,
            found.message or "-",
        )
        for found in differences
    ]
    return _table(rows, right={1, 5})


def _table(rows: Sequence[tuple[str, ...]], right: set[int]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_cells(row, widths, right)).rstrip() for row in rows]


def _cells(row: tuple[str, ...], widths: Sequence[int], right: set[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.rjust(width) if column in right else cell.ljust(width)
