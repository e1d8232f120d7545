"""`orderkit simulate`: what it plays, what it says, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result

from orderkit.cli.main import root
from orderkit.testing.sim import campaigns
from orderkit.testing.sim.running import run
from orderkit.testing.sim.scenarios import named
from orderkit.testing.sim.storage import Storage
from tests.runner import Runner


def simulate(*arguments: str) -> Result:
    """Run the command in one process."""
    return Runner().invoke(root, ["simulate", "--quiet", "--jobs", "1", *arguments])


def said(result: Result) -> Any:
    """Return what the command answered as JSON."""
    return json.loads(result.stdout)


@pytest.fixture
def broken_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store promises what is not there: a fault in an adapter, as a simulation would find it."""
    monkeypatch.setattr(Storage, "_short", lambda self, commit: ())


def test_seeds_that_hold_end_well() -> None:
    """Ten seeds are played and counted; the same call gives the same fingerprint."""
    first, again = simulate("--seeds", "10", "--format", "json"), simulate("--seeds", "10", "--format", "json")

    assert first.exit_code == 0
    assert said(first)["runs"][0]["runs"] == 10
    assert said(first)["runs"][0]["fingerprint"] == said(again)["runs"][0]["fingerprint"]


def test_a_violation_ends_with_status_one_and_a_story(broken_store: None) -> None:
    """What broke, in which seed, by which faults: shrunk, since a fault has no part in it."""
    result = simulate("--scenario", "last-unit", "--shrink")

    assert result.exit_code == 1
    assert "oversold: MUG at berlin: 2 are promised of 1" in result.stdout
    assert "without any fault" in result.stdout


def test_a_campaign_with_a_violation_ends_with_status_one(broken_store: None) -> None:
    """The table counts the broken runs, and the first are told."""
    result = simulate("--exhaustive", "singles", "--scenario", "last-unit")

    assert result.exit_code == 1
    assert "scenario last-unit" in result.stdout


def test_a_seed_is_played_again() -> None:
    """A replay has the fingerprint of the campaign's run."""
    result = simulate("--replay", "7", "--format", "json")

    assert result.exit_code == 0
    assert said(result)[0]["fingerprint"] == campaigns.play(7).fingerprint


def test_a_fault_is_planted_by_hand() -> None:
    """The fault stands in the answer; one that the run never comes to is an error."""
    process, effect, nth = next(p for p in run(named("placement"), traced=True).places if p[1] == "MoveMoney")
    place = f"{process}/{effect}/{nth}"
    planted = simulate("--scenario", "placement", "--fault", f"{place}=LOST", "--format", "json")

    assert planted.exit_code == 0
    assert said(planted)[0]["faults"] == [f"{place}=LOST:0"]
    assert simulate("--scenario", "placement", "--fault", "api-9/Commit/1=LOST").exit_code == 2
    assert simulate("--scenario", "placement", "--fault", "api-1/Commit/1=TIRED").exit_code == 2


@pytest.mark.parametrize("also", [(), ("--replay", "7"), ("--scenario", "placement", "--exhaustive", "singles")])
def test_a_fault_without_its_scenario_is_refused(also: tuple[str, ...]) -> None:
    """Nobody believes that a fault was tried which was not."""
    result = simulate("--fault", "api-1/Commit/1=LOST", "--seeds", "1", *also)

    assert result.exit_code == 2
    assert "name one with --scenario" in result.stderr


def test_two_faults_at_one_place_are_refused() -> None:
    """Only one of them could happen there."""
    place = "api-1/Commit/1"
    result = simulate("--scenario", "placement", "--fault", f"{place}=LOST", "--fault", f"{place}=REFUSED")

    assert result.exit_code == 2
    assert f"two faults at {place}" in result.stderr


def test_ablations_are_noticed_or_the_command_fails() -> None:
    """A safeguard that is missed ends well; one that nobody missed in so few seeds does not."""
    noticed = simulate("--ablate", "refund-asked", "--format", "json", "--seeds", "20")
    unnoticed = simulate("--ablate", "receipt-id", "--seeds", "1")

    assert noticed.exit_code == 0
    assert said(noticed)[0]["invariant"] in ("money", "ledger")
    assert unnoticed.exit_code == 1
    assert "never" in unnoticed.stdout


@pytest.mark.parametrize("option", ["--scenario", "--ablate"])
def test_what_there_is_is_listed(option: str) -> None:
    """Scenarios and safeguards have names and one sentence each."""
    result = simulate(option, "list", "--format", "json")

    assert result.exit_code == 0
    assert len(said(result)) >= 15
    assert all(one["about"].endswith(".") for one in said(result))


@pytest.mark.parametrize("arguments", [("--scenario", "nonsense"), ("--ablate", "nonsense"), ("--seeds", "0")])
def test_a_name_that_nobody_has_is_said(arguments: tuple[str, ...]) -> None:
    """An unknown scenario or safeguard, or no seeds at all, is wrong usage."""
    assert simulate(*arguments).exit_code in (2, 3)
