"""A cache in memory: entries with an end. It forgets by itself, and all of it with the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orderkit.ports.cache import Forget, Recall, Remember


class MemoryCache:
    """Entries by key, each until its time is up."""

    in_memory = True

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._entries: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def remember(self, asked: Remember) -> None:
        """Keep entries."""
        until = self._seconds() + asked.seconds
        with self._lock:
            self._entries.update({key: (value, until) for key, value in asked.entries.items()})

    def recall(self, asked: Recall) -> str | None:
        """Return an entry, if it is still there."""
        with self._lock:
            value, until = self._entries.get(asked.key, (None, 0.0))
            if value is not None and until <= self._seconds():
                del self._entries[asked.key]
                return None
            return value

    def forget(self, asked: Forget) -> None:
        """Drop entries."""
        with self._lock:
            for key in asked.keys:
                self._entries.pop(key, None)

    def close(self) -> None:
        """Nothing is held open."""
