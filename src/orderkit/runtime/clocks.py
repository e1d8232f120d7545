"""The system's clock, a clock that is set by hand, and ids that follow either."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta

import attrs


class SystemClock:
    """The machine's time, in UTC."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)  # noqa: TID251  (the one place)


class VirtualClock:
    """A time that only moves when it is told to. Safe to use from many threads."""

    def __init__(self, start: datetime) -> None:
        self._now = _zoned(start)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def advance(self, **parts: float) -> datetime:
        """Move the time on: `advance(days=2, hours=3)`."""
        with self._lock:
            self._now += timedelta(**parts)
            return self._now

    def set(self, now: datetime) -> None:
        """Set the time; it never goes back."""
        with self._lock:
            self._now = max(self._now, _zoned(now))


def _zoned(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a clock needs a time zone: datetime(..., tzinfo=timezone.utc)")
    return at


def uuid7(at: datetime, tail: int) -> str:
    """Return a UUIDv7 with the time in milliseconds and 74 bits of `tail`."""
    number = (int(at.timestamp() * 1000) & (2**48 - 1)) << 80
    number |= 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (2**62 - 1)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class UuidIds:
    """Fresh UUIDv7s: the clock's time, and random bits from the system.

    Within one millisecond the ids of a process grow: each is the last one and a random step, so that none can be guessed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = -1
        self._tail = 0

    def new_id(self, at: datetime) -> str:
        """Return a fresh id."""
        millisecond, chance = int(at.timestamp() * 1000), int.from_bytes(os.urandom(9), "big")
        with self._lock:
            if millisecond == self._millisecond:
                self._tail += 1 + (chance >> 24)
            else:
                self._millisecond, self._tail = millisecond, chance  # 72 of 74 bits: room for millions of steps
            return uuid7(at, self._tail)


@attrs.define
class SeededIds:
    """UUIDv7s that are the same in every run with the same seed: for tests and replays."""

    seed: str = "orderkit"
    _count: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def new_id(self, at: datetime) -> str:
        """Return the next id."""
        with self._lock:
            self._count += 1
            count = self._count
        digest = hashlib.blake2b(f"{self.seed}/{count}".encode(), digest_size=10).digest()
        return uuid7(at, int.from_bytes(digest, "big"))
