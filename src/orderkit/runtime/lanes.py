"""Group commit for an event loop: flows that wait for the same kind of store effect share its next call.

An idle system adds no delay: an effect goes with the event loop's next turn. Under load the waiting line is shared out over a few lanes, in
batches smaller than the line, which keeps the store busy while the next batch gathers.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from orderkit.errors import PortError
from orderkit.ports import store
from orderkit.ports.effect import Effect
from orderkit.runtime.bindings import BATCHED, STORE


class Answer(asyncio.Future[Any]):
    """Cancelled before its batch is sent: it never happens. After: its flow learns the answer first."""

    sent = False

    def cancel(self, msg: Any = None) -> bool:
        """Cancel, unless the batch is under way."""
        return False if self.sent else super().cancel(msg)


class Lane:
    """One kind of effect, gathered into batches."""

    def __init__(
        self, call: Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[Any]]], *, lanes: int = 2, largest: int = 256
    ) -> None:
        self._call, self._lanes, self._largest = call, lanes, largest
        self._waiting: collections.deque[tuple[Any, Answer]] = collections.deque()
        self._busy: set[asyncio.Task[Sequence[Any]]] = set()
        self._context = contextvars.copy_context()  # a batch belongs to no one request

    def __call__(self, effect: Effect[Any]) -> Answer:
        """Put an effect in line; the returned future is its answer."""
        loop = asyncio.get_running_loop()
        answer = Answer(loop=loop)
        if not self._waiting:
            loop.call_soon(self._fill, context=self._context)
        self._waiting.append((effect, answer))
        return answer

    def _fill(self) -> None:
        while self._waiting and (free := self._lanes - len(self._busy)) > 0:
            count = min(self._largest, -(-len(self._waiting) // free))
            batch = [w for _ in range(count) if not (w := self._waiting.popleft())[1].cancelled()]
            for _, answer in batch:
                answer.sent = True
            if batch:
                task = asyncio.get_running_loop().create_task(self._call([e for e, _ in batch]), context=self._context)
                self._busy.add(task)
                task.add_done_callback(partial(self._tell, batch), context=self._context)

    def _tell(self, batch: list[tuple[Any, Answer]], task: asyncio.Task[Sequence[Any]]) -> None:
        self._busy.discard(task)
        error = None if task.cancelled() else task.exception()
        results: Sequence[Any] = () if task.cancelled() or error else task.result()
        if error is None and len(results) != len(batch):
            error = PortError(f"{len(results)} answers to {len(batch)} effects", outcome="unknown")
        for n, (_, answer) in enumerate(batch):
            result = error if error is not None else results[n]
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
        self._fill()


_BATCHED: Mapping[type[Effect[Any]], str] = {**BATCHED, store.Load: "load_many"}


class Lanes:
    """The lanes of one async store, made when first used."""

    def __init__(self, found: Any) -> None:
        self._store = found
        self._lanes: dict[type[Effect[Any]], Lane] = {}

    def of(self, kind: type[Effect[Any]]) -> Lane | None:
        """Return the lane of an effect that is answered in batches."""
        if kind not in _BATCHED:
            return None
        lane = self._lanes.get(kind)
        if lane is None:
            largest = self._store.capabilities.batch_max
            lane = self._lanes[kind] = Lane(partial(self.call, self._store, kind), largest=largest)
        return lane

    @staticmethod
    async def call(found: Any, kind: type[Effect[Any]], effects: Sequence[Any]) -> Sequence[Any]:
        """Ask the store for several answers of one kind."""
        asked = [effect.order_id for effect in effects] if kind is store.Load else effects
        answers = getattr(found, _BATCHED[kind])(asked)
        result: Sequence[Any] = await answers if isinstance(answers, Awaitable) else answers
        return result

    @staticmethod
    def method(found: Any, kind: type[Effect[Any]]) -> Callable[[Any], Awaitable[Any]] | None:
        """Return the store's method for an effect that is answered alone."""
        if kind not in STORE:
            return None
        method = getattr(found, STORE[kind])

        async def ask(effect: Any) -> Any:
            answer = method(effect)
            return await answer if isinstance(answer, Awaitable) else answer

        return ask
