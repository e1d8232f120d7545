"""Processes die before and after every effect on a real PostgreSQL, and whoever comes next finishes what they began: once, and wholly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orderkit.plugins.manager import Plugins
from orderkit.runtime.gates import CRASH_AT, OPERATIONS, PHASES, STATUS
from tests.chaos.books import examined
from tests.chaos.days import World, a_hosts_day, a_workers_day, due_for_workers, forked
from tests.chaos.processes import Processes, processes
from tests.chaos.scale import scale
from tests.chaos.shops import stocked

pytestmark = [pytest.mark.chaos, pytest.mark.postgres, pytest.mark.slow]
# At these something becomes durable or leaves the process: the long form ends a process at several passages.
DEEP = ("commit", "move_money", "ask_payment", "publish", "mark_published", "give_up", "settle_message", "book_parcel")
PASSAGES = 6
SHORT = ("commit", "move_money", "mark_published", "settle_message")
# No host's or worker's flow awaits these in such a day: reads for people, and what a cancelled parcel or a second click needs.
ELSEWHERE = {"cancel_parcel", "pause", "read_document", "recall", "search"}


@pytest.fixture
def world(make_postgres_database: Callable[[], str], tmp_path: Path) -> World:
    """A stocked shop on a database of its own."""
    scale()
    found = World(make_postgres_database(), tmp_path)
    Plugins().migrate_store(found.store)

    def stock() -> None:
        with found.opened() as shop:
            stocked(shop)

    assert forked(stock) == 0
    return found


def died_everywhere(day: Callable[[str, str], int]) -> Counter[str]:
    """End a process at each gate of its day, and return how often it died at each. `day` lives a day of that name, up to a gate."""
    deaths: Counter[str] = Counter()
    every_gate = scale().every_gate
    for operation in OPERATIONS if every_gate else SHORT:
        for phase in PHASES:
            for passage in range(1, PASSAGES if every_gate and operation in DEEP else 2):
                name = f"{operation}-{phase}-{passage}"
                status = day(name, f"{operation}:{phase}:{passage}")
                assert status in (0, STATUS), name
                if status == 0:
                    break
                deaths[f"{operation}:{phase}"] += 1
    return deaths


def test_a_death_at_any_gate_loses_and_doubles_nothing(world: World) -> None:
    """A host's process and a worker's are ended at every gate they pass; in the end all books agree.

    A host asks again under its keys; a worker that comes later finds what an earlier one left, beside work of its own.
    """

    def a_host(name: str, gate: str) -> int:
        status = forked(lambda: a_hosts_day(world, f"host-{name}"), gate)
        assert status == 0 or forked(lambda: a_hosts_day(world, f"host-{name}")) == 0, name
        return status

    def a_worker(name: str, gate: str) -> int:
        return forked(lambda: a_workers_day(world), gate, prepare=lambda: due_for_workers(world, f"worker-{name}"))

    begin = time.monotonic()
    host, worker = died_everywhere(a_host), died_everywhere(a_worker)
    assert forked(lambda: a_workers_day(world)) == 0
    books = examined(world.store, world.psp, world.acks)
    passed = {gate.partition(":")[0] for gate in host | worker}
    missed = sorted(set(OPERATIONS) - passed - ELSEWHERE)
    print(  # noqa: T201  (the report)
        {"gates": len(set(host) | set(worker)), "deaths": (host + worker).total(), "orders": books.orders},
        {"host": dict(host), "worker": dict(worker), "not passed": missed, "s": round(time.monotonic() - begin)},
        sep="\n",
    )

    assert books.wrong == {}
    assert passed >= set(SHORT)
    if scale().every_gate:
        assert missed == []


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Processes]:
    """The processes of the test."""
    with processes(tmp_path) as found:
        yield found


def test_the_command_dies_at_the_gate_that_is_named(world: World, running: Processes) -> None:
    """`orderkit worker` obeys the variable like every other process, and says nothing more."""
    assert forked(lambda: due_for_workers(world, "cli")) == 0
    options = ("--store", world.store, "--bus", "memory:", "--payments", f"fakepsp:///{world.psp}")
    worker = running.worker(*options, environment={CRASH_AT: "commit:after:1"})

    assert worker.ended() == STATUS
    assert "stopped" not in worker.said
