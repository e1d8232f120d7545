"""Notifications in memory: what would have been sent, each once."""

from __future__ import annotations

import threading

from orderkit.ports.notifications import Notify


class MemoryNotifications:
    """Keeps messages by their id, so that a repeat is one message."""

    in_memory = True

    def __init__(self) -> None:
        self._sent: dict[str, Notify] = {}
        self._lock = threading.Lock()

    @property
    def sent(self) -> tuple[Notify, ...]:
        """Every message, in the order of sending."""
        return tuple(self._sent.values())

    def notify(self, asked: Notify) -> None:
        """Keep a message; the first of its id counts."""
        with self._lock:
            self._sent.setdefault(asked.id, asked)

    def close(self) -> None:
        """Nothing is held open."""
