from __future__ import annotations

import json
import os
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderkit.errors import InvalidInput, Misconfigured
from orderkit.replay.dispositions import Reason
from orderkit.replay.planning import Planner, SalePlan
from orderkit.replay.reckoning import ReportBuilder, StoredOrder, StoredRefund
from orderkit.replay.render import check_writable, form_of, rendered, summarized
from orderkit.replay.render_json import decimal_text, render_json
from orderkit.replay.report import Check, Report
from orderkit.replay.source import Bucket, RefusedRow, SourceLine
from tests.unit.replay.slices import book_of, line

LINES = (
    line("489434", "85048", 12, "6.95", at="2009-12-01 07:45"),
    line("489434", "PADS", 1, "0.001", at="2009-12-01 07:45"),
    line("489434", "POST", 1, "18.00", at="2009-12-01 07:45"),
    line("489500", "22423", 2, "12.75", at="2009-12-02 08:00", customer=None, country="EIRE"),
    line("489501", "M", 1, "25.00", at="2009-12-02 08:00", customer=None),
    line("C489600", "85048", -2, "6.95", at="2010-01-05 10:00"),
    line("C489600", "POST", -1, "3.00", at="2010-01-05 10:00"),
    line("C489601", "85048", -1, "6.95", at="2010-01-05 11:00", customer=None),
    line("A506401", "B", 1, "-53594.36", at="2010-04-29 13:36", customer=None),
)
STORED = (
    StoredOrder(
        reference="489434",
        status="partially_returned",
        charged_minor=10140,
        refunds=(StoredRefund(credit="C489600", amount_minor=1390), StoredRefund(credit="C489600", amount_minor=300)),
        shipments=2,
        returned=True,
    ),
    StoredOrder(reference="489500", status="delivered", charged_minor=2550, shipments=1),
)
LAW = Check(name="quantities", law="Every line's units add up.", checked=2)


def builder_of(*lines: SourceLine) -> ReportBuilder:
    """Return a builder that has seen the plans of a file."""
    builder, planner = ReportBuilder(), Planner()
    for invoice in book_of(*lines).invoices():
        builder.plan(planner.plan(invoice))
    return builder


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_report_that_this_user_may_not_write_is_refused_before_the_work(tmp_path: Path) -> None:
    """Neither into a closed folder nor over a closed file; afterwards would be too late."""
    (tmp_path / "closed.html").touch(mode=0o444)
    (tmp_path / "closed").mkdir(mode=0o555)

    for path in (tmp_path / "closed.html", tmp_path / "closed" / "new.html"):
        with pytest.raises(Misconfigured, match="this user may not write there"):
            check_writable(path)


def report_of(*stored: StoredOrder, lines: tuple[SourceLine, ...] = LINES, check: Check = LAW) -> Report:
    """Return the report on a file and on what a store holds of it."""
    builder = builder_of(*lines)
    for order in stored:
        builder.stored(order)
    builder.check(check)
    return builder.report()


