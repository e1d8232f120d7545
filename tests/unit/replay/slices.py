"""Small slices in the form of the real file, written by hand: lines, invoices and whole files for the tests beside."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from orderkit.replay.source import SourceBook, SourceInvoice, SourceLine

HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
OTHER_HEADER = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
CHRISTMAS = (
    "489434",
    "85048",
    "15CM CHRISTMAS GLASS BALL 20 LIGHTS",
    "12",
    "2009-12-01 07:45:00",
    "6.95",
    "13085.0",
    "United Kingdom",
)


def line(
    invoice: str,
    stock_code: str,
    quantity: int,
    price: str,
    *,
    at: str = "2010-03-01 09:00",
    customer: str | None = "13085",
    country: str = "United Kingdom",
    row: int = 1,
) -> SourceLine:
    """Return one line; the time is UTC."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return SourceLine(
        row, invoice, stock_code, f"about {stock_code}", quantity, moment, Decimal(price), customer, country
    )


def book_of(*lines: SourceLine) -> SourceBook:
    """Return a book with those lines, numbered in order."""
    book = SourceBook()
    for row, one in enumerate(lines, start=1):
        fields = (
            one.invoice,
            one.stock_code,
            one.description,
            one.quantity,
            one.invoiced_at,
            one.price,
            one.customer,
            one.country,
        )
        book.add(SourceLine(row, *fields))
    return book


def invoice_of(*lines: SourceLine) -> SourceInvoice:
    """Return the one invoice that those lines make."""
    (found,) = book_of(*lines).invoices()
    return found


def write_csv(
    path: Path,
    rows: Sequence[Sequence[str]],
    header: Sequence[str] = HEADER,
    *,
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> Path:
    """Write a file with that header and those rows, and return where it is."""
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
    return path
