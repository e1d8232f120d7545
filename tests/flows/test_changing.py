"""Cancelling, amending, refunding: what happens to units, stock and money, to the penny."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

import orderkit
from orderkit import DeliveryPreference, Handling, InvalidInput, Misconfigured, NotAllowed, OrderQuery, Service
from orderkit.domain.payment import OperationKind
from orderkit.domain.status import axes, word
from orderkit.domain.value import evolve
from orderkit.verb import Staged
from tests.shops import HOME, World, a_cart, a_world


def a_paid_order(**options: object) -> tuple[World, str]:
    """Return a world with one paid order in it."""
    world = a_world(**options)  # type: ignore[arg-type]
    return world, world.shop.place(a_cart(shipping="4.90"), "pm_visa", key="k-1").id


def test_cancelling_everything_gives_everything_back() -> None:
    """Goods, shipping and money: nothing is left of the order but its history."""
    world, order_id = a_paid_order()

    order = world.shop.cancel(order_id, reason="changed_mind")

    assert (word(order), axes(order).payment) == ("cancelled", "refunded")
    assert world.bank.total(OperationKind.REFUND) == order.total_minor == 6240
    assert all(level.reserved == 0 for level in world.shop.stock())


def test_cancelling_no_units_is_refused() -> None:
    """No units are not all units, and nothing to write down either."""
    world, order_id = a_paid_order()

    with pytest.raises(InvalidInput) as caught:
        world.shop.cancel(order_id, {}, reason="changed_mind")

    assert (caught.value.code, caught.value.field) == ("invalid_input", "units")
    assert world.shop.order(order_id).refunds == ()


def test_units_beside_a_shipment_are_refused() -> None:
    """Which of the two is meant is not guessed: neither the shipment goes nor the units."""
    world, order_id = a_paid_order()
    shipment = world.shop.order(order_id).shipments[0].id

    for act in (world.shop.cancel, world.shop.plan.cancel):
        with pytest.raises(InvalidInput) as caught:
            act(order_id, {"MUG": 1}, shipment=shipment, reason="changed_mind")
        assert (caught.value.code, caught.value.field) == ("invalid_input", "units")

    assert world.shop.order(order_id).refunds == ()


@pytest.mark.parametrize("shipment", [None, "S1"])
def test_cancelling_no_units_is_refused_whatever_the_state(shipment: str | None) -> None:
    """A request that cannot be right is called so, though the order is cancelled already."""
    world, order_id = a_paid_order()
    world.shop.cancel(order_id, reason="changed_mind")

    with pytest.raises(InvalidInput) as caught:
        world.shop.cancel(order_id, {}, shipment=shipment, reason="changed_mind")

    assert caught.value.field == "units"


def test_cancelling_a_part_keeps_the_rest() -> None:
    """One mug of three goes: its frozen price comes back, its shelf is free, the rest stays promised."""
    world, order_id = a_paid_order()

    order = world.shop.cancel(order_id, {"MUG": 1}, reason="too_many")

    assert word(order) == "payment_confirmed"
    assert order.refunds[0].total_minor == 1250
    assert sum(level.reserved for level in world.shop.stock()) == 3


def test_cancelling_line_by_line_gives_back_every_penny() -> None:
    """The last unit takes the shipping with it, and the sum of all refunds is the total."""
    world, order_id = a_paid_order()

    for units in ({"MUG": 1}, {"TEE": 1}, {"MUG": 1}, {"MUG": 1}):
        order = world.shop.cancel(order_id, units, reason="piecemeal")

    assert word(order) == "cancelled"
    assert order.refunded_minor == order.total_minor == 6240


def test_a_shipment_is_cancelled_by_itself() -> None:
    """Only what one shipment holds is cancelled; the other goes on."""
    world, order_id = a_paid_order(stock={"MUG": {"berlin": 3}, "TEE": {"madrid": 1}})
    shipment = next(s for s in world.shop.order(order_id).shipments if s.warehouse == "madrid")

    order = world.shop.cancel(order_id, shipment=shipment.id, reason="late")

    assert order.shipment(shipment.id).state == "cancelled"
    assert order.refunds[0].units == ((2, 1),)
    assert word(order) == "payment_confirmed"


def test_nothing_is_cancelled_after_the_cutoff() -> None:
    """From the cutoff on the warehouse works on it; the error says so, and nothing changed."""
    world, order_id = a_paid_order()
    world.clock.advance(days=2)
    before = world.shop.order(order_id)

    with pytest.raises(NotAllowed) as caught:
        world.shop.cancel(order_id, reason="late")

    assert caught.value.code == "cutoff_passed"
    assert world.shop.order(order_id) == before


def test_units_are_cancelled_where_the_warehouse_has_not_begun() -> None:
    """One parcel is past its cutoff though no worker has released it yet; the other has hours left, and loses the unit."""
    for early, late in (("berlin", "madrid"), ("madrid", "berlin")):
        handling = {early: Handling(cutoff=time(13, 0)), late: Handling(cutoff=time(20, 0))}
        world = a_world({"MUG": {"berlin": 1, "madrid": 1}}, handling=handling)
        order = world.shop.place(a_cart(("MUG", 2, "12.50")), "pm_visa")
        working, waiting = sorted(order.shipments, key=lambda s: s.warehouse == late)
        world.clock.advance(hours=2)

        after = world.shop.cancel(order.id, {"MUG": 1}, reason="too_many")

        assert [after.shipment(s.id).state for s in (working, waiting)] == ["released", "cancelled"]
        assert [level.reserved for level in world.shop.stock() if level.warehouse == waiting.warehouse] == [0]


def test_nothing_is_cancelled_after_it_left() -> None:
    """What has left is returned, not cancelled."""
    world, order_id = a_paid_order()
    for shipment in world.shop.order(order_id).shipments:
        world.shop.ship(order_id, shipment.id)

    with pytest.raises(NotAllowed) as caught:
        world.shop.cancel(order_id, reason="late")

    assert caught.value.code == "already_shipped"


def test_more_than_there_is_cannot_be_cancelled() -> None:
    """The facts of the error say how many can."""
    world, order_id = a_paid_order()

    with pytest.raises(NotAllowed) as caught:
        world.shop.cancel(order_id, {"MUG": 4}, reason="late")

    assert caught.value.facts["cancellable"] == 3
    assert (caught.value.code, caught.value.remedy) == (
        "invalid_quantity",
        "Cancel no more units than can still be cancelled.",
    )


def test_an_unknown_sku_is_named() -> None:
    """A SKU that the order does not hold is the caller's mistake."""
    world, order_id = a_paid_order()

    with pytest.raises(InvalidInput) as caught:
        world.shop.cancel(order_id, {"HAT": 1}, reason="late")

    assert (caught.value.code, caught.value.facts) == ("unknown_line", {"sku": "HAT"})


