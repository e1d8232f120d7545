"""Values of the wrong kind are refused where they come in: stored, they would make an order that nobody can read, and stop what comes after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import orderkit
from orderkit import (
    Cart,
    DeliveryPreference,
    Disposition,
    Grade,
    Graded,
    InvalidInput,
    Order,
    OrderQuery,
    Service,
    Shop,
    Tender,
)
from orderkit.domain.value import evolve
from orderkit.ports.store import LIMIT_MAX, Message
from tests.missing import opened, until_idle
from tests.shops import NOON, a_cart

Request = Callable[[Shop, Order], object]


def placing(**changes: Any) -> Request:
    return lambda shop, _: shop.place(evolve(a_cart(("MUG", 1, "10.00")), **changes), "pm_visa")


def a_line(**changes: Any) -> Request:
    cart: Cart = a_cart(("MUG", 1, "10.00"))
    return placing(lines=(evolve(cart.lines[0], **changes),))


def told(**changes: Any) -> Request:
    message = Message(source="van", id="1", kind="shipment.scan", reference="X1", received_at=NOON, data={})
    return lambda shop, _: shop.receive_message(evolve(message, **changes))


def delivered(shop: Shop, order: Order) -> str:
    """Let the goods arrive; returns the order's id."""
    shop.ship(order.id, order.shipments[0].id)
    return shop.deliver(order.id, order.shipments[0].id).id


def receiving(arrived: Any = None, **options: Any) -> Request:
    def receive(shop: Shop, order: Order) -> object:
        back = shop.request_return(delivered(shop, order), {1: 1}, reason="x").returns[0]
        return shop.receive_return(order.id, back.id, arrived, warehouse="berlin", **options)

    return receive


WRONG: list[tuple[str, Request]] = [
    ("customer", placing(customer=None)),
    ("customer", placing(customer=7)),
    ("contact", placing(contact=None)),
    ("reference", placing(reference=["x"])),
    ("ship_to", placing(ship_to={})),
    ("delivery", placing(delivery=None)),
    ("service", lambda shop, order: DeliveryPreference(service="warp")),  # type: ignore[arg-type]  # that is it
    ("service", lambda shop, order: DeliveryPreference(service=None)),  # type: ignore[arg-type]  # that is it
    ("lines[0].name", a_line(name=7)),
    ("lines[0].seller", a_line(seller=7)),
    ("customer", placing(customer=b"anna")),  # bytes would be stored as a text
    ("customer", placing(customer=UUID(int=7))),
    ("lines[0].quantity", a_line(quantity=1.0)),
    ("lines", placing(lines=list(a_cart().lines))),
    ("lines[0].tags", a_line(tags=frozenset({b"x"}))),
    ("lines[0].attributes[0][1]", a_line(attributes=(("color", None),))),
    ("tenders[0].method", lambda shop, _: shop.place(a_cart(("MUG", 1, "10.00")), [Tender(method=7)])),  # type: ignore[arg-type]  # that is it
    ("reason", lambda shop, order: shop.cancel(order.id, reason=7)),  # type: ignore[arg-type]  # that is it
    ("reason", lambda shop, order: shop.cancel(order.id, reason=None)),  # type: ignore[arg-type]  # that is it
    ("reason", lambda shop, order: shop.refund(order.id, "1.00", reason=["x"])),  # type: ignore[arg-type]  # that is it
    ("note", lambda shop, order: shop.hold(order.id, reason="manual", note=7)),  # type: ignore[arg-type]  # that is it
    ("carrier", lambda shop, order: shop.ship(order.id, order.shipments[0].id, carrier=7)),  # type: ignore[arg-type]  # that is it
    ("method", lambda shop, order: shop.request_return(order.id, {1: 1}, reason="x", method=7)),  # type: ignore[arg-type]  # that is it
    ("reasons", lambda shop, order: shop.request_return(order.id, {1: 1}, reason="x", reasons={1: 7})),  # type: ignore[dict-item]  # that is it
    ("reason", lambda shop, _: shop.put_stock("MUG", {"berlin": 1}, reason=7)),  # type: ignore[arg-type]  # that is it
    ("actor", lambda shop, order: shop.cancel(order.id, reason="x", actor=7)),  # type: ignore[arg-type]  # that is it
    (
        "contact",
        lambda shop, order: shop.amend(order.id, add=evolve(a_cart(("MUG", 1, "1.00")), contact=7), pay_with="pm_visa"),
    ),
    ("pay_with", lambda shop, order: shop.amend(order.id, delivery=DeliveryPreference(), pay_with="pm_visa")),
    (
        "reasons",
        lambda shop, order: shop.request_return(delivered(shop, order), {1: 1}, reason="x", reasons={"HAT": "y"}),
    ),
    ("deduction_minor", receiving(deduction_minor=1.5)),
    ("deduction_minor", receiving(deduction_minor=-1)),
    ("graded", receiving([Graded(line=1, quantity=0, grade=Grade.DAMAGED, disposition=Disposition.RESTOCK)])),
    ("arrived[0].grade", receiving([Graded(line=1, quantity=1, grade="shiny", disposition=Disposition.RESTOCK)])),  # type: ignore[arg-type]  # that is it
    (
        "arrived[0].quantity",
        receiving([Graded(line=1, quantity=1.0, grade=Grade.DAMAGED, disposition=Disposition.RESTOCK)]),
    ),  # type: ignore[arg-type]  # that is it
    ("data.at", told(data={"at": NOON})),
    ("id", told(id="")),
    ("id", told(id=None)),
    ("reference", told(reference=None)),
]


