"""Gates: the moments before and after each effect, at which a process may die. `ORDERKIT_CRASH_AT` makes it die at one of them.

    ORDERKIT_CRASH_AT=commit:after:3        dies when its third commit has been answered
    ORDERKIT_CRASH_AT=move_money:before:1   dies before it calls the payment provider for the first time

The process ends as by a power cut: no handler runs, nothing is flushed, and nobody is told. Without the variable the handlers are what they
were, so a gate costs nothing. This module knows effects by their names only.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from orderkit.errors import Misconfigured
from orderkit.ports import clock, settings
from orderkit.runtime.bindings import PORTS, Handlers, Kind

if TYPE_CHECKING:  # asyncio is for those who have an event loop
    from orderkit.runtime.asynchronous import AsyncHandlers

CRASH_AT = "ORDERKIT_CRASH_AT"
STATUS = 137  # what a shell reports of a process that was killed
PHASES = ("before", "after")
_KINDS: tuple[Kind, ...] = (
    *(kind for port in PORTS.values() for kind in port),
    clock.Now,
    clock.NewId,
    clock.Pause,
    settings.ReadSettings,
)


def operation(kind: Kind) -> str:
    """Return the name by which gates know an effect: `move_money` for `MoveMoney`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


OPERATIONS: Mapping[str, Kind] = {operation(kind): kind for kind in _KINDS}
GATES = tuple(f"{name}:{phase}" for name in OPERATIONS for phase in PHASES)


def _die() -> None:
    os._exit(STATUS)


@attrs.define
class Gate:
    """One gate, and at which passage the process dies there. Safe to use from many threads."""

    kind: Kind
    phase: str
    passage: int
    die: Callable[[], Any] = _die
    passed: int = 0
    _lock: threading.Lock = attrs.Factory(threading.Lock)

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Return the gate that `operation:phase:n` names. Raises `Misconfigured`."""
        name, phase, number = (*text.split(":"), "1", "", "")[:3]
        if name not in OPERATIONS or phase not in PHASES or not number.isdecimal() or int(number) < 1:
            raise Misconfigured(
                f"{CRASH_AT}={text!r} names no gate",
                field=CRASH_AT,
                remedy="Write operation:phase:n; `orderkit worker --gates` lists them.",
            )
        return cls(OPERATIONS[name], phase, int(number))

    def passes(self, phase: str, effects: int = 1) -> None:
        """Count effects that pass the gate, and die at the one that was named."""
        if phase != self.phase:
            return
        with self._lock:
            before, self.passed = self.passed, self.passed + effects
        if before < self.passage <= self.passed:
            self.die()

    def around(self, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Put the gate around a call with one effect."""

        def ask(effect: Any) -> Any:
            self.passes("before")
            answer = call(effect)
            self.passes("after")
            return answer

        return ask

    def around_many(self, call: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
        """Put the gate around a call with many effects."""

        def ask(effects: Sequence[Any]) -> Any:
            self.passes("before", len(effects))
            answers = call(effects)
            self.passes("after", len(effects))
            return answers

        return ask

    def around_awaited(self, call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        """Put the gate around an awaited call."""

        async def ask(effect: Any) -> Any:
            self.passes("before")
            answer = await call(effect)
            self.passes("after")
            return answer

        return ask


def named_gate(environment: Mapping[str, str] = os.environ) -> Gate | None:
    """Return the gate that the environment names, if it names one."""
    text = environment.get(CRASH_AT)
    return Gate.parse(text) if text else None


def gated(handlers: Handlers, gate: Gate | None) -> Handlers:
    """Return the handlers, with the gate around the effect that it is about."""
    if gate is None or gate.kind not in handlers.one:
        return handlers
    many = handlers.many.get(gate.kind)
    return handlers.over(
        {gate.kind: gate.around(handlers.one[gate.kind])}, {gate.kind: gate.around_many(many)} if many else None
    )


def gated_async(handlers: AsyncHandlers, gate: Gate | None) -> AsyncHandlers:
    """The same for an event loop."""
    if gate is None or gate.kind not in handlers.one:
        return handlers
    return handlers.over({gate.kind: gate.around_awaited(handlers.one[gate.kind])})
