"""The table of events and the code that tells them agree, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from orderkit.domain.event_types import EVENT_TYPES, FIELDS
from orderkit.domain.events import Event
from orderkit.domain.messages import MESSAGES
from tests.announced import strange
from tests.architecture.tree import ROOT

TYPE = re.compile(r"(order|line|shipment|payment|charge|authorization|capture|refund|return)\.[a-z_]+")
TABLES = {"event_types.py", "messages.py"}


def told_types() -> Iterator[str]:
    """Yield what looks like the type of an event in the domain's code."""
    for path in (ROOT / "src/orderkit/domain").glob("*.py"):
        if path.name not in TABLES:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and TYPE.fullmatch(node.value):
                    yield node.value


def test_what_is_told_is_in_the_table_and_nothing_else() -> None:
    """A new type is announced before it is told; a type that nobody tells any more is not announced."""
    assert set(told_types()) == set(EVENT_TYPES)


def test_each_field_is_explained_and_each_explanation_used() -> None:
    """A name means one thing in all events."""
    assert {name for kind in EVENT_TYPES.values() for name in (*kind.data, *kind.perhaps)} == set(FIELDS)


def test_messages_are_sent_for_events_that_exist() -> None:
    """A name that is mistyped would never be sent."""
    assert set(MESSAGES) <= set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event("order.held", {"hold": "H1", "reason": "fraud"}), []),
        (Event("order.amended", {"what": "lines", "added": [4], "difference_minor": 0}), []),
        (Event("order.hold"), ["order.hold, which is no known type"]),
        (Event("order.held", {"hold": "H1"}), ["order.held without reason"]),
        (Event("order.attended", {"finding": "parked", "who": "me"}), ["order.attended with who"]),
        (Event("return.requested", {"return": "R1", "items": [{"color": "red"}]}), ["items of color"]),
        (Event("order.amendment_paid", {"saga": 7}), ["saga 7, which is no text"]),
        (Event("line.backordered", {"line": True, "sku": "MUG", "quantity": 1}), ["line True, which is no number"]),
        (Event("order.reservation_extended", {"until": "2026-03-04T23:00:00+09:00"}), ["which is no ISO 8601 in UTC"]),
        (Event("line.allocated", {"units": {"1": 0}}), ["which is no units by number"]),
        (Event("capture.requested", {"operation": "O1", "amount_minor": -1, "shipment": None}), ["which is no minor"]),
        (Event("order.held", {"hold": None, "reason": "fraud"}), ["hold None, which is no text"]),
    ],
)
def test_a_strange_event_is_noticed(event: Event, said: list[str]) -> None:
    """The laws of the lives see it."""
    found = list(strange(event))
    assert len(found) == len(said)
    assert all(word in text for word, text in zip(said, found, strict=True))
