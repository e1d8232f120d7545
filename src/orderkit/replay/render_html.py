"""The report as one page of HTML: charts drawn inline, tables behind them, light and dark, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orderkit.replay.charts import Bar, Pair, columns_chart, rows_chart
from orderkit.replay.dispositions import EXPLANATIONS
from orderkit.replay.render_style import STYLE
from orderkit.replay.render_text import amount_text
from orderkit.replay.report import Difference, Report, Slice

__all__ = ["render_html"]

_COUNTRIES_SHOWN = 12
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def render_html(report: Report) -> str:
    """Return the whole report as a page that stands by itself."""
    period = (
        f"{_month_words(report.first_month)} to {_month_words(report.last_month)}"
        if report.first_month
        else "nothing in it"
    )
    verdict = "Balanced to the penny" if report.balanced else "Not balanced"
    body = "".join(
        (
            (
                f'<header><p class="eyebrow">orderkit replay</p><h1>A shop\u2019s books, reconciled</h1>'
                f'<p class="lead">{escape(period)} \u00b7 '
                f"{report.lines:,} lines \u00b7 {report.invoices:,} invoices</p>"
                f'<p class="verdict {"good" if report.balanced else "bad"}">{verdict}: {amount_text(report.total.unexplained)} '
                f"{escape(report.currency)} unexplained</p></header><main>"
            ),
            _tiles(report),
            _reconciliation(report),
            _unexpected(report),
            _months(report),
            _countries(report),
            _accounted(report),
            _orders(report),
            _checks(report),
            _dispositions(report),
            _refused(report),
            _differences(report),
            "</main>",
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>A shop\u2019s books, reconciled</title><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _tiles(report: Report) -> str:
    orders = report.orders
    split = f"{orders.split / orders.placed:.0%} of orders" if orders.placed else "no orders"
    tiles = (
        ("Orders placed", f"{orders.placed:,}", f"{amount_text(report.total.orders_total)} {report.currency}"),
        ("Shipments", f"{orders.shipments:,}", f"{orders.split:,} split, {split}"),
        ("Refunded", amount_text(report.total.refunds_total), f"{orders.returned:,} orders with a return"),
        ("Sales that became orders", f"{report.shares.ordered:.2%}", "of the value of product lines"),
        ("Credits matched", f"{report.shares.matched:.2%}", "to the order they came from"),
    )
    inner = "".join(
        f'<div class="tile"><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong><span>{escape(note)}</span></dd></div>'
        for name, value, note in tiles
    )
    return f'<dl class="tiles">{inner}</dl>'


def _reconciliation(report: Report) -> str:
    sums = report.total
    left = (
        ("Sales", sums.file_sales),
        ("Credit notes", sums.file_credits),
        ("All else", sums.file_other),
    )
    right = (
        ("Orders, read back from the store", sums.orders_total),
        ("Refunds, read back from the store", -sums.refunds_total),
        ("Accounted for otherwise", sums.accounted_total),
        ("Unexplained", sums.unexplained),
    )
    ledger = "".join(
        f"<table><caption>{caption}</caption><tbody>"
        + "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{amount_text(amount)}</td></tr>' for name, amount in rows
        )
        + f'</tbody><tfoot><tr><th scope="row">Total</th><td>{amount_text(sums.file_total)}</td></tr></tfoot></table>'
        for caption, rows in (("What the file says", left), ("What became of it", right))
    )
    return _section("The books", f'<div class="ledger">{ledger}</div>', f"All amounts in {report.currency}.")


def _months(report: Report) -> str:
    months = [part for part in report.months if part.month[:1].isdigit()]
    chart = columns_chart(
        "months",
        "Orders and refunds by month",
        "For each month the total of the orders placed and of the refunds given for its credit notes; the table below holds the figures.",
        [
            Pair(
                _month_words(part.month),
                float(part.sums.orders_total),
                float(part.sums.refunds_total),
                f"orders {amount_text(part.sums.orders_total)}",
                f"refunds {amount_text(part.sums.refunds_total)}",
            )
            for part in months
        ],
        ("orders", "refunds"),
    )
    return _section("Month by month", chart + _details("Figures by month", _slice_table(report.months, "month")))


def _countries(report: Report) -> str:
    ranked = sorted(report.countries, key=lambda part: (-part.sums.orders_total, part.country))
    abroad = ranked[1 : _COUNTRIES_SHOWN + 1]
    first = (
        f"{ranked[0].country}: {amount_text(ranked[0].sums.orders_total)}. The chart shows the next {len(abroad)}."
        if ranked
        else ""
    )
    chart = rows_chart(
        "countries",
        "Orders by country, the largest left out",
        "The totals of the orders of the countries that follow the largest one; the table below holds all of them.",
        [Bar(part.country, float(part.sums.orders_total), amount_text(part.sums.orders_total)) for part in abroad],
    )
    return _section(
        "Country by country", chart + _details("Figures by country", _slice_table(report.countries, "country")), first
    )


def _accounted(report: Report) -> str:
    found = sorted((one for one in report.accounted if one.amount), key=lambda one: (-abs(one.amount), one.reason))
    chart = rows_chart(
        "accounted",
        "Amounts that are in no order and no refund, by reason",
        "Each bar is the sum under one reason, largest first; sums below zero have the second color. The table explains each reason.",
        [Bar(_words(one.reason), float(one.amount), amount_text(one.amount)) for one in found],
    )
    rows = (
        (_words(one.reason), f"{one.lines:,}", amount_text(one.amount), EXPLANATIONS[one.reason])
        for one in report.accounted
    )
    table = _table(("Reason", "Lines", "Amount", "What it is"), rows, figures={1, 2})
    note = "Not everything on an invoice is an order. What is not stands under a reason that says what it is."
    return _section("Accounted for otherwise", chart + _details("Every reason, explained", table), note)


def _orders(report: Report) -> str:
    ranked = sorted(report.orders.by_status.items(), key=lambda found: (-found[1], found[0]))
    chart = rows_chart(
        "statuses",
        "Orders by status",
        "How many orders ended in each status.",
        [Bar(_words(status), float(count), f"{count:,}") for status, count in ranked],
    )
    return _section("Where the orders ended", chart)


def _checks(report: Report) -> str:
    items = "".join(
        f'<li class="{"good" if check.passed else "bad"}"><strong>{escape(_words(check.name))}</strong> {escape(check.law)} '
        f"<span>{check.checked:,} checked, {len(check.findings):,} findings</span>"
        + (
            "<ul>" + "".join(f"<li>{escape(finding)}</li>" for finding in check.findings) + "</ul>"
            if check.findings
            else ""
        )
        + "</li>"
        for check in report.checks
    )
    return _section("Laws tried on all that the store holds", f'<ul class="checks">{items}</ul>') if items else ""


def _dispositions(report: Report) -> str:
    rows = (
        (
            _words(found.meaning),
            _words(found.reason) if found.reason else "\u2013",
            f"{found.lines:,}",
            amount_text(found.value),
        )
        for found in report.dispositions
    )
    table = _table(("Became", "Reason", "Lines", "Value in the file"), rows, figures={2, 3})
    return _section("What each line became", f'<div class="scroll">{table}</div>')


def _refused(report: Report) -> str:
    if not report.refused_rows:
        return ""
    rows = (
        (
            f"{row.row:,}",
            row.invoice or "\u2013",
            row.message,
            "\u2013" if row.value is None else amount_text(row.value),
        )
        for row in report.refused_rows
    )
    table = _table(("Row", "Invoice", "Why", "Value"), rows, figures={0, 3})
    return _section(f"Refused rows: {len(report.refused_rows):,}", f'<div class="scroll">{table}</div>')


def _unexpected(report: Report) -> str:
    if not report.unexpected:
        return ""
    return _section(
        f"The store differs from the plans: {len(report.unexpected):,}", _difference_table(report.unexpected)
    )


def _differences(report: Report) -> str:
    words = f"All {len(report.differences):,} differences"
    note = "Each line whose value, or a part of it, is in no order and no refund."
    return _section("Differences, one by one", _details(words, _difference_table(report.differences)), note)


# ---- pieces


def _section(title: str, inner: str, note: str = "") -> str:
    words = f"<p>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{words}{inner}</section>"


def _details(summary: str, inner: str) -> str:
    return f'<details><summary>{escape(summary)}</summary><div class="scroll">{inner}</div></details>'


def _slice_table(slices: Sequence[Slice], name: str) -> str:
    rows = (
        (
            getattr(part, name),
            f"{part.orders:,}",
            *map(
                amount_text,
                (
                    part.sums.file_sales,
                    part.sums.file_credits,
                    part.sums.file_other,
                    part.sums.orders_total,
                    part.sums.refunds_total,
                    part.sums.accounted_total,
                    part.sums.unexplained,
                ),
            ),
        )
        for part in slices
    )
    headers = (
        name.capitalize(),
        "Orders",
        "Sales",
        "Credit notes",
        "All else",
        "Orders total",
        "Refunds",
        "Accounted",
        "Unexplained",
    )
    return _table(headers, rows, figures=set(range(1, 9)))


def _difference_table(differences: Sequence[Difference]) -> str:
    rows = (
        (
            found.month,
            f"{found.row}" if found.row else "\u2013",
            found.invoice or "\u2013",
            found.stock_code or "\u2013",
            found.country,
            amount_text(found.amount),
            _words(found.reason),
            found.message or "\u2013",
        )
        for found in differences
    )
    return _table(("Month", "Row", "Invoice", "Code", "Country", "Amount", "Reason", "What"), rows, figures={1, 5})


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], figures: set[int]) -> str:
    kind = ['class="n"' if column in figures else "" for column in range(len(headers))]
    head = "".join(f'<th scope="col" {kind[column]}>{escape(header)}</th>' for column, header in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(f"<td {kind[column]}>{escape(cell)}</td>" for column, cell in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _month_words(month: str) -> str:
    year, _, number = month.partition("-")
    return f"{_MONTHS[int(number) - 1]} {year[2:]}" if number.isdigit() else month or "\u2013"
