"""What people read: timelines and refusals speak of money in its currency, and of one unit as one."""

from __future__ import annotations

import pytest

from orderkit import Cart, InvalidInput, NotAllowed, OrderkitError, Tender
from orderkit.domain.payment import Operation, OperationKind, Payment, requested
from orderkit.domain.refunds import TenderBalance, TenderOrder, spread
from orderkit.domain.value import evolve
from tests.shops import HOME, NOON, World, a_cart, a_world


def a_paid_order() -> tuple[World, str]:
    """Return a world with one paid order of 62.40 EUR in it."""
    world = a_world()
    return world, world.shop.place(a_cart(shipping="4.90"), "pm_visa").id


def test_a_timeline_is_told_in_money_and_in_short_names() -> None:
    """Amounts have their currency, ids lack the order's own before them; the exact data stands beside the text."""
    world, order_id = a_paid_order()

    told = world.shop.timeline(order_id)

    captured = next(entry for entry in told.entries if entry.event == "payment.captured")
    assert captured.text == "amount 62.40 EUR, operation P1.1, payment P1"
    assert captured.data["amount_minor"] == 6240
    assert captured.data["payment"] == f"{order_id}-P1"
    assert order_id not in str(told)


def test_refusals_speak_of_money_in_its_currency() -> None:
    """A refund beyond the order, a total that is another, tenders that do not add up."""
    world, order_id = a_paid_order()
    cart = a_cart(shipping="4.90")
    said = []

    for act in (
        lambda: world.shop.refund(order_id, "70.00", reason="sorry"),
        lambda: world.shop.place(evolve(cart, expected_total_minor=6000), "pm_visa"),
        lambda: world.shop.place(cart, [Tender(method="pm_visa", amount_minor=100)]),
    ):
        with pytest.raises(OrderkitError) as caught:
            act()
        said.append(caught.value.message)

    assert said == [
        "asked for 70.00 EUR, but only 62.40 EUR of the order's money are left",
        "the total is 62.40 EUR, not 60.00 EUR",
        "the tenders give 1.00 EUR, the total is 62.40 EUR",
    ]


def test_prices_and_guards_speak_of_money_in_its_currency() -> None:
    """A discount beyond its line or its cart, a tax beyond its price, and a provider that is asked for more than is there."""
    cart = a_cart(("MUG", 1, "12.50"))
    charged = Payment(id="P1", kind="card", method="pm", amount_minor=1000, state="captured", captured_minor=1000)
    back = Operation(id="P1.1", kind=OperationKind.REFUND, amount_minor=1001, requested_at=NOON)
    said = []

    for act in (
        lambda: cart.discounted("welcome", "12.51").prices(),
        lambda: Cart(customer="anna", ship_to=HOME).add("MUG", 1, "12.50", discount="13.00").prices(),
        lambda: Cart(customer="anna", ship_to=HOME).add("MUG", 1, "12.50", tax="12.51").prices(),
        lambda: requested(charged, back, "EUR"),
        lambda: spread(1001, [TenderBalance("P1", "card", 1000)], TenderOrder.NEWEST_FIRST, "EUR"),
    ):
        with pytest.raises(OrderkitError) as caught:
            act()
        said.append(caught.value.message)

    assert said == [
        "the discount 'welcome' is 12.51 EUR, more than the 12.50 EUR it applies to",
        "the discount of line 1 (MUG) is 13.00 EUR, more than the 12.50 EUR it applies to",
        "line 1 (MUG) has a tax of 12.51 EUR in a price of 12.50 EUR",
        "asked for 10.01 EUR, but only 10.00 EUR are left",
        "10.01 EUR is more than the 10.00 EUR that the tenders can still be refunded",
    ]


def test_one_unit_is_one_unit() -> None:
    """A number and its noun agree, and none is none."""
    world, order_id = a_paid_order()
    with pytest.raises(NotAllowed) as too_many:
        world.shop.cancel(order_id, {"MUG": 4}, reason="why")
    world.shop.cancel(order_id, {"TEE": 1}, reason="why")
    with pytest.raises(NotAllowed) as again:
        world.shop.cancel(order_id, {"TEE": 1}, reason="why")
    with pytest.raises((NotAllowed, InvalidInput)) as back:
        world.shop.request_return(order_id, {"MUG": 2}, reason="why")

    assert too_many.value.message == "asked for 4 units of line 1 (MUG), but only 3 can still be cancelled"
    assert again.value.message == "asked for 1 unit of line 2 (TEE), but none can still be cancelled"
    assert back.value.message.startswith("asked for 2 units of line 1 (MUG), but none may come back: ")
