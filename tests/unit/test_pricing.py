"""Prices are split over the lines once, and add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orderkit.domain.money import MINOR_MAX
from orderkit.domain.pricing import Charge, Discount, LineOffer, LinePrice, Prices, freeze, units_value
from orderkit.errors import InvalidInput

MUG = LineOffer(line=1, sku="MUG", quantity=3, unit_price_minor=1250, tax_minor=599)
TEE = LineOffer(line=2, sku="TEE", quantity=1, unit_price_minor=2000, tax_minor=319)
CAP = LineOffer(line=3, sku="CAP", quantity=2, unit_price_minor=999, discount_minor=98, tax_minor=303)


def offer(**changed: Any) -> LineOffer:
    """Return an offer with some fields changed."""
    fields: dict[str, Any] = {"line": 1, "sku": "MUG", "quantity": 3, "unit_price_minor": 1250}
    return LineOffer(**fields | changed)


def test_prices_without_extras_are_quantity_times_price() -> None:
    """The usual cart: nothing to split."""
    prices = freeze((MUG, TEE), (), (), tax_included=True)

    assert [(p.line, p.quantity, p.gross_minor, p.payable_minor, p.shares) for p in prices.lines] == [
        (1, 3, 3750, 3750, ()),
        (2, 1, 2000, 2000, ()),
    ]


def test_the_sums_of_an_order_with_tax_included_add_up() -> None:
    """Subtotal less discounts plus shipping and fees is the total; tax is inside."""
    prices = freeze(
        (MUG, TEE, CAP),
        (Discount("WELCOME", 1000),),
        (Charge("express", 990, 158), Charge("gift wrap", 250, 40, "fee")),
        tax_included=True,
    )

    assert (
        prices.subtotal_minor,
        prices.discount_minor,
        prices.shipping_minor,
        prices.fee_minor,
        prices.tax_minor,
        prices.charges_tax_minor,
        prices.total_minor,
        sum(price.total_minor for price in prices.lines),
    ) == (7748, 1098, 990, 250, 1221, 198, 7890, 7890)


def test_the_sums_of_an_order_with_tax_on_top_add_up() -> None:
    """Tax of lines is payable on top of them, tax of charges on top of those."""
    prices = freeze((MUG, TEE), (), (Charge("express", 1000, 200), Charge("wrap", 100, 20, "fee")), tax_included=False)

    assert (
        [p.payable_minor for p in prices.lines],
        prices.tax_minor,
        prices.shipping_minor,
        prices.fee_minor,
        prices.total_minor,
    ) == ([4349, 2319], 918, 1200, 120, 5750 + 918 + 1200 + 120)


def test_a_discount_of_the_order_is_shared_by_value() -> None:
    """Ten euros off 37.50 and 20.00: each line bears its part, and the parts are named."""
    prices = freeze((MUG, TEE), (Discount("WELCOME", 1000),), (), tax_included=True)

    assert [(p.discount_minor, p.payable_minor, p.shares) for p in prices.lines] == [
        (652, 3098, (("WELCOME", 652),)),
        (348, 1652, (("WELCOME", 348),)),
    ]


def test_a_discount_on_named_lines_leaves_the_others_alone() -> None:
    """Only the lines that a discount names bear it."""
    prices = freeze((MUG, TEE, CAP), (Discount("TEXTILES", 390, (3, 2)),), (), tax_included=True)

    assert [p.discount_minor for p in prices.lines] == [0, 200, 98 + 190]


def test_a_second_discount_is_shared_by_what_the_first_left() -> None:
    """A line that is free already bears nothing more, and a share of nothing is not named."""
    free = offer(line=2, sku="TEE", quantity=1, unit_price_minor=2000)
    prices = freeze((MUG, free), (Discount("FREE TEE", 2000, (2,)), Discount("WELCOME", 750)), (), tax_included=True)

    assert [(p.payable_minor, p.shares) for p in prices.lines] == [
        (3000, (("WELCOME", 750),)),
        (0, (("FREE TEE", 2000),)),
    ]


def test_charges_are_shared_equally_when_nothing_is_payable() -> None:
    """Shipping of a gift order still lands on its lines."""
    prices = freeze((MUG, TEE), (Discount("GIFT", 5750),), (Charge("post", 501),), tax_included=False)
    free = freeze(
        tuple(LineOffer(line=n, sku="GIFT", quantity=1, unit_price_minor=0) for n in (1, 2)),
        (),
        (Charge("post", 501),),
        tax_included=True,
    )

    assert ([p.shipping_minor for p in prices.lines], [p.shipping_minor for p in free.lines]) == (
        [327, 174],
        [251, 250],
    )


def test_no_lines_have_no_prices() -> None:
    """An empty offer is worth nothing."""
    assert freeze((), (), (), tax_included=True) == Prices(tax_included=True, lines=())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: offer(quantity=0), "invalid_quantity"),
        (lambda: offer(quantity=1.0), "invalid_quantity"),
        (lambda: offer(unit_price_minor=12.5), "invalid_money"),
        (lambda: offer(unit_price_minor=-1), "invalid_money"),
        (lambda: offer(discount_minor=-1), "invalid_money"),
        (lambda: offer(tax_minor="5"), "invalid_money"),
        (lambda: Discount("X", -5), "invalid_money"),
        (lambda: Charge("X", -5), "invalid_money"),
        (lambda: Charge("X", 5, -1), "invalid_money"),
        (lambda: Charge("X", 5, kind="bribe"), "invalid_input"),
        (lambda: freeze((MUG, MUG), (), (), tax_included=True), "invalid_input"),
        (lambda: freeze((), (Discount("X", 1),), (), tax_included=True), "empty_cart"),
        (lambda: freeze((), (), (Charge("X", 1),), tax_included=True), "empty_cart"),
        (lambda: freeze((offer(discount_minor=3751),), (), (), tax_included=True), "discount_too_large"),
        (lambda: freeze((MUG, TEE), (Discount("X", 2001, (2,)),), (), tax_included=True), "discount_too_large"),
        (
            lambda: freeze((MUG,), (Discount("X", 3000), Discount("Y", 751)), (), tax_included=True),
            "discount_too_large",
        ),
        (lambda: freeze((MUG,), (Discount("X", 1, ()),), (), tax_included=True), "discount_too_large"),
        (lambda: freeze((MUG,), (Discount("X", 1, (1, 9)),), (), tax_included=True), "unknown_line"),
        (lambda: freeze((offer(tax_minor=3751),), (), (), tax_included=True), "invalid_money"),
        (lambda: freeze((MUG,), (), (Charge("X", 5, 6),), tax_included=True), "invalid_money"),
        (lambda: freeze((offer(unit_price_minor=MINOR_MAX),), (), (), tax_included=True), "invalid_money"),
    ],
)
def test_an_offer_that_cannot_be_right_is_refused(wrong: Callable[[], object], code: str) -> None:
    """Each mistake in an offer has its code, and nothing is repaired silently."""
    with pytest.raises(InvalidInput) as refused:
        wrong()

    assert refused.value.code == code


def test_a_discount_that_is_too_large_says_by_how_much() -> None:
    """The error holds what was asked and what there is."""
    with pytest.raises(InvalidInput) as refused:
        freeze((TEE,), (Discount("HALF", 2500),), (), tax_included=True)

    assert refused.value.facts == {"name": "HALF", "discount_minor": 2500, "eligible_minor": 2000}


def test_a_tax_on_top_may_exceed_a_price_of_nothing() -> None:
    """Tax on top is not part of the price, so a free line may be taxed."""
    prices = freeze((offer(discount_minor=3750, tax_minor=700),), (), (), tax_included=False)

    assert prices.total_minor == 700


def test_units_are_worth_the_difference_of_two_cumulated_values() -> None:
    """Ten cents over three units: three, three, four, whoever asks first."""
    assert [units_value(10, 3, already, 1) for already in range(3)] == [3, 3, 4]


def test_the_value_of_units_names_every_part() -> None:
    """Two of three mugs, discounted, with tax inside and their share of shipping and wrapping."""
    price = LinePrice(
        line=1,
        quantity=3,
        gross_minor=3750,
        discount_minor=1000,
        payable_minor=2750,
        tax_minor=439,
        shipping_minor=500,
        fee_minor=100,
    )
    value = price.value_of(1, 2)

    assert (
        value.units,
        value.gross_minor,
        value.discount_minor,
        value.payable_minor,
        value.tax_minor,
        value.net_minor,
        value.shipping_minor,
        value.fee_minor,
    ) == (2, 2500, 666, 1834, 293, 1541, 334, 67)


def test_the_value_of_units_with_tax_on_top_adds_up() -> None:
    """Gross less discount plus tax is payable, and payable less tax is net."""
    price = freeze((offer(discount_minor=1000, tax_minor=523),), (), (), tax_included=False).lines[0]
    value = price.value_of(0, 2)

    assert (
        value.gross_minor - value.discount_minor + value.tax_minor,
        value.payable_minor - value.tax_minor,
        price.value_of(0, 3).discount_minor,
    ) == (value.payable_minor, value.net_minor, 1000)


@pytest.mark.parametrize(("already", "units"), [(-1, 1), (0, -1), (0, 4), (2, 2)])
def test_units_that_a_line_does_not_have_are_worth_an_error(already: int, units: int) -> None:
    """Nothing is given back twice, and nothing that was not there."""
    price = freeze((MUG,), (), (), tax_included=True).lines[0]
    with pytest.raises(InvalidInput) as refused:
        price.value_of(already, units)

    assert refused.value.facts == {"line": 1, "quantity": 3, "already": already, "asked": units}


def test_a_line_is_found_by_its_number_wherever_it_stands() -> None:
    """Numbers usually start at 1; those of added lines do not."""
    prices = freeze((CAP, TEE), (), (), tax_included=True)
    with pytest.raises(InvalidInput) as refused:
        prices.line(1)

    assert (prices.line(2).gross_minor, prices.line(3).gross_minor, refused.value.code) == (2000, 1998, "unknown_line")


def test_added_lines_leave_what_was_agreed_as_it_was() -> None:
    """More of the same is a new line with a price of its own, charges included."""
    agreed = freeze((MUG,), (Discount("WELCOME", 750),), (Charge("post", 490),), tax_included=True)
    more = freeze((TEE,), (), (Charge("express", 200),), tax_included=True)
    prices = agreed.extended(more)

    assert (prices.lines[:1], prices.total_minor, [c.name for c in prices.charges]) == (
        agreed.lines,
        agreed.total_minor + more.total_minor,
        ["post", "express"],
    )


@pytest.mark.parametrize(("line", "tax_included"), [(MUG, True), (TEE, False)])
def test_lines_that_do_not_fit_are_not_added(line: LineOffer, tax_included: bool) -> None:
    """A number is given once, and prices with and without tax do not mix."""
    agreed = freeze((MUG,), (), (), tax_included=True)
    with pytest.raises(InvalidInput) as refused:
        agreed.extended(freeze((line,), (), (), tax_included=tax_included))

    assert refused.value.field == ("lines" if tax_included else "tax_included")
