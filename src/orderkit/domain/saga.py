"""Sagas as data: names of steps in order, each with its compensation, under a pinned version.

A run stands on the order (`SagaRun`): definition by name and version, step by *name*, direction. So a definition may gain a version while
runs of the old one are under way; what must not happen is that a version disappears before its last run (`missing_definitions`).
What a step does is said by the flows; the table says only what comes next. Compensation never fails: it is tried until it is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from orderkit.domain.evolving import evolve
from orderkit.domain.order import Order, SagaRun
from orderkit.errors import Misconfigured, NotAllowed


@attrs.frozen
class Step:
    """One step of a saga and what undoes it; a step without compensation leaves nothing to undo."""

    name: str
    compensation: str | None = None


@attrs.frozen
class Saga:
    """A durable sequence, as a definition."""

    name: str
    version: int
    steps: tuple[Step, ...]

    def after(self, step: str) -> str | None:
        """The step that follows, going forward; nothing after the last."""
        names = [s.name for s in self.steps]
        following = names.index(step) + 1
        return names[following] if following < len(names) else None

    def compensations(self, failed: str) -> tuple[str, ...]:
        """What undoes the steps before and including the failed one, in reverse order."""
        names = [s.name for s in self.steps]
        done = self.steps[: names.index(failed) + 1]
        return tuple(step.compensation for step in reversed(done) if step.compensation)


PLACEMENT = Saga(
    "placement",
    1,
    (Step("create", "fail_order"), Step("reserve", "release_stock"), Step("charge", "give_back"), Step("confirm")),
)
AMENDMENT = Saga("amendment", 1, (Step("reserve", "drop_lines"), Step("charge", "give_back"), Step("confirm")))

DEFINITIONS: dict[tuple[str, int], Saga] = {(saga.name, saga.version): saga for saga in (PLACEMENT, AMENDMENT)}


def definition(run: SagaRun) -> Saga:
    """Return the definition that the run is pinned to."""
    found = DEFINITIONS.get((run.name, run.version))
    if found is None:
        raise Misconfigured(
            f"saga {run.name} version {run.version} is under way (run {run.id}), but this program does not know it",
            remedy="Deploy a version that still knows it, or wait until its runs have ended.",
        )
    return found


def missing_definitions(runs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return which (name, version) of the live runs are not known here: a start with any of them is refused."""
    return tuple(sorted({run for run in runs if run not in DEFINITIONS}))


def started(saga: Saga, order_id: str, step: str, at: datetime, run: int = 1) -> SagaRun:
    """Return a run of the saga that stands at the step; everything before is done in the same commit."""
    return SagaRun(id=f"{order_id}/{saga.name}/{run}", name=saga.name, version=saga.version, step=step, started_at=at)


def turned(run: SagaRun, reason: str) -> SagaRun:
    """Return the run on its way back: from here on it compensates what bears its own id."""
    if run.direction != "forward":
        raise NotAllowed(f"saga {run.id} is on its way back already", code="illegal_transition")
    back = definition(run).compensations(run.step)
    return evolve(run, direction="backward", step=back[0] if back else run.step, reason=reason)


def with_run(order: Order, run: SagaRun) -> tuple[SagaRun, ...]:
    """Return the order's runs with this one put in."""
    return (*(r for r in order.sagas if r.id != run.id), run)


def without_run(order: Order, run: SagaRun) -> tuple[SagaRun, ...]:
    """Return the order's runs without this one: it has ended."""
    return tuple(r for r in order.sagas if r.id != run.id)
