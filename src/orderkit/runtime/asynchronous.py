"""The async driver is ambient: an effect awaits its handler on the spot, so a flow may await its host's own things too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from orderkit.ports.effect import All, Effect, Flow, driver
from orderkit.runtime.bindings import checked

A = TypeVar("A")
AsyncAnswer = Callable[[Effect[Any]], Awaitable[Any]]


async def run_async(flow: Flow[A], answer: AsyncAnswer) -> A:
    """Run a flow on the running event loop; tasks that it starts inherit the driver."""
    token = driver.set(answer)
    try:
        return await flow
    finally:
        driver.reset(token)


async def together(effect: All, answer: AsyncAnswer) -> tuple[Any, ...]:
    """Answer several effects at once; errors are raised after all have answered, and none is cancelled for another's error."""
    results = await asyncio.gather(*(answer(inner) for inner in checked(effect).effects), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return tuple(results)
