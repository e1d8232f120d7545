"""Any sequence of commands, answers and accidents keeps the laws: units conserve, money adds up, the log tells the state.

The machine drives the public API of a shop in memory. Its provider says yes, says no, loses its answer, or never gets the request; its clock
jumps. After every step the invariants look at the store, at the provider's own book, and at the log.
"""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orderkit import (
    CaptureMode,
    DeliveryPreference,
    Grade,
    NotAllowed,
    Order,
    OrderkitError,
    Policies,
    ReturnPolicy,
    Tender,
)
from orderkit.domain.actions import actions
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.payment import OperationKind
from orderkit.domain.quantities import Bucket
from orderkit.domain.settling import wanted_minor
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import word
from tests.offers import tried
from tests.shops import HOME, a_cart, a_world

ANSWERS = st.sampled_from(["yes", "yes", "yes", "no", "lost", "never"])
SKUS = ("MUG", "TEE", "TENT")


class AnyOrder(RuleBasedStateMachine):
    """One order, and everything that can happen to it."""

    @initialize(
        lines=st.lists(
            st.tuples(st.sampled_from(SKUS), st.integers(1, 5), st.sampled_from(["0.01", "3.33", "12.50", "19.99"])),
            min_size=1,
            max_size=4,
        ),
        discount=st.sampled_from([None, "0.01", "1.00"]),
        shipping=st.sampled_from([None, "4.90"]),
        capture=st.sampled_from(list(CaptureMode)),
        two_tenders=st.booleans(),
        answer=ANSWERS,
    )
    def placed(self, lines, discount, shipping, capture, two_tenders, answer) -> None:  # type: ignore[no-untyped-def]
        """Place an order over scarce stock in two warehouses."""
        stock = {"MUG": {"berlin": 6, "madrid": 6}, "TEE": {"madrid": 9}, "TENT": {"berlin": 2, "madrid": 8}}
        policies = Policies(capture=capture, returns=ReturnPolicy(window=timedelta(days=30)))
        self.world = a_world(stock, policies=policies)
        self.world.bank.say = lambda _: answer
        self.world.bank.expires_after = timedelta(days=7)
        self.received = {sku: sum(units.values()) for sku, units in stock.items()}
        cart = a_cart(*lines, shipping=shipping)
        if discount and cart.prices().subtotal_minor > 200:
            cart = cart.discounted("welcome", discount)
        total = cart.prices().total_minor
        pay = (
            [Tender(method="gift_1", kind="gift_card", amount_minor=1), Tender(method="pm_visa")]
            if two_tenders and total > 1
            else "pm_visa"
        )
        self.order_id = self.world.shop.place(cart, pay, key="the-key").id
        self.cart, self.pay = cart, pay

    @property
    def order(self) -> Order:
        """The order as stored."""
        return self.world.shop.order(self.order_id)

    def attempt(self, act) -> None:  # type: ignore[no-untyped-def]
        """Do something that may be refused; a refusal has a code and changes nothing."""
        before = self.order
        try:
            act()
        except OrderkitError as error:
            assert error.code != "internal"
            assert self.order == before

    @rule(answer=ANSWERS)
    def provider_changes_its_mind(self, answer: str) -> None:
        """From now on the provider answers otherwise."""
        self.world.bank.say = lambda _: answer

    @rule(hours=st.sampled_from([0.01, 1, 30, 24 * 8, 24 * 40]))
    def time_passes(self, hours: float) -> None:
        """The clock moves and a worker sweeps."""
        self.world.clock.advance(hours=hours)
        self.world.shop.sweep()

    @rule(n=st.integers(0, 3), units=st.integers(1, 3))
    def cancel_units(self, n: int, units: int) -> None:
        """Cancel some units of a line."""
        line = self.order.lines[n % len(self.order.lines)]
        self.attempt(lambda: self.world.shop.cancel(self.order_id, {line.number: units}, reason="changed_mind"))

    @rule()
    def cancel(self) -> None:
        """Cancel everything."""
        self.attempt(lambda: self.world.shop.cancel(self.order_id, reason="changed_mind"))

    @rule(n=st.integers(0, 3))
    def ship(self, n: int) -> None:
        """A shipment leaves."""
        if self.order.shipments:
            shipment = self.order.shipments[n % len(self.order.shipments)]
            self.attempt(lambda: self.world.shop.ship(self.order_id, shipment.id))

    @rule(n=st.integers(0, 3), status=st.sampled_from(list(CarrierStatus)))
    def scan(self, n: int, status: CarrierStatus) -> None:
        """A carrier says something of a shipment."""
        if self.order.shipments:
            shipment, now = self.order.shipments[n % len(self.order.shipments)], self.world.clock.now()
            said = Scan(id=f"{status.value}@{now.isoformat()}", status=status, at=now)
            self.attempt(lambda: self.world.shop.track(self.order_id, shipment.id, [said]))

    @rule(n=st.integers(0, 3), missing=st.booleans())
    def refuse(self, n: int, missing: bool) -> None:
        """A warehouse cannot send a shipment, or finds its shelf short."""
        if self.order.shipments:
            shipment = self.order.shipments[n % len(self.order.shipments)]
            short = {shipment.lines[0][0]: 1} if missing and shipment.lines else None
            before = self.world.shop.stock()

            def act() -> None:
                self.world.shop.refuse(self.order_id, shipment.id, reason="shelf_empty", missing=short)
                if short:
                    self.received[self.order.line(shipment.lines[0][0]).sku] -= 1

            self.attempt(act)
            assert before is not None

    @rule(n=st.integers(0, 3), units=st.integers(1, 2))
    def request_return(self, n: int, units: int) -> None:
        """The customer wants to send something back."""
        line = self.order.lines[n % len(self.order.lines)]
        self.attempt(lambda: self.world.shop.request_return(self.order_id, {line.number: units}, reason="too_small"))

    @rule(n=st.integers(0, 3), grade=st.sampled_from(list(Grade)))
    def receive_return(self, n: int, grade: Grade) -> None:
        """A returned parcel arrives."""
        if self.order.returns:
            found = self.order.returns[n % len(self.order.returns)]
            self.attempt(
                lambda: self.world.shop.receive_return(self.order_id, found.id, warehouse="berlin", grade=grade)
            )

    @rule(amount=st.sampled_from(["0.01", "5.00", "99999.00"]))
    def goodwill(self, amount: str) -> None:
        """Somebody is generous."""
        self.attempt(lambda: self.world.shop.refund(self.order_id, amount, reason="sorry"))

    @rule()
    def hold(self) -> None:
        """The order is held; while it is, nothing leaves."""
        self.attempt(lambda: self.world.shop.hold(self.order_id, reason="fraud_review"))
        if self.order.active_holds:
            for shipment in self.order.shipments:
                with pytest.raises(NotAllowed):
                    self.world.shop.ship(self.order_id, shipment.id)

    @precondition(lambda self: self.order.active_holds)
    @rule()
    def release_hold(self) -> None:
        """The hold ends."""
        self.world.shop.release_hold(self.order_id, self.order.active_holds[0].id)

    @rule(n=st.integers(0, 3), what=st.sampled_from(["release", "cancel"]))
    def touch_shipment(self, n: int, what: str) -> None:
        """A shipment is handed to its warehouse early, or cancelled by itself."""
        if self.order.shipments:
            shipment, shop = self.order.shipments[n % len(self.order.shipments)], self.world.shop
            self.attempt(
                lambda: (
                    shop.release(self.order_id, shipment.id)
                    if what == "release"
                    else shop.cancel(self.order_id, shipment=shipment.id, reason="late")
                )
            )

    @precondition(lambda self: self.order.returns)
    @rule(n=st.integers(0, 3), what=st.sampled_from(["send_return", "cancel_return", "close_return", "one"]))
    def touch_return(self, n: int, what: str) -> None:
        """A return is sent, given up, closed, or arrives in part."""
        found, shop = self.order.returns[n % len(self.order.returns)], self.world.shop
        given_up = {"reason": "keeps_it"} if what in ("cancel_return", "close_return") else {}
        line = found.items[0].line
        self.attempt(
            lambda: (
                shop.receive_return(self.order_id, found.id, {line: 1}, warehouse="madrid")
                if what == "one"
                else getattr(shop, what)(self.order_id, found.id, **given_up)
            )
        )

    @rule(part=st.sampled_from(["ship_to", "delivery"]))
    def amend(self, part: str) -> None:
        """The customer moves, or wants it later."""
        wish = {
            "ship_to": attrs.evolve(HOME, street="Torstr. 2"),
            "delivery": DeliveryPreference(not_before=self.world.clock.now().date() + timedelta(days=9)),
        }
        self.attempt(lambda: self.world.shop.amend(self.order_id, **{part: wish[part]}))

    @precondition(lambda self: self.order.findings)
    @rule()
    def attend(self) -> None:
        """Somebody looks at what is stuck."""
        self.world.shop.attend(self.order_id, self.order.findings[0])

    @rule(extra=st.sampled_from(SKUS), units=st.integers(1, 3))
    def add_lines(self, extra: str, units: int) -> None:
        """The customer wants more."""
        self.attempt(
            lambda: self.world.shop.amend(self.order_id, add=a_cart((extra, units, "7.77")), pay_with="pm_visa")
        )

    @precondition(lambda self: self.order.state == "payment_failed")
    @rule()
    def pay_again(self) -> None:
        """The customer tries another card."""
        self.attempt(lambda: self.world.shop.pay(self.order_id, "pm_other"))

    @rule()
    def the_same_key_again(self) -> None:
        """A repeated placement is the same order."""
        assert self.world.shop.place(self.cart, self.pay, key="the-key").id == self.order_id

    @invariant()
    def units_conserve(self) -> None:
        """Every ordered unit is in exactly one bucket, and returns never exceed what left."""
        for line in self.order.lines:
            assert sum(line.buckets[:8]) == line.ordered
            assert 0 <= line.returning <= line.left

    @invariant()
    def stock_conserves(self) -> None:
        """On hand is what came in, less what left, plus what was restocked; promises are what the order holds."""
        order = self.order
        for sku, received in self.received.items():
            levels = list(self.world.shop.stock(sku))
            left = sum(line.left for line in order.lines if line.sku == sku)
            restocked = sum(line[Bucket.RESTOCKED] for line in order.lines if line.sku == sku)
            held = sum(line[Bucket.RESERVED] + line[Bucket.RELEASED] for line in order.lines if line.sku == sku)
            assert sum(level.on_hand for level in levels) == received - left + restocked
            assert sum(level.reserved for level in levels) == held

    @invariant()
    def shipments_hold_what_is_reserved(self) -> None:
        """The waiting shipments hold exactly the reserved and released units of each line."""
        order = self.order
        for line in order.lines:
            held = sum(q for s in order.shipments if s.waiting for n, q in s.lines if n == line.number)
            assert held == line[Bucket.RESERVED] + line[Bucket.RELEASED]

    @invariant()
    def money_stays_in_bounds(self) -> None:
        """Captures never exceed authorizations, refunds never exceed captures, and our book is never ahead of the provider's."""
        order, bank = self.order, self.world.bank
        for payment in order.payments:
            assert 0 <= payment.captured_minor <= payment.authorized_minor
            assert payment.captured_minor <= payment.amount_minor
            assert payment.refunded_minor + payment.open_minor(OperationKind.REFUND) <= payment.captured_minor
        assert order.captured_minor <= bank.total(OperationKind.CHARGE, OperationKind.CAPTURE)
        assert order.refunded_minor <= bank.total(OperationKind.REFUND)
        assert bank.total(OperationKind.REFUND) <= bank.total(OperationKind.CHARGE, OperationKind.CAPTURE)
        assert 0 <= order.credited_minor <= order.total_minor

    @invariant()
    def money_follows_the_goods(self) -> None:
        """When nothing is in flight and nothing failed, the shop has no more than is due: exactly that, once the goods have left."""
        order = self.order
        if not any(o.open for _, o in order.operations()) and not order.findings:
            assert order.paid_minor <= wanted_minor(order)
            everything_left = not any(line.open for line in order.lines)
            if order.state == "confirmed" and (order.facts.policies.capture is CaptureMode.NOW or everything_left):
                assert order.paid_minor == order.due_minor

    @invariant()
    def the_log_tells_the_state(self) -> None:
        """Replaying the records gives the stored order, and every change of status is legal."""
        assert self.world.shop.replay(self.order_id) == self.order
        records = self.world.shop.records(self.order_id)
        assert [r.version for r in records] == list(range(1, len(records) + 1))
        legal = STATUS.pairs()
        for record in records:
            assert record.from_status in (None, record.to_status) or (record.from_status, record.to_status) in legal, (
                record.from_status,
                record.to_status,
            )
        assert records[-1].to_status == word(self.order)

    @invariant()
    def offered_is_accepted(self) -> None:
        """What the order offers, a dry run accepts; what it refuses, a dry run refuses with the same code."""
        for action in actions(self.order, self.world.clock.now()):
            try:
                tried(self.world.shop, self.order, action)
                code = None
            except NotAllowed as error:
                code = None if "short" in error.facts else error.code  # the shelves are not the order's to promise
            assert code == action.code, action


AnyOrder.TestCase.settings = settings(deadline=None, stateful_step_count=12)
TestAnyOrder = AnyOrder.TestCase