def test_a_dry_run_changes_nothing_and_says_everything() -> None:
    """The plan is the decision itself: units, stock, money, message; the store has not moved."""
    world, order_id = a_paid_order()
    before = world.shop.order(order_id)

    preview = world.shop.plan.cancel(order_id, {"TEE": 1}, reason="changed_mind")

    assert [m.amount_minor for m in preview.money] == [2000]
    assert preview.messages == (("items_cancelled", "email"),)
    assert "TEE: reserved → cancelled" in str(preview)
    assert world.shop.order(order_id) == before


def test_a_placement_can_be_tried_dry() -> None:
    """Planning a placement reserves nothing and charges nobody."""
    world = a_world()

    preview = world.shop.plan.place(a_cart(), "pm_visa")

    assert (preview.from_status, preview.to_status) == (None, "placed")
    assert world.bank.calls == []
    assert world.shop.orders(OrderQuery()).items == ()


async def test_a_dispatch_can_be_tried_dry() -> None:
    """Nobody is asked to take the parcel, and the goods stay; a shipment that cannot leave says so. On an event loop too."""
    world, order_id = a_paid_order()
    before = world.shop.order(order_id)
    shipment = before.shipments[0].id
    preview = world.shop.plan.ship(order_id, shipment)
    async with await orderkit.open_async() as shop:
        await shop.put_stock("MUG", {"berlin": 1})
        order = await shop.place(a_cart(("MUG", 1, "10.00")), "pm_visa")
        awaited = await shop.plan.ship(order.id, order.shipments[0].id)

    assert "reserved → shipped" in str(preview) or "→ shipped" in str(preview)
    assert "→ shipped" in str(awaited)
    assert world.shop.order(order_id) == before
    with pytest.raises(Misconfigured) as joined:
        world.shop.plan.ship(order_id, shipment, tx=object())
    assert joined.value.field == "tx"
    world.shop.ship(order_id, shipment)
    with pytest.raises(NotAllowed):
        world.shop.plan.ship(order_id, shipment)


def test_the_last_of_one_article_is_named_where_it_is() -> None:
    """Of two lines of one SKU the one that has units is asked for too many."""
    world = a_world({"MUG": {"berlin": 5}})
    order = world.shop.place(a_cart(("MUG", 2, "10.00"), ("MUG", 1, "10.00")), "pm_visa")
    world.shop.cancel(order.id, {2: 1}, reason="late")
    with pytest.raises(NotAllowed, match="line 1"):
        world.shop.cancel(order.id, {"MUG": 3}, reason="late")


def test_the_address_changes_before_the_cutoff_only() -> None:
    """Same country, nothing left yet: fine. Afterwards: no."""
    world, order_id = a_paid_order()
    elsewhere = evolve(HOME, street="Torstr. 2")

    assert world.shop.amend(order_id, ship_to=elsewhere).facts.ship_to == elsewhere
    with pytest.raises(NotAllowed) as abroad:
        world.shop.amend(order_id, ship_to=evolve(HOME, country="FR"))
    assert abroad.value.field == "ship_to.country"
    world.clock.advance(days=2)
    with pytest.raises(NotAllowed) as late:
        world.shop.amend(order_id, ship_to=HOME)
    assert late.value.code == "cutoff_passed"


