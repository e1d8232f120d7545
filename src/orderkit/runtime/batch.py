"""The batching driver: many flows step together, and equal effects are answered by one call of their port.

It needs no event loop and is the fastest way to run bulk work: imports, replays, sweeps. Each flow gets its own answer, or its own error;
one that fails never touches its neighbors. Where a store is waited for, its commits are called in threads (`lanes`), and the other flows go on
meanwhile: flows themselves are stepped by the caller's thread alone.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, TypeVar

from orderkit.errors import InvalidInput
from orderkit.ports.clock import Pause
from orderkit.ports.effect import STEPPED, All, Effect, Flow, driver
from orderkit.ports.store import Commit
from orderkit.runtime.bindings import Handlers, Kind, checked
from orderkit.runtime.guards import asked
from orderkit.runtime.sync import awaitable, check_flow, explained

A = TypeVar("A")
# In line: the position and the flow, or the group and the place in it; and the effect.
_Waiting: TypeAlias = tuple[Any, Any, Effect[Any]]


def run_many(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 512, largest: int = 256, lanes: int = 0
) -> list[A | Exception]:
    """Run all flows and return their answers in order; a flow that failed has its exception in its place."""
    results = dict(run_each(flows, handlers, in_flight=in_flight, largest=largest, lanes=lanes))
    return [results[n] for n in range(len(results))]


def run_each(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 512, largest: int = 256, lanes: int = 0
) -> Iterator[tuple[int, A | Exception]]:
    """Run flows from an iterable of any length, `in_flight` at a time; yield (position, answer or exception) as each one ends.

    Flows are taken from the iterable, and answers handed out, outside the driver: either side may run flows of its own. With `lanes`, so
    many batches of commits are under way at once, each in a thread; without, everything happens here, and in the same order each time.

    Raises: `InvalidInput` for what is no number, or no iterable; what is no flow among them has that as its answer.
    """
    for name, count, least in (("in_flight", in_flight, 1), ("largest", largest, 1), ("lanes", lanes, 0)):
        if type(count) is not int or count < least:
            raise InvalidInput(f"{count!r} is no whole number, {least} or more", field=name)
    if not isinstance(flows, Iterable):
        raise InvalidInput(f"several flows are expected, not {type(flows).__name__}", field="flows")
    return _each(flows, handlers, in_flight, largest, lanes)


def _each(
    flows: Iterable[Flow[A]], handlers: Handlers, in_flight: int, largest: int, lanes: int
) -> Iterator[tuple[int, A | Exception]]:
    source = enumerate(flows)
    bench = _Bench(handlers, largest, lanes)
    started: deque[tuple[int, Flow[A]]] = deque()
    try:
        while True:
            started.extend(islice(source, in_flight - bench.running))
            if not started and not bench.running:
                return
            token = driver.set(STEPPED)
            try:
                while started:
                    bench.begin(*started.popleft())
                bench.go_on()
            finally:
                driver.reset(token)
            ended, bench.ended = bench.ended, []
            yield from ended
    finally:
        for _, flow in started:  # an interrupt came before they were begun
            flow.close()
        bench.wait()


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

    def __init__(self, handlers: Handlers, largest: int, lanes: int) -> None:
        self._handlers, self._one, self._many, self._largest = handlers, handlers.one, handlers.many, largest
        self._lines: dict[type[Effect[Any]], deque[_Waiting]] = {kind: deque() for kind in handlers.many}
        self._lanes, self._under_way = lanes if Commit in self._lines else 0, 0
        self._back: SimpleQueue[tuple[list[_Waiting], Sequence[Any] | BaseException]] = SimpleQueue()
        self.running = 0
        self.ended: list[tuple[int, Any]] = []

    def begin(self, position: int, flow: Flow[Any]) -> None:
        """Start a flow."""
        self.running += 1
        try:
            check_flow(flow)
        except InvalidInput as error:
            self._end(position, error)
        else:
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
        while self._commits_are_due():
            self._send_commits()
        if not self._back.empty() or not self._answer_fullest():
            self._await_commits()

    def wait(self) -> None:
        """Wait for the commits that are under way; nobody asks for their answers any more."""
        while self._under_way:
            self._back.get()
            self._under_way -= 1

    def _commits_are_due(self) -> bool:
        """Whether commits should set out into a free lane: a full batch, or the longest line, which waits for more while others are under way."""
        if self._under_way >= self._lanes:
            return False
        count, (_, others) = len(self._lines[Commit]), self._fullest()
        worth_it = count * 2 >= self._largest or (count and not self._under_way)
        return count >= self._largest or bool(worth_it and count >= others)

    def _send_commits(self) -> None:
        """Call for a batch of commits in a thread; where none can be started, here."""
        batch = self._batch(self._lines[Commit])
        effects, many = [waiting[2] for waiting in batch], self._many[Commit]
        context = contextvars.copy_context()  # a copy, because a context can be entered by one thread at a time

        def call() -> None:
            try:
                self._back.put((batch, context.run(asked, Commit, many, effects)))
            except BaseException as error:  # noqa: BLE001  (raised by whoever takes it)
                self._back.put((batch, error))

        try:
            Thread(target=call, name="orderkit-commits").start()
        except RuntimeError:  # there are too many, or the interpreter is about to end
            self._lanes = 0
            self._hand_out(batch, asked(Commit, many, effects))
        else:
            self._under_way += 1

    def _await_commits(self) -> None:
        """Wait until a batch of commits comes back, if any is under way, and hand its answers out."""
        if self._under_way:
            batch, answers = self._back.get()
            self._under_way -= 1
            if isinstance(answers, BaseException):
                raise answers
            self._hand_out(batch, answers)

    def _fullest(self) -> tuple[Kind | None, int]:
        """The kind that most flows wait for here, and how many; those who pause count as nobody, and come when nobody else waits."""
        apart = Commit if self._lanes else None
        found: tuple[Kind | None, int] = None, 0
        for kind, line in self._lines.items():
            if line and kind is not apart:
                count = 0 if kind is Pause else len(line)
                if found[0] is None or count > found[1]:
                    found = kind, count
        return found

    def _answer_fullest(self) -> bool:
        """Answer the fullest line with one call, if there is one; nobody pauses while commits are under way."""
        kind, _ = self._fullest()
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
