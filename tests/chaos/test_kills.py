"""PostgreSQL is killed again and again while orders are placed and workers run: what was acknowledged stands, and nothing happened twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderkit.plugins.manager import Plugins
from tests.chaos.books import acknowledged, examined, settled
from tests.chaos.processes import Processes, processes, until
from tests.chaos.scale import scale
from tests.chaos.shops import opened, stocked
from tests.servers import NoServer, PostgresServer, without

pytestmark = [pytest.mark.chaos, pytest.mark.postgres, pytest.mark.slow]
PLACERS = 2
WORKERS = 2


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of this test alone: it will not live long."""
    scale()
    pytest.importorskip("psycopg")
    try:
        found = PostgresServer.start()
    except NoServer as missing:
        without(str(missing))
    yield found
    found.stop()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Processes]:
    """The processes of the test."""
    with processes(tmp_path) as found:
        yield found


def test_a_killed_server_loses_and_doubles_nothing(
    server: PostgresServer, running: Processes, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Placers ask again under the same key, workers try again by themselves, and in the end all books agree."""
    Plugins().migrate_store(server.url)
    psp, acks = tmp_path / "psp.db", tmp_path / "acks"
    payments = f"fakepsp:///{psp}"
    with opened(server.url, payments) as shop:
        stocked(shop)
    placers = [
        running.start("-m", "tests.chaos.placer", server.url, payments, str(acks), f"placer{n}", "4")
        for n in range(PLACERS)
    ]
    options = ("--payments", payments, "--bus", f"file:///{tmp_path}/bus", "--interval", "0.1", "--lease", "3")
    workers = [running.worker("--store", server.url, *options) for _ in range(WORKERS)]
    until(lambda: bool(acknowledged(acks)), "the first order is placed")

    dice = random.Random(7)
    recoveries = []
    for _ in range(scale().kills):
        time.sleep(dice.uniform(0.3, 1.5))
        server.crash()
        begin = time.monotonic()
        server.restart()
        recoveries.append(time.monotonic() - begin)
        known = len(acknowledged(acks))
        until(lambda known=known: len(acknowledged(acks)) > known, "orders are placed again")

    placing = [placer.terminated() for placer in placers]
    settled(server.url)
    working = [worker.terminated() for worker in workers]
    books = examined(server.url, psp, acks)
    figures = {"kills": len(recoveries), "acknowledged": len(acknowledged(acks)), "orders": books.orders}
    record_property("figures", figures)
    print(figures, f"recovery max {max(recoveries):.1f} s", *(w.said.splitlines()[-1] for w in workers), sep="\n")  # noqa: T201  (the report)

    assert (placing, working) == ([0] * PLACERS, [0] * WORKERS)
    assert books.wrong == {}
    assert books.orders >= len(acknowledged(acks)) > 0
