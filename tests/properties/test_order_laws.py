"""Any sequence of commands, answers and accidents keeps the laws: units conserve, money adds up, the log tells the state.

The machine drives the public API of a shop in memory. Its provider says yes, says no, loses its answer, or never gets the request; its clock
jumps. After every step the invariants look at the store, at the provider's own book, and at the log.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from unittest.mock import patch

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
from orderkit.domain import settling
from orderkit.domain.actions import actions
from orderkit.domain.events import replayed
from orderkit.domain.lifecycle import ORDER, STATUS
from orderkit.domain.owing import missing_minor, stuck
from orderkit.domain.payment import OperationKind
from orderkit.domain.quantities import Bucket
from orderkit.domain.settling import settled, wanted_minor
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import word
from orderkit.domain.value import evolve
from tests.offers import tried
from tests.shops import HOME, a_cart, a_world

ANSWERS = st.sampled_from(["yes", "yes", "yes", "yes", "no", "lost", "never"])
TAKING = (OperationKind.CHARGE, OperationKind.CAPTURE)
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
        reached=st.sampled_from(["placed", "shipped", "delivered", "returned"]),
    )
    def placed(self, lines, discount, shipping, capture, two_tenders, answer, reached) -> None:  # type: ignore[no-untyped-def]
        """Place an order over scarce stock in two warehouses, and take it so far: most trouble begins in the middle."""
        stock = {"MUG": {"berlin": 9, "madrid": 12}, "TEE": {"madrid": 20}, "TENT": {"berlin": 2, "madrid": 8}}
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
        self.cart, self.tenders = cart, pay
        self.judged, self.asked = 0, set[str]()
        for verb in ("ship", "deliver")[: {"placed": 0, "shipped": 1}.get(reached, 2)]:
            for shipment in self.order.shipments:
                self.attempt(verb, shipment.id)
        if reached == "returned":
            self.attempt("request_return", {line.number: 1 for line in self.order.lines}, reason="too_small")

    @property
    def order(self) -> Order:
        """The order as stored."""
        return self.world.shop.order(self.order_id)

    def attempt(self, verb: str, *args: object, repeats: bool = True, **kwargs: object) -> bool:
        """Ask for something, and ask again with the same key: a refusal has a code and changes nothing, and so does a repeat."""
        before, act = self.order, partial(getattr(self.world.shop, verb), self.order_id, *args, **kwargs)
        key = {"key": f"key-{before.version}-{verb}"} if repeats else {}
        try:
            answer = act(**key)
        except OrderkitError as error:
            assert error.code != "internal"
            assert self.order == before
            return False
        assert not repeats or act(**key) == answer == self.order
        return True

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
        self.attempt("cancel", {line.number: units}, reason="changed_mind")

    @rule()
    def cancel(self) -> None:
        """Cancel everything."""
        self.attempt("cancel", reason="changed_mind")

    @precondition(lambda self: self.order.shipments)
    @rule(n=st.integers(0, 3), verb=st.sampled_from(["ship", "ship", "release", "deliver"]))
    def move_shipment(self, n: int, verb: str) -> None:
        """A shipment is handed to its warehouse, leaves, or arrives."""
        self.attempt(verb, self.order.shipments[n % len(self.order.shipments)].id)

    @precondition(lambda self: self.order.shipments)
    @rule(n=st.integers(0, 3))
    def cancel_shipment(self, n: int) -> None:
        """A shipment is cancelled by itself."""
        self.attempt("cancel", shipment=self.order.shipments[n % len(self.order.shipments)].id, reason="late")

    @precondition(lambda self: self.order.shipments)
    @rule(n=st.integers(0, 3), status=st.sampled_from(list(CarrierStatus)))
    def scan(self, n: int, status: CarrierStatus) -> None:
        """A carrier says something of a shipment."""
        shipment, now = self.order.shipments[n % len(self.order.shipments)], self.world.clock.now()
        said = Scan(id=f"{status.value}@{now.isoformat()}", status=status, at=now)
        self.attempt("track", shipment.id, [said], repeats=False)

    @precondition(lambda self: self.order.shipments)
    @rule(n=st.integers(0, 3), missing=st.booleans())
    def refuse(self, n: int, missing: bool) -> None:
        """A warehouse cannot send a shipment, or finds its shelf short."""
        shipment = self.order.shipments[n % len(self.order.shipments)]
        short = {shipment.lines[0][0]: 1} if missing and shipment.lines else None
        if self.attempt("refuse", shipment.id, reason="shelf_empty", missing=short) and short:
            self.received[self.order.line(shipment.lines[0][0]).sku] -= 1

    @rule(n=st.integers(0, 3), units=st.integers(1, 2))
    def request_return(self, n: int, units: int) -> None:
        """The customer wants to send something back."""
        line = self.order.lines[n % len(self.order.lines)]
        self.attempt("request_return", {line.number: units}, reason="too_small")

    @precondition(lambda self: self.order.returns)
    @rule(n=st.integers(0, 3), grade=st.sampled_from(list(Grade)), whole=st.booleans())
    def receive_return(self, n: int, grade: Grade, whole: bool) -> None:
        """A returned parcel arrives, with all or with one unit."""
        found = self.order.returns[n % len(self.order.returns)]
        arrived = None if whole else {found.items[0].line: 1}
        self.attempt("receive_return", found.id, arrived, warehouse="berlin", grade=grade)

    @precondition(lambda self: self.order.returns)
    @rule(n=st.integers(0, 3), verb=st.sampled_from(["send_return", "cancel_return", "close_return"]))
    def end_return(self, n: int, verb: str) -> None:
        """A return is sent, given up, or closed."""
        given = {} if verb == "send_return" else {"reason": "keeps_it"}
        self.attempt(verb, self.order.returns[n % len(self.order.returns)].id, **given)

    @rule(amount=st.sampled_from(["0.01", "5.00", "99999.00"]))
    def goodwill(self, amount: str) -> None:
        """Somebody is generous."""
        self.attempt("refund", amount, reason="sorry")

    @rule()
    def hold(self) -> None:
        """The order is held; while it is, nothing leaves."""
        self.attempt("hold", reason="fraud_review")
        if self.order.active_holds:
            assert not any(self.attempt("ship", shipment.id) for shipment in self.order.shipments if shipment.waiting)

    @precondition(lambda self: self.order.active_holds)
    @rule()
    def release_hold(self) -> None:
        """The hold ends."""
        assert self.attempt("release_hold", self.order.active_holds[0].id)

    @rule(extra=st.sampled_from(SKUS), units=st.integers(1, 3))
    def add_lines(self, extra: str, units: int) -> None:
        """The customer wants more."""
        self.attempt("amend", add=a_cart((extra, units, "7.77")), pay_with="pm_visa")

    @rule(later=st.booleans())
    def amend(self, later: bool) -> None:
        """The customer wants it later, or moves."""
        day = self.world.clock.now().date() + timedelta(days=9)
        elsewhere = evolve(HOME, street="Torstr. 2")
        self.attempt("amend", **({"delivery": DeliveryPreference(not_before=day)} if later else {"ship_to": elsewhere}))

    @precondition(lambda self: self.order.findings)
    @rule()
    def attend(self) -> None:
        """Somebody looks at what is stuck."""
        assert self.attempt("attend", self.order.findings[0])

    @rule(
        answer=ANSWERS,
        amount=st.sampled_from([None, None, 1, 500, 99_999]),
        kind=st.sampled_from(["card", "gift_card"]),
    )
    def pay(self, answer: str, amount: int | None, kind: str) -> None:
        """The customer tries another card, for all that is missing or some of it; it says what it says."""
        say = self.world.bank.say
        self.world.bank.say = lambda asked: answer if asked.method == "pm_other" else say(asked)
        self.attempt("pay", Tender(method="pm_other", kind=kind, amount_minor=amount))

    @rule()
    def the_same_key_again(self) -> None:
        """A repeated placement is the same order, as it is now."""
        assert self.world.shop.place(self.cart, self.tenders, key="the-key") == self.order

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
            assert not held or ORDER.states[order.state].reserves_stock

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
    def nobody_is_asked_for_more_than_is_due(self) -> None:
        """Whenever money is asked for, what is asked for and what is there come to no more than the customer owes then."""
        records, facts = self.world.shop.records(self.order_id), self.order.facts
        for version in range(self.judged + 1, len(records) + 1):
            order = replayed(records[:version], facts)
            asked = {o.id: o for _, o in order.operations() if o.kind in TAKING}
            if asked.keys() - self.asked:
                open_minor = sum(o.amount_minor for o in asked.values() if o.open)
                assert order.paid_minor + open_minor <= order.due_minor
            self.asked |= asked.keys()
        self.judged = len(records)

    @invariant()
    def money_is_not_missing_in_silence(self) -> None:
        """While a confirmed order misses money that nobody is asked for, a finding says so."""
        order = self.order
        assert order.state != "confirmed" or not missing_minor(order) or stuck(order)

    @invariant()
    def what_is_even_needs_no_second_look(self) -> None:
        """Whoever settles at a glance comes to what capturing, paying out and voiding come to."""
        order, now = self.order, self.world.clock.now()
        with patch.object(settling, "_even", lambda _: False):
            looked = settled(order, now)
        assert settled(order, now) == looked

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
