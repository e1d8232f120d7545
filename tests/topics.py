"""What a consumer reads in the topics of a bus in Kafka, and in which order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from orderkit.plugins.url import Url
from orderkit_kafka import TOPICS


def prefix_of(url: str) -> str:
    """Return what stands before the names of the bus's topics."""
    return Url.parse(url).query["prefix"]


def read(url: str) -> list[Any]:
    """Return every message of the bus's topics, each partition from its beginning to what is its end now."""
    import confluent_kafka as kafka  # noqa: PLC0415  (only where there is a broker)

    address, prefix = Url.parse(url), prefix_of(url)
    consumer = kafka.Consumer({"bootstrap.servers": address.location, "group.id": "test", "enable.auto.commit": False})
    try:
        known = consumer.list_topics(timeout=30).topics
        parts = [
            kafka.TopicPartition(name, number, 0)
            for name in (prefix + topic for topic in TOPICS)
            for number in (known[name].partitions if name in known else ())
        ]
        ends = [_end(consumer, part) for part in parts]
        consumer.assign(parts)
        found: list[Any] = []
        until = time.monotonic() + 60
        while len(found) < sum(ends):
            assert time.monotonic() < until, f"{len(found)} of {sum(ends)} messages were read"
            found += [message for message in consumer.consume(100, timeout=0.5) if message.error() is None]
        return found
    finally:
        consumer.close()


def _end(consumer: Any, part: Any) -> int:
    """Return the end of a partition; one that was just made, or whose broker was, has no leader at first."""
    from confluent_kafka import KafkaException  # noqa: PLC0415  (only where there is a broker)

    until = time.monotonic() + 60
    while True:
        try:
            end: int = consumer.get_watermark_offsets(part, timeout=30)[1]
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return end


def firsts(messages: Sequence[Any]) -> set[tuple[str, int]]:
    """Return the (order id, version) of what came; in each topic every order's versions have to be in order, each where it came first."""
    found: dict[tuple[str, str], list[int]] = {}
    seen: set[str] = set()
    for message in messages:
        event = msgspec.json.decode(message.value())
        if event["id"] not in seen:
            found.setdefault((message.topic(), event["subject"]), []).append(event["orderversion"])
        seen.add(event["id"])
    for (topic, order_id), versions in found.items():
        assert versions == sorted(versions), f"{order_id} in {topic}"
    return {(order_id, version) for (_, order_id), versions in found.items() for version in versions}
