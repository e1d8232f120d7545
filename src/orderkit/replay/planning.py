"""Turns invoices into what a shop would do: place an order, take goods back, refund, correct stock; and says so for every line.

The planner is fed every invoice once, in order of time, and remembers what each customer bought and paid. It asks no store and no clock,
so the same file always gives the same plans with the same keys; that is what lets a killed replay start again. It places nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from orderkit.replay.dispositions import (
    Disposition,
    Meaning,
    Nature,
    Reason,
    meaning_of,
    money_of,
    nature_of,
    rounded,
    rounded_minor,
)
from orderkit.replay.matching import MatchedUnits, OrderFunds, PurchaseBook
from orderkit.replay.plans import (
    CURRENCY,
    Cause,
    CreditPlan,
    PlannedGoodwill,
    PlannedLine,
    PlannedOrder,
    PlannedReturn,
    ReturnedUnits,
    SalePlan,
    StockCorrection,
)
from orderkit.replay.source import EXACT, SourceInvoice, SourceLine

__all__ = [
    "CURRENCY",
    "Cause",
    "CreditPlan",
    "PlannedGoodwill",
    "PlannedLine",
    "PlannedOrder",
    "PlannedReturn",
    "Planner",
    "ReturnedUnits",
    "SalePlan",
    "StockCorrection",
    "plan_sale",
]

LINES_MAX = 1_000  # the library's limit for one order; a longer invoice becomes several orders, each a part of it


class Planner:
    """Plans one invoice after the other. Feed it every invoice once, in order of time."""

    def __init__(self) -> None:
        self._purchases = PurchaseBook()
        self._funds = OrderFunds()

    def plan(self, invoice: SourceInvoice) -> SalePlan | CreditPlan:
        """Return what the invoice becomes, and remember it for the credits that follow."""
        if invoice.is_credit:
            return _Credit(invoice, self._purchases, self._funds).plan()
        plan = plan_sale(invoice)
        if invoice.customer is not None:
            for order in plan.orders:
                self._remember(invoice.customer, order)
        return plan

    def _remember(self, customer: str, order: PlannedOrder) -> None:
        self._funds.pay(customer=customer, order=order.reference, amount_minor=order.total_minor)
        for line in order.lines:
            self._purchases.buy(
                customer=customer,
                sku=line.sku,
                order=order.reference,
                line=line.number,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
            )


# ---- sales


def plan_sale(invoice: SourceInvoice) -> SalePlan:
    """Return what an invoice that is no credit note becomes. It needs no memory: a sale depends on its own lines only."""
    natures = [nature_of(line.stock_code) for line in invoice.lines]
    asked = [meaning_of(line, nature) for line, nature in zip(invoice.lines, natures, strict=True)]
    goods = [line for line, meaning in zip(invoice.lines, asked, strict=True) if meaning is Meaning.ORDER_LINE]
    shipping = sum(
        rounded_minor(line.value)
        for line, meaning in zip(invoice.lines, asked, strict=True)
        if meaning is Meaning.ORDER_CHARGE
    )
    orders, free = _orders_of(invoice, goods, shipping)
    dispositions = tuple(
        _sold(invoice, line, nature, meaning, free_rows=free, has_order=bool(orders))
        for line, nature, meaning in zip(invoice.lines, natures, asked, strict=True)
    )
    return SalePlan(
        invoice=invoice.number,
        at=invoice.invoiced_at,
        orders=orders,
        corrections=tuple(_corrections(dispositions)),
        dispositions=dispositions,
    )


def _orders_of(
    invoice: SourceInvoice, goods: Sequence[SourceLine], shipping_minor: int
) -> tuple[tuple[PlannedOrder, ...], frozenset[int]]:
    """Return the orders, and the rows of goods that are in none because everything beside them is free as well."""
    orders: list[PlannedOrder] = []
    free: set[int] = set()
    for start in range(0, len(goods), LINES_MAX):
        part = goods[start : start + LINES_MAX]
        order = PlannedOrder(
            reference=invoice.number if start == 0 else f"{invoice.number}/{start // LINES_MAX + 1}",
            placed_at=invoice.invoiced_at,
            customer=invoice.customer or f"guest-{invoice.number}",
            country=invoice.country,
            lines=tuple(
                PlannedLine(
                    number,
                    line.stock_code,
                    line.description or line.stock_code,
                    line.quantity,
                    rounded_minor(line.price),
                )
                for number, line in enumerate(part, start=1)
            ),
            shipping_minor=shipping_minor if start == 0 else 0,
            product_value=money_of(
                sum(
                    rounded_minor(line.price) * line.quantity
                    for line in part
                    if nature_of(line.stock_code) is Nature.PRODUCT
                )
            ),
        )
        if order.total_minor > 0:
            orders.append(order)
        else:
            free.update(line.row for line in part)
    return tuple(orders), frozenset(free)


def _sold(
    invoice: SourceInvoice,
    line: SourceLine,
    nature: Nature,
    asked: Meaning | Reason,
    *,
    free_rows: frozenset[int],
    has_order: bool,
) -> Disposition:
    if isinstance(asked, Reason):
        meaning = (
            Meaning.STOCK_CORRECTION
            if asked is Reason.STOCK_WRITE_OFF and nature is Nature.PRODUCT
            else Meaning.ACCOUNTED
        )
        return Disposition(line, nature, meaning, accounted=((asked, line.value),))
    if asked is Meaning.ORDER_CHARGE and not has_order:
        return Disposition(line, nature, Meaning.ACCOUNTED, accounted=((Reason.POSTAGE_WITHOUT_GOODS, line.value),))
    if line.row in free_rows:
        return _free(invoice, line, nature)
    if line.price == rounded(line.price):  # nearly every line: nothing to round, so its value is carried as it is
        return Disposition(line, nature, asked, carried=line.value)
    minor = rounded_minor(line.value) if asked is Meaning.ORDER_CHARGE else rounded_minor(line.price) * line.quantity
    carried = money_of(minor)
    return Disposition(line, nature, asked, carried=carried, accounted=_rest(EXACT.subtract(line.value, carried)))


def _free(invoice: SourceInvoice, line: SourceLine, nature: Nature) -> Disposition:
    if line.value != 0:
        return Disposition(line, nature, Meaning.ACCOUNTED, accounted=((Reason.SUB_PENNY_ROUNDING, line.value),))
    if invoice.customer is not None:
        return Disposition(line, nature, Meaning.ACCOUNTED, accounted=((Reason.FREE_OF_CHARGE_INVOICE, line.value),))
    return Disposition(line, nature, Meaning.STOCK_CORRECTION, accounted=((Reason.STOCK_FOUND, line.value),))


def _rest(difference: Decimal) -> tuple[tuple[Reason, Decimal], ...]:
    return ((Reason.SUB_PENNY_ROUNDING, difference),) if difference else ()


def _corrections(dispositions: Sequence[Disposition]) -> Iterator[StockCorrection]:
    for found in dispositions:
        if found.meaning is Meaning.STOCK_CORRECTION:
            line = found.line
            yield StockCorrection(
                key=f"replay:stock:{line.invoice}:{line.row}", sku=line.stock_code, quantity=line.quantity
            )


# ---- credit notes


@attrs.define
class _Returned:
    """Strictly private: units of one order line, gathered while the lines of one credit note are read."""

    sku: str
    quantity: int = 0
    paid_minor: int = 0
    refund_minor: int = 0
    matched: Decimal = Decimal(0)


class _Credit:
    """Plans one credit note. Goods go first, so that postage and discounts fall on the orders that the goods came from."""

    def __init__(self, invoice: SourceInvoice, purchases: PurchaseBook, funds: OrderFunds) -> None:
        self._invoice = invoice
        self._purchases = purchases
        self._funds = funds
        self._returned: dict[str, dict[int, _Returned]] = {}
        self._goodwill: dict[tuple[str, Cause], int] = {}

    def plan(self) -> CreditPlan:
        natures = {line.row: nature_of(line.stock_code) for line in self._invoice.lines}
        asked = {line.row: meaning_of(line, natures[line.row]) for line in self._invoice.lines}
        found: dict[int, Disposition] = {}
        for line in sorted(self._invoice.lines, key=lambda line: asked[line.row] is not Meaning.RETURN_LINE):
            found[line.row] = self._read(line, natures[line.row], asked[line.row])
        return CreditPlan(
            invoice=self._invoice.number,
            at=self._invoice.invoiced_at,
            returns=tuple(self._planned_return(order, lines) for order, lines in self._returned.items()),
            goodwill=tuple(
                self._planned_goodwill(order, cause, amount) for (order, cause), amount in self._goodwill.items()
            ),
            dispositions=tuple(found[line.row] for line in self._invoice.lines),
        )

    def _read(self, line: SourceLine, nature: Nature, asked: Meaning | Reason) -> Disposition:
        if isinstance(asked, Reason):
            return Disposition(line, nature, Meaning.ACCOUNTED, accounted=((asked, line.value),))
        customer = self._invoice.customer
        if customer is None:
            return Disposition(line, nature, Meaning.REFUSED, accounted=((Reason.CREDIT_WITHOUT_CUSTOMER, line.value),))
        if asked is Meaning.RETURN_LINE:
            return self._take_back(line, nature, customer)
        cause = Cause.POSTAGE if nature is Nature.POSTAGE else Cause.DISCOUNT
        given = self._give(customer, rounded_minor(-line.value), cause)
        return self._disposed(line, nature, customer, given_minor=given, units=0)

    def _take_back(self, line: SourceLine, nature: Nature, customer: str) -> Disposition:
        """Take the goods back where they came from; refund there what was credited, elsewhere what that order no longer holds."""
        wanted = -line.quantity
        credited_each = rounded_minor(line.price)
        given = units = short = 0
        for match in self._purchases.take_back(customer=customer, sku=line.stock_code, quantity=wanted):
            credited = match.quantity * credited_each
            taken = self._refund(match, line, nature, credited)
            given, units, short = given + taken, units + match.quantity, short + credited - taken
        if short:
            given += self._give(customer, short, Cause.PRICE_DIFFERENCE)
        if units < wanted:
            given += self._give(customer, (wanted - units) * credited_each, Cause.UNMATCHED_GOODS)
        return self._disposed(line, nature, customer, given_minor=given, units=units)

    def _refund(self, match: MatchedUnits, line: SourceLine, nature: Nature, credited_minor: int) -> int:
        taken = self._funds.take(match.order, credited_minor)
        paid = match.quantity * match.unit_price_minor
        row = self._returned.setdefault(match.order, {}).setdefault(match.line, _Returned(line.stock_code))
        row.quantity += match.quantity
        row.paid_minor += paid
        row.refund_minor += min(taken, paid)
        if nature is Nature.PRODUCT:
            row.matched = EXACT.subtract(row.matched, EXACT.multiply(line.price, match.quantity))
        if taken > paid:
            self._add_goodwill(match.order, Cause.PRICE_DIFFERENCE, taken - paid)
        return taken

    def _give(self, customer: str, amount_minor: int, cause: Cause) -> int:
        """Give money back without goods: on the orders of this credit note first, then on the customer's latest. Return how much."""
        given = 0
        for order in self._returned:
            taken = self._funds.take(order, amount_minor - given)
            if taken:
                self._add_goodwill(order, cause, taken)
                given += taken
        for order, taken in self._funds.take_from_latest(customer, amount_minor - given):
            self._add_goodwill(order, cause, taken)
            given += taken
        return given

    def _add_goodwill(self, order: str, cause: Cause, amount_minor: int) -> None:
        self._goodwill[order, cause] = self._goodwill.get((order, cause), 0) + amount_minor

    def _disposed(
        self, line: SourceLine, nature: Nature, customer: str, *, given_minor: int, units: int
    ) -> Disposition:
        """Say what became of a credit line: what was refunded, and under which reason the rest stands."""
        carried = -money_of(given_minor) if given_minor else Decimal(0)
        pennies = self._pennies(line, units_priced=nature not in (Nature.POSTAGE, Nature.DISCOUNT))
        accounted: list[tuple[Reason, Decimal]] = []
        if given_minor < pennies:
            reason = Reason.CREDIT_ABOVE_PAYMENTS if self._funds.knows(customer) else Reason.CREDIT_WITHOUT_ORDER
            accounted.append((reason, -money_of(pennies - given_minor)))
        accounted.extend(_rest(EXACT.add(line.value, money_of(pennies))))
        if units:
            meaning = Meaning.RETURN_LINE if units == -line.quantity else Meaning.RETURN_AND_GOODWILL
        else:
            meaning = Meaning.GOODWILL_REFUND if given_minor else Meaning.REFUSED
        matched = EXACT.multiply(line.price, -units) if units else Decimal(0)
        return Disposition(line, nature, meaning, carried=carried, accounted=tuple(accounted), matched=matched)

    def _pennies(self, line: SourceLine, *, units_priced: bool) -> int:
        return rounded_minor(line.price) * -line.quantity if units_priced else rounded_minor(-line.value)

    def _planned_return(self, order: str, lines: Mapping[int, _Returned]) -> PlannedReturn:
        return PlannedReturn(
            credit=self._invoice.number,
            order=order,
            credited_at=self._invoice.invoiced_at,
            matched_value=sum((row.matched for row in lines.values()), Decimal(0)),
            units=tuple(
                ReturnedUnits(
                    line=number,
                    sku=row.sku,
                    quantity=row.quantity,
                    paid_minor=row.paid_minor,
                    refund_minor=row.refund_minor,
                )
                for number, row in sorted(lines.items())
            ),
        )

    def _planned_goodwill(self, order: str, cause: Cause, amount_minor: int) -> PlannedGoodwill:
        return PlannedGoodwill(
            credit=self._invoice.number,
            order=order,
            credited_at=self._invoice.invoiced_at,
            cause=cause,
            amount_minor=amount_minor,
        )
