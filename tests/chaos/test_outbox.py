"""Eight writers, some of whose transactions commit late, and relays that read meanwhile: nothing is skipped, no record overtakes another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from orderkit.plugins.manager import Plugins
from orderkit.testing.samples import goods
from orderkit_sql import open_store
from tests.chaos.processes import Processes, processes, until
from tests.chaos.scale import scale

pytestmark = [pytest.mark.chaos, pytest.mark.postgres, pytest.mark.slow]
WRITERS = 8
RELAYS = 3
PATIENCE = 3_600.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Processes]:
    """The processes of the test."""
    with processes(tmp_path) as found:
        yield found


def test_late_commits_are_never_skipped(
    make_postgres_database: Callable[[], str], running: Processes, tmp_path: Path
) -> None:
    """Everything that was committed is published, and whoever reads the bus meets each order's versions in order."""
    rows = scale().outbox_rows // WRITERS
    store, published = make_postgres_database(), tmp_path / "published"
    Plugins().migrate_store(store)
    _stocked(store)
    begin = time.monotonic()
    relays = [running.start("-m", "tests.chaos.relayer", store, str(published)) for _ in range(RELAYS)]
    writers = [running.start("-m", "tests.chaos.writer", store, f"w{n}", str(rows)) for n in range(WRITERS)]

    assert [writer.ended(PATIENCE) for writer in writers] == [0] * WRITERS
    wrote = time.monotonic() - begin
    until(lambda: _waiting(store) == 0, "everything is published", PATIENCE)
    drained = time.monotonic() - begin - wrote
    assert [relay.terminated() for relay in relays] == [0] * RELAYS
    written = set(_written(store))
    seen: Counter[str] = Counter()
    overtaken: list[str] = []
    names: set[tuple[str, int]] = set()
    lines = 0
    with published.open(encoding="utf-8") as file:
        for line in file:
            order_id, _, version = line.strip().rpartition(" ")
            lines += 1
            names.add((order_id, int(version)))
            if int(version) > seen[order_id] + 1:
                overtaken.append(f"{order_id}/{version} after {seen[order_id]}")
            seen[order_id] = max(seen[order_id], int(version))
    print(  # noqa: T201  (the report)
        {
            "rows": len(written),
            "published": lines,
            "skipped": len(written - names),
            "overtaken": len(overtaken),
            "repeated": lines - len(names),
            "writing s": round(wrote),
            "drained s": round(drained),
            "per relay": [relay.said.splitlines()[-1] for relay in relays],
        }
    )

    assert len(written) == rows // 5 * 5 * WRITERS
    assert names == written
    assert overtaken == []


def _stocked(store_url: str) -> None:
    store = open_store(store_url)
    for sku in (f"w{n}" for n in range(WRITERS)):
        store.put_stock_many([goods(f"receipt/{sku}", sku, "berlin", 100_000_000)])
    store.close()


def _waiting(store: str) -> int:
    return int(_rows(store, "SELECT count(*) FROM orderkit.records WHERE NOT published")[0][0])


def _written(store: str) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in _rows(store, "SELECT order_id, version FROM orderkit.records")]


def _rows(store: str, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    finally:
        engine.dispose()
