"""A hostile bank: the simulator's ledger behind a counter that declines, forgets, keeps silent, decides late, and lets authorizations go.

What the ledger says moved, moved. How the bank is disposed is its temper, which a life changes from step to step. It knows nothing of orders,
and writes down every request that no careful shop would make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import attrs

from orderkit.domain.payment import TAKING, OperationKind
from orderkit.domain.value import evolve
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer, PaymentCapabilities, Unknown
from orderkit.testing.sim.bank import Bank
from orderkit.testing.sim.chance import Dice

YES, NO, LOST, NEVER, LATE, BREAKS = "yes", "no", "lost", "never", "late", "breaks"
KIND, SILENT = "kind", "silent"
EMPTY = "pm_empty"  # a card that nobody ever gets anything from

# What each temper answers, as lots to draw from. A refund that fails and a capture that falls short are tempers of their own.
TEMPERS: Mapping[str, tuple[str, ...]] = {
    KIND: (YES,),
    "moody": (YES,) * 6 + (NO, LOST, NEVER, LATE),
    "refusing": (NO,),
    SILENT: (LOST, NEVER),
    "slow": (LATE, LATE, YES),
    "broken": (BREAKS, BREAKS, YES),
    "keeps refunds": (NO, LATE),
    "captures short": (NO,),
}
_ONLY = {
    "keeps refunds": (OperationKind.REFUND, OperationKind.VOID),
    "captures short": (OperationKind.CAPTURE,),
}
DECIDES_AFTER = timedelta(minutes=90)

# What the bank says to a request that could never be right. A shop that keeps its books never hears it.
_IMPOSSIBLE = frozenset(
    {
        "invalid_amount",
        "unknown_payment",
        "currency_mismatch",
        "exceeds_authorized",
        "exceeds_captured",
        "already_authorized",
        "key_reused",
    }
)


@attrs.frozen
class Pending:
    """An operation that the bank has not decided yet, when it will, and how."""

    asked: MoveMoney
    decides_at: datetime
    yes: bool


class HostileBank(Bank):
    """A ledger with a temper. `around` is called before and after each call: there the shop may die, or something else may happen."""

    def __init__(self, *, authorized_for: timedelta) -> None:
        """Open it in a kind temper."""
        super().__init__(authorized_for=authorized_for)
        self.capabilities = PaymentCapabilities(tenders=frozenset({"card", "gift_card"}), webhooks=True)
        self.gift_cards = {}  # gift cards here are as deep as one likes: a decline is the temper's business
        self.temper = KIND
        self.dice = Dice(0, "bank")
        self.pending: dict[str, Pending] = {}
        self.let_go: dict[str, int] = {}
        self.blocked: set[str] = (
            set()
        )  # methods that give nothing more once they were good: cards that were stolen, say
        self.complaints: list[str] = []
        self.tells: Callable[[str], None] = lambda _: None
        self.around: Callable[[], None] = lambda: None

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Answer as the temper is: done or refused, and perhaps the answer is lost."""
        self.around()
        how = self._how(asked)
        answer = self._answered(asked, how)
        self.tells(f"bank: {asked.kind.value} {asked.amount_minor} of {asked.key} ({asked.method}): {how}, {answer}")
        self.around()
        return answer

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Say what became of a key, unless the bank keeps silent or has not decided."""
        self.around()
        answer = Unknown("no answer") if self.temper == SILENT else self._known(asked)
        self.tells(f"bank: asked about {asked.key}: {answer}")
        self.around()
        return answer

    def lets_go(self, payment: str) -> bool:
        """Give up what is authorized of a payment, and how much that was, without telling anybody: a later capture falls short."""
        account = self.accounts.get(payment)
        if account is None or account.authorized == account.captured:
            return False
        self.let_go[payment] = account.authorized - account.captured
        account.authorized = account.captured
        return True

    def _done(self, asked: MoveMoney) -> Confirmed:
        if asked.kind is OperationKind.AUTHORIZE and asked.payment in self.let_go:
            self.let_go[asked.payment] = 0  # what is authorized anew is there
        return super()._done(asked)

    def _how(self, asked: MoveMoney) -> str:
        if asked.key in self.pending:
            return LATE
        if asked.method == EMPTY:
            return NO
        if asked.method in self.blocked and asked.payment in self.accounts and asked.kind in TAKING:
            return NO
        only = _ONLY.get(self.temper)
        return YES if only and asked.kind not in only else self.dice.one_of(TEMPERS[self.temper])

    def _answered(self, asked: MoveMoney, how: str) -> PaymentAnswer:
        if asked.key in self.entries:
            return super().move_money(asked)
        match how:
            case "yes":
                return super().move_money(asked)
            case "no":
                return self.refuse(asked)
            case "lost":
                super().move_money(asked)
            case "breaks":
                super().move_money(asked)
                raise ConnectionResetError("the line broke after the bank had done it")
            case "late":
                chosen = Pending(asked, asked.at + DECIDES_AFTER, self.dice.chance(0.7))
                return self._ruled(self.pending.setdefault(asked.key, chosen), asked.at)
        return Unknown("time-out")

    def _known(self, asked: AskPayment) -> PaymentAnswer:
        found = self.pending.get(asked.key)
        return self._ruled(found, asked.at) if found else super().ask_payment(asked)

    def _ruled(self, found: Pending, at: datetime) -> PaymentAnswer:
        if at < found.decides_at:
            return Unknown("in_review")
        self.pending.pop(found.asked.key, None)
        asked = evolve(found.asked, at=at)
        return super().move_money(asked) if found.yes else self.refuse(asked)

    def _why_not(self, asked: MoveMoney) -> str:
        reason = super()._why_not(asked)
        account = self.accounts.get(asked.payment)
        gone = asked.payment in self.let_go or (account and account.expires_at and account.expires_at <= asked.at)
        if reason in _IMPOSSIBLE and not (reason == "exceeds_authorized" and gone):
            self.complaints.append(f"{asked.kind.value} {asked.amount_minor} of {asked.key}: {reason}")
        return reason
