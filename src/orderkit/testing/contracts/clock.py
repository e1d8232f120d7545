"""The contracts of clocks and of ids.

Inherit `ClockContract` or `IdsContract` and override the fixture:

    class TestMyIds(IdsContract):
        @pytest.fixture
        def ids(self):
            return MyIds()

Nothing here knows any clock.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from orderkit.ports.clock import Clock, Ids
from orderkit.testing.contracts.racing import at_once
from orderkit.testing.samples import NOON

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class ClockContract:
    """What every clock does."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock under test. Override it."""
        pytest.fail("the suite needs its own `clock`: override it")

    def test_the_time_is_aware_and_in_utc(self, clock: Clock) -> None:
        """A time without a zone, or in another one, would be compared wrongly."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_the_time_does_not_go_back(self, clock: Clock) -> None:
        """A thousand readings come in order."""
        readings = [clock.now() for _ in range(1_000)]

        assert readings == sorted(readings)


class IdsContract:
    """What everything that makes ids does: UUIDv7 as text, each once, beginning with the time of the shop's clock."""

    @pytest.fixture
    def ids(self) -> Ids:
        """The ids under test. Override it."""
        pytest.fail("the suite needs its own `ids`: override it")

    def test_an_id_is_a_uuid_of_version_seven(self, ids: Ids) -> None:
        """Thirty-six characters in small letters, with version and variant in their places."""
        name = ids.new_id(NOON)
        parsed = uuid.UUID(name)

        assert (str(parsed), parsed.version, parsed.variant) == (name, 7, uuid.RFC_4122)

    @pytest.mark.parametrize(
        "at",
        [
            NOON,
            NOON + 123 * MILLISECOND,
            NOON + timedelta(microseconds=999_999),
            datetime(2009, 12, 1, 7, 45, tzinfo=UTC),
        ],
        ids=str,
    )
    def test_an_id_begins_with_the_time(self, ids: Ids, at: datetime) -> None:
        """Its first 48 bits are the whole milliseconds since 1970, in any year that a replay is set in."""
        assert uuid.UUID(ids.new_id(at)).int >> 80 == (at - EPOCH) // MILLISECOND

    def test_ids_follow_the_clock(self, ids: Ids) -> None:
        """A later millisecond gives a larger id."""
        names = [ids.new_id(NOON + n * MILLISECOND) for n in range(200)]

        assert names == sorted(names)

    def test_no_id_comes_twice(self, ids: Ids) -> None:
        """Eight threads make a thousand ids each in one moment."""
        made = at_once([lambda: [ids.new_id(NOON) for _ in range(1_000)]] * 8)

        assert len({name for names in made for name in names}) == 8_000