@pytest.mark.parametrize(("field", "request_of"), WRONG, ids=[f"{n}-{field}" for n, (field, _) in enumerate(WRONG)])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_it_is_refused_and_everything_can_be_read(kind: str, field: str, request_of: Request, tmp_path: Path) -> None:
    """The error names the field; nothing was stored, and the shop goes on."""
    world = opened({"MUG": {"berlin": 5}}, store=None if kind == "memory" else f"sqlite:///{tmp_path}/shop.db")
    order = world.shop.place(a_cart(("MUG", 2, "10.00")), "pm_visa")
    before = world.shop.stock()
    with pytest.raises(InvalidInput) as raised:
        request_of(world.shop, order)
    until_idle(world)
    after = world.shop.order(order.id)

    assert (raised.value.field, raised.value.outcome) == (field, "not_applied")
    assert raised.value.remedy
    assert after.refunds == ()
    assert world.shop.replay(order.id) == after
    if not after.shipments[0].scans:  # it did not have to arrive first
        assert (after, world.shop.stock()) == (order, before)


async def not_called() -> None:
    """A flow of a test."""


ASKED: list[tuple[str, Callable[[Shop], object]]] = [
    ("limit", lambda shop: shop.orders(OrderQuery(limit=0))),
    ("limit", lambda shop: shop.orders(OrderQuery(limit=LIMIT_MAX + 1))),
    ("limit", lambda shop: shop.orders(OrderQuery(limit="5"))),  # type: ignore[arg-type]  # that is it
    ("customer", lambda shop: shop.orders(OrderQuery(customer=7))),  # type: ignore[arg-type]  # that is it
    ("statuses", lambda shop: shop.orders(OrderQuery(statuses="placed"))),  # type: ignore[arg-type]  # that is it
    ("roles", lambda shop: shop.sweep(roles=("bakers",))),
    ("roles", lambda shop: shop.sweep(roles="sagas")),
    ("limit", lambda shop: shop.sweep(limit=0)),
    ("flow", lambda shop: shop.run(not_called)),  # type: ignore[arg-type]  # that is it
    ("flow", lambda shop: shop.run(None)),  # type: ignore[arg-type]  # that is it
    ("flows", lambda shop: shop.run_many(7)),  # type: ignore[arg-type]  # that is it
    ("flows", lambda shop: shop.run_each(7)),  # type: ignore[arg-type]  # that is it
    ("in_flight", lambda shop: shop.run_many([], in_flight="7")),  # type: ignore[arg-type]  # that is it
    ("lanes", lambda shop: shop.run_each([], lanes=-1)),
]


@pytest.mark.parametrize(("field", "ask"), ASKED, ids=[f"{n}-{field}" for n, (field, _) in enumerate(ASKED)])
def test_a_question_of_the_wrong_kind_is_refused(field: str, ask: Callable[[Shop], object]) -> None:
    """It is not answered as if there were nothing, or with an error of Python's own."""
    with pytest.raises(InvalidInput) as raised:
        ask(opened({}).shop)

    assert raised.value.field == field


async def test_what_is_no_flow_is_said_so_in_its_place() -> None:
    """Among many, and on an event loop."""
    shop = opened({}).shop
    refused, answered = shop.run_many([not_called, not_called()])  # type: ignore[list-item]  # that is it

    assert isinstance(refused, InvalidInput)
    assert "call it, as in not_called(…)" in refused.message
    assert answered is None
    async with await orderkit.open_async() as other:
        with pytest.raises(InvalidInput, match="a flow is expected"):
            await other.run(7)  # type: ignore[arg-type]  # that is it


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_text_is_the_choice_that_it_spells(kind: str, tmp_path: Path) -> None:
    """A grade from a form is the grade: what comes back whole goes on the shelf, in whatever store."""
    world = opened({"MUG": {"berlin": 5}}, store=None if kind == "memory" else f"sqlite:///{tmp_path}/shop.db")
    order = world.shop.place(a_cart(("MUG", 2, "10.00")), "pm_visa")
    graded = Graded(line=1, quantity=1, grade="like_new", disposition="restock")  # type: ignore[arg-type]  # that is it
    after = receiving([graded])(world.shop, order)

    assert isinstance(after, Order)
    assert DeliveryPreference(service="express").service is Service.EXPRESS  # type: ignore[arg-type]  # that is it
    assert after.returns[0].receipts[0].graded[0].disposition is Disposition.RESTOCK
    assert [level.on_hand for level in world.shop.stock("MUG")] == [4]
    assert world.shop.replay(order.id) == after
