"""Orders are read whole: by one statement, of one moment, whatever transaction it is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

import orderkit
from orderkit import OrderQuery, flows
from orderkit.cli.main import root
from orderkit.domain.events import decided
from orderkit.domain.order import Order
from orderkit.domain.value import evolve
from orderkit.errors import PortError
from orderkit.ports.store import Committed, KeepMessage, Message, ReadRecords, TakeMessages, TakeOutbox
from orderkit.testing.samples import a_commit, goods, next_commit, paid
from orderkit_sql import SqlStore, open_store
from tests.sent import statements_of
from tests.shops import NOON, a_cart

VERSIONS, SECONDS_MAX = 30, 60.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with twenty mugs."""
    url = f"sqlite:///{tmp_path}/shop.db" if request.param == "sqlite" else request.getfixturevalue("address")
    with closing(open_store(url, create=True)) as found:
        found.put_stock_many([goods("r1", "MUG", "berlin", 20)])
        yield found


def test_orders_are_read_by_one_statement(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are, in our own transaction and in a host's."""
    commits = [a_commit(f"order-{n}", {"MUG": 1}) for n in range(10)]
    store.commit_many(commits)
    ids = [commit.after.id for commit in commits]
    sent = statements_of(store, monkeypatch)
    found = store.load_many(ids)
    alone = _words(sent)
    with store._engine.begin() as host:
        joined = store.joined(host).load_many(ids[:1])

    assert (found, joined) == ([commit.after for commit in commits], [commits[0].after])
    assert alone == ["SELECT"]
    assert _words(sent) == ["SELECT", "SAVEPOINT", "SELECT", "RELEASE"]


WAYS_TO_DAMAGE = {
    "no document": "UPDATE {orders} SET document = {bytes} WHERE id = 'order-1'",
    "another state": "UPDATE {orders} SET state = {bytes} WHERE id = 'order-1'",
}


@pytest.mark.parametrize("change", WAYS_TO_DAMAGE.values(), ids=WAYS_TO_DAMAGE)
def test_a_damaged_order_is_an_error_of_its_own(store: SqlStore, change: str) -> None:
    """Somebody wrote into the database by hand: the error names the order, and its neighbors are read."""
    commits = [a_commit(f"order-{n}", {"MUG": 1}) for n in range(3)]
    store.commit_many(commits)
    tampered(store, change)
    before, error, after = store.load_many([commit.after.id for commit in commits])

    assert (before, after) == (commits[0].after, commits[2].after)
    assert isinstance(error, PortError)
    assert (error.code, error.outcome, error.facts) == ("order_damaged", "not_applied", {"order_id": "order-1"})
    assert "audit verify" in error.remedy


def test_an_address_that_is_none_any_more_is_damage(store: SqlStore) -> None:
    """What would be the caller's fault in a request is not when it is read."""
    store.commit_many([a_commit("order-1", {"MUG": 1})])
    with store._engine.begin() as connection:
        document = connection.execute(text(f"SELECT document FROM {_orders(store)}")).scalar_one()
        changed = bytes(document).replace(b'"country":"DE"', b'"country":"xx"')
        connection.execute(text(f"UPDATE {_orders(store)} SET document = :changed"), {"changed": changed})
    (error,) = store.load_many(["order-1"])

    assert changed != bytes(document)
    assert isinstance(error, PortError)
    assert "xx" not in str(error)


def test_a_damaged_record_stops_the_relay_of_its_order_only(store: SqlStore) -> None:
    """The log of that order cannot be read, and of all others everything is published."""
    commits = [a_commit(f"order-{n}", {"MUG": 1}) for n in range(3)]
    store.commit_many(commits)
    tampered(store, "UPDATE {records} SET body = {bytes} WHERE order_id = 'order-1'")

    later = paid(commits[1].after)
    store.commit_many([later])

    with pytest.raises(PortError, match="order_damaged") as raised:
        store.read_records(ReadRecords("order-1"))
    assert raised.value.field == "order_id"
    assert [record.order_id for record in store.take_outbox(TakeOutbox(10))] == ["order-0", "order-2"]


def test_a_damaged_message_holds_up_no_other(store: SqlStore) -> None:
    """It is left to a person, with a note."""
    message = Message(source="van", id="1", kind="x", reference="r", received_at=NOON, data={})
    for each in (message, evolve(message, id="2")):
        assert store.keep_message(KeepMessage(each))
    inbox = store.database.name(store.database.tables.inbox)
    tampered(store, f"UPDATE {inbox} SET data = {{bytes}} || {{bytes}} WHERE id = '1'")

    assert [each.id for each in store.take_messages(TakeMessages(NOON, 10))] == ["2"]
    with store._engine.begin() as connection:
        (kept,) = connection.execute(text(f"SELECT due_at, note FROM {inbox} WHERE id = '1'"))
    assert tuple(kept) == (None, "its data cannot be read")


def test_a_damaged_row_of_a_list_is_named(tmp_path: Path) -> None:
    """A file of SQLite keeps any kind of value: the doctor says what it found instead of falling over it."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with orderkit.open(url) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        order = shop.place(a_cart(("MUG", 1, "10.00")), "pm_visa")
        tampered(shop.store, "UPDATE {orders} SET updated_at = 'x'")
        with pytest.raises(PortError, match=f"order_damaged.*{order.id}"):
            shop.orders(OrderQuery())
    found = CliRunner().invoke(root, ["doctor", "--store", url])

    assert found.exit_code == 1
    assert order.id in found.output
    assert "Traceback" not in found.output


def test_the_shop_and_the_doctor_name_a_damaged_order(tmp_path: Path) -> None:
    """Others go on, workers too; the doctor finds the order, and says what to do."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with orderkit.open(url) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        damaged, fine = (shop.place(a_cart(("MUG", 1, "10.00")), "pm_visa") for _ in range(2))
        tampered(shop.store, f"UPDATE {{orders}} SET document = {{bytes}} WHERE id = '{damaged.id}'")
        with pytest.raises(PortError, match="order_damaged"):
            shop.order(damaged.id)
        answers = shop.run_many([flows.order(damaged.id), flows.order(fine.id)])
        shop.sweep()
        shop.cancel(fine.id, reason="changed mind")
    found = CliRunner().invoke(root, ["doctor", "--store", url, "--format", "json"])

    assert [type(answer) for answer in answers] == [PortError, Order]
    assert found.exit_code == 1
    assert damaged.id in found.output
    assert fine.id not in found.output


def tampered(store: SqlStore, change: str) -> None:
    """Change the database as its owner can: without the triggers."""
    bytes_ = "x'7b7d'" if store.database.backend.name == "sqlite" else "convert_to('{}', 'UTF8')"
    records = store.database.name(store.database.tables.records)
    with store._engine.begin() as connection:
        if store.database.backend.name == "sqlite":
            for name in ("no_update", "no_delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS orderkit_records_{name}"))
        else:
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(change.format(orders=_orders(store), records=records, bytes=bytes_)))


