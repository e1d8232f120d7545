"""The named scenarios: what each comes to without a fault, and that no single fault, and no seed, breaks what must hold."""

from __future__ import annotations

import pytest

from orderkit.testing.sim import exhausting, scenarios
from orderkit.testing.sim.running import run
from orderkit.testing.sim.scenes import Scenario
from tests.sim.played import played

QUICK = (
    "placement",
    "declined",
    "out-of-stock",
    "in-doubt",
    "gift-card-declined",
    "cancel-during-payment",
    "amend-declined",
    "short-ship",
)


def test_there_are_scenarios_enough() -> None:
    """At least fifteen stories have a name, and five of them are played under every pair of crashes."""
    names = [scenario.name for scenario in scenarios.ALL]

    assert len(names) == len(set(names)) >= 15
    assert len(scenarios.CORE) >= 5
    assert set(scenarios.CORE) <= set(names)


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.name)
def test_a_scenario_plays_to_its_end(scenario: Scenario) -> None:
    """Without faults every invariant holds, everybody comes to the end of the script, and there is something to crash."""
    world, people = played(scenario)

    assert world.witness.violations == []
    assert [person.name for person in people if not person.finished] == []
    assert world.gates >= 28


@pytest.mark.parametrize(
    ("name", "state", "units"),
    [
        ("placement", "confirmed", {"reserved": 1}),
        ("declined", "payment_failed", {"unallocated": 1}),
        ("out-of-stock", "cancelled", {"cancelled": 99}),
        ("in-doubt", "confirmed", {"reserved": 1}),
        ("unsent", "confirmed", {"reserved": 1}),
        ("pay-again", "confirmed", {"reserved": 1}),
        ("gift-card-declined", "payment_failed", {"unallocated": 2}),
        ("cancel", "cancelled", {"cancelled": 2}),
        ("two-editors", "confirmed", {"reserved": 1, "cancelled": 2}),
        ("reservation-expiry", "confirmed", {"reserved": 1}),
        ("payment-abandoned", "cancelled", {"cancelled": 1}),
        ("short-ship", "confirmed", {"reserved": 1, "cancelled": 1}),
        ("return", "confirmed", {"delivered": 2, "restocked": 1}),
        ("backorder", "confirmed", {"reserved": 2}),
    ],
)
def test_a_scenario_tells_its_story(name: str, state: str, units: dict[str, int]) -> None:
    """The story ends as its name says: no script stops at a refusal that nobody expected."""
    world, people = played(scenarios.named(name))
    (order,) = world.witness.latest.values()

    assert [person.refusal for person in people if person.refusal] == []
    assert (order.state, order.lines[0].quantities()) == (state, units)


@pytest.mark.parametrize("name", QUICK)
def test_no_single_fault_breaks_a_scenario(name: str) -> None:
    """Every kind of fault at every effect: the invariants hold in every run."""
    found = exhausting.every_single(scenarios.named(name))

    assert found.failures == []
    assert found.runs > 100


def test_no_pair_of_crashes_breaks_a_placement() -> None:
    """A hundred pairs of crashes, spread over all of them, and the order is still one, paid once, and told about."""
    scenario = scenarios.named("placement")
    pairs = list(exhausting.crash_pairs(scenario))
    broken = [pair for pair in pairs[:: len(pairs) // 100] if not run(scenario, faults=pair).holds]

    assert broken == []
    assert len(pairs) > 1_000
