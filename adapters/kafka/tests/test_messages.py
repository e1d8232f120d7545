"""What is sent of a record, and where: without a broker and without the driver."""

from __future__ import annotations

import json

import pytest

from orderkit.domain.event_types import EVENT_TYPES
from orderkit.domain.events import Event
from orderkit.domain.value import evolve
from orderkit.testing.samples import a_life
from orderkit_kafka.messages import messages_of
from orderkit_kafka.topics import TOPICS, topic_of

RECORDS = [commit.record for commit in a_life("order-ü")]


def test_every_event_is_a_message_in_the_order_of_the_log() -> None:
    """Nothing is left out, nothing is doubled, and every message bears the key of its order."""
    messages = list(messages_of(RECORDS, source="/shop", prefix="shop."))
    said = [json.loads(message.value) for message in messages]

    assert [event["type"] for event in said] == [event.type for record in RECORDS for event in record.events]
    assert {message.key for message in messages} == {"order-ü".encode()}
    assert all(
        message.topic == f"shop.{topic_of(event['type'])}" for message, event in zip(messages, said, strict=True)
    )
    assert len({event["id"] for event in said}) == len(said)


def test_a_message_is_a_cloud_event() -> None:
    """Its required attributes, those that CloudEvents knows, ours by lowercase names; the data is the event's own."""
    record = RECORDS[0]
    event = json.loads(next(messages_of([record], source="/shop")).value)

    assert event == {
        "specversion": "1.0",
        "id": "order-ü/1/1",
        "source": "/shop",
        "type": record.events[0].type,
        "subject": "order-ü",
        "time": record.stamp.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": f"urn:orderkit:event:{record.events[0].type}:{record.events[0].schema}",
        "orderversion": 1,
        "orderstatus": record.to_status,
        "data": json.loads(json.dumps(record.events[0].data)),
    }


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_every_event_has_a_topic_by_its_family(name: str) -> None:
    """The four of the requirements; money has its own, whatever word it begins with."""
    wanted = {"order": 0, "line": 0, "shipment": 2, "return": 3}.get(name.partition(".")[0], 1)

    assert topic_of(name) == TOPICS[wanted]


def test_a_hosts_own_event_is_about_an_order() -> None:
    """What nobody has heard of goes where everything of an order goes."""
    record = evolve(RECORDS[0], events=(Event(type="loyalty.points_given", data={"points": 3}),))

    assert [message.topic for message in messages_of([record], source="/shop")] == ["order-events"]
