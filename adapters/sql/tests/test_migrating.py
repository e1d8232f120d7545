"""A store of an older version is brought forward with everything in it, in two steps, and programs of both versions work between them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

import orderkit
from orderkit.errors import InvalidInput, Misconfigured
from orderkit.ports.store import Committed, FindKey
from orderkit.testing.samples import a_commit, a_life, goods, next_commit, paid
from orderkit_sql import migrate, open_store
from tests.older import said, version_1

ORDER = "019cb3a5-4c00-7abc-8def-0123456789ab"


@attrs.frozen
class Old:
    """A database with the tables of version 1 and, as its program would, everything written into them."""

    address: str
    execute: Callable[[str], None]
    ask: Callable[[str], list[tuple[Any, ...]]]

    def tables(self) -> None:
        """Make the tables."""
        self.execute(version_1(self.address, "tables"))

    def life(self) -> None:
        """Write two orders, with the very statements of version 1."""
        self.execute(version_1(self.address, "life"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    """A database of version 1 without rows."""
    if request.param == "sqlite":
        path = tmp_path / "shop.db"

        def execute(script: str) -> None:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(script)

        def ask(question: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(path)) as connection:
                return connection.execute(question).fetchall()

        found = Old(f"sqlite:///{path}", execute, ask)
    else:
        url: str = request.getfixturevalue("make_postgres_database")()

        def run(script: str) -> None:
            said(url, script)

        found = Old(url, run, lambda question: said(url, question))
    found.tables()
    return found


def holds_the_two_orders(address: str) -> None:
    """Hold the store against what version 1 has written."""
    first = a_commit(ORDER, {"CUP": 2})
    with closing(open_store(address, create=False)) as store:
        life, order = store.load_many(["life-1", ORDER])
        key = store.find_keys([FindKey("shop", "place", "k-1")])
        findings = list(store.verify_log())

    assert life == a_life("life-1")[0].after
    assert order is not None
    assert order.version == 3
    assert order.facts == first.after.facts
    assert [found.order_id for found in key if found] == [ORDER]
    assert findings == []


def test_an_older_store_is_brought_forward_with_its_orders(old: Old) -> None:
    """Everything that version 1 wrote is there afterwards; the second time there is nothing to do."""
    old.life()
    with pytest.raises(Misconfigured) as refusal:
        open_store(old.address)
    first, second = migrate(old.address), migrate(old.address)

    assert refusal.value.code == "schema_outdated"
    assert "orderkit migrate" in refusal.value.remedy
    assert first
    assert second == ()
    holds_the_two_orders(old.address)


def test_programs_of_both_versions_work_between_the_steps(old: Old) -> None:
    """After `pre` the statements of version 1 do what they did, and the new program reads and goes on; `post` ends it."""
    assert migrate(old.address, phase="pre")
    assert migrate(old.address, phase="pre") == ()
    old.life()
    assert old.ask(f"SELECT version FROM {_name(old, 'schema_version')}") == [(1,)]  # what version 1 looks at
    with closing(open_store(old.address, create=False)) as store:
        order = store.load_many([ORDER])[0]
        assert order is not None
        went_on = store.commit_many([next_commit(order)])
    assert migrate(old.address, phase="post")
    assert migrate(old.address) == ()

    assert went_on == [Committed(4)]
    assert old.ask(f"SELECT version FROM {_name(old, 'schema_version')}") == [(2,)]
    with closing(open_store(old.address, create=False)) as store:
        assert list(store.verify_log()) == []


# Each had these words as its id in version 1: (key, SKU, warehouse).
OLD_NOTES = [("a", "B/x", "berlin"), ("opening/MUG", "MUG", "berlin"), ("a", "B~x", "berlin"), ("a", "MUG", "nord/ost")]


def _kept(old: Old, *notes: tuple[str, str, str]) -> None:
    """Keep the receipts of deliveries as version 1 did, five units each, on shelves that are there."""
    for key, sku, place in notes:
        row = f"('{key}/{sku}/{place}', '{sku}', '{place}', 5, 'received', '2026-03-03T12:00:00.000000+00:00')"
        columns = "(id, sku, warehouse, quantity, reason, at)"
        old.execute(f"INSERT INTO {_name(old, 'stock_receipts')} {columns} VALUES {row}")
    shelves = ", ".join(f"('{sku}', '{place}', 5, 0, 5)" for _, sku, place in notes)
    old.execute(f"INSERT INTO {_name(old, 'stock')} (sku, warehouse, on_hand, reserved, received) VALUES {shelves}")


def _told_again(old: Old, *notes: tuple[str, str, str]) -> int:
    """Tell the new program of the same deliveries; return what is on hand of everything."""
    with closing(orderkit.open(old.address)) as shop:
        for key, sku, place in notes:
            shop.put_stock(sku, {place: 5}, key=key)
        return sum(level.on_hand for level in shop.stock())


def test_a_delivery_of_before_counts_once_after(old: Old) -> None:
    """Whatever slashes are in its key and names; what their ids could be mistaken for is another delivery."""
    _kept(old, *OLD_NOTES)
    migrate(old.address)

    assert _told_again(old, *OLD_NOTES) == 5 * len(OLD_NOTES)
    assert _told_again(old, ("a/B", "x", "berlin")) == 5 * len(OLD_NOTES) + 5
    assert old.ask(f"SELECT id FROM {_name(old, 'stock_receipts')} ORDER BY id") == [
        ("a/B/x/berlin",),
        ("a/B~0x/berlin",),
        ("a/B~1x/berlin",),
        ("a/MUG/nord~1ost",),
        ("opening/MUG/MUG/berlin",),
    ]


def test_deliveries_told_between_the_steps_count_once(old: Old) -> None:
    """Between `pre` and `post` both programs know what was before; what the old one keeps meanwhile is known after `post`."""
    first, second = OLD_NOTES[:2], OLD_NOTES[2:]
    _kept(old, *first)
    migrate(old.address, phase="pre")
    known = old.ask(f"SELECT id FROM {_name(old, 'stock_receipts')} ORDER BY id")
    told = _told_again(old, *first)
    _kept(old, *second)
    migrate(old.address, phase="post")

    assert ("a/B/x/berlin",) in known
    assert told == 5 * len(first)
    assert _told_again(old, *OLD_NOTES) == 5 * len(OLD_NOTES)


def _name(old: Old, table: str) -> str:
    return f"orderkit_{table}" if old.address.startswith("sqlite") else f"orderkit.{table}"


def test_post_waits_for_pre(old: Old) -> None:
    """Tightening before the deploy would lock the running program out."""
    with pytest.raises(Misconfigured) as refusal:
        migrate(old.address, phase="post")

    assert "--phase pre" in refusal.value.remedy


def test_another_phase_is_refused(old: Old) -> None:
    """A word that is no phase names those that are."""
    with pytest.raises(InvalidInput, match="all, pre, post"):
        migrate(old.address, phase="later")


def test_what_is_printed_is_what_is_run(old: Old) -> None:
    """The printed SQL, given to the database by hand, brings the store forward as well as the command does."""
    old.life()
    printed = migrate(old.address, print_only=True)
    with pytest.raises(Misconfigured):
        open_store(old.address, create=False)
    old.execute("BEGIN;" + ";\n".join(printed) + ";COMMIT;")

    assert migrate(old.address) == ()
    holds_the_two_orders(old.address)


def test_an_older_store_becomes_what_a_new_one_is(old: Old, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Constraints, indexes, triggers and views have the same names and say the same, however the store came to be."""
    migrate(old.address)
    if old.address.startswith("sqlite"):
        fresh = f"sqlite:///{tmp_path}/fresh.db"
        migrate(fresh)
        with closing(sqlite3.connect(tmp_path / "fresh.db")) as connection:
            wanted = connection.execute(_SQLITE_SHAPE).fetchall()
        told = old.ask(_SQLITE_SHAPE)
    else:
        import psycopg  # noqa: PLC0415  (only where there is a server)

        fresh = request.getfixturevalue("make_postgres_database")()
        migrate(fresh)
        with psycopg.connect(fresh) as connection:
            wanted = connection.execute(_POSTGRES_SHAPE.encode()).fetchall()
        told = old.ask(_POSTGRES_SHAPE)

    assert sorted(map(_squeezed, told)) == sorted(map(_squeezed, wanted))


