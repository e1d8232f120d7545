"""Prices as agreed: what the host offers, split over the lines once, at placement, and never computed again.

`freeze` takes the host's prices, discounts, tax and charges and returns `Prices`: for each line its gross, its share of
every discount, what is payable, the tax in that, and its share of shipping and fees, in whole minor units that add up
to the total exactly. The value of some units of a line is a difference of two cumulated values, so that any sequence of
cancellations and returns gives back what was paid: never a unit more or less.

A `LinePrice` never changes. More of the same later is a new line with a price of its own, and fewer units take their
frozen share of every discount with them: what was agreed for the other units stands. Nothing here computes a tax or
finds a discount; nothing knows of refund policies (see `refunds`) or currencies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orderkit.domain.money import MINOR_MAX, split, spoken
from orderkit.domain.value import Value
from orderkit.errors import InvalidInput

CHARGE_KINDS = ("shipping", "fee")


class Discount(Value):
    """So much off the order, or off the lines with the given numbers."""

    name: str
    amount_minor: int
    lines: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _whole(self.amount_minor, f"the discount {self.name!r}", "discounts")


class Charge(Value):
    """Something to pay beside the goods: `shipping` or a `fee`. Its tax is in the amount where prices include tax."""

    name: str
    amount_minor: int
    tax_minor: int = 0
    kind: str = "shipping"

    def __post_init__(self) -> None:
        if self.kind not in CHARGE_KINDS:
            raise InvalidInput(
                f"{self.kind!r} is no kind of charge; it is {' or '.join(CHARGE_KINDS)}", field="charges"
            )
        _whole(self.amount_minor, f"the charge {self.name!r}", "charges")
        _whole(self.tax_minor, f"the tax of the charge {self.name!r}", "charges")


class LineOffer(Value, kw_only=True):
    """What the host asks for a line. Discount and tax are for all its units; the tax is of the discounted price."""

    line: int
    sku: str
    quantity: int
    unit_price_minor: int
    discount_minor: int = 0
    tax_minor: int = 0

    def __post_init__(self) -> None:
        if type(self.quantity) is not int or self.quantity <= 0:
            raise InvalidInput(
                f"{self.quantity!r} of {self.sku} is no number of units", code="invalid_quantity", field="quantity"
            )
        _whole(self.unit_price_minor, f"the price of {self.sku}", "price")
        _whole(self.discount_minor, f"the discount of {self.sku}", "discount")
        _whole(self.tax_minor, f"the tax of {self.sku}", "tax")


class UnitsValue(Value, kw_only=True):
    """What some units of a line are worth, in minor units: gross - discount (+ tax on top) = payable = net + tax.

    Gross, payable, tax, shipping and fee are never below zero. Discount and net are differences of those:
    where the exact share is below one minor unit, they may come to -1.
    """

    units: int
    gross_minor: int
    discount_minor: int
    payable_minor: int
    tax_minor: int
    net_minor: int
    shipping_minor: int
    fee_minor: int


class LinePrice(Value, kw_only=True):
    """What was agreed for one line, in minor units for all of its units together.

    `payable_minor` is what the customer pays for the goods, tax included either way. `shares` names what the order's
    discounts take off this line; they are part of `discount_minor`.
    """

    line: int
    quantity: int
    gross_minor: int
    discount_minor: int
    payable_minor: int
    tax_minor: int
    shipping_minor: int = 0
    fee_minor: int = 0
    shares: tuple[tuple[str, int], ...] = ()

    @property
    def total_minor(self) -> int:
        """What the customer pays for the line with its share of shipping and fees."""
        return self.payable_minor + self.shipping_minor + self.fee_minor

    def value_of(self, already: int, units: int) -> UnitsValue:
        """Return what the next `units` are worth when the value of `already` units has been given back.

        Raises:
            InvalidInput: `invalid_quantity` when the line does not have so many units.
        """
        if already < 0 or units < 0 or already + units > self.quantity:
            raise InvalidInput(
                f"line {self.line} has {self.quantity} units; {units} after {already} are not among them",
                code="invalid_quantity",
                field="units",
                facts={"line": self.line, "quantity": self.quantity, "already": already, "asked": units},
            )
        gross, payable, tax, shipping, fee = (
            units_value(total, self.quantity, already, units)
            for total in (self.gross_minor, self.payable_minor, self.tax_minor, self.shipping_minor, self.fee_minor)
        )
        on_top = tax if self.payable_minor > self.gross_minor - self.discount_minor else 0
        return UnitsValue(
            units=units,
            gross_minor=gross,
            discount_minor=gross + on_top - payable,
            payable_minor=payable,
            tax_minor=tax,
            net_minor=payable - tax,
            shipping_minor=shipping,
            fee_minor=fee,
        )


class Prices(Value, kw_only=True):
    """The frozen prices of an order. The total is the sum over the lines of payable, shipping and fee, exactly."""

    tax_included: bool
    lines: tuple[LinePrice, ...]
    charges: tuple[Charge, ...] = ()

    @property
    def subtotal_minor(self) -> int:
        """The sum of quantity times unit price, before discounts."""
        return sum([price.gross_minor for price in self.lines])

    @property
    def discount_minor(self) -> int:
        """The sum of all discounts, on lines and on the order."""
        return sum([price.discount_minor for price in self.lines])

    @property
    def tax_minor(self) -> int:
        """The tax of the goods: in the prices where they include tax, else on top of them.

        The total is subtotal - discount + shipping + fee, + tax where it is on top. The tax of charges is
        `charges_tax_minor`.
        """
        return sum([price.tax_minor for price in self.lines])

    @property
    def charges_tax_minor(self) -> int:
        """The tax of shipping and fees; it is part of those amounts either way."""
        return sum([charge.tax_minor for charge in self.charges])

    @property
    def shipping_minor(self) -> int:
        """What the customer pays for shipping, its tax included."""
        return sum([price.shipping_minor for price in self.lines])

    @property
    def fee_minor(self) -> int:
        """What the customer pays in fees, their tax included."""
        return sum([price.fee_minor for price in self.lines])

    @property
    def total_minor(self) -> int:
        """What the customer pays."""
        return sum([price.payable_minor + price.shipping_minor + price.fee_minor for price in self.lines])

    def line(self, number: int) -> LinePrice:
        """Return the price of the line with that number."""
        # lines are numbered from 1, almost always: then a long order is not searched for each of its lines
        if 0 < number <= len(self.lines) and self.lines[number - 1].line == number:
            return self.lines[number - 1]
        for price in self.lines:
            if price.line == number:
                return price
        raise InvalidInput(f"no line {number} has a price", code="unknown_line", field="line", facts={"line": number})

    def extended(self, more: Prices) -> Prices:
        """Return the prices with those of added lines; the prices of the lines that were there stay as agreed."""
        if more.tax_included is not self.tax_included:
            raise InvalidInput("prices with and without tax do not mix in one order", field="tax_included")
        _distinct([price.line for price in (*self.lines, *more.lines)])
        return Prices(
            tax_included=self.tax_included, lines=self.lines + more.lines, charges=self.charges + more.charges
        )


def units_value(total_minor: int, quantity: int, already: int, units: int) -> int:
    """Return what `units` of a line are worth after `already` of them: ⌊T(k+n)/q⌋ - ⌊Tk/q⌋.

    Whatever the steps, the values of all units add up to the total; for a total not below zero no value is below zero.
    """
    return total_minor * (already + units) // quantity - total_minor * already // quantity


def freeze(
    lines: Sequence[LineOffer],
    discounts: Sequence[Discount],
    charges: Sequence[Charge],
    *,
    tax_included: bool,
    currency: str = "",
) -> Prices:
    """Split every discount and charge over the lines and return the prices, frozen.

    Discounts are taken one after the other, each in proportion to what the lines before it left to pay (tax on top not
    counted); charges in proportion to what is payable, or equally when nothing is. Remainders go by the largest, ties
    by position. The currency is for what errors say only.

    Raises:
        InvalidInput: `discount_too_large` for a discount above what it applies to, `unknown_line` for a discount on a
            line that is not there, `invalid_money` for a tax above the price that includes it or a total that 64 bits
            do not hold.
    """
    numbers = [offer.line for offer in lines]
    _distinct(numbers)
    if not lines and (discounts or charges):
        raise InvalidInput("there is no line to put discounts or charges on", code="empty_cart", field="items")
    gross = [offer.quantity * offer.unit_price_minor for offer in lines]
    left = [_after_own_discount(offer, value, currency) for offer, value in zip(lines, gross, strict=True)]
    shares: list[tuple[tuple[str, int], ...]] = [()] * len(lines)
    for discount in discounts:
        _take_off(discount, numbers, left, shares, currency)
    payable = [
        _payable(offer, value, currency, tax_included=tax_included) for offer, value in zip(lines, left, strict=True)
    ]
    shipping, fee = _charged(charges, payable, tax_included=tax_included)
    if sum(gross) + sum(payable) + sum(shipping) + sum(fee) > MINOR_MAX:
        raise InvalidInput(
            "the total is beyond what 64 bits hold", code="invalid_money", field="total", facts={"minor_max": MINOR_MAX}
        )
    frozen = [
        LinePrice(
            line=offer.line,
            quantity=offer.quantity,
            gross_minor=gross[i],
            discount_minor=gross[i] - left[i],
            payable_minor=payable[i],
            tax_minor=offer.tax_minor,
            shipping_minor=shipping[i],
            fee_minor=fee[i],
            shares=shares[i],
        )
        for i, offer in enumerate(lines)
    ]
    return Prices(tax_included=tax_included, lines=tuple(frozen), charges=tuple(charges))


def _after_own_discount(offer: LineOffer, gross: int, currency: str) -> int:
    if offer.discount_minor > gross:
        raise _too_large(f"of line {offer.line} ({offer.sku})", offer.discount_minor, gross, currency, line=offer.line)
    return gross - offer.discount_minor


def _take_off(
    discount: Discount, numbers: list[int], left: list[int], shares: list[tuple[tuple[str, int], ...]], currency: str
) -> None:
    """Take a discount off what the lines have left. No share exceeds what its line has left, as the sum does not."""
    chosen = range(len(numbers)) if discount.lines is None else _positions(discount, discount.lines, numbers)
    weights = [left[i] for i in chosen]
    if discount.amount_minor > (eligible := sum(weights)):
        raise _too_large(repr(discount.name), discount.amount_minor, eligible, currency, name=discount.name)
    for i, share in zip(chosen, split(discount.amount_minor, weights), strict=True):
        if share:
            left[i] -= share
            shares[i] = (*shares[i], (discount.name, share))


def _positions(discount: Discount, wanted: Collection[int], numbers: list[int]) -> list[int]:
    if missing := set(wanted).difference(numbers):
        raise InvalidInput(
            f"the discount {discount.name!r} names line {min(missing)}, which is not there",
            code="unknown_line",
            field="discounts",
        )
    return [i for i, number in enumerate(numbers) if number in wanted]


def _payable(offer: LineOffer, left: int, currency: str, *, tax_included: bool) -> int:
    if not tax_included:
        return left + offer.tax_minor
    if offer.tax_minor > left:
        raise InvalidInput(
            f"line {offer.line} ({offer.sku}) has a tax of {spoken(offer.tax_minor, currency)} in a price of {spoken(left, currency)}",
            code="invalid_money",
            field="tax",
            facts={"line": offer.line, "tax_minor": offer.tax_minor, "payable_minor": left},
        )
    return left


def _charged(charges: Sequence[Charge], payable: list[int], *, tax_included: bool) -> tuple[list[int], list[int]]:
    """Return each line's shares of shipping and of fees. Each charge is split by itself: none moves another's cents."""
    shipping, fee = [0] * len(payable), [0] * len(payable)
    for charge in charges:
        if tax_included and charge.tax_minor > charge.amount_minor:
            raise InvalidInput(
                f"the tax of the charge {charge.name!r} is more than the charge that includes it",
                code="invalid_money",
                field="charges",
            )
        totals = shipping if charge.kind == "shipping" else fee
        amount = charge.amount_minor if tax_included else charge.amount_minor + charge.tax_minor
        for i, part in enumerate(split(amount, payable)):
            totals[i] += part
    return shipping, fee


def _whole(minor: int, what: str, field: str) -> None:
    if type(minor) is not int:
        raise InvalidInput(f"{what} is {minor!r}, not a whole number of minor units", code="invalid_money", field=field)
    if minor < 0:
        raise InvalidInput(f"{what} is below zero", code="invalid_money", field=field, facts={"amount_minor": minor})


def _distinct(numbers: list[int]) -> None:
    if len(set(numbers)) != len(numbers):
        raise InvalidInput("two lines have one number", field="lines", facts={"lines": numbers})


def _too_large(what: str, amount: int, eligible: int, currency: str, **facts: int | str) -> InvalidInput:
    return InvalidInput(
        f"the discount {what} is {spoken(amount, currency)}, more than the {spoken(eligible, currency)} it applies to",
        code="discount_too_large",
        field="discounts",
        facts={**facts, "discount_minor": amount, "eligible_minor": eligible},
    )
