"""Who is asking: the host says, the router checks. An actor sees its own orders; staff see all."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

import attrs

from orderkit.errors import OrderkitError

_BUCKETS_MAX = 10_000


@attrs.frozen
class Actor:
    """Somebody who was signed in by the host: a customer, or a member of staff."""

    id: str
    staff: bool = False

    @property
    def name(self) -> str:
        """The actor as logs and idempotency keys know it; a customer and a colleague of one id are two."""
        return f"staff:{self.id}" if self.staff else f"customer:{self.id}"

    def may_see(self, customer: str) -> bool:
        """Whether the orders of that customer are this actor's business."""
        return self.staff or self.id == customer


@attrs.define
class Limiter:
    """A token bucket per actor, in this process: `rate` requests a second, `burst` at once."""

    rate: float
    burst: int
    clock: Callable[[], float] = monotonic
    _buckets: dict[str, tuple[float, float]] = attrs.field(factory=dict, init=False)

    def take(self, name: str) -> None:
        """Take one token, or refuse with the seconds to wait."""
        now = self.clock()
        tokens = self._filled(self._buckets.get(name, (float(self.burst), now)), now)
        if tokens < 1:
            raise OrderkitError(
                f"more than {self.rate:g} requests a second",
                code="rate_limited",
                facts={"retry_after_seconds": math.ceil((1 - tokens) / self.rate)},
            )
        if len(self._buckets) >= _BUCKETS_MAX:  # forget who has been quiet: an empty place reads as a full bucket
            kept = {who: held for who, held in self._buckets.items() if self._filled(held, now) < self.burst}
            self._buckets = kept
        self._buckets[name] = (tokens - 1, now)

    def _filled(self, held: tuple[float, float], now: float) -> float:
        tokens, since = held
        return min(float(self.burst), tokens + (now - since) * self.rate)
