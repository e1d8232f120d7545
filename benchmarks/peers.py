"""The same work by what a user would take instead: a hand-written handler on an ORM, DBOS, django-oscar. Ratios only; all on one server.

Every system gets an empty database of the same PostgreSQL, one process, default settings but for the pool's size, and orders of three lines
and 5 KB with a provider that answers at once. orderkit is measured before and after the others, so that a drift of the machine shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks.harness import Bench, Unavailable
from benchmarks.load import Load
from benchmarks.peer.task import told
from benchmarks.shops import open_shop, placement, stocked
from benchmarks.workload import Workload

TOP = Path(__file__).parents[1]
CALLERS = 1_024
REQUIREMENTS = (
    "attrs>=24.2",
    "msgspec>=0.21",
    "SQLAlchemy[asyncio]>=2.0.36",
    "psycopg[binary,pool]>=3.2.2",
    "fastapi>=0.133",
    "dbos>=3.4",
    "django-oscar>=4.2",
)


@attrs.frozen
class Peer:
    """One system: the program that runs it, how many callers suit it best, and how many times faster orderkit has to be."""

    name: str
    program: str
    callers: Sequence[int]
    goal: float | None = None


PEERS = (
    Peer("FastAPI and SQLAlchemy ORM", "handler", (16, 64), 60),
    Peer("DBOS", "durable", (32,), 200),
    Peer("django-oscar", "oscar_shop", (4,)),
)


def run(bench: Bench) -> None:
    """Measure orderkit, the peers, and orderkit again."""
    python = environment(bench)
    before = _orderkit(bench)
    loads = {}
    for peer in PEERS:
        tries = [_measured(bench, python, peer, callers) for callers in peer.callers]
        loads[peer] = max(tries, key=lambda load: load.per_second)
    after = _orderkit(bench)
    ours = before.joined(after)
    rate, cost = (before.per_second + after.per_second) / 2, ours.client_cpu_micros() + ours.server_cpu_micros()
    bench.figure("orderkit after / before the peers", after.per_second / before.per_second, "ratio")
    for peer, load in loads.items():
        spent = load.client_cpu_micros() + load.server_cpu_micros()
        bench.figure("orders/s, orderkit to peer", rate / load.per_second, "times", at_least=peer.goal, peer=peer.name)
        bench.figure("CPU per order, peer to orderkit", spent / cost, "times", peer=peer.name)


def _orderkit(bench: Bench) -> Load:
    url, workload = bench.server.database(), Workload()
    with open_shop(url) as shop:
        stocked(shop, workload)
    pid = bench.server.pid
    load = asyncio.run(placement(url, workload, callers=CALLERS, seconds=bench.seconds, server_pid=pid))
    bench.server.drop(url)
    return _said(bench, "orderkit", CALLERS, load)


def _measured(bench: Bench, python: Path, peer: Peer, callers: int) -> Load:
    url = bench.server.database(migrated=False)
    command = [str(python), "-m", f"benchmarks.peer.{peer.program}"]
    command += [url, str(bench.seconds), str(callers), str(bench.server.pid)]
    done = subprocess.run(command, cwd=TOP, env=_surroundings(), capture_output=True, text=True, check=False)
    bench.server.drop(url)
    if done.returncode:
        raise RuntimeError(f"{peer.name} failed: {done.stderr.strip()[-2_000:]}")
    return _said(bench, peer.name, callers, told(done.stdout))


def _said(bench: Bench, name: str, callers: int, load: Load) -> Load:
    bench.figure("orders/s", load.per_second, "orders/s", system=name, callers=callers)
    cpu = (load.client_cpu_micros() + load.server_cpu_micros()) / 1e3
    bench.figure("CPU per order, client and server", cpu, "ms", system=name, callers=callers)
    bench.figure("p50", load.millis(0.5), "ms", system=name, callers=callers)
    bench.figure("p99", load.millis(0.99), "ms", system=name, callers=callers)
    return load


def _surroundings() -> dict[str, str]:
    """Return the environment of a peer's program: the benchmarks, and of orderkit only what the orders are described with."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP), str(TOP / "src")]), "PYTHONWARNINGS": "ignore"}


# ---- the peers' own environment


def environment(bench: Bench) -> Path:
    """Return the interpreter that has the peers, which are installed when they are first asked for, outside of this repository."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = hashlib.sha256("\n".join((version, *REQUIREMENTS)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "orderkit-benchmarks" / f"peers-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        bench.note(f"installing the peers into {folder}")
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"the peers cannot be installed: {done.stderr.strip()[-500:]}")
        complete.touch()
    return python
