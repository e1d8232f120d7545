"""Processes under attack: started with their output in a file, signaled by their own id, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@attrs.define
class Process:
    """One process, and what it said."""

    running: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.running.send_signal(number)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end, and return its status."""
        return self.running.wait(seconds)

    def terminated(self, seconds: float = PATIENCE) -> int:
        """Ask it to stop, and return its status."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)


class Processes:
    """All processes of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> Process:
        """Start a Python process with those arguments."""
        log = self._folder / f"process-{len(self._started)}.log"
        with log.open("wb") as out:
            running = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                stdout=out,
                stderr=out,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
            )
        self._started.append(Process(running, log))
        return self._started[-1]

    def worker(self, *options: str, environment: dict[str, str] | None = None) -> Process:
        """Start a worker, and wait until it says that it works."""
        found = self.start("-m", "orderkit.cli", "worker", *options, environment=environment)
        until(lambda: "started" in found.said or found.running.poll() is not None, "the worker starts")
        return found

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._started:
            if process.running.poll() is None:
                process.running.kill()
                process.running.wait()


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Start processes, and leave none behind."""
    found = Processes(folder)
    try:
        yield found
    finally:
        found.end()


def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"waited {seconds} s in vain until {what}"
        time.sleep(0.05)
