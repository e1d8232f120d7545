"""Old months leave whole: their orders with every row, and nothing of any other month."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from orderkit.errors import Misconfigured, NotAllowed
from orderkit.ports.store import Commit, Committed, DuplicateKey, FindKey, FindOrders, KeyClaim, OrderQuery
from orderkit.runtime.clocks import UuidIds
from orderkit.testing.samples import NOON, a_commit, called_off, goods, paid
from orderkit_sql import SqlStore, open_store, retiring, writing
from orderkit_sql.retiring import retire

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(address: str) -> Iterator[SqlStore]:
    with closing(open_store(address, create=True)) as store:
        store.put_stock_many([goods("r1", "MUG", "berlin", 1_000_000)])
        yield store


def placed(store: SqlStore, year: int, month: int, *, at_rest: bool = True, published: bool = True) -> str:
    """Store an order of that month with a key; at rest it was paid, called off and paid back, and nothing is due."""
    at = datetime(year, month, 9, tzinfo=UTC)
    order_id = UuidIds().new_id(at)
    claim = KeyClaim(principal="shop", operation="place", key=order_id, fingerprint="f")
    first = a_commit(order_id, {"MUG": 1}, at=at, key=claim)
    commits: list[Commit] = [first]
    if at_rest:
        for step in (paid, called_off, paid):  # the last one confirms the refund
            commits.append(step(commits[-1].after))
    for commit in commits:
        assert store.commit_many([commit]) == [Committed(commit.after.version)]
    with store._engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE {store.database.name(store.database.tables.records)} SET published = %s WHERE order_id = %s",
            (published, order_id),
        )
    return order_id


def test_a_month_with_unpublished_records_stays(address: str, store: SqlStore) -> None:
    """What the relay has not taken would never be published: the order is named, and the host may say that nobody listens."""
    order_id = placed(store, 2018, 11, published=False)

    with pytest.raises(NotAllowed, match="not published yet") as refused:
        retire(address, date(2019, 1, 1))

    assert refused.value.facts == {"month": "2018-11", "orders": [order_id]}
    assert ids(store) == {order_id}
    assert retire(address, date(2019, 1, 1), unpublished=True) == (date(2018, 11, 1),)
    assert ids(store) == set()


def test_a_key_that_leaves_between_two_looks_is_claimed_again(
    address: str, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in use is deleted with its month before it is read: the new order holds it, and a repeat finds that order."""
    used = placed(store, 2018, 11)
    look = writing.find_keys

    def late(*asked: Any) -> Any:
        monkeypatch.undo()
        retire(address, date(2019, 1, 1))
        return look(*asked)

    monkeypatch.setattr(writing, "find_keys", late)
    claim = KeyClaim(principal="shop", operation="place", key=used, fingerprint="f")
    first, second = (a_commit(UuidIds().new_id(NOON), {"MUG": 1}, key=claim) for _ in range(2))

    assert store.commit_many([first]) == [Committed(1)]
    assert store.commit_many([second]) == [DuplicateKey(first.after.id, "f")]


def ids(store: SqlStore) -> set[str]:
    return {row.id for row in store.find_orders(FindOrders(OrderQuery(limit=100))).items}


def test_months_before_a_day_are_detached(address: str, store: SqlStore) -> None:
    """Two old months leave with their keys and stand aside, readable; a month that ends with the day or later stays. The log holds."""
    old = [placed(store, 2018, 11), placed(store, 2018, 12)]
    young = [placed(store, 2019, 1), placed(store, 2026, 3)]
    months = retire(address, date(2019, 1, 31))

    assert months == (date(2018, 11, 1), date(2018, 12, 1))
    assert ids(store) == set(young)
    assert store.load_many([*old, *young])[:2] == [None, None]
    assert store.find_keys([FindKey("shop", "place", key) for key in (old[0], young[0])])[0] is None
    assert list(store.verify_log()) == []
    with store._engine.connect() as connection:
        schema = store.database.tables.schema
        kept = connection.exec_driver_sql(f"SELECT order_id, version FROM {schema}_retired.records_2018_12 ORDER BY 2")
        assert [tuple(row) for row in kept] == [(old[1], version) for version in (1, 2, 3, 4)]
    assert retire(address, date(2019, 1, 31)) == ()


