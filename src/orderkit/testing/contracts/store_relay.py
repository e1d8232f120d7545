"""The contract of what comes in and goes out: an outbox that keeps the order of things, an inbox that knows repeats."""

from __future__ import annotations

from datetime import timedelta

from orderkit.domain.events import Record
from orderkit.domain.value import evolve
from orderkit.ports.store import KeepMessage, MarkPublished, Message, SettleMessage, Store, TakeMessages, TakeOutbox
from orderkit.testing.contracts.store_case import LATER, MINUTE, StoreCase, due, recorded, shelved, stored
from orderkit.testing.samples import NOON, a_commit, next_commit


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
        assert not store.keep_message(KeepMessage(evolve(self.message(seconds=5), kind="payment.refunded")))
        assert store.keep_message(KeepMessage(self.message(source="acme")))
        kept = store.take_messages(TakeMessages(NOON + MINUTE, 10))

        expected = [self.message(source="acme"), self.message()]
        assert sorted(kept, key=lambda message: message.source) == [evolve(m, attempts=1) for m in expected]

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
