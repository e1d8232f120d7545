"""All of them: every single fault of a scenario, and every pair of crashes.

The places are those of the run without faults; a crash moves on what comes after it, so of a pair the second place is looked up in the run with
the first. A place that a run no longer reaches is a run without that fault, which is covered.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from orderkit.testing.sim.faults import CRASHES, KINDS, OTHER, Fault, FaultKind, Place, typical
from orderkit.testing.sim.running import Ablate, Outcome, run
from orderkit.testing.sim.scenes import Scenario


@attrs.define
class Enumerated:
    """What an enumeration found: how many runs and gates, and the runs that broke an invariant."""

    scenario: str
    runs: int = 0
    gates: int = 0
    failures: list[Outcome] = attrs.field(factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.gates += outcome.gates
        if not outcome.holds:
            self.failures.append(outcome)


def places(outcome: Outcome) -> list[Place]:
    """Return where faults can happen in a run, in the order in which it got there."""
    return [Place(*place) for place in outcome.places]


def faults_at(place: Place) -> Iterator[Fault]:
    """Every kind of fault that the effect of a place can have."""
    for kind in KINDS.get(place.effect, OTHER):
        yield Fault(place, kind, typical(kind))


def crashes_at(place: Place) -> Iterator[Fault]:
    """The crash before an effect, and the one after it."""
    for kind in CRASHES:
        yield Fault(place, kind, typical(kind))


def crashes(scenario: Scenario) -> list[Fault]:
    """Return every single crash of a scenario."""
    return [fault for place in places(run(scenario, traced=True)) for fault in crashes_at(place)]


def singles(scenario: Scenario) -> list[Fault]:
    """Return every single fault of a scenario, webhooks and clocks too."""
    plain = run(scenario, traced=True)
    found = [fault for place in places(plain) for fault in faults_at(place)]
    processes = list(dict.fromkeys(place.process for place in places(plain)))
    for process in processes:
        found += [Fault(Place(process, "Clock", 1), FaultKind.SKEWED, skew) for skew in (-90_000_000, 90_000_000)]
    if scenario.webhooks:
        found += [fault for nth in (1, 2) for fault in faults_at(Place("bank", "Webhook", nth))]
    return found


def crash_pairs(scenario: Scenario) -> Iterator[tuple[Fault, ...]]:
    """Yield every pair of crashes: each first one, and each second one in the world that the first one left."""
    plain = run(scenario, traced=True)
    for first in (fault for place in places(plain) for fault in crashes_at(place)):
        after = run(scenario, faults=[first], traced=True)
        begun = False
        for place in places(after):
            if begun:
                for second in crashes_at(place):
                    yield first, second
            begun = begun or place == first.place


def every_single(scenario: Scenario, ablate: Ablate | None = None) -> Enumerated:
    """Run a scenario once under each single fault."""
    found = Enumerated(scenario.name)
    for fault in singles(scenario):
        found.add(run(scenario, faults=[fault], ablate=ablate))
    return found


def every_pair(scenario: Scenario) -> Enumerated:
    """Run a scenario once under each pair of crashes."""
    found = Enumerated(scenario.name)
    for pair in crash_pairs(scenario):
        found.add(run(scenario, faults=pair))
    return found