def _orders(store: SqlStore) -> str:
    return store.database.name(store.database.tables.orders)


def _words(sent: list[tuple[str, object]]) -> list[str]:
    """Return the first word of each statement; a transaction of SQLite is begun by one, of PostgreSQL by the driver."""
    return [word for statement, _ in sent if (word := statement.split()[0]) != "BEGIN"]


@pytest.mark.postgres
@pytest.mark.parametrize("joined", [False, True], ids=["our own", "a host's"])
def test_what_is_read_beside_a_writer_is_whole(address: str, *, joined: bool) -> None:
    """Each change is one of the order's own row and one of its payment's: nobody sees the one without the other."""
    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 20)])
        first = a_commit("order-1", {"MUG": 1})
        store.commit_many([first])
        enough = threading.Event()
        writing = threading.Thread(target=_changed_until, args=(enough, store, first.after))
        writing.start()
        try:
            with store._engine.begin() as host:
                found = _read_until_changed(store.joined(host) if joined else store)
        finally:
            enough.set()
            writing.join()
        torn = [order for order in found if order is None or _told(order, first.after) != f"pm_{order.version}"]

    assert torn == []
    assert len({order.version for order in found if order is not None}) > VERSIONS


def _read_until_changed(store: SqlStore) -> list[Order | None]:
    """Read until enough versions were seen, however slowly the machine writes them; a writer that never comes on ends it too."""
    found: list[Order | None] = []
    versions, until = set(), time.monotonic() + SECONDS_MAX
    while len(versions) <= VERSIONS and time.monotonic() < until:
        found += store.load_many(["order-1"])
        versions.add(None if found[-1] is None else found[-1].version)
    return found


def _changed_until(enough: threading.Event, store: SqlStore, order: Order) -> None:
    while not enough.is_set():
        name = f"pm_{order.version + 1}"
        payments = tuple(evolve(payment, method=name) for payment in order.payments)
        commit = next_commit(order, decided(order, findings=(name,), payments=payments))
        assert store.commit_many([commit]) == [Committed(order.version + 1)]
        order = commit.after


def _told(order: Order, first: Order) -> str:
    """Return what both rows say, if they say the same; before the first change nothing is said, if all is as it was."""
    if order == first:
        return f"pm_{first.version}"
    said = {*order.findings, *(payment.method for payment in order.payments)}
    return said.pop() if len(said) == 1 else f"{sorted(said)}"
