"""A shop's lines and invoices as values, and a book that holds half a million of them in a few megabytes.

The book keeps columns of numbers and one copy of each text; lines and invoices are made when somebody looks. It knows nothing of files,
and gives no line a meaning.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from typing import Generic, TypeVar

import attrs

__all__ = ["EXACT", "Bucket", "RefusedRow", "SourceBook", "SourceInvoice", "SourceLine", "bucket_of"]

EXACT = Context(prec=100)  # sums and products of any readable amounts stay exact; the default would round at 28 digits
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Bucket(StrEnum):
    """The three sums that every file falls into: sales, credit notes, and all else."""

    SALES = "file_sales"
    CREDITS = "file_credits"
    OTHER = "file_other"


def bucket_of(invoice: str, quantity: int) -> Bucket:
    """Return the sum that a line belongs to: by the letter of its invoice, and for plain invoices by the sign of its quantity."""
    letter = invoice[:1].upper()
    if letter == "C":
        return Bucket.CREDITS
    if letter.isalpha() or quantity <= 0:
        return Bucket.OTHER
    return Bucket.SALES


@attrs.frozen
class SourceLine:
    """One line of an invoice, as the file has it. `price` is exact and per unit; `invoiced_at` is UTC; `row` counts data rows from 1."""

    row: int
    invoice: str
    stock_code: str
    description: str
    quantity: int
    invoiced_at: datetime
    price: Decimal
    customer: str | None
    country: str

    @property
    def value(self) -> Decimal:
        """Quantity times price, exact."""
        return EXACT.multiply(self.price, self.quantity)

    @property
    def bucket(self) -> Bucket:
        """The sum of the file that this line belongs to."""
        return bucket_of(self.invoice, self.quantity)


@attrs.frozen(kw_only=True)
class SourceInvoice:
    """All lines of one invoice number, in the order of the file. Its time is its earliest line's; its customer the first that is named."""

    number: str
    invoiced_at: datetime
    customer: str | None
    country: str
    lines: tuple[SourceLine, ...]

    @property
    def is_credit(self) -> bool:
        """Whether this is a credit note."""
        return self.number[:1].upper() == "C"


@attrs.frozen(kw_only=True)
class RefusedRow:
    """A row that cannot be used, and why. `value` is its quantity times price where those two can be read, else None."""

    row: int
    invoice: str
    reason: str
    message: str
    value: Decimal | None = None
    bucket: Bucket = Bucket.OTHER


_T = TypeVar("_T", bound=Hashable)


class _Vocabulary(Generic[_T]):
    """Every different value once, by number."""

    def __init__(self) -> None:
        self.values: list[_T] = []
        self._numbers: dict[_T, int] = {}

    def number(self, value: _T) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found

    def __len__(self) -> int:
        return len(self.values)


class SourceBook:
    """The lines of one file, kept as columns. Fill it with `add` and `refuse`, then walk `invoices()` as often as needed."""

    def __init__(self) -> None:
        self.refused: list[RefusedRow] = []
        self._texts: _Vocabulary[str] = _Vocabulary()
        self._invoices: _Vocabulary[str] = _Vocabulary()
        self._prices: _Vocabulary[Decimal] = _Vocabulary()
        self._row, self._invoice, self._code = array("I"), array("I"), array("I")
        self._description, self._quantity, self._at = array("I"), array("q"), array("q")
        self._price, self._customer, self._country = array("I"), array("i"), array("I")

    def add(self, line: SourceLine) -> None:
        """Keep one line."""
        text = self._texts.number
        self._row.append(line.row)
        self._invoice.append(self._invoices.number(line.invoice))
        self._code.append(text(line.stock_code))
        self._description.append(text(line.description))
        self._quantity.append(line.quantity)
        self._at.append((line.invoiced_at - _EPOCH) // _MICROSECOND)
        self._price.append(self._prices.number(line.price))
        self._customer.append(-1 if line.customer is None else text(line.customer))
        self._country.append(text(line.country))

    def refuse(self, row: RefusedRow) -> None:
        """Keep the reason why a row cannot be used."""
        self.refused.append(row)

    @property
    def line_count(self) -> int:
        """How many data rows the file has, refused ones included."""
        return len(self._row) + len(self.refused)

    @property
    def invoice_count(self) -> int:
        """How many different invoice numbers the usable rows have."""
        return len(self._invoices)

    def lines(self) -> Iterator[SourceLine]:
        """Walk the lines in the order of the file."""
        return (self._line(position) for position in range(len(self._row)))

    def invoices(self) -> Iterator[SourceInvoice]:
        """Walk the invoices in order of time; those of one minute in the order of the file."""
        starts, positions = self._grouped()
        first_at = [
            min(self._at[position] for position in positions[starts[number] : starts[number + 1]])
            for number in range(len(self._invoices))
        ]
        for number in sorted(
            range(len(self._invoices)), key=lambda number: (first_at[number], positions[starts[number]])
        ):
            lines = tuple(self._line(position) for position in positions[starts[number] : starts[number + 1]])
            yield SourceInvoice(
                number=self._invoices.values[number],
                invoiced_at=_EPOCH + first_at[number] * _MICROSECOND,
                customer=next((line.customer for line in lines if line.customer is not None), None),
                country=lines[0].country,
                lines=lines,
            )

    def _grouped(self) -> tuple[array[int], array[int]]:
        """Return where each invoice starts, and all positions sorted by invoice: a counting sort, because a list of lists is too big."""
        starts = array("I", bytes(4 * (len(self._invoices) + 1)))
        for number in self._invoice:
            starts[number + 1] += 1
        for number in range(len(self._invoices)):
            starts[number + 1] += starts[number]
        free = array("I", starts)
        positions = array("I", bytes(4 * len(self._invoice)))
        for position, number in enumerate(self._invoice):
            positions[free[number]] = position
            free[number] += 1
        return starts, positions

    def _line(self, position: int) -> SourceLine:
        texts = self._texts.values
        customer = self._customer[position]
        return SourceLine(
            self._row[position],
            self._invoices.values[self._invoice[position]],
            texts[self._code[position]],
            texts[self._description[position]],
            self._quantity[position],
            _EPOCH + self._at[position] * _MICROSECOND,
            self._prices.values[self._price[position]],
            None if customer < 0 else texts[customer],
            texts[self._country[position]],
        )
