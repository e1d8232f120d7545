"""A cache in memory: entries with an end. It forgets by itself, the oldest first when it is full, and all of it with the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orderkit.ports.cache import Forget, Recall, Remember

ENTRIES_MAX = 100_000


class MemoryCache:
    """Entries by key, each until its time is up on the given clock of seconds."""

    in_memory = True

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic, entries_max: int = ENTRIES_MAX) -> None:
        """Open an empty cache for at most `entries_max` entries."""
        self._seconds = seconds
        self._entries_max = entries_max
        self._entries: dict[str, tuple[str, float]] = {}  # in the order of remembering
        self._lock = threading.Lock()

    def remember(self, asked: Remember) -> None:
        """Keep entries; a new value under an old key takes its place."""
        with self._lock:
            now = self._seconds()
            for key, value in asked.entries.items():
                self._entries.pop(key, None)
                self._entries[key] = (value, now + asked.seconds)
            if len(self._entries) > self._entries_max:
                self._shrink(now)

    def _shrink(self, now: float) -> None:
        """Drop what is over, and then the oldest, until a tenth is free: so this is rare."""
        alive = [(key, entry) for key, entry in self._entries.items() if entry[1] > now]
        self._entries = dict(alive[-(self._entries_max * 9 // 10) :])

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
