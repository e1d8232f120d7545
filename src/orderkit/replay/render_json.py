"""The report as JSON: sorted keys where order means nothing, amounts as decimal strings, one form for every run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from orderkit.replay.dispositions import EXPLANATIONS
from orderkit.replay.report import Difference, Reconciliation, Report, Slice

__all__ = ["as_document", "decimal_text", "render_json"]


def decimal_text(amount: Decimal) -> str:
    """Return an amount as plain digits: two decimals, more only where they say something; zero has no sign."""
    if amount == 0:
        return "0.00"
    text = f"{amount:f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def render_json(report: Report) -> str:
    """Return the report as a JSON document that ends in a newline."""
    return json.dumps(as_document(report), indent=2, ensure_ascii=False) + "\n"


def as_document(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "reconciliation": {
            "currency": report.currency,
            "lines": report.lines,
            "invoices": report.invoices,
            **_sums(report.total),
        },
        "balanced": report.balanced,
        "orders": {
            "placed": report.orders.placed,
            "split": report.orders.split,
            "shipments": report.orders.shipments,
            "returned": report.orders.returned,
            "by_status": dict(report.orders.by_status),
        },
        "shares": {
            "product_sales": decimal_text(report.shares.product_sales),
            "product_sales_ordered": decimal_text(report.shares.product_sales_ordered),
            "ordered_share": str(report.shares.ordered),
            "product_credits": decimal_text(report.shares.product_credits),
            "product_credits_matched": decimal_text(report.shares.product_credits_matched),
            "matched_share": str(report.shares.matched),
        },
        "dispositions": [
            {
                "meaning": found.meaning.value,
                "reason": found.reason.value if found.reason else None,
                "lines": found.lines,
                "value": decimal_text(found.value),
            }
            for found in report.dispositions
        ],
        "accounted": [
            {
                "reason": found.reason.value,
                "lines": found.lines,
                "amount": decimal_text(found.amount),
                "explanation": EXPLANATIONS[found.reason],
            }
            for found in report.accounted
        ],
        "checks": [
            {
                "name": check.name,
                "law": check.law,
                "checked": check.checked,
                "passed": check.passed,
                "findings": list(check.findings),
            }
            for check in report.checks
        ],
        "months": _slices(report.months, "month"),
        "countries": _slices(report.countries, "country"),
        "months_by_country": _slices(report.cells, "month", "country"),
        "unexpected": _differences(report.unexpected),
        "differences": _differences(report.differences),
        "refused_rows": [
            {
                "row": row.row,
                "invoice": row.invoice,
                "reason": row.reason,
                "message": row.message,
                "value": None if row.value is None else decimal_text(row.value),
            }
            for row in report.refused_rows
        ],
    }


def _sums(sums: Reconciliation) -> dict[str, Any]:
    return {
        "file_sales": decimal_text(sums.file_sales),
        "file_credits": decimal_text(sums.file_credits),
        "file_other": decimal_text(sums.file_other),
        "orders_total": decimal_text(sums.orders_total),
        "refunds_total": decimal_text(sums.refunds_total),
        "accounted_otherwise": {
            reason.value: decimal_text(amount) for reason, amount in sorted(sums.accounted_otherwise.items())
        },
        "unexplained": decimal_text(sums.unexplained),
    }


def _slices(slices: Sequence[Slice], *names: str) -> list[dict[str, Any]]:
    return [
        {name: getattr(part, name) for name in names} | {"orders": part.orders} | _sums(part.sums) for part in slices
    ]


def _differences(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "row": found.row,
            "invoice": found.invoice,
            "stock_code": found.stock_code,
            "month": found.month,
            "country": found.country,
            "amount": decimal_text(found.amount),
            "reason": found.reason,
            "message": found.message,
        }
        for found in differences
    ]
