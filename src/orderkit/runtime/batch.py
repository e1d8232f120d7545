"""The batching driver: many flows step together, and equal effects are answered by one call of their port.

It needs no event loop and is the fastest way to run bulk work: imports, replays, sweeps. Each flow gets its own answer, or its own error;
one that fails never touches its neighbors. Where a store is waited for, its commits are called in threads (`lanes`), and the other flows go on
meanwhile: flows themselves are stepped by the caller's thread alone.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from orderkit.ports.clock import Pause
from orderkit.ports.effect import STEPPED, All, Effect, Flow, driver
from orderkit.ports.store import Commit
from orderkit.runtime.bindings import Handlers, Kind, checked
from orderkit.runtime.guards import asked
from orderkit.runtime.sync import awaitable, explained

A = TypeVar("A")
# In line: the position and the flow, or the group and the place in it; and the effect.
_Waiting: TypeAlias = tuple[Any, Any, Effect[Any]]


def run_many(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256, lanes: int = 0
) -> list[A | Exception]:
    """Run all flows and return their answers in order; a flow that failed has its exception in its place."""
    results = dict(run_each(flows, handlers, in_flight=in_flight, largest=largest, lanes=lanes))
    return [results[n] for n in range(len(results))]


def run_each(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256, lanes: int = 0
) -> Iterator[tuple[int, A | Exception]]:
    """Run flows from an iterable of any length, `in_flight` at a time; yield (position, answer or exception) as each one ends.

    Flows are taken from the iterable, and answers handed out, outside the driver: either side may run flows of its own. With `lanes`, so
    many batches of commits are under way at once, each in a thread; without, everything happens here, and in the same order each time.
    """
    if in_flight < 1 or largest < 1:
        raise ValueError("in_flight and largest are 1 or more")
    source = enumerate(flows)
    with ThreadPoolExecutor(lanes, "orderkit-commits") if lanes else nullcontext() as threads:
        bench = _Bench(handlers, largest, threads, lanes)
        while True:
            started = list(islice(source, in_flight - bench.running))
            if not started and not bench.running:
                return
            token = driver.set(STEPPED)
            try:
                for position, flow in started:
                    bench.begin(position, flow)
                bench.go_on()
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

    def __init__(self, handlers: Handlers, largest: int, threads: ThreadPoolExecutor | None, lanes: int) -> None:
        self._handlers, self._one, self._many, self._largest = handlers, handlers.one, handlers.many, largest
        self._lines: dict[type[Effect[Any]], deque[_Waiting]] = {kind: deque() for kind in handlers.many}
        self._threads, self._lanes = threads, lanes
        self._under_way: dict[Future[Sequence[Any]], list[_Waiting]] = {}
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

    def go_on(self) -> None:
        """Let something happen: commits set out or come back, or the fullest line is answered by one call."""
        if self._threads is not None:
            self._send_commits(self._threads)
        if any(sent.done() for sent in self._under_way) or not self._answer_fullest():
            self._take_commits()

    def _send_commits(self, threads: ThreadPoolExecutor) -> None:
        """Send commits into free lanes: full batches at once; fewer when nothing else is to be done, a small rest only when all lanes are free."""
        line = self._lines.get(Commit)
        while line and len(self._under_way) < self._lanes:
            enough = len(line) * 2 >= self._largest or not self._under_way
            if len(line) < self._largest and (self._fullest() not in (None, Pause) or not enough):
                return
            batch = self._batch(line)
            call = contextvars.copy_context().run  # a copy, because a context can be entered by one thread at a time
            sent = threads.submit(call, asked, Commit, self._many[Commit], [waiting[2] for waiting in batch])
            self._under_way[sent] = batch

    def _take_commits(self) -> None:
        """Wait until commits come back, if any are under way, and hand their answers out."""
        done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        for sent in done:
            self._hand_out(self._under_way.pop(sent), sent.result())

    def _fullest(self) -> Kind | None:
        """The kind that most flows wait for here; those who pause come when nobody else waits."""
        apart = Commit if self._threads is not None else None
        kinds = [kind for kind, line in self._lines.items() if line and kind is not apart]
        return max(kinds, key=lambda kind: (kind is not Pause, len(self._lines[kind])), default=None)

    def _answer_fullest(self) -> bool:
        """Answer the fullest line with one call, if there is one; nobody pauses while commits are under way."""
        kind = self._fullest()
        if kind is None or (kind is Pause and self._under_way):
            return False
        batch = self._batch(self._lines[kind])
        self._hand_out(batch, asked(kind, self._many[kind], [waiting[2] for waiting in batch]))
        return True

    def _batch(self, line: deque[_Waiting]) -> list[_Waiting]:
        return [line.popleft() for _ in range(min(self._largest, len(line)))]

    def _hand_out(self, batch: list[_Waiting], answers: Sequence[Any]) -> None:
        for (waiter, flow, _), answer in zip(batch, answers, strict=True):
            if type(waiter) is _Group:
                self._tell(waiter, flow, answer)
            elif isinstance(answer, Exception):
                self._step(waiter, flow, None, answer)
            else:
                self._step(waiter, flow, answer, None)
