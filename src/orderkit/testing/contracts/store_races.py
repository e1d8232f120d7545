"""The contract under fire: many threads at once, each with its own call. Whatever the order of things, the counts are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from orderkit.domain.stock import StockReceipt
from orderkit.errors import KeyReused
from orderkit.ports.store import (
    ClaimDue,
    Committed,
    DuplicateKey,
    OutOfStock,
    PutStock,
    ReadRecords,
    Store,
    TakeOutbox,
    VersionConflict,
)
from orderkit.testing.contracts.racing import at_once
from orderkit.testing.contracts.store_case import StoreCase, a_claim, answer, shelved, shelves, stored
from orderkit.testing.samples import NOON, a_commit, next_commit


class RaceCases(StoreCase):
    """A store serves many threads, whether it writes one at a time or not."""

    def test_fifty_threads_with_one_key_place_one_order(self, store: Store) -> None:
        """One is committed; forty-nine learn which."""
        shelved(store, {("MUG", "berlin"): 100})
        commits = [a_commit(f"order-{n:02}", {"MUG": 1}, key=a_claim()) for n in range(50)]
        answers = at_once([partial(answer, store, commit) for commit in commits])
        winners = [commit.after.id for commit, said in zip(commits, answers, strict=True) if said == Committed(1)]

        assert len(winners) == 1
        assert Counter(answers)[DuplicateKey(winners[0], "f1")] == 49
        assert shelves(store) == {("MUG", "berlin"): (100, 1)}

    def test_sixty_four_threads_never_sell_a_unit_twice(self, store: Store) -> None:
        """Every order wants one of each of three SKUs, of which there are 20, 9 and 30: nine are served, the others hold nothing."""
        shelved(store, {("CUP", "berlin"): 20, ("MUG", "berlin"): 9, ("TEE", "berlin"): 30})
        commits = [a_commit(f"order-{n:02}", {"TEE": 1, "MUG": 1, "CUP": 1}) for n in range(64)]
        answers = at_once([partial(answer, store, commit) for commit in commits])

        assert Counter(answers) == {Committed(1): 9, OutOfStock((("MUG", "berlin"),)): 55}
        assert shelves(store) == {("CUP", "berlin"): (20, 9), ("MUG", "berlin"): (9, 9), ("TEE", "berlin"): (30, 9)}

    def test_opposite_orders_of_skus_do_not_lock_each_other_out(self, store: Store) -> None:
        """Calls that take the same shelves in opposite orders, within an order and from order to order, all come to an end."""
        names = ["CUP", "MUG", "POT", "TEE"]
        shelved(store, {(sku, "berlin"): 1_000 for sku in names})

        def batch(n: int) -> Callable[[], list[object]]:
            skus = names if n % 2 else names[::-1]
            singles = [a_commit(f"order-{n:02}-{sku}", {sku: 1}) for sku in skus]
            both = a_commit(f"order-{n:02}", dict.fromkeys(skus, 1))
            return lambda: list(store.commit_many([*singles, both]))

        answers = at_once([batch(n) for n in range(24)])

        assert answers == [[Committed(1)] * 5] * 24
        assert set(shelves(store).values()) == {(1_000, 48)}

    def test_of_many_editors_one_writes_the_next_version(self, store: Store) -> None:
        """Thirty-two decide from the same version: one is stored, the others are told."""
        shelved(store, {("MUG", "berlin"): 2})
        order = stored(store, a_commit("order-1", {"MUG": 2}))
        commits = [next_commit(order, at=NOON + timedelta(seconds=n)) for n in range(32)]
        answers = at_once([partial(answer, store, commit) for commit in commits])

        assert Counter(answers) == {Committed(2): 1, VersionConflict(2): 31}
        assert len(store.read_records(ReadRecords("order-1"))) == 2

    def test_of_many_that_tell_of_one_delivery_one_is_believed(self, store: Store) -> None:
        """Two versions of it, twelve threads each, shelves in opposite orders: one version is booked, once, and the other is told so."""

        def told(n: int) -> PutStock:
            goods = [StockReceipt(f"d1/{place}", "MUG", place, 5 + n % 2, "received", NOON) for place in ("a", "b")]
            return PutStock(tuple(goods[::-1] if n % 3 else goods))

        answers = at_once([partial(store.put_stock_many, [told(n)]) for n in range(24)])
        believed = {n % 2 for n, (said,) in enumerate(answers) if said is None}

        assert len(believed) == 1
        assert sum(isinstance(said, KeyReused) for (said,) in answers) == 12
        assert set(shelves(store).values()) == {(5 + believed.pop(), 0)}

    def test_no_two_workers_get_the_same_order(self, store: Store) -> None:
        """Eight workers claim at once until nothing is left: every due order is handed out once."""
        shelved(store, {("MUG", "berlin"): 40})
        commits = [a_commit(f"order-{n:02}", {"MUG": 1}) for n in range(40)]
        store.commit_many(commits)

        def work() -> list[str]:
            mine: list[str] = []
            while len(mine) <= 40 and (leases := store.claim_due(ClaimDue(NOON, 3))):
                mine += [lease.order_id for lease in leases]
            return mine

        handed_out = [name for mine in at_once([work] * 8) for name in mine]
        left_over = [lease.order_id for lease in store.claim_due(ClaimDue(NOON, 40))]

        assert sorted(handed_out + left_over) == [commit.after.id for commit in commits]

    def test_no_two_relays_get_the_same_record(self, store: Store) -> None:
        """Four relays take at once: no record goes to two of them, and each gets an order's records in order."""
        shelved(store, {("MUG", "berlin"): 20})
        for n in range(20):
            order = stored(store, a_commit(f"order-{n:02}", {"MUG": 1}))
            stored(store, next_commit(order))

        def relay() -> list[str]:
            mine: list[str] = []
            while len(mine) <= 40 and (taken := store.take_outbox(TakeOutbox(7))):
                mine += [record.id for record in taken]
            return mine

        relays = at_once([relay] * 4)
        handed_out = [name for mine in relays for name in mine]

        assert len(handed_out) == len(set(handed_out))
        for mine in relays:
            for n in range(20):
                versions = [name for name in mine if name.startswith(f"order-{n:02}/")]
                assert versions == sorted(versions)
