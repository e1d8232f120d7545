from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from orderkit.replay.dispositions import Disposition, Meaning, Reason
from orderkit.replay.planning import Cause, CreditPlan, Planner, SalePlan, plan_sale
from orderkit.replay.source import SourceInvoice, SourceLine
from tests.unit.replay.slices import book_of, invoice_of, line


def planned(*lines: SourceLine) -> list[SalePlan | CreditPlan]:
    """Plan all invoices of a file in order of time."""
    planner = Planner()
    return [planner.plan(invoice) for invoice in book_of(*lines).invoices()]


def credit(*lines: SourceLine) -> CreditPlan:
    """Plan a file that ends with a credit note, and return the plan of that."""
    last = planned(*lines)[-1]
    assert isinstance(last, CreditPlan)
    return last


def refunds(plan: CreditPlan) -> dict[str, int]:
    """Return what each order gives back, goods and goodwill together."""
    total: dict[str, int] = {}
    for returned in plan.returns:
        total[returned.order] = total.get(returned.order, 0) + returned.refund_minor
    for given_back in plan.goodwill:
        total[given_back.order] = total.get(given_back.order, 0) + given_back.amount_minor
    return total


class TestSales:
    def test_an_invoice_becomes_an_order_with_postage(self) -> None:
        """Goods are lines in the order of the file, postage is a charge, and the total is the invoice's."""
        (order,) = plan_sale(
            invoice_of(
                line("489434", "85048", 12, "6.95"),
                line("489434", "79323P", 12, "6.75"),
                line("489434", "POST", 2, "18.00"),
            )
        ).orders

        assert [(one.number, one.sku, one.quantity, one.unit_price_minor) for one in order.lines] == [
            (1, "85048", 12, 695),
            (2, "79323P", 12, 675),
        ]
        assert (order.shipping_minor, order.total_minor) == (3600, 20040)
        assert (order.reference, order.key, order.customer) == ("489434", "replay:order:489434", "13085")

    def test_a_guest_is_named_after_the_invoice(self) -> None:
        """Nobody else can be taken for that guest."""
        (order,) = plan_sale(invoice_of(line("536365", "85123A", 6, "2.55", customer=None))).orders

        assert order.customer == "guest-536365"

    def test_the_same_sku_twice_stays_two_lines(self) -> None:
        """The invoice says it in two lines, and so does the order."""
        (order,) = plan_sale(invoice_of(line("1", "85048", 2, "6.95"), line("1", "85048", 1, "6.95"))).orders

        assert [(one.number, one.quantity) for one in order.lines] == [(1, 2), (2, 1)]

    def test_a_gift_beside_paid_goods_is_a_line_at_price_zero(self) -> None:
        """It is shipped like the rest."""
        (order,) = plan_sale(invoice_of(line("1", "85048", 2, "6.95"), line("1", "22423", 1, "0"))).orders

        assert [one.unit_price_minor for one in order.lines] == [695, 0]

    def test_a_price_below_a_penny_is_rounded_and_the_rest_is_named(self) -> None:
        """Pads at 0.001 are free on the order; the tenth of a penny stands under its reason."""
        plan = plan_sale(invoice_of(line("1", "85048", 1, "6.95"), line("1", "PADS", 1, "0.001")))
        _, pads = plan.dispositions

        assert plan.orders[0].total_minor == 695
        assert (pads.meaning, pads.accounted) == (Meaning.ORDER_LINE, ((Reason.SUB_PENNY_ROUNDING, Decimal("0.001")),))

    def test_a_rounded_price_keeps_the_exact_difference(self) -> None:
        """1,000 units at 0.375 are 380.00 on the order, 5.00 more than the file says."""
        plan = plan_sale(invoice_of(line("1", "85048", 1000, "0.375")))

        assert plan.orders[0].total_minor == 38000
        assert plan.dispositions[0].accounted == ((Reason.SUB_PENNY_ROUNDING, Decimal("-5.000")),)

    def test_postage_alone_is_no_order(self) -> None:
        """There is nothing to ship."""
        plan = plan_sale(invoice_of(line("1", "POST", 1, "18.00")))

        assert plan.orders == ()
        assert plan.dispositions[0].reason is Reason.POSTAGE_WITHOUT_GOODS

    def test_a_free_invoice_without_a_customer_is_stock_that_was_found(self) -> None:
        """It adds units to the shelf and no order to the books."""
        plan = plan_sale(invoice_of(line("1", "85048", 30, "0", customer=None)))

        assert plan.orders == ()
        assert [(one.sku, one.quantity) for one in plan.corrections] == [("85048", 30)]
        assert plan.dispositions[0].reason is Reason.STOCK_FOUND

    def test_a_free_invoice_with_a_customer_is_given_away(self) -> None:
        """Nothing is paid, so nothing is ordered."""
        plan = plan_sale(invoice_of(line("1", "85048", 1, "0")))

        assert (plan.orders, plan.corrections) == ((), ())
        assert plan.dispositions[0].reason is Reason.FREE_OF_CHARGE_INVOICE

    def test_an_invoice_of_nothing_but_tenths_of_pennies_is_rounding(self) -> None:
        """0.001 cannot be paid, and is not lost either."""
        plan = plan_sale(invoice_of(line("1", "PADS", 1, "0.001")))

        assert plan.orders == ()
        assert plan.dispositions[0].accounted == ((Reason.SUB_PENNY_ROUNDING, Decimal("0.001")),)

    def test_a_write_off_takes_units_from_stock(self) -> None:
        """A negative quantity without price or credit note is a correction of stock with a key of its own."""
        plan = plan_sale(invoice_of(line("489464", "21733", -96, "0", customer=None)))

        assert [(one.key, one.quantity) for one in plan.corrections] == [("replay:stock:489464:1", -96)]

    def test_an_invoice_above_the_limit_becomes_several_orders(self) -> None:
        """1,001 lines are an order of 1,000 and one of 1; postage goes on the first, and each has its own key."""
        lines = [line("1", f"{10_000 + n}", 1, "1.00") for n in range(1001)]
        first, second = plan_sale(invoice_of(*lines, line("1", "POST", 1, "5.00"))).orders

        assert (len(first.lines), first.shipping_minor, first.key) == (1000, 500, "replay:order:1")
        assert (len(second.lines), second.shipping_minor, second.key) == (1, 0, "replay:order:1/2")
        assert second.lines[0].number == 1


