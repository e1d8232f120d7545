"""Many commits in one transaction: nobody suffers for a neighbor, hot shelves are written once, and a COMMIT that was killed is looked into."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from orderkit.domain.value import evolve
from orderkit.errors import OrderkitError
from orderkit.ports.store import (
    Commit,
    Committed,
    DuplicateKey,
    FindKey,
    KeyClaim,
    OutOfStock,
    ReadRecords,
    ReadStock,
    ReadSupply,
    StockLevel,
    VersionConflict,
)
from orderkit.testing.samples import a_commit, goods, next_commit, paid
from orderkit_sql import SqlStore, open_store
from orderkit_sql.backend import Backend, Postgres, Sqlite
from orderkit_sql.schema import tables
from tests.sent import statements_of

SIZE = 256


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with a shelf of mugs for nearly all of a batch."""
    url = f"sqlite:///{tmp_path}/shop.db"
    if request.param == "postgresql":
        url = _with_schema(request.getfixturevalue("postgres_database"))
    with closing(open_store(url, create=True)) as found:
        found.put_stock_many([goods("r1", "MUG", "berlin", SIZE)])
        yield found


def _with_schema(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query=f"schema=shop_{secrets.token_hex(4)}"))


def a_batch() -> list[Commit]:
    """Return 256 orders of one mug each, every one under a key of its own."""
    return [a_commit(f"order-{n:03d}", {"MUG": 1}, key=_claim(f"checkout-{n}")) for n in range(SIZE)]


def _claim(key: str) -> KeyClaim:
    return KeyClaim(principal="shop", operation="place", key=key, fingerprint="f1")


@pytest.mark.parametrize("where", [0, 100, SIZE - 1])
def test_in_a_batch_of_256_each_bad_order_is_alone_with_its_error(store: SqlStore, where: int) -> None:
    """One that cannot be stored, one without stock and one under a spent key: the other 253 are committed as if alone."""
    batch = a_batch()
    unstorable, short, repeated = where, (where + 1) % SIZE, (where + 2) % SIZE
    batch[unstorable] = evolve(
        batch[unstorable], due_for="\ud800"
    )  # a half character is nothing that a database can keep
    batch[short] = a_commit(f"order-{short:03d}", {"MUG": SIZE + 1})
    batch[repeated] = a_commit(f"order-{repeated:03d}", {"MUG": 1}, key=_claim("spent"))
    store.commit_many([a_commit("earlier", {"MUG": 1}, key=_claim("spent"))])

    answers: list[Any] = list(store.commit_many(batch))

    assert isinstance(answers[unstorable], OrderkitError)
    assert answers[short] == OutOfStock((("MUG", "berlin"),))
    assert answers[repeated] == DuplicateKey("earlier", "f1")
    assert answers.count(Committed(1)) == SIZE - 3
    assert [level.reserved for level in store.read_stock(ReadStock())] == [SIZE - 2]


