"""Shrinking: from the faults of a failing run to the fewest that still break the same invariant (delta debugging)."""

from __future__ import annotations

from collections.abc import Sequence

from orderkit.testing.sim.faults import Fault
from orderkit.testing.sim.running import Ablate, Outcome, run
from orderkit.testing.sim.scenes import Scenario

RUNS_MAX = 400  # what a person waits for


def shrunk(scenario: Scenario, failing: Outcome, *, ablate: Ablate | None = None) -> Outcome:
    """Return a run that breaks the first invariant that the failing one broke, with as few faults as can be found."""
    wanted = failing.violations[0].invariant
    best, runs = failing, 0

    def still(faults: Sequence[Fault]) -> bool:
        nonlocal best, runs
        runs += 1
        outcome = run(scenario, failing.seed, faults, ablate=ablate, traced=True)
        found = any(violation.invariant == wanted for violation in outcome.violations)
        if found and len(outcome.faults) <= len(best.faults):
            best = outcome
        return found

    faults = list(failing.faults)
    if not still(faults):
        return failing  # only the whole run shows it
    if faults and still([]):
        return best
    parts = 2
    while len(faults) > 1 and runs < RUNS_MAX:
        size = -(-len(faults) // parts)
        for begin in range(0, len(faults), size):
            rest = faults[:begin] + faults[begin + size :]
            if still(rest):
                faults, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(faults))
    return best
