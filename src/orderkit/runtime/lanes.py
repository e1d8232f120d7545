"""Group commit for an event loop: flows that wait for the same kind of store effect share its next call.

An idle system adds no delay: an effect goes with the event loop's next turn. Under load a long line is shared out over a few lanes, in batches
smaller than the line, which keeps the store busy while the next batch gathers; a short one goes whole. What is read for a commit would only wait in
front of full lanes: it is read behind them, for all whose turn comes next. Nothing is ever refused here: the bound is on running flows
(`admission`), because what stands in line may be a second commit, after the money moved.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from orderkit.ports.effect import Effect
from orderkit.runtime.guards import for_one, miscounted

WHOLE = 32  # a batch costs its client some 2 ms, however few are in it: two that share such a line cost twice as much, and gain nothing


def share(waiting: int, free: int, largest: int) -> int:
    """Return how many of a line one of the free lanes takes: a fair part, but no less than is worth a batch."""
    return min(largest, max(-(-waiting // free), min(waiting, WHOLE)))


class Answer(asyncio.Future[Any]):
    """The answer of an effect in line. Cancelled before its batch is sent, the effect never happens; after, it cannot be cancelled."""

    sent = False

    def cancel(self, msg: Any = None) -> bool:
        """Cancel, unless the batch is under way."""
        return False if self.sent else super().cancel(msg)


class Lane:
    """One kind of effect, gathered into batches of at most `largest`, of which `lanes` are under way at once.

    Batches run in the context in which the lane was made: they belong to no one request.
    """

    def __init__(
        self, call: Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[Any]]], *, lanes: int = 2, largest: int = 256
    ) -> None:
        self._call, self._lanes, self._largest = call, lanes, largest
        self._waiting: collections.deque[tuple[Effect[Any], Answer]] = collections.deque()
        self._busy: set[asyncio.Task[Sequence[Any]]] = set()
        self._context = contextvars.copy_context()
        self._behind: Lane | None = None
        self.followed_by: list[Lane] = []

    def go_behind(self, other: Lane) -> None:
        """Let batches of this lane set out, while the other is full, only when a batch of the other has come back."""
        self._behind = other
        other.followed_by.append(self)

    def __call__(self, effect: Effect[Any]) -> Answer:
        """Put an effect in line; the returned future is its answer."""
        loop = asyncio.get_running_loop()
        answer = Answer(loop=loop)
        if not self._waiting:
            loop.call_soon(self._fill, context=self._context)
        self._waiting.append((effect, answer))
        return answer

    @property
    def full(self) -> bool:
        """Whether no batch could set out now."""
        return len(self._busy) >= self._lanes

    def _fill(self) -> None:
        if self._behind is None or not self._behind.full:
            self.set_out()

    def set_out(self) -> None:
        """Send the waiting line out over the free lanes."""
        while self._waiting and (free := self._lanes - len(self._busy)) > 0:
            count = share(len(self._waiting), free, self._largest)
            batch = [each for _ in range(count) if not (each := self._waiting.popleft())[1].cancelled()]
            for _, answer in batch:
                answer.sent = True
            if batch:
                sending = self._call([effect for effect, _ in batch])
                task = asyncio.get_running_loop().create_task(sending, context=self._context)
                self._busy.add(task)
                task.add_done_callback(partial(self._tell, batch), context=self._context)

    def _tell(self, batch: list[tuple[Effect[Any], Answer]], task: asyncio.Task[Sequence[Any]]) -> None:
        self._busy.discard(task)
        kind = type(batch[0][0])
        failure: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
        answers: Sequence[Any] = () if failure is not None else task.result()
        if failure is None and len(answers) != len(batch):
            failure = miscounted(kind, len(answers), len(batch))
        for n, (_, answer) in enumerate(batch):
            result = for_one(kind, failure) if failure is not None else answers[n]
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
        self._fill()
        for lane in self.followed_by:
            lane.set_out()
