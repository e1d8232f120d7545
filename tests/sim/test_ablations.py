"""The test of the tester: whatever safeguard is taken away is missed, and the failure shrinks to a story that a person can follow."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from orderkit.testing.sim import ablations, campaigns
from orderkit.testing.sim.ablations import Ablation
from orderkit.testing.sim.faults import Drawn, Fault, FaultKind, Place
from orderkit.testing.sim.running import run
from orderkit.testing.sim.scenarios import named
from orderkit.testing.sim.shrinking import shrunk
from orderkit.testing.sim.stories import told
from orderkit.testing.sim.workload import drawn

SEEDS = 100  # five times sooner than promised


def test_there_are_safeguards_enough() -> None:
    """At least fifteen safeguards can be taken away, each under a name of its own."""
    assert len(ablations.BY_NAME) == len(ablations.ALL) >= 15


@pytest.mark.parametrize("ablation", ablations.ALL, ids=lambda ablation: ablation.name)
def test_a_safeguard_that_is_gone_is_missed(ablation: Ablation) -> None:
    """Within a hundred seeds somebody notices."""
    (caught,) = campaigns.ablated([ablation.name], count=SEEDS)

    assert caught.seed is not None
    assert caught.invariant


def test_a_failure_shrinks_to_the_fault_that_matters() -> None:
    """Without fencing, dozens of faults shrink to at most three, which together outlast a lease.

    Some seed's failure is a coincidence of many faults, so the first three that fail are tried.
    """
    unfenced = ablations.BY_NAME["fencing"].apply
    runs = (run(drawn(seed), seed, Drawn.by(seed), ablate=unfenced) for seed in range(SEEDS))
    found = [
        (failing, shrunk(drawn(failing.seed), failing, ablate=unfenced))
        for failing in islice((outcome for outcome in runs if not outcome.holds), 3)
    ]
    failing, least = min(found, key=lambda pair: len(pair[1].faults))

    assert least.violations[0].invariant == failing.violations[0].invariant == "fencing"
    assert 1 <= len(least.faults) <= 3 < len(failing.faults)
    assert sum(fault.lasts for fault in least.faults) > 20_000_000


def test_a_story_names_what_went_wrong_and_where() -> None:
    """In doubt taken for a failure: one lost answer is enough, and the story shows it in its place."""
    careless = ablations.BY_NAME["doubt"].apply
    scenario = named("placement")
    place = next(p for p in run(scenario, traced=True).places if p[1] == "MoveMoney")
    failing = run(scenario, faults=[Fault(Place(*place), FaultKind.LOST)], ablate=careless, traced=True)
    story = told(failing, "orderkit simulate …")

    assert "payment_failed, but the bank has 1250" in story
    assert f"{'/'.join(map(str, place))}: done, but the answer is lost" in story
    assert re.search(r"\* +[\d.]+ +api-\d +MoveMoney 1 → Confirmed", story)
    assert story.endswith("again: orderkit simulate …")


def test_a_failure_without_faults_shrinks_to_none() -> None:
    """What is wrong without any fault is told without any."""
    believing = ablations.BY_NAME["refund-asked"].apply
    scenario = named("cancel")
    lost = Fault(Place("worker-1", "Index", 1), FaultKind.LOST)
    least = shrunk(scenario, run(scenario, faults=[lost], ablate=believing), ablate=believing)

    assert least.faults == ()
    assert "without any fault" in told(least)
