"""Migrating a PostgreSQL store on which others are at work: their rights stay, and nobody is ended by a deadlock."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from orderkit.errors import OrderkitError, PortError
from orderkit.ports.store import Committed
from orderkit.testing.samples import a_commit, goods
from orderkit_sql import locking, migrate, open_store
from tests.older import said, version_1


@pytest.fixture
def live(make_postgres_database: Callable[[], str]) -> str:
    """The address of a store of version 1 on PostgreSQL with two orders."""
    url = make_postgres_database()
    said(url, version_1(url, "tables"))
    said(url, version_1(url, "life"))
    return url


_RIGHTS = """
    SELECT relname, relowner::regrole::text, '', a.grantee, a.privilege_type, a.is_grantable
    FROM pg_class, aclexplode(relacl) AS a
    WHERE relnamespace = 'orderkit{0}'::regnamespace AND relkind IN ('r', 'p', 'v') AND a.grantee <> relowner
    UNION ALL SELECT relname, '', attname, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl) AS a
    WHERE relnamespace = 'orderkit{0}'::regnamespace"""


@pytest.mark.postgres
@pytest.mark.parametrize(("by_hand", "owned"), [(False, "%"), (True, "orders")])
def test_rights_given_by_hand_stay(live: str, owned: str, *, by_hand: bool) -> None:
    """Owner, grants on tables and on columns are what they were, on the new tables too, and nobody has more; the shop goes on with its login."""
    shop, clerk, owner, password = (f"{name}_{secrets.token_hex(4)}" for name in ("shop", "clerk", "owner", "word"))
    said(
        live,
        f"CREATE ROLE {shop} LOGIN PASSWORD '{password}'; CREATE ROLE {clerk}; CREATE ROLE {owner};"
        f"GRANT USAGE ON SCHEMA orderkit TO {shop}; GRANT CREATE, USAGE ON SCHEMA orderkit TO {owner};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA orderkit TO {shop};"
        f"GRANT SELECT ON orderkit.returns TO PUBLIC; GRANT SELECT ON orderkit.payments TO {clerk} WITH GRANT OPTION;"
        f"GRANT SELECT (id, status), UPDATE (error) ON orderkit.orders TO {clerk};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA orderkit GRANT INSERT ON TABLES TO {clerk};"
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'orderkit' AND"
        f" tablename LIKE '{owned}' LOOP EXECUTE format('ALTER TABLE orderkit.%I OWNER TO {owner}', name); END LOOP; END $$",
    )
    before = set(said(live, _RIGHTS.format("")))
    if by_hand:
        said(live, "BEGIN;" + ";\n".join(migrate(live, print_only=True)) + ";COMMIT;")
    else:
        migrate(live, phase="pre")
    after = set(said(live, _RIGHTS.format("")))

    names = {row[0] for row in before}
    assert {row for row in after if row[0] in names} == before
    assert _of(after, "migrations") == _of(before, "schema_version")
    assert _of(after, "orders_other") == _of(before, "orders")
    parts = "SELECT DISTINCT relowner::regrole::text FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid"
    assert said(live, f"{parts} WHERE inhparent = 'orderkit.orders'::regclass") == [(owner,)]
    at = urlsplit(live)
    with closing(open_store(urlunsplit(at._replace(netloc=f"{shop}:{password}@{at.hostname}:{at.port}")))) as store:
        store.put_stock_many([goods("r9", "MUG", "berlin", 9)])
        assert store.commit_many([a_commit("01c00000-0000-7abc-8def-0123456789ab", {"MUG": 1})]) == [Committed(1)]


def _of(rights: set[tuple[Any, ...]], table: str) -> set[tuple[Any, ...]]:
    return {row[1:] for row in rights if row[0] == table}


@pytest.mark.postgres
def test_rights_on_reports_stay(live: str) -> None:
    """The views are made anew by every migration, and whoever was allowed to read one still is."""
    clerk = f"clerk_{secrets.token_hex(4)}"
    migrate(live, phase="pre")
    reports = "orderkit_reports"
    said(
        live,
        f"CREATE ROLE {clerk}; GRANT SELECT ON {reports}.orders TO {clerk}; ALTER VIEW {reports}.returns OWNER TO {clerk};"
        f"GRANT SELECT (id, status) ON {reports}.shipments TO {clerk}; GRANT SELECT ON {reports}.returns TO PUBLIC",
    )
    before = set(said(live, _RIGHTS.format("_reports")))
    migrate(live, phase="post")

    assert len(before) >= 4
    assert set(said(live, _RIGHTS.format("_reports"))) == before


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("UPDATE orderkit.orders SET attempts = 0", "UPDATE orderkit.records SET published = published"),
        ("SELECT * FROM orderkit.payments", "SELECT * FROM orderkit.orders FOR UPDATE"),
    ],
    ids=["a writer", "one who begins elsewhere"],
)
@pytest.mark.parametrize("phase", ["pre", "post"])
def test_the_step_harms_nobody_who_is_at_work(live: str, first: str, then: str, phase: str) -> None:
    """A transaction that has locked one table and then wants another ends well, whatever its order, and the step is run after it."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    if phase == "post":
        migrate(live, phase="pre")
    done: list[object] = []

    def bring() -> None:
        try:
            done.append(migrate(live, phase=phase))
        except PortError as error:
            done.append(error)

    migration = threading.Thread(target=bring)
    with psycopg.connect(live) as other:
        other.execute(first.encode())
        migration.start()
        time.sleep(0.4)  # the step has what it can have
        other.execute(then.encode())
        time.sleep(1.2)  # longer than the server waits before it looks for a deadlock
    migration.join()

    assert isinstance(done[0], tuple)
    assert migrate(live, phase=phase) == ()


