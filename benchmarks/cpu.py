"""CPU time of a tree of processes, from Linux's /proc: what a client and its server cost, whoever else uses the machine.

Wall-clock time is anybody's on a shared machine; CPU seconds per operation are much less so. Only the standard library is needed here, since
programs in other environments (the peers) use it too.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PARENT, _FIRST_TIME, _LAST_TIME = 1, 11, 15  # fields of /proc/N/stat after the program's name: ppid, utime … cstime


def _processes() -> dict[int, tuple[int, float]]:
    """Return each process with its parent and its CPU seconds, those of children that have ended included."""
    found: dict[int, tuple[int, float]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        seconds = sum(map(int, fields[_FIRST_TIME:_LAST_TIME])) / _TICKS
        found[int(path.parent.name)] = int(fields[_PARENT]), seconds
    return found


def cpu_seconds(root: int, *, without: int | None = None) -> float:
    """Return the CPU seconds of a process and everything below it, without the branch that begins at `without`."""
    processes = _processes()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    total, waiting = 0.0, [root]
    while waiting:
        pid = waiting.pop()
        if pid == without or pid not in processes:
            continue
        total += processes[pid][1]
        waiting += children.get(pid, ())
    return total


class CpuWatch:
    """CPU seconds since it was made: of this program with its children, and of a server that it started."""

    def __init__(self, server_pid: int | None = None) -> None:
        self._server_pid = server_pid
        self._client, self._server = self._now()

    def _now(self) -> tuple[float, float]:
        server = cpu_seconds(self._server_pid) if self._server_pid is not None else 0.0
        return cpu_seconds(os.getpid(), without=self._server_pid), server

    def spent(self) -> tuple[float, float]:
        """Return the seconds of the client and of the server since the beginning."""
        client, server = self._now()
        return client - self._client, server - self._server
