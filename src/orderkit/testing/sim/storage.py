"""The models of storage, bus, cache and what follows from records: the reference adapters in memory, on virtual time, with a witness.

The store is the memory store itself, so the contract suite that holds for it holds here, and what a simulation finds wrong with it is wrong.
The witness sees every commit and every lease. Safeguards are taken away by subclasses (`ablations`), never by a switch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from orderkit.ports.documents import MakeDocument, ReadDocument
from orderkit.ports.search import Found, SearchQuery
from orderkit.ports.store import ClaimDue, Commit, CommitAnswer, GiveUp, KeepMessage, Lease
from orderkit_memory.bus import MemoryBus as Bus
from orderkit_memory.cache import MemoryCache
from orderkit_memory.notifications import MemoryNotifications
from orderkit_memory.store import MemoryStore

__all__ = ["Bus", "Cache", "Index", "Papers", "Post", "Storage", "Watching"]


class Watching(Protocol):
    """Who sees what the store did."""

    def committed(self, commit: Commit, answer: CommitAnswer) -> None:
        """A commit was answered."""

    def claimed(self, leases: Sequence[Lease], seconds: float) -> None:
        """Orders were leased."""

    def freed(self, lease: Lease) -> None:
        """A lease was given up."""


class Storage(MemoryStore):
    """The store, watched. `wrote` is called after every write that may give workers something to do."""

    def __init__(self, witness: Watching, seconds: Callable[[], float]) -> None:
        super().__init__(lease_clock=seconds)
        self.witness = witness
        self.wrote: Callable[[], None] = lambda: None

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Commit each, and show it to the witness."""
        answers = []
        for commit in commits:
            answer = self.write(commit)
            self.witness.committed(commit, answer)
            answers.append(answer)
        self.wrote()
        return answers

    def write(self, commit: Commit) -> CommitAnswer:
        """Commit one."""
        return super().commit_many([commit])[0]

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due, and show it to the witness."""
        leases = super().claim_due(asked)
        self.witness.claimed(leases, asked.lease_seconds)
        return leases

    def give_up(self, asked: GiveUp) -> None:
        """Free an order, and tell the witness."""
        super().give_up(asked)
        self.witness.freed(asked.lease)

    def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message; workers may have something to do."""
        fresh = super().keep_message(asked)
        self.wrote()
        return fresh

    def idle(self, now: datetime) -> bool:
        """Whether a sweep would find nothing: no order is due, no record is unpublished, no message waits."""
        due = self._due and self._due[0][0] <= now
        return not (due or self._outbox or any(k.due_at and k.due_at <= now for k in self._inbox.values()))

    # ---- what auditors read; no effect of the library comes here

    def level(self, sku: str, warehouse: str) -> tuple[int, int, int]:
        """Return what a shelf holds: on hand, reserved, ever received."""
        shelf = self._shelf(sku, warehouse)
        return shelf.on_hand, shelf.reserved, shelf.received

    @property
    def unpublished(self) -> int:
        """How many records no relay has marked as published."""
        return len(self._outbox)

    @property
    def waiting_messages(self) -> int:
        """How many messages of the inbox are not settled."""
        return sum(kept.due_at is not None for kept in self._inbox.values())

    @property
    def parked(self) -> list[tuple[str, str]]:
        """The orders that no worker takes any more, with the reason."""
        return [(name, row.error) for name, row in self._rows.items() if row.parked]


class Cache(MemoryCache):
    """The cache, on virtual time."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__(seconds=seconds)


class Post(MemoryNotifications):
    """The mail, with a look into what was sent."""

    def told(self, name: str) -> bool:
        """Whether the message with that id was sent."""
        return name in self._sent


class Index:
    """A search index that keeps the newest document of each order, and finds by id only."""

    def __init__(self) -> None:
        self.documents: dict[str, Mapping[str, Any]] = {}

    def index(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Put documents in; an older version never replaces a newer one."""
        for document in documents:
            known = self.documents.get(document["id"])
            if known is None or known["version"] <= document["version"]:
                self.documents[document["id"]] = document

    def search(self, query: SearchQuery) -> Found:
        """Find by id."""
        found = tuple(name for name in self.documents if name == query.text)
        return Found(found, len(found), {})

    def close(self) -> None:
        """Nothing is held open."""


class Papers:
    """Documents by id."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def make_document(self, asked: MakeDocument) -> str:
        """Make it once per id."""
        return self.made.setdefault(asked.id, f"paper:{asked.id}")

    def read_document(self, asked: ReadDocument) -> bytes | None:
        """Return its text."""
        found = next((paper for paper in self.made.values() if paper == asked.url), None)
        return None if found is None else found.encode()

    def close(self) -> None:
        """Nothing is held open."""
