"""`tx=`: the store in a transaction of the host. Nothing is there before the host's COMMIT, and after its ROLLBACK nothing has happened."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured
from orderkit.ports.store import Committed, FindKey, KeyClaim, OutOfStock, ReadStock, StockLevel, Store
from orderkit.testing.samples import a_commit, goods, paid
from orderkit_sql import SqlStore, open_store

CLAIM = KeyClaim(principal="shop", operation="place", key="checkout-7f3a", fingerprint="f1")


@attrs.frozen
class Host:
    """A host application: a store, an address for connections of its own, and a table of its own."""

    store: SqlStore
    address: str

    def connection(self) -> Any:
        """Return a bare connection of the driver."""
        if self.address.startswith("postgresql"):
            import psycopg  # noqa: PLC0415  (only where there is a server)

            return psycopg.connect(self.address)
        return sqlite3.connect(self.address.removeprefix("sqlite:///"))

    def engine(self) -> sqlalchemy.Engine:
        """Return an engine as a host makes one, without anything of ours."""
        return sqlalchemy.create_engine(self.address.replace("postgresql:", "postgresql+psycopg:"))

    def notes(self) -> list[str]:
        """Return what the host has committed in its own table."""
        with closing(self.connection()) as connection:
            return [row[0] for row in connection.execute("SELECT note FROM host_notes ORDER BY note").fetchall()]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    address, options = f"sqlite:///{tmp_path}/shop.db", ""
    if request.param == "postgresql":
        address, options = request.getfixturevalue("postgres_database"), f"?schema=shop_{secrets.token_hex(4)}"
    with closing(open_store(address + options, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 5)])
        made = Host(store, address)
        with closing(made.connection()) as connection:
            connection.execute("DROP TABLE IF EXISTS host_notes")
            connection.execute("CREATE TABLE host_notes (note TEXT)")
            connection.commit()
        yield made


def bare(host: Host) -> Iterator[tuple[Any, Any]]:
    """A driver's connection."""
    with closing(host.connection()) as connection:
        yield connection, connection


def core(host: Host) -> Iterator[tuple[Any, Any]]:
    """A SQLAlchemy connection."""
    engine = host.engine()
    with engine.connect() as connection:
        yield connection, connection
    engine.dispose()


def orm(host: Host) -> Iterator[tuple[Any, Any]]:
    """A SQLAlchemy session."""
    engine = host.engine()
    with Session(engine) as session:
        yield session, session
    engine.dispose()


@pytest.fixture(params=[bare, core, orm], ids=["bare", "core", "orm"])
def transaction(request: pytest.FixtureRequest, host: Host) -> Iterator[Any]:
    """The host's open transaction, in each form that it may have, and one row of the host in it."""
    make: Callable[[Host], Iterator[tuple[Any, Any]]] = request.param
    for connection, tx in make(host):
        statement = f"INSERT INTO host_notes VALUES ('{request.node.name[:20]}')"
        connection.execute(statement if make is bare else sqlalchemy.text(statement))
        yield tx


def level(store: Store) -> list[StockLevel]:
    """Return the stock as others see it."""
    return list(store.read_stock(ReadStock()))


def test_nothing_is_there_before_the_hosts_commit(host: Host, transaction: Any) -> None:
    """The order, its key and its promise appear with the host's own row, all at once."""
    commit = a_commit("order-1", {"MUG": 2}, key=CLAIM)
    joined = host.store.joined(transaction)

    assert joined.commit_many([commit]) == [Committed(1)]
    assert joined.load_many(["order-1"]) == [commit.after]
    assert joined.find_keys([FindKey("shop", "place", "checkout-7f3a")])[0] is not None
    if not host.address.startswith("sqlite"):
        assert host.store.load_many(["order-1"]) == [None]
    transaction.commit()
    assert host.store.load_many(["order-1"]) == [commit.after]
    assert level(host.store) == [StockLevel("MUG", "berlin", 5, 2, 5)]
    assert len(host.notes()) == 1


def test_after_the_hosts_rollback_nothing_has_happened(host: Host, transaction: Any) -> None:
    """Order, key, stock and log are as before, and the next order goes through."""
    joined = host.store.joined(transaction)
    joined.commit_many([a_commit("order-1", {"MUG": 2}, key=CLAIM)])
    transaction.rollback()

    assert host.store.load_many(["order-1"]) == [None]
    assert level(host.store) == [StockLevel("MUG", "berlin", 5, 0, 5)]
    assert host.notes() == []
    assert host.store.commit_many([a_commit("order-2", {"MUG": 5}, key=CLAIM)]) == [Committed(1)]


def test_a_refusal_leaves_the_hosts_rows_and_transaction_alone(host: Host, transaction: Any) -> None:
    """Out of stock is an answer; the host's row is still there, and so is what orderkit wrote before and after it."""
    joined = host.store.joined(transaction)
    first = a_commit("order-1", {"MUG": 4})

    assert joined.commit_many([first]) == [Committed(1)]
    assert joined.commit_many([a_commit("order-2", {"MUG": 2})]) == [OutOfStock((("MUG", "berlin"),))]
    assert joined.commit_many([paid(first.after)]) == [Committed(2)]
    transaction.commit()
    assert [order and order.version for order in host.store.load_many(["order-1", "order-2"])] == [2, None]
    assert len(host.notes()) == 1


