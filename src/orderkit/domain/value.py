"""Values: frozen, compared by what they hold, and made in a tenth of the time that a Python class takes.

Placing an order makes a hundred values and changes thirty, so what one costs decides how many orders a core can place. `Value` is a
`msgspec.Struct`: filled in C, as frozen as any value must be, and read and written by the codec without a description of its own. The collector of
cycles does not look at values, because what is only ever made of what was there before has no cycles. This module must not know any class in
particular, nor how values are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, dataclass_transform

import attrs
from msgspec import Struct, ValidationError, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import force_setattr, replace

from orderkit.errors import InvalidInput

__all__ = ["Value", "as_dict", "canonical", "corrected", "encoded", "evolve", "field", "field_names", "misfit"]


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


def misfit(written: bytes, kind: type[Value], *, several: bool = False) -> tuple[str, str] | None:
    """Return what is wrong with the bytes of a value, or of several, that should be of this kind, and where: `.lines[0].name`."""
    try:
        _reader(kind, several=several)(written)
    except ValidationError as error:
        what, _, where = str(error).rstrip("`").partition(" - at `$")
        return what[:1].lower() + what[1:], where
    return None


@cache
def _reader(kind: type[Value], *, several: bool) -> Callable[[bytes], object]:
    return Decoder(tuple[kind, ...] if several else kind).decode  # type: ignore[valid-type]  # known only here


_canonical = Encoder(order="deterministic", enc_hook=_unknown).encode
encoded = Encoder(enc_hook=_unknown).encode  # the bytes of whatever it is, in any order: to look at, not to keep
