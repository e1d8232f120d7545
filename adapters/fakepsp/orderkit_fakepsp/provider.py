"""The fake payment provider: its port, once for threads and once for event loops, and the controls that only a test or a demo has.

Both classes ask the same desk; they differ in how they wait. The controls write into the book, so another process on the same book sees
them too. Operations take the time of `at`; only latency is real time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.errors import InvalidInput, NotFound
from orderkit.ports.payments import AskPayment, MoveMoney, PaymentAnswer, PaymentCapabilities, Refused, Unknown
from orderkit_fakepsp.book import Book, Entry, instant, microseconds
from orderkit_fakepsp.cards import has_balance
from orderkit_fakepsp.desk import Desk, Personality, Reply
from orderkit_fakepsp.webhooks import Delivery, PaymentEvent, event_kind, signed

CAPABILITIES = PaymentCapabilities(tenders=frozenset({"card", "gift_card", "store_credit"}), webhooks=True)
SECRET = "whsec_fakepsp"  # noqa: S105  # known to everybody on purpose; a URL may name another
_IN_DOUBT = Unknown("book_unavailable")


@attrs.frozen(kw_only=True)
class Totals:
    """What the provider's book says of one payment, for reconciliation. Minor units."""

    payment: str
    order_id: str
    method: str
    currency: str
    authorized_minor: int
    captured_minor: int
    refunded_minor: int


@attrs.frozen(kw_only=True)
class Movement:
    """One operation in the provider's book. `state` is unsent, pending, confirmed, refused or reversed; a key that never happened has no kind."""

    key: str
    kind: OperationKind | None
    amount_minor: int
    currency: str
    state: str
    reason: str
    reference: str
    at: datetime


