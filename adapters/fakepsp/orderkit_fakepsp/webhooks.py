"""What the provider tells unasked: events, when and how often they travel, and their signature.

An event names our own key as its `reference`, so a receiver can match it before it has seen the reply. The signature is one header value,
`t=<unix seconds>,v1=<hex of HMAC-SHA256 over "t.body">`. Nothing here knows the book.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.ports.store import Message

SOURCE = "fakepsp"
HEADER = "fakepsp-signature"
TOLERANCE = timedelta(minutes=5)

_STAMP_LENGTH_MAX = 12  # seconds up to the year 9999; nobody has signed the header yet, so it may hold anything

_DONE = {
    OperationKind.CHARGE: "payment.captured",
    OperationKind.AUTHORIZE: "payment.authorized",
    OperationKind.CAPTURE: "payment.captured",
    OperationKind.VOID: "payment.voided",
    OperationKind.REFUND: "payment.refunded",
}
_NOT_DONE = {
    OperationKind.CHARGE: "payment.declined",
    OperationKind.AUTHORIZE: "payment.declined",
    OperationKind.CAPTURE: "payment.capture_failed",
    OperationKind.VOID: "payment.void_failed",
    OperationKind.REFUND: "payment.refund_failed",
}
_SOON = timedelta(seconds=2)
_AGAIN = timedelta(seconds=7)
_DISPUTED = timedelta(days=3)
_SHUFFLED = (timedelta(minutes=20), timedelta(minutes=5), timedelta(seconds=1))


@attrs.frozen(kw_only=True)
class PaymentEvent:
    """One thing that happened at the provider. `reference` is the key of the operation that it is about; amounts are minor units."""

    id: str
    kind: str
    reference: str
    payment: str
    amount_minor: int
    currency: str
    at: datetime
    reason: str = ""

    def body(self) -> bytes:
        """Return the event as it travels: JSON, keys sorted."""
        document = attrs.asdict(self, filter=lambda _, value: value != "")
        document["at"] = self.at.isoformat()
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, body: bytes) -> PaymentEvent:
        """Return the event that a verified body holds. Raises `ValueError`."""
        try:
            document = json.loads(body)
            return cls(**{**document, "at": datetime.fromisoformat(document["at"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"that is no event of {SOURCE}: {error}") from None

    def message(self, received_at: datetime) -> Message:
        """Return the event as the message that an inbox keeps."""
        data: dict[str, Any] = {
            "payment": self.payment,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "at": self.at.isoformat(),
        }
        return Message(
            source=SOURCE, id=self.id, kind=self.kind, reference=self.reference, data=data, received_at=received_at
        )


@attrs.frozen(kw_only=True)
class Delivery:
    """One attempt to tell: the event, the exact bytes, and the value of the signature header."""

    event: PaymentEvent
    body: bytes
    signature: str
    at: datetime


def event_kind(kind: OperationKind, *, done: bool, disputed: bool = False) -> str:
    """Return what an operation's end is called in an event."""
    if disputed:
        return "payment.disputed"
    return (_DONE if done else _NOT_DONE)[kind]


def travels(how: str, told: int, kind: OperationKind, *, done: bool, earlier: int) -> timedelta | None:
    """Return how long after its operation delivery number `told` (from 0) arrives; `None`: there are no more.

    `earlier` counts the payment's operations before this one: shuffled events travel the longer the earlier they happened.
    """
    match how:
        case "never":
            return None
        case "first":
            plan = [timedelta(0)]
        case "twice":
            plan = [_SOON, _AGAIN]
        case "shuffled":
            plan = [_SHUFFLED[min(earlier, len(_SHUFFLED) - 1)]]
        case "disputed" if done and kind in (OperationKind.CHARGE, OperationKind.CAPTURE):
            plan = [_SOON, _DISPUTED]
        case _:
            plan = [_SOON]
    return plan[told] if told < len(plan) else None


def signed(body: bytes, secret: str, at: datetime) -> str:
    """Return the value of the signature header for a body sent at that time."""
    stamp = str(int(at.timestamp()))
    return f"t={stamp},v1={_digest(body, secret, stamp)}"


def verify(
    body: bytes, signature: str, *, secret: str, now: datetime | None = None, tolerance: timedelta = TOLERANCE
) -> bool:
    """Whether the body was signed with the secret, and, given `now`, not longer ago or further ahead than the tolerance."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    stamp, given = parts.get("t", ""), parts.get("v1", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _STAMP_LENGTH_MAX and given.isascii()):
        return False
    if now is not None and abs(now.timestamp() - int(stamp)) > tolerance.total_seconds():
        return False
    return hmac.compare_digest(given, _digest(body, secret, stamp))


def _digest(body: bytes, secret: str, stamp: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
