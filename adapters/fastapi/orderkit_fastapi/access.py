"""Who is asking: the host says, the router checks. An actor sees its own orders; staff see all."""

from __future__ import annotations

from time import monotonic

import attrs

from orderkit.errors import OrderkitError


@attrs.frozen
class Actor:
    """Somebody who was signed in by the host: a customer, or a member of staff."""

    id: str
    staff: bool = False

    def may_see(self, customer: str) -> bool:
        """Whether the orders of that customer are this actor's business."""
        return self.staff or self.id == customer


@attrs.define
class Limiter:
    """A token bucket per actor, in this process: `rate` requests a second, `burst` at once."""

    rate: float
    burst: int
    _buckets: dict[str, tuple[float, float]] = attrs.field(factory=dict)

    def take(self, actor: str) -> None:
        """Take one token, or refuse with the seconds to wait."""
        now = monotonic()
        tokens, since = self._buckets.get(actor, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) * self.rate)
        if tokens < 1:
            self._buckets[actor] = (tokens, now)
            wait = (1 - tokens) / self.rate
            raise OrderkitError("too many requests", code="rate_limited", facts={"retry_after_seconds": max(1, round(wait + 0.5))})
        if len(self._buckets) > 10_000:  # forget who has been quiet: their buckets are full again anyway
            self._buckets.clear()
        self._buckets[actor] = (tokens - 1, now)