_UNPROVEN = "SELECT count(*) FROM pg_constraint WHERE connamespace = 'orderkit'::regnamespace AND NOT convalidated"


@pytest.mark.postgres
def test_old_rows_are_held_against_new_constraints_while_others_read_and_write(live: str) -> None:
    """The locked step reads nothing; what it leaves to be proven is proven after it, beside a writer that has not ended."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    *step, proof = migrate(live, print_only=True)
    said(live, "BEGIN;" + ";\n".join(step) + ";COMMIT;")
    left = said(live, _UNPROVEN)
    with psycopg.connect(live) as writer, psycopg.connect(live, autocommit=True) as reader:
        writer.execute("UPDATE orderkit.orders SET attempts = 0")
        printed = migrate(live, print_only=True)
        done = migrate(live)
        read = reader.execute("SELECT count(*) FROM orderkit.orders").fetchall()

    assert all("NOT VALID" in statement for statement in step if "ADD CONSTRAINT" in statement)
    assert left[0][0] > 0
    assert printed == done == (proof,)
    assert (said(live, _UNPROVEN), migrate(live, print_only=True), migrate(live)) == ([(0,)], (), ())
    assert read == [(2,)]


@pytest.mark.postgres
def test_constraints_of_the_host_are_left_alone(live: str) -> None:
    """One that it has not proven, in the same schema, stays so: its rows are no matter of ours."""
    said(live, "CREATE TABLE orderkit.mine (n int); INSERT INTO orderkit.mine VALUES (-1)")
    said(live, "ALTER TABLE orderkit.mine ADD CONSTRAINT mine_n CHECK (n > 0) NOT VALID")

    migrate(live)

    assert said(live, f"{_UNPROVEN} AND conname = 'mine_n'") == [(1,)]
    assert said(live, f"{_UNPROVEN} AND conname <> 'mine_n'") == [(0,)]


@pytest.mark.postgres
def test_a_row_that_breaks_a_new_constraint_is_told_until_it_is_mended(live: str) -> None:
    """The step stands, what is written from now on is held to it, and every migration tries the proof again."""
    migrate(live, phase="pre")
    said(live, "UPDATE orderkit.orders SET returns_status = 'lost in thought'")

    for _ in range(2):
        with pytest.raises(OrderkitError):
            migrate(live)
    said(live, "UPDATE orderkit.orders SET returns_status = 'none'")

    assert len(migrate(live)) == 1
    assert said(live, _UNPROVEN) == [(0,)]


@pytest.mark.postgres
def test_the_step_gives_up_when_the_tables_are_never_free(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its tries it says that the tables are in use, and has changed nothing."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    monkeypatch.setattr(locking, "TRIES_MAX", 2)
    with psycopg.connect(live) as other:
        other.execute("SELECT * FROM orderkit.orders")
        with pytest.raises(PortError, match="in use"):
            migrate(live)
        assert said(live, "SELECT to_regclass('orderkit.orders_before')") == [(None,)]
    assert migrate(live)
