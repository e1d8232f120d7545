"""Addresses and engines: wrong ones are refused in words that help, and nothing of a password is ever said."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from orderkit.errors import Misconfigured, OrderkitError, PortError
from orderkit.ports.store import Committed, ReadStock
from orderkit.testing.samples import a_commit, goods
from orderkit_sql import SqlStore, open_async_store, open_store, prepare
from orderkit_sql.database import database
from orderkit_sql.engines import address_of, make_engine
from tests.drivers import needs_psycopg


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("sqlite:shop.db", "bad_url", "sqlite:///shop.db"),
        ("sqlite://host/shop.db", "bad_url", "sqlite:///shop.db"),
        ("sqlite:///shop.db?busy_timeout=soon", "bad_url", "busy_timeout"),
        ("sqlite:///shop.db?busy_timeout=inf", "bad_url", "busy_timeout"),
        ("sqlite:///shop.db?pool_size=-1", "bad_url", "pool_size"),
        ("sqlite:///shop.db?pool_size=99999999999999999999", "bad_url", "pool_size"),
        ("sqlite:///shop.db?pool_timeout=nan", "bad_url", "pool_timeout"),
        ("postgresql://u@h/d?lock_timeout=nan", "bad_url", "lock_timeout"),
        ("postgresql://u@h/d?lock_timeout=1e300", "bad_url", "lock_timeout"),
        ("postgresql://u@h/d?statement_timeout=inf", "bad_url", "statement_timeout"),
        ("postgresql://u@h/d?connect_timeout=x", "bad_url", "connect_timeout"),
        ("sqlite:///shop.db?sync=off", "bad_url", "sync"),
        ("sqlite:////no/such/folder/shop.db", "file_missing", "mkdir -p /no/such/folder"),
        ("sqlite:////tmp", "file_missing", "directory"),
        ("postgresql+psycopg2://u@h/d", "bad_url", "psycopg"),
        ("postgresql://u@h/d?schema=drop table", "bad_url", "schema"),
        ("mysql://u@h/d", "bad_url", "postgresql://"),
    ],
)
def test_a_wrong_address_says_what_to_write(url: str, code: str, word: str) -> None:
    """The error names the case, and the message or the remedy the way out."""
    with pytest.raises(Misconfigured) as refusal:
        open_store(url)

    assert refusal.value.code == code
    assert word in f"{refusal.value} {refusal.value.remedy} {refusal.value.field}"


@needs_psycopg
@pytest.mark.parametrize("opened", [open_store, open_async_store])
def test_a_server_that_does_not_answer_is_an_error_of_the_port(opened: object) -> None:
    """Nothing was applied, it may be tried again, and the password stays secret."""
    with pytest.raises(PortError) as failure:
        opened("postgresql://anna:s3cret@127.0.0.1:1/shop")  # type: ignore[operator]  # one of two functions

    assert (failure.value.code, failure.value.outcome) == ("store_unavailable", "not_applied")
    assert "s3cret" not in f"{failure.value!r} {failure.value} {failure.value.facts} {failure.value.__cause__}"


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_a_wrong_installation(postgres_url: str) -> None:
    """A person has to look: trying again would not help."""
    with pytest.raises(Misconfigured) as refusal:
        open_store(postgres_url.rpartition("/")[0] + "/no_such_database")

    assert "does not exist" in str(refusal.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Somebody else's file is not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 1_000)
    with pytest.raises(OrderkitError) as refusal:
        open_store(f"sqlite:///{path}")

    assert isinstance(refusal.value, Misconfigured)
    assert path.read_text().startswith("buy milk")


def test_an_engine_without_our_hooks_is_refused(tmp_path: Path) -> None:
    """SQLAlchemy's default on SQLite loses updates; an engine of the host's is taken after `prepare`."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with pytest.raises(Misconfigured) as refusal:
        SqlStore(engine, database("sqlite"))
    address = address_of(f"sqlite:///{tmp_path}/shop.db")
    open_store(f"sqlite:///{tmp_path}/shop.db").close()
    prepare(engine, address)
    with closing(SqlStore(engine, database("sqlite"))) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 2)])

        assert "prepare" in refusal.value.remedy
        assert store.commit_many([a_commit()]) == [Committed(1)]


def test_a_connection_is_durable_and_waits(tmp_path: Path) -> None:
    """Write-ahead log, a wait for the disk at every commit, a patience for other writers: as asked in the address."""
    engine = make_engine(address_of(f"sqlite:///{tmp_path}/shop.db?busy_timeout=3"))
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    engine.dispose()

    assert found == ["wal", 2, 3000]


def test_a_writer_of_another_process_is_waited_for_and_then_reported(tmp_path: Path) -> None:
    """While somebody holds the file nothing is applied, and the error says that it may be tried again; afterwards it works."""
    with closing(open_store(f"sqlite:///{tmp_path}/shop.db?busy_timeout=0.2")) as store:
        put = goods("r1", "MUG", "berlin", 2)
        with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(PortError) as failure:
                store.put_stock_many([put])
            other.execute("ROLLBACK")

        assert (failure.value.code, failure.value.outcome, failure.value.retryable) == (
            "store_unavailable",
            "not_applied",
            True,
        )
        assert store.put_stock_many([put]) == [None]


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    """What was committed last is read while another transaction is open."""
    with closing(open_store(f"sqlite:///{tmp_path}/shop.db")) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 2)])
        read: list[object] = []
        with store._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE orderkit_stock SET on_hand = 9")
            reader = threading.Thread(target=lambda: read.extend(store.read_stock(ReadStock())))
            reader.start()
            reader.join(10)
            connection.rollback()

        assert [level.on_hand for level in read] == [2]  # type: ignore[attr-defined]  # stock levels


def test_what_is_in_memory_is_not_called_durable() -> None:
    """The capability says what the address means."""
    with closing(open_store("sqlite:///:memory:")) as memory, closing(open_store("sqlite://")) as same:
        assert (memory.capabilities.durable, same.capabilities.durable) == (False, False)
        assert memory.capabilities.joins_host_transaction
