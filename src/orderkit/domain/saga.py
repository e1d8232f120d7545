"""Sagas as data: names of steps in order, each with its compensation, under a pinned version.

A run stands on the order (`SagaRun`): definition by name and version, step by *name*, direction. So a definition may gain a version while
runs of the old one are under way. A program that does not know a run's version leaves its order alone (`definition`).
What a step does is said by the flows; the table says only what comes next. Compensation never fails: it is tried until it is done.
"""

from __future__ import annotations

from datetime import datetime

from orderkit.domain.order import Order, SagaRun
from orderkit.domain.value import Value, evolve
from orderkit.errors import Misconfigured, NotAllowed


class Step(Value):
    """One step of a saga and what undoes it; a step without compensation leaves nothing to undo."""

    name: str
    compensation: str | None = None


class Saga(Value):
    """A durable sequence, as a definition."""

    name: str
    version: int
    steps: tuple[Step, ...]

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


def started(saga: Saga, order_id: str, step: str, at: datetime, run: int = 1) -> SagaRun:
    """Return a run of the saga that stands at the step; everything before is done in the same commit."""
    return SagaRun(id=f"{order_id}/{saga.name}/{run}", name=saga.name, version=saga.version, step=step, started_at=at)


def turned(run: SagaRun, reason: str) -> SagaRun:
    """Return the run on its way back: from here on it compensates what bears its own id."""
    if run.direction != "forward":
        raise NotAllowed(f"saga {run.id} is on its way back already", code="illegal_transition")
    back = definition(run).compensations(run.step)
    return evolve(run, direction="backward", step=back[0] if back else run.step, reason=reason)


def unpaid_lines(order: Order) -> frozenset[int]:
    """Return the lines whose payment an amendment still waits for: nothing of them may leave."""
    run = order.saga(AMENDMENT.name)
    if run is None:
        return frozenset()
    return frozenset(line.number for line in order.facts.lines if line.amendment == amendment_of(run))


def dropped_lines(order: Order) -> frozenset[int]:
    """Return the lines of an amendment that was refused and is being undone."""
    run = order.saga(AMENDMENT.name)
    return frozenset() if run is None or run.direction == "forward" else unpaid_lines(order)


def amendment_of(run: SagaRun) -> int:
    """Return which amendment of its order the run pays for."""
    return int(run.id.rsplit("/", 1)[-1])


def without_run(order: Order, run: SagaRun) -> tuple[SagaRun, ...]:
    """Return the order's runs without this one: it has ended."""
    return tuple(r for r in order.sagas if r.id != run.id)
