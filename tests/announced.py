"""Whether an event is what its type says: for the laws of lives, and for the tests of the table itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orderkit.domain.event_types import EVENT_TYPES, FIELDS, FieldKind
from orderkit.domain.events import Event


def _a_number(value: Any) -> bool:
    return type(value) is int


def _a_time(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is UTC


def _some_units(value: Any) -> bool:
    return isinstance(value, Mapping) and all(str(n).isdigit() and _a_number(q) and q > 0 for n, q in value.items())


_IS: Mapping[FieldKind, Callable[[Any], bool]] = {
    FieldKind.TEXT: lambda value: isinstance(value, str),
    FieldKind.COUNT: _a_number,
    FieldKind.MINOR: lambda value: _a_number(value) and value >= 0,
    FieldKind.TIME: _a_time,
    FieldKind.UNITS: _some_units,
    FieldKind.LIST: lambda value: isinstance(value, (list, tuple)),
}


def strange(event: Event) -> Iterator[str]:
    """Yield what is wrong with an event: an unknown type, a field too many or too few, one that is not what its name says."""
    kind = EVENT_TYPES.get(event.type)
    if kind is None:
        yield f"{event.type}, which is no known type"
        return
    names, always = set(event.data), set(kind.data)
    if missing := always - names:
        yield f"{event.type} without {', '.join(sorted(missing))}"
    if more := names - always - set(kind.perhaps):
        yield f"{event.type} with {', '.join(sorted(more))}"
    for name in sorted(names & set(FIELDS)):
        yield from (f"{event.type} with {said}" for said in _unlike(name, event.data[name]))


def _unlike(name: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with a field; of the parts of a list its explanation names each name."""
    field = FIELDS[name]
    if value is None and field.none:
        return
    if not _IS[field.kind](value):
        yield f"{name} {value!r}, which is no {field.kind}"
    elif field.kind is FieldKind.LIST:
        inside = {inner for part in value if isinstance(part, Mapping) for inner in part}
        yield from (f"{name} of {inner}, which nobody explains" for inner in inside if f"`{inner}`" not in field.says)
