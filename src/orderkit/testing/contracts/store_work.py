"""The contract of what workers need: leases that fence, an outbox that keeps the order of things, an inbox that knows repeats."""

from __future__ import annotations

from datetime import timedelta

import attrs

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    Committed,
    DuplicateKey,
    GiveUp,
    KeepMessage,
    Lease,
    LeaseLost,
    MarkPublished,
    Message,
    ReadRecords,
    SettleMessage,
    Store,
    TakeMessages,
    TakeOutbox,
    VersionConflict,
)
from orderkit.testing.contracts.store_case import StoreCase, a_claim, answer, recorded, shelved, stored, summary
from orderkit.testing.samples import NOON, a_commit, next_commit

MINUTE = timedelta(minutes=1)
LATER = timedelta(days=1)


def due(store: Store, *names: str) -> list[Order]:
    """Store orders that are due at once, a second apart, and return them."""
    shelved(store, {("MUG", "berlin"): len(names)})
    commits = [a_commit(name, {"MUG": 1}, at=NOON + timedelta(seconds=n)) for n, name in enumerate(names)]
    stored(store, *commits)
    return [commit.after for commit in commits]


def claimed(
    store: Store, *, seconds: float = 30.0, limit: int = 10, attempts_max: int = 20, after: timedelta = MINUTE
) -> tuple[Lease, ...]:
    """Claim what is due a minute after noon."""
    return store.claim_due(ClaimDue(NOON + after, limit, lease_seconds=seconds, attempts_max=attempts_max))


def leased(before: Order, lease: Lease, *, waits: timedelta = LATER) -> Commit:
    """Return a worker's step on a leased order; what it waits for then is due that much later."""
    commit = next_commit(before, lease=lease)
    return attrs.evolve(commit, due_at=commit.record.stamp.at + waits, due_for="track_shipment")


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
        stored(store, attrs.evolve(next_commit(order), due_at=NOON + LATER, due_for="track_shipment"))
        shelved(store, {("TEE", "berlin"): 1})
        stored(store, attrs.evolve(a_commit("order-2", {"TEE": 1}), due_at=None, due_for=None))

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
        stored(store, attrs.evolve(next_commit(order), due_at=NOON, due_for="track_shipment"))
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
        keyed = attrs.evolve(leased(order, lease), key=a_claim())
        stored(store, keyed)

        assert answer(store, keyed) == LeaseLost()
        assert answer(store, attrs.evolve(keyed, lease=None)) == DuplicateKey("order-1", "f1")

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
        stored(store, attrs.evolve(next_commit(later), due_at=NOON + LATER, due_for="move_money"))
        stored(store, attrs.evolve(next_commit(never), due_at=None, due_for=None))
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
        stored(store, attrs.evolve(next_commit(later), due_at=NOON + LATER, due_for="track_shipment"))
        stored(store, attrs.evolve(next_commit(done), due_at=None, due_for=None))
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

    def test_the_next_attempt_is_told_the_last_error(self, store: Store) -> None:
        """Whoever gives an order up says why, and the next to claim it knows."""
        due(store, "order-1")
        (lease,) = claimed(store)
        store.give_up(GiveUp(lease, NOON, "port_failed: no answer"))

        assert (lease.error, claimed(store)[0].error) == ("", "port_failed: no answer")

    def test_an_order_that_says_that_it_is_parked_stays_so(self, store: Store) -> None:
        """The finding in its log keeps it from workers, whatever else is committed, until it is attended to."""
        (order,) = due(store, "order-1")
        parked = attrs.evolve(order, findings=("parked",))
        first = next_commit(parked)
        stored(store, attrs.evolve(first, due_at=NOON, due_for="move_money"))
        assert summary(store, "order-1").parked
        assert claimed(store) == ()

        free = attrs.evolve(first.after, findings=())
        stored(store, attrs.evolve(next_commit(free), due_at=NOON, due_for="move_money"))
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
        stored(store, attrs.evolve(next_commit(order), due_at=NOON, due_for="move_money"))

        assert not summary(store, "order-1").parked
        assert [again.attempts for again in claimed(store, attempts_max=1)] == [1]


