"""Money as the order sees it: tenders, and the operations asked of a provider.

A `Payment` is one tender of an order at one provider. An `Operation` is one movement of money that we want: it is committed before the
provider is called, and carries its attempt and what is known of it. The provider's key is a function of the
operation and the attempt, and the attempt advances only on a refusal: what may have happened is asked about, never repeated blindly.
All amounts are minor units of the order's currency. Nothing here calls anybody.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from orderkit.domain.given import in_utc
from orderkit.domain.lifecycle import OPERATION, PAYMENT
from orderkit.domain.money import spoken
from orderkit.domain.value import Value, evolve
from orderkit.errors import NotAllowed


class OperationKind(StrEnum):
    """What a provider is asked to do. `charge` authorizes and captures at once."""

    CHARGE = "charge"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


NEW_MONEY = (OperationKind.CHARGE, OperationKind.AUTHORIZE)  # what is asked of a tender that has not promised it yet
TAKING = (*NEW_MONEY, OperationKind.CAPTURE)
_TAKEN_OFF = (OperationKind.CAPTURE, OperationKind.VOID)  # what makes an authorization less


class CaptureMode(StrEnum):
    """When the money is taken: with the order, or with each shipment."""

    NOW = "now"
    PER_SHIPMENT = "per_shipment"


OPEN = ("pending", "unknown")  # states of an operation whose answer is not known yet
IN_VAIN = ("refused", "reversed")  # states of one that moved no money, or whose money has come back


class Tender(Value, kw_only=True):
    """How the customer wants to pay a part of the order: a method token, its kind, and an amount (`None`: the rest)."""

    method: str
    kind: str = "card"
    amount_minor: int | None = None


class Operation(Value, kw_only=True):
    """One movement of money asked of a provider.

    `saga` is the run that asked for it: a saga compensates only what bears its own id. `refund` and `shipment` say what it is for.
    """

    id: str
    kind: OperationKind
    amount_minor: int
    requested_at: datetime
    attempt: int = 1
    state: str = OPERATION.initial
    asked: int = 0
    next_at: datetime | None = None
    reference: str | None = None
    reason: str | None = None
    answered_at: datetime | None = None
    saga: str | None = None
    refund: str | None = None
    shipment: str | None = None

    @property
    def key(self) -> str:
        """The idempotency key that the provider gets."""
        return f"{self.id}/{self.attempt}"

    @property
    def open(self) -> bool:
        """Whether the answer is not known yet."""
        return self.state in OPEN

    @property
    def in_vain(self) -> bool:
        """Whether nothing came of it: it was refused, though it may be done after all, or it was reversed."""
        return self.state in IN_VAIN


class Payment(Value, kw_only=True):
    """One tender of an order and everything that was asked of its provider."""

    id: str
    kind: str
    method: str
    amount_minor: int
    state: str = PAYMENT.initial
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    expires_at: datetime | None = None
    operations: tuple[Operation, ...] = ()

    def open_minor(self, kind: OperationKind) -> int:
        """The sum of the operations of a kind whose answer is not known."""
        return sum([o.amount_minor for o in self.operations if o.kind is kind and o.state in OPEN])

    @property
    def capturable_minor(self) -> int:
        """What may still be captured of the authorization; what is being captured or given up is not there any more."""
        if self.state not in ("authorized", "captured", "refunded"):
            return 0
        taken = sum([o.amount_minor for o in self.operations if o.state in OPEN and o.kind in _TAKEN_OFF])
        return max(0, self.authorized_minor - self.captured_minor - taken)  # a bank may have done both

    @property
    def refuses(self) -> bool:
        """Whether a capture was refused for good since it last gave or promised anything: nobody counts on what it still holds."""
        for operation in reversed(self.operations):
            if operation.kind is OperationKind.CAPTURE and operation.state == "refused":
                return True
            if operation.kind in TAKING and operation.state == "confirmed":
                return False
        return False

    @property
    def refundable_minor(self) -> int:
        """What may still be refunded of the captures, refunds in flight counted as done."""
        return self.captured_minor - self.refunded_minor - self.open_minor(OperationKind.REFUND)

    @property
    def in_doubt(self) -> bool:
        """Whether some answer of the provider is unknown."""
        return any([o.state == "unknown" for o in self.operations])  # noqa: C419  (a list of one or two is faster than a generator)

    def with_operation(self, operation: Operation) -> Payment:
        """Return the payment with the operation added, or put in the place of the one with its id."""
        kept = tuple([operation if o.id == operation.id else o for o in self.operations])
        if operation not in kept:
            kept = (*kept, operation)
        return evolve(self, operations=kept)


def requested(payment: Payment, operation: Operation, currency: str = "") -> Payment:
    """Return the payment with the intent on it; asking for more than is there raises, in words of the currency, and changes nothing."""
    if operation.amount_minor <= 0:
        raise NotAllowed(
            "an operation moves more than nothing", code="invalid_money", facts={"asked_minor": operation.amount_minor}
        )
    if operation.kind is OperationKind.CAPTURE and operation.amount_minor > payment.capturable_minor:
        raise _over("capture_exceeds_authorized", operation.amount_minor, payment.capturable_minor, currency)
    if operation.kind is OperationKind.REFUND and operation.amount_minor > payment.refundable_minor:
        raise _over("refund_exceeds_captured", operation.amount_minor, payment.refundable_minor, currency)
    return payment.with_operation(operation)


def confirmed(
    payment: Payment, operation: Operation, *, at: datetime, reference: str, expires_at: datetime | None = None
) -> Payment:
    """Return the payment after the provider did what the operation asked. An expiry without a zone is UTC: the money has moved already."""
    done = evolve(
        operation, state=OPERATION.step(operation.state, "confirm"), reference=reference, answered_at=at, next_at=None
    )
    after = payment.with_operation(done)
    amount = operation.amount_minor
    match operation.kind:
        case OperationKind.CHARGE:
            return evolve(
                after,
                state=PAYMENT.step(payment.state, "capture"),
                authorized_minor=payment.authorized_minor + amount,
                captured_minor=payment.captured_minor + amount,
            )
        case OperationKind.AUTHORIZE:
            # What was captured before is not undone by a new authorization of the rest, nor is one that still holds.
            state = payment.state if payment.captured_minor else PAYMENT.step(payment.state, "authorize")
            expires_at = None if expires_at is None else in_utc(expires_at)
            return evolve(after, state=state, authorized_minor=payment.authorized_minor + amount, expires_at=expires_at)
        case OperationKind.CAPTURE:
            captured = payment.captured_minor + amount
            return evolve(
                after,
                state=PAYMENT.step(payment.state, "capture"),
                authorized_minor=max(payment.authorized_minor, captured),  # it may have been given up since
                captured_minor=captured,
            )
        case OperationKind.VOID:
            state = payment.state if payment.captured_minor else PAYMENT.step(payment.state, "void")
            return evolve(after, state=state, authorized_minor=payment.captured_minor, expires_at=None)
        case OperationKind.REFUND:
            refunded = payment.refunded_minor + amount
            state = PAYMENT.step(payment.state, "refund" if refunded == payment.captured_minor else "refund_part")
            return evolve(after, state=state, refunded_minor=refunded)


def refused(payment: Payment, operation: Operation, *, at: datetime, reason: str) -> Payment:
    """Return the payment after the provider definitely did not do what the operation asked."""
    state = OPERATION.step(operation.state, "refuse")
    after = payment.with_operation(evolve(operation, state=state, reason=reason, answered_at=at, next_at=None))
    if operation.kind in (OperationKind.CHARGE, OperationKind.AUTHORIZE) and PAYMENT.allows(payment.state, "decline"):
        return evolve(after, state=PAYMENT.step(payment.state, "decline"))
    return after


def reversed_refund(payment: Payment, operation: Operation, *, at: datetime, reason: str) -> Payment:
    """Return the payment after the money of a refund came back to the shop, whether it was known to have been done or not."""
    state = OPERATION.step(operation.state, "reverse")
    after = payment.with_operation(evolve(operation, state=state, reason=reason, answered_at=at, next_at=None))
    if operation.state != "confirmed":
        return after
    refunded = payment.refunded_minor - operation.amount_minor
    state = PAYMENT.step(payment.state, "refund" if refunded == payment.captured_minor else "refund_part")
    return evolve(after, state=state, refunded_minor=refunded)


def doubted(payment: Payment, operation: Operation, *, next_at: datetime, reason: str) -> Payment:
    """Return the payment when nobody knows what the provider did: the amount stays held until `next_at` and beyond."""
    doubt = evolve(
        operation,
        state=OPERATION.step(operation.state, "doubt"),
        asked=operation.asked + 1,
        next_at=next_at,
        reason=reason,
    )
    after = payment.with_operation(doubt)
    if operation.kind in (OperationKind.CHARGE, OperationKind.AUTHORIZE) and PAYMENT.allows(payment.state, "doubt"):
        return evolve(after, state=PAYMENT.step(payment.state, "doubt"))
    return after


def expired(payment: Payment) -> Payment:
    """Return the payment after its authorization ran out; what was captured stays captured."""
    if payment.captured_minor:
        return evolve(payment, authorized_minor=payment.captured_minor, expires_at=None)
    return evolve(payment, state=PAYMENT.step(payment.state, "expire"), authorized_minor=0, expires_at=None)


def _over(code: str, asked_minor: int, remaining_minor: int, currency: str) -> NotAllowed:
    return NotAllowed(
        f"asked for {spoken(asked_minor, currency)}, but only {spoken(remaining_minor, currency)} are left",
        code=code,
        facts={"asked_minor": asked_minor, "remaining_minor": remaining_minor},
    )
