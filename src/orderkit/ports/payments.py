"""Payment providers. An answer is yes, no or unknown, or that a refund came back; an undeclared exception of an adapter counts as `Unknown`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeAlias

from orderkit.domain.payment import OperationKind
from orderkit.domain.value import Value
from orderkit.ports.effect import Outside


class Confirmed(Value):
    """The provider did it; `reference` is its own name for what it did. An authorization may carry an expiry."""

    reference: str
    expires_at: datetime | None = None


class Refused(Value):
    """The provider definitely did not do it, and why: `declined`, `insufficient_funds`, `not_found` and the like."""

    reason: str


class Unknown(Value):
    """Nobody knows whether it happened. The amount stays held until somebody does."""

    reason: str = "no answer"


class Reversed(Value):
    """A refund was done, and its money has come back since, and why: `account_closed`, say. It stays so."""

    reason: str


PaymentAnswer: TypeAlias = "Confirmed | Refused | Unknown | Reversed"


class MoveMoney(Outside[PaymentAnswer], kw_only=True):
    """Do this once per key, however often it is asked. Amount in minor units of `currency`.

    `payment` names the tender at our side; captures, voids and refunds refer to it.
    """

    key: str
    kind: OperationKind
    payment: str
    method: str
    tender: str
    amount_minor: int
    currency: str
    order_id: str
    at: datetime


class AskPayment(Outside[PaymentAnswer], kw_only=True):
    """What became of the operation with that key? `Refused("not_found")` means: definitely never happened, nor will it.

    Of a refund that came back, days after it was done perhaps, the answer is `Reversed` from then on. It is asked about when the provider tells of it
    (`receive_message`, a kind `payment.…`), so the answer has to be there by then.
    """

    key: str
    payment: str
    at: datetime


class PaymentCapabilities(Value, kw_only=True):
    """What a provider can do; the contract suite tests what is claimed, and that what is not claimed is refused."""

    authorize: bool = True
    several_captures: bool = True
    partial_refund: bool = True
    tenders: frozenset[str] = frozenset({"card"})
    webhooks: bool = False


class Payments(Protocol):
    """What a payment adapter fulfills."""

    capabilities: PaymentCapabilities

    def move_money(self, asked: MoveMoney) -> PaymentAnswer: ...
    def ask_payment(self, asked: AskPayment) -> PaymentAnswer: ...
    def close(self) -> None: ...


class AsyncPayments(Protocol):
    """The same for an event loop."""

    capabilities: PaymentCapabilities

    async def move_money(self, asked: MoveMoney) -> PaymentAnswer: ...
    async def ask_payment(self, asked: AskPayment) -> PaymentAnswer: ...
    async def close(self) -> None: ...