class OutboxCases(StoreCase):
    """Every record is handed to a relay at least once, and those of one order in the order of their versions."""

    def test_records_are_handed_out_as_they_were_committed(self, store: Store) -> None:
        """All of them, whole, those of one order oldest first; a second relay finds nothing."""
        one, _ = due(store, "order-1", "order-2")
        last = recorded(store, next_commit(one))
        taken = store.take_outbox(TakeOutbox(10))

        assert sorted(record.id for record in taken) == ["order-1/1", "order-1/2", "order-2/1"]
        assert [record for record in taken if record.order_id == "order-1"][1] == last
        assert store.take_outbox(TakeOutbox(10)) == ()

    def test_what_is_published_is_not_handed_out_again(self, store: Store) -> None:
        """Neither at once nor when the lease is over; a mark twice, or on nothing, is no error."""
        due(store, "order-1")
        store.take_outbox(TakeOutbox(10, lease_seconds=self.lease_seconds))
        store.mark_published(MarkPublished((("order-1", 1),)))
        store.mark_published(MarkPublished((("order-1", 1), ("order-9", 1))))
        store.mark_published(MarkPublished(()))
        self.outlive_lease(store)

        assert store.take_outbox(TakeOutbox(10)) == ()

    def test_what_a_relay_took_and_never_published_comes_again(self, store: Store) -> None:
        """A relay that died loses nothing: when its lease is over the next one gets what was left, in order."""
        (order,) = due(store, "order-1")
        second = stored(store, next_commit(order))
        stored(store, next_commit(second))
        assert len(store.take_outbox(TakeOutbox(10, lease_seconds=self.lease_seconds))) == 3
        store.mark_published(MarkPublished((("order-1", 1),)))
        assert store.take_outbox(TakeOutbox(10)) == ()
        self.outlive_lease(store)

        assert [record.version for record in store.take_outbox(TakeOutbox(10))] == [2, 3]

    def test_a_late_mark_is_true_all_the_same(self, store: Store) -> None:
        """A relay that was overtaken has published what it says, so its mark counts; what it does not name stays in the outbox."""
        (order,) = due(store, "order-1")
        stored(store, next_commit(order))
        store.take_outbox(TakeOutbox(1, lease_seconds=self.lease_seconds))
        self.outlive_lease(store)
        assert [record.version for record in store.take_outbox(TakeOutbox(1, lease_seconds=self.lease_seconds))] == [1]
        store.mark_published(MarkPublished((("order-1", 1),)))

        assert [record.version for record in store.take_outbox(TakeOutbox(10))] == [2]

    def test_a_take_goes_on_where_the_last_one_ended_and_comes_round(self, store: Store) -> None:
        """Wherever it begins, everything is handed out once, each order's records in order."""
        for order in due(store, "order-1", "order-2", "order-3"):
            stored(store, next_commit(order))
        taken: tuple[Record, ...] = ()
        while found := store.take_outbox(TakeOutbox(4, after=taken[-1].order_id if taken else "order-1")):
            store.mark_published(MarkPublished(tuple((record.order_id, record.version) for record in found)))
            taken += found

        assert sorted(record.id for record in taken) == [f"order-{n}/{v}" for n in (1, 2, 3) for v in (1, 2)]
        for n in (1, 2, 3):
            assert [record.version for record in taken if record.order_id == f"order-{n}"] == [1, 2]

    def test_a_record_waits_for_the_earlier_ones_of_its_order(self, store: Store) -> None:
        """While one relay has version 1, version 2 is for nobody; another order's records go on."""
        (order,) = due(store, "order-1")
        (first,) = store.take_outbox(TakeOutbox(1))
        second = recorded(store, next_commit(order))
        assert store.take_outbox(TakeOutbox(10)) == ()

        shelved(store, {("TEE", "berlin"): 1})
        other = recorded(store, a_commit("order-2", {"TEE": 1}))
        assert store.take_outbox(TakeOutbox(10)) == (other,)
        store.mark_published(MarkPublished(((first.order_id, first.version),)))
        assert store.take_outbox(TakeOutbox(10)) == (second,)

    def test_no_more_are_handed_out_than_asked(self, store: Store) -> None:
        """What is left over is for the next call, except what waits for an earlier record."""
        (order,) = due(store, "order-1")
        stored(store, next_commit(order))

        assert [record.version for record in store.take_outbox(TakeOutbox(1, lease_seconds=self.lease_seconds))] == [1]
        assert store.take_outbox(TakeOutbox(1)) == ()
        self.outlive_lease(store)
        assert [record.version for record in store.take_outbox(TakeOutbox(2))] == [1, 2]


class InboxCases(StoreCase):
    """A message from outside is kept once, and tried until it is applied."""

    def message(self, name: str = "evt_1", *, source: str = "fakepsp", seconds: int = 0) -> Message:
        """Return a webhook about a payment."""
        return Message(
            source=source,
            id=name,
            kind="payment.captured",
            reference="order-1-P1.1/1",
            data={"amount_minor": 5_750, "wer": "Zoë", "teile": [1, {"ok": True, "nichts": None}]},
            received_at=NOON + timedelta(seconds=seconds),
        )

    def taken(self, store: Store, after: timedelta = MINUTE, limit: int = 10) -> list[str]:
        """Take what is due a minute after noon, and return the ids."""
        return [message.id for message in store.take_messages(TakeMessages(NOON + after, limit))]

    def test_a_message_is_kept_once(self, store: Store) -> None:
        """A repeat is recognized by its sender and id, and changes nothing; another sender may use the same id."""
        assert store.keep_message(KeepMessage(self.message()))
        assert not store.keep_message(KeepMessage(attrs.evolve(self.message(seconds=5), kind="payment.refunded")))
        assert store.keep_message(KeepMessage(self.message(source="acme")))
        kept = store.take_messages(TakeMessages(NOON + MINUTE, 10))

        expected = [self.message(source="acme"), self.message()]
        assert sorted(kept, key=lambda message: message.source) == [attrs.evolve(m, attempts=1) for m in expected]

    def test_the_oldest_are_tried_first(self, store: Store) -> None:
        """No more than asked, and none before it came."""
        for name, seconds in (("evt_c", 3), ("evt_b", 1), ("evt_a", 3)):
            store.keep_message(KeepMessage(self.message(name, seconds=seconds)))

        assert self.taken(store, after=timedelta(seconds=1)) == ["evt_b"]
        assert self.taken(store, after=timedelta(seconds=3), limit=1) == ["evt_a"]
        assert self.taken(store, after=timedelta(seconds=3), limit=2) == ["evt_c"]

    def test_a_taken_message_is_for_nobody_else(self, store: Store) -> None:
        """Until its time is over: then it comes again, and the attempt is counted."""
        store.keep_message(KeepMessage(self.message()))
        (first,) = store.take_messages(TakeMessages(NOON + MINUTE, 10, lease_seconds=30))
        assert self.taken(store, after=MINUTE + timedelta(seconds=29)) == []

        (second,) = store.take_messages(TakeMessages(NOON + 2 * MINUTE, 10))
        assert (first.attempts, second.attempts) == (1, 2)

    def test_only_who_has_a_message_can_settle_it(self, store: Store) -> None:
        """Who was overtaken neither brings back what is done nor ends what another is at work on."""
        store.keep_message(KeepMessage(self.message()))
        (slow,) = store.take_messages(TakeMessages(NOON + MINUTE, 10))
        (quick,) = store.take_messages(TakeMessages(NOON + 2 * MINUTE, 10))
        store.settle_message(SettleMessage("fakepsp", "evt_1", None, "", slow.attempts))
        store.settle_message(SettleMessage("fakepsp", "evt_1", None, ""))
        assert self.taken(store, after=LATER) == ["evt_1"]

        store.settle_message(SettleMessage("fakepsp", "evt_1", None, "", quick.attempts + 1))
        store.settle_message(SettleMessage("fakepsp", "evt_1", NOON, "the provider does not know yet", slow.attempts))
        assert self.taken(store, after=2 * LATER) == []

    def test_an_applied_message_is_done_for_good(self, store: Store) -> None:
        """It is not tried again, and its repeat is still recognized."""
        store.keep_message(KeepMessage(self.message()))
        store.settle_message(SettleMessage("fakepsp", "evt_1"))

        assert self.taken(store, after=LATER) == []
        assert not store.keep_message(KeepMessage(self.message()))

    def test_a_message_that_matches_nothing_yet_waits(self, store: Store) -> None:
        """It is tried again at its time and not before; its attempts are counted."""
        store.keep_message(KeepMessage(self.message()))
        assert self.taken(store) == ["evt_1"]
        store.settle_message(SettleMessage("fakepsp", "evt_1", NOON + LATER, "no such order", 1))

        assert self.taken(store, after=2 * MINUTE) == []
        assert [message.attempts for message in store.take_messages(TakeMessages(NOON + LATER, 10))] == [2]

    def test_settling_what_was_never_kept_is_no_error(self, store: Store) -> None:
        """It makes no message either."""
        store.settle_message(SettleMessage("fakepsp", "evt_9", NOON, ""))

        assert self.taken(store) == []
