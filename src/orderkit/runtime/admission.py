"""The bound on running flows. Who comes when it is reached is refused before the first effect, so nothing was begun.

The bound is here and nowhere further in: a queue that refuses further in would refuse second commits, after the money moved.
"""

from __future__ import annotations

import threading
from types import TracebackType

from orderkit.errors import Misconfigured, Overloaded
from orderkit.runtime.opening import check_count


class Admission:
    """Lets at most `limit` flows run at a time; `None` lets all. Safe to use from many threads. A context manager for each run."""

    __slots__ = ("_lock", "closed", "limit", "running")

    def __init__(self, limit: int | None) -> None:
        if limit is not None:
            check_count("running_max", limit, 1)  # a shop that runs no flow at all is of no use
        self.limit = limit
        self.running = 0
        self.closed = False
        self._lock = threading.Lock()

    def check_open(self) -> None:
        """Refuse whoever comes after the shop was closed: adapters would open again what nobody closes. Raises: `Misconfigured`."""
        if self.closed:
            raise Misconfigured("the shop is closed", code="shop_closed")

    def __enter__(self) -> None:
        with self._lock:
            self.check_open()
            if self.limit is not None and self.running >= self.limit:
                raise Overloaded(
                    f"{self.running} requests are running, and no more are let in",
                    facts={"running": self.running, "running_max": self.limit},
                )
            self.running += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.running -= 1
