"""Cards by name: what a method token makes the provider do, call by call. A script is a token too, so it survives the process.

Each kind of operation has a list of steps; a payment's first call takes the first step, and the last step repeats. A step is:

    ok                       it happens, and the reply arrives
    timeout                  nothing happens, and no reply arrives; the next call takes the next step
    lost                     it happens, but the reply is lost: asking finds it
    vanish                   no reply, and no answer to questions until the horizon; then it never happened
    review, action           held until a person at the provider, or the customer, decides
    slow                     it happens, and the reply takes its time
    pending:2d->ok           accepted, decided later: `ok`, or a reason why not
    ok:5d->account_closed    of a refund: it happens, and its money comes back later, with the reason why
    declined, …              a definite no, with one of the reasons in `REASONS`, or any as `refuse:<reason>`

Nothing here knows the book, the clock, or chance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

import attrs

from orderkit.domain.payment import OperationKind

REASONS = frozenset(
    {
        "declined",
        "insufficient_funds",
        "expired_card",
        "processing_error",
        "fraud_blocked",
        "capture_failed",
        "refund_failed",
        "void_failed",
    }
)
DELIVERIES = ("after", "first", "twice", "never", "shuffled", "disputed")
HORIZON = timedelta(minutes=30)  # how long a vanished call may still be travelling
ABANDONED = timedelta(days=1)  # a customer who has not acted by then will not

_PLAIN = frozenset({"ok", "timeout", "lost", "vanish", "review", "action", "slow"})
_LATER = re.compile(r"(pending|ok):(\d+)([smhd])->([a-z_]+)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SCRIPT = "pm_script:"


@attrs.frozen
class Step:
    """What one call comes to. `name` is one of the plain steps, `refuse`, `pending` or `reverse`; `reason` and `after` go with the last three."""

    name: str
    reason: str = ""
    after: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> Step:
        """Return the step that the text spells. Raises `ValueError`."""
        if text in _PLAIN:
            return cls(text)
        if text in REASONS:
            return cls("refuse", text)
        if text.startswith("refuse:") and re.fullmatch(r"[a-z_]+", text[7:]):
            return cls("refuse", text[7:])
        if (found := _LATER.fullmatch(text)) is not None and (found[1], found[4]) != ("ok", "ok"):
            name = "pending" if found[1] == "pending" else "reverse"
            return cls(name, found[4], timedelta(**{_UNITS[found[3]]: int(found[2])}))
        raise ValueError(f"{text!r} is no step of a fake card")


OK = Step("ok")


@attrs.frozen(kw_only=True)
class Card:
    """How a method behaves: steps by kind of operation, and how its webhooks travel."""

    steps: Mapping[OperationKind, tuple[Step, ...]] = attrs.field(factory=dict)
    webhooks: str = "after"

    @property
    def scripted(self) -> bool:
        """Whether any operation does something else than succeed."""
        return bool(self.steps)

    def step(self, kind: OperationKind, call: int) -> Step:
        """Return what a payment's call number `call` (from 0) of a kind comes to. A charge authorizes, then captures."""
        if kind is OperationKind.CHARGE and kind not in self.steps:
            first = self.step(OperationKind.AUTHORIZE, call)
            return self.step(OperationKind.CAPTURE, call) if first == OK else first
        steps = self.steps.get(kind)
        return OK if steps is None else steps[min(call, len(steps) - 1)]


class FakeCard:
    """The named cards. Use the names in code; the numbers are aliases, because people paste them."""

    OK = "pm_ok"
    VISA = "pm_visa"
    DECLINED = "pm_declined"
    NO_FUNDS = "pm_no_funds"
    EXPIRED = "pm_expired_card"
    PROCESSING_ERROR = "pm_processing_error"
    FRAUD_BLOCKED = "pm_fraud_blocked"
    FRAUD_REVIEW = "pm_fraud_review"
    CAPTURE_FAILS = "pm_capture_fails"
    REFUND_FAILS = "pm_refund_fails"
    REFUND_PENDING_THEN_FAILS = "pm_refund_pending"
    REFUND_REVERSED = "pm_refund_reversed"
    DISPUTED = "pm_disputed"
    NEEDS_ACTION = "pm_needs_action"
    SLOW = "pm_slow"
    TIMEOUT_BEFORE = "pm_timeout_before"
    TIMEOUT_AFTER = "pm_timeout_after"
    TIMEOUT_ALWAYS = "pm_timeout_always"
    TIMEOUT_THEN_OK = TIMEOUT_BEFORE  # the same two, as others name them
    COMMITTED_THEN_TIMEOUT = TIMEOUT_AFTER
    WEBHOOK_FIRST = "pm_webhook_first"
    WEBHOOK_TWICE = "pm_webhook_twice"
    WEBHOOK_NEVER = "pm_webhook_never"
    WEBHOOKS_SHUFFLED = "pm_webhook_shuffled"

    @staticmethod
    def script(
        *,
        authorize: str | Sequence[str] = (),
        capture: str | Sequence[str] = (),
        charge: str | Sequence[str] = (),
        void: str | Sequence[str] = (),
        refund: str | Sequence[str] = (),
        webhooks: str = "after",
    ) -> str:
        """Return the token of a card that does these steps, one per call; the last one repeats. Raises `ValueError`.

        `FakeCard.script(capture=["timeout", "ok"], refund="pending:2d->refund_failed", webhooks="twice")`
        """
        given = {"authorize": authorize, "capture": capture, "charge": charge, "void": void, "refund": refund}
        parts = [
            f"{kind}={','.join([steps] if isinstance(steps, str) else steps)}" for kind, steps in given.items() if steps
        ]
        token = _SCRIPT + ";".join([*parts, f"webhooks={webhooks}"])
        _scripted(token)
        return token


