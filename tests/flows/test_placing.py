"""Placing an order, told through the public API of a shop in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import CaptureMode, Cart, InvalidInput, KeyReused, NotAllowed, OrderQuery, Policies, Tender
from orderkit.domain.payment import OperationKind
from orderkit.domain.status import axes, word
from tests.shops import HOME, a_cart, a_world


def test_an_order_is_reserved_charged_and_confirmed() -> None:
    """Two commits make an order: reserved with its intent, then confirmed with its money."""
    world = a_world()

    order = world.shop.place(a_cart(), "pm_visa", key="k-1")

    assert word(order) == "payment_confirmed"
    assert order.version == 2
    assert order.total_minor == order.captured_minor == world.bank.total(OperationKind.CHARGE) == 5750
    assert [record.to_status for record in world.shop.records(order.id)] == ["placed", "payment_confirmed"]


def test_a_repeated_key_is_the_same_order() -> None:
    """A retry answers with the first order and charges nothing."""
    world = a_world()
    first = world.shop.place(a_cart(), "pm_visa", key="k-1")

    again = world.shop.place(a_cart(), "pm_visa", key="k-1")

    assert again == first
    assert len(world.bank.moved) == 1


def test_a_key_with_another_cart_is_refused() -> None:
    """One key, two requests: the second is an error, and changes nothing."""
    world = a_world()
    world.shop.place(a_cart(), "pm_visa", key="k-1")

    with pytest.raises(KeyReused) as caught:
        world.shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa", key="k-1")

    assert caught.value.outcome == "not_applied"
    assert len(world.shop.orders(orders_of("anna")).items) == 1


def test_keys_of_two_customers_do_not_meet() -> None:
    """A key is scoped by its principal."""
    world = a_world()

    anna = world.shop.place(a_cart(), "pm_visa", key="k-1", actor="customer:anna")
    bert = world.shop.place(a_cart(("TEE", 1, "20.00"), customer="bert"), "pm_visa", key="k-1", actor="customer:bert")

    assert anna.id != bert.id


def test_a_split_follows_the_shelves() -> None:
    """What no warehouse has alone is split, and each shipment has its own promise."""
    world = a_world({"A": {"nyc": 1}, "B": {"lax": 1}, "C": {"nyc": 1, "lax": 1}})

    order = world.shop.place(a_cart(("A", 1, "1.00"), ("B", 1, "1.00"), ("C", 1, "1.00")), "pm_visa")

    assert len(order.shipments) == 2
    assert {s.warehouse for s in order.shipments} == {"nyc", "lax"}
    assert all(s.promise is not None for s in order.shipments)


def test_a_decline_gives_the_stock_back() -> None:
    """A declined payment is an answer: the order fails, its stock is free, and its items wait."""
    world = a_world()
    world.bank.say = lambda _: "no"

    order = world.shop.place(a_cart(), "pm_visa")

    assert (word(order), order.reason) == ("payment_failed", "declined")
    assert all(level.reserved == 0 for level in world.shop.stock())


def test_another_tender_pays_the_failed_order() -> None:
    """The same order is paid again, reserving its goods first."""
    world = a_world()
    world.bank.say = lambda _: "no"
    failed = world.shop.place(a_cart(), "pm_visa")
    world.bank.say = lambda _: "yes"

    order = world.shop.pay(failed.id, "pm_other")

    assert word(order) == "payment_confirmed"
    assert sum(level.reserved for level in world.shop.stock()) == 4


def test_out_of_stock_is_stored_and_calls_nobody() -> None:
    """An order that cannot be covered is kept as cancelled with what was short; no provider is called."""
    world = a_world({"MUG": {"berlin": 2}})

    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa", key="k-1")

    assert (word(order), order.reason) == ("cancelled", "out_of_stock:MUG")
    assert world.bank.calls == []
    assert world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa", key="k-1") == order


def test_a_backorder_line_waits_for_stock() -> None:
    """A line that may wait does, and is reserved when stock has come and the agenda looks."""
    world = a_world({"MUG": {"berlin": 1}})
    cart = Cart(customer="anna", ship_to=HOME).add("MUG", 3, "12.50", backorder=True)
    order = world.shop.place(cart, "pm_visa")
    assert order.lines[0].quantities() == {"backordered": 2, "reserved": 1}

    world.shop.put_stock("MUG", {"berlin": 5})
    world.clock.advance(hours=2)
    world.shop.sweep()

    assert world.shop.order(order.id).lines[0].quantities() == {"reserved": 3}
    assert sum(level.reserved for level in world.shop.stock()) == 3


def test_a_lost_answer_is_never_guessed() -> None:
    """The money moved and the answer was lost: the order waits in doubt, and the resolver finds out; nothing is charged twice."""
    world = a_world()
    world.bank.say = lambda _: "lost"

    order = world.shop.place(a_cart(), "pm_visa")
    assert (word(order), axes(order).payment) == ("payment_pending", "in_doubt")
    world.clock.advance(seconds=30)
    world.shop.sweep()

    assert word(world.shop.order(order.id)) == "payment_confirmed"
    assert world.bank.total(OperationKind.CHARGE) == order.total_minor


def test_units_given_up_in_doubt_are_refunded_when_the_money_came() -> None:
    """A warehouse refuses while the provider's answer is unknown: what is confirmed later is given back for those units."""
    world = a_world({"MUG": {"berlin": 3}})
    world.bank.say = lambda _: "lost"
    order = world.shop.place(a_cart(("MUG", 3, "12.50")), "pm_visa")
    world.bank.say = lambda _: "yes"
    world.shop.refuse(order.id, order.shipments[0].id, reason="shelf_empty", missing={1: 1})

    world.clock.advance(seconds=30)
    world.shop.sweep()

    found = world.shop.order(order.id)
    assert (found.captured_minor, found.refunded_minor, found.due_minor) == (3750, 1250, 2500)


