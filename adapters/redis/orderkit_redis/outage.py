"""The time in which a server is left alone: from a call that failed until a thread of its own has reached it again and told it what it is owed.

Meanwhile nobody asks: callers lose no time on it, and hear nothing from it that is over. It knows no Redis.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

OWED_MAX = 10_000


class Outage:
    """Whether the server is left alone, and what it is owed: keys to be dropped, each with the seconds for which they stay empty.

    `reach` tells the server what it is given, and raises if it is not there.
    """

    def __init__(self, reach: Callable[[Mapping[str, int]], None], *, seconds: float) -> None:
        """Try to reach the server every so many seconds."""
        self._reach, self._seconds = reach, seconds
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._owed: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    @property
    def here(self) -> bool:
        """Whether the server is left alone."""
        return self._thread is not None

    @property
    def owed(self) -> Mapping[str, int]:
        """What the server is owed."""
        with self._lock:
            return dict(self._owed)

    def refuses(self, owes: str | None, empty_seconds: int) -> bool:
        """Say whether the server is left alone at this moment, or for good; then what it should have been told is owed to it."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                return False
            self._owe(owes, empty_seconds)
            self._tend()
            return True

    def begin(self, owes: str | None, empty_seconds: int) -> bool:
        """Leave the server alone from now on, and owe it what it did not hear; answer whether that is news."""
        with self._lock:
            news = self._thread is None
            self._owe(owes, empty_seconds)
            self._tend()
            return news

    def _owe(self, key: str | None, seconds: int) -> None:
        """Keep a key to be dropped. Of too many the oldest goes: it has the least to last."""
        if key is not None:
            self._owed.pop(key, None)
            self._owed[key] = seconds
        while len(self._owed) > OWED_MAX:
            del self._owed[next(iter(self._owed))]

    def _tend(self) -> None:
        """Start the thread, if it is not there: one that is not alive was another process's, before a fork."""
        if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._mend, name="orderkit-redis", daemon=True)
            self._thread.start()

    def _mend(self) -> None:
        while not self._closed.wait(self._seconds):
            if self._settled():
                return

    def _settled(self) -> bool:
        """Tell the server what it is owed; answer whether it heard all of it.

        The most of it at once; then the rest, while nobody can add to it: else callers who are refused would keep the outage going.
        """
        with self._lock:
            taken, self._owed = self._owed, {}
        if not self._reached(taken):
            with self._lock:
                self._owed = {**taken, **self._owed}
                self._owe(None, 0)
            return False
        with self._lock:
            if self._owed and not self._reached(self._owed):
                return False
            self._owed = {}
            self._thread = None
            return True

    def _reached(self, keys: Mapping[str, int]) -> bool:
        try:
            self._reach(keys)
        except Exception:  # noqa: BLE001  (it is not there, for whatever reason, and is tried again)
            return False
        return True

    def close(self) -> None:
        """End the thread; what is still owed is tried once more."""
        self._closed.set()
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join()
        if self.owed:
            self._settled()
