"""orderkit_kafka: the bus in Apache Kafka. Every event is a CloudEvent in the topic of its family, keyed by its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orderkit_kafka.messages import Message, messages_of
from orderkit_kafka.topics import TOPICS, Layout, topic_of

if TYPE_CHECKING:  # it needs the driver, and whoever only looks for the plugin does not
    from orderkit_kafka.bus import KafkaBus

__all__ = ["TOPICS", "KafkaBus", "Layout", "Message", "messages_of", "topic_of"]


def __getattr__(name: str) -> Any:
    if name != "KafkaBus":
        raise AttributeError(f"module 'orderkit_kafka' has no attribute {name!r}")
    from orderkit_kafka.bus import KafkaBus  # noqa: PLC0415  (it needs the driver)

    return KafkaBus
