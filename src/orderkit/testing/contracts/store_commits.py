"""The contract of commits: all or nothing for each, answers in order, and what is stored is what was given."""

from __future__ import annotations

from orderkit.domain.events import decided, replayed
from orderkit.domain.order import LINES_MAX, Order
from orderkit.domain.value import evolve
from orderkit.ports.store import (
    Committed,
    DuplicateKey,
    FindKey,
    OutOfStock,
    ReadRecords,
    Store,
    TakeOutbox,
    VersionConflict,
)
from orderkit.testing.contracts.store_case import StoreCase, a_claim, answer, shelved, shelves, stored
from orderkit.testing.samples import LIFE_STOCK, a_commit, a_life, called_off, next_commit, paid


class CommitCases(StoreCase):
    """One commit is one value: applied wholly, or not at all."""

    # ---- what is stored

    def test_a_new_order_is_stored_whole(self, store: Store) -> None:
        """The order, its record and its promise of stock are there after the commit."""
        shelved(store, {("MUG", "berlin"): 5})
        commit = a_commit("order-1", {"MUG": 2})

        assert answer(store, commit) == Committed(1)
        assert store.load_many(["order-1"]) == [commit.after]
        assert store.read_records(ReadRecords("order-1")) == (commit.record,)
        assert shelves(store) == {("MUG", "berlin"): (5, 2)}

    def test_the_next_version_takes_the_place_of_the_last(self, store: Store) -> None:
        """An order is stored once; its log grows."""
        shelved(store, {("MUG", "berlin"): 5})
        first = a_commit()
        second = paid(first.after)
        stored(store, first, second)

        assert store.load_many(["order-1"]) == [second.after]
        assert store.read_records(ReadRecords("order-1")) == (first.record, second.record)

    def test_orders_are_loaded_in_the_order_asked(self, store: Store) -> None:
        """An order that is not there is nothing in its place; one that is asked for twice is there twice."""
        shelved(store, {("MUG", "berlin"): 5})
        one, two = a_commit("order-1", {"MUG": 1}), a_commit("order-2", {"MUG": 1})
        stored(store, one, two)

        assert store.load_many(["order-2", "order-9", "order-1", "order-2"]) == [two.after, None, one.after, two.after]
        assert store.load_many([]) == []

    def test_every_part_of_an_order_comes_back(self, store: Store) -> None:
        """After each of the many steps of a whole life the loaded order equals the committed one, names in every alphabet included."""
        shelved(store, LIFE_STOCK)
        for commit in a_life("life-1"):
            stored(store, commit)
            assert store.load_many(["life-1"]) == [commit.after]

    def test_the_log_replays_to_the_stored_order(self, store: Store) -> None:
        """The records come back as they were, oldest first, and tell the stored order from nothing."""
        shelved(store, LIFE_STOCK)
        life = a_life("life-1")
        stored(store, *life)
        records = store.read_records(ReadRecords("life-1"))
        order = store.load_many(["life-1"])[0]

        assert records == tuple(commit.record for commit in life)
        assert isinstance(order, Order)
        assert replayed(records, order.facts) == order

    def test_an_order_that_is_not_there_has_no_log(self, store: Store) -> None:
        """Asking for the log of an unknown order is no error."""
        assert store.read_records(ReadRecords("order-9")) == ()

    def test_parts_that_are_gone_are_gone(self, store: Store) -> None:
        """The stored order is what was committed, also where that has fewer lines and shipments; a refused commit takes nothing away."""
        shelved(store, {("MUG", "berlin"): 5, ("TEE", "berlin"): 5})
        one, two = (a_commit(name, {"MUG": 1, "TEE": 1}) for name in ("order-1", "order-2"))
        noted = next_commit(one.after)
        stored(store, one, noted, two)
        late, taken = (next_commit(o, decided(o, lines=o.lines[:1], shipments=())) for o in (one.after, two.after))

        assert store.commit_many([late, taken]) == [VersionConflict(2), Committed(2)]
        assert store.load_many(["order-1", "order-2"]) == [noted.after, taken.after]

    def test_the_largest_order_is_stored(self, store: Store) -> None:
        """An order of as many lines as the domain allows is one commit like any other."""
        items = {f"SKU-{n:04}": 1 for n in range(LINES_MAX)}
        shelved(store, {(sku, "berlin"): 1 for sku in items})
        commit = a_commit("order-1", items)

        assert answer(store, commit) == Committed(1)
        assert store.load_many(["order-1"]) == [commit.after]
        assert set(shelves(store).values()) == {(1, 1)}

    # ---- many at once

    def test_answers_come_in_order_and_a_failure_stops_no_other(self, store: Store) -> None:
        """Of three orders in one call the second is too large for the shelf: the first and the third are stored."""
        shelved(store, {("MUG", "berlin"): 3})
        commits = [a_commit("order-1", {"MUG": 2}), a_commit("order-2", {"MUG": 2}), a_commit("order-3", {"MUG": 1})]

        assert store.commit_many(commits) == [Committed(1), OutOfStock((("MUG", "berlin"),)), Committed(1)]
        assert store.load_many(["order-1", "order-2", "order-3"]) == [commits[0].after, None, commits[2].after]
        assert shelves(store) == {("MUG", "berlin"): (3, 3)}

    def test_later_elements_see_earlier_ones(self, store: Store) -> None:
        """In one call an order is placed, paid and called off, and another takes the stock that this freed."""
        shelved(store, {("MUG", "berlin"): 2})
        first = a_commit("order-1", {"MUG": 2})
        second = paid(first.after)
        third = called_off(second.after)
        other = a_commit("order-2", {"MUG": 2})

        assert store.commit_many([first, second, third, other]) == [
            Committed(1),
            Committed(2),
            Committed(3),
            Committed(1),
        ]
        assert store.load_many(["order-1", "order-2"]) == [third.after, other.after]

    def test_a_whole_life_fits_into_one_call(self, store: Store) -> None:
        """All steps of one order in one call end as they do one by one."""
        shelved(store, LIFE_STOCK)
        life = a_life("life-1")

        assert store.commit_many(life) == [Committed(commit.after.version) for commit in life]
        assert store.load_many(["life-1"]) == [life[-1].after]
        assert store.read_records(ReadRecords("life-1")) == tuple(commit.record for commit in life)

    def test_as_many_as_the_store_takes_at_once_are_taken(self, store: Store) -> None:
        """`batch_max` commits in one call are all stored."""
        count = store.capabilities.batch_max
        shelved(store, {("MUG", "berlin"): count})
        commits = [a_commit(f"order-{n:04}", {"MUG": 1}) for n in range(count)]

        assert store.commit_many(commits) == [Committed(1)] * count
        assert store.load_many([commit.after.id for commit in commits]) == [commit.after for commit in commits]
        assert shelves(store) == {("MUG", "berlin"): (count, count)}

    def test_nothing_is_committed_by_an_empty_call(self, store: Store) -> None:
        """No commits have no answers."""
        assert store.commit_many([]) == []

    # ---- versions

    def test_a_decision_from_an_outdated_version_conflicts(self, store: Store) -> None:
        """Of two editors the second learns which version is stored; nothing of his is written."""
        shelved(store, {("MUG", "berlin"): 5})
        first = stored(store, a_commit())
        winner = stored(store, paid(first))
        loser = next_commit(first, key=a_claim("loser"))

        assert answer(store, loser) == VersionConflict(2)
        assert store.load_many(["order-1"]) == [winner]
        assert store.find_keys([FindKey("shop", "place", "loser")]) == [None]
        assert len(store.read_records(ReadRecords("order-1"))) == 2

    def test_a_new_order_under_a_taken_id_conflicts(self, store: Store) -> None:
        """A first version is refused where there is one, and takes no stock."""
        shelved(store, {("MUG", "berlin"): 5})
        first = stored(store, a_commit("order-1", {"MUG": 2}))

        assert answer(store, a_commit("order-1", {"MUG": 3}, customer="ben")) == VersionConflict(1)
        assert store.load_many(["order-1"]) == [first]
        assert shelves(store) == {("MUG", "berlin"): (5, 2)}

    def test_a_new_order_that_is_committed_twice_conflicts_with_itself(self, store: Store) -> None:
        """Also in one batch, and without a key that would tell: the same record twice is not one that an earlier try wrote."""
        shelved(store, {("MUG", "berlin"): 5})
        commit, other = a_commit("order-1", {"MUG": 1}), a_commit("order-2", {"MUG": 1})

        assert store.commit_many([commit, commit, other]) == [Committed(1), VersionConflict(1), Committed(1)]
        assert answer(store, commit) == VersionConflict(1)
        assert shelves(store) == {("MUG", "berlin"): (5, 2)}

    def test_a_change_of_an_order_that_is_not_there_conflicts(self, store: Store) -> None:
        """The stored version of nothing is 0."""
        commit = next_commit(a_commit("order-9").after)

        assert answer(store, commit) == VersionConflict(0)
        assert store.load_many(["order-9"]) == [None]

    def test_what_failed_is_not_told(self, store: Store) -> None:
        """A refused commit leaves no record in the log and none in the outbox."""
        assert answer(store, a_commit("order-1", {"MUG": 2})) == OutOfStock((("MUG", "berlin"),))
        assert store.read_records(ReadRecords("order-1")) == ()
        assert store.take_outbox(TakeOutbox(10)) == ()

    # ---- keys

    def test_a_claimed_key_answers_with_its_order_and_the_first_fingerprint(self, store: Store) -> None:
        """A repeat gets the stored order's id; so does another request under the same key, which the fingerprint tells apart."""
        shelved(store, {("MUG", "berlin"): 9})
        stored(store, a_commit("order-1", key=a_claim(fingerprint="f1")))
        repeat, other = (
            a_commit("order-2", key=a_claim(fingerprint="f1")),
            a_commit("order-3", key=a_claim(fingerprint="f2")),
        )

        assert store.commit_many([repeat, other]) == [DuplicateKey("order-1", "f1")] * 2
        assert store.load_many(["order-2", "order-3"]) == [None, None]
        assert shelves(store) == {("MUG", "berlin"): (9, 2)}

    def test_one_key_twice_in_one_call_is_one_order(self, store: Store) -> None:
        """The second element finds the first one's claim."""
        shelved(store, {("MUG", "berlin"): 9})
        commits = [a_commit("order-1", key=a_claim()), a_commit("order-2", key=a_claim())]

        assert store.commit_many(commits) == [Committed(1), DuplicateKey("order-1", "f1")]

    def test_a_key_belongs_to_its_principal_and_operation(self, store: Store) -> None:
        """The same text of another principal, or for another operation, is another key."""
        shelved(store, {("MUG", "berlin"): 9})
        claims = [a_claim(), a_claim(principal="app"), a_claim(operation="quote")]
        commits = [a_commit(f"order-{n}", key=claim) for n, claim in enumerate(claims)]

        assert store.commit_many(commits) == [Committed(1)] * 3

    def test_what_a_key_stands_for_can_be_found(self, store: Store) -> None:
        """Each question is answered in its place; a key that nobody claimed stands for nothing."""
        shelved(store, {("MUG", "berlin"): 9})
        stored(store, a_commit("order-1", key=a_claim("Schlüssel ✓", fingerprint="f7")))
        known, unknown = FindKey("shop", "place", "Schlüssel ✓"), FindKey("shop", "cancel", "Schlüssel ✓")

        assert store.find_keys([unknown, known]) == [None, DuplicateKey("order-1", "f7")]

    def test_a_change_can_claim_a_key(self, store: Store) -> None:
        """A repeated cancellation stands for the order that it cancelled."""
        shelved(store, {("MUG", "berlin"): 9})
        first = stored(store, a_commit("order-1"))
        change = evolve(called_off(first), key=a_claim("stop", operation="cancel"))
        stored(store, change)

        assert answer(store, change) == DuplicateKey("order-1", "f1")

    def test_a_refused_commit_leaves_its_key_free(self, store: Store) -> None:
        """A key is claimed by success: after the shelf is filled the same request goes through."""
        commit = a_commit("order-1", {"MUG": 2}, key=a_claim())
        assert answer(store, commit) == OutOfStock((("MUG", "berlin"),))
        shelved(store, {("MUG", "berlin"): 2})

        assert answer(store, commit) == Committed(1)

    def test_the_key_is_looked_at_before_the_version_and_the_stock(self, store: Store) -> None:
        """A repeat that would conflict and find an empty shelf is a repeat."""
        shelved(store, {("MUG", "berlin"): 2})
        stored(store, a_commit("order-1", {"MUG": 2}, key=a_claim()))

        assert answer(store, a_commit("order-1", {"MUG": 2}, key=a_claim())) == DuplicateKey("order-1", "f1")

    def test_the_version_is_looked_at_before_the_stock(self, store: Store) -> None:
        """An outdated decision is made again before anybody asks what the shelf holds."""
        shelved(store, {("MUG", "berlin"): 2})
        stored(store, a_commit("order-1", {"MUG": 2}))

        assert answer(store, a_commit("order-1", {"MUG": 2})) == VersionConflict(1)
