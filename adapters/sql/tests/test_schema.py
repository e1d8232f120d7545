"""The tables keep what is written as the domain would have it, and keep the log as it was written. `migrate` makes them, or says how."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from orderkit.domain.order import Order
from orderkit.domain.payment import Payment
from orderkit.domain.quantities import Bucket
from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured, OrderkitError
from orderkit.ports.store import Commit, Committed, ReadRecords
from orderkit.testing.samples import a_commit, goods, paid
from orderkit_sql import SqlStore, migrate, open_store
from orderkit_sql.rows import PAYMENT_CHANGES
from orderkit_sql.schema import BUCKETS, SCHEMA_VERSION, tables


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a place for a store, where nothing is yet."""
    if request.param == "postgresql":
        return f"{request.getfixturevalue('postgres_database')}?schema=shop_{secrets.token_hex(4)}"
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def store(address: str) -> Iterator[SqlStore]:
    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 5)])
        yield store


def changed(store: SqlStore, table: str, change: str) -> None:
    """Do what nobody should be able to do."""
    name = store.database.name(getattr(store.database.tables, table))
    with store._engine.begin() as connection:
        connection.exec_driver_sql(change.replace("{table}", name))


# ---- the log


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {table} SET actor = 'nobody'",
        "UPDATE {table} SET version = 9",
        "UPDATE {table} SET hash = previous_hash",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE version = 1",
    ],
)
def test_the_log_cannot_be_changed(store: SqlStore, change: str) -> None:
    """The database itself refuses, whoever asks; the record is as it was."""
    commit = a_commit()
    store.commit_many([commit])
    with pytest.raises(DBAPIError, match="append-only"):
        changed(store, "records", change)

    assert store.read_records(ReadRecords("order-1")) == (commit.record,)


@pytest.mark.postgres
def test_the_log_cannot_be_emptied(postgres_database: str) -> None:
    """TRUNCATE goes around row triggers, so it has one of its own."""
    with closing(open_store(f"{postgres_database}?schema=shop_{secrets.token_hex(4)}", create=True)) as store:
        with pytest.raises(DBAPIError, match="append-only"):
            changed(store, "records", "TRUNCATE {table}")
        assert store.read_records(ReadRecords("order-1")) == ()


# ---- what the rows may hold


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    [
        ("order_lines", "UPDATE {table} SET shipped = shipped + 1", "order_lines_conserve"),
        ("order_lines", "UPDATE {table} SET reserved = reserved + 1, lost = -1", "order_lines_"),
        ("order_lines", "UPDATE {table} SET restocked = 1", "order_lines_returns"),
        ("payments", "UPDATE {table} SET captured_minor = authorized_minor + 1", "payments_captured"),
        ("payments", "UPDATE {table} SET refunded_minor = captured_minor + 1", "payments_refunded"),
        ("payments", "UPDATE {table} SET state = 'paid'", "payments_state"),
        ("shipments", "UPDATE {table} SET state = 'flown'", "shipments_state"),
        ("orders", "UPDATE {table} SET status = 'done'", "orders_status"),
        ("stock", "UPDATE {table} SET on_hand = reserved - 1", "stock_promises_covered"),
        ("stock", "UPDATE {table} SET reserved = -1", "stock_promises_covered"),
    ],
)
def test_rows_that_cannot_be_are_refused(store: SqlStore, table: str, change: str, constraint: str) -> None:
    """Units that do not add up, captures above the authorization, oversold shelves: constraints hold them off, however they came."""
    first = a_commit()
    assert store.commit_many([first, paid(first.after)]) == [Committed(1), Committed(2)]
    with pytest.raises(DBAPIError, match=constraint):
        changed(store, table, change)

    assert store.load_many(["order-1"]) == [paid(first.after).after]


def told(commit: Commit, source: str | None, target: str) -> Commit:
    """Return the commit with other words in its record."""
    return evolve(commit, record=evolve(commit.record, from_status=source, to_status=target))


def test_a_step_that_the_lifecycle_does_not_know_is_refused_alone(store: SqlStore) -> None:
    """The database knows the legal pairs of words. The element with another one has an error for its answer; its neighbors are stored."""
    good, other = a_commit("order-1", {"MUG": 1}), a_commit("order-3", {"MUG": 1})
    first, second, third = store.commit_many([good, told(a_commit("order-2", {"MUG": 1}), None, "delivered"), other])

    assert (first, third) == (Committed(1), Committed(1))
    assert isinstance(second, OrderkitError)
    assert second.outcome == "not_applied"
    assert store.load_many(["order-1", "order-2", "order-3"]) == [good.after, None, other.after]


def test_every_field_of_the_domain_has_its_place() -> None:
    """A field that somebody adds to these classes must be stored too; this test tells where to look."""
    assert tuple(bucket.name.lower() for bucket in Bucket) == BUCKETS
    assert set(Payment.__struct_fields__) == set(PAYMENT_CHANGES)
    assert list(Order.__struct_fields__) == [
        *(
            "id",
            "facts",
            "placed_at",
            "updated_at",
            "version",
            "state",
            "reason",
            "reserved_until",
            "sought_at",
            "lines",
            "shipments",
        ),
        *("payments", "refunds", "returns", "holds", "sagas", "findings"),
    ]


# ---- making the tables


def test_migrate_prints_the_sql_and_runs_nothing(address: str) -> None:
    """What would be run can be read first; afterwards there is still nothing."""
    statements = migrate(address, print_only=True)
    with pytest.raises(Misconfigured) as refusal:
        open_store(address, create=False)

    assert any("CREATE TABLE" in statement and "order_lines" in statement for statement in statements)
    assert refusal.value.code == "schema_missing"
    assert "orderkit migrate" in refusal.value.remedy


def test_migrate_makes_the_tables_once(address: str) -> None:
    """The second time there is nothing to do, and a store without the right to make tables opens."""
    printed = migrate(address, print_only=True)
    first, second = migrate(address), migrate(address)
    with closing(open_store(address, create=False)) as store:
        kept = store.put_stock_many([goods("r1", "MUG", "berlin", 5)])

    assert first == printed
    assert second == ()
    assert kept == [None]


def test_tables_of_another_version_are_refused(address: str) -> None:
    """A program that is older than its tables says so instead of writing what it does not understand."""
    with closing(open_store(address, create=True)) as store:
        changed(store, "schema_version", f"UPDATE {{table}} SET version = {SCHEMA_VERSION + 1}")
    with pytest.raises(Misconfigured) as refusal:
        open_store(address)

    assert refusal.value.code == "schema_outdated"
    assert refusal.value.facts == {"stored": SCHEMA_VERSION + 1, "known": SCHEMA_VERSION}


def test_two_shops_live_in_two_schemas() -> None:
    """The schema's name is part of every statement; nothing depends on a search path."""
    names = {tables("postgresql", schema).orders.fullname for schema in ("orderkit", "second_shop")}

    assert names == {"orderkit.orders", "second_shop.orders"}
