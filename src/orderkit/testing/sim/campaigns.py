"""Campaigns: many seeds, all single faults, all crash pairs, all ablations, over all cores, with one answer.

A campaign is cut into pieces, and each process plays pieces; what comes back does not depend on how many processes there were: each
piece says how many runs it played and which of them broke an invariant.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import attrs

from orderkit.errors import NotFound
from orderkit.testing.sim import ablations, scenarios
from orderkit.testing.sim.exhausting import crash_pairs, singles
from orderkit.testing.sim.faults import Drawn, Fault
from orderkit.testing.sim.running import Ablate, Outcome, run
from orderkit.testing.sim.workload import drawn

Tell: TypeAlias = Callable[[str, int, int], None]
P = TypeVar("P")

SEEDS_A_PIECE = 25
RUNS_A_PIECE = 100
ABLATED_SEEDS = 500  # within so many every ablation must be caught


@attrs.define
class Tally:
    """What a campaign played and found."""

    name: str
    runs: int = 0
    orders: int = 0
    gates: int = 0
    faults: int = 0
    fingerprint: str = ""
    failures: list[Outcome] = attrs.field(factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a run; of those that failed the whole outcome is kept."""
        self.runs += 1
        self.orders += outcome.orders
        self.gates += outcome.gates
        self.faults += len(outcome.faults)
        self.fingerprint = hashlib.sha256((self.fingerprint + outcome.fingerprint).encode()).hexdigest()
        if not outcome.holds:
            self.failures.append(outcome)

    def join(self, piece: Tally) -> None:
        """Add a piece that another process played."""
        self.runs += piece.runs
        self.orders += piece.orders
        self.gates += piece.gates
        self.faults += piece.faults
        self.fingerprint = hashlib.sha256((self.fingerprint + piece.fingerprint).encode()).hexdigest()
        self.failures += piece.failures

    @property
    def holds(self) -> bool:
        """Whether every invariant held in every run."""
        return not self.failures


@attrs.frozen
class Caught:
    """An ablation, and the first seed that noticed it."""

    name: str
    about: str
    seed: int | None
    invariant: str = ""
    text: str = ""


# ---- the pieces, played in processes of their own


def play(seed: int, *, traced: bool = False, ablate: Ablate | None = None) -> Outcome:
    """Play one seed with the faults that it draws."""
    return run(drawn(seed), seed, Drawn.by(seed), traced=traced, ablate=ablate)


def _seeds(piece: tuple[int, int]) -> Tally:
    begin, end = piece
    tally = Tally("seeds")
    for seed in range(begin, end):
        tally.add(play(seed))
    return tally


def _faults(piece: tuple[str, Sequence[tuple[Fault, ...]]]) -> Tally:
    name, runs = piece
    scenario, tally = scenarios.named(name), Tally(name)
    for faults in runs:
        tally.add(run(scenario, faults=faults))
    return tally


def _ablated(piece: tuple[str, int, int]) -> Caught:
    name, begin, end = piece
    ablation = ablation_named(name)
    for seed in range(begin, end):
        outcome = play(seed, ablate=ablation.apply)
        if not outcome.holds:
            first = outcome.violations[0]
            return Caught(name, ablation.about, seed, first.invariant, first.text)
    return Caught(name, ablation.about, None)


def ablation_named(name: str) -> ablations.Ablation:
    """Return the ablation of that name. Raises `NotFound`."""
    found = ablations.BY_NAME.get(name)
    if found is None:
        raise NotFound(
            f"there is no safeguard {name!r} to take away", field="ablation", facts={"known": sorted(ablations.BY_NAME)}
        )
    return found


# ---- campaigns


def seeds(count: int, *, start: int = 0, jobs: int = 1, tell: Tell = lambda *_: None) -> Tally:
    """Play seeds from a start on."""
    end = start + count
    pieces = [(begin, min(begin + SEEDS_A_PIECE, end)) for begin in range(start, end, SEEDS_A_PIECE)]
    total = Tally("seeds")
    for piece in _spread(_seeds, pieces, jobs):
        total.join(piece)
        tell("seeds", total.runs, count)
    return total


def exhaustive(
    names: Sequence[str], *, pairs: bool = False, jobs: int = 1, tell: Tell = lambda *_: None
) -> list[Tally]:
    """Play every single fault, or every pair of crashes, of the named scenarios."""
    pieces: list[tuple[str, list[tuple[Fault, ...]]]] = []
    for number, name in enumerate(names, 1):
        scenario = scenarios.named(name)
        found = list(crash_pairs(scenario)) if pairs else [(), *((fault,) for fault in singles(scenario))]
        pieces += [(name, found[n : n + RUNS_A_PIECE]) for n in range(0, len(found), RUNS_A_PIECE)]
        tell("looking", number, len(names))
    totals = {name: Tally(name) for name in names}
    for done, piece in enumerate(_spread(_faults, pieces, jobs), 1):
        totals[piece.name].join(piece)
        tell("pairs" if pairs else "singles", done, len(pieces))
    return list(totals.values())


def ablated(
    names: Sequence[str], *, count: int = ABLATED_SEEDS, start: int = 0, jobs: int = 1, tell: Tell = lambda *_: None
) -> list[Caught]:
    """Take each safeguard away, and play seeds until somebody notices."""
    pieces = [(name, start, start + count) for name in names]
    found: list[Caught] = []
    for caught in _spread(_ablated, pieces, jobs):
        found.append(caught)
        tell("ablations", len(found), len(pieces))
    return found


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spread(work: Callable[[P], Any], pieces: Sequence[P], jobs: int) -> Iterator[Any]:
    """Do the pieces over so many processes; answers come in the order of the pieces."""
    if jobs <= 1 or len(pieces) <= 1:
        yield from map(work, pieces)
        return
    method = "fork" if sys.platform.startswith("linux") else "spawn"
    gc.freeze()  # what is loaded is shared with the processes, and no collection touches it
    with multiprocessing.get_context(method).Pool(min(jobs, len(pieces))) as pool:
        yield from pool.imap(work, pieces)
