"""When goods leave and arrive on the virtual clock, and what a credit note does to goods that are on their way.

Pure rules over times: the replay asks them, and anybody can work their answers out by hand. They know nothing of orders or stores.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum

import attrs

from orderkit.replay.geography import country_of

__all__ = ["Remedy", "RemedyKind", "arrives_at", "leaves_at", "remedy_for"]

_LOADING = timedelta(hours=2)  # from the beginning of the work on a parcel to its first scan
_DELIVERED = time(11, 0)


class RemedyKind(StrEnum):
    """What is done about goods that a credit note takes back."""

    CANCEL = "cancel"
    RETURN = "return"


@attrs.frozen
class Remedy:
    """What is done, and at which moment of the virtual clock."""

    kind: RemedyKind
    at: datetime


def leaves_at(cutoff: datetime) -> datetime:
    """Return when a parcel leaves a warehouse that begins to work on it at the cutoff: two hours later."""
    return cutoff + _LOADING


def arrives_at(left_at: datetime, country: str) -> datetime:
    """Return when a parcel arrives: at eleven in the morning, so many days after it left as the country takes."""
    day = left_at.date() + timedelta(days=country_of(country).days)
    return datetime.combine(day, _DELIVERED, tzinfo=left_at.tzinfo)


def remedy_for(*, credited_at: datetime, cutoff: datetime, delivered_at: datetime, deduction_minor: int) -> Remedy:
    """Return what a credit note does to the goods of one order.

    Before the cutoff the units are cancelled, and their whole price goes back. From the cutoff on, the parcel arrives first and then comes
    back: a return, at the time of the credit note or on delivery, whichever is later. A credit of less than the price paid is always a
    return, because a cancellation cannot keep a part of the price.

    Args:
        credited_at: the time of the credit note.
        cutoff: the earliest cutoff of the shipments that hold the units.
        delivered_at: when the last of those shipments arrived, or will.
        deduction_minor: what the shop keeps of the price paid.
    """
    if credited_at < cutoff and deduction_minor == 0:
        return Remedy(RemedyKind.CANCEL, credited_at)
    return Remedy(RemedyKind.RETURN, max(credited_at, delivered_at))
