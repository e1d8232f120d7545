"""The effect: what a flow awaits. It says what is wanted, never how.

Under an async driver an effect awaits its handler on the spot, so a host's flow may await its own things too. Under a stepping driver
(sync, batch, simulation) the effect itself is handed out, and its answer is sent back in. `Inside` effects stay in the store and may
run in a host's transaction; `Outside` effects leave the process and never do. This module knows no effect in particular.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar

from orderkit.domain.value import Value
from orderkit.errors import FlowMisused

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

Flow: TypeAlias = Coroutine[Any, Any, A]

STEPPED: Any = object()
driver: contextvars.ContextVar[Any] = contextvars.ContextVar("orderkit_driver", default=None)


class Effect(Value, Generic[A_co]):
    """Something that a flow wants of the world; awaiting it gives the answer."""

    def __await__(self) -> Generator[Any, Any, A_co]:
        current: Callable[[Any], Any] | None = driver.get()
        if current is None:
            raise FlowMisused(f"{type(self).__name__} was awaited outside a driver: run the flow with `shop.run(flow)`")
        answer: A_co
        if current is STEPPED:
            answer = yield self
        else:
            answer = yield from current(self).__await__()
        return answer


class Inside(Effect[A_co]):
    """An effect that the store answers; it can run in a transaction that the host has open."""


class Outside(Effect[A_co]):
    """An effect that leaves the process: a provider, a carrier, a bus. Never inside a transaction."""


class All(Effect[tuple[Any, ...]]):
    """Several effects at once, none of them a commit. Answers come in the same order; errors are raised after all have answered."""

    effects: tuple[Effect[Any], ...]


def all_of(*effects: Effect[Any]) -> All:
    """Return the effects as one."""
    return All(effects)
