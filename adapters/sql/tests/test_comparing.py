"""`audit verify` names the table, the row and the column that somebody changed by hand, on both databases, and takes no normal life for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Boolean, CheckConstraint, Column, Connection, Integer, LargeBinary, Table

from orderkit.domain.cart import Cart
from orderkit.domain.value import evolve
from orderkit.ports.store import ClaimDue, Commit, GiveUp
from orderkit.testing.samples import HOME, LIFE_STOCK, NOON, a_commit, a_life, dispatched, goods, next_commit, paid
from orderkit_sql import SqlStore, open_store
from orderkit_sql.codec import encode
from orderkit_sql.schema import tables
from orderkit_sql.verifying import verify_log

LIFE = "life-1"
OTHER = "019cb3a5-4c00-7abc-8def-0123456789ab"
TABLES = ("orders", "order_lines", "payments", "shipments", "returns")
# What a worker writes while it is at an order, and the names of the rows themselves.
WORKING = {"lease_token", "lease_until", "attempts", "parked", "error"}
NAMES = {"id", "order_id", "number", "version"}


def _compared(table: Table) -> list[Column[Any]]:
    """Every column that says a fact, but those that are read whole and held against the log as values."""
    own = NAMES if table.name == "orders" else NAMES - {"id"}
    return [c for c in table.columns if c.name not in own | WORKING and not isinstance(c.type, LargeBinary)]


COLUMNS = [(name, c.name) for name in TABLES for c in _compared(getattr(tables("postgresql"), name))]


@attrs.frozen
class Case:
    """A store, what it holds, and a transaction in which it is tampered with and audited, and which leaves no trace."""

    store: SqlStore
    connection: Connection

    def name(self, table: str) -> str:
        return self.store.database.name(getattr(self.store.database.tables, table))

    def run(self, statement: str, *values: object) -> None:
        """Run a statement with `{orders}` and so on in it, and a `?` for each value."""
        mark = "?" if self.store.database.backend.name == "sqlite" else "%s"
        named = statement.format(**{table: self.name(table) for table in (*TABLES, "texts", "records")})
        assert self.connection.exec_driver_sql(named.replace("?", mark), values).rowcount

    def found(self) -> list[str]:
        return [str(finding) for finding in verify_log(self.store.database, self.connection)]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A store with a whole life and an order that was sent, whose owner has dropped what would refuse odd values."""
    address = f"sqlite:///{tmp_path_factory.mktemp('comparing')}/shop.db"
    if request.param == "postgresql":
        address = request.getfixturevalue("make_postgres_database")()
    with closing(open_store(address, create=True)) as store:
        stock = {**LIFE_STOCK, ("CUP", "berlin"): 9}
        store.put_stock_many([goods(f"{sku}/{place}", sku, place, n) for (sku, place), n in stock.items()])
        first = a_commit(OTHER, {"CUP": 2})
        second = paid(first.after)
        store.commit_many([*a_life(LIFE), first, second, dispatched(second.after)])
        without_guards(store)
        yield store


def without_guards(store: SqlStore) -> None:
    """Drop what refuses odd values and changed records, as the owner of the database could."""
    database = store.database
    with store._engine.begin() as connection:
        if database.backend.name == "sqlite":
            for what in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER orderkit_records_no_{what}")
            return
        connection.exec_driver_sql(f"ALTER TABLE {database.name(database.tables.records)} DISABLE TRIGGER USER")
        for table in (getattr(database.tables, name) for name in TABLES):
            for check in sorted(str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)):
                connection.exec_driver_sql(f"ALTER TABLE {database.name(table)} DROP CONSTRAINT {check}")


@pytest.fixture
def case(store: SqlStore) -> Iterator[Case]:
    """A transaction on it that is rolled back."""
    with store._engine.connect() as connection:
        if store.database.backend.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")  # as long as the connection is there
        yield Case(store, connection)
        connection.rollback()


def another(column: Column[Any]) -> str:
    """Return SQL for a value that the column did not have."""
    if isinstance(column.type, Boolean):
        return f"NOT {column.name}"
    if isinstance(column.type, Integer):
        return f"{column.name} + 1"
    return "'2020-01-01T00:00:00.000000+00:00'" if column.name.endswith("_at") else "'another'"


