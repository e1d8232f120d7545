"""The batching driver: many flows step together, and equal effects are answered by one call of their port.

It needs no event loop and is the fastest way to run bulk work: imports, replays, sweeps. Each flow gets its own answer, or its own error; one
that fails never touches its neighbours.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from orderkit.errors import FlowMisused, OrderkitError, PortError
from orderkit.ports.effect import STEPPED, All, Effect, Flow, driver
from orderkit.runtime.bindings import Handlers, checked
from orderkit.runtime.sync import foreign

A = TypeVar("A")

Waiting = tuple[int, Flow[Any], Effect[Any]]


def run_many(flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256) -> list[A | Exception]:
    """Run all flows and return their answers in order; a flow that failed has its exception in its place."""
    results = dict(run_each(flows, handlers, in_flight=in_flight, largest=largest))
    return [results[n] for n in range(len(results))]


def run_each(
    flows: Iterable[Flow[A]], handlers: Handlers, *, in_flight: int = 1_000, largest: int = 256
) -> Iterator[tuple[int, A | Exception]]:
    """Run flows from an iterable of any length, `in_flight` at a time; yield (position, answer or exception) as each one ends."""
    token = driver.set(STEPPED)
    source = enumerate(flows)
    lines: dict[type[Effect[Any]], deque[Waiting]] = defaultdict(deque)
    running = 0
    try:
        while True:
            while running < in_flight and (following := next(source, None)) is not None:
                position, flow = following
                ended = _step(position, flow, None, None, handlers, lines)
                if ended is None:
                    running += 1
                else:
                    yield position, ended[0]
            if not running:
                return
            for position, answer in _answer_fullest(lines, handlers, largest):
                running -= 1
                yield position, answer
    finally:
        driver.reset(token)


def _step(
    position: int,
    flow: Flow[Any],
    value: Any,
    error: Exception | None,
    handlers: Handlers,
    lines: dict[type[Effect[Any]], deque[Waiting]],
) -> tuple[Any] | None:
    """Step a flow to its next effect that a batch answers, answering single ones on the spot; return its end, if it ended."""
    one, many = handlers.one, handlers.many
    try:
        while True:
            effect = flow.throw(error) if error is not None else flow.send(value)
            error = None
            kind = type(effect)
            if kind in many:
                lines[kind].append((position, flow, effect))
                return None
            try:
                handler = one.get(kind)
                if handler is not None:
                    value = handler(effect)
                elif isinstance(effect, All):
                    value = tuple(handlers.answer(inner) for inner in checked(effect).effects)
                elif isinstance(effect, Effect):
                    value = handlers.answer(effect)
                else:
                    raise FlowMisused(foreign(flow, effect))
            except Exception as raised:
                error = raised
    except StopIteration as done:
        return (done.value,)
    except Exception as raised:
        return (raised,)


def _answer_fullest(
    lines: dict[type[Effect[Any]], deque[Waiting]], handlers: Handlers, largest: int
) -> Iterator[tuple[int, Any]]:
    kind = max(lines, key=lambda k: len(lines[k]))
    line = lines[kind]
    batch = [line.popleft() for _ in range(min(largest, len(line)))]
    answers = _asked(kind, [effect for _, _, effect in batch], handlers)
    for (position, flow, _), answer in zip(batch, answers, strict=True):
        failed = answer if isinstance(answer, Exception) else None
        ended = _step(position, flow, None if failed else answer, failed, handlers, lines)
        if ended is not None:
            yield position, ended[0]


def _asked(kind: type[Effect[Any]], effects: list[Effect[Any]], handlers: Handlers) -> list[Any]:
    """Ask the port once for all; when that fails, the failure is everyone's answer."""
    try:
        answers = list(handlers.many[kind](effects))
    except OrderkitError as error:
        return [error] * len(effects)
    except Exception as error:
        return [PortError(f"{kind.__name__}: {error!r}", outcome="unknown")] * len(effects)
    if len(answers) != len(effects):
        return [PortError(f"{kind.__name__}: {len(answers)} answers to {len(effects)} effects", outcome="unknown")] * len(effects)
    return answers
