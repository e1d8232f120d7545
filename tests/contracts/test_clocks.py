"""The clocks and ids of the library pass their contracts, and those for tests do as they are told."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from orderkit import SeededIds, VirtualClock
from orderkit.ports.clock import Clock, Ids
from orderkit.runtime.clocks import SystemClock, UuidIds
from orderkit.testing.contracts.clock import ClockContract, IdsContract
from orderkit.testing.contracts.racing import at_once
from orderkit.testing.samples import NOON


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestVirtualClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return VirtualClock(NOON)


class TestUuidIds(IdsContract):
    @pytest.fixture
    def ids(self) -> Ids:
        return UuidIds()


class TestSeededIds(IdsContract):
    @pytest.fixture
    def ids(self) -> Ids:
        return SeededIds("seven")


def test_a_virtual_clock_moves_when_told_to() -> None:
    """It stands still, is advanced by parts of a time, and is set to a time."""
    clock = VirtualClock(NOON)

    assert clock.now() == clock.now() == NOON
    assert clock.advance(days=2, hours=3) == NOON + timedelta(days=2, hours=3)
    clock.set(NOON + timedelta(days=9))
    assert clock.now() == NOON + timedelta(days=9)


def test_a_virtual_clock_never_goes_back() -> None:
    """Setting it to an earlier time leaves it where it is."""
    clock = VirtualClock(NOON)
    clock.set(NOON - timedelta(days=1))

    assert clock.now() == NOON


def test_a_virtual_clock_needs_a_time_zone() -> None:
    """A time without one would compare with nothing."""
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2026, 3, 3, 12))  # noqa: DTZ001  (the mistake that is refused)
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(NOON).set(datetime(2026, 3, 3, 12))  # noqa: DTZ001  (the same)


def test_seeded_ids_are_the_same_in_every_run() -> None:
    """Equal seeds and times give equal ids, another seed others."""
    seven, again, eight = (
        [ids.new_id(NOON) for _ in range(3)] for ids in (SeededIds("seven"), SeededIds("seven"), SeededIds("eight"))
    )

    assert seven == again
    assert not set(seven) & set(eight)


def test_the_system_clock_tells_the_time_of_the_machine() -> None:
    """It lies between two readings of the machine's own."""
    before = datetime.now(UTC)  # noqa: TID251  (what the clock is compared with)
    told = SystemClock().now()

    assert before <= told <= datetime.now(UTC)  # noqa: TID251  (what the clock is compared with)


def test_a_virtual_clock_advances_from_many_threads() -> None:
    """Eight threads advance it ten thousand seconds each: no second is lost, however often they interrupt each other."""
    clock, switching = VirtualClock(NOON), sys.getswitchinterval()

    def advance() -> None:
        for _ in range(10_000):
            clock.advance(seconds=1)

    sys.setswitchinterval(1e-6)
    try:
        at_once([advance] * 8)
    finally:
        sys.setswitchinterval(switching)

    assert clock.now() == NOON + timedelta(seconds=80_000)


def test_ids_of_one_millisecond_grow() -> None:
    """A process that makes many at once can list them in the order of making."""
    ids = UuidIds()
    names = [ids.new_id(NOON) for _ in range(10_000)]

    assert names == sorted(names)


def test_ids_follow_a_clock_that_starts_again_in_the_past() -> None:
    """A replay that goes back to 2009 gets ids of 2009, none of them twice."""
    ids = UuidIds()
    names = [ids.new_id(NOON - timedelta(days=n % 2)) for n in range(1_000)]

    assert len(set(names)) == 1_000
    assert max(names[1::2]) < min(names[::2])