def test_nothing_is_found_where_all_is_well(case: Case) -> None:
    """An order with every kind of part, and one that was sent."""
    assert case.found() == []


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_changed_by_hand_is_named(case: Case, table: str, column: str) -> None:
    """Whatever is written beside the order, and read by lists and reports only, cannot be changed unseen: each column in turn."""
    key = "id" if table == "orders" else "order_id"
    row = "" if table == "orders" else f" AND number = (SELECT max(number) FROM {{{table}}} WHERE order_id = '{LIFE}')"
    value = another(getattr(tables("postgresql"), table).columns[column])
    case.run(f"UPDATE {{{table}}} SET {column} = {value} WHERE {key} = '{LIFE}'{row}")
    found = case.found()

    assert [f for f in found if f"{case.name(table)}" in f and f"the column {column} " in f], found
    assert all(f.startswith(f"{LIFE}/") for f in found)
    assert len([f for f in found if "the column" in f]) == 1


@pytest.mark.parametrize(
    ("table", "column"),
    [("orders", "due_at"), ("orders", "due_for"), ("shipments", "tracking_number"), ("shipments", "shipped_at")],
)
def test_an_emptied_column_is_named(case: Case, table: str, column: str) -> None:
    """An order that is due no more is forgotten by all workers; a parcel without a number is found by nobody."""
    key = "id" if table == "orders" else "order_id"
    case.run(f"UPDATE {{{table}}} SET {column} = NULL WHERE {key} = '{OTHER}'")

    assert [f for f in case.found() if f"the column {column} " in f and f.startswith(OTHER)]


@pytest.mark.parametrize("table", TABLES[1:])
def test_rows_that_went_or_came_are_found(case: Case, table: str) -> None:
    """A part that is not there any more, and one under a number that the order does not have."""
    last = f"order_id = '{LIFE}' AND number = (SELECT max(number) FROM {{{table}}} WHERE order_id = '{LIFE}')"
    case.run(f"UPDATE {{{table}}} SET number = number + 70 WHERE {last}")
    found = [f for f in case.found() if case.name(table) in f]

    assert [f.partition(": ")[2].partition(": ")[2] for f in found] == [
        "the row is missing",
        "the order has no such row",
    ]


def test_a_part_of_an_order_that_has_none_is_found(case: Case) -> None:
    """A return that nobody asked for: the order is loaded without looking for returns, because its row counts none."""
    case.run(f"UPDATE {{returns}} SET order_id = '{OTHER}' WHERE order_id = '{LIFE}'")

    assert f"{OTHER}/3: {case.name('returns')} 0: the order has no such row" in case.found()


def test_rows_without_an_order_are_found(case: Case) -> None:
    """There are no foreign keys: a parcel of an order that never was stands in the reports all the same."""
    case.run(f"UPDATE {{shipments}} SET order_id = 'nobody' WHERE order_id = '{OTHER}'")

    assert f"nobody: {case.name('shipments')} 0: the order of this row is not there" in case.found()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE {payments} SET operations = ? WHERE order_id = '%s'", "the log tells another payments"),
        ("UPDATE {shipments} SET detail = ? WHERE order_id = '%s'", "the log tells another shipments"),
    ],
)
def test_documents_of_parts_are_held_against_the_log(case: Case, statement: str, problem: str) -> None:
    """They are what orders are loaded from, so they are compared as values and not byte by byte."""
    (order,) = case.store.load_many([OTHER])
    assert order is not None
    forged = encode(()) if "operations" in statement else encode(evolve(order.shipments[0], label_url="elsewhere"))
    case.run(statement % OTHER, forged)

    assert f"{OTHER}/3: {problem} than the stored order has" in case.found()


# ---- what was agreed


def document(case: Case, order_id: str, **changes: object) -> list[str]:
    """Write the order's document anew with these facts changed, and audit."""
    (order,) = case.store.load_many([order_id])
    assert order is not None
    case.run(f"UPDATE {{orders}} SET document = ? WHERE id = '{order_id}'", encode(evolve(order.facts, **changes)))
    return case.found()


