"""Reads a shop's year from CSV or parquet into exact values, line by line.

Both published headers and both date forms of the data are understood. A row that cannot be used is refused with its number and the
reason, and reading goes on; only a file that cannot be read at all is an error. This module gives no line a meaning (see `dispositions`).
"""

from __future__ import annotations

import codecs
import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from orderkit.errors import Misconfigured
from orderkit.replay.source import EXACT, RefusedRow, SourceBook, SourceLine, bucket_of

__all__ = ["load", "read_lines"]

_COLUMNS: dict[str, tuple[str, ...]] = {
    "Invoice": ("invoice", "invoiceno"),
    "StockCode": ("stockcode",),
    "Description": ("description",),
    "Quantity": ("quantity",),
    "InvoiceDate": ("invoicedate",),
    "Price": ("price", "unitprice"),
    "Customer ID": ("customerid",),
    "Country": ("country",),
}
_HEADERS = (
    "Invoice, StockCode, Description, Quantity, InvoiceDate, Price, Customer ID, Country; "
    "or InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country"
)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?")
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?")
_CENTURY = "20"  # of a year with two digits
_ABSENT = {"", "nan", "none", "null", "na", "n/a", "<na>"}
_BATCH_ROWS = 8_192  # rows of parquet held as Python objects at a time
_QUANTITY_MAX = 10**9  # beyond any warehouse; such a number is damage, not an order
_PRICE_MAX = Decimal(10) ** 12
_PRICE_DECIMALS_MAX = 28


class _Unusable(Exception):
    """Strictly private: why one field of one row cannot be read."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def load(path: Path, progress: Callable[[int], None] | None = None) -> SourceBook:
    """Read a whole file into a book.

    Args:
        path: a CSV or parquet file, with either published header.
        progress: called now and then with the number of rows read so far.

    Raises:
        Misconfigured: the file is missing, is no such file, lacks columns, or needs a driver that is not installed.
    """
    book = SourceBook()
    for count, found in enumerate(read_lines(path), start=1):
        if isinstance(found, SourceLine):
            book.add(found)
        else:
            book.refuse(found)
        if progress is not None and count % _BATCH_ROWS == 0:
            progress(count)
    if progress is not None:
        progress(book.line_count)
    return book


def read_lines(path: Path) -> Iterator[SourceLine | RefusedRow]:
    """Stream the rows of a file: a line for each that can be used, a refusal with its reason for each that cannot.

    Raises:
        Misconfigured: the file is missing, is no such file, lacks columns, or needs a driver that is not installed.
    """
    reader = _RowReader()
    rows = _parquet_rows(path) if _kind_of(path) == "parquet" else _csv_rows(path)
    for number, fields in rows:
        yield reader.read(number, fields)


# ---- files


def _kind_of(path: Path) -> str:
    """Tell parquet from text by the first bytes: endings lie."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except IsADirectoryError as error:
        raise Misconfigured(f"{path} is a directory, not a file", code="file_missing", field="file") from error
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be opened: {error.strerror or error}", code="file_missing", field="file"
        ) from error
    if head == b"PAR1":
        return "parquet"
    if head[:2] == b"PK":
        raise _not_readable(
            path, "a workbook or a zip archive", "Save the sheet as CSV (or unpack the archive) and pass that file."
        )
    if head[:2] == b"\x1f\x8b":
        raise _not_readable(path, "compressed with gzip", "Unpack it first: gunzip FILE.gz.")
    if path.suffix.lower() in {".parquet", ".pq"}:
        raise _not_readable(
            path, "no parquet file, whatever its name says", "Fetch the file again, or give CSV the ending .csv."
        )
    return "csv"


def _not_readable(path: Path, what: str, remedy: str) -> Misconfigured:
    return Misconfigured(f"{path.name} is {what}", code="wrong_columns", field="file", remedy=remedy)


