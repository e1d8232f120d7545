"""Calls that start together, in threads: what the suites provoke races with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")

PATIENCE_SECONDS = 120.0  # far beyond any honest wait: what takes longer is a deadlock


def at_once(calls: Sequence[Callable[[], A]]) -> list[A]:
    """Call all of them in threads that start together, and return their results in order."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], A]) -> A:
        gate.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, call) for call in calls]
        return [each.result(PATIENCE_SECONDS) for each in running]