class TestReckoning:
    def test_the_file_is_explained_to_the_last_digit(self) -> None:
        """Sales, credits and the rest equal orders less refunds and what stands under reasons."""
        total = report_of(*STORED).total

        assert (total.file_sales, total.file_credits, total.file_other) == (
            Decimal("151.901"),
            Decimal("-23.85"),
            Decimal("-53594.36"),
        )
        assert (total.orders_total, total.refunds_total) == (Decimal("126.90"), Decimal("16.90"))
        assert total.accounted_otherwise == {
            Reason.BAD_DEBT_ADJUSTMENT: Decimal("-53594.36"),
            Reason.CREDIT_WITHOUT_CUSTOMER: Decimal("-6.95"),
            Reason.MANUAL_CHARGE: Decimal("25.00"),
            Reason.SUB_PENNY_ROUNDING: Decimal("0.001"),
        }
        assert total.unexplained == 0

    def test_every_month_and_country_is_explained_by_itself(self) -> None:
        """A refund belongs to the month of its credit note, whenever the money moved."""
        report = report_of(*STORED)

        assert [(part.month, part.orders, part.sums.refunds_total) for part in report.months] == [
            ("2009-12", 2, Decimal(0)),
            ("2010-01", 0, Decimal("16.90")),
            ("2010-04", 0, Decimal(0)),
        ]
        assert [part.country for part in report.countries] == ["EIRE", "United Kingdom"]
        assert [part.sums.unexplained for part in (*report.months, *report.countries, *report.cells)] == [0] * 9

    def test_orders_are_counted_as_stored(self) -> None:
        """Placed, split, shipments, returned and statuses come from the store."""
        orders = report_of(*STORED).orders

        assert (orders.placed, orders.split, orders.shipments, orders.returned) == (2, 1, 3, 1)
        assert orders.by_status == {"delivered": 1, "partially_returned": 1}

    def test_shares_are_of_product_lines_only(self) -> None:
        """Pads, postage and manual amounts are no product; of 20.85 credited, 13.90 found their order."""
        shares = report_of(*STORED).shares

        assert (shares.product_sales, shares.product_sales_ordered, shares.ordered) == (
            Decimal("108.90"),
            Decimal("108.90"),
            1,
        )
        assert (shares.product_credits, shares.product_credits_matched) == (Decimal("-20.85"), Decimal("-13.90"))
        assert shares.matched == Decimal("0.6666")

    def test_each_amount_that_is_not_in_an_order_is_listed(self) -> None:
        """Row, invoice, code and reason of every one, in order of time and file."""
        found = [(one.row, one.invoice, one.reason, one.amount) for one in report_of(*STORED).differences]

        assert found == [
            (2, "489434", "sub_penny_rounding", Decimal("0.001")),
            (5, "489501", "manual_charge", Decimal("25.00")),
            (8, "C489601", "credit_without_customer", Decimal("-6.95")),
            (9, "A506401", "bad_debt_adjustment", Decimal("-53594.36")),
        ]

    def test_an_order_that_the_store_lacks_is_unexplained(self) -> None:
        """The check is real: without the order, its total is missing, and the report says which."""
        report = report_of(STORED[0])

        assert report.total.unexplained == Decimal("25.50")
        assert [(one.invoice, one.reason) for one in report.unexpected] == [("489500", "order_missing")]
        assert not report.balanced

    def test_a_refund_of_another_amount_is_unexplained(self) -> None:
        """A penny too much in the store is a penny in the report."""
        wrong = (StoredRefund(credit="C489600", amount_minor=1691),)
        report = report_of(
            StoredOrder(reference="489434", status="delivered", charged_minor=10140, refunds=wrong), STORED[1]
        )

        assert report.total.unexplained == Decimal("0.01")
        assert [(one.invoice, one.reason) for one in report.unexpected] == [("C489600", "refund_differs")]

    def test_a_refund_that_never_came_is_unexplained(self) -> None:
        """Planned and not stored is named too."""
        report = report_of(StoredOrder(reference="489434", status="delivered", charged_minor=10140), STORED[1])

        assert [(one.invoice, one.reason, one.amount) for one in report.unexpected] == [
            ("C489600", "refund_missing", Decimal("16.90"))
        ]
        assert report.total.unexplained == Decimal("-16.90")

    def test_an_order_nobody_planned_is_unexplained(self) -> None:
        """What else lies in the store does not hide."""
        report = report_of(*STORED, StoredOrder(reference="999999", status="delivered", charged_minor=100))

        assert report.total.unexplained == Decimal("-1.00")
        assert [(one.invoice, one.reason) for one in report.unexpected] == [("999999", "order_differs")]

    def test_a_refund_of_an_order_nobody_planned_names_that_order(self) -> None:
        """A store that holds other orders too: each is named by its id, and its text is whole."""
        order = "01a1ddbc-f497-7d8f-bb00-9d67a5075c3d"
        refunds = (StoredRefund(credit="", amount_minor=100),)
        report = report_of(
            *STORED, StoredOrder(reference=order, status="delivered", charged_minor=100, refunds=refunds)
        )

        assert [(one.invoice, one.message) for one in report.unexpected] == [
            (order, "nobody planned this order"),
            (order, f"nobody planned this refund on order {order}"),
        ]
        assert f"nobody planned this refund on order {order}\n" in summarized(report)

    def test_a_refused_order_stands_under_its_reason(self) -> None:
        """An order that came to nothing is accounted for, and no longer counts as a sale that became an order."""
        builder, planner = ReportBuilder(), Planner()
        (invoice,) = book_of(LINES[3]).invoices()
        plan = planner.plan(invoice)
        assert isinstance(plan, SalePlan)
        builder.plan(plan)
        builder.order_refused(plan.orders[0], Reason.OUT_OF_STOCK, "out_of_stock")
        builder.stored(StoredOrder(reference="489500", status="cancelled", charged_minor=0))
        report = builder.report()

        assert (report.balanced, report.total.orders_total, report.shares.ordered) == (True, 0, 0)
        assert report.total.accounted_otherwise == {Reason.OUT_OF_STOCK: Decimal("25.50")}

    def test_a_refused_refund_stands_under_its_reason(self) -> None:
        """The credit is not matched any more, and the books still balance."""
        builder, planner = ReportBuilder(), Planner()
        plans = [planner.plan(invoice) for invoice in book_of(LINES[0], LINES[5]).invoices()]
        for plan in plans:
            builder.plan(plan)
        last = plans[-1]
        assert not isinstance(last, SalePlan)
        builder.refund_refused(last.returns[0], "return_window_closed")
        builder.stored(StoredOrder(reference="489434", status="delivered", charged_minor=8340))
        report = builder.report()

        assert (report.balanced, report.shares.matched) == (True, 0)
        assert report.total.accounted_otherwise == {Reason.REFUND_REFUSED: Decimal("-13.90")}

    def test_a_refused_row_with_a_value_is_in_the_sums(self) -> None:
        """The file's sums hold all that can be read; the row stands under its own reason and in the list."""
        builder = builder_of()
        row = RefusedRow(
            row=7, invoice="489434", reason="bad_date", message="no date", value=Decimal("83.40"), bucket=Bucket.SALES
        )
        builder.refuse_rows([row, RefusedRow(row=8, invoice="", reason="broken_row", message="no CSV")])
        report = builder.report()

        assert (report.lines, report.total.file_sales, report.total.unexplained) == (2, Decimal("83.40"), 0)
        assert report.total.accounted_otherwise == {Reason.UNREADABLE_ROW: Decimal("83.40")}
        assert [one.row for one in report.refused_rows] == [7, 8]

    def test_a_broken_law_unbalances_the_report(self) -> None:
        """Sums that agree are not enough."""
        broken = Check(
            name="log", law="The log is the order.", checked=2, findings=("489434: the log tells other lines",)
        )

        assert report_of(*STORED).balanced
        assert not report_of(*STORED, check=broken).balanced

    def test_the_order_of_reading_the_store_does_not_matter(self) -> None:
        """A store may give its orders back in any order: the same report, byte for byte."""
        assert render_json(report_of(*STORED)) == render_json(report_of(*reversed(STORED)))