_SQLITE_SHAPE = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name <> 'orderkit_migrations'"
_POSTGRES_SHAPE = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'orderkit'::regnamespace AND conrelid::regclass::text !~ '_(before|other|[0-9]{4}_[0-9]{2})$'
      AND conrelid <> 'orderkit.migrations'::regclass
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'orderkit' AND tablename !~ '_(before|other|[0-9]{4}_[0-9]{2})$' AND tablename <> 'migrations'
    UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid::regclass::text !~ '_(before|other|[0-9]{4}_[0-9]{2})$'
    UNION ALL SELECT viewname, schemaname, definition FROM pg_views WHERE schemaname = 'orderkit_reports'
    UNION ALL SELECT proname, pronargs::text, prosrc FROM pg_proc WHERE pronamespace = 'orderkit'::regnamespace
    UNION ALL SELECT attrelid::regclass::text, attname, concat(format_type(atttypid, atttypmod), attnotnull, attstorage)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'orderkit'::regnamespace AND relkind = 'p' AND attnum > 0"""


def _squeezed(row: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the row's texts without the white space and quotes in which two ways of writing the same differ."""
    return tuple(re.sub(r'[\s"]', "", str(value)) for value in row)


@pytest.mark.postgres
def test_the_tables_of_the_host_are_left_alone(make_postgres_database: Callable[[], str]) -> None:
    """What the host has in the database, in `public` and elsewhere, is as it was; its own table of Alembic too."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    url = make_postgres_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('host-7')")
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute(version_1(url, "tables").encode())
    migrate(url)
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        stamp = connection.execute("SELECT version_num FROM alembic_version").fetchall()

    assert sorted(tables) == [("alembic_version",), ("orders",)]
    assert stamp == [("host-7",)]


@pytest.mark.postgres
def test_rows_of_an_older_store_stay_where_they_are(make_postgres_database: Callable[[], str]) -> None:
    """The old table becomes the partition of everything so far; only ids that are no UUIDv7 move. A new order of an old month goes there."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    url = make_postgres_database()
    with psycopg.connect(url) as connection:
        connection.execute(version_1(url, "tables").encode())
        connection.execute(version_1(url, "life").encode())
        before = connection.execute("SELECT pg_relation_filenode('orderkit.orders')").fetchone()
    migrate(url)
    late = "01200000-0000-7abc-8def-0123456789ab"
    with closing(open_store(url)) as store:
        store.put_stock_many([goods("r9", "MUG", "berlin", 9)])
        first = a_commit(late, {"MUG": 1})
        assert store.commit_many([first]) == [Committed(1)]
        assert store.commit_many([paid(first.after)]) == [Committed(2)]
    with psycopg.connect(url) as connection:
        after = connection.execute("SELECT pg_relation_filenode('orderkit.orders_before')").fetchone()
        places = connection.execute(
            "SELECT relname, id FROM orderkit.orders AS o JOIN pg_class AS c ON c.oid = o.tableoid ORDER BY id"
        ).fetchall()

    assert after == before
    assert places == [
        ("orders_before", late),
        ("orders_before", ORDER),
        ("orders_other", "life-1"),
    ]


def test_a_new_store_is_opened_without_alembic(tmp_path: Path) -> None:
    """The first start of the embedded store does not pay for what only an older one needs."""
    program = f"""
import sys, orderkit
with orderkit.open("sqlite:///{tmp_path}/shop.db", bus=None, notifications=None, documents=None) as shop:
    shop.put_stock("MUG", {{"berlin": 1}})
print("alembic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
