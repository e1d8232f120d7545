"""Gates: what the variable may say, at which passage a process dies, and that nothing is there without it."""

from __future__ import annotations

from typing import Any

import pytest

from orderkit.errors import Misconfigured
from orderkit.ports.clock import Now
from orderkit.ports.store import Commit, Load
from orderkit.runtime.bindings import Handlers
from orderkit.runtime.gates import CRASH_AT, GATES, Gate, gated, named_gate, operation
from tests.shops import a_cart, a_world


class Died(BaseException):
    """Instead of the end of the process."""


def deadly(text: str) -> Gate:
    """Return a gate that raises instead of ending the process."""

    def die() -> None:
        raise Died

    gate = Gate.parse(text)
    gate.die = die
    return gate


def handlers(asked: list[Any]) -> Handlers:
    """Return handlers that write down what they were asked."""
    return Handlers(
        {Load: asked.append, Now: asked.append}, {Load: lambda effects: asked.extend(effects) or list(effects)}
    )


def test_without_the_variable_the_handlers_are_the_same() -> None:
    """Nothing is put around anything."""
    given = handlers([])

    assert named_gate({}) is None
    assert gated(given, None) is given


def test_every_effect_has_a_gate_before_and_after_it() -> None:
    """Named as the effect is, in small letters."""
    assert operation(Commit) == "commit"
    assert {"commit:before", "commit:after", "move_money:before", "take_outbox:after", "now:before"} <= set(GATES)
    assert len(GATES) == len(set(GATES))


@pytest.mark.parametrize("text", ["commit", "commit:during:1", "nonsense:before:1", "commit:after:0", "commit:after:x"])
def test_a_gate_that_is_none_is_told(text: str) -> None:
    """A typing mistake is an error when the shop opens, not a process that never dies."""
    with pytest.raises(Misconfigured) as told:
        named_gate({CRASH_AT: text})

    assert told.value.field == CRASH_AT


def test_it_dies_at_the_passage_that_is_named_before_anything_happened() -> None:
    """The first one passes; the second is not asked any more."""
    asked: list[Any] = []
    found = gated(handlers(asked), deadly("load:before:2"))
    found.one[Load](Load("order-1"))

    with pytest.raises(Died):
        found.one[Load](Load("order-2"))
    assert asked == [Load("order-1")]


def test_it_dies_after_everything_happened() -> None:
    """The effect is done, and nobody gets its answer; other effects pass."""
    asked: list[Any] = []
    found = gated(handlers(asked), deadly("load:after:1"))
    found.one[Now](Now())

    with pytest.raises(Died):
        found.one[Load](Load("order-1"))
    assert asked == [Now(), Load("order-1")]


def test_many_effects_pass_one_by_one() -> None:
    """A batch that holds the named passage dies as a whole."""
    asked: list[Any] = []
    found = gated(handlers(asked), deadly("load:before:4"))
    found.many[Load]([Load("order-1"), Load("order-2")])

    with pytest.raises(Died):
        found.many[Load]([Load("order-3"), Load("order-4")])
    assert asked == [Load("order-1"), Load("order-2")]


def test_a_shop_obeys_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process ends as if it had been killed, between two effects of a flow."""
    ended: list[int] = []

    def end(status: int) -> None:
        ended.append(status)
        raise Died

    monkeypatch.setenv(CRASH_AT, "move_money:after:1")
    monkeypatch.setattr("orderkit.runtime.gates.os._exit", end)
    world = a_world()

    with pytest.raises(Died):
        world.shop.place(a_cart(), "pm_visa")
    assert ended == [137]
    assert len(world.bank.moved) == 1
