"""A pytest plugin for hosts: a scenario of their own flows and adapters, crashed at every point.

Turn it on with `pytest_plugins = ["orderkit.testing.plugin"]` in the top `conftest.py`, and ask for the fixtures:

    def test_my_checkout_survives_every_crash(every_crash_point):
        every_crash_point(Scenario(name="checkout", about="…", people=my_people, payments=MyPayments))

Each fixture runs the scenario in a fresh world for every fault, heals it, and fails with the story of the first run that broke something. What
it returns says how many runs there were, so that a test can hold that number too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest

from orderkit.testing.sim.exhausting import Enumerated, crash_pairs, crashes, singles
from orderkit.testing.sim.faults import Drawn, Fault
from orderkit.testing.sim.running import Outcome, run
from orderkit.testing.sim.scenes import Scenario
from orderkit.testing.sim.shrinking import shrunk
from orderkit.testing.sim.stories import told

Enumerate: TypeAlias = Callable[[Scenario], Enumerated]


@pytest.fixture
def every_crash_point() -> Enumerate:
    """Crash every process before and after each of its effects, once in every run."""
    return lambda scenario: _held(scenario, ((fault,) for fault in crashes(scenario)))


@pytest.fixture
def every_crash_pair() -> Enumerate:
    """Crash twice: at every pair of points."""
    return lambda scenario: _held(scenario, crash_pairs(scenario))


@pytest.fixture
def every_single_fault() -> Enumerate:
    """Plant every kind of fault at every effect: crashes, lost answers, delays, pauses, repeats, clocks that are off."""
    return lambda scenario: _held(scenario, ((fault,) for fault in singles(scenario)))


@pytest.fixture
def many_seeds() -> Callable[[Scenario, int], Enumerated]:
    """Play the scenario under the faults of so many seeds."""

    def play(scenario: Scenario, count: int = 100) -> Enumerated:
        found = Enumerated(scenario.name)
        for seed in range(count):
            _add(found, scenario, run(scenario, seed, Drawn.by(seed)))
        return found

    return play


def _held(scenario: Scenario, runs: Iterable[tuple[Fault, ...]]) -> Enumerated:
    """Run the scenario without faults, then under each; the first that breaks something fails the test."""
    found = Enumerated(scenario.name)
    _add(found, scenario, run(scenario, traced=True))
    for faults in runs:
        _add(found, scenario, run(scenario, faults=faults))
    return found


def _add(found: Enumerated, scenario: Scenario, outcome: Outcome) -> None:
    found.add(outcome)
    if not outcome.holds:
        pytest.fail(told(shrunk(scenario, outcome)), pytrace=False)
