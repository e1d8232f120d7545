"""A cache in memory: entries and kept-away keys, each with an end. It forgets by itself, the oldest first when it is full, all with the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from orderkit.ports.cache import Entry, Forget, Recall, Remember, version_of

ENTRIES_MAX = 100_000


class MemoryCache:
    """Entries by key, each until its time is up on the given clock of seconds."""

    in_memory = True

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic, entries_max: int = ENTRIES_MAX) -> None:
        """Open an empty cache for at most `entries_max` entries."""
        self._seconds = seconds
        self._entries_max = entries_max
        self._entries: dict[str, tuple[Entry | None, float]] = {}  # in the order of coming; `None` keeps a key empty
        self._lock = threading.Lock()

    def remember(self, asked: Remember) -> None:
        """Keep an entry in the place of what is there, unless that is newer or was just forgotten."""
        with self._lock:
            now = self._seconds()
            if asked.key in self._entries:
                there, until = self._entries[asked.key]
                if until > now and (there is None or version_of(there) > version_of(asked.entry)):
                    return
            entry = dict(asked.entry) if isinstance(asked.entry, Mapping) else asked.entry
            self._put(asked.key, entry, now + asked.seconds)

    def recall(self, asked: Recall) -> Entry | None:
        """Return an entry, if it is still there."""
        with self._lock:
            entry, until = self._entries.get(asked.key, (None, 0.0))
            return entry if until > self._seconds() else None

    def forget(self, asked: Forget) -> None:
        """Drop an entry, and keep its key empty for a while."""
        with self._lock:
            self._put(asked.key, None, self._seconds() + asked.seconds)

    def _put(self, key: str, entry: Entry | None, until: float) -> None:
        self._entries.pop(key, None)
        self._entries[key] = entry, until
        if len(self._entries) > self._entries_max:
            self._shrink(self._seconds())

    def _shrink(self, now: float) -> None:
        """Drop what is over, and then the oldest, until a tenth is free: so this is rare."""
        alive = [(key, entry) for key, entry in self._entries.items() if entry[1] > now]
        self._entries = dict(alive[-(self._entries_max * 9 // 10) :])

    def close(self) -> None:
        """Nothing is held open."""