class TestCredits:
    def test_goods_come_back_to_the_order_they_came_from(self) -> None:
        """Two of twelve units are returned on their line, at the price paid."""
        plan = credit(line("489434", "85048", 12, "6.95"), line("C489449", "85048", -2, "6.95", at="2010-03-09 10:00"))
        (returned,) = plan.returns

        assert (returned.order, returned.key) == ("489434", "replay:return:C489449:489434")
        assert [(units.line, units.quantity, units.paid_minor, units.refund_minor) for units in returned.units] == [
            (1, 2, 1390, 1390)
        ]
        assert plan.dispositions[0].meaning is Meaning.RETURN_LINE
        assert plan.dispositions[0].matched == Decimal("-13.90")

    def test_a_credit_may_come_from_several_orders(self) -> None:
        """Most recent first; one return for each order."""
        plan = credit(
            line("1", "85048", 5, "6.95", at="2010-03-01 09:00"),
            line("2", "85048", 5, "6.95", at="2010-03-02 09:00"),
            line("C3", "85048", -8, "6.95", at="2010-03-03 09:00"),
        )

        assert {found.order: found.refund_minor for found in plan.returns} == {"2": 3475, "1": 2085}

    def test_a_lower_credit_keeps_a_deduction(self) -> None:
        """The credit note credits 5.00 of the 6.95 paid; the shop keeps 1.95."""
        plan = credit(line("1", "85048", 5, "6.95"), line("C2", "85048", -1, "5.00"))

        assert (plan.returns[0].refund_minor, plan.returns[0].deduction_minor) == (500, 195)

    def test_a_higher_credit_adds_goodwill(self) -> None:
        """The credit note credits 8.00 where 6.95 was paid; the order has the money, so 1.05 is goodwill on it."""
        plan = credit(line("1", "85048", 5, "6.95"), line("C2", "85048", -1, "8.00"))

        assert plan.returns[0].refund_minor == 695
        assert [(one.order, one.cause, one.amount_minor) for one in plan.goodwill] == [
            ("1", Cause.PRICE_DIFFERENCE, 105)
        ]
        assert plan.dispositions[0].carried == Decimal("-8.00")

    def test_no_refund_exceeds_what_was_paid(self) -> None:
        """An order of 6.95 gives back 6.95, whatever the credit note says; the rest has a name."""
        plan = credit(line("1", "85048", 1, "6.95"), line("C2", "85048", -1, "100.00"))

        assert refunds(plan) == {"1": 695}
        assert plan.dispositions[0].accounted == ((Reason.CREDIT_ABOVE_PAYMENTS, Decimal("-93.05")),)

    def test_more_units_than_were_bought_are_goodwill(self) -> None:
        """Three units come back, two more are credited on the customer's latest order."""
        plan = credit(
            line("1", "85048", 3, "6.95", at="2010-03-01 09:00"),
            line("2", "22423", 9, "12.75", at="2010-03-02 09:00"),
            line("C3", "85048", -5, "6.95", at="2010-03-03 09:00"),
        )

        assert plan.dispositions[0].meaning is Meaning.RETURN_AND_GOODWILL
        assert plan.dispositions[0].matched == Decimal("-20.85")
        assert plan.returns[0].refund_minor == 2085
        assert [(one.order, one.cause, one.amount_minor) for one in plan.goodwill] == [
            ("2", Cause.UNMATCHED_GOODS, 1390)
        ]

    def test_postage_comes_back_on_the_order_of_the_goods(self) -> None:
        """Though a later order exists, and though the postage stands first on the credit note."""
        plan = credit(
            line("1", "85048", 3, "6.95", at="2010-03-01 09:00"),
            line("2", "22423", 9, "12.75", at="2010-03-02 09:00"),
            line("C3", "POST", -1, "3.00", at="2010-03-03 09:00"),
            line("C3", "85048", -1, "6.95", at="2010-03-03 09:00"),
        )

        assert [(one.order, one.cause, one.amount_minor) for one in plan.goodwill] == [("1", Cause.POSTAGE, 300)]
        assert [found.meaning for found in plan.dispositions] == [Meaning.GOODWILL_REFUND, Meaning.RETURN_LINE]

    def test_a_discount_is_goodwill_on_the_latest_order(self) -> None:
        """A discount given after the sale is money back without goods."""
        plan = credit(line("1", "85048", 3, "6.95"), line("C2", "D", -1, "4.17"))

        assert [(one.order, one.cause, one.amount_minor) for one in plan.goodwill] == [("1", Cause.DISCOUNT, 417)]

    def test_a_guest_cannot_be_refunded(self) -> None:
        """The credit is refused by name, and keeps its value in the books."""
        plan = credit(line("1", "85048", 3, "6.95", customer=None), line("C2", "85048", -1, "6.95", customer=None))

        assert (plan.returns, plan.goodwill) == ((), ())
        assert plan.dispositions[0].meaning is Meaning.REFUSED
        assert plan.dispositions[0].accounted == ((Reason.CREDIT_WITHOUT_CUSTOMER, Decimal("-6.95")),)

    def test_a_credit_for_a_sale_before_the_file_is_refused(self) -> None:
        """A customer without an order has nothing that could be refunded."""
        plan = credit(line("C1", "85048", -1, "6.95"))

        assert plan.dispositions[0].reason is Reason.CREDIT_WITHOUT_ORDER

    def test_a_credit_before_the_sale_does_not_match_it(self) -> None:
        """Only what was bought can come back."""
        plans = planned(
            line("C1", "85048", -1, "6.95", at="2010-03-01 09:00"), line("2", "85048", 3, "6.95", at="2010-03-02 09:00")
        )

        assert isinstance(plans[0], CreditPlan)
        assert plans[0].returns == ()

    def test_two_credit_lines_of_one_sku_make_one_return(self) -> None:
        """Units of the same order line are gathered, so a return names each line once."""
        plan = credit(line("1", "85048", 9, "6.95"), line("C2", "85048", -2, "6.95"), line("C2", "85048", -3, "6.95"))

        assert [(units.line, units.quantity, units.refund_minor) for units in plan.returns[0].units] == [(1, 5, 3475)]


