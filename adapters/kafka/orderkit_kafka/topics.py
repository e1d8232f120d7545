"""Which topic an event goes to, and what the topics are like. Beside each there is one for letters that nobody could read.

It knows the families of events by the first word of their names, and no driver.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

# Every family of events has its topic; a test holds the list against the table of events.
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "order-events": ("order", "line"),
    "payment-events": ("payment", "charge", "authorization", "capture", "refund"),
    "shipment-events": ("shipment",),
    "return-events": ("return",),
}
TOPICS = tuple(_FAMILIES)
_TOPIC_OF = {family: topic for topic, families in _FAMILIES.items() for family in families}
OTHERS = "order-events"  # what a host's own event is about is an order, at least
DEAD = ".dead-letters"


def topic_of(event_type: str) -> str:
    """Return the topic of an event."""
    return _TOPIC_OF.get(event_type.partition(".")[0], OTHERS)


@attrs.frozen(kw_only=True)
class Layout:
    """How topics are made: an order's events stay in one partition, so their number is chosen once for ever."""

    partitions: int = 64
    replication: int = 3
    min_insync: int = 2
    retention_hours: int = 7 * 24

    @property
    def settings(self) -> dict[str, str]:
        """What the broker is told of each."""
        return {
            "min.insync.replicas": str(self.min_insync),
            "retention.ms": str(self.retention_hours * 3_600_000),
            "cleanup.policy": "delete",
        }
