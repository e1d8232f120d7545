"""Shipping and authorizations when goods are given up: nothing is charged that was not agreed to, and nothing stays held for good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orderkit import CaptureMode, Policies, Tender
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import RefundPolicy, ShippingPolicy
from tests.shops import a_cart, a_world

LATER = CaptureMode.PER_SHIPMENT
SHIPPING = tuple(ShippingPolicy)


@pytest.mark.parametrize("mode", CaptureMode)
@pytest.mark.parametrize("shipping", SHIPPING)
def test_a_refused_amendment_leaves_the_order_worth_what_it_was(mode: CaptureMode, shipping: ShippingPolicy) -> None:
    """The shipping and the fee that came with the added lines go with them, whatever the policy; what was agreed before stays."""
    policies = Policies(capture=mode, refund=RefundPolicy(cancellation_shipping=shipping))
    world = a_world(policies=policies)
    before = world.shop.place(a_cart(("MUG", 1, "12.50"), shipping="4.90"), "pm_visa")
    world.bank.say = lambda _: "no"
    added = a_cart(("TEE", 2, "20.00"), ("MUG", 1, "12.50"), shipping="9.91").charged("wrap", "1.01", kind="fee")

    after = world.shop.amend(before.id, add=added, pay_with="pm_empty")

    assert (after.due_minor, after.paid_minor) == (before.due_minor, before.paid_minor)
    world.bank.say = lambda _: "yes"
    shipped = world.shop.ship(before.id, next(s.id for s in after.shipments if s.waiting))
    assert shipped.paid_minor == shipped.due_minor == 1740
    assert shipped.findings == ()
    assert {r.state for r in shipped.refunds} == {"refunded"}
    assert world.bank.total(OperationKind.REFUND) == 0


@pytest.mark.parametrize(
    ("shipping", "left"),
    [(ShippingPolicy.NONE, 490), (ShippingPolicy.PRO_RATA, 0), (ShippingPolicy.FULL, 0), (ShippingPolicy.FULL_ON_FULL_RETURN, 0)],
)
def test_what_was_cancelled_of_an_amendment_in_doubt_takes_its_shipping_along(shipping: ShippingPolicy, left: int) -> None:
    """Units of the added lines and then the whole order are cancelled while the answer is awaited; the amendment's shipping goes in the end."""
    policies = Policies(capture=LATER, refund=RefundPolicy(cancellation_shipping=shipping))
    world = a_world(policies=policies)
    placed = world.shop.place(a_cart(("MUG", 1, "12.50"), shipping="4.90"), "pm_visa")
    world.bank.say, world.bank.silent = (lambda _: "never"), True
    world.shop.amend(placed.id, add=a_cart(("TEE", 3, "20.00"), shipping="9.91"), pay_with="pm_silent")
    world.shop.cancel(placed.id, {2: 1}, reason="changed_mind")
    world.shop.cancel(placed.id, reason="changed_mind")
    world.bank.say, world.bank.silent = (lambda _: "yes"), False

    world.clock.advance(hours=1)
    world.shop.sweep()
    world.shop.sweep()

    order = world.shop.order(placed.id)
    assert order.due_minor == left
    assert order.credited_minor == order.total_minor - left


@pytest.mark.parametrize("shipping", SHIPPING)
def test_a_part_of_an_amendment_that_was_cancelled_before_it_was_refused(shipping: ShippingPolicy) -> None:
    """What a cancellation in between gave back of the shipping is not given back again; the order is worth its own lines."""
    policies = Policies(refund=RefundPolicy(cancellation_shipping=shipping))
    world = a_world(policies=policies)
    placed = world.shop.place(a_cart(("MUG", 2, "12.50"), shipping="4.90"), "pm_visa")
    world.bank.say, world.bank.silent = (lambda asked: "never" if asked.method == "pm_silent" else "yes"), True
    world.shop.amend(placed.id, add=a_cart(("TEE", 3, "20.00"), shipping="9.91"), pay_with="pm_silent")
    world.shop.cancel(placed.id, {2: 1}, reason="changed_mind")
    world.bank.say, world.bank.silent = (lambda asked: "no" if asked.method == "pm_silent" else "yes"), False

    for _ in range(5):
        world.clock.advance(hours=1)
        world.shop.sweep()

    order = world.shop.order(placed.id)
    own = 2500 + (0 if shipping is ShippingPolicy.FULL else 490)  # FULL gives all of it back with the first unit of the order
    assert order.due_minor == order.paid_minor == own


def test_a_last_parcel_that_captures_nothing_lets_the_authorization_go() -> None:
    """Per shipment: another tender has paid for what is left, so what the card still holds is given up when the last parcel leaves."""
    world = a_world(policies=Policies(capture=LATER))
    order = world.shop.place(a_cart(("MUG", 1, "10.00"), ("TEE", 1, "10.00")), "pm_visa")
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    gift = Tender(method="gift", kind="gift_card")
    order = world.shop.amend(order.id, add=a_cart(("TEE", 1, "10.00")), pay_with=gift)

    for shipment in [s.id for s in order.shipments if s.waiting]:
        order = world.shop.ship(order.id, shipment)

    assert order.paid_minor == order.due_minor == 2000
    assert [p.authorized_minor - p.captured_minor for p in order.payments] == [0, 0]
    assert world.bank.total(OperationKind.VOID) == 1000


def test_a_refund_ends_with_a_last_parcel_that_captures_nothing() -> None:
    """Per shipment: good will has paid for the last parcel already, so a refund that waited for its capture is done when it leaves."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}}, policies=Policies(capture=LATER))
    order = world.shop.place(a_cart(("MUG", 1, "10.00"), ("TEE", 1, "10.00")), "pm_visa")
    mug, tee = sorted(order.shipments, key=lambda s: s.warehouse)
    world.shop.ship(order.id, mug.id)
    world.shop.deliver(order.id, mug.id)
    world.shop.refund(order.id, "10.00", reason="sorry")
    back = world.shop.request_return(order.id, {"MUG": 1}, reason="broken").returns[0]
    waits = world.shop.receive_return(order.id, back.id, warehouse="berlin")

    after = world.shop.ship(order.id, tee.id)

    assert [r.state for r in waits.refunds] == ["refunded", "granted"]
    assert [r.state for r in after.refunds] == ["refunded", "refunded"]
    assert (after.paid_minor, after.due_minor) == (0, 0)
    assert after.payments[0].capturable_minor == 0
    assert world.bank.total(OperationKind.VOID) == 1000


