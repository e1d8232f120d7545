"""What is sent of a record: each of its events as a CloudEvent (1.0, JSON, structured mode), under the id of its order.

Nothing in it is personal, as in the log. It knows records, and no driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from orderkit.domain.events import Record
from orderkit_kafka.topics import topic_of

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
_encode = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """One message: where it goes, under which key, what it says. Messages of one key keep their order."""

    topic: str
    key: bytes
    value: bytes


def messages_of(records: Iterable[Record], *, source: str, prefix: str = "") -> Iterator[Message]:
    """Yield the messages of records, in their order; `prefix` stands before the name of each topic."""
    for record in records:
        key = record.order_id.encode()
        for number, event in enumerate(record.events, start=1):
            said = {
                "specversion": "1.0",
                "id": f"{record.id}/{number}",
                "source": source,
                "type": event.type,
                "subject": record.order_id,
                "time": record.stamp.at,
                "datacontenttype": "application/json",
                "dataschema": f"urn:orderkit:event:{event.type}:{event.schema}",
                "orderversion": record.version,
                "orderstatus": record.to_status,
                "data": event.data,
            }
            yield Message(prefix + topic_of(event.type), key, _encode(said))
