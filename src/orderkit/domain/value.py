"""Values: frozen, compared by what they hold, and made in a tenth of the time that a Python class takes.

Placing an order makes a hundred values and changes thirty, so what one costs decides how many orders a core can place. `Value` is a
`msgspec.Struct`: filled in C, as frozen as any value must be, and read and written by the codec without a description of its own. The collector of
cycles does not look at values, because what is only ever made of what was there before has no cycles. This module must not know any class in
particular, nor how values are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, dataclass_transform

import attrs
from msgspec import Struct, ValidationError, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import force_setattr, replace

from orderkit.errors import InvalidInput

__all__ = [
    "Misfit",
    "Value",
    "as_dict",
    "canonical",
    "corrected",
    "encoded",
    "evolve",
    "field",
    "field_names",
    "plain",
    "read_again",
]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True, gc=False):
    """The base of every value of the domain and of every effect. A `__post_init__` may refuse what it is made of."""


evolve = replace  # the value with the named fields changed; the codec's own function, since a call more is a third of what it takes
corrected = force_setattr  # sets a field of a value that is still being made: for a `__post_init__` and nobody else


def field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of the fields of a class of values, in order, or `None` if it is no such class."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return tuple([each.name for each in attrs.fields(kind)]) if attrs.has(kind) else None


def as_dict(value: Any) -> dict[str, Any]:
    """Return the fields of a value by name, as they are."""
    return {name: getattr(value, name) for name in field_names(type(value)) or ()}


def canonical(value: object) -> bytes:
    """Return the bytes of values, collections and whatever else has a text: equal on every machine, whatever order a set or a mapping has.

    Raises: `InvalidInput` for what has no bytes, such as text that UTF-8 does not hold.
    """
    try:
        return _canonical(_pairs(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"what is asked for cannot be written down: {error}", field="request") from error


def _pairs(value: object) -> object:
    """Return mappings as sorted pairs, since the codec writes those by text only: line 1 is not the SKU `"1"`."""
    if isinstance(value, (str, Struct)):  # nearly everything that is asked for
        return value
    if isinstance(value, Mapping):
        pairs = [(key if type(key) in (str, int) else str(key), _pairs(each)) for key, each in value.items()]
        return sorted(pairs, key=lambda pair: (type(pair[0]).__name__, pair[0]))
    return [_pairs(each) for each in value] if isinstance(value, (tuple, list)) else value


def _unknown(value: object) -> object:
    return _pairs(value) if isinstance(value, Mapping) else str(value)


class Misfit(Exception):
    """A value with a field that is not of its kind."""


def read_again(part: Any, written: bytes, kind: type, *, several: bool = False) -> Any:
    """Return a value of this kind, or several, as its bytes tell it: with an enumeration's member where its text was given.

    Raises: `Misfit` for one that is not what it was, or none of this kind: bytes of Python's own, say, are read as a text.
    """
    try:
        again = _reader(kind, several=several)(written)
    except ValidationError as error:
        what, _, where = str(error).rstrip("`").partition(" - at `$")
        raise Misfit(what[:1].lower() + what[1:], where) from None
    if again != part and (found := _difference(part, again)) is not None:
        raise Misfit(*found)
    return again


def _difference(part: Any, again: Any) -> tuple[str, str] | None:
    """Return how a value and what was read from its bytes differ, and where first; nothing where they mean the same."""
    if part == again and not isinstance(part, Struct):
        return None
    if isinstance(part, datetime) and isinstance(again, datetime) and part.utcoffset() == again.utcoffset():
        return None  # in an hour of which a zone has two, a time is equal to none of another zone, not even to itself
    pairs: list[tuple[str, Any, Any]] | None = None
    if isinstance(part, type(again)) and (names := field_names(type(again))):
        pairs = [(f".{name}", getattr(part, name), getattr(again, name)) for name in names]
    elif isinstance(again, tuple) and isinstance(part, Sequence):
        pairs = [(f"[{n}]", *pair) for n, pair in enumerate(zip(part, again, strict=True))]
    elif isinstance(part, Mapping) and isinstance(again, Mapping) and part.keys() == again.keys():
        pairs = [(f".{name}", part[name], again[name]) for name in part]
    elif isinstance(part, (list, tuple, set)) and isinstance(again, (frozenset, tuple)) and set(again) == set(part):
        pairs = []
    if pairs is None:
        same = type(part) is type(again)
        return (
            "what is in it cannot be kept as it is"
            if same
            else f"expected `{type(again).__name__}`, got `{type(part).__name__}`",
            "",
        )
    for where, inner, read in pairs:
        if inner != read and (found := _difference(inner, read)) is not None:
            return found[0], where + found[1]
    return None


@cache
def _reader(kind: type, *, several: bool) -> Callable[[bytes], object]:
    return Decoder(tuple[kind, ...] if several else kind).decode  # type: ignore[valid-type]  # known only here


_canonical = Encoder(order="deterministic", enc_hook=_unknown).encode
plain: Callable[[bytes], Any] = Decoder().decode  # what bytes tell by themselves
encoded = Encoder(
    enc_hook=lambda value: dict(value) if isinstance(value, Mapping) else str(value)
).encode  # the bytes of whatever it is, in any order: to look at, not to keep
