"""Values: frozen and compared by what they hold, however they came to be."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderkit.domain.order import Address, Order
from orderkit.domain.value import Value, as_dict, canonical, evolve, field, field_names
from orderkit.errors import InvalidInput
from orderkit.testing.samples import an_order


class Mug(Value):
    """A value with every kind of default."""

    color: str
    size: int = 3
    tags: list[str] = field(default_factory=list)


@attrs.frozen
class Cup:
    """A value of a host's, made with attrs."""

    color: str
    size: int = 3


def test_a_value_is_made_by_position_or_by_name() -> None:
    """With defaults where nothing is said, and with a new factory's value each time."""
    assert (Mug("red").size, Mug("red", 4).size, Mug(color="red").color) == (3, 4, "red")
    assert Mug("red").tags is not Mug("red").tags
    assert repr(Mug("red")) == "Mug(color='red', size=3, tags=[])"


@pytest.mark.parametrize("wrong", [{}, {"color": "red", "weight": 3}])
def test_missing_and_unknown_fields_are_refused(wrong: dict[str, Any]) -> None:
    """A field too few, or one that is not there, is a `TypeError`, when made and when changed."""
    with pytest.raises(TypeError):
        Mug(**wrong)
    with pytest.raises(TypeError):
        evolve(Mug("red"), weight=3)
    assert evolve(Mug("red"), color="blue").color == "blue"


@pytest.mark.parametrize(
    "again",
    [lambda order: evolve(order, version=order.version), copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))],
)
def test_a_value_is_frozen_however_it_came_to_be(again: Callable[[Order], Order]) -> None:
    """Changed, copied or unpickled: nothing can be set on it, and it is equal to what it was made from."""
    value = again(an_order())

    with pytest.raises(AttributeError):
        value.version = 7  # type: ignore[misc]  # that is the point
    assert value == an_order()
    assert type(value) is Order


@given(st.integers(), st.sampled_from(["placed", "confirmed", "cancelled"]), st.none() | st.text())
def test_to_evolve_changes_the_named_fields_only(version: int, state: str, reason: str | None) -> None:
    """Every other field is the very same object, and the old value is as it was."""
    before = an_order()
    changes: dict[str, Any] = {"version": version, "state": state, "reason": reason}
    after = evolve(before, **changes)

    assert as_dict(after) == as_dict(before) | changes
    assert after.facts is before.facts
    assert before == an_order()


def test_a_value_that_checks_itself_is_checked_when_it_is_changed() -> None:
    """An address without a street is refused, by whichever way it is made."""
    home = Address(street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
    with pytest.raises(InvalidInput, match="street"):
        evolve(home, street=" ")
    assert evolve(home, city="Bonn").city == "Bonn"


def test_values_of_a_host_are_known_by_their_fields_too() -> None:
    """Attrs classes are listed like the library's own; anything else has no fields."""
    assert (field_names(Mug), field_names(Cup), field_names(str)) == (
        ("color", "size", "tags"),
        ("color", "size"),
        None,
    )
    assert as_dict(Cup("red")) == {"color": "red", "size": 3}


@given(st.dictionaries(st.integers() | st.text("123"), st.frozensets(st.text("ab"))))
def test_canonical_bytes_do_not_depend_on_any_order(units: dict[int | str, frozenset[str]]) -> None:
    """A mapping and its reverse, with their sets made anew, are the same bytes; one entry more is not."""
    again = {number: frozenset(sorted(tags, reverse=True)) for number, tags in reversed(units.items())}

    assert canonical(("return", again)) == canonical(("return", units))
    assert canonical(("return", {**units, "more": frozenset()})) != canonical(("return", units))


def test_canonical_bytes_tell_values_apart() -> None:
    """A number is not its text, nothing is not an empty text, and every field counts."""
    forms = [1, "1", None, "", True, (1,), Mug("red"), Mug("blue"), Mug("red", 4), Cup("red"), {"1": 1}]

    assert len({canonical(form) for form in forms}) == len(forms)
    assert canonical({1: 2}) != canonical({"1": 2})
    assert canonical(date(2026, 3, 3)) == b'"2026-03-03"'


@pytest.mark.parametrize("unwritable", ["\ud800", {"MUG": "\udfff"}, {1, "one"}], ids=["text", "inside", "mixed set"])
def test_what_cannot_be_written_down_is_refused(unwritable: object) -> None:
    """Whoever sent it is told, before anything happens."""
    with pytest.raises(InvalidInput, match="cannot be written down") as refusal:
        canonical(unwritable)
    assert refusal.value.field == "request"
