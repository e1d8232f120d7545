"""The batching driver: many flows step together, and equal effects are answered by one call of their port.

It needs no event loop and is the fastest way to run bulk work: imports, replays, sweeps. Each flow gets its own answer, or its own error;
one that fails never touches its neighbors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from orderkit.ports.clock import Pause
from orderkit.ports.effect import STEPPED, All, Effect, Flow, driver
from orderkit.runtime.bindings import Handlers, checked
from orderkit.runtime.guards import asked
from orderkit.runtime.sync import awaitable, explained

A = TypeVar("A")


def run_many(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256
) -> list[A | Exception]:
    """Run all flows and return their answers in order; a flow that failed has its exception in its place."""
    results = dict(run_each(flows, handlers, in_flight=in_flight, largest=largest))
    return [results[n] for n in range(len(results))]


def run_each(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256
) -> Iterator[tuple[int, A | Exception]]:
    """Run flows from an iterable of any length, `in_flight` at a time; yield (position, answer or exception) as each one ends.

    Flows are taken from the iterable, and answers handed out, outside the driver: either side may run flows of its own.
    """
    if in_flight < 1 or largest < 1:
        raise ValueError("in_flight and largest are 1 or more")
    source = enumerate(flows)
    bench = _Bench(handlers, largest)
    while True:
        started = list(islice(source, in_flight - bench.running))
        if not started and not bench.running:
            return
        token = driver.set(STEPPED)
        try:
            for position, flow in started:
                bench.begin(position, flow)
            bench.answer_fullest()
        finally:
            driver.reset(token)
        ended, bench.ended = bench.ended, []
        yield from ended


class _Group:
    """A flow that awaits several effects at once, each in its own line."""

    __slots__ = ("answers", "flow", "missing", "position")

    def __init__(self, position: int, flow: Flow[Any], count: int) -> None:
        self.position, self.flow, self.missing = position, flow, count
        self.answers: list[Any] = [None] * count

    def failure(self) -> Exception | None:
        """The first of the answers that is an error."""
        return next((answer for answer in self.answers if isinstance(answer, Exception)), None)


class _Bench:
    """The flows that are under way: each waits in the line of the effect that it awaits."""

    def __init__(self, handlers: Handlers, largest: int) -> None:
        self._handlers, self._one, self._many, self._largest = handlers, handlers.one, handlers.many, largest
        self._lines: dict[type[Effect[Any]], deque[tuple[Any, Any, Effect[Any]]]] = {
            kind: deque() for kind in handlers.many
        }
        self.running = 0
        self.ended: list[tuple[int, Any]] = []

    def begin(self, position: int, flow: Flow[Any]) -> None:
        """Start a flow."""
        self.running += 1
        self._step(position, flow, None, None)

    def _step(self, position: int, flow: Flow[Any], value: Any, error: Exception | None) -> None:  # noqa: C901  (the hot loop: calls cost)
        """Step a flow until it waits in a line or ends; what no port takes in batches is answered on the spot."""
        one, lines = self._one, self._lines
        try:
            effect = flow.send(value) if error is None else flow.throw(error)
            while True:
                kind = type(effect)
                if kind in lines:
                    lines[kind].append((position, flow, effect))
                    return
                try:
                    handler = one.get(kind)
                    if handler is not None:
                        value = handler(effect)
                    elif kind is All:
                        value = self._spread(position, flow, checked(effect))
                        if value is None:
                            return
                    else:
                        value = self._handlers.answer(awaitable(flow, effect))
                except Exception as raised:  # noqa: BLE001  (all of them belong to the flow)
                    effect = flow.throw(raised)
                else:
                    effect = flow.send(value)
        except StopIteration as done:
            self._end(position, done.value)
        except RuntimeError as raised:
            self._end(position, explained(raised))
        except Exception as raised:  # noqa: BLE001  (the flow's result)
            self._end(position, raised)

    def _end(self, position: int, answer: Any) -> None:
        self.running -= 1
        self.ended.append((position, answer))

    def _spread(self, position: int, flow: Flow[Any], effect: All) -> tuple[Any, ...] | None:
        """Put several effects in line at once, and answer those on the spot that no port takes in batches; `None`: the flow waits."""
        group = _Group(position, flow, len(effect.effects))
        waiting = 0
        for n, inner in enumerate(effect.effects):
            line = self._lines.get(type(inner))
            if line is not None:
                line.append((group, n, inner))
                waiting += 1
                continue
            try:
                group.answers[n] = self._handlers.answer(inner)
            except Exception as raised:  # noqa: BLE001  (raised in the flow when all have answered)
                group.answers[n] = raised
        group.missing = waiting
        if waiting:
            return None
        if (failure := group.failure()) is not None:
            raise failure
        return tuple(group.answers)

    def _tell(self, group: _Group, n: int, answer: Any) -> None:
        group.answers[n] = answer
        group.missing -= 1
        if not group.missing:
            self._step(group.position, group.flow, tuple(group.answers), group.failure())

    def answer_fullest(self) -> None:
        """Answer the fullest line with one call; those who pause wait until nobody else does."""
        lines = self._lines
        kind = max(lines, key=lambda kind: (bool(lines[kind]), kind is not Pause, len(lines[kind])), default=None)
        if kind is None or not lines[kind]:
            return
        line = lines[kind]
        batch = [line.popleft() for _ in range(min(self._largest, len(line)))]
        answers = asked(kind, self._many[kind], [waiting[2] for waiting in batch])
        for (waiter, flow, _), answer in zip(batch, answers, strict=True):
            if type(waiter) is _Group:
                self._tell(waiter, flow, answer)
            elif isinstance(answer, Exception):
                self._step(waiter, flow, None, answer)
            else:
                self._step(waiter, flow, answer, None)
