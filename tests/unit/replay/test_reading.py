from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from orderkit.errors import Misconfigured
from orderkit.replay.reading import load, read_lines
from orderkit.replay.source import Bucket, RefusedRow, SourceLine
from tests.unit.replay.slices import CHRISTMAS, HEADER, OTHER_HEADER, write_csv

MORNING = datetime(2009, 12, 1, 7, 45, tzinfo=UTC)


def only(path: Path) -> SourceLine | RefusedRow:
    (found,) = read_lines(path)
    return found


class TestHeadersAndDates:
    def test_a_line_is_read_exactly(self, tmp_path: Path) -> None:
        """Every field of the published form has its type; the price is exact and the customer a number without decimals."""
        found = only(write_csv(tmp_path / "year.csv", [CHRISTMAS]))

        expected = SourceLine(
            1,
            "489434",
            "85048",
            "15CM CHRISTMAS GLASS BALL 20 LIGHTS",
            12,
            MORNING,
            Decimal("6.95"),
            "13085",
            "United Kingdom",
        )
        assert expected == found

    def test_the_other_header_and_its_dates_say_the_same(self, tmp_path: Path) -> None:
        """`InvoiceNo … UnitPrice, CustomerID` with month-first dates reads as the same line."""
        row = (*CHRISTMAS[:4], "12/1/09 7:45", "6.95", "13085", "United Kingdom")
        first = only(write_csv(tmp_path / "first.csv", [CHRISTMAS]))
        second = only(write_csv(tmp_path / "second.csv", [row], OTHER_HEADER))

        assert first == second

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2010-12-09 20:01:00", datetime(2010, 12, 9, 20, 1, tzinfo=UTC)),
            ("2010-12-09T20:01", datetime(2010, 12, 9, 20, 1, tzinfo=UTC)),
            ("12/1/10 8:26", datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
            ("1/13/2011 15:07", datetime(2011, 1, 13, 15, 7, tzinfo=UTC)),
            ("1/13/2011 15:07:09", datetime(2011, 1, 13, 15, 7, 9, tzinfo=UTC)),
        ],
    )
    def test_each_form_of_a_date_is_a_moment(self, tmp_path: Path, text: str, moment: datetime) -> None:
        """Both published forms, and their near relatives, are read as UTC; the month comes first where there are slashes."""
        found = only(write_csv(tmp_path / "year.csv", [(*CHRISTMAS[:4], text, *CHRISTMAS[5:])]))

        assert isinstance(found, SourceLine)
        assert moment == found.invoiced_at

    @pytest.mark.parametrize("missing", ["", "nan", "NaN"])
    def test_a_guest_has_no_customer(self, tmp_path: Path, missing: str) -> None:
        """An empty customer is nobody, however the file writes it."""
        found = only(write_csv(tmp_path / "year.csv", [(*CHRISTMAS[:6], missing, CHRISTMAS[7])]))

        assert isinstance(found, SourceLine)
        assert found.customer is None


