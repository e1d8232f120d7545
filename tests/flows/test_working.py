"""What workers do with an order that fails again and again, with a bad record, and with a bad message: the others go on, and a person is told."""

from __future__ import annotations

from datetime import timedelta

from orderkit.domain.order import Order
from orderkit.domain.status import word
from orderkit.flows.kit import WORKER, Caller
from orderkit.flows.placing import accept
from orderkit.flows.webhooks import TRIES_MAX, sweep_messages
from orderkit.flows.working import ATTEMPTS_MAX, Worked, claim, relay, sweep, work_on
from orderkit.ports.store import KeepMessage, Message, TakeMessages
from tests.shops import NOON, World, a_cart, a_world


def accepted(world: World) -> Order:
    """Make an order durable, and leave its payment to workers."""
    return world.shop.run(accept(a_cart(), "pm_visa", Caller(goes_on=False))).order


def failing_until_parked(world: World, order: Order) -> None:
    """Let workers that die with the order in hand claim it as often as it is tried."""
    for _ in range(ATTEMPTS_MAX):
        leases = world.shop.run(claim(("sagas",), 10, lease_seconds=0.0))
        assert [lease.order_id for lease in leases] == [order.id]


def test_an_order_that_kills_its_workers_is_parked_with_a_finding() -> None:
    """Its last claim does not try it again: the log says that it is parked, and its agenda is empty."""
    world = a_world()
    order = accepted(world)
    failing_until_parked(world, order)

    swept = world.shop.sweep()
    found = world.shop.order(order.id)
    assert (swept.claimed, swept.parked) == (1, 1)
    assert found.findings == ("parked",)
    assert world.bank.calls == []
    assert world.shop.why(order.id).progress == "stuck"
    assert "parked" in world.shop.why(order.id).text
    assert f"attempts {ATTEMPTS_MAX}" in str(world.shop.timeline(order.id))
    assert world.shop.replay(order.id) == found
    world.clock.advance(days=30)
    assert world.shop.sweep(roles=("sagas", "resolver", "timers")).claimed == 0


def test_a_parked_order_goes_on_when_it_was_attended_to() -> None:
    """Somebody looked at it: workers take it again, as if nothing had been."""
    world = a_world()
    order = accepted(world)
    failing_until_parked(world, order)
    world.shop.sweep()

    world.shop.attend(order.id, "parked")
    world.clock.advance(minutes=1)
    world.shop.sweep()

    assert word(world.shop.order(order.id)) == "payment_confirmed"
    assert world.shop.order(order.id).findings == ()


def test_a_bug_in_one_order_is_kept_with_it_and_the_others_go_on() -> None:
    """The sweep ends, the other order is paid, and the next attempt knows the kind of the error and nothing of its words."""
    world = a_world()
    bad, good = accepted(world), accepted(world)
    real = world.store.load_many

    def load_many(ids: list[str]) -> list[Order | None]:
        if bad.id in ids:
            raise LookupError("Anna Schmidt, Invalidenstr. 1")
        return real(ids)

    world.store.load_many = load_many  # type: ignore[method-assign,assignment]
    swept = world.shop.sweep(roles=("sagas",))
    world.store.load_many = real  # type: ignore[method-assign]

    assert (swept.claimed, swept.failed) == (2, 1)
    assert word(world.shop.order(good.id)) == "payment_confirmed"
    world.clock.advance(minutes=1)
    (lease,) = world.shop.run(claim(("sagas",), 10))
    assert (lease.order_id, lease.attempts, lease.error) == (bad.id, 2, "LookupError")


def test_a_worker_that_was_overtaken_says_so_and_changes_nothing() -> None:
    """Its lease ended and another took the order: what it wants to write is refused, and the order is paid once."""
    world = a_world()
    order = accepted(world)
    (slow,) = world.shop.run(claim(("sagas",), 1, lease_seconds=0.0))
    (quick,) = world.shop.run(claim(("sagas",), 1))

    assert world.shop.run(work_on(slow)) is Worked.LOST
    assert world.shop.order(order.id) == order
    assert world.shop.run(work_on(quick)) is Worked.DONE
    assert len(world.bank.moved) == 1


def test_a_record_whose_consequences_fail_holds_up_no_other() -> None:
    """It comes again when its lease is over, with what follows in its order; the others are done."""
    world = a_world()
    bad, good = accepted(world), accepted(world)
    real = world.store.load_many
    world.store.load_many = lambda ids: [] if bad.id in ids else real(ids)  # type: ignore[method-assign]
    relayed = world.shop.run(relay(lease_seconds=0.0))
    world.store.load_many = real  # type: ignore[method-assign]

    assert (relayed.taken, relayed.published) == (2, 1)
    assert relayed.error
    again = world.shop.run(relay())
    assert (again.taken, again.last) == (1, bad.id)
    assert world.shop.run(relay()).taken == 0
    assert good.id != bad.id


def a_message() -> Message:
    """Return a message about an order that is not there."""
    return Message(
        source="psp", id="evt_1", kind="payment.captured", reference="nobody-P1.1/1", data={}, received_at=NOON
    )


def test_a_message_that_kills_its_workers_is_given_up() -> None:
    """Each attempt is counted when it is taken; after too many it is tried no more."""
    world = a_world()
    world.store.keep_message(KeepMessage(a_message()))
    for n in range(TRIES_MAX):
        assert len(world.store.take_messages(TakeMessages(NOON + timedelta(minutes=n), 10))) == 1
    world.clock.advance(hours=1)

    assert world.shop.run(sweep_messages(WORKER)) == 1
    assert world.store.take_messages(TakeMessages(NOON + timedelta(days=30), 10)) == ()


def test_a_message_that_matches_nothing_waits_longer_each_time_and_is_given_up() -> None:
    """It is tried as often as allowed, and then left for a person."""
    world = a_world()
    world.store.keep_message(KeepMessage(a_message()))
    tried = 0
    for _ in range(40):
        tried += world.shop.run(sweep(roles=("inbox",))).messages
        world.clock.advance(hours=12)

    assert tried == TRIES_MAX
