"""Values of the wrong kind are refused where they come in: stored, they would make an order that nobody can read, and stop what comes after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

import orderkit
from orderkit import (
    Address,
    CarrierStatus,
    Cart,
    DeliveryPreference,
    Disposition,
    Grade,
    Graded,
    InvalidInput,
    NotAllowed,
    Order,
    OrderQuery,
    Policies,
    RefundPolicy,
    Scan,
    Service,
    Shop,
    Tender,
    Warehouse,
)
from orderkit.domain.given import REQUEST_MAX
from orderkit.domain.pricing import Prices
from orderkit.domain.value import as_dict, evolve
from orderkit.ports.store import LIMIT_MAX, Message
from tests.missing import opened, until_idle
from tests.shops import HOME, NOON, a_cart

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


CIRCLE: dict[str, Any] = {}
CIRCLE["self"] = CIRCLE
BERLIN = ZoneInfo("Europe/Berlin")
TWICE_OR_NEVER = [datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN)]


class Card(StrEnum):
    """The methods of some host."""

    VISA = "pm_visa"


class Home(Address):
    """An address of some host."""


class Word(str):
    """Texts of some host."""

    __slots__ = ()


class Dear(Cart):
    """A cart of some host, which knows better what things cost."""

    def prices(self, *, first: int = 1) -> Prices:
        """Return twice what the lines say."""
        double = tuple(evolve(line, unit_price_minor=2 * line.unit_price_minor) for line in self.lines)
        return evolve(Cart(**as_dict(self)), lines=double).prices(first=first)


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
    ("customer", placing(customer="")),
    ("pay_with", lambda shop, _: shop.place(a_cart(("MUG", 1, "10.00")), "")),
    ("pay_with", lambda shop, _: shop.place(a_cart(("MUG", 1, "10.00")), [Tender(method="")])),
    ("grade", receiving(grade="shiny")),
    ("attributes", lambda shop, _: a_cart().add("MUG", 1, "1.00", attributes={5: "a", "b": "c"})),  # type: ignore[dict-item]  # that is it
    ("tags", lambda shop, _: a_cart().add("MUG", 1, "1.00", tags=[["x"]])),  # type: ignore[list-item]  # that is it
    ("tags", lambda shop, _: a_cart().add("MUG", 1, "1.00", tags=b"ab")),  # type: ignore[arg-type]  # that is it
    ("lines", lambda shop, _: a_cart().discounted("x", "1.00", lines=[[1]])),  # type: ignore[list-item]  # that is it
    ("lines", lambda shop, _: a_cart().discounted("x", "1.00", lines=1)),  # type: ignore[arg-type]  # that is it
    ("warehouse.position", lambda shop, _: Warehouse("x", position=("a", "b"))),  # type: ignore[arg-type]  # that is it
    ("grades", lambda shop, _: RefundPolicy(grades={1: 2, "a": 3})),  # type: ignore[dict-item]  # that is it
    ("shipping", lambda shop, _: RefundPolicy(shipping="never")),  # type: ignore[arg-type]  # that is it
    ("tender_order", lambda shop, _: RefundPolicy(tender_order="oldest")),  # type: ignore[arg-type]  # that is it
    ("policies.capture", lambda shop, _: Policies(capture="later")),  # type: ignore[arg-type]  # that is it
    ("zip", lambda shop, _: evolve(HOME, zip=10115)),
    ("not_before", lambda shop, _: DeliveryPreference(not_before="tomorrow")),  # type: ignore[arg-type]  # that is it
    ("not_before", lambda shop, _: DeliveryPreference(not_before=NOON)),
    ("cart", placing(delivery=DeliveryPreference(note="x" * REQUEST_MAX))),
    ("customer", placing(customer=b"anna")),  # bytes would be stored as a text
    ("customer", placing(customer=UUID(int=7))),
    ("lines[0].quantity", a_line(quantity=1.0)),
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
    ("data", told(data=7)),
    ("data", told(data=CIRCLE)),
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
    ("statuses", lambda shop: shop.orders(OrderQuery(statuses=("no_such",)))),
    ("payment_statuses", lambda shop: shop.orders(OrderQuery(payment_statuses=("no_such",)))),
    ("limit", lambda shop: shop.orders(OrderQuery(limit=0))),
    ("skus", lambda shop: shop.stock("MUG", 7)),  # type: ignore[arg-type]  # that is it
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
    back = world.shop.request_return(order.id, {1: 1}, reason="x").returns[1]
    last = world.shop.receive_return(order.id, back.id, warehouse="berlin", grade="damaged").returns[1].receipts[0]
    assert last.graded[0].grade is Grade.DAMAGED


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_what_means_the_same_is_let_in(kind: str, tmp_path: Path) -> None:
    """Lists for tuples, sets, choices of the host's own, its own class of addresses: kept as ours, so that both stores tell the same."""
    world = opened({"MUG": {"berlin": 5}}, store=None if kind == "memory" else f"sqlite:///{tmp_path}/shop.db")
    cart = a_cart(("MUG", 2, "10.00"))
    line = evolve(cart.lines[0], tags={"gift"}, attributes=[("color", "red")])
    cart = evolve(cart, lines=[line], ship_to=Home(**as_dict(HOME)))
    order = world.shop.place(cart, Card.VISA, key="checkout-1")
    graded = deque([Graded(line=1, quantity=1, grade="opened", disposition="restock")])  # type: ignore[arg-type]  # that is it
    after = receiving(graded)(world.shop, order)

    assert isinstance(after, Order)
    assert world.shop.place(cart, Card.VISA, key="checkout-1").id == order.id
    assert after.facts.lines[0].tags == frozenset({"gift"})
    assert after.returns[0].receipts[0].graded[0].grade is Grade.OPENED
    assert [level.on_hand for level in world.shop.stock("MUG")] == [4]
    assert world.shop.replay(order.id) == after == world.shop.order(order.id)
    assert world.shop.orders(OrderQuery(statuses=["returned", "partially_returned"])).items  # type: ignore[arg-type]  # that is it


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_cart_of_the_hosts_own_says_what_it_costs(kind: str, tmp_path: Path) -> None:
    """Also where something in it is not of our kinds."""
    world = opened({"MUG": {"berlin": 5}}, store=None if kind == "memory" else f"sqlite:///{tmp_path}/shop.db")
    plain = a_cart(("MUG", 2, "10.00"))
    for lines in (plain.lines, list(plain.lines)):
        cart = Dear(**{**as_dict(plain), "lines": lines, "customer": Word("anna"), "contact": Word("a@example.org")})
        order = world.shop.place(cart, "pm_visa")
        assert (order.total_minor, order.captured_minor) == (4000, 0)
        assert world.shop.order(order.id).facts.customer == "anna"
        assert world.shop.cancel(order.id, reason=Card.VISA).state == "cancelled"


