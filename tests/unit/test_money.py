"""Money is parsed, written and split exactly."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest

from orderkit.domain.money import EXPONENTS, MINOR_MAX, Money, exponent, split, to_minor, to_text
from orderkit.errors import InvalidInput


@pytest.mark.parametrize(
    ("currency", "digits"), [("EUR", 2), ("GBP", 2), ("JPY", 0), ("ISK", 0), ("KWD", 3), ("TND", 3), ("CLF", 4)]
)
def test_a_currency_has_its_own_decimals(currency: str, digits: int) -> None:
    """ISO 4217 gives most currencies two decimals, some none, three or four."""
    assert exponent(currency) == digits


def test_the_table_is_that_of_iso_4217() -> None:
    """Seventeen currencies have no decimals, seven have three, two have four, and what is no money is not there."""
    counts = {digits: sum(1 for found in EXPONENTS.values() if found == digits) for digits in set(EXPONENTS.values())}

    assert (counts, "XAU" in EXPONENTS, "XXX" in EXPONENTS) == ({0: 17, 2: 145, 3: 7, 4: 2}, False, False)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        (" 12 ", "EUR", 1200),
        ("-0.05", "EUR", -5),
        ("+.5", "EUR", 50),
        ("7.", "EUR", 700),
        (12, "EUR", 1200),
        (12, "JPY", 12),
        ("1250", "JPY", 1250),
        ("1.250", "KWD", 1250),
        (Decimal("12.5000"), "EUR", 1250),
        (Decimal("-1.2"), "KWD", -1200),
        (Decimal("1E+3"), "EUR", 100_000),
        (Decimal("0E-400"), "EUR", 0),
        (Decimal("-0.00"), "EUR", 0),
        ("1250.00", "JPY", 1250),
        ("92233720368547758.07", "EUR", MINOR_MAX),
    ],
)
def test_an_amount_is_read_exactly(amount: str | int | Decimal, currency: str, minor: int) -> None:
    """Text, whole numbers and Decimals of major units become minor units of the currency."""
    assert to_minor(amount, currency) == minor


def test_a_narrow_decimal_context_rounds_nothing() -> None:
    """The precision that a host has set for its own Decimals does not reach money."""
    with localcontext() as context:
        context.prec = 3
        minor = to_minor(Decimal("-123456.78"), "EUR")

    assert minor == -12_345_678


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (12.5, "EUR", "invalid_money"),
        (True, "EUR", "invalid_money"),
        (None, "EUR", "invalid_money"),
        ("12,50", "EUR", "invalid_money"),
        ("1,234.50", "EUR", "invalid_money"),
        ("", "EUR", "invalid_money"),
        (".", "EUR", "invalid_money"),
        ("1e3", "EUR", "invalid_money"),
        ("1_000", "EUR", "invalid_money"),
        ("١٢", "EUR", "invalid_money"),
        ("€12", "EUR", "invalid_money"),
        ("9" * 65, "EUR", "invalid_money"),
        ("92233720368547758.08", "EUR", "invalid_money"),
        (10**19, "JPY", "invalid_money"),
        (Decimal("NaN"), "EUR", "invalid_money"),
        (Decimal("Infinity"), "EUR", "invalid_money"),
        (Decimal("1E+999999"), "EUR", "invalid_money"),
        (Decimal("1E-999999"), "EUR", "invalid_money"),
        ("12.505", "EUR", "money_precision"),
        (Decimal("0.001"), "GBP", "money_precision"),
        ("1250.5", "JPY", "money_precision"),
        ("1.2345", "KWD", "money_precision"),
        ("1", "eur", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
        ("1", ["EUR"], "unknown_currency"),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: Any, currency: Any, code: str) -> None:
    """Floats, guesses, too many decimals, too many digits and unknown currencies are errors, each with its code."""
    with pytest.raises(InvalidInput) as refused:
        to_minor(amount, currency)

    assert refused.value.code == code


def test_an_error_names_the_field_that_the_caller_names() -> None:
    """A cart that reads a price says so in the error."""
    with pytest.raises(InvalidInput) as refused:
        to_minor(0.1, "EUR", field="price")  # type: ignore[arg-type]

    assert (refused.value.field, 'write it as text: "12.50"' in refused.value.message) == ("price", True)


def test_a_currency_in_small_letters_is_told_the_right_one() -> None:
    """A code that is only written differently comes with the code that is meant."""
    with pytest.raises(InvalidInput, match="'EUR' is"):
        exponent(" eur")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "KWD", "0.000"),
        (-1250, "JPY", "-1250"),
        (12_345, "CLF", "1.2345"),
    ],
)
def test_an_amount_is_written_with_all_its_decimals(minor: int, currency: str, text: str) -> None:
    """What is written has exactly the decimals of its currency."""
    assert to_text(minor, currency) == text


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, (1, 1, 1), (34, 33, 33)),
        (-100, (1, 1, 1), (-34, -33, -33)),
        (5, (0, 0), (3, 2)),
        (5, (0, 7, 0), (0, 5, 0)),
        (2, (1, 1, 2), (1, 0, 1)),
        (10, (1999, 501, 500), (6, 2, 2)),
        (0, (), ()),
        (0, (3, 4), (0, 0)),
        (7, (9,), (7,)),
    ],
)
def test_a_split_goes_by_the_largest_remainder(amount: int, weights: tuple[int, ...], parts: tuple[int, ...]) -> None:
    """Parts round down, and what is left goes to the largest remainders, the first of equals first."""
    assert split(amount, weights) == parts


@pytest.mark.parametrize(("amount", "weights"), [(1, ()), (-1, ()), (10, (3, -1))])
def test_a_split_without_a_meaning_is_refused(amount: int, weights: tuple[int, ...]) -> None:
    """Nothing can be split over nobody, nor by a weight below zero."""
    with pytest.raises(InvalidInput) as refused:
        split(amount, weights)

    assert refused.value.field == "weights"


def test_money_adds_subtracts_negates_and_compares() -> None:
    """Amounts of one currency do arithmetic."""
    mug, tee = Money.parse("12.50", "EUR"), Money.parse(20, "EUR")

    assert (mug + tee, tee - mug, -mug, mug < tee, mug >= tee, max(mug, tee)) == (
        Money(3250, "EUR"),
        Money(750, "EUR"),
        Money(-1250, "EUR"),
        True,
        False,
        tee,
    )


def test_money_reads_as_text_and_as_a_decimal() -> None:
    """The amount shows its decimals and its currency, and is a Decimal of major units for those who need one."""
    dinar = Money.parse("1.5", "KWD")

    assert (str(dinar), dinar.decimal, str(-Money(1, "EUR"))) == ("1.500 KWD", Decimal("1.500"), "-0.01 EUR")


def test_money_splits_into_money() -> None:
    """The parts of money are money of the same currency and add up to it."""
    assert Money(100, "EUR").split([2, 1]) == (Money(67, "EUR"), Money(33, "EUR"))


def test_money_of_two_currencies_is_never_equal_and_does_not_mix() -> None:
    """Five euros are not five dollars, and neither adds to the other."""
    euros, dollars = Money(500, "EUR"), Money(500, "USD")
    codes = []
    for mix in (lambda: euros + dollars, lambda: euros - dollars, lambda: euros < dollars):
        with pytest.raises(InvalidInput) as refused:
            mix()
        codes.append(refused.value.code)

    assert (euros == dollars, codes) == (False, ["mixed_currency"] * 3)


def test_money_does_not_add_to_a_bare_number() -> None:
    """A number without a currency is not money."""
    with pytest.raises(InvalidInput) as refused:
        Money(500, "EUR") + 5  # type: ignore[operator]

    assert refused.value.code == "invalid_money"


@pytest.mark.parametrize("minor", [1.0, "1", True, None, MINOR_MAX + 1, -MINOR_MAX - 1])
def test_money_holds_whole_minor_units_within_64_bits(minor: Any) -> None:
    """Anything else is refused where it is made, not where it is stored."""
    with pytest.raises(InvalidInput) as refused:
        Money(minor, "EUR")

    assert (refused.value.code, refused.value.field) == ("invalid_money", "minor")


def test_a_sum_beyond_64_bits_is_refused() -> None:
    """An amount that no store could hold does not come into being."""
    with pytest.raises(InvalidInput) as refused:
        Money(MINOR_MAX, "EUR") + Money(1, "EUR")

    assert refused.value.facts == {"minor_max": MINOR_MAX}