def test_a_request_that_never_arrived_is_tried_again_under_a_new_key() -> None:
    """Only a definite "never happened" advances the attempt."""
    world = a_world()
    world.bank.say = lambda asked: "never" if asked.key.endswith("/1") else "yes"

    order = world.shop.place(a_cart(), "pm_visa")
    world.clock.advance(seconds=30)
    world.shop.sweep()

    assert word(world.shop.order(order.id)) == "payment_confirmed"
    assert [call.key.rsplit("/", 1)[1] for call in world.bank.calls] == ["1", "2"]


def test_a_failed_order_that_costs_nothing_any_more_is_confirmed_by_paying_it() -> None:
    """What it cost was not there when its warehouse looked, and what is left is free: nobody is asked, and it waits for no answer."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}})
    world.bank.say, world.bank.silent = lambda _: "never", True
    order = world.shop.place(a_cart(("MUG", 1, "50.00"), ("TEE", 1, "0.00")), "pm_visa")
    dear = next(shipment for shipment in order.shipments if shipment.warehouse == "berlin")
    world.shop.refuse(order.id, dear.id, reason="broken", missing={1: 1})
    world.bank.say, world.bank.silent, world.bank.denies = lambda _: "no", False, "declined"
    world.clock.advance(minutes=5)
    world.shop.sweep()
    failed, asked = world.shop.order(order.id), len(world.bank.calls)

    after = world.shop.pay(order.id, "pm_other")

    assert (failed.state, failed.due_minor) == ("payment_failed", 0)
    assert (word(after), after.sagas, len(world.bank.calls)) == ("payment_confirmed", (), asked)


def test_several_tenders_pay_one_keyed_order() -> None:
    """The key of the request is spent by the placement; every answer after it is booked."""
    world = a_world()
    tenders = [Tender(method="gift_1", kind="gift_card", amount_minor=1000), Tender(method="pm_visa")]

    order = world.shop.place(a_cart(), tenders, key="k-1")

    assert word(order) == "payment_confirmed"
    assert [payment.captured_minor for payment in order.payments] == [1000, 4750]


def test_a_declined_card_gives_the_gift_card_back() -> None:
    """Tenders are asked in turn, what the shop keeps itself first; a refusal gives back what was taken."""
    world = a_world()
    world.bank.say = lambda asked: "no" if asked.tender == "card" else "yes"
    tenders = [Tender(method="pm_visa"), Tender(method="gift_1", kind="gift_card", amount_minor=1000)]

    order = world.shop.place(a_cart(), tenders)

    assert word(order) == "payment_failed"
    assert world.bank.total(OperationKind.CHARGE) == world.bank.total(OperationKind.REFUND) == 1000


def test_capture_per_shipment_takes_what_leaves() -> None:
    """Authorized with the order, captured with each shipment; the captures add up to the total."""
    world = a_world({"MUG": {"berlin": 3}, "TEE": {"madrid": 1}}, policies=Policies(capture=CaptureMode.PER_SHIPMENT))
    order = world.shop.place(a_cart(shipping="4.90"), "pm_visa")
    assert (order.authorized_minor, order.captured_minor) == (6240, 0)

    first = world.shop.ship(order.id, order.shipments[0].id)
    assert 0 < first.captured_minor < 6240
    last = world.shop.ship(order.id, order.shipments[1].id)

    assert last.captured_minor == 6240


def test_an_unpaid_reservation_expires() -> None:
    """When the provider says that the money never came, the goods are free again."""
    world = a_world()
    world.bank.say = lambda _: "never"
    order = world.shop.place(a_cart(), "pm_visa")

    for _ in range(4):
        world.clock.advance(hours=1)
        world.shop.sweep()

    found = world.shop.order(order.id)
    assert (word(found), found.reason) == ("cancelled", "reservation_expired")
    assert all(level.reserved == 0 for level in world.shop.stock())


@pytest.mark.parametrize(
    ("cart", "code"),
    [
        (lambda: Cart(customer="anna", ship_to=HOME), "empty_cart"),
        (lambda: a_cart(("UNICORN", 1, "1.00")), "unknown_sku"),
    ],
)
def test_an_impossible_cart_is_refused(cart, code: str) -> None:  # type: ignore[no-untyped-def]
    """What cannot be ordered is an error with a code, and leaves nothing behind."""
    world = a_world()

    with pytest.raises(InvalidInput) as caught:
        world.shop.place(cart(), "pm_visa", key="k")

    assert caught.value.code == code
    assert world.shop.orders(orders_of("anna")).items == ()


@pytest.mark.parametrize("quantity", [0, -1, 1.5, True, "3"])
def test_a_quantity_is_a_whole_number_above_zero(quantity: object) -> None:
    """Anything else is refused at the cart."""
    with pytest.raises(InvalidInput) as caught:
        Cart(customer="anna", ship_to=HOME).add("MUG", quantity, "12.50")  # type: ignore[arg-type]

    assert caught.value.code == "invalid_quantity"


def test_a_hold_stops_the_shipment() -> None:
    """An order on hold keeps its stock and does not leave."""
    world = a_world()
    order = world.shop.place(a_cart(), "pm_visa")
    world.shop.hold(order.id, reason="fraud_review", until=world.clock.now() + timedelta(hours=1))

    with pytest.raises(NotAllowed) as caught:
        world.shop.ship(order.id, order.shipments[0].id)
    assert caught.value.code == "order_on_hold"
    world.clock.advance(hours=2)
    world.shop.sweep()

    assert world.shop.order(order.id).active_holds == ()


def orders_of(customer: str) -> OrderQuery:
    """Return the query for a customer's orders."""
    return OrderQuery(customer=customer)