def test_a_hot_shelf_is_written_once_per_batch(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 orders of the same mug change its row by one statement with one row in it."""
    sent = statements_of(store, monkeypatch)
    answers = store.commit_many(a_batch())
    # What a commit writes may be one statement; its shelves come last.
    written = [parameters[-5:] for statement, parameters in sent if re.search(r"UPDATE \S*stock ", statement)]

    assert answers == [Committed(1)] * SIZE
    assert len(written) == 1
    assert str(written[0]).count("MUG") == 1
    assert store.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", SIZE, SIZE, SIZE),)


@pytest.mark.postgres
def test_a_batch_takes_three_statements(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a way to the server and back: the keys, the shelves under their locks, and everything that is written; two where no stock moves."""
    with closing(open_store(_with_schema(postgres_database), create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", SIZE)])
        sent = statements_of(store, monkeypatch)
        batch = a_batch()
        first = store.commit_many(batch)
        placing, later = len(sent), store.commit_many([paid(commit.after) for commit in batch])

    assert (first, later) == ([Committed(1)] * SIZE, [Committed(2)] * SIZE)
    assert (placing, len(sent) - placing) == (3, 2)


@pytest.mark.postgres
def test_a_connection_keeps_its_statements_and_plans_when_orders_are_read(postgres_database: str) -> None:
    """Reading ends its transaction without a rollback, which would make the driver forget them, and the server keeps one plan for any order."""
    with closing(open_store(f"{_with_schema(postgres_database)}&pool_size=1", create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", SIZE)])
        for commit in a_batch()[:20]:
            store.commit_many([commit])
            store.load_many([commit.after.id])
        with store._engine.connect() as connection:
            prepared = connection.exec_driver_sql(
                "SELECT statement, generic_plans FROM pg_prepared_statements WHERE statement NOT LIKE '%%pg_prepared%%'"
            ).fetchall()
    planned_once = [statement for statement, generic_plans in prepared if generic_plans]

    assert sum("INSERT INTO" in statement for statement, _ in prepared) == 2
    assert [statement.count(" UNION ALL ") for statement in planned_once if " = $1" in statement] == [
        4
    ]  # all of an order


@pytest.mark.postgres
def test_nothing_is_prepared_for_a_pooler_that_knows_no_statements(postgres_database: str) -> None:
    """It hands each transaction any connection, on which another program may have prepared something else under the same name."""
    with closing(open_store(f"{_with_schema(postgres_database)}&pool_size=1&prepare=no", create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", SIZE)])
        for commit in a_batch()[:10]:
            store.commit_many([commit])
            store.load_many([commit.after.id])
        with store._engine.connect() as connection:
            prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()

    assert prepared == 0


def test_new_orders_that_are_there_already_are_told_so(store: SqlStore) -> None:
    """Nobody looks for them before their rows are refused, or their stock: then each has its version for an answer, and the others go on."""
    known, short = a_commit("order-000", {"MUG": 1}), a_commit("order-001", {"MUG": SIZE})
    store.commit_many([known, a_commit("order-001", {"MUG": 1})])

    answers = store.commit_many([a_commit("order-000", {"MUG": 2}), short, a_commit("order-002", {"MUG": 1})])

    assert answers == [VersionConflict(1), VersionConflict(1), Committed(1)]
    assert [level.reserved for level in store.read_stock(ReadStock())] == [3]


@pytest.mark.parametrize("backend", [Sqlite(), Postgres()])
def test_the_two_times_of_one_night_stay_apart(backend: Backend) -> None:
    """An hour comes twice when summer time ends: Python calls the two times equal, and they are written as they are."""
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    orders = tables(backend.name).orders  # type: ignore[arg-type]  # one of the two dialects
    times = [summer, summer.replace(fold=1), None]
    written = str(backend.row_parameters(orders, ("due_at",), [(backend.moment(at),) for at in times]))

    assert summer == times[1]
    assert "2026-10-25T00:30:00.000000+00:00" in written
    assert "2026-10-25T01:30:00.000000+00:00" in written


@pytest.mark.postgres
def test_a_backend_that_is_killed_in_its_commit_leaves_one_order(postgres_database: str) -> None:
    """The server is in the middle of COMMIT when its process is ended: the store looks, finds nothing, and commits the batch again, once."""
    psycopg = pytest.importorskip("psycopg")
    address = _with_schema(postgres_database)
    schema = urlsplit(address).query.partition("=")[2]
    with (
        closing(open_store(address, create=True)) as store,
        psycopg.connect(postgres_database, autocommit=True) as admin,
    ):
        store.put_stock_many([goods("r1", "MUG", "berlin", 2)])
        admin.execute(
            f"CREATE FUNCTION {schema}.sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$"
        )
        admin.execute(
            f"CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {schema}.keys DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION {schema}.sleep()"
        )
        killed: list[int] = []
        killer = threading.Thread(target=_kill_in_commit, args=(admin, killed))
        killer.start()
        first = a_commit("order-1", {"MUG": 1}, key=_claim("checkout-1"))
        answers = store.commit_many([first, a_commit("order-2", {"MUG": 1})])
        killer.join()

        assert len(killed) == 1
        assert answers == [Committed(1), Committed(1)]
        assert store.read_records(ReadRecords("order-1")) == (first.record,)
        assert store.commit_many([paid(first.after)]) == [Committed(2)]
        assert store.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 2, 2, 2),)


def _kill_in_commit(admin: Any, killed: list[int]) -> None:
    """End the first backend that is seen at its COMMIT."""
    until = time.monotonic() + 20
    while not killed and time.monotonic() < until:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT'"
        ).fetchone()
        if found and admin.execute("SELECT pg_terminate_backend(%s)", found).fetchone() == (True,):
            killed.append(found[0])
        time.sleep(0.02)


@pytest.mark.postgres
def test_batches_with_an_order_twice_wait_for_each_other_and_never_in_a_ring(postgres_database: str) -> None:
    """Each changes its first order twice, and then the other's: whoever comes second waits, and nobody is ended by the server."""
    with closing(open_store(_with_schema(postgres_database), create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", SIZE), goods("r2", "TEE", "berlin", SIZE)])
        one, two = a_commit("order-1", {"MUG": 1}), a_commit("order-2", {"TEE": 1})
        store.commit_many([one, two])
        failed: list[str] = []
        event.listen(store._engine, "handle_error", lambda context: failed.append(str(context.original_exception)))
        both = threading.Barrier(2)

        def met(*said: Any) -> None:
            if "INSERT INTO" in said[2]:  # the first part of a batch is written: so should be the other's
                with suppress(threading.BrokenBarrierError):
                    both.wait(0.5)

        event.listen(store._engine, "after_cursor_execute", met)

        def twice(first: Commit, other: Commit) -> list[Any]:
            again = paid(first.after)
            return list(store.commit_many([again, next_commit(again.after), paid(other.after)]))

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(twice, (one, two), (two, one)))

    assert failed == []
    # The second batch's own middle part is the next step of what the first had written; the rest of it comes too late.
    assert [Committed(2), Committed(3), Committed(2)] in answers
    assert [VersionConflict(2), Committed(3), VersionConflict(3)] in answers


NOWHERE = ["MUG\0", "\0", "MUG\ud800"]


@pytest.mark.parametrize("text", NOWHERE)
def test_a_look_for_what_no_database_keeps_finds_nothing_and_harms_no_neighbor(store: SqlStore, text: str) -> None:
    """A NUL or half a character in a name: nothing has it, and those who ask at the same time have their answers."""
    first = a_commit("order-1", {"MUG": 1}, key=_claim("MUG"))
    store.commit_many([first])

    assert store.load_many([text, "order-1", f"order-1{text[-1]}"]) == [None, first.after, None]
    assert store.find_keys([FindKey("shop", "place", key) for key in ("MUG", text)]) == [
        DuplicateKey("order-1", "f1"),
        None,
    ]
    supply = store.read_supply_many([ReadSupply(("MUG", text)), ReadSupply((text,))])
    assert supply == [{("MUG", "berlin"): SIZE - 1}, {}]
    assert store.read_records(ReadRecords(text)) == ()
    assert store.read_stock(ReadStock((text,))) == ()


@pytest.mark.parametrize("text", NOWHERE)
def test_a_key_that_no_database_keeps_is_refused(store: SqlStore, text: str) -> None:
    """SQLite would take it for the key before its NUL: the other order of the batch is committed, and this one is not."""
    store.commit_many([a_commit("order-1", {"MUG": 1}, key=_claim("MUG"))])

    refused, other = store.commit_many(
        [a_commit("order-2", {"MUG": 1}, key=_claim(text)), a_commit("order-3", {"MUG": 1}, key=_claim("k-3"))]
    )

    assert isinstance(refused, OrderkitError)
    assert other == Committed(1)
    assert store.load_many(["order-2"]) == [None]


@pytest.mark.parametrize(
    "odd",
    [
        [],
        ["plain", None],
        ["a\\u0000 that is none"],
        ['a "quote"', "back\\slash"],
        ["", "NULL", "{a,b}", "new\nline", " ✓ "],
        [None],
    ],
)
def test_texts_of_a_batch_come_back_as_they_were(store: SqlStore, odd: list[str | None]) -> None:
    """Quotes, backslashes, braces, the word NULL and nothing at all are told apart in a set of rows."""
    backend, table = store.database.backend, store.database.tables.orders
    rows = [(text,) for text in odd]
    if not rows:
        parameters: Any = backend.texts([])
        statement = f"SELECT 1 WHERE {backend.among(chr(39) + 'x' + chr(39), [])}"
    else:
        parameters = backend.row_parameters(table, ("due_for",), rows)
        statement = f"SELECT due_for FROM {backend.row_set(table, ('due_for',))}"
    with store._single.connect() as connection:
        found = [row[0] for row in connection.exec_driver_sql(statement, parameters)]

    assert found == odd
