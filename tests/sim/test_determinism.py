"""A seed says everything: the same run on every Python, under every hash seed, over every number of processes, and from its faults alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orderkit.testing.sim import campaigns
from orderkit.testing.sim.faults import Drawn
from orderkit.testing.sim.running import run
from orderkit.testing.sim.scenarios import named
from orderkit.testing.sim.workload import drawn

SEEDS = 12
KNOWN = "fe3c545c9c00b8270a7087ee784341568685a4eabc0946c26dfc2eb77deb727e"
FINGERPRINT = "from orderkit.testing.sim import campaigns; print(campaigns.seeds({count}).fingerprint)"


def fingerprint(hash_seed: str) -> str:
    """Return the fingerprint of the first seeds in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT.format(count=SEEDS)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("hash_seed", ["0", "1", "2", "77"])
def test_a_fingerprint_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    """A dozen seeds come to the same hash, whatever order sets of text have."""
    assert fingerprint(hash_seed) == campaigns.seeds(SEEDS).fingerprint


def test_a_fingerprint_does_not_depend_on_the_python() -> None:
    """A dozen seeds come to the hash that is written here: every Python that runs this test is held against the same one."""
    assert campaigns.seeds(SEEDS).fingerprint == KNOWN, (
        "if the flows or the world were changed on purpose, write down the new one"
    )


def test_a_fingerprint_does_not_depend_on_the_number_of_processes() -> None:
    """Two processes share sixty seeds; what comes back is what one process says."""
    alone, shared = campaigns.seeds(60), campaigns.seeds(60, jobs=2)

    assert (shared.fingerprint, shared.runs, shared.gates) == (alone.fingerprint, alone.runs, alone.gates)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_is_its_faults(seed: int) -> None:
    """Given the faults that a seed drew, and no dice for faults, the same run happens again."""
    scenario = drawn(seed)
    first = run(scenario, seed, Drawn.by(seed))
    again = run(scenario, seed, first.faults)

    assert again.fingerprint == first.fingerprint
    assert again.faults == first.faults


def test_a_fault_more_is_another_run() -> None:
    """The fingerprint notices a single lost answer."""
    plain = run(named("placement"), traced=True)
    place = next(place for place in plain.places if place[1] == "MoveMoney")
    lost = run(named("placement"), faults=[fault_at(place)])

    assert lost.fingerprint != plain.fingerprint


def fault_at(place: tuple[str, str, int]) -> object:
    """Return the fault that loses the answer at a place."""
    from orderkit.testing.sim import Fault, FaultKind, Place  # noqa: PLC0415  (only here)

    return Fault(Place(*place), FaultKind.LOST)