# ---- laws

codes = st.sampled_from(["85048", "22423", "POST", "D", "M", "PADS", "gift_0001_20", "S"])
prices = st.sampled_from(["0", "0.001", "0.375", "1.25", "6.95", "8.00", "-2.50"])
somebody = st.sampled_from(["13085", "13086", None])


@st.composite
def files(draw: st.DrawFn) -> list[SourceInvoice]:
    """Draw the invoices of a small dirty file, in order of time."""
    lines: list[SourceLine] = []
    for number in range(draw(st.integers(1, 8))):
        letter = draw(st.sampled_from(["", "", "C", "C", "A"]))
        customer = draw(somebody)
        for _ in range(draw(st.integers(1, 4))):
            quantity = draw(st.integers(-6, 6))
            lines.append(
                line(
                    f"{letter}{number}",
                    draw(codes),
                    quantity,
                    draw(prices),
                    customer=customer,
                    at=f"2010-03-01 09:{number:02}",
                )
            )
    return list(book_of(*lines).invoices())


@given(files())
def test_every_line_keeps_its_value(invoices: list[SourceInvoice]) -> None:
    """What is carried and what is accounted for add up to the line, exactly, for whatever a file may hold."""
    planner = Planner()
    dispositions: list[Disposition] = [found for invoice in invoices for found in planner.plan(invoice).dispositions]

    assert [found for found in dispositions if not found.balances()] == []
    assert len(dispositions) == sum(len(invoice.lines) for invoice in invoices)


@given(files())
def test_orders_and_refunds_are_what_the_lines_carry(invoices: list[SourceInvoice]) -> None:
    """The totals of the orders less the refunds equal the sum of what the lines carry, and no order gives back more than it got."""
    planner = Planner()
    carried, totals, given_back = Decimal(0), dict[str, int](), dict[str, int]()
    for invoice in invoices:
        plan = planner.plan(invoice)
        carried += sum((found.carried for found in plan.dispositions), Decimal(0))
        if isinstance(plan, SalePlan):
            totals |= {order.reference: order.total_minor for order in plan.orders}
        else:
            for order, amount in refunds(plan).items():
                given_back[order] = given_back.get(order, 0) + amount

    assert carried * 100 == sum(totals.values()) - sum(given_back.values())
    assert all(amount <= totals[order] for order, amount in given_back.items())


@given(files())
def test_the_same_file_gives_the_same_plans(invoices: list[SourceInvoice]) -> None:
    """A replay that was killed plans again what it had planned."""
    first, second = Planner(), Planner()

    assert [first.plan(invoice) for invoice in invoices] == [second.plan(invoice) for invoice in invoices]
