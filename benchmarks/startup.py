"""How long `import orderkit` takes, as the ratio to an empty Python and in milliseconds: medians of fresh processes, taken in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.harness import Bench

RUNS = 15
OPENED = "import orderkit; orderkit.open('memory:').close()"
START_MS_MAX = 150.0  # a command line that takes longer to begin feels slow, and a host's tests pay it in every process


def run(bench: Bench) -> None:
    """Measure."""
    _seconds(OPENED)  # bytecode is written once
    programs = {"empty Python": "pass", "import orderkit": "import orderkit", "a shop in memory": OPENED}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(RUNS):  # in turn, so that a drift of the machine's speed meets all
        for name, code in programs.items():
            times[name].append(_seconds(code))
    bare, imported, opened = (statistics.median(found) for found in times.values())
    bench.figure("empty Python", bare * 1e3, "ms")
    bench.figure("import orderkit", (imported - bare) * 1e3, "ms", at_most=START_MS_MAX)
    bench.figure("import orderkit, and open a shop in memory", (opened - bare) * 1e3, "ms")
    bench.figure("import orderkit / empty Python", imported / bare, "ratio")


def _seconds(code: str) -> float:
    """Return how long a fresh interpreter takes for the code."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin
