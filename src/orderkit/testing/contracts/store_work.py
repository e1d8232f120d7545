"""The contract of what workers need of an order: leases that fence, attempts that are counted, orders that are parked."""

from __future__ import annotations

from datetime import timedelta

from orderkit.domain.order import Order
from orderkit.domain.value import evolve
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    Committed,
    DuplicateKey,
    GiveUp,
    Lease,
    LeaseLost,
    ReadRecords,
    Store,
    VersionConflict,
)
from orderkit.testing.contracts.store_case import (
    LATER,
    MINUTE,
    StoreCase,
    a_claim,
    answer,
    due,
    shelved,
    stored,
    summary,
)
from orderkit.testing.samples import NOON, a_commit, next_commit


def claimed(
    store: Store, *, seconds: float = 30.0, limit: int = 10, attempts_max: int = 20, after: timedelta = MINUTE
) -> tuple[Lease, ...]:
    """Claim what is due a minute after noon."""
    return store.claim_due(ClaimDue(NOON + after, limit, lease_seconds=seconds, attempts_max=attempts_max))


def leased(before: Order, lease: Lease, *, waits: timedelta = LATER) -> Commit:
    """Return a worker's step on a leased order; what it waits for then is due that much later."""
    commit = next_commit(before, lease=lease)
    return evolve(commit, due_at=commit.record.stamp.at + waits, due_for="track_shipment")


class LeaseCases(StoreCase):
    """A due order is in one worker's hands at a time; whoever lost it cannot write."""

    def test_what_is_due_is_handed_out_with_a_lease(self, store: Store) -> None:
        """The first claim of an order is its first attempt."""
        due(store, "order-1")

        leases = claimed(store)
        assert [(lease.order_id, lease.attempts) for lease in leases] == [("order-1", 1)]

    def test_what_is_not_due_yet_is_not_handed_out(self, store: Store) -> None:
        """An order waits until its time, on the shop's clock; one that waits for nothing is never handed out."""
        (order,) = due(store, "order-1")
        stored(store, evolve(next_commit(order), due_at=NOON + LATER, due_for="track_shipment"))
        shelved(store, {("TEE", "berlin"): 1})
        stored(store, evolve(a_commit("order-2", {"TEE": 1}), due_at=None, due_for=None))

        assert claimed(store) == ()
        assert [lease.order_id for lease in claimed(store, after=LATER)] == ["order-1"]

    def test_the_longest_waiting_come_first_and_no_more_than_asked(self, store: Store) -> None:
        """Two of three are taken; the third is for the next worker."""
        shelved(store, {("MUG", "berlin"): 3})
        for name, seconds in (("order-b", 1), ("order-a", 2), ("order-c", 0)):
            stored(store, a_commit(name, {"MUG": 1}, at=NOON + timedelta(seconds=seconds)))

        assert [lease.order_id for lease in claimed(store, limit=2)] == ["order-c", "order-b"]
        assert [lease.order_id for lease in claimed(store, limit=2)] == ["order-a"]

    def test_a_worker_can_ask_for_some_kinds_only(self, store: Store) -> None:
        """An order is handed out to those who do what it is due for."""
        (order,) = due(store, "order-1")
        tracking = ClaimDue(NOON + LATER, 10, kinds=("track_shipment", "expire_hold"))

        assert store.claim_due(tracking) == ()
        stored(store, evolve(next_commit(order), due_at=NOON, due_for="track_shipment"))
        assert [lease.order_id for lease in store.claim_due(tracking)] == ["order-1"]

    def test_a_leased_order_is_not_handed_out_again(self, store: Store) -> None:
        """Until the lease is over; then the next worker gets it under another token, and the attempt is counted."""
        due(store, "order-1")
        (first,) = claimed(store, seconds=self.lease_seconds)
        assert claimed(store) == ()
        self.outlive_lease(store)

        (second,) = claimed(store)
        assert second.token != first.token
        assert second.attempts == 2

    def test_a_leased_commit_ends_the_lease(self, store: Store) -> None:
        """The order is free, its next time counts, and its attempts begin anew; the old lease writes nothing more."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store)
        after = stored(store, leased(order, lease))

        assert claimed(store) == ()
        assert answer(store, leased(after, lease)) == LeaseLost()
        assert [again.attempts for again in claimed(store, after=2 * LATER)] == [1]

    def test_a_commit_that_leaves_something_to_do_at_once_keeps_the_lease(self, store: Store) -> None:
        """The worker goes on with the order's next step; nobody else gets it meanwhile."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store)
        after = stored(store, leased(order, lease, waits=timedelta(0)))

        assert claimed(store) == ()
        assert answer(store, leased(after, lease)) == Committed(3)

    def test_who_was_overtaken_writes_nothing(self, store: Store) -> None:
        """A worker comes back after its lease is over and another has the order: its commit is refused whole."""
        (order,) = due(store, "order-1")
        (slow,) = claimed(store, seconds=self.lease_seconds)
        self.outlive_lease(store)
        (quick,) = claimed(store)

        assert answer(store, leased(order, slow)) == LeaseLost()
        assert len(store.read_records(ReadRecords("order-1"))) == 1
        assert answer(store, leased(order, quick)) == Committed(2)

    def test_a_lease_that_is_over_is_lost_though_nobody_took_the_order(self, store: Store) -> None:
        """A right ends with its time, whether or not somebody waited for it."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store, seconds=self.lease_seconds)
        self.outlive_lease(store)

        assert answer(store, leased(order, lease)) == LeaseLost()

    def test_the_lease_is_looked_at_first(self, store: Store) -> None:
        """A lost lease is the answer even where the key is taken and the version outdated."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store)
        keyed = evolve(leased(order, lease), key=a_claim())
        stored(store, keyed)

        assert answer(store, keyed) == LeaseLost()
        assert answer(store, evolve(keyed, lease=None)) == DuplicateKey("order-1", "f1")

    def test_a_lease_on_an_order_that_is_not_there_is_lost(self, store: Store) -> None:
        """Nobody can hold what does not exist."""
        order = a_commit("order-9").after

        assert answer(store, leased(order, Lease(order_id="order-9", token=1))) == LeaseLost()

    def test_a_host_may_write_to_a_leased_order(self, store: Store) -> None:
        """A customer's change needs no lease. The worker meets another version, loads, and goes on: its lease still holds."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store)
        changed = stored(store, next_commit(order))

        assert answer(store, leased(order, lease)) == VersionConflict(2)
        assert claimed(store) == ()
        assert answer(store, leased(changed, lease)) == Committed(3)

    # ---- giving up and parking

    def test_an_order_given_up_is_due_at_its_next_time(self, store: Store) -> None:
        """It is free, waits until then, and its attempts go on counting."""
        due(store, "order-1")
        (lease,) = claimed(store)
        store.give_up(GiveUp(lease, NOON + LATER, "port_failed: no answer"))

        assert claimed(store) == ()
        assert [again.attempts for again in claimed(store, after=LATER)] == [2]

    def test_giving_up_brings_no_order_forward(self, store: Store) -> None:
        """Somebody else changed the orders meanwhile: one waits until later, one for nothing any more. Both stay as that change left them."""
        later, never = due(store, "order-1", "order-2")
        first, second = claimed(store)
        stored(store, evolve(next_commit(later), due_at=NOON + LATER, due_for="move_money"))
        stored(store, evolve(next_commit(never), due_at=None, due_for=None))
        for lease in (first, second):
            store.give_up(GiveUp(lease, NOON, ""))

        assert claimed(store) == ()
        assert [lease.order_id for lease in claimed(store, after=LATER)] == ["order-1"]

    def test_only_who_holds_an_order_can_give_it_up(self, store: Store) -> None:
        """Neither a worker that was overtaken nor one whose commit ended the lease moves the order's time."""
        (order,) = due(store, "order-1")
        (slow,) = claimed(store, seconds=self.lease_seconds)
        self.outlive_lease(store)
        (quick,) = claimed(store)
        store.give_up(GiveUp(slow, NOON, "too late"))
        assert claimed(store) == ()

        stored(store, leased(order, quick))
        store.give_up(GiveUp(quick, NOON, "after the fact"))
        assert claimed(store) == ()
        assert summary(store, "order-1").due_for == "track_shipment"

    def test_an_order_given_up_is_never_due_before_its_agenda(self, store: Store) -> None:
        """Somebody changed the order while the worker held it: what it waits for now, or that it waits for nothing, stands."""
        later, done = due(store, "order-1", "order-2")
        leases = claimed(store)
        stored(store, evolve(next_commit(later), due_at=NOON + LATER, due_for="track_shipment"))
        stored(store, evolve(next_commit(done), due_at=None, due_for=None))
        for lease in leases:
            store.give_up(GiveUp(lease, NOON, "version_conflict: too late"))

        assert claimed(store) == ()
        assert [again.order_id for again in claimed(store, after=2 * LATER)] == ["order-1"]
        assert summary(store, "order-2").due_at is None

    def test_an_order_handed_back_untouched_is_as_it_was(self, store: Store) -> None:
        """A worker that stops gives back what it had not begun: it is due at once, and the attempt does not count."""
        due(store, "order-1")
        (lease,) = claimed(store)
        store.give_up(GiveUp(lease, None))
        (again,) = claimed(store)
        store.give_up(GiveUp(lease, None))

        assert again.attempts == 1
        assert again.token != lease.token
        assert claimed(store) == ()

    def test_an_order_changed_before_it_is_handed_back_has_no_attempt_to_lose(self, store: Store) -> None:
        """A customer's change began the attempts anew while the order lay in a worker's hand: the next claim is the first again."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store)
        stored(store, evolve(next_commit(order), due_at=NOON, due_for="move_money"))
        store.give_up(GiveUp(lease, None))

        assert [again.attempts for again in claimed(store)] == [1]

    def test_the_next_attempt_is_told_the_last_error(self, store: Store) -> None:
        """Whoever gives an order up says why, and the next to claim it knows."""
        due(store, "order-1")
        (lease,) = claimed(store)
        store.give_up(GiveUp(lease, NOON, "port_failed: no answer"))

        assert (lease.error, claimed(store)[0].error) == ("", "port_failed: no answer")

    def test_an_order_that_says_that_it_is_parked_stays_so(self, store: Store) -> None:
        """The finding in its log keeps it from workers, whatever else is committed, until it is attended to."""
        (order,) = due(store, "order-1")
        parked = evolve(order, findings=("parked",))
        first = next_commit(parked)
        stored(store, evolve(first, due_at=NOON, due_for="move_money"))
        assert summary(store, "order-1").parked
        assert claimed(store) == ()

        free = evolve(first.after, findings=())
        stored(store, evolve(next_commit(free), due_at=NOON, due_for="move_money"))
        assert not summary(store, "order-1").parked
        assert [again.attempts for again in claimed(store)] == [1]

    def test_what_fails_again_and_again_is_parked(self, store: Store) -> None:
        """After as many attempts as allowed the order is handed out no more, and the list of orders says so."""
        due(store, "order-1", "order-2")
        for _ in range(3):
            for lease in claimed(store, attempts_max=3):
                store.give_up(GiveUp(lease, NOON, "port_failed: no answer"))
            assert not summary(store, "order-1").parked

        assert claimed(store, attempts_max=3) == ()
        assert claimed(store, attempts_max=20) == ()
        assert summary(store, "order-1").parked

    def test_parked_orders_take_no_place_of_others(self, store: Store) -> None:
        """The claim that parks one order still hands out as many others as were asked for."""
        due(store, "order-1", "order-2")
        (lease,) = claimed(store, limit=1)
        store.give_up(GiveUp(lease, NOON - MINUTE, "port_failed: no answer"))

        assert [again.order_id for again in claimed(store, limit=1, attempts_max=1)] == ["order-2"]
        assert summary(store, "order-1").parked

    def test_a_commit_takes_an_order_out_of_the_park(self, store: Store) -> None:
        """Somebody looked at it and changed it: it is handed out again, and its attempts begin anew."""
        (order,) = due(store, "order-1")
        (lease,) = claimed(store, attempts_max=1)
        store.give_up(GiveUp(lease, NOON, "port_failed: no answer"))
        assert claimed(store, attempts_max=1) == ()
        stored(store, evolve(next_commit(order), due_at=NOON, due_for="move_money"))

        assert not summary(store, "order-1").parked
        assert [again.attempts for again in claimed(store, attempts_max=1)] == [1]
