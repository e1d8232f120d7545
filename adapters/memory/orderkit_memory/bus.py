"""Two buses without a broker: one in the process, and one that is a file which only grows, for worker processes on one machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from orderkit.domain.events import Record
from orderkit.ports.bus import Subscriber


class MemoryBus:
    """Calls its subscribers in the process, in the order of publishing. A subscriber that raises stops the relay, which comes again."""

    in_memory = True

    def __init__(self) -> None:
        self.published: list[Record] = []
        self._subscribers: list[Subscriber] = []
        self._lock = threading.Lock()

    def publish(self, records: Sequence[Record]) -> None:
        """Hand the records to every subscriber."""
        with self._lock:
            for record in records:
                for subscriber in self._subscribers:
                    subscriber(record)
                self.published.append(record)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this for every record from now on."""
        self._subscribers.append(subscriber)

    def close(self) -> None:
        """Nothing is held open."""


class FileBus:
    """Appends one line of JSON for each record; several processes may append to one file, and any may read it."""

    def __init__(self, path: Path) -> None:
        import msgspec  # noqa: PLC0415  (only where lines are written)

        self._encoder = msgspec.json.Encoder()
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._subscribers: list[Subscriber] = []
        self._lock = threading.Lock()

    def publish(self, records: Sequence[Record]) -> None:
        """Append the records; the file is flushed to the operating system before this returns."""
        lines = b"".join(self._encoder.encode(_line(record)) + b"\n" for record in records)
        with self._lock:
            self._file.write(lines)
            self._file.flush()
        for record in records:
            for subscriber in self._subscribers:
                subscriber(record)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this for every record that this process publishes."""
        self._subscribers.append(subscriber)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "order_id": record.order_id,
        "version": record.version,
        "at": record.stamp.at,
        "from_status": record.from_status,
        "to_status": record.to_status,
        "events": [{"type": event.type, "schema": event.schema, "data": event.data} for event in record.events],
    }
