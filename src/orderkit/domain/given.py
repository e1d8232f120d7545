"""What callers give, looked at where it comes in: a time has a zone, and a text is one that every store keeps.

A time without a zone means another moment on every machine, so it is refused. It is read as UTC only where nobody is left who could correct
it: in what was stored before, and in what a provider or carrier has told already. Values that are stored do not refuse anything by themselves,
since whatever was stored once must be read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from orderkit.domain.value import Misfit, as_dict, encoded, plain, read_again
from orderkit.errors import InvalidInput

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

REQUEST_MAX = 4_000_000  # bytes of a cart, or whatever else is asked for: a thousand lines of four kilobytes
NUMBER_MAX = 255  # characters of a tracking number: it is looked for in an index, whose entries are short
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UNSTORABLE = _NO_TEXT.search
_NUL = b"\\u0000"


def check_time(at: object, field: str) -> None:
    """Refuse what is no time with a zone, and one that is outside of the calendar in UTC. Raises: `InvalidInput`, naming the field."""
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidInput(f"{at!r} is no time with a zone; say datetime(..., tzinfo=timezone.utc)", field=field)
    try:
        at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{at.isoformat()} is outside of the years 1 to 9999 in UTC", field=field) from None


def in_utc(at: datetime) -> datetime:
    """Return the time; one without a zone is UTC."""
    return at.replace(tzinfo=UTC) if at.utcoffset() is None else at


def instant(text: str) -> datetime:
    """Return the time, in UTC, that a text with its zone spells. Raises: `ValueError`."""
    at = datetime.fromisoformat(text)
    if at.utcoffset() is None:
        raise ValueError(f"{text!r} has no zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside of the years 1 to 9999 in UTC") from error


def storable(text: object) -> bool:
    """Whether it is a text that every store keeps: without NUL, and without half of a surrogate pair."""
    return isinstance(text, str) and ("\0" not in text if text.isascii() else _UNSTORABLE(text) is None)


def mended(text: str) -> str:
    """Return the text with a mark in the place of everything that no store keeps: for what has happened and must be kept somehow."""
    return text if storable(text) else _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def one_of(kind: type[E], word: str, field: str) -> E:
    """Return the choice that a word spells, as in a form or a file. Raises: `InvalidInput`, naming the field and the choices."""
    try:
        return kind(word)
    except ValueError:
        raise InvalidInput(f"{word!r} is none of {', '.join(kind)}", field=field) from None


def check_text(text: object, field: str) -> None:
    """Refuse what is no text, and a text that not every store keeps. Raises: `InvalidInput`, naming the field."""
    if not isinstance(text, str):
        raise InvalidInput(f"a text is expected, not {type(text).__name__}", field=field)
    if not storable(text):
        raise _refused(field)


def check_number(number: object, field: str) -> None:
    """Refuse a tracking number that no carrier has. Raises: `InvalidInput`, naming the field."""
    if not isinstance(number, str) or len(number) > NUMBER_MAX:
        raise InvalidInput(f"a tracking number has {NUMBER_MAX} characters at most", field=field)


def kept(part: T, name: str, kind: type | None = None) -> T:
    """Return a part of a request as it will be read again once it is stored: a value of this kind, or several.

    Refused is such a text wherever in the part it is, and a value whose fields are not of their kinds: nobody could read it any more. Without a kind
    only texts are looked at. Ordinary requests are looked at as a whole, by writing them down and reading them once: that takes some microseconds
    where a walk takes ten times as many. Raises: `InvalidInput`, naming the field, or else the part.
    """
    several = kind is not None and isinstance(part, Sequence)
    given: Any = tuple(part) if several else part  # type: ignore[arg-type]  # a sequence, just seen
    try:
        written = _written(given)
        if (written is None or _NUL in written) and (found := _unstorable(given, name)) is not None:
            raise _refused(found)
    except RecursionError:
        raise InvalidInput("it goes too deep, or round in a circle", field=name) from None
    if written is not None and len(written) > REQUEST_MAX:
        raise InvalidInput(f"it has {len(written)} bytes; {REQUEST_MAX} are kept at most", field=name)
    if kind is None:
        return part
    if written is None:
        raise InvalidInput("what is in it cannot be written down", field=name)
    try:
        return read_again(given, written, kind, several=several)  # type: ignore[no-any-return]  # it is one of its kind
    except Misfit as error:
        what, where = error.args
        raise InvalidInput(what, field=where.removeprefix(".") if where.startswith(".") else name + where) from None


def as_sent(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what somebody else has sent as it will be read again, of whatever kinds it is: it has happened, so that only texts can refuse it.

    Raises: `InvalidInput`, naming the part.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput(f"data by name is expected, not {type(data).__name__}", field=name)
    written = _written(kept(data, name))
    if written is None:
        raise InvalidInput("what is in it cannot be written down", field=name)
    found: dict[str, Any] = plain(written)
    return found


def _written(part: object) -> bytes | None:
    """Return the bytes of a part; nothing of one with a surrogate, or with what is refused elsewhere: the walk finds out."""
    try:
        return encoded(part)
    except (TypeError, ValueError, OverflowError):
        return None


def _refused(field: str) -> InvalidInput:
    return InvalidInput("text with a NUL, or with half of a surrogate pair, is kept by no database", field=field)


def _unstorable(value: object, name: str) -> str | None:
    """Return the name of the field of the first such text."""
    if isinstance(value, str):
        return None if storable(value) else name
    parts: Iterable[tuple[str, object]]
    if isinstance(value, Mapping):
        parts = [(name, each) for pair in value.items() for each in pair]
    elif isinstance(value, (tuple, list, set, frozenset)):
        parts = [(name, each) for each in value]
    else:
        parts = as_dict(value).items()
    return next((found for inner, part in parts if (found := _unstorable(part, inner)) is not None), None)
