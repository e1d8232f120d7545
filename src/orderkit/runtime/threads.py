"""Group commit for many threads: those that wait share the next call.

A thread that comes while a lane is free leads: it calls at once, for itself and whoever waits. The others wait until a leader has answered
them, or hands its lane on to them. So idle adds no delay, nobody works for others for long, and there is no background thread.
"""

from __future__ import annotations

import collections
import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Any

from orderkit.errors import PortError
from orderkit.ports.effect import Effect
from orderkit.runtime.guards import asked, for_one


class _Waiter:
    """A thread's effect in line. `gate` opens when there is an answer, or a lane to lead."""

    __slots__ = ("answer", "answered", "effect", "gate", "leads", "open")

    def __init__(self, effect: Effect[Any]) -> None:
        self.effect = effect
        self.gate = threading.Lock()
        self.gate.acquire()
        self.open = False
        self.leads = False
        self.answered = False
        self.answer: Any = None

    def wake(self) -> None:
        """Open the gate; the lane's lock is held."""
        if not self.open:
            self.open = True
            self.gate.release()


class ThreadLane:
    """One kind of effect, gathered from many threads into batches of at most `largest`, of which `lanes` are under way at once."""

    def __init__(self, call: Callable[[Sequence[Any]], Sequence[Any]], *, lanes: int = 2, largest: int = 256) -> None:
        self._call, self._lanes, self._largest = call, lanes, largest
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Waiter] = collections.deque()
        self._busy = 0
        self._context = contextvars.copy_context()  # a batch belongs to no one request

    def __call__(self, effect: Effect[Any]) -> Any:
        """Return the effect's answer, or raise its error."""
        waiter = _Waiter(effect)
        with self._lock:
            self._waiting.append(waiter)
            leads = self._busy < self._lanes
            self._busy += leads
        while True:
            if leads:
                self._lead()
            if waiter.answered:
                break
            leads = self._wait(waiter)
        if waiter.leads:  # a lane that came while this thread was leading another
            with self._lock:
                self._hand_over()
        if isinstance(waiter.answer, Exception):
            raise waiter.answer
        return waiter.answer

    def _wait(self, waiter: _Waiter) -> bool:
        """Wait for an answer or for a lane; the result says whether it is a lane."""
        try:
            waiter.gate.acquire()
        except BaseException:  # an interrupt: a lane that was handed over meanwhile must not be lost
            with self._lock:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                if waiter.leads:
                    self._hand_over()
            raise
        with self._lock:
            waiter.open = False
            leads, waiter.leads = waiter.leads, False
        return leads

    def _lead(self) -> None:
        """Call for a fair share of those who wait, tell them, and hand the lane on."""
        with self._lock:
            free = self._lanes - self._busy + 1
            count = min(self._largest, -(-len(self._waiting) // free))
            batch = [self._waiting.popleft() for _ in range(count)]
        answers: Sequence[Any] | None = None
        try:
            if batch:
                effects = [waiter.effect for waiter in batch]
                # A copy, because a context can be entered by one thread at a time.
                answers = self._context.copy().run(asked, type(effects[0]), self._call, effects)
        finally:
            with self._lock:
                for n, waiter in enumerate(batch):
                    # No answers: the leader was interrupted, and nobody knows what became of the call.
                    waiter.answer = (
                        answers[n] if answers is not None else for_one(type(waiter.effect), PortError("interrupted"))
                    )
                    waiter.answered = True
                    waiter.wake()
                self._hand_over()

    def _hand_over(self) -> None:
        """Give the lane to the first who waits and has none yet, or free it; the lock is held."""
        for waiter in self._waiting:
            if not waiter.leads:
                waiter.leads = True
                waiter.wake()
                return
        self._busy -= 1
