"""Statements that go straight to psycopg: in the transaction that SQLAlchemy knows, and with its errors; a host's go by way of SQLAlchemy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.util import greenlet_spawn

from orderkit.ports.store import Committed
from orderkit.testing.samples import a_commit, goods, paid
from orderkit_sql import SqlStore, open_async_store, open_store
from orderkit_sql.direct import directly, rows_of

SIZE, BATCHES = 20, 40


@pytest.fixture
def store(address: str) -> Iterator[SqlStore]:
    """A store with mugs."""
    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 1_000)])
        yield store


@pytest.mark.postgres
def test_rows_come_with_parameters_in_their_places(store: SqlStore) -> None:
    """Text, numbers, nothing at all, and none where a statement returns none."""
    with store._engine.connect() as connection:
        found = rows_of(connection, "SELECT %s::text, %s::int + %s::int, %s::text", ("50 % of 'it'", 1, 2, None))
        none = rows_of(connection, "CREATE TEMPORARY TABLE kept (n int)", ())

    assert ([tuple(row) for row in found], list(none)) == ([("50 % of 'it'", 3, None)], [])


@pytest.mark.postgres
def test_what_was_written_is_in_the_transaction_that_sqlalchemy_ends(store: SqlStore) -> None:
    """It is gone with a rollback, and kept by a commit."""
    where = f"{store.database.tables.schema}.stock"
    with store._engine.connect() as connection:
        rows_of(connection, f"UPDATE {where} SET on_hand = %s", (7,))
        connection.rollback()
        rolled_back = rows_of(connection, f"SELECT on_hand FROM {where}", ())
        rows_of(connection, f"UPDATE {where} SET on_hand = %s", (8,))
        connection.commit()
    with store._engine.connect() as connection:
        committed = rows_of(connection, f"SELECT on_hand FROM {where}", ())

    assert (rolled_back[0][0], committed[0][0]) == (1_000, 8)


@pytest.mark.postgres
def test_errors_are_those_of_sqlalchemy_without_values(store: SqlStore) -> None:
    """Each of its own kind, with what the driver said; what was asked for with it is not shown."""
    where = f"{store.database.tables.schema}.schema_version"
    with store._engine.connect() as connection:
        with pytest.raises(ProgrammingError) as wrong:
            rows_of(connection, "SELECT nothing FROM nowhere WHERE x = %s", ("secret",))
        connection.rollback()
        with pytest.raises(IntegrityError) as refused:
            rows_of(connection, f"UPDATE {where} SET version = NULL", ())
        connection.rollback()
        again = rows_of(connection, "SELECT 1", ())

    original: Any = wrong.value.orig
    assert (original.sqlstate, "secret" in str(wrong.value), refused.value.connection_invalidated) == (
        "42P01",
        False,
        False,
    )
    assert [tuple(row) for row in again] == [(1,)]


def terminate(address: str) -> None:
    """End every connection to the database but this."""
    import psycopg  # noqa: PLC0415  (only where PostgreSQL is)

    others = "pid <> pg_backend_pid() AND datname = current_database()"
    with psycopg.connect(address.partition("?")[0], autocommit=True) as admin:
        admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.mark.postgres
@pytest.mark.parametrize("event_loop", [False, True])
def test_a_connection_that_is_gone_is_given_up_with_those_before_it(address: str, event_loop: bool) -> None:
    """SQLAlchemy is told, so that nobody meets the others that died with it; the next try has a new one."""
    with closing(open_store(address, create=True)) as made:
        made.put_stock_many([goods("r1", "MUG", "berlin", 10)])

    def killed(store: SqlStore) -> tuple[bool, object]:
        others = [store._engine.connect() for _ in range(3)]
        for each in others:
            rows_of(each, "SELECT 1", ())
            each.close()
        with store._engine.connect() as connection:
            (pid,) = rows_of(connection, "SELECT pg_backend_pid()", ())[0]
            terminate(address)
            with pytest.raises(OperationalError) as lost:
                rows_of(connection, "SELECT %s::int", (pid,))
        return lost.value.connection_invalidated, store.commit_many([a_commit("order-1", {"MUG": 1})])[0]

    async def on_a_loop() -> tuple[bool, object]:
        store = open_async_store(address)
        try:
            return await greenlet_spawn(killed, store._store)
        finally:
            await store.close()

    if event_loop:
        found = asyncio.run(on_a_loop())
    else:
        with closing(open_store(address)) as store:
            found = killed(store)

    assert found == (True, Committed(1))


@pytest.mark.postgres
@pytest.mark.parametrize("times", [1, 2])
def test_a_read_that_is_cancelled_ends(address: str, times: int) -> None:
    """Also when it is cancelled again while the driver still tells the server; it is not tried anew, and the next read works."""
    import psycopg  # noqa: PLC0415  (only where PostgreSQL is)

    with closing(open_store(address, create=True)) as made:
        made.put_stock_many([goods("r1", "MUG", "berlin", 10)])
        made.commit_many([a_commit("order-1", {"MUG": 1})])

    async def cancelled() -> tuple[bool, int]:
        store = open_async_store(address)
        try:
            with psycopg.connect(address.partition("?")[0]) as other:
                other.execute(f"LOCK TABLE {made.database.tables.schema}.orders IN ACCESS EXCLUSIVE MODE")
                reading = asyncio.create_task(store.load_many(["order-1"]))
                await asyncio.sleep(0.3)
                for _ in range(times):
                    reading.cancel()
                    await asyncio.sleep(0)
                await asyncio.wait([reading], timeout=4)
                ended = reading.cancelled()
            return ended, len(await store.load_many(["order-1"]))
        finally:
            await store.close()

    assert asyncio.run(cancelled()) == (True, 1)


@pytest.mark.postgres
def test_a_host_sees_our_statements_on_his_own_connection(store: SqlStore) -> None:
    """His engine's listeners are told of each; our own engine's are not needed for it."""
    engine = create_engine(store._engine.url)
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *said: seen.append(said[2]))
    with engine.begin() as connection:
        answers = store.joined(connection).commit_many([a_commit("order-1", {"MUG": 1})])
    engine.dispose()

    assert answers == [Committed(1)]
    assert [statement for statement in seen if "stock" in statement]


@pytest.mark.postgres
def test_a_month_that_was_never_counted_is_not_read_for_each_commit(address: str) -> None:
    """The server knows nothing of a month that has just begun, and keeps its plans: whatever they are, rows are looked up by their keys."""
    import psycopg  # noqa: PLC0415  (only where PostgreSQL is)

    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", SIZE * BATCHES)])
        for n in range(BATCHES):
            batch = [a_commit(f"order-{n}-{m}", {"MUG": 1}) for m in range(SIZE)]
            assert store.commit_many(batch) == [Committed(1)] * SIZE
            assert store.commit_many([paid(commit.after) for commit in batch]) == [Committed(2)] * SIZE
    counts = "sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))"
    ours = f"schemaname = '{store.database.tables.schema}' AND (relname LIKE 'orders%' OR relname LIKE 'payments%')"
    read, until = 0, time.monotonic() + 10
    with psycopg.connect(address.partition("?")[0], autocommit=True) as connection:
        while read < SIZE * BATCHES and time.monotonic() < until:  # a connection tells what it has read when it ends
            row = connection.execute(f"SELECT {counts} FROM pg_stat_user_tables WHERE {ours}").fetchone()
            read = row[0] if row else 0

    assert SIZE * BATCHES <= read <= 5 * SIZE * BATCHES


def test_an_engine_of_sqlite_stays_as_it_is() -> None:
    """There is nothing to save."""
    engine = create_engine("sqlite://")
    assert directly(engine) is engine
