"""The provider's model: a ledger of its own, by key, that knows nothing of orders. What it says moved, moved.

It answers as `orderkit.ports.payments` asks: one outcome per key, a question about a key that never arrived makes it impossible. It passes the
contract suite of payment adapters. `entries` is what auditors compare the shop's books with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
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

GOOD, DECLINED, LOST, UNSENT, GIFT = "pm_good", "pm_declined", "pm_lost", "pm_unsent", "gift_50"
HELD, ABANDONED = "pm_held", "pm_abandoned"  # decided later, with yes or with no: until then nobody knows
EMPTY = "pm_empty"  # says yes once, and no from then on: to captures and to whatever is asked anew
HELD_FOR = timedelta(minutes=4)
GIFT_MINOR = 5_000
AUTHORIZED_FOR = timedelta(days=7)
_TAKING = (OperationKind.CHARGE, OperationKind.AUTHORIZE)
_HOLDING = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID)


@attrs.define
class Entry:
    """What became of one key. A key that was asked about before it arrived has no operation."""

    key: str
    asked: MoveMoney | None
    answer: PaymentAnswer

    @property
    def moved(self) -> bool:
        """Whether the operation happened, and what it did has not come back."""
        return isinstance(self.answer, Confirmed)

    @property
    def reversed(self) -> bool:
        """Whether it happened, and its money came back."""
        return isinstance(self.answer, Reversed)


@attrs.define
class Account:
    """The sums of one payment, in minor units."""

    payment: str
    order_id: str
    currency: str
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    expires_at: datetime | None = None

    def open_at(self, at: datetime) -> int:
        """What is authorized and neither captured nor expired."""
        gone = self.expires_at is not None and self.expires_at <= at
        return 0 if gone else self.authorized - self.captured


class Bank:
    """A provider with a ledger. `heard` is called with every new entry, `asked_to` before every operation."""

    in_memory = True

    def __init__(self, *, final: bool = True, authorized_for: timedelta = AUTHORIZED_FOR) -> None:
        """Open an empty ledger. Without `final` a key that was not found may still arrive: a provider that breaks its promise."""
        self.capabilities = PaymentCapabilities(tenders=frozenset({"card", "gift_card"}), webhooks=True)
        self.entries: dict[str, Entry] = {}
        self.held: dict[str, MoveMoney] = {}
        self.accounts: dict[str, Account] = {}
        self.gift_cards: dict[str, int] = {GIFT: GIFT_MINOR}
        self.heard: Callable[[Entry], None] = lambda _: None
        self.asked_to: Callable[[MoveMoney], None] = lambda _: None
        self._final = final
        self._authorized_for = authorized_for
        self._lock = threading.RLock()

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Do it once per key."""
        with self._lock:
            self.asked_to(asked)
            known = self.entries.get(asked.key)
            if known is not None:
                if known.asked is not None and _differ(known.asked, asked):
                    return Refused("key_reused")
                return known.answer
            if asked.tender not in self.capabilities.tenders:
                return Refused("unsupported_tender")
            if asked.method in (HELD, ABANDONED) and asked.kind in _TAKING:
                self.held = {asked.key: asked, **self.held}
                return self._decided(asked.key, asked.at)
            if asked.method == UNSENT and asked.kind in _TAKING and asked.key.endswith("/1"):
                return Unknown("time-out")
            reason = self._why_not(asked)
            answer = self._entered(asked, Refused(reason) if reason else self._done(asked))
            return Unknown("time-out") if asked.method == LOST and asked.kind in _TAKING else answer

    def refuse(self, asked: MoveMoney) -> PaymentAnswer:
        """Refuse an operation of the provider's own accord; a key that has an answer keeps it."""
        with self._lock:
            self.asked_to(asked)
            known = self.entries.get(asked.key)
            return known.answer if known else self._entered(asked, Refused("processing_error"))

    def _decided(self, key: str, at: datetime) -> PaymentAnswer:
        """Decide what was held, when its time has come."""
        asked = self.held[key]
        if at < asked.at + HELD_FOR:
            return Unknown("in_review")
        del self.held[key]
        return self._entered(
            asked, self._done(evolve(asked, at=at)) if asked.method == HELD else Refused("action_abandoned")
        )

    def _entered(self, asked: MoveMoney, answer: PaymentAnswer) -> PaymentAnswer:
        self.entries[asked.key] = entry = Entry(asked.key, asked, answer)
        self.heard(entry)
        return answer

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Say what became of a key; from now on one that is not known can never happen."""
        with self._lock:
            known = self.entries.get(asked.key)
            if known is not None:
                return known.answer
            if asked.key in self.held:
                return self._decided(asked.key, asked.at)
            answer = Refused("not_found")
            if self._final:
                self.entries[asked.key] = Entry(asked.key, None, answer)
            return answer

    def refunds(self) -> list[str]:
        """Return the keys of the refunds that were done."""
        return [e.key for e in self.entries.values() if e.moved and e.asked and e.asked.kind is OperationKind.REFUND]

    def reverse(self, key: str) -> None:
        """Take the money of a refund back from where it could not stay, and tell of it. Raises `LookupError`."""
        with self._lock:
            entry = self.entries[key]
            if entry.asked is None or key not in self.refunds():
                raise LookupError(key)
            self.accounts[entry.asked.payment].refunded -= entry.asked.amount_minor
            entry.answer = Reversed("account_closed")
            self.heard(entry)

    def _why_not(self, asked: MoveMoney) -> str:
        if asked.amount_minor <= 0:
            return "invalid_amount"
        account = self.accounts.get(asked.payment)
        if asked.kind in _TAKING:
            return self._uncovered(asked, account)
        if account is None:
            return "unknown_payment"
        if asked.method == EMPTY and asked.kind is OperationKind.CAPTURE:
            return "insufficient_funds"
        if account.currency != asked.currency:
            return "currency_mismatch"
        if asked.kind in _HOLDING:
            return "" if asked.amount_minor <= account.open_at(asked.at) else "exceeds_authorized"
        return "" if asked.amount_minor <= account.captured - account.refunded else "exceeds_captured"

    def _uncovered(self, asked: MoveMoney, account: Account | None) -> str:
        if asked.method == DECLINED or (asked.method == EMPTY and account is not None):
            return "declined"
        if account is not None and account.open_at(asked.at):
            return "already_authorized"
        if asked.method in self.gift_cards:
            used = sum(
                e.asked.amount_minor * (-1 if e.asked.kind is OperationKind.REFUND else 1)
                for e in self.entries.values()
                if e.moved
                and e.asked is not None
                and e.asked.method == asked.method
                and e.asked.kind in (*_TAKING, OperationKind.REFUND)
            )
            return "" if asked.amount_minor <= self.gift_cards[asked.method] - used else "insufficient_funds"
        return ""

    def _done(self, asked: MoveMoney) -> Confirmed:
        amount = asked.amount_minor
        account = self.accounts.setdefault(asked.payment, Account(asked.payment, asked.order_id, asked.currency))
        expires_at: datetime | None = None
        match asked.kind:
            case OperationKind.CHARGE:
                account.authorized = account.captured = account.captured + amount
            case OperationKind.AUTHORIZE:
                expires_at = account.expires_at = asked.at + self._authorized_for
                account.authorized = account.captured + amount
            case OperationKind.CAPTURE:
                account.captured += amount
            case OperationKind.VOID:
                account.authorized -= amount
            case OperationKind.REFUND:
                account.refunded += amount
        return Confirmed(f"ref:{asked.key}", expires_at)

    def close(self) -> None:
        """Nothing is held open."""


def _differ(first: MoveMoney, second: MoveMoney) -> bool:
    return first is not second and evolve(first, at=second.at) != second
