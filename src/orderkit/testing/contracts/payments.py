"""The contract of a payment adapter.

Inherit `PaymentsContract`, override the fixture `payments`, and name methods that your provider knows:

    class TestAcme(PaymentsContract):
        method = "tok_visa"
        lost_method = "tok_reply_lost"

        @pytest.fixture
        def payments(self):
            with closing(AcmePayments(sandbox=True)) as payments:
                yield payments

What the adapter claims in `capabilities` is tested; what it does not claim must be refused. A method that is left out skips its tests. An
adapter for event loops is wrapped in `BlockingPayments`. Nothing here knows any adapter.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pytest

from orderkit.domain.payment import OperationKind
from orderkit.ports.payments import (
    AskPayment,
    AsyncPayments,
    Confirmed,
    MoveMoney,
    PaymentAnswer,
    Payments,
    Refused,
    Reversed,
    Unknown,
)

A = TypeVar("A")

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THREADS = 16
_ORDERS = itertools.count(1)


class EventLoop:
    """An event loop in a thread of its own, for suites that call from many threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, A]) -> A:
        """Run a coroutine on the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop the loop and its thread."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BlockingPayments:
    """An adapter for event loops, as the suite calls it."""

    def __init__(self, payments: AsyncPayments) -> None:
        self.capabilities = payments.capabilities
        self._payments = payments
        self._loop = EventLoop()

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Pass the operation on."""
        return self._loop.run(self._payments.move_money(asked))

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Pass the question on."""
        return self._loop.run(self._payments.ask_payment(asked))

    def close(self) -> None:
        """Close the adapter and the loop."""
        self._loop.run(self._payments.close())
        self._loop.close()


class Tab:
    """One payment of a new order in the story of a test: asks for operations on it, each under a key of its own."""

    def __init__(self, payments: Payments, method: str, tender: str, currency: str = "EUR") -> None:
        self.payments, self.method, self.tender, self.currency = payments, method, tender, currency
        self.order_id = f"contract-{MONDAY:%y%m%d}-{next(_ORDERS)}"
        self.payment = f"{self.order_id}-P1"
        self._operations = itertools.count(11)  # tests that name their key use .1

    def asked(
        self, kind: OperationKind, amount_minor: int, *, key: str | None = None, at: datetime = MONDAY
    ) -> MoveMoney:
        """Return an operation under a new key, or the given one."""
        return MoveMoney(
            key=key or f"{self.payment}.{next(self._operations)}/1",
            kind=kind,
            payment=self.payment,
            method=self.method,
            tender=self.tender,
            amount_minor=amount_minor,
            currency=self.currency,
            order_id=self.order_id,
            at=at,
        )

    def move(
        self, kind: OperationKind, amount_minor: int, *, key: str | None = None, at: datetime = MONDAY
    ) -> PaymentAnswer:
        """Ask for an operation."""
        return self.payments.move_money(self.asked(kind, amount_minor, key=key, at=at))

    def ask(self, key: str, *, at: datetime = MONDAY) -> PaymentAnswer:
        """Ask what became of a key."""
        return self.payments.ask_payment(AskPayment(key=key, payment=self.payment, at=at))


class PaymentsContract:
    """What every payment adapter does."""

    method: ClassVar[str] = "pm_visa"
    tender: ClassVar[str] = "card"
    declined_method: ClassVar[str | None] = None
    lost_method: ClassVar[str | None] = None
    unsent_method: ClassVar[str | None] = None
    reversed_method: ClassVar[str | None] = None  # its first refund comes back
    reversed_after: ClassVar[timedelta] = timedelta(days=5)

    @pytest.fixture
    def payments(self) -> Iterator[Payments]:
        """The adapter under test. Override it."""
        pytest.fail("override this fixture with your adapter")

    def tab(self, payments: Payments, method: str | None = None, *, currency: str = "EUR") -> Tab:
        """Return a payment of a new order."""
        return Tab(payments, method or self.method, self.tender, currency)

    def authorized(self, payments: Payments, amount_minor: int) -> Tab:
        """Return a payment with an authorization, or skip the test when the adapter does not claim any."""
        if not payments.capabilities.authorize:
            pytest.skip("the adapter does not claim authorizations")
        tab = self.tab(payments)
        assert isinstance(tab.move(OperationKind.AUTHORIZE, amount_minor), Confirmed)
        return tab

    # ---- once per key

    def test_a_charge_is_confirmed_with_a_reference(self, payments: Payments) -> None:
        """A good card is charged, and the provider names what it did."""
        answer = self.tab(payments).move(OperationKind.CHARGE, 5_750)
        assert isinstance(answer, Confirmed)
        assert answer.reference

    def test_a_repeated_key_gets_the_first_answer_and_moves_nothing(self, payments: Payments) -> None:
        """The same key asked for twice, an hour apart, charges once: only one charge can be refunded."""
        tab = self.tab(payments)
        first = tab.move(OperationKind.CHARGE, 5_750, key=f"{tab.payment}.1/1")
        again = tab.move(OperationKind.CHARGE, 5_750, key=f"{tab.payment}.1/1", at=MONDAY + timedelta(hours=1))
        assert again == first
        assert isinstance(tab.move(OperationKind.REFUND, 5_751), Refused)

    def test_one_key_in_parallel_moves_money_once(self, payments: Payments) -> None:
        """Sixteen threads ask for one charge at once: one reference, and one charge to refund."""
        tab = self.tab(payments)
        asked = tab.asked(OperationKind.CHARGE, 1_250)
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(payments.move_money, [asked] * THREADS))
        settled = payments.ask_payment(AskPayment(key=asked.key, payment=tab.payment, at=MONDAY))
        assert isinstance(settled, Confirmed)
        assert {answer for answer in answers if not isinstance(answer, Unknown)} <= {settled}
        assert isinstance(tab.move(OperationKind.REFUND, 1_251), Refused)

    def test_a_key_with_another_amount_is_refused(self, payments: Payments) -> None:
        """A key stands for one request; the first one stays as it was."""
        tab = self.tab(payments)
        first = tab.move(OperationKind.CHARGE, 1_250, key=f"{tab.payment}.1/1")
        assert tab.move(OperationKind.CHARGE, 1_300, key=f"{tab.payment}.1/1") == Refused("key_reused")
        assert tab.ask(f"{tab.payment}.1/1") == first

    def test_two_orders_keep_their_money_apart(self, payments: Payments) -> None:
        """What one order paid cannot be refunded to another."""
        anna, ben = self.tab(payments), self.tab(payments)
        assert isinstance(anna.move(OperationKind.CHARGE, 2_000), Confirmed)
        assert isinstance(ben.move(OperationKind.REFUND, 2_000), Refused)

    # ---- questions

    def test_a_question_finds_what_was_done(self, payments: Payments) -> None:
        """Asking by key gives the answer that the call gave."""
        tab = self.tab(payments)
        answer = tab.move(OperationKind.CHARGE, 999, key=f"{tab.payment}.1/1")
        assert tab.ask(f"{tab.payment}.1/1") == answer

    def test_a_key_that_never_arrived_is_not_found_and_never_will_be(self, payments: Payments) -> None:
        """`not_found` is a promise: the call that was still travelling is refused when it arrives."""
        tab = self.tab(payments)
        assert tab.ask(f"{tab.payment}.1/1") == Refused("not_found")
        late = tab.move(OperationKind.CHARGE, 999, key=f"{tab.payment}.1/1", at=MONDAY + timedelta(seconds=9))
        assert isinstance(late, Refused)
        assert isinstance(tab.move(OperationKind.REFUND, 999), Refused)

    def test_a_lost_reply_is_found_by_asking(self, payments: Payments) -> None:
        """The money moved and the reply was lost: the call says unknown, the question says confirmed, and a repeat moves nothing more."""
        if self.lost_method is None:
            pytest.skip("no method loses replies on purpose")
        tab = self.tab(payments, self.lost_method)
        key = f"{tab.payment}.1/1"
        assert isinstance(tab.move(OperationKind.CHARGE, 4_000, key=key), Unknown)
        found = tab.ask(key, at=MONDAY + timedelta(seconds=1))
        assert isinstance(found, Confirmed)
        assert tab.move(OperationKind.CHARGE, 4_000, key=key) == found
        assert isinstance(tab.move(OperationKind.REFUND, 4_001), Refused)

    def test_a_call_that_never_arrived_can_be_made_again(self, payments: Payments) -> None:
        """The call timed out before it arrived: the question says so, and the next attempt, under the next key, goes through."""
        if self.unsent_method is None:
            pytest.skip("no method times out on purpose")
        tab = self.tab(payments, self.unsent_method)
        assert isinstance(tab.move(OperationKind.CHARGE, 4_000, key=f"{tab.payment}.1/1"), Unknown)
        assert tab.ask(f"{tab.payment}.1/1") == Refused("not_found")
        assert isinstance(tab.move(OperationKind.CHARGE, 4_000, key=f"{tab.payment}.1/2"), Confirmed)
        assert isinstance(tab.move(OperationKind.REFUND, 4_001), Refused)

    def test_a_decline_is_definite_and_has_a_reason(self, payments: Payments) -> None:
        """A declined card moves nothing, says why, and says the same when asked."""
        if self.declined_method is None:
            pytest.skip("no method is declined on purpose")
        tab = self.tab(payments, self.declined_method)
        answer = tab.move(OperationKind.CHARGE, 4_000, key=f"{tab.payment}.1/1")
        assert isinstance(answer, Refused)
        assert answer.reason
        assert tab.ask(f"{tab.payment}.1/1") == answer

    # ---- refunds

    def test_a_refund_gives_back_what_was_captured(self, payments: Payments) -> None:
        """The whole charge can be refunded, once."""
        tab = self.tab(payments)
        tab.move(OperationKind.CHARGE, 5_750)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750), Confirmed)
        assert isinstance(tab.move(OperationKind.REFUND, 1), Refused)

    def test_refunds_never_exceed_the_captures(self, payments: Payments) -> None:
        """More than was captured is refused, and the refusal changes nothing."""
        tab = self.tab(payments)
        tab.move(OperationKind.CHARGE, 5_750)
        assert isinstance(tab.move(OperationKind.REFUND, 5_751), Refused)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750), Confirmed)

    def test_parts_are_refunded_if_claimed_and_refused_if_not(self, payments: Payments) -> None:
        """Two refunds share one charge where the adapter claims partial refunds; elsewhere a part is refused."""
        tab = self.tab(payments)
        tab.move(OperationKind.CHARGE, 5_750)
        first = tab.move(OperationKind.REFUND, 2_000)
        if not payments.capabilities.partial_refund:
            assert isinstance(first, Refused)
            assert isinstance(tab.move(OperationKind.REFUND, 5_750), Confirmed)
            return
        assert isinstance(first, Confirmed)
        assert isinstance(tab.move(OperationKind.REFUND, 3_751), Refused)
        assert isinstance(tab.move(OperationKind.REFUND, 3_750), Confirmed)

    def test_parallel_refunds_never_give_back_more_than_was_taken(self, payments: Payments) -> None:
        """Sixteen refunds of 100 race for a charge of 500: five go through."""
        if not payments.capabilities.partial_refund:
            pytest.skip("the adapter does not claim partial refunds")
        tab = self.tab(payments)
        fitting, part_minor = 5, 100
        tab.move(OperationKind.CHARGE, fitting * part_minor)
        asked = [tab.asked(OperationKind.REFUND, part_minor) for _ in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(payments.move_money, asked))
        found = [tab.ask(one.key) for one in asked]
        assert sum(isinstance(answer, Confirmed) for answer in found) == fitting

    def test_a_refund_that_came_back_says_so_and_can_be_made_again(self, payments: Payments) -> None:
        """It was confirmed; from the day on which its money is back it is `Reversed`, and the money is there for another refund."""
        if self.reversed_method is None:
            pytest.skip("no method has a refund come back on purpose")
        tab, later = self.tab(payments, self.reversed_method), MONDAY + self.reversed_after
        key = f"{tab.payment}.2/1"
        tab.move(OperationKind.CHARGE, 5_750)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750, key=key), Confirmed)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750), Refused)
        assert isinstance(tab.ask(key, at=later), Reversed)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750, key=key, at=later), Reversed)
        assert isinstance(tab.move(OperationKind.REFUND, 5_750, at=later), Confirmed)

    # ---- authorizations

    def test_authorizations_are_refused_if_not_claimed(self, payments: Payments) -> None:
        """An adapter that cannot hold money says so, and holds nothing."""
        if payments.capabilities.authorize:
            pytest.skip("the adapter claims authorizations")
        tab = self.tab(payments)
        assert isinstance(tab.move(OperationKind.AUTHORIZE, 5_000), Refused)
        assert isinstance(tab.move(OperationKind.CAPTURE, 5_000), Refused)

    def test_an_authorization_takes_nothing_yet(self, payments: Payments) -> None:
        """What is only authorized cannot be refunded."""
        tab = self.authorized(payments, 5_000)
        assert isinstance(tab.move(OperationKind.REFUND, 5_000), Refused)

    def test_a_capture_never_exceeds_the_authorization(self, payments: Payments) -> None:
        """5,001 of 5,000 are refused; 5,000 go through; then nothing is left."""
        tab = self.authorized(payments, 5_000)
        assert isinstance(tab.move(OperationKind.CAPTURE, 5_001), Refused)
        assert isinstance(tab.move(OperationKind.CAPTURE, 5_000), Confirmed)
        assert isinstance(tab.move(OperationKind.CAPTURE, 1), Refused)

    def test_several_captures_share_an_authorization_if_claimed(self, payments: Payments) -> None:
        """Two shipments, two captures; an adapter that does not claim it refuses the second."""
        tab = self.authorized(payments, 5_000)
        assert isinstance(tab.move(OperationKind.CAPTURE, 2_000), Confirmed)
        assert isinstance(tab.move(OperationKind.CAPTURE, 3_001), Refused)
        second = tab.move(OperationKind.CAPTURE, 3_000)
        assert isinstance(second, Confirmed if payments.capabilities.several_captures else Refused)

    def test_a_void_gives_up_what_is_not_captured(self, payments: Payments) -> None:
        """After a void nothing can be captured, and a second void finds nothing."""
        tab = self.authorized(payments, 5_000)
        assert isinstance(tab.move(OperationKind.VOID, 5_000), Confirmed)
        assert isinstance(tab.move(OperationKind.CAPTURE, 1), Refused)
        assert isinstance(tab.move(OperationKind.VOID, 5_000), Refused)

    def test_a_capture_cannot_be_voided(self, payments: Payments) -> None:
        """What was taken is refunded, not voided."""
        tab = self.authorized(payments, 5_000)
        tab.move(OperationKind.CAPTURE, 5_000)
        assert isinstance(tab.move(OperationKind.VOID, 5_000), Refused)
        assert isinstance(tab.move(OperationKind.REFUND, 5_000), Confirmed)

    def test_an_expired_authorization_cannot_be_captured(self, payments: Payments) -> None:
        """Where the provider names an expiry, a capture from then on is refused."""
        if not payments.capabilities.authorize:
            pytest.skip("the adapter does not claim authorizations")
        tab = self.tab(payments)
        answer = tab.move(OperationKind.AUTHORIZE, 5_000)
        assert isinstance(answer, Confirmed)
        if answer.expires_at is None:
            pytest.skip("the provider names no expiry")
        assert answer.expires_at > MONDAY
        assert isinstance(tab.move(OperationKind.CAPTURE, 5_000, at=answer.expires_at), Refused)

    # ---- amounts and tenders

    @pytest.mark.parametrize(("currency", "amount_minor"), [("JPY", 5_980), ("KWD", 12_345)])
    def test_minor_units_are_taken_as_they_are(self, payments: Payments, currency: str, amount_minor: int) -> None:
        """5,980 yen and 12.345 dinars are charged and refunded to the last minor unit."""
        tab = self.tab(payments, currency=currency)
        assert isinstance(tab.move(OperationKind.CHARGE, amount_minor), Confirmed)
        assert isinstance(tab.move(OperationKind.REFUND, amount_minor + 1), Refused)
        assert isinstance(tab.move(OperationKind.REFUND, amount_minor), Confirmed)

    @pytest.mark.parametrize("amount_minor", [0, -500])
    def test_nothing_and_less_than_nothing_are_refused(self, payments: Payments, amount_minor: int) -> None:
        """An operation moves more than nothing."""
        assert isinstance(self.tab(payments).move(OperationKind.CHARGE, amount_minor), Refused)

    def test_a_tender_that_is_not_claimed_is_refused(self, payments: Payments) -> None:
        """A kind of tender that the adapter does not know moves nothing."""
        tab = self.tab(payments)
        tab.tender = "seashells"
        assert tab.tender not in payments.capabilities.tenders
        assert isinstance(tab.move(OperationKind.CHARGE, 5_000), Refused)
