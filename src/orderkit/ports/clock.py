"""Time and names. The only doors through which flows learn either."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from orderkit.ports.effect import Inside, Outside


class Now(Inside[datetime]):
    """The time of the shop's clock, aware, in UTC. Business deadlines compare with this."""


class NewId(Inside[str]):
    """A fresh id whose order follows the shop's clock: a UUIDv7 as text."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""


class Ids(Protocol):
    """Makes ids."""

    def new_id(self, at: datetime) -> str:
        """Return a fresh UUIDv7 as 32 hexadecimal digits with hyphens; it begins with the time."""


class Pause(Outside[None]):
    """Wait for so long, in real time: somebody else is about to answer."""

    seconds: float
