"""`verify_log` finds whatever was done to the log or to the stored orders behind the store's back, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.domain.value import evolve
from orderkit.testing.samples import LIFE_STOCK, a_commit, a_life, goods, paid
from orderkit_sql import SqlStore, open_async_store, open_store
from orderkit_sql.codec import chained, decode_record, encode
from tests.drivers import needs_aiosqlite


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A store with a whole life and two short ones."""
    with closing(open_store(f"sqlite:///{tmp_path}/shop.db")) as store:
        stock = {**LIFE_STOCK, ("CUP", "berlin"): 9}
        store.put_stock_many([goods(f"{sku}/{place}", sku, place, n) for (sku, place), n in stock.items()])
        first = a_commit("order-1", {"CUP": 2})
        store.commit_many([*a_life("life-1"), first, paid(first.after), a_commit("order-2", {"CUP": 1})])
        yield store


def tampered(store: SqlStore, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Change the file as somebody would who has it: without the triggers."""
    with store._engine.begin() as connection:
        for name in ("no_update", "no_delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS orderkit_records_{name}")
        for statement in statements:
            connection.exec_driver_sql(statement, values)


def found(store: SqlStore) -> list[str]:
    return [str(finding) for finding in store.verify_log()]


def test_nothing_is_found_where_all_is_well(store: SqlStore) -> None:
    """Three orders, one with every kind of step: all chains hold, and every log tells its order."""
    assert found(store) == []


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE orderkit_records SET body = replace(body, 'MUG', 'CUP') WHERE order_id = 'life-1' AND version = 1",
            "life-1/1: the hash",
        ),
        (
            "UPDATE orderkit_records SET hash = zeroblob(32) WHERE order_id = 'order-1' AND version = 2",
            "order-1/2: the hash",
        ),
        ("DELETE FROM orderkit_records WHERE order_id = 'life-1' AND version = 3", "life-1/4: version 3 is missing"),
        (
            "DELETE FROM orderkit_records WHERE order_id = 'order-1' AND version = 2",
            "order-1/2: the order is at version 2",
        ),
        ("DELETE FROM orderkit_records WHERE order_id = 'order-2'", "order-2: the order has no log"),
        (
            "DELETE FROM orderkit_orders WHERE id = 'order-2'",
            "order-2: the log has records of an order that is not there",
        ),
        (
            "UPDATE orderkit_records SET actor = 'nobody' WHERE order_id = 'order-2'",
            "order-2/1: a column says something else",
        ),
        (
            "UPDATE orderkit_records SET at = '2020-01-01T00:00:00.000000+00:00' WHERE order_id = 'order-2'",
            "order-2/1: a column",
        ),
        (
            "UPDATE orderkit_orders SET log_head = zeroblob(32) WHERE id = 'order-2'",
            "order-2/1: the order's row names another end",
        ),
        (
            "UPDATE orderkit_order_lines SET reserved = 1, lost = 1 WHERE order_id = 'order-1'",
            "order-1/2: the log tells another lines",
        ),
        (
            "UPDATE orderkit_order_lines SET number = 'x' WHERE order_id = 'order-1'",
            "order-1/2: the log tells another lines",
        ),
        (
            "UPDATE orderkit_payments SET method = 'pm_other' WHERE order_id = 'order-1'",
            "order-1/2: the log tells another payments",
        ),
        (
            "UPDATE orderkit_orders SET document = CAST(replace(CAST(document AS TEXT), '_minor\":', '_minor\":1') AS BLOB) WHERE id = 'order-1'",
            "order-1/1: the order is worth something else",
        ),
        ("UPDATE orderkit_orders SET state = x'7b7d' WHERE id = 'order-2'", "order-2: the stored order cannot be read"),
        ("UPDATE orderkit_records SET body = x'7b7d' WHERE order_id = 'order-2'", "order-2/1: the hash"),
        (
            "UPDATE orderkit_orders SET lifecycle = 'cancelled' WHERE id = 'order-2'",
            "order-2/1: the log tells another state",
        ),
    ],
)
def test_what_was_tampered_with_is_found(store: SqlStore, statement: str, finding: str) -> None:
    """Each change is named with its place, and nothing else is reported."""
    tampered(store, statement)
    findings = found(store)

    assert findings
    assert findings[0].startswith(finding)
    assert {text.split(":")[0].split("/")[0] for text in findings} == {
        finding.split(":", maxsplit=1)[0].split("/", maxsplit=1)[0]
    }


def test_a_record_that_was_written_anew_with_its_hash_is_found(store: SqlStore) -> None:
    """Who forges a record and computes its hash has to forge the order's row and what the record tells as well."""
    with store._engine.begin() as connection:
        body, before = connection.exec_driver_sql(
            "SELECT body, previous_hash FROM orderkit_records WHERE order_id = 'order-1' AND version = 2"
        ).one()
    record = decode_record(body)
    forged = encode(evolve(record, change=evolve(record.change, reason="a gift")))
    tampered(
        store,
        "UPDATE orderkit_records SET body = ?, hash = ? WHERE order_id = 'order-1' AND version = 2",
        values=(forged, chained(before, forged)),
    )

    assert found(store) == [
        "order-1/2: the order's row names another end of the log",
        "order-1/2: the log tells another reason than the stored order has",
    ]


def test_many_orders_are_looked_at_page_by_page(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end anywhere; the last order is looked at as the first."""
    monkeypatch.setattr("orderkit_sql.verifying.PAGE", 1)
    assert found(store) == []
    tampered(store, "UPDATE orderkit_orders SET log_head = zeroblob(32)")

    assert [text.split("/")[0] for text in found(store)] == ["life-1", "order-1", "order-2"]


@pytest.mark.parametrize(
    "address",
    [pytest.param("sqlite:///:memory:", marks=needs_aiosqlite), pytest.param("postgres", marks=pytest.mark.postgres)],
)
async def test_it_runs_on_an_event_loop_too(address: str, request: pytest.FixtureRequest) -> None:
    """The same check behind the async store."""
    if address == "postgres":
        address = request.getfixturevalue("postgres_database")
    store = open_async_store(address, create=True)
    await store.put_stock_many([goods("r1", "MUG", "berlin", 9)])
    first = a_commit("order-1", {"MUG": 2})
    await store.commit_many([first, paid(first.after)])
    findings = await store.verify_log()
    await store.close()

    assert findings == []
