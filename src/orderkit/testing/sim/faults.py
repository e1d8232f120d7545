"""Faults: what can go wrong at one effect of one process, where, and for how long.

A fault's place is (process, effect, which occurrence), so removing one fault renumbers no other: that is what makes shrinking work. A seed
draws its faults while it runs; a script gives exactly those that it lists. This module knows effects by name, and no world.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

import attrs

from orderkit.testing.sim.chance import Dice

SECOND = 1_000_000  # virtual time is counted in microseconds
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class FaultKind(StrEnum):
    """What goes wrong. The value is how a story tells it."""

    CRASH_BEFORE = "process dies before it"
    CRASH_AFTER = "process dies after it, before the answer"
    LOST = "done, but the answer is lost"
    UNSENT = "never arrives, no answer"
    REFUSED = "refused, definitely not done"
    LATE = "no answer; arrives and is done later"
    SLOW = "arrives late"
    DELAYED = "answered late"
    PAUSED = "process stands still after it"
    TWICE = "arrives twice"
    SKEWED = "clock is off"


CRASHES = (FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER)
_TIMES = (FaultKind.SLOW, FaultKind.DELAYED, FaultKind.PAUSED)
_READ = (*CRASHES, FaultKind.REFUSED, *_TIMES)
_WRITE = (*_READ, FaultKind.LOST, FaultKind.LATE)
_OUTSIDE = (*_WRITE, FaultKind.UNSENT, FaultKind.TWICE)
_HINT = (*CRASHES, FaultKind.LOST, FaultKind.REFUSED, FaultKind.DELAYED)

# What can go wrong with which effect. A transaction is not sent twice by itself, and a question that is lost is as good as refused.
KINDS: Mapping[str, tuple[FaultKind, ...]] = {
    **dict.fromkeys(("Commit", "PutStock", "KeepMessage", "SettleMessage", "MarkPublished", "GiveUp"), _WRITE),
    **dict.fromkeys(("ClaimDue", "TakeOutbox", "TakeMessages"), (*_READ, FaultKind.LOST)),
    **dict.fromkeys(("Load", "FindKey", "ReadSupply", "ReadStock", "ReadRecords", "FindOrders"), _READ),
    **dict.fromkeys(("MoveMoney", "BookParcel", "CancelParcel"), _OUTSIDE),
    **dict.fromkeys(("Publish", "Notify"), (*_OUTSIDE,)),
    "AskPayment": (*CRASHES, *_TIMES, FaultKind.LOST, FaultKind.UNSENT),
    "TrackParcel": (*CRASHES, *_TIMES, FaultKind.REFUSED),
    **dict.fromkeys(("Index", "MakeDocument"), (*_READ, FaultKind.LOST, FaultKind.TWICE)),
    **dict.fromkeys(("Remember", "Recall", "Forget"), _HINT),
    "Webhook": (FaultKind.UNSENT, FaultKind.DELAYED, FaultKind.TWICE),
}
OTHER = (*CRASHES, FaultKind.DELAYED)  # effects of a host's own flows

# How long each lasts, in microseconds: a restart, a delay, a pause longer than a lease.
LASTS: Mapping[FaultKind, tuple[int, int]] = {
    FaultKind.CRASH_BEFORE: (SECOND, 40 * SECOND),
    FaultKind.CRASH_AFTER: (SECOND, 40 * SECOND),
    FaultKind.LATE: (SECOND, 3 * MINUTE),
    FaultKind.SLOW: (SECOND, 20 * SECOND),
    FaultKind.DELAYED: (SECOND, 45 * SECOND),
    FaultKind.PAUSED: (20 * SECOND, 3 * MINUTE),
    FaultKind.TWICE: (0, 2 * MINUTE),
    FaultKind.SKEWED: (-2 * MINUTE, 2 * MINUTE),
}
NO_TIME = (0, 0)


@attrs.frozen(order=True)
class Place:
    """One occurrence of one effect in one process, counted over all its lives."""

    process: str
    effect: str
    nth: int

    def __str__(self) -> str:
        return f"{self.process}/{self.effect}/{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Return the place that the text names. Raises `ValueError`."""
        process, effect, nth = text.split("/")
        return cls(process, effect, int(nth))


@attrs.frozen
class Fault:
    """One thing that goes wrong at one place; `lasts` is in microseconds where it matters."""

    place: Place
    kind: FaultKind
    lasts: int = 0

    def __str__(self) -> str:
        lasts = f" ({self.lasts / SECOND:g} s)" if self.lasts else ""
        return f"{self.place}: {self.kind.value}{lasts}"


def typical(kind: FaultKind) -> int:
    """Return how long a fault lasts that an enumeration plants: the middle of what seeds draw."""
    low, high = LASTS.get(kind, NO_TIME)
    return (low + high) // 2


class Faults(Protocol):
    """Where faults come from; `endless` ones stop when the world heals."""

    endless: bool

    def at(self, process: str, effect: str, nth: int) -> Fault | None:
        """Return what goes wrong there, if anything."""

    def skew(self, process: str) -> int:
        """Return how many microseconds the clock of a process is off."""


@attrs.define
class Scripted:
    """Exactly these faults."""

    faults: dict[tuple[str, str, int], Fault] = attrs.field(factory=dict)
    endless: bool = False

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> Scripted:
        """Return the script of these faults."""
        return cls({(f.place.process, f.place.effect, f.place.nth): f for f in faults})

    def at(self, process: str, effect: str, nth: int) -> Fault | None:
        """Return the fault of that place."""
        return self.faults.get((process, effect, nth))

    def skew(self, process: str) -> int:
        """Return the clock fault of a process."""
        found = self.faults.get((process, "Clock", 1))
        return found.lasts if found else 0


@attrs.define
class Drawn:
    """Faults of a seed: at each effect with the seed's own rate, of the kinds that the seed has."""

    dice: Dice
    rate: float
    kinds: tuple[FaultKind, ...]
    endless: bool = True

    @classmethod
    def by(cls, seed: int) -> Drawn:
        """Return the mix of a seed. One seed in ten has no faults at all; each kind is there in two of three."""
        dice = Dice(seed, "faults")
        rate = dice.one_of((0.0, 0.005, 0.01, 0.02, 0.02, 0.03, 0.03, 0.05, 0.08, 0.12))
        return cls(dice, rate, dice.some_of(tuple(FaultKind), 0.66))

    def at(self, process: str, effect: str, nth: int) -> Fault | None:
        """Draw whether something goes wrong here, and what."""
        dice = self.dice
        if dice.random() >= self.rate:
            return None
        possible = [kind for kind in KINDS.get(effect, OTHER) if kind in self.kinds]
        if not possible:
            return None
        kind = dice.one_of(possible)
        low, high = LASTS.get(kind, NO_TIME)
        return Fault(Place(process, effect, nth), kind, dice.between(low, high))

    def skew(self, process: str) -> int:  # noqa: ARG002  (drawn in the order in which processes are added)
        """Draw how far the clock of a process is off."""
        if FaultKind.SKEWED not in self.kinds or not self.rate:
            return 0
        return self.dice.between(*LASTS[FaultKind.SKEWED])
