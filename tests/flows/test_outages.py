"""The store or an adapter fails after a request was accepted: the order is durable, so nobody is told that nothing was applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

import orderkit
from orderkit import Misconfigured, Order, PortError, Shop
from orderkit.domain.payment import OperationKind
from orderkit.ports.payments import MoveMoney
from orderkit.ports.store import Commit, CommitAnswer
from orderkit_memory.store import MemoryStore
from tests.shops import World, a_cart, a_world


class Cut(MemoryStore):
    """A store that can be cut off: what is committed then is not applied."""

    cut = False

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Refuse everything while the store is cut off."""
        if self.cut:
            raise PortError("the store cannot be reached", code="store_unavailable")
        return super().commit_many(commits)


def a_world_that_is_cut(kind: OperationKind) -> tuple[World, Cut]:
    """Return a world whose store is cut off while the provider is asked for this kind of operation."""
    store = Cut()
    world = a_world(store=store)

    def say(asked: MoveMoney) -> str:
        store.cut = asked.kind is kind
        return "yes"

    world.bank.say = say
    return world, store


def healed(world: World, store: Cut) -> None:
    """The store is back, and a worker takes over what was left."""
    store.cut = False
    world.clock.advance(minutes=5)
    world.shop.sweep()


def test_an_order_that_was_accepted_is_the_answer() -> None:
    """The provider was paid and its answer could not be booked: the order stands as it was accepted, and a worker books the one charge."""
    world, store = a_world_that_is_cut(OperationKind.CHARGE)

    order = world.shop.place(a_cart(), "pm_visa")
    assert order.state == "placed"
    healed(world, store)

    assert world.shop.order(order.id).state == "confirmed"
    assert len(world.bank.calls) == 2
    assert world.bank.total(OperationKind.CHARGE) == order.total_minor


CHANGES: dict[str, Callable[[Shop, Order], Order]] = {
    "cancel": lambda shop, order: shop.cancel(order.id, reason="changed_mind"),
    "refund": lambda shop, order: shop.refund(order.id, "2.00", reason="goodwill"),
    "refuse": lambda shop, order: shop.refuse(order.id, order.shipments[0].id, reason="damaged"),
}


@pytest.mark.parametrize("verb", CHANGES)
def test_a_refund_that_was_accepted_is_no_failure(verb: str) -> None:
    """A repeat without a key would give the money back twice: the answer is the order with the refund under way."""
    world, store = a_world_that_is_cut(OperationKind.REFUND)
    placed = world.shop.place(a_cart(), "pm_visa")

    order = CHANGES[verb](world.shop, placed)
    assert order.version > placed.version
    healed(world, store)

    after = world.shop.order(order.id)
    assert not any(operation.open for _, operation in after.operations())
    assert after.refunded_minor == world.bank.total(OperationKind.REFUND)


def test_a_mistake_in_the_setup_is_told_with_the_order() -> None:
    """Nobody else may notice it: the error says that the request was applied, to which order, and not to send it again."""
    world = a_world()

    def say(_: MoveMoney) -> str:
        raise Misconfigured("the provider's password is wrong", code="misconfigured")

    world.bank.say = say

    with pytest.raises(Misconfigured) as told:
        world.shop.place(a_cart(), "pm_visa")

    assert told.value.outcome == "applied"
    assert not told.value.retryable
    assert world.shop.order(told.value.facts["order_id"]).state == "placed"
    assert "again" in told.value.remedy


def test_on_an_event_loop_too() -> None:
    """The verbs are the same."""
    world, store = a_world_that_is_cut(OperationKind.CHARGE)

    async def placed() -> Order:
        async with await orderkit.open_async(world.store, payments=world.bank, clock=world.clock) as shop:
            return await shop.place(a_cart(), "pm_visa")

    order = asyncio.run(placed())
    healed(world, store)

    assert (order.state, world.shop.order(order.id).state) == ("placed", "confirmed")
