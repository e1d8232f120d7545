"""The sync driver: no event loop. It steps a flow and answers each effect by a call."""

from __future__ import annotations

from typing import Any, TypeVar

from orderkit.errors import FlowMisused
from orderkit.ports.effect import STEPPED, Effect, Flow, driver
from orderkit.runtime.bindings import Handlers

A = TypeVar("A")


def run_sync(flow: Flow[A], handlers: Handlers) -> A:
    """Run a flow to its end. What a handler raises, is raised in the flow at its `await`."""
    token = driver.set(STEPPED)
    answers, slow = handlers.one, handlers.answer
    send, throw = flow.send, flow.throw
    value: Any = None
    try:
        effect = send(None)
        while True:
            try:
                handler = answers.get(type(effect))
                value = handler(effect) if handler is not None else slow(_effect(flow, effect))
            except Exception as error:
                effect = throw(error)
            else:
                effect = send(value)
    except StopIteration as done:
        answer: A = done.value
        return answer
    finally:
        driver.reset(token)
        flow.close()


def _effect(flow: Flow[Any], awaited: object) -> Effect[Any]:
    """Return what was awaited if it is an effect; else name the flow, the line, and what it awaited."""
    if isinstance(awaited, Effect):
        return awaited
    raise FlowMisused(foreign(flow, awaited))


def foreign(flow: Flow[Any], awaited: object) -> str:
    """Return the message for a foreign await."""
    frame, where = getattr(flow, "cr_frame", None), ""
    coroutine: Any = flow
    while getattr(coroutine, "cr_await", None) is not None and hasattr(coroutine.cr_await, "cr_frame"):
        coroutine = coroutine.cr_await
    frame = getattr(coroutine, "cr_frame", frame)
    if frame is not None:
        where = f" ({frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno})"
    name = getattr(coroutine, "__qualname__", str(flow))
    return f"{name}{where} awaits {type(awaited).__name__}: without an event loop only effects and flows can be awaited"


