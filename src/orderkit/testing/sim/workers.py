"""Worker processes: they sweep for ever, as `orderkit worker` does, and sleep longer the longer nothing comes.

A sweep that would find nothing is left out: it has no effect that a fault could hit, and time between deadlines passes at once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from orderkit.flows.working import Swept, sweep
from orderkit.testing.sim.faults import SECOND
from orderkit.testing.sim.processes import Process
from orderkit.testing.sim.world import World

ROLES = ("sagas", "resolver", "timers", "relay", "inbox")
SOON = SECOND // 2
LATEST = 60 * SECOND


@attrs.define(eq=False)
class Worker:
    """The loop of one worker process, over all its lives."""

    world: World
    roles: tuple[str, ...] = ROLES
    limit: int = 20
    _pause: int = SOON
    _round: int = 0
    _next_at: int = 0

    def __call__(self, process: Process) -> None:
        """Begin a life."""
        self._pause = SOON
        self._plan(process, SOON)

    def wake(self, process: Process) -> None:
        """Something was written: do not sleep on."""
        self._pause = SOON
        if process.alive and not self.world.sweeps_once and self._next_at > self.world.now + SOON:
            self._plan(process, SOON)

    def _plan(self, process: Process, pause: int) -> None:
        self._round += 1
        self._next_at = self.world.now + pause
        self.world.after(pause, self._sweep, process, process.life, self._round)

    def _sweep(self, process: Process, life: int, planned: int) -> None:
        if process.life != life or self._round != planned:
            return
        if process.still_until > self.world.now:
            self._plan(process, process.still_until - self.world.now)
        elif self.world.storage.idle(process.clock.now()):
            self._rest(process)
        else:
            self._next_at = self.world.now
            flow = sweep(roles=self.roles, limit=self.limit)
            process.start(flow, partial(self._swept, process, life), "sweep")

    def _swept(self, process: Process, life: int, swept: Swept | None, error: Exception | None) -> None:
        if process.life != life or self.world.sweeps_once:
            return
        if error is None and swept is not None and not swept.idle:
            self._pause = SOON
            self._plan(process, 1)
        else:
            self._rest(process)

    def _rest(self, process: Process) -> None:
        self.world.at_rest()
        self._pause = min(self._pause * 2, LATEST)
        self._plan(process, self._pause)


def add_workers(world: World, count: int, **options: Any) -> None:
    """Add worker processes to the world."""
    loops = []
    for n in range(1, count + 1):
        loop = Worker(world, **options)
        loops.append((loop, world.process(f"worker-{n}", loop)))

    def wake() -> None:
        for loop, process in loops:
            loop.wake(process)

    world.storage.wrote = wake
    for _, process in loops:
        process.boot()