def test_a_failing_statement_is_undone_alone(host: Host, transaction: Any) -> None:
    """A value that the database refuses undoes orderkit's rows only; the host commits its own."""
    commit = a_commit("order-1", {"MUG": 2})
    broken = evolve(commit, record=evolve(commit.record, to_status="shipped"))
    with pytest.raises(Exception, match="internal") as refusal:
        host.store.joined(transaction).commit_many([broken])
    transaction.commit()

    assert getattr(refusal.value, "outcome", None) == "not_applied"
    assert host.store.load_many(["order-1"]) == [None]
    assert len(host.notes()) == 1


def test_a_driver_connection_that_commits_by_itself_is_refused(host: Host) -> None:
    """Without a transaction there is nothing to join; with one that the host began by hand there is."""
    with closing(host.connection()) as connection:
        if host.address.startswith("sqlite"):
            connection.isolation_level = None
        else:
            connection.autocommit = True
        with pytest.raises(Misconfigured) as refusal:
            host.store.joined(connection)
        connection.execute("BEGIN")
        answers = host.store.joined(connection).commit_many([a_commit("order-1", {"MUG": 1})])
        connection.execute("ROLLBACK")

    assert refusal.value.code == "autocommit_refused"
    assert answers == [Committed(1)]
    assert host.store.load_many(["order-1"]) == [None]


def test_a_sqlalchemy_connection_that_commits_by_itself_is_refused(host: Host) -> None:
    """An engine in AUTOCOMMIT has no transaction."""
    engine = host.engine().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(Misconfigured) as refusal:
        host.store.joined(connection)
    engine.dispose()

    assert refusal.value.code == "autocommit_refused"


def test_rows_are_read_whatever_form_the_host_gives_them(host: Host) -> None:
    """A host that reads its rows as dictionaries can lend its connection, and still reads dictionaries afterwards."""

    def as_dictionary(cursor: Any, row: Any) -> dict[str, Any]:
        return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}

    with closing(host.connection()) as connection:
        if host.address.startswith("sqlite"):
            connection.row_factory = as_dictionary
        else:
            from psycopg.rows import dict_row  # noqa: PLC0415  (only where there is a server)

            connection.row_factory = dict_row
        commit = a_commit("order-1", {"MUG": 1})
        joined = host.store.joined(connection)
        answers = joined.commit_many([commit])
        loaded = joined.load_many(["order-1"])
        row = connection.execute("SELECT 7 AS seven").fetchone()
        connection.rollback()

    assert (answers, loaded, row) == ([Committed(1)], [commit.after], {"seven": 7})


@pytest.mark.parametrize("thing", ["not a connection", 7, secrets])
def test_what_is_no_connection_is_refused(host: Host, thing: object) -> None:
    """The error says what can be passed."""
    with pytest.raises(Misconfigured) as refusal:
        host.store.joined(thing)

    assert refusal.value.field == "tx"
    assert "SQLAlchemy" in refusal.value.remedy


@pytest.mark.parametrize("form", ["sqlalchemy", "sqlite3"])
def test_a_closed_connection_is_refused(tmp_path: Path, form: str) -> None:
    """It is said to be closed, and by which driver the store is reached."""
    address = f"sqlite:///{tmp_path}/shop.db"
    with closing(open_store(address)) as store:
        connection: Any = sqlite3.connect(tmp_path / "shop.db")
        if form == "sqlalchemy":
            connection.close()
            engine = sqlalchemy.create_engine(address)
            connection = engine.connect()
        connection.close()
        if form == "sqlalchemy":
            engine.dispose()
        with pytest.raises(Misconfigured, match=r"closed.* on sqlite, by sqlite3") as refusal:
            store.joined(connection)

    assert refusal.value.field == "tx"


def test_a_connection_of_another_file_is_refused(tmp_path: Path) -> None:
    """Nobody is told to make orderkit's tables in a database that is not the store's."""
    address = f"sqlite:///{tmp_path}/shop.db"
    with closing(open_store(address)) as store, closing(sqlite3.connect(tmp_path / "x.db")) as other:
        with pytest.raises(Misconfigured) as refusal:
            store.joined(other).load_many(["order-1"])
        other.rollback()

    assert (refusal.value.code, refusal.value.field) == ("schema_missing", "tx")
    assert "migrate" not in refusal.value.remedy


@pytest.mark.postgres
def test_a_connection_of_another_database_is_refused(postgres_url: str) -> None:
    """Rows of one database cannot be committed with another; the error names both."""
    engine = sqlalchemy.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    with (
        closing(open_store("sqlite:///:memory:")) as store,
        engine.connect() as connection,
        pytest.raises(Misconfigured, match=r"postgresql\+psycopg: this store is on sqlite") as refusal,
    ):
        store.joined(connection)
    engine.dispose()

    assert refusal.value.field == "tx"
