"""What a verb is given, looked at before anything begins: each argument is of the kind that the verb's declaration says.

Otherwise a list where units by SKU are expected fails somewhere inside, as an `AttributeError` that names nothing, and perhaps late. What an
argument holds is looked at by the flow, which knows what it means. This module must not know any verb in particular.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from orderkit.errors import InvalidInput

_WORDS: dict[type, str] = {
    NoneType: "nothing",
    str: "a text",
    int: "a whole number",
    float: "a float",
    bool: "true or false",
    Decimal: "a decimal number",
    datetime: "a time",
    Mapping: "a mapping",
    Sequence: "a list",
}
TEXT_MAX = 10_000  # characters of a reason or a note: they are kept in the log for good
_CODES = {"key": "invalid_key", "amount": "invalid_money", "deduction_minor": "invalid_money"}  # where a code says more


@attrs.frozen
class Kind:
    """What an annotation lets in: classes, and the class of a list's elements. Without classes it lets in everything."""

    classes: tuple[type, ...] = ()
    element: type = object

    def check(self, value: object, name: str) -> None:
        """Refuse a value of another kind. Raises: `InvalidInput`, naming the argument, or the element of it."""
        if isinstance(value, str) and len(value) > TEXT_MAX:
            raise InvalidInput(f"a text has {TEXT_MAX} characters at most", code=_code(name), field=name)
        if type(value) in self.classes or not self.classes:
            return
        if not any(_fits(value, kind) for kind in self.classes):
            raise _refused(value, name, " or ".join(_word(kind) for kind in self.classes if kind is not NoneType))
        if _fits(value, Sequence) and isinstance(value, Sequence):
            for number, each in enumerate(value):
                if not isinstance(each, self.element):
                    raise _refused(each, f"{name}[{number}]", _word(self.element))


def kind_of(annotation: Any) -> Kind:
    """Return what an annotation lets in; into mappings nobody looks."""
    if annotation in (object, Any):
        return Kind()
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind_of(each) for each in get_args(annotation)]
        if not all(kind.classes for kind in kinds):
            return Kind()
        element = next((kind.element for kind in kinds if kind.element is not object), object)
        return Kind(tuple(dict.fromkeys(one for kind in kinds for one in kind.classes)), element)
    plain = get_origin(annotation) or annotation
    return Kind((plain,), get_args(annotation)[0] if plain is Sequence else object)


class Arguments:
    """The parameters of a verb, by what their annotations let in."""

    def __init__(self, declared: Callable[..., Any]) -> None:
        self._declared = declared

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        """By name, in order. Read when the verb is first called: that takes longer than to declare it."""
        hints = get_type_hints(self._declared)
        return {name: kind_of(hints[name]) for name in signature(self._declared).parameters}

    def check(self, args: Sequence[object], named: Mapping[str, object]) -> None:
        """Refuse what is of another kind than declared; how many there may be is for the call itself to say. Raises: `InvalidInput`."""
        kinds = self._kinds
        for (name, kind), value in zip(kinds.items(), args, strict=False):
            kind.check(value, name)
        for name, value in named.items():
            if name in kinds:
                kinds[name].check(value, name)


def _fits(value: object, kind: type) -> bool:
    """Whether it is one of these, and not only for Python: a text is no list, and true is no number."""
    if kind is Sequence:
        return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _word(kind: type) -> str:
    return _WORDS.get(kind) or f"{'an' if kind.__name__[0] in 'AEIOaeio' else 'a'} {kind.__name__}"


def _refused(value: object, name: str, expected: str) -> InvalidInput:
    return InvalidInput(f"{expected} is expected, not {_word(type(value))}", code=_code(name), field=name)


def _code(name: str) -> str:
    return _CODES.get(name, InvalidInput.default_code)
