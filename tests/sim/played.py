"""A scenario played, without faults or with some, with the world and the people in reach of the test."""

from __future__ import annotations

from orderkit.testing.sim import running
from orderkit.testing.sim.faults import Fault
from orderkit.testing.sim.people import Person
from orderkit.testing.sim.scenes import Scenario
from orderkit.testing.sim.world import World


def played(scenario: Scenario, *faults: Fault) -> tuple[World, list[Person]]:
    """Play it to its end and audit it."""
    stage = running.staged(scenario, 0, faults)
    running.performed(stage)
    return stage.world, stage.people
