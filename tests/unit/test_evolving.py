"""Swift classes: made and changed fast, and in everything else what `attrs.frozen` made of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderkit.domain.evolving import evolve, swift
from orderkit.domain.order import Address, Order
from orderkit.testing.samples import an_order


@swift
@attrs.frozen(weakref_slot=False)
class Mug:
    """A value with every kind of default."""

    color: str
    size: int = 3
    tags: list[str] = attrs.field(factory=list)
    kind: str = attrs.field(default="mug", kw_only=True)


def test_a_swift_class_is_made_as_attrs_would_make_it() -> None:
    """By position, by name, with defaults and with a new factory's value each time."""
    assert (Mug("red").size, Mug("red", 4).size, Mug(color="red", kind="cup").kind) == (3, 4, "cup")
    assert Mug("red").tags is not Mug("red").tags
    assert repr(Mug("red")) == "Mug(color='red', size=3, tags=[], kind='mug')"


@pytest.mark.parametrize("wrong", [{}, {"color": "red", "weight": 3}])
def test_missing_and_unknown_fields_are_refused(wrong: dict[str, Any]) -> None:
    """A field too few, or one that is not there, is a `TypeError`, when made and when changed."""
    with pytest.raises(TypeError):
        Mug(**wrong)
    with pytest.raises(TypeError):
        evolve(Mug("red"), weight=3)
    assert evolve(Mug("red"), color="blue").color == "blue"


def test_a_swift_value_is_frozen_however_it_came_to_be() -> None:
    """Made, changed, copied or unpickled: nothing can be set on it, and it is equal to what it was made from."""
    order = an_order()
    for value in (order, evolve(order, version=order.version), copy.deepcopy(order), pickle.loads(pickle.dumps(order))):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.version = 7
        assert value == order
        assert type(value) is Order


@given(st.integers(), st.sampled_from(["placed", "confirmed", "cancelled"]), st.none() | st.text())
def test_to_evolve_is_what_attrs_does(version: int, state: str, reason: str | None) -> None:
    """The same fields changed give an equal value, and the old one is as it was."""
    before = an_order()
    changes: dict[str, Any] = {"version": version, "state": state, "reason": reason}

    assert evolve(before, **changes) == attrs.evolve(before, **changes)
    assert hash(evolve(before.lines[0], ordered=9)) == hash(attrs.evolve(before.lines[0], ordered=9))
    assert before == an_order()


def test_a_class_that_checks_its_fields_is_evolved_by_attrs() -> None:
    """An address without a street is refused, by whichever way it is made."""
    home = Address(street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
    with pytest.raises(Exception, match="street"):
        evolve(home, street=" ")
    assert evolve(home, city="Bonn").city == "Bonn"


def test_what_cannot_be_swift_is_refused_at_once() -> None:
    """A class that checks its fields would not be checked, and one with weak references cannot change places with a twin."""
    with pytest.raises(TypeError, match="checks or converts"):
        swift(Address)
    with pytest.raises(TypeError, match="weakref_slot=False"):
        swift(attrs.make_class("Cup", ["color"], frozen=True, slots=True))
    assert Address(street="a", city="b", zip="c", country="DE").street == "a"
