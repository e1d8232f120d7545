"""What the rules say no to, each with its code: at the wrong time, of the wrong thing, too much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from orderkit import (
    CaptureMode,
    Cart,
    DeliveryPreference,
    InvalidInput,
    NotAllowed,
    OrderkitError,
    Policies,
    RefundPolicy,
    ReturnPolicy,
    Tender,
    Warehouse,
)
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import ShippingPolicy, TenderOrder
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import axes, word
from orderkit.domain.value import evolve
from tests.shops import HOME, NOON, World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)
SPLIT = {"MUG": {"berlin": 3}, "TEE": {"madrid": 1}}


def a_paid_order(**options: object) -> tuple[World, str]:
    """Return a world with one paid order over two warehouses in it."""
    world = a_world(SPLIT, **options)
    return world, world.shop.place(a_cart(), "pm_visa").id


def in_doubt(world: World) -> str:
    """Return an order whose payment nobody knows of."""
    world.bank.say = lambda _: "never"
    return world.shop.place(a_cart(), "pm_visa").id


Act = Callable[[World, str], object]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda w, o: w.shop.cancel(o, {1: 0}, reason="why"), "invalid_quantity"),
        (lambda w, o: w.shop.cancel(o, {1: True}, reason="why"), "invalid_quantity"),
        (lambda w, o: w.shop.cancel(o, {9: 1}, reason="why"), "unknown_line"),
        (lambda w, o: w.shop.cancel(o, shipment="S9", reason="why"), "unknown_line"),
        (lambda w, o: w.shop.amend(o), "invalid_input"),
        (lambda w, o: w.shop.amend(o, add=a_cart()), "tenders_mismatch"),
        (lambda w, o: w.shop.amend(o, add=Cart(customer="anna", ship_to=HOME), pay_with="pm_visa"), "empty_cart"),
        (lambda w, o: w.shop.amend(o, add=evolve(a_cart(), currency="USD"), pay_with="pm"), "mixed_currency"),
        (lambda w, o: w.shop.amend(o, add=a_cart(("TEE", 1, "1.00")), pay_with="pm_visa"), "not_allowed"),
        (
            lambda w, o: w.shop.amend(o, delivery=DeliveryPreference(not_before=date(2026, 3, 2))),
            "invalid_input",
        ),
        (lambda w, o: w.shop.hold(o, reason="because"), "invalid_input"),
        (lambda w, o: w.shop.hold(o, reason="manual", until=NOON), "invalid_input"),
        (lambda w, o: w.shop.release_hold(o, "H9"), "not_found"),
        (lambda w, o: w.shop.refund(o, "0", reason="why"), "invalid_money"),
        (lambda w, o: w.shop.refund(o, "-1.00", reason="why"), "invalid_money"),
        (lambda w, o: w.shop.refund(o, "1.00", reason="why", currency="USD"), "mixed_currency"),
        (lambda w, o: w.shop.attend(o, "nothing"), "not_found"),
        (lambda w, o: w.shop.pay(o, "pm_other"), "nothing_due"),
        (lambda w, o: w.shop.request_return(o, {}, reason="why"), "invalid_quantity"),
        (lambda w, o: w.shop.place(a_cart(), None), "invalid_input"),
        (lambda w, o: w.shop.place(a_cart(), [None]), "invalid_input"),
        (lambda w, o: w.shop.pay(o, 5), "invalid_input"),
        (
            lambda w, o: w.shop.refuse(o, w.shop.order(o).shipments[0].id, reason="why", missing={1: "1"}),
            "invalid_quantity",
        ),
        (
            lambda w, o: w.shop.refuse(o, w.shop.order(o).shipments[0].id, reason="why", missing={"1": 1}),
            "invalid_quantity",
        ),
        (lambda w, o: w.shop.ship(o, w.shop.order(o).shipments[0].id, key="\0"), "invalid_key"),
        (lambda w, o: w.shop.request_return(o, {"MUG": 1}, reason="why"), "not_returnable"),
        (lambda w, o: w.shop.receive_return(o, "R9", warehouse="berlin"), "unknown_line"),
        (
            lambda w, o: w.shop.refuse(o, w.shop.order(o).shipments[0].id, reason="why", missing={1: 9}),
            "invalid_quantity",
        ),
        (lambda w, o: w.shop.track(o, w.shop.order(o).shipments[0].id, []), "illegal_transition"),
        (lambda w, o: w.shop.deliver(o, w.shop.order(o).shipments[0].id), "illegal_transition"),
        (lambda w, o: w.shop.order("no-such-order"), "order_not_found"),
    ],
)
def test_a_paid_order_says_no(act: Act, code: str) -> None:
    """The error names its case, and the order is what it was."""
    world, order_id = a_paid_order()
    before = world.shop.order(order_id)

    with pytest.raises(OrderkitError) as caught:
        act(world, order_id)

    assert caught.value.code == code
    assert world.shop.order(order_id) == before


@pytest.mark.parametrize(
    "act",
    [
        lambda w, o: w.shop.cancel(o, {1: 1}, reason="why"),
        lambda w, o: w.shop.cancel(o, shipment=w.shop.order(o).shipments[0].id, reason="why"),
        lambda w, o: w.shop.refund(o, "1.00", reason="why"),
        lambda w, o: w.shop.pay(o, "pm_other"),
    ],
)
def test_while_the_payment_is_in_doubt_nothing_of_it_moves(act: Act) -> None:
    """Parts of an order, its money, and a second payment wait until the first is known."""
    world = a_world(SPLIT)
    order_id = in_doubt(world)

    with pytest.raises(NotAllowed) as caught:
        act(world, order_id)

    assert caught.value.code == "action_in_flight"


def test_cancelled_in_doubt_gives_back_what_came() -> None:
    """The whole order may be cancelled at any time: should the money turn up, it goes back."""
    world = a_world(SPLIT)
    world.bank.say = lambda _: "lost"
    order = world.shop.place(a_cart(), "pm_visa")
    world.bank.say = lambda _: "yes"

    world.shop.cancel(order.id, reason="impatient")
    world.clock.advance(minutes=1)
    world.shop.sweep()

    after = world.shop.order(order.id)
    assert (word(after), axes(after).payment, after.paid_minor) == ("cancelled", "refunded", 0)
    assert after.sagas == ()


def test_cancelled_in_doubt_is_never_charged_again() -> None:
    """The provider never got the request: nothing is asked for once more."""
    world = a_world(SPLIT)
    order_id = in_doubt(world)
    world.bank.say = lambda _: "yes"

    world.shop.cancel(order_id, reason="impatient")
    world.clock.advance(minutes=1)
    world.shop.sweep()

    after = world.shop.order(order_id)
    assert (word(after), world.bank.total(OperationKind.CHARGE), after.sagas) == ("cancelled", 0, ())
    assert axes(after).payment == "failed"


@pytest.mark.parametrize(
    ("happened", "code"),
    [("cancelled", "already_cancelled"), ("shipped", "already_shipped"), ("late", "cutoff_passed")],
)
def test_a_shipment_that_is_not_ours_any_more_cannot_be_cancelled(happened: str, code: str) -> None:
    """Cancelled before, gone, or in work: each is said."""
    world, order_id = a_paid_order()
    shipment = world.shop.order(order_id).shipments[0].id
    match happened:
        case "cancelled":
            world.shop.cancel(order_id, shipment=shipment, reason="why")
        case "shipped":
            world.shop.ship(order_id, shipment)
        case _:
            world.clock.advance(days=3)

    with pytest.raises(NotAllowed) as caught:
        world.shop.cancel(order_id, shipment=shipment, reason="why")

    assert caught.value.code == code


def test_the_last_shipment_takes_the_order_with_it() -> None:
    """Cancelled one by one, shipments end as a cancelled order, and nothing is left to do with it."""
    world, order_id = a_paid_order()
    for shipment in world.shop.order(order_id).shipments:
        after = world.shop.cancel(order_id, shipment=shipment.id, reason="why")

    assert (word(after), after.paid_minor) == ("cancelled", 0)
    for act in (
        lambda: world.shop.cancel(order_id, reason="why"),
        lambda: world.shop.hold(order_id, reason="manual"),
        lambda: world.shop.amend(order_id, ship_to=HOME),
        lambda: world.shop.ship(order_id, shipment.id),
        lambda: world.shop.refuse(order_id, shipment.id, reason="why"),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_an_address_does_not_change_behind_a_parcel() -> None:
    """A part has left for the old address; the day may still change, until all has left."""
    world, order_id = a_paid_order()
    first, second = world.shop.order(order_id).shipments
    world.shop.ship(order_id, first.id)

    with pytest.raises(NotAllowed) as address:
        world.shop.amend(order_id, ship_to=evolve(HOME, street="Torstr. 2"))
    day = world.shop.amend(order_id, delivery=DeliveryPreference(not_before=date(2026, 3, 20)))
    world.shop.ship(order_id, second.id)
    with pytest.raises(NotAllowed) as late:
        world.shop.amend(order_id, delivery=DeliveryPreference())

    assert (address.value.code, address.value.field, late.value.code) == (
        "already_shipped",
        "ship_to",
        "already_shipped",
    )
    assert day.shipment(first.id).promise == first.promise


def test_one_amendment_waits_for_the_other() -> None:
    """While the difference of one is in doubt, no second is begun."""
    world = a_world({"MUG": {"berlin": 9}})
    order = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    world.bank.say = lambda _: "never"
    world.shop.amend(order.id, add=a_cart(("MUG", 1, "1.00")), pay_with="pm_visa")

    with pytest.raises(NotAllowed) as caught:
        world.shop.amend(order.id, add=a_cart(("MUG", 1, "1.00")), pay_with="pm_visa")

    assert caught.value.code == "action_in_flight"


def test_lines_that_cost_nothing_are_added_at_once() -> None:
    """A gift needs no payment, on an order and by itself."""
    world = a_world({"MUG": {"berlin": 9}})
    order = world.shop.place(a_cart(("MUG", 1, "0")), "pm_visa")

    after = world.shop.amend(order.id, add=a_cart(("MUG", 1, "0")), pay_with="pm_visa")

    assert (word(order), axes(order).payment) == ("payment_confirmed", "paid")
    assert [line.quantities() for line in after.lines] == [{"reserved": 1}, {"reserved": 1}]
    assert world.bank.calls == []


def test_two_tenders_wait_for_each_other_in_an_amendment() -> None:
    """The first is confirmed, the second refused: the first is given back, and the lines are dropped."""
    world = a_world({"MUG": {"berlin": 9}})
    order = world.shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.CHARGE and asked.tender == "card" else "yes"
    tenders = [Tender(method="gift_1", kind="gift_card", amount_minor=100), Tender(method="pm_visa")]

    after = world.shop.amend(order.id, add=a_cart(("MUG", 1, "5.00")), pay_with=tenders)

    assert after.line(2).quantities() == {"cancelled": 1}
    assert after.paid_minor == after.due_minor == 500


@pytest.mark.parametrize(
    "tenders",
    [
        [],
        [Tender(method="a", amount_minor=5749)],
        [Tender(method="a", amount_minor=5751)],
        [Tender(method="a", amount_minor=0), Tender(method="b")],
        [Tender(method="a"), Tender(method="b")],
    ],
)
def test_tenders_add_up_to_the_total(tenders: list[Tender]) -> None:
    """Nothing, too little, too much, a tender of nothing, two for the rest: all are refused before anything is reserved."""
    world = a_world(SPLIT)

    with pytest.raises(InvalidInput) as caught:
        world.shop.place(a_cart(), tenders)

    assert caught.value.code == "tenders_mismatch"
    assert all(level.reserved == 0 for level in world.shop.stock())


def test_three_kinds_of_tender_pay_and_are_paid_back_newest_first() -> None:
    """Gift card, store credit and card; what is cancelled goes back to the newest first."""
    world = a_world(SPLIT)
    world.bank.capabilities = evolve(world.bank.capabilities, tenders=frozenset({"card", "gift_card", "store_credit"}))
    tenders = [
        Tender(method="pm_visa"),
        Tender(method="credit_anna", kind="store_credit", amount_minor=1000),
        Tender(method="gift_1", kind="gift_card", amount_minor=500),
    ]
    order = world.shop.place(a_cart(), tenders)

    after = world.shop.cancel(order.id, {"MUG": 3}, reason="why")

    assert [(p.kind, p.captured_minor, p.refunded_minor) for p in after.payments] == [
        ("gift_card", 500, 0),
        ("store_credit", 1000, 0),
        ("card", 4250, 3750),
    ]


def test_out_of_stock_when_paying_again_is_said() -> None:
    """The shelf was emptied after the payment failed: the order waits, and may be paid later."""
    world = a_world({"MUG": {"berlin": 1}})
    world.bank.say = lambda _: "no"
    first = world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")
    world.bank.say = lambda _: "yes"
    world.shop.place(a_cart(("MUG", 1, "1.00")), "pm_visa")

    with pytest.raises(NotAllowed) as caught:
        world.shop.pay(first.id, "pm_other")

    assert caught.value.facts == {"short": [{"sku": "MUG", "asked": 1, "available": 0}]}
    assert word(world.shop.cancel(first.id, reason="gone")) == "cancelled"


def test_what_is_sold_as_final_does_not_come_back() -> None:
    """Nor does what is in a return already, or more of a receipt than was announced."""
    policies = Policies(returns=ReturnPolicy(final_sale=frozenset({"TEE"})))
    world, order_id = a_paid_order(policies=policies)
    for shipment in world.shop.order(order_id).shipments:
        world.shop.ship(order_id, shipment.id)
        world.shop.deliver(order_id, shipment.id)

    found = world.shop.request_return(order_id, {"MUG": 3}, reason="why").returns[0]
    for act, code in (
        (lambda: world.shop.request_return(order_id, {"TEE": 1}, reason="why"), "not_returnable"),
        (lambda: world.shop.request_return(order_id, {"MUG": 1}, reason="why"), "not_returnable"),
        (lambda: world.shop.receive_return(order_id, found.id, {"MUG": 4}, warehouse="berlin"), "not_returnable"),
        (lambda: world.shop.receive_return(order_id, found.id, {}, warehouse="berlin"), "invalid_quantity"),
        (lambda: world.shop.authorize_return(order_id, found.id), "illegal_transition"),
        (lambda: world.shop.close_return(order_id, found.id, reason="why"), "illegal_transition"),
    ):
        with pytest.raises(OrderkitError) as caught:
            act()
        assert caught.value.code == code


def test_the_refund_policy_of_the_order_decides_what_comes_back() -> None:
    """Ten percent kept for restocking, the label paid by the customer, shipping by its share, and the gift card first."""
    policy = RefundPolicy(
        shipping=ShippingPolicy.PRO_RATA,
        restocking_fee_percent=10,
        return_label_cost_minor=200,
        tender_order=TenderOrder.GIFT_CARD_FIRST,
    )
    world = a_world({"MUG": {"berlin": 4}}, policies=Policies(refund=policy))
    tenders = [Tender(method="gift_1", kind="gift_card", amount_minor=1000), Tender(method="pm_visa")]
    order = world.shop.place(a_cart(("MUG", 4, "10.00"), shipping="4.00"), tenders)
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    found = world.shop.request_return(order.id, {"MUG": 2}, reason="wrong").returns[0]

    after = world.shop.receive_return(order.id, found.id, warehouse="berlin")

    assert {part.kind: part.amount_minor for part in after.refunds[0].components} == {
        "item": 2000,
        "restocking_fee": -200,
        "shipping": 200,
        "label_cost": -200,
    }
    assert [(p.kind, p.refunded_minor) for p in after.payments] == [("gift_card", 1000), ("card", 800)]


def test_each_seller_sends_what_is_theirs() -> None:
    """Two sellers of one cart: two shipments, each from a warehouse of its seller, each with its promise."""
    warehouses = [Warehouse("berlin", seller="anvil"), Warehouse("madrid", seller="brook")]
    world = a_world({"MUG": {"berlin": 9, "madrid": 9}}, warehouses=warehouses)
    cart = a_cart(("MUG", 1, "1.00")).add("MUG", 1, "1.00", seller="brook")
    cart = evolve(cart, lines=(evolve(cart.lines[0], seller="anvil"), cart.lines[1]))

    order = world.shop.place(cart, "pm_visa")

    assert {(s.warehouse, s.lines) for s in order.shipments} == {("berlin", ((1, 1),)), ("madrid", ((2, 1),))}
    assert all(shipment.promise is not None and shipment.cutoff_at is not None for shipment in order.shipments)


def test_a_parcel_that_nobody_took_comes_back_and_is_refunded() -> None:
    """Returned to its sender: a person is told, and its units are received like any return."""
    world, order_id = a_paid_order()
    shipment = next(s for s in world.shop.order(order_id).shipments if s.warehouse == "berlin")
    world.shop.ship(order_id, shipment.id)
    now = world.clock.now()
    out = world.shop.track(order_id, shipment.id, [Scan(id="1", status=CarrierStatus.OUT_FOR_DELIVERY, at=now)])
    told = world.shop.track(order_id, shipment.id, [Scan(id="2", status=CarrierStatus.RETURN_TO_SENDER, at=now)])

    found = world.shop.request_return(order_id, {"MUG": 3}, reason="refused_at_door").returns[0]
    after = world.shop.receive_return(order_id, found.id, warehouse="berlin")

    assert out.shipment(shipment.id).state == "out_for_delivery"
    assert told.findings == (f"returned_to_sender:{shipment.id}",)
    assert after.refunded_minor == 3750
    assert [s.on_hand for s in world.shop.stock("MUG")] == [3]


def test_a_capture_beyond_the_authorization_is_shown_to_a_person() -> None:
    """The authorization could not be renewed: the goods leave, and what is missing is a finding."""
    world, order_id = a_paid_order(policies=LATER)
    world.bank.say = lambda _: "no"
    mugs = next(s for s in world.shop.order(order_id).shipments if s.warehouse == "berlin")
    world.shop.ship(order_id, mugs.id)
    for _ in range(3):
        world.clock.advance(hours=2)
        world.shop.sweep()

    after = world.shop.order(order_id)
    assert after.captured_minor == 0
    assert after.findings == (f"capture_failed:{after.payments[0].operations[1].id}",)
