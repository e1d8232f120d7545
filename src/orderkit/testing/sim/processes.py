"""A process of the simulated world: it steps real flows, and every effect that leaves it passes a gate before and a gate after.

This is the fourth driver. A crash stops the flow where it stands: it is kept, never closed, so that none of its code runs after death.
Requests that were sent arrive even when their sender is gone. What time, the id, and the settings are, a process answers by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from orderkit.errors import OrderkitError, PortError
from orderkit.ports.carriers import BookParcel
from orderkit.ports.clock import NewId, Now, Pause
from orderkit.ports.effect import Effect, Flow, Inside
from orderkit.ports.payments import MoveMoney, Refused
from orderkit.ports.settings import ReadSettings
from orderkit.runtime.guards import DOUBTFUL, HINTS, failed
from orderkit.runtime.sync import awaitable
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.faults import SECOND, Fault, FaultKind

if TYPE_CHECKING:  # a world has processes
    from orderkit.testing.sim.world import Clock, World

Done: TypeAlias = Callable[[Any, Exception | None], None]
Handler: TypeAlias = Callable[[Any], Any]
Wrap: TypeAlias = "Callable[[Process, Handler, Any], Any]"

LOCAL = (Now, NewId, ReadSettings)  # answered in the process itself: no gate
_REFUSABLE = (MoveMoney, BookParcel)


class Lost(ConnectionError):
    """No answer came."""


@attrs.define(eq=False)
class Task:
    """One flow under way in one life of a process."""

    flow: Flow[Any]
    life: int
    done: Done
    label: str


@attrs.define(eq=False)
class Process:
    """A process with its own clock, latencies and count of effects; it may die and live again."""

    name: str
    world: World
    handlers: dict[type, Handler]
    dice: Dice
    clock: Clock
    main: Callable[[Process], None] | None = None
    life: int = 1
    alive: bool = True
    still_until: int = 0
    running: dict[int, Task] = attrs.field(factory=dict)
    _counts: dict[str, int] = attrs.field(factory=dict)
    _local: dict[type, Handler] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._local = {kind: self.handlers[kind] for kind in LOCAL}
        for kind, wrap in self.world.wraps.items():
            self.handlers[kind] = partial(wrap, self, self.handlers[kind])

    # ---- life

    def boot(self) -> None:
        """Begin a life: the main loop starts anew."""
        self.alive = True
        if self.main is not None:
            self.main(self)

    def crash(self, lasts: int) -> None:
        """Die now, and live again after so many microseconds. What was under way is kept as it stands."""
        if not self.alive:
            return
        self.alive = False
        self.life += 1
        tasks, self.running = list(self.running.values()), {}
        self.world.graves.extend(task.flow for task in tasks)
        self.world.after(max(lasts, SECOND), self.boot)
        for task in tasks:
            task.done(None, Lost("the process is gone"))

    # ---- stepping

    def start(self, flow: Flow[Any], done: Done, label: str = "") -> Task:
        """Run a flow until it ends or the process does."""
        task = Task(flow, self.life, done, label)
        self.running[id(task)] = task
        self.step(task, None, None)
        return task

    def step(self, task: Task, value: Any, error: Exception | None) -> None:
        """Give the flow an answer, and send out the next effect that it awaits."""
        flow, local = task.flow, self._local
        send = flow.send
        try:
            effect: Any = send(value) if error is None else flow.throw(error)
            while (handler := local.get(type(effect))) is not None:
                effect = send(handler(effect))
        except StopIteration as finished:
            self._ended(task, finished.value, None)
        except OrderkitError as raised:
            self._ended(task, None, raised)
        except Exception as raised:  # noqa: BLE001  (a flow that raises anything else is a finding)
            self.world.witness.say("flow", f"{task.label} raised {type(raised).__name__}: {raised}")
            self._ended(task, None, raised)
        else:
            self._send(task, awaitable(flow, effect))

    def _ended(self, task: Task, value: Any, error: Exception | None) -> None:
        self.running.pop(id(task), None)
        task.done(value, error)

    def _send(self, task: Task, effect: Effect[Any]) -> None:
        world = self.world
        if type(effect) is Pause:
            world.after(int(effect.seconds * SECOND), self._resume, task, None, None)
            return
        for alter in world.alterations:
            effect = alter(self, effect)
        name = type(effect).__name__
        nth = self._counts[name] = self._counts.get(name, 0) + 1
        world.gates += 2
        fault = world.fault_at(self.name, name, nth)
        travel = world.latency(self.dice, inside=isinstance(effect, Inside))
        if fault is not None and fault.kind in (FaultKind.SLOW, FaultKind.LATE):
            travel += fault.lasts
            if fault.kind is FaultKind.LATE:
                world.after(travel // 2 if travel < 5 * SECOND else 5 * SECOND, self._lost, task, effect)
        world.after(travel, self._arrive, task, effect, nth, fault)

    def _arrive(self, task: Task, effect: Effect[Any], nth: int, fault: Fault | None) -> None:
        """The effect reaches whoever answers it, whether or not its sender still lives."""
        world, kind = self.world, fault.kind if fault else None
        if kind is FaultKind.CRASH_BEFORE:
            world.trace(self.name, effect, nth, "crash")
            if fault is not None and task.life == self.life:
                self.crash(fault.lasts)
            return
        value, error, verdict = self._answered(effect, kind)
        if kind is FaultKind.TWICE and fault is not None:
            world.after(fault.lasts, self._again, effect)
        world.trace(self.name, effect, nth, verdict)
        if kind is FaultKind.LATE:
            return
        if kind is FaultKind.CRASH_AFTER and fault is not None and task.life == self.life:
            self.crash(fault.lasts)
            return
        if kind is FaultKind.LOST:
            self._lost(task, effect)
            return
        travel = world.latency(self.dice, inside=isinstance(effect, Inside))
        if kind is FaultKind.DELAYED and fault is not None:
            travel += fault.lasts
        if kind is FaultKind.PAUSED and fault is not None and self.alive:
            self.still_until = max(self.still_until, world.now + fault.lasts)
        world.after(travel, self._resume, task, value, error)

    def _answered(self, effect: Effect[Any], kind: FaultKind | None) -> tuple[Any, Exception | None, str]:
        try:
            if kind is FaultKind.UNSENT:
                value = failed(type(effect), _no_answer(effect))
            elif kind is FaultKind.REFUSED:
                value = self._refusal(effect)
            else:
                value = self.handlers[type(effect)](effect)
        except OrderkitError as error:
            return None, error, error.code
        return self._heard(effect, value), None, type(value).__name__

    def _heard(self, effect: Effect[Any], value: Any) -> Any:
        ear = self.world.ears.get(type(effect))
        return value if ear is None else ear(value)

    def _refusal(self, effect: Effect[Any]) -> Any:
        if isinstance(effect, MoveMoney):
            return self.world.refuse_money(effect)
        if isinstance(effect, _REFUSABLE):
            return Refused("not_today")
        if isinstance(effect, HINTS):
            return None
        raise PortError("the connection was refused", code="store_unavailable")

    def _again(self, effect: Effect[Any]) -> None:
        """The network repeats a message; nobody waits for its answer."""
        self._answered(effect, None)

    def _lost(self, task: Task, effect: Effect[Any]) -> None:
        """Tell the flow that no answer came."""
        try:
            value = failed(type(effect), _no_answer(effect))
        except OrderkitError as error:
            self.world.after(5 * SECOND, self._resume, task, None, error)
        else:
            self.world.after(5 * SECOND, self._resume, task, self._heard(effect, value), None)

    def _resume(self, task: Task, value: Any, error: Exception | None) -> None:
        if task.life != self.life:
            return
        if self.still_until > self.world.now:
            self.world.after(self.still_until - self.world.now, self._resume, task, value, error)
            return
        self.step(task, value, error)


def _no_answer(effect: Effect[Any]) -> Exception:
    """Return what a driver raises when the connection is lost before the answer."""
    if isinstance(effect, tuple(DOUBTFUL)):
        return Lost("time-out")
    if isinstance(effect, Inside):
        return PortError("the connection was lost", code="commit_unknown", outcome="unknown")
    return PortError("no answer", outcome="unknown")
