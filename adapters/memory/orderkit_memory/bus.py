"""Two buses without a broker: one in the process, and one that is a file which only grows, for worker processes on one machine.

Both keep the order of each order's records, and both may tell one twice: whoever listens knows a repeat by its (order, version).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orderkit.domain.events import Record
from orderkit.errors import Misconfigured, PortError
from orderkit.ports.bus import Subscriber

try:
    import fcntl
except ImportError:  # an operating system without it
    fcntl = None  # type: ignore[assignment]  # a module or nothing

KEPT = 10_000  # what a process that runs for months remembers of its own past


class MemoryBus:
    """Calls its subscribers in the process, in the order of publishing, one record after the other.

    A subscriber that raises stops the call there: its relay marks nothing as published and comes again with all of it, so that nobody
    sees a later record of an order before an earlier one.
    """

    in_memory = True

    def __init__(self, *, kept: int = KEPT) -> None:
        """Open a bus that keeps the last `kept` records to be looked at."""
        self._published: deque[Record] = deque(maxlen=kept)
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.RLock()  # a subscriber may publish, and may subscribe another

    @property
    def published(self) -> tuple[Record, ...]:
        """The records that every subscriber has got, oldest first."""
        with self._lock:
            return tuple(self._published)

    def publish(self, records: Sequence[Record]) -> None:
        """Hand the records to every subscriber. Raises what a subscriber raises."""
        with self._lock:
            for record in records:
                for subscriber in self._subscribers:
                    subscriber(record)
                self._published.append(record)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this for every record from now on."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

    def close(self) -> None:
        """Nothing is held open."""


class FileBus:
    """Appends one line of JSON for each record; several processes may append to one file, and any may read it.

    A line is handed to the operating system in one call before `publish` returns, so it survives the process; with `sync` it survives the
    machine. A line that a full disk cut off is closed by the next one to append and belongs to nobody: its records are published again.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        """Open the file, and make it where there is none."""
        import msgspec  # noqa: PLC0415  (only where lines are written)

        self._encode = msgspec.json.Encoder().encode
        self._sync = sync
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise Misconfigured(
                f"{path} cannot be opened: {error.strerror}", code="file_missing", field="bus"
            ) from error

    def publish(self, records: Sequence[Record]) -> None:
        """Append the records, then hand them to this process's subscribers. Raises `PortError` when the file cannot be written."""
        lines = b"".join(self._encode(line(record)) + b"\n" for record in records)
        with self._lock:
            if lines:
                self._append(lines)
            for record in records:
                for subscriber in self._subscribers:
                    subscriber(record)

    def _append(self, lines: bytes) -> None:
        try:
            with _alone(self._file):
                data = b"\n" + lines if self._torn() else lines
                if os.write(self._file, data) != len(data):
                    raise PortError("the file took a part of the records only", facts={"bytes": len(data)})
                if self._sync:
                    os.fsync(self._file)
        except OSError as error:
            raise PortError(f"the records cannot be written: {error.strerror}") from error

    def _torn(self) -> bool:
        """Whether the file ends within a line. Only who has the file alone can tell it from a line that is being written."""
        if os.lseek(self._file, 0, os.SEEK_END) == 0:
            return False
        os.lseek(self._file, -1, os.SEEK_END)
        return os.read(self._file, 1) != b"\n"

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this for every record that this process publishes from now on."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


@contextmanager
def _alone(file: int) -> Iterator[None]:
    """Keep other processes from appending meanwhile, where the operating system has such locks."""
    if fcntl is None:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def line(record: Record) -> dict[str, object]:
    """Return what a line says of a record: its name, its types, and its events whole. Nothing in it is personal."""
    return {
        "id": record.id,
        "types": [event.type for event in record.events],
        "order_id": record.order_id,
        "version": record.version,
        "at": record.stamp.at,
        "from_status": record.from_status,
        "to_status": record.to_status,
        "events": [{"type": event.type, "schema": event.schema, "data": event.data} for event in record.events],
    }
