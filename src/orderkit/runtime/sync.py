"""The sync driver: no event loop. It steps a flow and answers each effect by a call."""

from __future__ import annotations

import os
from types import CodeType
from typing import Any, TypeVar

from orderkit.errors import FlowMisused, InvalidInput
from orderkit.ports.effect import STEPPED, Effect, Flow, driver
from orderkit.runtime.bindings import Handlers

A = TypeVar("A")

_ASYNCIO = f"{os.sep}asyncio{os.sep}"
_NO_LOOP = "no running event loop"


def run_sync(flow: Flow[A], handlers: Handlers) -> A:
    """Run a flow to its end. What a handler raises, is raised in the flow at its `await`.

    What is no `Exception` (an interrupt, a simulated crash) is not: it leaves at once, and the flow stays where it is, so that none of its
    code runs after that.
    """
    answers, slow = handlers.one, handlers.answer
    send, throw = flow.send, flow.throw
    token = driver.set(STEPPED)
    value: Any = None
    try:
        effect = send(None)
        while True:
            try:
                handler = answers.get(type(effect))
                value = handler(effect) if handler is not None else slow(awaitable(flow, effect))
            except Exception as error:  # noqa: BLE001  (all of them belong to the flow)
                effect = throw(error)
            else:
                effect = send(value)
    except StopIteration as done:
        answer: A = done.value
        return answer
    except RuntimeError as error:
        if (found := explained(error)) is error:
            raise
        raise found from error
    finally:
        driver.reset(token)


def check_flow(flow: object) -> None:
    """Refuse what is no flow, such as the function of one that nobody called. Raises: `InvalidInput`."""
    if hasattr(flow, "send"):
        return
    name = getattr(flow, "__name__", None)
    hint = f": call it, as in {name}(…)" if callable(flow) and name else ""
    raise InvalidInput(f"a flow is expected, not {type(flow).__name__}{hint}", field="flow")


def awaitable(flow: Flow[Any], awaited: object) -> Effect[Any]:
    """Return what was awaited if it is an effect; else name the flow, the line, and what it awaited."""
    if isinstance(awaited, Effect):
        return awaited
    where = " → ".join(_chain(flow))
    raise FlowMisused(
        f"{where} awaits {type(awaited).__name__}: without an event loop only effects and flows can be awaited"
    )


def explained(error: RuntimeError) -> Exception:
    """Return the error, or the one that explains it: asyncio says no more than that there is no event loop."""
    if str(error) != _NO_LOOP:
        return error
    where, what = "a flow", "asyncio"
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if _ASYNCIO in code.co_filename:
            what = f"asyncio.{code.co_name}"
            break
        where = f"{code.co_qualname} ({_file(code)}:{step.tb_lineno})"
        step = step.tb_next
    return FlowMisused(f"{where} awaits {what}: without an event loop only effects and flows can be awaited")


def _chain(flow: Any) -> list[str]:
    """Where a suspended flow is: every coroutine from the outermost to the one that waits, with file and line."""
    places: list[str] = []
    while flow is not None:
        frame = getattr(flow, "cr_frame", None) or getattr(flow, "gi_frame", None)
        if frame is None:
            break
        places.append(f"{flow.__qualname__} ({_file(frame.f_code)}:{frame.f_lineno})")
        flow = getattr(flow, "cr_await", None) or getattr(flow, "gi_yieldfrom", None)
    return places or ["a flow"]


def _file(code: CodeType) -> str:
    return code.co_filename.rpartition(os.sep)[2]