class TestFiles:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
    def test_the_pound_sign_survives_every_encoding(self, tmp_path: Path, encoding: str) -> None:
        """The encodings that spreadsheets write are told apart by the bytes."""
        voucher = ("536544", "gift_0001_20", "Gift Voucher £20.00", *CHRISTMAS[3:])
        found = only(write_csv(tmp_path / "year.csv", [voucher], encoding=encoding))

        assert isinstance(found, SourceLine)
        assert found.description == "Gift Voucher £20.00"

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_other_separators_are_understood(self, tmp_path: Path, delimiter: str) -> None:
        """Semicolons and tabs separate as well as commas."""
        found = only(write_csv(tmp_path / "year.csv", [CHRISTMAS], delimiter=delimiter))

        assert isinstance(found, SourceLine)
        assert found.stock_code == "85048"

    def test_parquet_says_what_csv_says(self, tmp_path: Path) -> None:
        """The published parquet form, floats and text dates, reads as the CSV does: 6.95 is 6.95, 13085.0 is 13085."""
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = [
            ["489434"],
            ["85048"],
            [CHRISTMAS[2]],
            [12],
            ["2009-12-01 07:45:00"],
            [6.95],
            [13085.0],
            ["United Kingdom"],
        ]
        pq.write_table(pa.table(dict(zip(HEADER, columns, strict=True))), tmp_path / "year.parquet")

        assert only(write_csv(tmp_path / "year.csv", [CHRISTMAS])) == only(tmp_path / "year.parquet")

    @pytest.mark.parametrize("unit", ["s", "us", "ns"])
    def test_parquet_may_hold_real_times_and_small_floats(self, tmp_path: Path, unit: str) -> None:
        """Timestamps of any precision are moments, and a 32-bit 6.95 is not 6.949999809."""
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = [
            pa.array([489434]),
            pa.array(["85048"]),
            pa.array([None], pa.string()),
            pa.array([12], pa.int32()),
            pa.array([datetime(2009, 12, 1, 7, 45)], pa.timestamp(unit)),  # noqa: DTZ001  (the file's column has no zone)
            pa.array([6.95], pa.float32()),
            pa.array([None], pa.float64()),
            pa.array(["EIRE"]),
        ]
        pq.write_table(pa.table(dict(zip(OTHER_HEADER, columns, strict=True))), tmp_path / "year.parquet")

        assert only(tmp_path / "year.parquet") == SourceLine(
            1, "489434", "85048", "", 12, MORNING, Decimal("6.95"), None, "EIRE"
        )

    def test_a_parquet_date_is_its_midnight(self, tmp_path: Path) -> None:
        """A column of plain days is read as the first moment of each."""
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = [["489434"], ["85048"], ["LIGHTS"], [12], [date(2009, 12, 1)], [6.95], [13085.0], ["EIRE"]]
        pq.write_table(pa.table(dict(zip(HEADER, columns, strict=True))), tmp_path / "year.parquet")
        found = only(tmp_path / "year.parquet")

        assert isinstance(found, SourceLine)
        assert found.invoiced_at == datetime(2009, 12, 1, tzinfo=UTC)

    def test_blank_rows_are_no_rows(self, tmp_path: Path) -> None:
        """Empty lines at the end of a file are not counted and not refused."""
        path = write_csv(tmp_path / "year.csv", [CHRISTMAS])
        path.write_text(path.read_text() + "\n,,,,,,,\n\n")
        book = load(path)

        assert (book.line_count, book.refused) == (1, [])


class TestRefusedRows:
    @pytest.mark.parametrize(
        ("column", "text", "reason"),
        [
            (0, "", "missing_invoice"),
            (1, " ", "missing_stock_code"),
            (3, "twelve", "bad_quantity"),
            (3, "1.5", "bad_quantity"),
            (3, "99999999999", "bad_quantity"),
            (4, "yesterday", "bad_date"),
            (4, "2009-02-30 07:45:00", "bad_date"),
            (4, "31/12/2009 08:00", "bad_date"),
            (5, "6,95", "bad_price"),
            (5, "NaN", "bad_price"),
            (5, "Infinity", "bad_price"),
            (5, "1e30", "bad_price"),
        ],
    )
    def test_a_bad_field_refuses_its_row_alone(self, tmp_path: Path, column: int, text: str, reason: str) -> None:
        """The row is refused with its number and the reason, and the rows around it are read."""
        bad = [*CHRISTMAS]
        bad[column] = text
        book = load(write_csv(tmp_path / "year.csv", [CHRISTMAS, bad, CHRISTMAS]))

        assert [(row.row, row.reason) for row in book.refused] == [(2, reason)]
        assert book.line_count == 3
        assert [line.row for line in book.lines()] == [1, 3]

    def test_a_refused_row_keeps_its_value_where_it_can_be_read(self, tmp_path: Path) -> None:
        """A row without a date still has a quantity and a price, and so belongs to the file's sums."""
        found = only(write_csv(tmp_path / "year.csv", [(*CHRISTMAS[:4], "?", *CHRISTMAS[5:])]))

        assert isinstance(found, RefusedRow)
        assert (found.value, found.bucket) == (Decimal("83.40"), Bucket.SALES)

    @pytest.mark.parametrize(
        ("row", "reason"), [(CHRISTMAS[:5], "too_few_fields"), ((*CHRISTMAS, "more"), "too_many_fields")]
    )
    def test_a_row_of_another_width_is_refused(self, tmp_path: Path, row: tuple[str, ...], reason: str) -> None:
        """A row that was cut off, or has an unquoted comma, is not guessed at."""
        found = only(write_csv(tmp_path / "year.csv", [row]))

        assert isinstance(found, RefusedRow)
        assert found.reason == reason