def _positions(header: Sequence[str], path: Path) -> list[int] | None:
    """Return where each column stands, in the order of `_COLUMNS`, or None when none of them is there."""
    plain = [re.sub(r"[\s_]+", "", name).lower() for name in header]
    found = {
        column: next((plain.index(name) for name in names if name in plain), -1) for column, names in _COLUMNS.items()
    }
    missing = [column for column, position in found.items() if position < 0]
    if len(missing) == len(_COLUMNS):
        return None
    if missing:
        raise _wrong_columns(path, header, missing)
    return list(found.values())


def _wrong_columns(path: Path, header: Sequence[str], missing: Sequence[str]) -> Misconfigured:
    shown = ", ".join(name.strip()[:40] for name in header[:12]) or "nothing"
    return Misconfigured(
        f"{path.name} lacks the columns {', '.join(missing)}; its first row holds: {shown}",
        code="wrong_columns",
        field="file",
        facts={"missing": list(missing)},
        remedy=f"Give the file one of the two published headers: {_HEADERS}.",
    )


def _encoding_of(path: Path) -> str:
    """Return UTF-8 where the whole file is, UTF-16 by its mark, else Latin-1, which older exports of spreadsheets are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        file.seek(0)
        try:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def _csv_rows(path: Path) -> Iterator[tuple[int, Sequence[Any] | _Unusable]]:
    with path.open(encoding=_encoding_of(path), newline="", errors="replace") as file:
        heading = file.readline()
        file.seek(0)
        delimiter = next((mark for mark in (",", ";", "\t") if mark in heading), ",")
        rows = csv.reader(file, delimiter=delimiter)
        try:
            header = next(rows, [])
        except csv.Error:
            header = []
        positions = _positions(header, path)
        if positions is None:
            raise _wrong_columns(
                path, header if heading.isprintable() or heading.strip().isprintable() else [], list(_COLUMNS)
            )
        width = max(positions) + 1
        number = 0
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                yield number, _Unusable("broken_row", f"the row is no CSV: {error}")
                continue
            if not any(cell.strip() for cell in row):
                continue
            number += 1
            if len(row) < width:
                yield (
                    number,
                    _Unusable("too_few_fields", f"the row has {len(row)} fields where the header has {len(header)}"),
                )
            elif len(row) > len(header):
                yield (
                    number,
                    _Unusable("too_many_fields", f"the row has {len(row)} fields where the header has {len(header)}"),
                )
            else:
                yield number, [row[position] for position in positions]


def _parquet_rows(path: Path) -> Iterator[tuple[int, Sequence[Any] | _Unusable]]:
    try:
        import pyarrow as pa  # noqa: PLC0415  (only who reads parquet needs the driver)
        import pyarrow.parquet as pq  # noqa: PLC0415  (only where it is used)
    except ImportError as error:
        raise Misconfigured(
            "reading parquet needs pyarrow, which is not installed",
            code="missing_driver",
            field="file",
            remedy="Install it with: pip install 'orderkit[replay]' (or pass the data as CSV).",
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            names: list[str] = list(file.schema_arrow.names)
            positions = _positions(names, path)
            if positions is None:
                raise _wrong_columns(path, names, list(_COLUMNS))
            wanted = [names[position] for position in positions]
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                columns = [_plain_values(batch.column(batch.schema.get_field_index(name)), pa) for name in wanted]
                for fields in zip(*columns, strict=True):
                    number += 1
                    yield number, fields
    except (pa.ArrowException, OSError) as error:
        raise _not_readable(path, f"a parquet file that cannot be read ({error})", "Fetch the file again.") from error


def _plain_values(column: Any, pa: Any) -> list[Any]:
    """Return a column as Python values: 32-bit floats as their shortest text, times to the microsecond."""
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        column = column.cast(pa.string())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


# ---- fields


class _RowReader:
    """Turns raw fields into exact values. Half a million rows repeat a few thousand texts, so each text is read once."""

    def __init__(self) -> None:
        self._times: dict[Any, datetime] = {}
        self._prices: dict[Any, Decimal] = {}
        self._quantities: dict[Any, int] = {}

    def read(self, row: int, fields: Sequence[Any] | _Unusable) -> SourceLine | RefusedRow:
        if isinstance(fields, _Unusable):
            return RefusedRow(row=row, invoice="", reason=fields.reason, message=str(fields))
        invoice, code, description, quantity, at, price, customer, country = fields
        try:
            return SourceLine(
                row,
                _required(invoice, "missing_invoice", "the invoice number"),
                _required(code, "missing_stock_code", "the stock code"),
                _text(description),
                self._quantity(quantity),
                self._time(at),
                self._price(price),
                _text(customer) or None,
                _text(country) or "Unspecified",
            )
        except _Unusable as error:
            return self._refused(row, fields, error)

    def _refused(self, row: int, fields: Sequence[Any], error: _Unusable) -> RefusedRow:
        invoice = _text(fields[0])
        try:
            quantity = self._quantity(fields[3])
            value, bucket = EXACT.multiply(self._price(fields[5]), quantity), bucket_of(invoice, quantity)
        except _Unusable:
            return RefusedRow(row=row, invoice=invoice, reason=error.reason, message=str(error))
        return RefusedRow(row=row, invoice=invoice, reason=error.reason, message=str(error), value=value, bucket=bucket)

    def _quantity(self, raw: Any) -> int:
        found = self._quantities.get(raw)
        if found is None:
            found = self._quantities[raw] = _read_quantity(raw)
        return found

    def _time(self, raw: Any) -> datetime:
        found = self._times.get(raw)
        if found is None:
            found = self._times[raw] = _read_time(raw)
        return found

    def _price(self, raw: Any) -> Decimal:
        found = self._prices.get(raw)
        if found is None:
            found = self._prices[raw] = _read_price(raw)
        return found


def _text(raw: Any) -> str:
    """Return a field as text: trimmed, nothing for what is missing, 13085.0 as 13085."""
    if raw is None:
        return ""
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    text = raw.strip() if isinstance(raw, str) else str(raw).strip()
    if text.lower() in _ABSENT:
        return ""
    if text.endswith(".0") and text[:-2].isdigit():
        text = text[:-2]
    return sys.intern(text)


def _required(raw: Any, reason: str, what: str) -> str:
    text = _text(raw)
    if not text:
        raise _Unusable(reason, f"{what} is missing")
    return text


def _read_quantity(raw: Any) -> int:
    text = str(raw).strip() if raw is not None else ""
    if not _WHOLE.fullmatch(text):
        raise _Unusable("bad_quantity", f"the quantity {text[:40]!r} is not a whole number")
    quantity = int(text.partition(".")[0])
    if abs(quantity) > _QUANTITY_MAX:
        raise _Unusable("bad_quantity", f"the quantity {text[:40]!r} is beyond {_QUANTITY_MAX:,}")
    return quantity


def _read_price(raw: Any) -> Decimal:
    text = repr(raw) if isinstance(raw, float) else str(raw).strip() if raw is not None else ""
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise _Unusable("bad_price", f"the price {text[:40]!r} is not a number") from None
    if not price.is_finite() or abs(price) > _PRICE_MAX:
        raise _Unusable("bad_price", f"the price {text[:40]!r} is not an amount of money")
    exponent = price.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _PRICE_DECIMALS_MAX:
        raise _Unusable("bad_price", f"the price {text[:40]!r} has more than {_PRICE_DECIMALS_MAX} decimals")
    return price


def _read_time(raw: Any) -> datetime:
    if isinstance(raw, datetime):
        return raw.replace(tzinfo=UTC) if raw.tzinfo is None else raw.astimezone(UTC)
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
    text = str(raw).strip() if raw is not None else ""
    if match := _ISO.fullmatch(text):
        year, month, day, *clock = match.groups()
    elif match := _MONTH_FIRST.fullmatch(text):
        month, day, year, *clock = match.groups()
        year = f"{_CENTURY}{year}"[-4:]
    else:
        raise _Unusable(
            "bad_date",
            f"the date {text[:40]!r} is neither like 2009-12-01 07:45:00 nor like 12/1/10 8:26 (month first)",
        )
    hour, minute, second = (int(part or 0) for part in clock)
    try:
        return datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise _Unusable("bad_date", f"the date {text[:40]!r} does not exist: {error}") from None
