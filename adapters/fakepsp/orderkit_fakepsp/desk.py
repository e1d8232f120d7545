"""The provider's desk: what it answers to an operation or a question, and what it writes into its book. One logic for every driver.

A key is answered once: a repeat gets the first answer, other parameters under it are refused, and a key that was asked about before it
arrived never happens. Chance comes from the seed and the key alone, so the order of calls changes nothing. Nothing here waits, and nothing
reads a clock: time is what the caller says it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.ports.payments import (
    AskPayment,
    Confirmed,
    MoveMoney,
    PaymentAnswer,
    PaymentCapabilities,
    Refused,
    Reversed,
    Unknown,
)
from orderkit_fakepsp.book import Account, Book, Entry, instant, microseconds
from orderkit_fakepsp.cards import ABANDONED, HORIZON, OK, Card, Step, card_of, has_balance
from orderkit_fakepsp.webhooks import travels

SLOW_SECONDS = 0.5
_TAKING = (OperationKind.CHARGE, OperationKind.AUTHORIZE)
_PREFIX = {
    OperationKind.CHARGE: "ch",
    OperationKind.AUTHORIZE: "au",
    OperationKind.CAPTURE: "cp",
    OperationKind.VOID: "vd",
    OperationKind.REFUND: "rf",
}
_NEVER = "not_found"


@attrs.frozen(kw_only=True)
class Personality:
    """What the provider is like. `decline`, `lost` and `timeout` are chances from 0 to 1, drawn by seed and key."""

    seed: int = 0
    decline: float = 0.0
    lost: float = 0.0
    timeout: float = 0.0
    latency_seconds: float = 0.0
    authorization: timedelta = timedelta(days=7)
    horizon: timedelta = HORIZON

    def draws(self, what: str, key: str) -> float:
        """Return a number from 0 up to 1 that depends on the seed, the matter and the key only."""
        digest = hashlib.blake2b(f"{self.seed}/{what}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


PERSONALITIES = {
    "instant": Personality(),
    "flaky": Personality(decline=0.02, lost=0.01, timeout=0.01),
    "slow": Personality(latency_seconds=0.25),
}


@attrs.frozen
class Reply:
    """An answer, how long it takes, and whether the provider's webhook overtakes it."""

    answer: PaymentAnswer
    seconds: float = 0.0
    overtaken: bool = False


