"""Tracking numbers: their shapes, their check digits, and that they say everything that tracking needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderkit_fakecarrier.numbers import (
    DAYS,
    FATES,
    MINUTES,
    SHAPES,
    Waybill,
    minute_of,
    mod_10,
    mod_10_of_ups,
    number_of,
    waybill_of,
)

SHAPE_OF = {
    "fedex": r"96\d{20}",
    "ups": r"1Z[0-9A-Z]{6}\d{10}",
    "usps": r"94\d{20}",
    "royal_mail": r"0B[0-9A-F]{19}",
    "dhl": r"JJD01\d{19}",
}


@given(
    carrier=st.sampled_from(sorted(SHAPES)),
    minute=st.integers(0, MINUTES - 1),
    days=st.integers(0, DAYS - 1),
    fate=st.integers(0, FATES - 1),
    share=st.integers(0, 10**6),
)
def test_a_number_says_what_was_written_into_it(carrier: str, minute: int, days: int, fate: int, share: int) -> None:
    """Every waybill is read back from its number, which has the carrier's shape."""
    serial = (SHAPES[carrier].serials - 1) * share // 10**6
    waybill = Waybill(carrier=carrier, minute=minute, days=days, fate=fate, serial=serial)
    number = number_of(waybill)
    assert re.fullmatch(SHAPE_OF[carrier], number)
    assert waybill_of(number) == waybill


@pytest.mark.parametrize(
    "number",
    ["", "1Z", "10042", "0B" + "F" * 19, "96" + "٣" * 20, "0B" + "G" * 19, "1Zabcdef1234567890", "94" + "1" * 20],
)
def test_what_no_carrier_wrote_is_not_read(number: str) -> None:
    """A number of another shape, with other digits or a wrong check digit, says nothing."""
    assert waybill_of(number) is None


@pytest.mark.parametrize("carrier", ["fedex", "ups", "usps"])
def test_one_wrong_digit_is_noticed(carrier: str) -> None:
    """A check digit finds every single digit that was misread."""
    number = number_of(Waybill(carrier=carrier, minute=13_765_432, days=3, fate=0, serial=123_456))
    for place in range(8, len(number)):
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert waybill_of(wrong) is None


def test_check_digits_are_those_of_the_carriers() -> None:
    """The example that UPS prints, and a GS1 number, have the check digits that we compute."""
    assert mod_10_of_ups("999AA1012345678") == 4
    assert mod_10("629104150021") == 3


def test_a_minute_is_the_next_full_one() -> None:
    """A booking at 09:00:01 counts from 09:01, so that no scan is older than its booking."""
    nine = datetime(2009, 12, 1, 9, 0, tzinfo=UTC)
    assert minute_of(nine + timedelta(seconds=1)) == minute_of(nine) + 1


@pytest.mark.parametrize("year", [1999, 2150])
def test_a_time_that_does_not_fit_is_refused(year: int) -> None:
    """A number has room for the years from 2000 to 2095."""
    with pytest.raises(ValueError):
        minute_of(datetime(year, 1, 1, tzinfo=UTC))
