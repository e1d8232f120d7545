"""What the pure core costs: µs per operation, in memory, without a store. Ratios between the rows say more than the digits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.harness import Bench
from orderkit.domain.lifecycle import ORDER

ROUNDS = 7
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def run(bench: Bench) -> None:
    """Measure."""
    _transitions(bench)


def _transitions(bench: Bench) -> None:
    bench.figure("transition", micros(lambda: ORDER.step("placed", "confirm"), bench.seconds), "µs", at_most=5)


def micros(act: Callable[[], object], seconds: float, *, each: int = 1) -> float:
    """Return the median µs of one call, or of each of `each` things that it does, over several rounds."""
    act()
    begin = time.perf_counter()
    act()
    share = max(seconds / 20 / ROUNDS, 1e-3)  # a benchmark of many rows takes a few times `--seconds`
    times = max(round(share / max(time.perf_counter() - begin, 1e-9)), 1)
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(times):
            act()
        rounds.append((time.perf_counter() - begin) / times / each * 1e6)
    return statistics.median(rounds)
