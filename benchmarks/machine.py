"""What a run ran on, and how quiet it was there: a figure without its machine says nothing, and one from a noisy machine says little.

The noise is the spread of one small loop, always the same work, timed again and again through the run: where it takes 5 ms now and 9 ms then,
no difference below that of other figures means anything.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any

_STEPS = 60_000  # about 3 to 6 ms: longer than a switch of processes, shorter than anybody notices
_DECILES = 10


def _loop() -> float:
    """Do the work, and return how many seconds it took."""
    begin = time.perf_counter()
    total = 0
    for n in range(_STEPS):
        total += n * n % 7
    return time.perf_counter() - begin


class Noise:
    """The loop's times through a run."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self.sample(9)

    def sample(self, times: int = 3) -> None:
        """Time the loop a few times more."""
        self._times += [_loop() for _ in range(times)]

    def described(self) -> dict[str, Any]:
        """Return the median, and the distance of the first and the last tenth as a share of it."""
        median = statistics.median(self._times)
        tenths = statistics.quantiles(self._times, n=_DECILES)
        return {
            "loop_ms": round(median * 1e3, 3),
            "spread": round((tenths[-1] - tenths[0]) / median, 3),
            "samples": len(self._times),
        }


def machine() -> dict[str, Any]:
    """Return the machine, and how busy it is now."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "python_build": f"{platform.python_build()[1]}, {platform.python_compiler()}",
        "sqlite": sqlite3.sqlite_version,
        "write_back": _write_back(),
        "postgresql": None,
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _write_back() -> dict[str, int]:
    """Return when the kernel begins to write back what was written to files: commits wait for it while it writes much at once."""
    folder = Path("/proc/sys/vm")
    names = ("dirty_background_bytes", "dirty_background_ratio", "dirty_expire_centisecs")
    return {name: int((folder / name).read_text()) for name in names if (folder / name).exists()}


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
