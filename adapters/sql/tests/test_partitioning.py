"""On PostgreSQL every month has its own tables: made when they are needed, found by the id alone, and never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orderkit.ports.store import Committed, ReadRecords
from orderkit.runtime.clocks import UuidIds, uuid7
from orderkit.testing.samples import NOON, a_commit, dispatched, goods, paid
from orderkit_sql import SqlStore, open_async_store, open_store
from orderkit_sql.partitioning import bound_of, bounds, month_of, near, place_of


@pytest.fixture
def store(address: str) -> Iterator[SqlStore]:
    """A store with mugs."""
    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 1_000)])
        yield store


def id_at(at: datetime) -> str:
    return UuidIds().new_id(at)


def said(store: SqlStore, statement: str, **values: object) -> list[tuple[object, ...]]:
    with store._engine.connect() as connection:
        found = connection.execute(text(statement.format(s=store.database.tables.schema)), values)
        return [tuple(row) for row in found]


def partitions(store: SqlStore, table: str = "orders") -> list[str]:
    """Return the table's partitions in the order of their names."""
    found = "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = '{s}.%s'::regclass"
    return sorted(str(row[0]) for row in said(store, found % table))


# ---- which month


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2009, 12, 1, tzinfo=UTC), date(2009, 12, 1)),
        (datetime(2026, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC), date(2026, 2, 1)),
        (datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)),
        (datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC), date(2099, 12, 1)),
    ],
)
@pytest.mark.parametrize("tail", [0, 2**74 - 1])
def test_the_month_of_an_id_is_the_month_of_its_time(at: datetime, month: date, tail: int) -> None:
    """The first and the last id of a millisecond are in the month of that millisecond."""
    assert month_of(place_of(uuid7(at, tail))) == month


@pytest.mark.parametrize("other", ["order-1", "#1001", "", "zz", "Ä", uuid7(datetime(2100, 1, 1, tzinfo=UTC), 0)])
def test_other_ids_have_a_place_outside_of_the_months(other: str) -> None:
    """A host's own numbers are before or behind all months; no month is made for them."""
    assert month_of(place_of(other)) is None


def test_conditions_name_whole_months() -> None:
    """All ids of a month give one text, so that a server recognizes the statement; ids of several months give the span."""
    first, last = id_at(datetime(2026, 3, 1, tzinfo=UTC)), id_at(datetime(2026, 3, 31, tzinfo=UTC))
    march, april, may = (bound_of(date(2026, month, 1)) for month in (3, 4, 5))

    assert near("id", [last]) == near("id", [first, last]) == f" AND id >= '{march}' AND id < '{april}'"
    assert near("id", [first, id_at(datetime(2026, 4, 9, tzinfo=UTC))]) == f" AND id >= '{march}' AND id < '{may}'"
    assert near("id", ["order-1"]) == f" AND id >= '{bounds()[-1]}'"
    assert near("id", []) == ""


@pytest.mark.postgres
def test_the_server_reckons_the_same_bounds(store: SqlStore) -> None:
    """What Python looks up is what the function in the database makes."""
    found = said(
        store,
        "SELECT {s}.month_begins(m::date) FROM generate_series(timestamp '1970-01-01', '2100-01-01', '1 month') AS m ORDER BY m",
    )

    assert [row[0] for row in found] == list(bounds())


# ---- made on demand


@pytest.mark.postgres
def test_a_month_is_made_with_its_first_order(store: SqlStore) -> None:
    """Orders of 2009 and of next year are stored like today's, each in its own month with all its rows; the log holds."""
    times = [datetime(2009, 12, 24, tzinfo=UTC), NOON, datetime(2027, 1, 2, tzinfo=UTC)]
    commits = [a_commit(id_at(at), {"MUG": 1}, at=at) for at in times]
    answers = store.commit_many(commits)
    assert store.commit_many([paid(commit.after) for commit in commits]) == [Committed(2)] * 3

    assert answers == [Committed(1)] * 3
    months = ["2009_12", "2026_03", "2027_01"]
    for table in ("orders", "records", "order_lines", "payments", "shipments", "returns", "order_texts"):
        assert partitions(store, table) == [f"{table}_{name}" for name in (*months, "before", "other")]
    for name, commit in zip(months, commits, strict=True):
        assert said(store, "SELECT id FROM {s}.orders_" + name) == [(commit.after.id,)]
        assert said(store, "SELECT count(*) FROM {s}.records_" + name) == [(2,)]
    assert list(store.verify_log()) == []


@pytest.mark.postgres
def test_an_order_is_looked_for_in_its_month_only(store: SqlStore) -> None:
    """The plan of every statement by id names one partition, however many there are."""
    ids = [id_at(datetime(2026, month, 5, tzinfo=UTC)) for month in range(1, 13)]
    store.commit_many([a_commit(order_id, {"MUG": 1}) for order_id in ids])
    plans = [
        "SELECT * FROM {s}.orders WHERE id = ANY(:ids)" + near("id", [ids[5]]),
        "SELECT * FROM {s}.records WHERE order_id = ANY(:ids)" + near("order_id", [ids[5]]),
        "UPDATE {s}.orders AS t SET version = 9 FROM unnest(CAST(:ids AS text[])) AS v(id) WHERE t.id = v.id"
        + near("t.id", [ids[5]]),
    ]
    for plan in plans:
        told = "\n".join(str(row[0]) for row in said(store, "EXPLAIN (COSTS OFF) " + plan, ids=[ids[5]]))

        assert "_2026_06" in told
        assert all(f"_2026_{month:02}" not in told for month in range(1, 13) if month != 6)