def test_a_later_day_moves_cutoff_and_promise() -> None:
    """A wish for a later delivery gives the customer longer to change it."""
    world, order_id = a_paid_order()
    day = date(2026, 3, 20)

    order = world.shop.amend(order_id, delivery=DeliveryPreference(service=Service.STANDARD, not_before=day))

    assert all(s.promise is not None and s.promise.arrives_from >= day for s in order.shipments)
    assert all(s.cutoff_at is not None and s.cutoff_at > world.clock.now() + timedelta(days=5) for s in order.shipments)


def test_added_lines_are_paid_and_reserved() -> None:
    """More of something is a new line at today's price."""
    world, order_id = a_paid_order()

    order = world.shop.amend(order_id, add=a_cart(("TEE", 1, "22.00")), pay_with="pm_visa")

    assert [line.number for line in order.lines] == [1, 2, 3]
    assert order.captured_minor == order.total_minor == 6240 + 2200


def test_added_lines_cost_what_the_customer_was_shown() -> None:
    """The expected total is that of the added lines, as it is that of the cart when an order is placed: another one is refused."""
    world, order_id = a_paid_order()
    add = a_cart(("TEE", 1, "22.00"), shipping="1.00")

    with pytest.raises(InvalidInput) as caught:
        world.shop.amend(order_id, add=evolve(add, expected_total_minor=2200), pay_with="pm_visa")

    assert (caught.value.code, caught.value.field, caught.value.outcome) == ("total_mismatch", "total", "not_applied")
    assert caught.value.facts == {"total_minor": 2300, "expected_minor": 2200}
    assert world.shop.order(order_id).captured_minor == 6240

    order = world.shop.amend(order_id, add=evolve(add, expected_total_minor=2300), pay_with="pm_visa")
    assert order.captured_minor == 6240 + 2300


def test_added_lines_that_are_not_paid_are_dropped() -> None:
    """A declined difference leaves the order as it was."""
    world, order_id = a_paid_order()
    world.bank.say = lambda _: "no"

    order = world.shop.amend(order_id, add=a_cart(("TEE", 1, "22.00")), pay_with="pm_visa")

    assert order.line(3).quantities() == {"cancelled": 1}
    assert order.due_minor == order.paid_minor == 6240
    assert order.sagas == ()


def test_goodwill_never_exceeds_what_is_left() -> None:
    """A refund above what the shop still has is refused with both numbers."""
    world, order_id = a_paid_order()
    world.shop.refund(order_id, "62.00", reason="sorry")

    with pytest.raises(NotAllowed) as caught:
        world.shop.refund(order_id, "0.41", reason="sorry")

    assert caught.value.code == "refund_exceeds_captured"
    assert caught.value.facts == {"asked_minor": 41, "remaining_minor": 40}


def test_a_repeated_refund_key_refunds_once() -> None:
    """A double click is one refund."""
    world, order_id = a_paid_order()
    world.shop.refund(order_id, "5.00", reason="sorry", key="click")
    world.shop.refund(order_id, "5.00", reason="sorry", key="click")

    assert world.bank.total(OperationKind.REFUND) == 500


def test_a_failed_refund_is_tried_again_and_then_shown() -> None:
    """A refused refund keeps the amount held, is tried under new keys, and ends with a person."""
    world, order_id = a_paid_order()
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.REFUND else "yes"
    world.shop.cancel(order_id, {"TEE": 1}, reason="changed_mind")

    for _ in range(3):
        world.clock.advance(hours=2)
        world.shop.sweep(roles=("sagas", "resolver"))

    order = world.shop.order(order_id)
    assert order.refunds[0].state == "failed"
    assert order.findings
    assert order.findings[0].startswith("refund_failed")
    assert world.shop.why(order_id).progress == "stuck"


def test_staged_is_an_order() -> None:
    """What a joined transaction answers is an order, marked as not yet applied."""
    assert issubclass(Staged, type(a_world().shop.place(a_cart(), "pm_visa")))


def test_the_rest_of_an_order_is_cancelled_while_its_payment_is_in_doubt() -> None:
    """A warehouse could not send a part of it: what is left is the whole order, and the customer may have it off."""
    world = a_world({"MUG": {"berlin": 3}, "TEE": {"madrid": 1}})
    world.bank.say = lambda _: "lost"
    order = world.shop.place(a_cart(), "pm_visa")
    tee = next(s for s in order.shipments if s.warehouse == "madrid")
    world.shop.refuse(order.id, tee.id, reason="shelf_empty")

    after = world.shop.cancel(order.id, reason="changed_mind")

    assert word(after) == "cancelled"
    assert all(level.reserved == 0 for level in world.shop.stock())