class TestWrongFiles:
    def test_a_missing_file_is_said_to_be_missing(self, tmp_path: Path) -> None:
        """The error has its code and the path."""
        with pytest.raises(Misconfigured, match="cannot be opened") as caught:
            load(tmp_path / "nowhere.csv")

        assert caught.value.code == "file_missing"

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        """A directory is named as such."""
        with pytest.raises(Misconfigured, match="is a directory"):
            load(tmp_path)

    def test_missing_columns_are_named(self, tmp_path: Path) -> None:
        """The error says which columns lack, what stands there instead, and which headers are known."""
        path = write_csv(
            tmp_path / "year.csv", [], ("Invoice", "StockCode", "Description", "Qty", "InvoiceDate", "Price", "Country")
        )
        with pytest.raises(Misconfigured, match="Quantity, Customer ID") as caught:
            load(path)

        assert caught.value.code == "wrong_columns"
        assert caught.value.facts == {"missing": ["Quantity", "Customer ID"]}
        assert "UnitPrice" in caught.value.remedy

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"PK\x03\x04rest", "workbook"),
            (b"\x1f\x8b\x08rest", "gzip"),
            (b"", "lacks the columns"),
            (b"\x00\x01\x02", "lacks the columns"),
        ],
    )
    def test_files_of_another_kind_are_recognized(self, tmp_path: Path, content: bytes, words: str) -> None:
        """A workbook, an archive, an empty file and binary rubbish each get a clear answer."""
        path = tmp_path / "year.csv"
        path.write_bytes(content)
        with pytest.raises(Misconfigured, match=words):
            load(path)

    def test_text_with_the_ending_of_parquet_is_no_parquet(self, tmp_path: Path) -> None:
        """The bytes decide, and the error says so."""
        path = write_csv(tmp_path / "year.parquet", [CHRISTMAS])
        with pytest.raises(Misconfigured, match="no parquet file"):
            load(path)

    def test_a_broken_parquet_file_is_an_error_not_a_crash(self, tmp_path: Path) -> None:
        """A file that begins like parquet and ends in rubbish cannot be read."""
        pytest.importorskip("pyarrow")
        path = tmp_path / "year.parquet"
        path.write_bytes(b"PAR1" + b"\x07" * 64)
        with pytest.raises(Misconfigured, match="cannot be read"):
            load(path)

    def test_a_missing_driver_names_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without pyarrow, parquet is refused with the command that installs it."""
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        path = tmp_path / "year.parquet"
        path.write_bytes(b"PAR1")
        with pytest.raises(Misconfigured) as caught:
            load(path)

        assert caught.value.code == "missing_driver"
        assert "pip install 'orderkit[replay]'" in caught.value.remedy


def test_progress_ends_with_the_number_of_rows(tmp_path: Path) -> None:
    """Whoever shows progress learns the last number."""
    told: list[int] = []
    load(write_csv(tmp_path / "year.csv", [CHRISTMAS] * 3), told.append)

    assert told == [3]