class Page(HTMLParser):
    """Reads a page and notes what a reader without eyes, or without a network, would miss."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0
        self.described = 0
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":  # the one element of the page that is never closed
            self.open.append(tag)
        self.charts += tag == "svg"
        self.described += tag == "desc"
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


class TestForms:
    def test_json_holds_what_was_promised(self) -> None:
        """The top level has the reconciliation and the orders by their promised names; amounts are decimal strings."""
        document = json.loads(render_json(report_of(*STORED)))

        assert document["reconciliation"] == {
            "currency": "GBP",
            "lines": 9,
            "invoices": 6,
            "file_sales": "151.901",
            "file_credits": "-23.85",
            "file_other": "-53594.36",
            "orders_total": "126.90",
            "refunds_total": "16.90",
            "accounted_otherwise": {
                "bad_debt_adjustment": "-53594.36",
                "credit_without_customer": "-6.95",
                "manual_charge": "25.00",
                "sub_penny_rounding": "0.001",
            },
            "unexplained": "0.00",
        }
        assert document["orders"] == {
            "placed": 2,
            "split": 1,
            "shipments": 3,
            "returned": 1,
            "by_status": {"delivered": 1, "partially_returned": 1},
        }

    def test_text_holds_every_difference(self) -> None:
        """The whole text lists all of them; the summary for a terminal only what matters first."""
        report = report_of(*STORED)
        text, summary = rendered(report, Path("report.txt")), summarized(report)

        assert text.startswith(summary)
        assert "A506401" in text
        assert "A506401" not in summary
        assert "Balanced: nothing is unexplained." in summary

    def test_text_says_when_it_does_not_balance(self) -> None:
        """Nobody reads a sum that is wrong as right."""
        summary = summarized(report_of(STORED[0]))

        assert "NOT BALANCED" in summary
        assert "order_missing" in summary

    def test_the_page_stands_by_itself(self) -> None:
        """Every element is closed, every chart is described, and nothing is fetched from anywhere."""
        page = Page()
        html = rendered(report_of(*STORED), Path("report.html"))
        page.feed(html)

        assert (page.open, page.fetched) == ([], [])
        assert page.charts == page.described == 4
        assert "http" not in html
        assert "<script" not in html

    def test_the_page_escapes_what_the_file_says(self) -> None:
        """A description is text, whatever it holds."""
        rows = [RefusedRow(row=1, invoice="<b>", reason="bad_date", message="<script>alert(1)</script>")]
        builder = builder_of()
        builder.refuse_rows(rows)
        html = rendered(builder.report(), Path("report.html"))

        assert "<script>" not in html
        assert "&lt;script&gt;" in html

    @pytest.mark.parametrize("name", ["report.txt", "report.html", "report.json"])
    def test_a_year_without_business_has_a_report_too(self, name: str) -> None:
        """Nothing in, nothing unexplained."""
        report = report_of(lines=())

        assert report.balanced
        assert rendered(report, Path(name))

    def test_an_unknown_ending_is_refused_before_the_work(self) -> None:
        """Only the name is looked at; a wrong one is answered with the right ones."""
        assert form_of(Path("report.json")) == "json"
        with pytest.raises(InvalidInput, match=r"report\.pdf: a report ends in \.txt, \.html or \.json"):
            form_of(Path("report.pdf"))

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
    def test_amounts_lose_nothing_as_text(self, amount: Decimal) -> None:
        """An amount in JSON reads back as the same amount, with two decimals at least and never an exponent."""
        text = decimal_text(amount)

        assert Decimal(text) == amount
        assert "E" not in text
        assert len(text.partition(".")[2]) >= 2