def test_a_month_with_an_order_that_waits_stays(address: str, store: SqlStore) -> None:
    """Nothing of it leaves, and the order is named."""
    waiting, resting = placed(store, 2017, 5, at_rest=False), placed(store, 2017, 5)
    with pytest.raises(NotAllowed) as refusal:
        retire(address, date(2020, 1, 1))

    assert refusal.value.facts["orders"] == [waiting]
    assert ids(store) == {waiting, resting}


def test_months_leave_while_others_write(address: str, store: SqlStore) -> None:
    """Writers go on; each of their commits is stored or, if it lost its place, tried again by the store itself."""
    for month in range(1, 7):
        placed(store, 2016, month)
    stop, answers, errors = threading.Event(), [], []

    def write() -> None:
        with closing(open_store(address)) as other:
            while not stop.is_set():
                try:
                    answers.extend(other.commit_many([a_commit(UuidIds().new_id(NOON), {"MUG": 1})]))
                except Exception as error:  # noqa: BLE001  (whatever it is, it is shown below)
                    errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        months = retire(address, date(2017, 1, 1))
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert len(months) == 6
    assert errors == []
    assert answers
    assert set(map(type, answers)) == {Committed}
    assert len(ids(store)) == min(100, len(answers))


def test_keys_go_while_nobody_waits(address: str, store: SqlStore) -> None:
    """Reading all keys takes long where there are many: others place orders meanwhile, and the month is gone already."""
    old = placed(store, 2018, 11)
    keys = store.database.name(store.database.tables.keys)
    leaving = threading.Thread(target=retire, args=(address, date(2019, 1, 1)))
    with store._engine.begin() as busy:
        busy.exec_driver_sql(f"SELECT 1 FROM {keys} WHERE order_id = %s FOR UPDATE", (old,))
        leaving.start()
        give_up_at = time.monotonic() + 20
        while old in ids(store):
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        assert store.commit_many([a_commit(UuidIds().new_id(NOON), {"MUG": 1})]) == [Committed(1)]
        assert store.find_keys([FindKey("shop", "place", old)]) == [DuplicateKey(old, "f")]
    leaving.join()

    assert store.find_keys([FindKey("shop", "place", old)]) == [None]


def test_keys_that_an_earlier_run_left_are_deleted_by_the_next(
    address: str, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed between the cut and the keys. Keys of orders that are there stay."""
    old, young = placed(store, 2018, 11), placed(store, 2026, 3)
    with monkeypatch.context() as patched:
        patched.setattr(retiring, "_forget_keys", lambda *_: None)
        assert retire(address, date(2019, 1, 1)) == (date(2018, 11, 1),)

    assert retire(address, date(2019, 1, 1)) == ()
    asked = [FindKey("shop", "place", key) for key in (old, young)]
    assert store.find_keys(asked) == [None, DuplicateKey(young, "f")]


def test_a_month_that_comes_back_leaves_again(address: str, store: SqlStore) -> None:
    """A late order makes its month anew, also by a process that has seen the month before; both parts stand aside, each whole."""
    schema = store.database.tables.schema
    first = placed(store, 2018, 11)
    retire(address, date(2019, 1, 1))
    late = placed(store, 2018, 11)

    assert retire(address, date(2019, 1, 1)) == (date(2018, 11, 1),)
    with store._engine.connect() as connection:
        for name, order_id in ((f"{schema}_retired", first), (f"{schema}_retired_2", late)):
            kept = connection.exec_driver_sql(f"SELECT id FROM {name}.orders_2018_11").scalars().all()
            assert kept == [order_id]


def test_sqlite_has_no_months() -> None:
    """Asking for it is answered, not passed over."""
    with pytest.raises(Misconfigured, match="not partitioned"):
        retire("sqlite:///:memory:", date(2020, 1, 1))
