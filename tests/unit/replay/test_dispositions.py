from __future__ import annotations

from decimal import Decimal

import pytest

from orderkit.replay.dispositions import (
    EXPLANATIONS,
    Meaning,
    Nature,
    Reason,
    meaning_of,
    money_of,
    nature_of,
    rounded_minor,
)
from tests.unit.replay.slices import line


@pytest.mark.parametrize(
    ("code", "nature"),
    [
        ("85123A", Nature.PRODUCT),
        ("DCGS0003", Nature.PRODUCT),
        ("DCGS0066N", Nature.PRODUCT),
        ("SP1002", Nature.PRODUCT),
        ("47503J", Nature.PRODUCT),
        ("POST", Nature.POSTAGE),
        ("DOT", Nature.POSTAGE),
        ("C2", Nature.POSTAGE),
        ("C3", Nature.POSTAGE),
        ("M", Nature.MANUAL),
        ("m", Nature.MANUAL),
        ("D", Nature.DISCOUNT),
        ("S", Nature.SAMPLE),
        ("B", Nature.BAD_DEBT),
        ("ADJUST", Nature.ACCOUNT_ADJUSTMENT),
        ("ADJUST2", Nature.ACCOUNT_ADJUSTMENT),
        ("AMAZONFEE", Nature.MARKETPLACE_FEE),
        ("BANK CHARGES", Nature.BANK_CHARGE),
        ("CRUK", Nature.CHARITY_COMMISSION),
        ("PADS", Nature.ACCESSORY),
        ("TEST001", Nature.TEST_PRODUCT),
        ("gift_0001_20", Nature.GIFT_VOUCHER),
        ("TESTER", Nature.PRODUCT),
    ],
)
def test_a_code_stands_for_one_thing(code: str, nature: Nature) -> None:
    """The codes that are no product are listed; everything else is one, with digits or without."""
    assert nature == nature_of(code)


@pytest.mark.parametrize(
    ("invoice", "code", "quantity", "price", "meaning"),
    [
        ("489434", "85048", 12, "6.95", Meaning.ORDER_LINE),
        ("489434", "85048", 12, "0", Meaning.ORDER_LINE),
        ("489434", "POST", 3, "18.00", Meaning.ORDER_CHARGE),
        ("489434", "85048", 12, "-6.95", Reason.NEGATIVE_PRICE),
        ("489434", "85048", 0, "6.95", Reason.ZERO_QUANTITY),
        ("489434", "85048", -12, "0", Reason.STOCK_WRITE_OFF),
        ("489434", "85048", -12, "6.95", Reason.NEGATIVE_QUANTITY_PRICED),
        ("489434", "M", 1, "25111.09", Reason.MANUAL_CHARGE),
        ("489434", "D", 192, "1.00", Reason.DISCOUNT_REVERSAL),
        ("489434", "TEST001", 5, "4.50", Reason.TEST_PRODUCT),
        ("489434", "gift_0001_20", 1, "17.39", Reason.GIFT_VOUCHER),
        ("C489449", "85048", -12, "6.95", Meaning.RETURN_LINE),
        ("C489449", "POST", -1, "18.00", Meaning.GOODWILL_REFUND),
        ("C489449", "D", -1, "9.95", Meaning.GOODWILL_REFUND),
        ("C496350", "M", 1, "373.57", Reason.MANUAL_CREDIT),
        ("C489449", "85048", 12, "6.95", Reason.CREDIT_NOTE_REVERSAL),
        ("C489449", "85048", -12, "0", Reason.ZERO_PRICE_CREDIT),
        ("C489449", "85048", 0, "6.95", Reason.ZERO_QUANTITY),
        ("C489449", "85048", 12, "-6.95", Reason.NEGATIVE_PRICE),
        ("C489449", "S", -1, "605.18", Reason.SAMPLE),
        ("C489449", "AMAZONFEE", -1, "13541.33", Reason.MARKETPLACE_FEE),
        ("A506401", "B", 1, "-53594.36", Reason.BAD_DEBT_ADJUSTMENT),
        ("Z100001", "85048", 1, "6.95", Reason.LETTERED_DOCUMENT),
    ],
)
def test_a_line_says_what_it_wants_to_become(
    invoice: str, code: str, quantity: int, price: str, meaning: Meaning | Reason
) -> None:
    """Invoice letter, code, quantity and price decide together; there is no line without an answer."""
    assert meaning == meaning_of(line(invoice, code, quantity, price), nature_of(code))


def test_every_reason_is_explained() -> None:
    """A reason that nobody can explain would be a catch-all."""
    assert set(EXPLANATIONS) == set(Reason)


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("6.95", 695), ("0.001", 0), ("0.375", 38), ("0.385", 38), ("0.425", 42), ("-0.375", -38), ("25111.09", 2511109)],
)
def test_a_price_is_rounded_to_the_nearest_penny(amount: str, minor: int) -> None:
    """Halves go to the even penny, so that they cancel out in the long run."""
    assert minor == rounded_minor(Decimal(amount))


def test_pennies_become_an_amount_with_two_decimals() -> None:
    """The way back is exact."""
    assert str(money_of(-62985537)) == "-629855.37"
