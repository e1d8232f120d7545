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
    [
        (ShippingPolicy.NONE, 490),
        (ShippingPolicy.PRO_RATA, 0),
        (ShippingPolicy.FULL, 0),
        (ShippingPolicy.FULL_ON_FULL_RETURN, 0),
    ],
)
def test_what_was_cancelled_of_an_amendment_in_doubt_takes_its_shipping_along(
    shipping: ShippingPolicy, left: int
) -> None:
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
    # `full` gives all of the shipping back with the first unit of the order
    own = 2500 + (0 if shipping is ShippingPolicy.FULL else 490)
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


def test_a_refund_of_what_good_will_gave_back_ends_at_once_and_the_last_parcel_captures_nothing() -> None:
    """Per shipment: nothing is there to give back for a mug that good will has paid, so its refund is done, and the last parcel costs nothing."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}}, policies=Policies(capture=LATER))
    order = world.shop.place(a_cart(("MUG", 1, "10.00"), ("TEE", 1, "10.00")), "pm_visa")
    mug, tee = sorted(order.shipments, key=lambda s: s.warehouse)
    world.shop.ship(order.id, mug.id)
    world.shop.deliver(order.id, mug.id)
    world.shop.refund(order.id, "10.00", reason="sorry")
    back = world.shop.request_return(order.id, {"MUG": 1}, reason="broken").returns[0]
    received = world.shop.receive_return(order.id, back.id, warehouse="berlin")

    after = world.shop.ship(order.id, tee.id)

    assert [r.state for r in received.refunds] == ["refunded", "refunded"]
    assert received.payments[0].capturable_minor == 1000
    assert (after.paid_minor, after.due_minor) == (0, 0)
    assert after.payments[0].capturable_minor == 0
    assert world.bank.total(OperationKind.VOID) == 1000


KEEP = RefundPolicy(cancellation_shipping=ShippingPolicy.NONE)


def test_shipping_that_a_shop_keeps_is_captured_and_the_rest_let_go() -> None:
    """Per shipment: a confirmed order is cancelled under a policy that keeps shipping; the card pays that and holds nothing more."""
    world = a_world(policies=Policies(capture=LATER, refund=KEEP))
    order = world.shop.place(a_cart(("MUG", 2, "50.00"), shipping="4.90"), "pm_visa")

    after = world.shop.cancel(order.id, reason="changed_mind")

    assert (after.state, after.paid_minor, after.due_minor) == ("cancelled", 490, 490)
    assert after.payments[0].capturable_minor == 0
    assert [r.state for r in after.refunds] == ["refunded"]
    assert world.bank.total(OperationKind.CAPTURE) == 490
    assert world.bank.total(OperationKind.VOID) == 10000
    assert not world.shop.why(order.id).waits_for


def test_shipping_of_a_cancelled_order_is_captured_after_a_doubt() -> None:
    """The capture is sent, asked about and sent again like any other: a cancelled order does not take the doubt for an answer."""
    world = a_world(policies=Policies(capture=LATER, refund=KEEP))
    order = world.shop.place(a_cart(("MUG", 2, "50.00"), shipping="4.90"), "pm_visa")
    world.bank.say = lambda _: "never"
    world.shop.cancel(order.id, reason="changed_mind")
    world.bank.say = lambda _: "yes"

    for _ in range(4):
        world.clock.advance(minutes=30)
        world.shop.sweep()

    after = world.shop.order(order.id)
    assert (after.paid_minor, after.due_minor, after.findings) == (490, 490, ())
    assert after.payments[0].capturable_minor == 0


def test_an_authorization_that_ran_out_leaves_nothing_to_capture() -> None:
    """What a cancelled order still owes is taken as long as an authorization is there; a new one is not asked for."""
    world = a_world(policies=Policies(capture=LATER, refund=KEEP))
    world.bank.expires_after = timedelta(hours=1)
    order = world.shop.place(a_cart(("MUG", 2, "50.00"), shipping="4.90"), "pm_visa")
    world.bank.say = lambda asked: "no" if asked.kind is OperationKind.CAPTURE else "yes"
    world.shop.cancel(order.id, reason="changed_mind")

    for _ in range(8):
        world.clock.advance(hours=1)
        world.shop.sweep()

    after = world.shop.order(order.id)
    assert (after.paid_minor, after.authorized_minor) == (0, 0)
    assert [o.kind for _, o in after.operations()] == [OperationKind.AUTHORIZE, OperationKind.CAPTURE]
    assert after.findings == (f"capture_failed:{after.operations()[1][1].id}",)


@pytest.mark.parametrize("mode", CaptureMode)
def test_nothing_is_kept_of_an_order_whose_payment_never_came(mode: CaptureMode) -> None:
    """A part was paid, the rest never came, the reservation runs out: all of it goes back, whatever the policy keeps of cancellations."""
    world = a_world(policies=Policies(capture=mode, refund=KEEP))
    world.bank.say = lambda asked: "never" if asked.tender == "card" else "yes"
    world.bank.silent = True
    tenders = [Tender(method="gift", kind="gift_card", amount_minor=3000), Tender(method="pm_silent")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00"), shipping="4.90"), tenders)
    world.clock.advance(hours=2)
    world.shop.sweep()
    world.bank.silent = False

    for _ in range(4):
        world.clock.advance(hours=1)
        world.shop.sweep()

    after = world.shop.order(order.id)
    assert after.state in ("cancelled", "payment_failed")
    assert (after.paid_minor, world.bank.total(OperationKind.REFUND)) == (0, 3000)


def test_nothing_is_kept_of_an_order_whose_payment_failed() -> None:
    """The refund of the part that was paid is refused, the customer cancels, a person attends: all of it goes back."""
    world = a_world(policies=Policies(refund=KEEP))
    world.bank.say = lambda asked: "no" if asked.tender == "card" or asked.kind is OperationKind.REFUND else "yes"
    tenders = [Tender(method="gift", kind="gift_card", amount_minor=3000), Tender(method="pm_empty")]
    order = world.shop.place(a_cart(("MUG", 1, "50.00"), shipping="4.90"), tenders)
    for _ in range(4):
        world.clock.advance(hours=2)
        world.shop.sweep()
    world.bank.say = lambda _: "yes"

    cancelled = world.shop.cancel(order.id, reason="changed_mind")
    for finding in cancelled.findings:
        cancelled = world.shop.attend(order.id, finding)

    assert (cancelled.state, cancelled.due_minor, cancelled.paid_minor) == ("cancelled", 0, 0)


@pytest.mark.parametrize("mode", CaptureMode)
def test_nothing_is_kept_of_an_order_that_was_cancelled_before_its_payment_was_known(mode: CaptureMode) -> None:
    """The customer was faster than the provider: what was taken or is held after all goes back whole."""
    world = a_world(policies=Policies(capture=mode, refund=KEEP))
    world.bank.say, world.bank.silent = (lambda _: "lost"), True
    order = world.shop.place(a_cart(("MUG", 1, "50.00"), shipping="4.90"), "pm_visa")
    assert order.state == "payment_pending"
    world.shop.cancel(order.id, reason="changed_mind")
    world.bank.say, world.bank.silent = (lambda _: "yes"), False

    for _ in range(4):
        world.clock.advance(hours=1)
        world.shop.sweep()

    after = world.shop.order(order.id)
    assert (after.state, after.due_minor, after.paid_minor) == ("cancelled", 0, 0)
    assert [p.capturable_minor for p in after.payments] == [0]


def test_units_that_are_refused_before_the_payment_is_known_follow_the_policy() -> None:
    """Only an order that is wholly given up before it was confirmed keeps nothing: this one may still be confirmed and shipped."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}}, policies=Policies(refund=KEEP))
    world.bank.say, world.bank.silent = (lambda _: "lost"), True
    order = world.shop.place(a_cart(("MUG", 1, "10.00"), ("TEE", 1, "10.00"), shipping="4.90"), "pm_visa")

    after = world.shop.refuse(order.id, order.shipments[0].id, reason="empty", missing={1: 1})

    assert (after.state, after.due_minor) == ("payment_pending", 1490)
