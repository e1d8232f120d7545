"""Lifecycles as pictures, drawn by `transitions` from the very tables that the library runs on."""

from __future__ import annotations

from typing import Any

from orderkit.domain.lifecycle import Lifecycle


def machine(lifecycle: Lifecycle) -> Any:
    """Return a real `transitions` machine of the lifecycle, without a model: the oracle of the tests and the source of the pictures."""
    from transitions import Machine  # noqa: PLC0415  (heavy, and only here)

    return Machine(
        model=None,
        states=list(lifecycle.states),
        transitions=[dict(row) for row in lifecycle.transitions],
        initial=lifecycle.initial,
        auto_transitions=False,
    )


def mermaid(lifecycle: Lifecycle) -> str:
    """Return the lifecycle as a mermaid state diagram: its arrows, without the colors that a running machine would have."""
    from transitions.extensions import GraphMachine  # noqa: PLC0415  (heavy, and only here)

    class Model:
        """What `transitions` wants to draw for."""

    model = Model()
    GraphMachine(
        model=model,
        states=list(lifecycle.states),
        transitions=[dict(row) for row in lifecycle.transitions],
        initial=lifecycle.initial,
        auto_transitions=False,
        graph_engine="mermaid",
    )
    drawn: str = model.get_graph().source  # type: ignore[attr-defined]  # put there by GraphMachine
    *arrows, first = (line.strip() for line in drawn.splitlines() if "-->" in line)
    return "\n".join(("stateDiagram-v2", "  direction LR", *(f"  {arrow}" for arrow in (first, *arrows))))
