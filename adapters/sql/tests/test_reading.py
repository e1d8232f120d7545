"""Orders are read whole: by one statement, of one moment, whatever transaction it is in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.domain.events import decided
from orderkit.domain.order import Order
from orderkit.domain.value import evolve
from orderkit.ports.store import Committed
from orderkit.testing.samples import a_commit, goods, next_commit
from orderkit_sql import SqlStore, open_store
from tests.sent import statements_of

CHANGES, READS = 150, 300


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
        writing = threading.Thread(target=_changed_often, args=(store, first.after))
        writing.start()
        try:
            with store._engine.begin() as host:
                reading = store.joined(host) if joined else store
                found = [order for _ in range(READS) for order in reading.load_many(["order-1"])]
        finally:
            writing.join()
        versions = [order.version for order in found if order is not None]
        torn = [order for order in found if order is None or _told(order) != f"pm_{order.version}"]

    assert torn == []
    assert len(set(versions)) > 10


def _changed_often(store: SqlStore, order: Order) -> None:
    for _ in range(CHANGES):
        name = f"pm_{order.version + 1}"
        payments = tuple(evolve(payment, method=name) for payment in order.payments)
        commit = next_commit(order, decided(order, findings=(name,), payments=payments))
        assert store.commit_many([commit]) == [Committed(order.version + 1)]
        order = commit.after


def _told(order: Order) -> str:
    """Return what both rows say, if they say the same."""
    said = {*order.findings, *(payment.method for payment in order.payments)}
    return said.pop() if len(said) == 1 else f"{sorted(said)}"
