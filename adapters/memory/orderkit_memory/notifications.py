"""Notifications in memory: what would have been sent, each once. For tests, and for shops that tell nobody."""

from __future__ import annotations

import threading

from orderkit.ports.notifications import Notify

KEPT = 10_000


class MemoryNotifications:
    """Keeps the last messages by their id, so that a repeat is one message."""

    in_memory = True

    def __init__(self, *, kept: int = KEPT) -> None:
        """Open a channel that keeps the last `kept` messages; a repeat of an older one counts as new."""
        self._kept = kept
        self._sent: dict[str, Notify] = {}
        self._lock = threading.Lock()

    @property
    def sent(self) -> tuple[Notify, ...]:
        """The messages, in the order of sending."""
        with self._lock:
            return tuple(self._sent.values())

    def notify(self, asked: Notify) -> None:
        """Send a message; the first of its id counts."""
        with self._lock:
            if asked.id not in self._sent:
                self._sent[asked.id] = asked
                if len(self._sent) > self._kept:
                    del self._sent[next(iter(self._sent))]

    def close(self) -> None:
        """Nothing is held open."""
