"""Tracking numbers that describe themselves, in the shape of each carrier's own.

A number holds the minute of the booking, the days on the way, the parcel's fate and a serial from the hash of the booking's key. So whoever
has the number can say where the parcel is at any time, without a book, also after a restart. Check digits are those that the carriers
publish, where they do. Nothing here knows what fates mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import attrs

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
MINUTES = 50_000_000  # until 2095
DAYS = 32
FATES = 8
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@attrs.frozen(kw_only=True)
class Waybill:
    """What a tracking number says: who carries the parcel, since which minute, for how many days, how it ends, and which one it is."""

    carrier: str
    minute: int
    days: int
    fate: int
    serial: int

    @property
    def booked_at(self) -> datetime:
        """The full minute at or after the booking."""
        return _BEGINNING + self.minute * _MINUTE


@attrs.frozen
class Shape:
    """How a carrier writes its numbers. `space` is how many different payloads fit."""

    space: int
    write: Callable[[int], str]
    read: Callable[[str], int | None]

    @property
    def serials(self) -> int:
        """How many serials there are for one minute, length and fate."""
        return self.space // (MINUTES * DAYS * FATES)


def minute_of(at: datetime) -> int:
    """Return the full minute at or after a time. Raises `ValueError` outside the years that a number can hold."""
    minute = -(-(at - _BEGINNING) // _MINUTE)
    if not 0 <= minute < MINUTES:
        raise ValueError(f"{at} does not fit into a tracking number")
    return minute


def number_of(waybill: Waybill) -> str:
    """Return the tracking number of a waybill."""
    shape = SHAPES[waybill.carrier]
    payload = ((waybill.serial % shape.serials * FATES + waybill.fate) * DAYS + waybill.days) * MINUTES + waybill.minute
    return shape.write(payload)


def waybill_of(number: str) -> Waybill | None:
    """Return what a tracking number says, or `None` if none of these carriers wrote it."""
    for carrier, shape in SHAPES.items():
        payload = shape.read(number)
        if payload is not None:
            rest, minute = divmod(payload, MINUTES)
            rest, days = divmod(rest, DAYS)
            serial, fate = divmod(rest, FATES)
            return (
                Waybill(carrier=carrier, minute=minute, days=days, fate=fate, serial=serial)
                if serial < shape.serials
                else None
            )
    return None


# ---- check digits


def mod_10(digits: str) -> int:
    """Return the check digit with weights 3 and 1 from the right, as on USPS and FedEx Ground labels."""
    weighed = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -weighed % 10


def mod_10_of_ups(characters: str) -> int:
    """Return the check digit of UPS: letters count 2 to 9 and 0 in turn from A, every second character counts twice."""
    values = (int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in characters)
    return -sum(value * (2 if place % 2 else 1) for place, value in enumerate(values)) % 10


# ---- shapes


def _digits(prefix: str, count: int, check: Callable[[str], int] | None) -> Shape:
    """Return the shape: a prefix, digits, and perhaps a check digit."""

    def write(payload: int) -> str:
        body = f"{prefix}{payload:0{count}d}"
        return body if check is None else f"{body}{check(body)}"

    def read(number: str) -> int | None:
        body = number if check is None else number[:-1]
        digits = body[len(prefix) :]
        if not body.startswith(prefix) or len(digits) != count or not (digits.isascii() and digits.isdigit()):
            return None
        return int(digits) if write(int(digits)) == number else None

    return Shape(10**count, write, read)


def _ups() -> Shape:
    """Return the shape `1Z`, six letters or digits of the shipper, two of the service, seven of the parcel, one to check."""
    numbers = 10**9

    def write(payload: int) -> str:
        shipper, rest = divmod(payload, numbers)
        letters = ""
        for _ in range(6):
            shipper, digit = divmod(shipper, 36)
            letters = _BASE_36[digit] + letters
        body = f"{letters}{rest:09d}"
        return f"1Z{body}{mod_10_of_ups(body)}"

    def read(number: str) -> int | None:
        letters, rest = number[2:8], number[8:17]
        if (
            len(number) != len("1Z") + 16
            or not set(letters) <= set(_BASE_36)
            or not (rest.isascii() and rest.isdigit())
        ):
            return None
        payload = int(letters, 36) * numbers + int(rest)
        return payload if write(payload) == number else None

    return Shape(36**6 * numbers, write, read)


def _royal_mail() -> Shape:
    """Return the long shape of 21 characters; the short one (two letters, nine digits, GB) has no room for a description."""
    prefix, count = "0B", 19

    def write(payload: int) -> str:
        return f"{prefix}{payload:0{count}X}"

    def read(number: str) -> int | None:
        body = number[len(prefix) :]
        if not number.startswith(prefix) or len(body) != count or not set(body) <= set(_BASE_36[:16]):
            return None
        return int(body, 16)

    return Shape(16**count, write, read)


SHAPES: Mapping[str, Shape] = {
    "fedex": _digits("96", 19, mod_10),
    "ups": _ups(),
    "usps": _digits("94", 19, mod_10),
    "royal_mail": _royal_mail(),
    "dhl": _digits("JJD01", 19, None),
}
