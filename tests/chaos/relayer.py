"""A relay of the outbox test: `python -m tests.chaos.relayer STORE PUBLISHED`. Its bus is one file that all relays append to, a call for a batch.

So the file is the order in which records were published, over all relays. It runs the library's own worker, in the role `relay` only.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

import orderkit
from orderkit.domain.events import Record
from orderkit.ports.settings import Settings
from orderkit.runtime.workers import Plan, Worker


class AppendingBus:
    """Appends the names of published records."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def publish(self, records: Sequence[Record]) -> None:
        """Append them in one call."""
        os.write(self._file, "".join(f"{record.order_id} {record.version}\n" for record in records).encode())

    def subscribe(self, subscriber: Callable[[Record], None]) -> None:
        """Nobody listens here."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def main(store: str, published: str) -> None:
    """Relay until SIGTERM."""
    with orderkit.open(store, bus=AppendingBus(published), settings=Settings(reacts=False)) as shop:
        worker = Worker(shop, Plan(roles=("relay",), interval=0.05), say=lambda line: print(line, flush=True))  # noqa: T201  (its log)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        print("started", flush=True)  # noqa: T201  (its log)
        worker.run()
        print(dict(worker.counts), flush=True)  # noqa: T201  (its log)


if __name__ == "__main__":
    main(*sys.argv[1:])