def test_another_customer_in_the_document_is_found(case: Case) -> None:
    """With the column changed alike nothing inside the row disagrees: the log says whose order it was."""
    case.run(f"UPDATE {{orders}} SET customer = 'eve' WHERE id = '{OTHER}'")

    assert document(case, OTHER, customer="eve") == [f"{OTHER}/1: the document names another customer than the log"]


def test_another_line_in_the_document_is_found(case: Case) -> None:
    """What was ordered, and how many of it."""
    (order,) = case.store.load_many([OTHER])
    assert order is not None
    line = order.facts.lines[0]
    problem = [f"{OTHER}/3: the document has other lines than the log"]

    assert document(case, OTHER, lines=(evolve(line, sku="GOLD"),)) == problem
    assert document(case, OTHER, lines=(evolve(line, quantity=1),)) == problem
    assert document(case, OTHER, lines=(line, evolve(line, number=2))) == problem


def test_another_price_of_an_amended_order_is_found(case: Case) -> None:
    """The records of the amendments say by how much the total grew."""
    prices = Cart(customer="x", ship_to=HOME, currency="PLN").add("MUG", 1, "0.01").prices(first=90)
    (order,) = case.store.load_many([LIFE])
    assert order is not None

    assert f"{LIFE}/1: the order is worth something else than what was placed" in document(
        case, LIFE, prices=order.facts.prices.extended(prices)
    )


def test_erased_names_and_addresses_are_no_finding(case: Case) -> None:
    """They stand in the document and the search words only; the log and the columns hold none."""
    case.run(f"UPDATE {{texts}} SET text = '' WHERE order_id = '{OTHER}'")

    assert document(case, OTHER, contact="", ship_to=evolve(HOME, name="", street="-", city="-", zip="-")) == []


# ---- what no Python can read


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (f"UPDATE {{orders}} SET placed_at = ? WHERE id = '{OTHER}'", f"{OTHER}: the stored order cannot be read"),
        (f"UPDATE {{orders}} SET due_at = ? WHERE id = '{OTHER}'", f"{OTHER}"),
        (f"UPDATE {{shipments}} SET shipped_at = ? WHERE order_id = '{OTHER}'", f"{OTHER}"),
        (f"UPDATE {{records}} SET at = ? WHERE order_id = '{OTHER}' AND version = 2", f"{OTHER}"),
    ],
)
def test_a_time_that_is_none_is_a_finding_and_no_crash(case: Case, statement: str, finding: str) -> None:
    """SQLite keeps any bytes, PostgreSQL knows times without end; the other orders are looked at all the same."""
    case.run(statement, b"\xff" if case.store.database.backend.name == "sqlite" else "infinity")
    found = case.found()

    assert found[0].startswith(finding)
    assert all(f.startswith(OTHER) for f in found)


# ---- normal life


def test_what_workers_do_to_a_row_is_no_finding(tmp_path: Path) -> None:
    """Claimed, given up until later, handed back, parked: the order's row says so, and the order is what it was."""
    with closing(open_store(f"sqlite:///{tmp_path}/shop.db")) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 9)])
        first = a_commit("order-1")
        store.commit_many([first, a_commit("order-2"), _later(a_commit("order-3"))])
        asked = ClaimDue(NOON + timedelta(days=1), 9, attempts_max=1)
        one, two, _ = store.claim_due(asked)
        store.give_up(GiveUp(one, NOON + timedelta(days=2), "port_failed: no answer"))
        store.give_up(GiveUp(two, NOON))
        store.claim_due(asked)
        parked = next_commit(first.after)
        assert list(store.verify_log()) == []
        store.commit_many([parked, next_commit(evolve(parked.after, findings=("parked",)))])

        assert list(store.verify_log()) == []


def _later(commit: Commit) -> Commit:
    """The commit of a caller that goes on by itself: workers wait a while before they take over."""
    assert commit.due_at is not None
    return evolve(commit, due_at=commit.due_at + timedelta(seconds=30))