class Provider:
    """What both forms share: the book behind them, and the controls."""

    def __init__(
        self,
        book: Book | None = None,
        *,
        personality: Personality | None = None,
        capabilities: PaymentCapabilities = CAPABILITIES,
        secret: str = SECRET,
    ) -> None:
        self.capabilities = capabilities
        self._book = Book() if book is None else book
        self._personality = Personality() if personality is None else personality
        self._desk = Desk(self._book, self._personality, capabilities)
        self._secret = secret
        self._listeners: list[Callable[[Delivery], object]] = []

    # ---- what happened

    def totals(self) -> dict[str, Totals]:
        """Return what was authorized, captured and refunded, by payment."""
        with self._book.reading():
            accounts = self._book.accounts()
        return {
            a.payment: Totals(
                payment=a.payment,
                order_id=a.order_id,
                method=a.method,
                currency=a.currency,
                authorized_minor=a.authorized_minor,
                captured_minor=a.captured_minor,
                refunded_minor=a.refunded_minor,
            )
            for a in accounts
        }

    def movements(self, payment: str) -> tuple[Movement, ...]:
        """Return everything that was asked for a payment and what came of it, oldest first."""
        with self._book.reading():
            entries = self._book.entries(payment)
        return tuple(
            Movement(
                key=e.key,
                kind=e.kind,
                amount_minor=e.amount_minor,
                currency=e.currency,
                state="reversed" if e.reversed else e.state,
                reason=e.reason,
                reference=e.reference,
                at=instant(e.at),
            )
            for e in entries
        )

    # ---- controls

    def issue(self, method: str, amount_minor: int, currency: str) -> None:
        """Put an amount on a gift card (`gift_<code>`) or a customer's store credit (`credit_<customer>`)."""
        if not has_balance(method) or amount_minor <= 0:
            raise InvalidInput(f"{amount_minor} cannot be put on {method!r}", field="method")
        with self._book.writing():
            before = self._book.issued(method)
            if before is not None and before[0] != currency:
                raise InvalidInput(f"{method} is in {before[0]}", code="mixed_currency", field="currency")
            self._book.issue(method, amount_minor, currency)

    def balance(self, method: str, at: datetime) -> int:
        """Return what is left on a gift card or store credit, in minor units; one that was never issued holds nothing."""
        with self._book.reading():
            found = self._desk.balance(method, microseconds(at))
        return 0 if found is None else found[1]

    def outage(self, begins_at: datetime, ends_at: datetime) -> None:
        """Let nobody reach the provider from one time until another: calls and questions get no answer, and nothing happens."""
        with self._book.writing():
            self._book.add_outage(microseconds(begins_at), microseconds(ends_at))

    def review(self, payment: str, *, at: datetime, approve: bool = True) -> None:
        """Decide about a payment that is held for review. Raises `NotFound` when none is."""
        self._decide(payment, "in_review", at, "ok" if approve else "fraud_blocked")

    def complete_action(self, payment: str, *, at: datetime, success: bool = True) -> None:
        """Let the customer do, or fail, what the bank asks of them (3-D Secure). Raises `NotFound` when nothing is asked."""
        self._decide(payment, "needs_action", at, "ok" if success else "authentication_failed")

    def _decide(self, payment: str, waiting_for: str, at: datetime, outcome: str) -> None:
        now = microseconds(at)
        with self._book.writing():
            waiting = [e for e in self._book.entries(payment) if e.state == "pending" and e.reason == waiting_for]
            late = [e for e in waiting if e.settles_at is not None and e.settles_at <= now]
            for entry in waiting:
                if entry in late and entry.settles_at is not None:
                    self._desk.decide(entry, entry.settles_at, entry.settles_as)
                else:
                    self._desk.decide(entry, now, outcome)
        if len(waiting) == len(late):
            raise NotFound(f"payment {payment} is not {waiting_for.replace('_', ' ')}", field="payment")

    # ---- webhooks

    def listen(self, listener: Callable[[Delivery], object]) -> None:
        """Hand webhooks that overtake their own reply to the listener, before the reply. All others wait in `deliveries`."""
        self._listeners.append(listener)

    def deliveries(self, now: datetime, *, limit: int = 100) -> list[Delivery]:
        """Return the webhooks that are sent by now, as often and in the order that the cards ask for; each is handed out once.

        What the provider decides by itself (a refund that fails after two days) is decided first.
        """
        at = microseconds(now)
        with self._book.writing():
            for entry in self._book.to_settle(at, limit):
                self._desk.decide(entry, entry.settles_at or at, entry.settles_as)
            due = self._book.to_tell(at, limit)
            return [self._told(entry, now) for entry in due]

    def _told(self, entry: Entry, now: datetime) -> Delivery:
        """Write that an event was sent, and return it; a repeat has the same id."""
        done = entry.state == "confirmed"
        card_disputes = entry.told > 0 and self._desk.disputes(entry)
        following = attrs.evolve(entry, told=entry.told + 1)
        self._book.put_entry(attrs.evolve(following, tell_at=self._desk.tell_at(following)))
        kind = event_kind(entry.operation, done=done, disputed=card_disputes)
        event = PaymentEvent(
            id=f"evt_{kind.partition('.')[2]}_{entry.key}",
            kind=kind,
            reference=entry.key,
            payment=entry.payment,
            amount_minor=entry.amount_minor,
            currency=entry.currency,
            at=instant(entry.end),
            reason=entry.reason,
        )
        body = event.body()
        return Delivery(event=event, body=body, signature=signed(body, self._secret, now), at=now)

    def _overtake(self, asked: MoveMoney) -> None:
        """Send the webhook of an operation whose reply is still on its way."""
        if not self._listeners:
            return
        with self._book.writing():
            entry = self._book.entry(asked.key)
            if entry is None or entry.tell_at is None or entry.told:
                return
            delivery = self._told(entry, asked.at)
        for listener in self._listeners:
            listener(delivery)

    # ---- answers

    def _move(self, asked: Sequence[MoveMoney]) -> list[Reply]:
        """Ask the desk; when its book cannot be written nobody knows what happened."""
        try:
            replies = self._desk.move(asked)
        except sqlite3.Error:
            return [Reply(_IN_DOUBT)] * len(asked)
        for one, reply in zip(asked, replies, strict=True):
            if reply.overtaken:
                self._overtake(one)
        return replies

    def _ask(self, asked: Sequence[AskPayment]) -> list[PaymentAnswer]:
        try:
            return self._desk.ask(asked)
        except sqlite3.Error:
            return [_IN_DOUBT] * len(asked)

    def _wait(self, replies: Sequence[Reply]) -> float:
        refused = all(reply.answer == Refused("unsupported") for reply in replies)
        slowest = max((reply.seconds for reply in replies), default=0.0)
        return 0.0 if refused else slowest + self._personality.latency_seconds


class FakePayments(Provider):
    """The provider for threads. Many operations at once share one transaction of the book."""

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Do an operation once per key."""
        return self.move_money_many([asked])[0]

    def move_money_many(self, asked: Sequence[MoveMoney]) -> list[PaymentAnswer]:
        """Do several operations; each is answered for itself."""
        replies = self._move(asked)
        if seconds := self._wait(replies):
            time.sleep(seconds)
        return [reply.answer for reply in replies]

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Say what became of a key."""
        return self._ask([asked])[0]

    def ask_payment_many(self, asked: Sequence[AskPayment]) -> list[PaymentAnswer]:
        """Say what became of several keys."""
        return self._ask(asked)

    def close(self) -> None:
        """Close the book."""
        self._book.close()


class AsyncFakePayments(Provider):
    """The provider for event loops. The book is written in a thread: a write may wait for another process."""

    async def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Do an operation once per key."""
        return (await self.move_money_many([asked]))[0]

    async def move_money_many(self, asked: Sequence[MoveMoney]) -> list[PaymentAnswer]:
        """Do several operations; each is answered for itself."""
        replies = await asyncio.to_thread(self._move, asked)
        if seconds := self._wait(replies):
            await asyncio.sleep(seconds)
        return [reply.answer for reply in replies]

    async def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Say what became of a key."""
        return (await self.ask_payment_many([asked]))[0]

    async def ask_payment_many(self, asked: Sequence[AskPayment]) -> list[PaymentAnswer]:
        """Say what became of several keys."""
        return await asyncio.to_thread(self._ask, asked)

    async def close(self) -> None:
        """Close the book."""
        self._book.close()