def test_what_costs_nothing_needs_nothing_to_pay_with() -> None:
    """An empty method is one that nobody is asked for."""
    assert opened({"MUG": {"berlin": 1}}).shop.place(a_cart(("MUG", 1, "0")), "").state == "confirmed"


@pytest.mark.parametrize("at", TWICE_OR_NEVER, ids=str)
def test_a_time_that_a_zone_has_twice_or_never_is_a_time(at: datetime) -> None:
    """In Python such a time is equal to none of another zone."""
    shop = opened({"MUG": {"berlin": 5}}).shop
    order = shop.place(a_cart(("MUG", 2, "10.00")), "pm_visa")
    sent = shop.ship(order.id, order.shipments[0].id).shipments[0]
    scan = Scan(id="1", status=CarrierStatus.DELIVERED, at=at)
    shop.track(order.id, sent.id, [scan, evolve(scan, id="2")])

    assert shop.order(order.id).shipments[0].state == "delivered"
    assert told(received_at=at)(shop, order)
    assert shop.orders(OrderQuery(placed_from=at)).cursor is None


def test_what_a_sender_put_into_its_data_is_kept() -> None:
    """A webhook has happened: its data are read again as JSON tells them, in memory as in a database."""
    world = opened({})
    data: Any = {"a": (1, float("nan")), "at": NOON, 7: Decimal("1.50")}
    message = Message(source="van", id="1", kind="shipment.scan", reference="X1", received_at=NOON, data=data)

    assert world.shop.receive_message(message)
    (kept,) = world.store._inbox.values()
    assert kept.message.data == {"a": [1, None], "at": "2026-03-03T12:00:00Z", "7": "1.50"}


@pytest.mark.parametrize("end", ["received", "cancelled"])
def test_a_return_of_which_nothing_is_expected_says_so(end: str) -> None:
    """Whoever scans the wrong slip learns what became of that return."""
    shop = opened({"MUG": {"berlin": 5}}).shop
    order = shop.place(a_cart(("MUG", 2, "10.00")), "pm_visa")
    back = shop.request_return(delivered(shop, order), {1: 1}, reason="x").returns[0]
    if end == "received":
        shop.receive_return(order.id, back.id, warehouse="berlin")
    else:
        shop.cancel_return(order.id, back.id, reason="keeps it")
    with pytest.raises(NotAllowed) as refused:
        shop.receive_return(order.id, back.id, {1: 1}, warehouse="berlin")

    assert (refused.value.code, refused.value.field) == ("illegal_transition", "return")
    assert refused.value.message.startswith(f"return {back.id} is {end}")
