"""Each role of PostgreSQL can do its work and nothing else, tried by logging in as each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import attrs
import pytest

from orderkit.errors import Misconfigured
from orderkit.ports.store import (
    ClaimDue,
    Committed,
    FindKey,
    FindOrders,
    KeepMessage,
    KeyClaim,
    MarkPublished,
    Message,
    OrderQuery,
    ReadRecords,
    SettleMessage,
    TakeMessages,
    TakeOutbox,
)
from orderkit.runtime.clocks import UuidIds
from orderkit.testing.samples import NOON, a_commit, goods, paid
from orderkit_sql import migrate, open_store
from orderkit_sql.reports import VIEWS

pytestmark = pytest.mark.postgres


@attrs.frozen
class Logins:
    """A store with its three roles, and the URLs of a login in each."""

    owner: str
    app: str
    worker: str
    reader: str


@pytest.fixture(scope="module")
def logins(make_postgres_database: Callable[[], str]) -> Logins:
    """A store whose roles were made twice, since that must change nothing, and three logins."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    url, schema = make_postgres_database(), f"shop_{secrets.token_hex(4)}"
    owner = f"{url}?schema={schema}"
    migrate(owner, with_roles=True)
    migrate(owner, with_roles=True)
    urls: list[str] = []
    with psycopg.connect(url) as connection:
        for role in ("app", "worker", "reader"):
            login, password = f"{schema}_{role}_login", secrets.token_hex(8)
            connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE {schema}_{role}")
            parts = urlsplit(url)
            address = parts._replace(
                netloc=f"{login}:{password}@{parts.hostname}:{parts.port}", query=f"schema={schema}"
            )
            urls.append(urlunsplit(address))
    return Logins(owner, *urls)


def refused(url: str, statement: str) -> str:
    """Run a statement as whoever the URL logs in; return the SQLSTATE with which it is refused."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    plain, _, schema = url.partition("?schema=")
    with psycopg.connect(plain) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(statement.replace("{s}", schema).encode())
    return str(caught.value.sqlstate)


def test_the_app_places_orders(logins: Logins) -> None:
    """Stock, keys, orders in a month that nobody has seen, reading and searching: everything a shop does."""
    at = datetime(2041, 6, 3, tzinfo=UTC)
    first = a_commit(
        UuidIds().new_id(at),
        {"MUG": 2},
        at=at,
        key=KeyClaim(principal="shop", operation="place", key="k", fingerprint="f"),
    )
    with closing(open_store(logins.app)) as store:
        assert store.put_stock_many([goods("r1", "MUG", "berlin", 5)]) == [None]
        assert store.commit_many([first]) == [Committed(1)]
        assert store.commit_many([paid(first.after)]) == [Committed(2)]
        store.keep_message(
            KeepMessage(
                Message(source="psp", id="m1", kind="paid", reference=first.after.id, data={}, received_at=NOON)
            )
        )
        found = store.find_orders(FindOrders(OrderQuery(customer="anna")))
        records = store.read_records(ReadRecords(first.after.id))
        keys = store.find_keys([FindKey("shop", "place", "k")])

        assert [order.id for order in found.items] == [first.after.id]
        assert [record.version for record in records] == [1, 2]
        assert keys[0] is not None
        assert list(store.verify_log()) == []


def test_a_worker_claims_and_publishes(logins: Logins) -> None:
    """What a worker needs besides what the app may: the two columns of the outbox."""
    at = datetime(2041, 7, 3, tzinfo=UTC)
    first = a_commit(UuidIds().new_id(at), {"CUP": 1}, at=at)
    with closing(open_store(logins.worker)) as store:
        store.put_stock_many([goods("r2", "CUP", "berlin", 5)])
        store.commit_many([first])
        leases = store.claim_due(ClaimDue(now=datetime(2042, 1, 1, tzinfo=UTC), limit=10, lease_seconds=30))
        records = store.take_outbox(TakeOutbox(limit=10, lease_seconds=30))
        store.mark_published(MarkPublished(tuple((record.order_id, record.version) for record in records)))
        messages = store.take_messages(TakeMessages(now=NOON, limit=5))
        for message in messages:
            store.settle_message(SettleMessage(message.source, message.id, None, "done"))

        assert first.after.id in {lease.order_id for lease in leases}
        assert first.after.id in {record.order_id for record in records}
        assert store.take_outbox(TakeOutbox(limit=10, lease_seconds=30)) == ()


@pytest.mark.parametrize("role", ["app", "worker"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {s}.records SET actor = 'nobody'",
        "UPDATE {s}.records SET hash = previous_hash",
        "DELETE FROM {s}.records",
        "TRUNCATE {s}.records",
        "DELETE FROM {s}.records_other",
        "DELETE FROM {s}.orders",
        "ALTER TABLE {s}.records DISABLE TRIGGER ALL",
        "DROP TABLE {s}.orders",
        "CREATE TABLE {s}.mine (id int)",
        "UPDATE {s}.schema_version SET version = 9",
        "ALTER TABLE {s}.orders DETACH PARTITION {s}.orders_other",
    ],
)
def test_nobody_but_the_owner_changes_the_log_or_the_tables(logins: Logins, role: str, statement: str) -> None:
    """Neither through the table nor through a month of it, and no guard can be switched off."""
    assert refused(getattr(logins, role), statement) == "42501"


def test_the_app_cannot_mark_records_as_published(logins: Logins) -> None:
    """Only workers relay."""
    assert refused(logins.app, "UPDATE {s}.records SET published = true") == "42501"


@pytest.mark.parametrize("table", ["orders", "records", "keys", "order_texts", "stock", "orders_other"])
def test_a_reader_sees_no_table(logins: Logins, table: str) -> None:
    """Reading a table is refused, and so is writing."""
    assert refused(logins.reader, f"SELECT * FROM {{s}}.{table}") == "42501"
    assert refused(logins.reader, f"DELETE FROM {{s}}.{table}") == "42501"


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_sees_every_view(logins: Logins, view: str) -> None:
    """Also after views were made anew: the right is given in advance."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    plain, _, schema = logins.reader.partition("?schema=")
    with psycopg.connect(plain) as connection:
        connection.execute(f"SELECT * FROM {schema}_reports.{view}").fetchall()
        assert refused(logins.reader, f"DELETE FROM {{s}}_reports.{view}") in ("42501", "55000")


def test_the_roles_can_be_read_first(logins: Logins) -> None:
    """With `print_only` the statements come back and nothing is run."""
    printed = migrate(logins.owner, print_only=True, with_roles=True)

    assert printed[0].startswith("DO $$ BEGIN CREATE ROLE ")
    assert any(statement.startswith("GRANT UPDATE (published, leased_until) ON ") for statement in printed)


def test_sqlite_has_no_roles() -> None:
    """Asking for them is answered, not passed over."""
    with pytest.raises(Misconfigured, match="SQLite has no roles"):
        migrate("sqlite:///:memory:", with_roles=True)
