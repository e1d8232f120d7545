"""When a server that does not answer is left alone. A circuit breaker: who has failed once rests, and callers lose no more time on it.

It knows no Redis, and reads time from the clock that it is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Rest:
    """A time after a failure in which nobody asks."""

    def __init__(self, seconds: float, *, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._until = 0.0
        self._lock = threading.Lock()

    @property
    def over(self) -> bool:
        """Whether the server may be asked."""
        return self._clock() >= self._until

    def begin(self) -> bool:
        """Let it rest from now on; answer whether that is news, or others have found out at the same time."""
        with self._lock:
            now = self._clock()
            news = now >= self._until
            self._until = now + self.seconds
            return news
