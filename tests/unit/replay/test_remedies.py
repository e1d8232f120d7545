from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orderkit.replay.geography import COUNTRIES, country_of
from orderkit.replay.remedies import Remedy, RemedyKind, arrives_at, leaves_at, remedy_for

CUTOFF = datetime(2010, 3, 1, 15, 0, tzinfo=UTC)
DELIVERED = datetime(2010, 3, 2, 11, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """Return a moment of March 2010."""
    return datetime.fromisoformat(f"2010-03-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("credited_at", "deduction", "remedy"),
    [
        (at("01 14:59"), 0, Remedy(RemedyKind.CANCEL, at("01 14:59"))),
        (at("01 15:00"), 0, Remedy(RemedyKind.RETURN, DELIVERED)),
        (at("01 14:59"), 195, Remedy(RemedyKind.RETURN, DELIVERED)),
        (at("09 10:00"), 0, Remedy(RemedyKind.RETURN, at("09 10:00"))),
        (at("09 10:00"), 195, Remedy(RemedyKind.RETURN, at("09 10:00"))),
    ],
)
def test_goods_are_cancelled_before_the_cutoff_and_returned_after_it(
    credited_at: datetime, deduction: int, remedy: Remedy
) -> None:
    """A return waits for the delivery, and a credit of less than the price is always a return."""
    found = remedy_for(credited_at=credited_at, cutoff=CUTOFF, delivered_at=DELIVERED, deduction_minor=deduction)

    assert remedy == found


def test_a_parcel_leaves_after_its_cutoff_and_arrives_by_country() -> None:
    """One day within the United Kingdom, ten to Australia; a country of no known name takes five."""
    left = leaves_at(CUTOFF)

    assert left == at("01 17:00")
    assert [arrives_at(left, country) for country in ("United Kingdom", "Australia", "Atlantis")] == [
        DELIVERED,
        at("11 11:00"),
        at("06 11:00"),
    ]


def test_every_country_has_a_code_a_carrier_and_days() -> None:
    """The table is complete: two capital letters, a known carrier, at least a day, a place on the globe."""
    for country in COUNTRIES.values():
        assert len(country.code) == 2
        assert country.code.isupper()
        assert country.carrier in {"ups", "fedex", "usps"}
        assert country.days >= 1
        assert abs(country.latitude) <= 90
        assert abs(country.longitude) <= 180


def test_an_unknown_country_is_not_guessed() -> None:
    """It has the code that stands for none."""
    assert country_of("Unspecified").code == country_of("Atlantis").code == "ZZ"