_NAMED: dict[str, Card] = {
    FakeCard.OK: Card(),
    FakeCard.VISA: Card(),
    **{
        name: Card(steps={OperationKind(kind): tuple(map(Step.parse, steps.split(",")))})
        for name, kind, steps in (
            (FakeCard.DECLINED, "authorize", "declined"),
            (FakeCard.NO_FUNDS, "authorize", "insufficient_funds"),
            (FakeCard.EXPIRED, "authorize", "expired_card"),
            (FakeCard.PROCESSING_ERROR, "authorize", "processing_error"),
            (FakeCard.FRAUD_BLOCKED, "authorize", "fraud_blocked"),
            (FakeCard.FRAUD_REVIEW, "authorize", "review"),
            (FakeCard.NEEDS_ACTION, "authorize", "action"),
            (FakeCard.CAPTURE_FAILS, "capture", "capture_failed"),
            (FakeCard.REFUND_FAILS, "refund", "refund_failed"),
            (FakeCard.REFUND_PENDING_THEN_FAILS, "refund", "pending:2d->refund_failed"),
            (FakeCard.REFUND_REVERSED, "refund", "ok:5d->account_closed,ok"),
            (FakeCard.SLOW, "authorize", "slow"),
            (FakeCard.TIMEOUT_BEFORE, "authorize", "timeout,ok"),
            (FakeCard.TIMEOUT_AFTER, "authorize", "lost,ok"),
            (FakeCard.TIMEOUT_ALWAYS, "authorize", "vanish"),
        )
    },
    FakeCard.DISPUTED: Card(webhooks="disputed"),
    FakeCard.WEBHOOK_FIRST: Card(webhooks="first"),
    FakeCard.WEBHOOK_TWICE: Card(webhooks="twice"),
    FakeCard.WEBHOOK_NEVER: Card(webhooks="never"),
    FakeCard.WEBHOOKS_SHUFFLED: Card(webhooks="shuffled"),
}

_NUMBERS = {
    "4242424242424242": FakeCard.VISA,
    "4000000000000002": FakeCard.DECLINED,
    "4000000000009995": FakeCard.NO_FUNDS,
    "4000000000000069": FakeCard.EXPIRED,
    "4000000000000119": FakeCard.PROCESSING_ERROR,
    "4100000000000019": FakeCard.FRAUD_BLOCKED,
    "4000000000000341": FakeCard.CAPTURE_FAILS,
    "4000000000000259": FakeCard.DISPUTED,
}

_BALANCE = Card()


def names() -> tuple[str, ...]:
    """Return every named card."""
    return tuple(_NAMED)


def has_balance(method: str) -> bool:
    """Whether the method is a gift card (`gift_<code>`) or store credit (`credit_<customer>`), which hold a balance."""
    prefix, _, rest = method.partition("_")
    return prefix in ("gift", "credit") and bool(rest)


@lru_cache(maxsize=1_024)
def card_of(method: str) -> Card | None:
    """Return how the method behaves, or `None` when the provider knows no such method."""
    if has_balance(method):
        return _BALANCE
    if method.startswith(_SCRIPT):
        try:
            return _scripted(method)
        except ValueError:
            return None
    digits = method.replace(" ", "").replace("-", "")
    return _NAMED.get(_NUMBERS.get(digits, method))


def _scripted(token: str) -> Card:
    steps: dict[OperationKind, tuple[Step, ...]] = {}
    webhooks = "after"
    for part in token.removeprefix(_SCRIPT).split(";"):
        name, _, value = part.partition("=")
        if name == "webhooks":
            if value not in DELIVERIES:
                raise ValueError(f"webhooks travel {', '.join(DELIVERIES)}, not {value!r}")
            webhooks = value
        else:
            kind = OperationKind(name)
            steps[kind] = tuple(Step.parse(text) for text in value.split(","))
            if kind is not OperationKind.REFUND and any(step.name == "reverse" for step in steps[kind]):
                raise ValueError(f"the money of a refund comes back, that of a {name} does not")
    return Card(steps=steps, webhooks=webhooks)
