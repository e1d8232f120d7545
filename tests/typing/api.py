"""The public API as a host writes it. Never run, only type-checked: by mypy --strict and by pyright."""

from __future__ import annotations

from typing import assert_type

import orderkit
from orderkit import Address, AsyncShop, Cart, Order, Preview, Shop, Tender
from orderkit.domain.actions import Action
from orderkit.flows.reading import Timeline, Why
from orderkit.ports.store import Page


def sync_host(address: Address) -> None:
    """A program without an event loop."""
    with orderkit.open("sqlite:///shop.db", payments="fakepsp:", carriers="fakecarrier:") as shop:
        assert_type(shop, Shop)
        cart = Cart(customer="anna", ship_to=address, currency="EUR").add("MUG", 3, "12.50")
        order = shop.place(cart, pay_with="pm_visa", key="checkout-7f3a")
        assert_type(order, Order)
        assert_type(shop.plan.cancel(order.id, {"MUG": 1}, reason="changed_mind"), Preview)
        assert_type(shop.cancel(order.id, {"MUG": 1}, reason="changed_mind"), Order)
        assert_type(shop.pay(order.id, [Tender(method="pm_visa")]), Order)
        assert_type(shop.timeline(order.id), Timeline)
        assert_type(shop.why(order.id), Why)
        assert_type(shop.actions(order.id), tuple[Action, ...])
        assert_type(shop.orders(orderkit.OrderQuery(customer="anna")), Page)
        shop.put_stock("MUG", {"berlin": 3})
        shop.cancel(order.id, reason=3)  # type: ignore[arg-type]  # a reason is text  # pyright: ignore[reportArgumentType]


async def async_host(address: Address) -> None:
    """The same on an event loop: two words more."""
    async with await orderkit.open_async("sqlite:///shop.db") as shop:
        assert_type(shop, AsyncShop)
        cart = Cart(customer="anna", ship_to=address).add("MUG", 3, "12.50")
        order = await shop.place(cart, pay_with="pm_visa")
        assert_type(order, Order)
        assert_type(await shop.plan.cancel(order.id, reason="changed_mind"), Preview)
        assert_type(await shop.timeline(order.id), Timeline)


async def checkout(cart: Cart) -> Order:
    """A host's own verb: it awaits orderkit's flows and runs under either shop."""
    accepted = await orderkit.flows.place(cart, "pm_visa", orderkit.Caller(key="checkout-7f3a"))
    assert_type(accepted.order, Order)
    return await orderkit.flows.hold(accepted.order.id, orderkit.Caller(), reason="fraud_review")


def runs_anywhere(shop: Shop, cart: Cart) -> None:
    """The shop runs it."""
    assert_type(shop.run(checkout(cart)), Order)
