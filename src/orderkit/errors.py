"""Every way orderkit says no, and what each means for the caller.

The branches answer *whose fault and what now*; a stable `code` names the case; the catalog says the rest, once, for the exception,
the problem+json body, the documentation and `orderkit explain CODE`:

    OrderkitError
    ├── InvalidInput      what you sent cannot be right; correct it            (caller)
    ├── NotFound          nothing here has that name                           (caller)
    ├── NotAllowed        a rule says no, as things stand; `facts` say why     (caller)
    │   └── KeyReused     one idempotency key, two different requests
    ├── Conflict          somebody else changed it first; load and try again   (nobody)
    ├── Overloaded        too much at once; nothing was begun; try later       (host)
    ├── PortError         something outside failed; look at `outcome`          (provider)
    ├── Misconfigured     a URL, a driver or a file is wrong; see `remedy`     (installation)
    └── FlowMisused       a flow awaited something it must not                 (a bug)

A decline is not here: it is an answer, and stands on the order. This module imports nothing of orderkit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from orderkit.catalog import CATALOG, Entry, Fault, Outcome

__all__ = [
    "Conflict",
    "FlowMisused",
    "InvalidInput",
    "KeyReused",
    "Misconfigured",
    "NotAllowed",
    "NotFound",
    "OrderkitError",
    "Overloaded",
    "PortError",
]


class OrderkitError(Exception):
    """The root of every error that orderkit raises on purpose.

    Attributes: `code` (stable, listed in the catalog), `field` (what it is about, as the caller would write it), `facts` (the numbers
    and names needed to recover), `fault`, `outcome` (whether the action was applied, not applied, or nobody knows), `remedy` (what to do).
    """

    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        facts: Mapping[str, Any] | None = None,
        remedy: str | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        self.facts: dict[str, Any] = dict(facts or {})
        self._remedy = remedy
        self._outcome = outcome

    @property
    def entry(self) -> Entry:
        """The catalog's page on this code."""
        return CATALOG.get(self.code) or CATALOG[self.default_code]

    @property
    def fault(self) -> Fault:
        """Whose fault it is: caller, nobody, host, provider, installation or library."""
        return self.entry.fault

    @property
    def outcome(self) -> Outcome:
        """Whether the action was `applied`, `not_applied`, or `unknown`."""
        return self._outcome or self.entry.outcome

    @property
    def remedy(self) -> str:
        """What to do now, in one sentence."""
        return self._remedy or self.entry.remedy

    @property
    def retryable(self) -> bool:
        """Whether the same request may simply be sent again."""
        return self.entry.retryable and self.outcome != "applied"

    def after_applying(self, order_id: str) -> OrderkitError:
        """Return the same error for a request that is durable already: to send it again would do it twice."""
        remedy = f"The request was applied to order {order_id}: do not send it again. Mend the cause, and a worker goes on with the order."
        facts = {**self.facts, "order_id": order_id}
        return type(self)(self.message, code=self.code, field=self.field, facts=facts, remedy=remedy, outcome="applied")

    def __str__(self) -> str:
        where = f" [{self.field}]" if self.field else ""
        return f"{self.code}{where}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.code, self.field, self.facts, self._remedy, self._outcome)


def _restore(
    kind: type[OrderkitError],
    message: str,
    code: str,
    field: str | None,
    facts: Mapping[str, Any],
    remedy: str | None,
    outcome: Literal["applied", "not_applied", "unknown"] | None,
) -> OrderkitError:
    return kind(message, code=code, field=field, facts=facts, remedy=remedy, outcome=outcome)


class InvalidInput(OrderkitError):
    """What was sent cannot be right, whatever the state of the shop. Nothing was applied."""

    default_code = "invalid_input"


class NotFound(OrderkitError):
    """Nothing here has that name. Nothing was applied."""

    default_code = "not_found"


class NotAllowed(OrderkitError):
    """A rule says no as things stand. Nothing was applied; `facts` hold what the rule looked at."""

    default_code = "not_allowed"


class KeyReused(NotAllowed):
    """One idempotency key came with two different requests. The first stands; the second was not applied."""

    default_code = "key_reused"


class Conflict(OrderkitError):
    """Somebody else changed the order first. Nothing was applied; load it and decide again."""

    default_code = "version_conflict"


class Overloaded(OrderkitError):
    """Too many requests are running. This one was refused before its first effect."""

    default_code = "overloaded"


class PortError(OrderkitError):
    """Something outside failed. `outcome` says whether it may have happened all the same."""

    default_code = "port_failed"


class Misconfigured(OrderkitError):
    """The installation is wrong: a URL, a driver, a file. `remedy` holds the command that mends it."""

    default_code = "misconfigured"


class FlowMisused(OrderkitError):
    """A flow awaited something that its driver cannot answer. This is a bug in the flow."""

    default_code = "flow_misused"
