"""Whether an event is what its type says: for the laws of lives, and for the tests of the table itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orderkit.domain.event_types import EVENT_TYPES, FIELDS
from orderkit.domain.events import Event


def strange(event: Event) -> Iterator[str]:
    """Yield what is wrong with an event: an unknown type, a field too many or too few, a name that nobody explains."""
    kind = EVENT_TYPES.get(event.type)
    if kind is None:
        yield f"{event.type}, which is no known type"
        return
    names, always = set(event.data), set(kind.data)
    if missing := always - names:
        yield f"{event.type} without {', '.join(sorted(missing))}"
    if more := names - always - set(kind.perhaps):
        yield f"{event.type} with {', '.join(sorted(more))}"
    if unexplained := set(_names(event.data)) - set(FIELDS):
        yield f"{event.type} with {', '.join(sorted(unexplained))}, which nobody explains"


def _names(value: Any) -> Iterator[str]:
    """Yield the names in data, those inside lists too; what is counted by number has none."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if not str(name).isdigit():
                yield name
                yield from _names(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _names(each)
