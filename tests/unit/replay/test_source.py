from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orderkit.replay.source import Bucket, bucket_of
from tests.unit.replay.slices import book_of, line


@pytest.mark.parametrize(
    ("invoice", "quantity", "bucket"),
    [
        ("489434", 12, Bucket.SALES),
        ("489434", -12, Bucket.OTHER),
        ("489434", 0, Bucket.OTHER),
        ("C489449", -12, Bucket.CREDITS),
        ("C496350", 1, Bucket.CREDITS),
        ("A506401", 1, Bucket.OTHER),
    ],
)
def test_a_line_belongs_to_one_of_three_sums(invoice: str, quantity: int, bucket: Bucket) -> None:
    """The letter of the invoice decides, and for plain invoices the sign of the quantity."""
    assert bucket == bucket_of(invoice, quantity)


def test_invoices_come_in_order_of_time_with_all_their_lines() -> None:
    """Lines of one invoice may lie apart in the file, and a later invoice before an earlier one."""
    book = book_of(
        line("489435", "22350", 12, "2.55", at="2009-12-01 07:46"),
        line("489434", "85048", 12, "6.95", at="2009-12-01 07:45"),
        line("489435", "22349", 12, "3.75", at="2009-12-01 07:47"),
    )
    found = [(invoice.number, [one.stock_code for one in invoice.lines]) for invoice in book.invoices()]

    assert found == [("489434", ["85048"]), ("489435", ["22350", "22349"])]


def test_an_invoice_begins_with_its_earliest_line() -> None:
    """Some invoices of the file run over two minutes."""
    (invoice,) = book_of(
        line("1", "A1", 1, "1", at="2010-01-01 09:01"), line("1", "B2", 1, "1", at="2010-01-01 09:00")
    ).invoices()

    assert invoice.invoiced_at == datetime(2010, 1, 1, 9, 0, tzinfo=UTC)


def test_an_invoice_belongs_to_the_first_customer_it_names() -> None:
    """A line without a customer does not make a guest of the rest."""
    (invoice,) = book_of(line("1", "A1", 1, "1", customer=None), line("1", "B2", 1, "1", customer="13085")).invoices()

    assert invoice.customer == "13085"


def test_invoices_of_one_minute_keep_the_order_of_the_file() -> None:
    """A credit note in the same minute as its sale comes after it, as the file has it."""
    book = book_of(line("9", "A1", 1, "1"), line("C10", "A1", -1, "1"), line("8", "A1", 1, "1"))

    assert [invoice.number for invoice in book.invoices()] == ["9", "C10", "8"]


def test_a_line_comes_out_as_it_went_in() -> None:
    """The columns lose nothing: not the decimals of a price, nor the guest."""
    guest = line("496222", "PADS", 1, "0.001", customer=None)

    assert list(book_of(guest).lines()) == [guest]


def test_values_of_many_digits_stay_exact() -> None:
    """The product of a large quantity and a long price is not rounded at 28 digits."""
    long = line("1", "A1", 999_999_999, "0.1234567890123456789012345678")

    assert str(long.value) == "123456788.8888888898888888888987654322"


def test_an_empty_book_has_no_invoices() -> None:
    """A file with a header and nothing else is a year without business."""
    assert list(book_of().invoices()) == []