class Desk:
    """Answers by the book. `capabilities` are what this provider claims; what it does not claim it refuses."""

    def __init__(self, book: Book, personality: Personality, capabilities: PaymentCapabilities) -> None:
        self.book = book
        self.personality = personality
        self.capabilities = capabilities

    def move(self, asked: Sequence[MoveMoney]) -> list[Reply]:
        """Do operations, all in one transaction of the book."""
        with self.book.writing():
            outages = self.book.outages()
            return [self._moved(one, outages) for one in asked]

    def ask(self, asked: Sequence[AskPayment]) -> list[PaymentAnswer]:
        """Say what became of keys; one that is not known can never happen from now on."""
        with self.book.writing():
            outages = self.book.outages()
            return [self._found(one, outages) for one in asked]

    def decide(self, entry: Entry, at: int, outcome: str) -> Entry:
        """Write the end of a pending entry: `ok`, or a reason why not; or that the money of a refund has come back."""
        if entry.state == "confirmed":
            return self._reversed(entry, at, outcome)
        if entry.kind is not None and outcome == "ok":
            account = self._account(entry)
            refusal = self._refusal(entry, account, at)
            if refusal is None:
                return self._done(entry, account, at)
            outcome = refusal
        return self._not_done(entry, at, outcome)

    # ---- answering

    def _moved(self, asked: MoveMoney, outages: tuple[tuple[int, int], ...]) -> Reply:
        at = microseconds(asked.at)
        if any(begins <= at < ends for begins, ends in outages):
            return Reply(Unknown("unreachable"))
        if (unsupported := self._unsupported(asked)) is not None:
            return Reply(unsupported)
        entry = self.book.entry(asked.key)
        if entry is not None:
            if entry.kind is not None and not _same(entry, asked):
                return Reply(Refused("key_reused"))
            entry = self._settled(entry, at)
            if entry.state != "unsent":
                return Reply(_answer(entry))
        return self._first(asked, entry, at)

    def _found(self, asked: AskPayment, outages: tuple[tuple[int, int], ...]) -> PaymentAnswer:
        at = microseconds(asked.at)
        if any(begins <= at < ends for begins, ends in outages):
            return Unknown("unreachable")
        entry = self.book.entry(asked.key)
        if entry is None or entry.state == "unsent":
            known = entry or Entry(key=asked.key, payment=asked.payment, at=at, state="unsent")
            entry = self._not_done(known, at, _NEVER)
        else:
            entry = self._settled(entry, at)
        return _answer(entry)

    def _unsupported(self, asked: MoveMoney) -> Refused | None:
        can = self.capabilities
        if asked.kind in (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID) and not can.authorize:
            return Refused("unsupported")
        return Refused("unsupported_tender") if asked.tender not in can.tenders else None

    def _first(self, asked: MoveMoney, before: Entry | None, at: int) -> Reply:
        """Answer a key that has not arrived before."""
        card = card_of(asked.method)
        entry = Entry(
            key=asked.key,
            payment=asked.payment,
            kind=asked.kind,
            method=asked.method,
            tender=asked.tender,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            order_id=asked.order_id,
            at=at,
            state="unsent",
            calls=0 if before is None else before.calls,
        )
        if card is None:
            return Reply(_answer(self._not_done(entry, at, "unknown_method")))
        step = self._step(card, entry, before)
        entry = attrs.evolve(entry, calls=entry.calls + 1)
        seconds = SLOW_SECONDS if step.name == "slow" else 0.0
        if step.name == "timeout":
            self.book.put_entry(entry)
            return Reply(Unknown("timeout"))
        if step.name == "refuse":
            return Reply(_answer(self._not_done(entry, at, step.reason)))
        if entry.kind is OperationKind.REFUND:
            self._settle_refunds(entry, at)
        account = self._account(entry)
        refusal = self._refusal(entry, account, at)
        if refusal is not None:
            return Reply(_answer(self._not_done(entry, at, refusal)))
        if (waiting := self._waiting(step, entry)) is not None:
            self.book.put_entry(waiting)
            return Reply(_answer(waiting))
        done = self._done(entry, account, at)
        if step.name == "reverse" and step.after is not None:
            self.book.put_entry(attrs.evolve(done, settles_at=at + microseconds_of(step.after), settles_as=step.reason))
        return Reply(Unknown("reply_lost") if step.name == "lost" else _answer(done), seconds, card.webhooks == "first")

    def _step(self, card: Card, entry: Entry, before: Entry | None) -> Step:
        """Return what this call comes to: by the card's script, else by chance."""
        if card.scripted:
            used = sum(e.calls for e in self.book.entries(entry.payment) if e.kind is entry.kind)
            step = card.step(entry.operation, used)
            if step != OK:
                return step
        drawn = self.personality
        if entry.kind in _TAKING and drawn.decline and drawn.draws("decline", entry.key) < drawn.decline:
            return Step("refuse", "declined")
        if before is None and drawn.timeout and drawn.draws("timeout", entry.key) < drawn.timeout:
            return Step("timeout")
        if drawn.lost and drawn.draws("lost", entry.key) < drawn.lost:
            return Step("lost")
        return OK

    def _waiting(self, step: Step, entry: Entry) -> Entry | None:
        """Return the entry as it waits for its end, if the step makes it wait."""
        after, reason, outcome = {
            "vanish": (self.personality.horizon, "no_answer", _NEVER),
            "review": (None, "in_review", "fraud_blocked"),
            "action": (ABANDONED, "needs_action", "action_abandoned"),
            "pending": (step.after, "pending", step.reason),
        }.get(step.name, (None, "", ""))
        if not reason:
            return None
        settles_at = None if after is None else entry.at + microseconds_of(after)
        return attrs.evolve(entry, state="pending", reason=reason, settles_at=settles_at, settles_as=outcome)

    # ---- rules

    def _account(self, entry: Entry) -> Account | None:
        return self.book.account(entry.payment)

    def _settle_refunds(self, entry: Entry, at: int) -> None:
        """Take back what has come back by now, before it is reckoned what is left."""
        for other in self.book.entries(entry.payment):
            if other.state == "confirmed":
                self._settled(other, at)

    def _refusal(self, entry: Entry, account: Account | None, at: int) -> str | None:
        """Return why the rules forbid the operation, if they do."""
        amount = entry.amount_minor
        if amount <= 0:
            return "invalid_amount"
        if account is None:
            return self._uncovered(entry, at) if entry.kind in _TAKING else "unknown_payment"
        if account.currency != entry.currency:
            return "currency_mismatch"
        open_minor = account.authorized_at(at) - account.captured_minor
        match entry.kind:
            case OperationKind.AUTHORIZE | OperationKind.CHARGE:
                return "already_authorized" if open_minor else self._uncovered(entry, at)
            case OperationKind.CAPTURE:
                if account.captured_minor and not self.capabilities.several_captures:
                    return "unsupported"
                return None if amount <= open_minor else self._too_much(account, at, "capture_exceeds_authorized")
            case OperationKind.VOID:
                return None if amount <= open_minor else self._too_much(account, at, "void_exceeds_authorized")
            case _:
                left = account.captured_minor - account.refunded_minor - self._pending_refunds(entry)
                if amount < account.captured_minor and not self.capabilities.partial_refund:
                    return "unsupported"
                return None if amount <= left else "refund_exceeds_captured"

    def _too_much(self, account: Account, at: int, reason: str) -> str:
        return "authorization_expired" if account.authorized_at(at) < account.authorized_minor else reason

    def _pending_refunds(self, entry: Entry) -> int:
        waiting = (
            e for e in self.book.entries(entry.payment) if e.state == "pending" and e.kind is OperationKind.REFUND
        )
        return sum(e.amount_minor for e in waiting if e.key != entry.key)

    def _uncovered(self, entry: Entry, at: int) -> str | None:
        """Return why a gift card or store credit does not cover the amount."""
        if not has_balance(entry.method):
            return None
        found = self.balance(entry.method, at)
        if found is None:
            return "unknown_method"
        currency, left = found
        if currency != entry.currency:
            return "currency_mismatch"
        return None if entry.amount_minor <= left else "insufficient_funds"

    def balance(self, method: str, at: int) -> tuple[str, int] | None:
        """Return the currency and what is left on a gift card or store credit: what was issued, less what is held or taken."""
        issued = self.book.issued(method)
        if issued is None:
            return None
        used = sum(a.authorized_at(at) - a.refunded_minor for a in self.book.accounts_of(method))
        return issued[0], issued[1] - used

    # ---- writing

    def _settled(self, entry: Entry, at: int) -> Entry:
        """Decide an entry whose time has come."""
        if entry.settles_at is None or entry.settles_at > at:
            return entry
        return self.decide(entry, entry.settles_at, entry.settles_as)

    def _done(self, entry: Entry, account: Account | None, at: int) -> Entry:
        before = account or Account(
            payment=entry.payment, order_id=entry.order_id, method=entry.method, currency=entry.currency
        )
        amount, captured = entry.amount_minor, before.captured_minor
        expires_at: int | None = None
        match entry.operation:
            case OperationKind.CHARGE:
                after = attrs.evolve(
                    before, authorized_minor=captured + amount, captured_minor=captured + amount, expires_at=None
                )
            case OperationKind.AUTHORIZE:
                expires_at = at + microseconds_of(self.personality.authorization)
                after = attrs.evolve(before, authorized_minor=captured + amount, expires_at=expires_at)
            case OperationKind.CAPTURE:
                after = attrs.evolve(before, captured_minor=captured + amount)
            case OperationKind.VOID:
                after = attrs.evolve(before, authorized_minor=captured, expires_at=None)
            case OperationKind.REFUND:
                after = attrs.evolve(before, refunded_minor=before.refunded_minor + amount)
        self.book.put_account(after)
        return self._ended(
            attrs.evolve(entry, state="confirmed", reference=_reference(entry), expires_at=expires_at, reason=""), at
        )

    def _reversed(self, entry: Entry, at: int, reason: str) -> Entry:
        """Write that the customer's bank has sent a refund back; it is told like a first answer."""
        account = self._account(entry)
        if account is None:
            raise LookupError(entry.payment)
        self.book.put_account(attrs.evolve(account, refunded_minor=account.refunded_minor - entry.amount_minor))
        return self._not_done(attrs.evolve(entry, told=0), at, reason)

    def _not_done(self, entry: Entry, at: int, reason: str) -> Entry:
        return self._ended(attrs.evolve(entry, state="refused", reason=reason), at)

    def _ended(self, entry: Entry, at: int) -> Entry:
        """Write an entry's end, and when the provider tells of it. Of what it has never seen it tells nothing."""
        ended = attrs.evolve(entry, settles_at=None, settles_as="", ended_at=at, tell_at=None)
        if self.capabilities.webhooks and entry.kind is not None and entry.reason != _NEVER:
            ended = attrs.evolve(ended, tell_at=self.tell_at(ended))
        self.book.put_entry(ended)
        return ended

    @staticmethod
    def disputes(entry: Entry) -> bool:
        """Whether what the provider tells after the first time is of a dispute."""
        card = card_of(entry.method)
        return card is not None and card.webhooks == "disputed"

    def tell_at(self, entry: Entry) -> int | None:
        """Return when the provider tells of an ended entry next."""
        card = card_of(entry.method) or Card()
        earlier = 0
        if card.webhooks == "shuffled":
            others = (e for e in self.book.entries(entry.payment) if e.key != entry.key and e.ended_at is not None)
            earlier = sum(e.end <= entry.end for e in others)
        done = entry.state == "confirmed"
        following = travels(card.webhooks, entry.told, entry.operation, done=done, earlier=earlier)
        return None if following is None else entry.end + microseconds_of(following)


def microseconds_of(length: timedelta) -> int:
    """Return a length of time as the book counts."""
    return length // timedelta(microseconds=1)


def _answer(entry: Entry) -> PaymentAnswer:
    if entry.state == "confirmed":
        return Confirmed(entry.reference, None if entry.expires_at is None else instant(entry.expires_at))
    if entry.reversed:
        return Reversed(entry.reason)
    return Refused(entry.reason) if entry.state == "refused" else Unknown(entry.reason)


def _reference(entry: Entry) -> str:
    """Return the provider's own name for what it did; it depends on the key only, so a book that is made again gives the same."""
    return f"{_PREFIX[entry.operation]}_{hashlib.sha256(entry.key.encode()).hexdigest()[:20]}"


def _same(entry: Entry, asked: MoveMoney) -> bool:
    """Whether a repeat asks for the same; when it asks does not matter."""
    return (
        entry.kind is asked.kind
        and entry.payment == asked.payment
        and entry.method == asked.method
        and entry.tender == asked.tender
        and entry.amount_minor == asked.amount_minor
        and entry.currency == asked.currency
        and entry.order_id == asked.order_id
    )