@pytest.mark.postgres
def test_many_processes_make_one_month_at_once(address: str, store: SqlStore) -> None:
    """Eight stores place into months that nobody has seen, at the same time: no deadlock, no error, every month once."""
    months = [datetime(2030, month, 3, tzinfo=UTC) for month in range(1, 7)]
    began, answers = threading.Barrier(8), []

    def place() -> None:
        with closing(open_store(address)) as other:
            began.wait()
            for at in months:
                answers.extend(other.commit_many([a_commit(id_at(at), {"MUG": 1}, at=at)]))

    threads = [threading.Thread(target=place) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [Committed(1)] * 48
    assert partitions(store) == [*(f"orders_2030_{month:02}" for month in range(1, 7)), "orders_before", "orders_other"]


@pytest.mark.postgres
def test_a_month_is_made_while_others_write(address: str, store: SqlStore) -> None:
    """Somebody's open transaction, which has written rows and holds locks, neither waits for a new month nor keeps it waiting."""
    first = a_commit(id_at(NOON), {"MUG": 1})
    with store._engine.connect() as connection:
        joined = store.joined(connection)
        assert joined.commit_many([first]) == [Committed(1)]
        with closing(open_store(f"{address}&lock_timeout=1")) as other:
            at = datetime(2031, 7, 1, tzinfo=UTC)
            made = other.commit_many([a_commit(id_at(at), {"CUP": 1}, at=at)])
        assert joined.commit_many([paid(first.after)]) == [Committed(2)]
        connection.commit()

    assert [type(answer).__name__ for answer in made] == ["OutOfStock"]
    assert "orders_2031_07" in partitions(store)
    assert [record.version for record in store.read_records(ReadRecords(first.after.id))] == [1, 2]


@pytest.mark.postgres
def test_a_host_that_rolls_back_leaves_the_month(store: SqlStore) -> None:
    """The month is made apart from the host's transaction: it stays, and the order does not."""
    at = datetime(2032, 2, 1, tzinfo=UTC)
    commit = a_commit(id_at(at), {"MUG": 1}, at=at)
    with store._engine.connect() as connection:
        assert store.joined(connection).commit_many([commit]) == [Committed(1)]
        connection.rollback()

    assert store.load_many([commit.after.id]) == [None]
    assert "orders_2032_02" in partitions(store)
    assert store.commit_many([commit]) == [Committed(1)]


@pytest.mark.postgres
async def test_an_event_loop_makes_months_too(address: str, store: SqlStore) -> None:
    """The async store does the same through its own connections."""
    at = datetime(2033, 5, 1, tzinfo=UTC)
    other = open_async_store(address)
    answers = await other.commit_many([a_commit(id_at(at), {"MUG": 1}, at=at)])
    await other.close()

    assert answers == [Committed(1)]
    assert "orders_2033_05" in partitions(store)


@pytest.mark.postgres
def test_a_month_that_was_taken_away_is_made_again(store: SqlStore) -> None:
    """Whoever retires a month under a running process costs it one more try, which looks for the month again and stores the order."""
    at = datetime(2034, 5, 1, tzinfo=UTC)
    store.commit_many([a_commit(id_at(at), {"MUG": 1}, at=at)])
    with store._engine.begin() as connection:
        for table in store.database.tables.partitioned():
            connection.exec_driver_sql(f"DROP TABLE {store.database.name(table)}_2034_05")
    late = a_commit(id_at(at + timedelta(days=1)), {"MUG": 1}, at=at)

    assert store.commit_many([late]) == [Committed(1)]


@pytest.mark.postgres
@pytest.mark.parametrize("table", ["records", "records_2026_03", "records_before", "records_other"])
@pytest.mark.parametrize("change", ["TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET actor = 'nobody'"])
def test_no_part_of_the_log_can_be_changed(store: SqlStore, table: str, change: str) -> None:
    """The guards stand at every month, not only at the whole table."""
    store.commit_many([a_commit(id_at(NOON), {"MUG": 1}), a_commit("order-1", {"MUG": 1}), a_commit("#1", {"MUG": 1})])
    with pytest.raises(DBAPIError, match="append-only"), store._engine.begin() as connection:
        connection.exec_driver_sql(change.format(f"{store.database.tables.schema}.{table}"))

    assert said(store, "SELECT count(*) FROM {s}.records") == [(3,)]


@pytest.mark.postgres
def test_rows_are_laid_out_for_how_they_change_in_every_month(store: SqlStore) -> None:
    """Months have the fill factors of the whole tables, so that updates stay on their page, and log rows are on theirs whole."""
    first = a_commit(id_at(NOON), {"MUG": 1})
    store.commit_many([first])
    store.commit_many([paid(first.after)])
    store.commit_many([dispatched(paid(first.after).after)])
    found = said(
        store,
        "SELECT relname, reloptions::text FROM pg_class WHERE relname LIKE '%_2026_03' AND relkind = 'r' AND relnamespace = '{s}'::regnamespace",
    )

    assert {row[0]: row[1] for row in found} == {
        "orders_2026_03": "{fillfactor=80}",
        "order_lines_2026_03": "{fillfactor=70}",
        "order_texts_2026_03": "{fillfactor=100}",
        "payments_2026_03": "{fillfactor=70}",
        "records_2026_03": "{fillfactor=100,toast_tuple_target=4080}",
        "returns_2026_03": "{fillfactor=100}",
        "shipments_2026_03": "{fillfactor=70}",
    }
