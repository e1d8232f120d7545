"""The compiled lifecycles and the real `transitions` machine agree on every state and trigger."""

from __future__ import annotations

import pytest
from transitions import MachineError

from orderkit.diagrams import machine, mermaid
from orderkit.domain.lifecycle import LIFECYCLES, ORDER, Lifecycle
from orderkit.errors import NotAllowed

PAIRS = [
    pytest.param(lifecycle, state, trigger, id=f"{lifecycle.name}:{state}:{trigger}")
    for lifecycle in LIFECYCLES.values()
    for state in lifecycle.states
    for trigger in sorted({row["trigger"] for row in lifecycle.transitions})
]


class Model:
    """What `transitions` moves."""

    state: str


@pytest.mark.parametrize(("lifecycle", "state", "trigger"), PAIRS)
def test_a_step_is_what_transitions_does(lifecycle: Lifecycle, state: str, trigger: str) -> None:
    """Compiled table and oracle give the same state, or both refuse."""
    oracle, model = machine(lifecycle), Model()
    oracle.add_model(model, initial=state)
    try:
        model.trigger(trigger)  # type: ignore[attr-defined]
        expected = model.state
    except MachineError:
        expected = "refused"

    try:
        actual = lifecycle.step(state, trigger)
    except NotAllowed as error:
        actual = "refused"
        assert error.facts["state"] == state

    assert actual == expected


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_every_state_is_reachable(lifecycle: Lifecycle) -> None:
    """No state of a table is unreachable from the first."""
    reached, frontier = {lifecycle.initial}, [lifecycle.initial]
    while frontier:
        state = frontier.pop()
        following = {dest for (source, _), dest in lifecycle.table.items() if source == state} - reached
        reached |= following
        frontier += following

    assert reached == set(lifecycle.states)


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_final_states_lead_nowhere(lifecycle: Lifecycle) -> None:
    """A state is flagged final exactly when no trigger leaves it."""
    without_exit = {state for state in lifecycle.states if not any(lifecycle.triggers(state))}

    assert {state for state, flags in lifecycle.states.items() if flags.final} == without_exit


def test_flags_say_what_the_rows_allow() -> None:
    """An order is cancellable exactly where the table lets it be cancelled, and keeps its stock until it failed or ended."""
    assert {state for state, flags in ORDER.states.items() if flags.cancellable} == {
        state for state in ORDER.states if ORDER.allows(state, "cancel")
    }
    assert {state for state, flags in ORDER.states.items() if not flags.reserves_stock} == {
        "payment_failed",
        "cancelled",
    }


def test_the_diagram_shows_every_transition() -> None:
    """The picture that `transitions` draws holds every pair of the table."""
    drawn = mermaid(LIFECYCLES["shipment"])

    assert all(f"{source} --> {dest}" in drawn for source, dest in LIFECYCLES["shipment"].pairs())
