"""The store in memory: the reference that every other store is compared with.

One lock guards everything; values are frozen, so nothing is copied. It keeps what it is given and decides nothing; what is gone with the
process is all of it. The rules that it shows, and the contract suite tests, stand in `orderkit.ports.store` and in this adapter's README.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from orderkit.domain.agenda import PARKED
from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.domain.stock import ReceiptContent, by_shelf, cannot_be_counted_off
from orderkit.domain.value import evolve
from orderkit.errors import KeyReused, OrderkitError
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    CommitAnswer,
    Committed,
    DuplicateKey,
    FindKey,
    FindOrders,
    GiveUp,
    KeepMessage,
    KeyClaim,
    Lease,
    LeaseLost,
    MarkPublished,
    Message,
    OutOfStock,
    Page,
    PutStock,
    ReadRecords,
    ReadStock,
    ReadSupply,
    SettleMessage,
    StockLevel,
    StoreCapabilities,
    TakeMessages,
    TakeOutbox,
    VersionConflict,
)
from orderkit_memory import lists

Place = tuple[str, str]


@attrs.define
class _Row:
    """An order and what the store keeps beside it. Without a lease, `leased_until` is nothing."""

    order: Order
    due_at: datetime | None = None
    due_for: str | None = None
    token: int = 0
    leased_until: float | None = None
    attempts: int = 0
    parked: bool = False
    error: str = ""

    def leased(self, now: float) -> bool:
        return self.leased_until is not None and self.leased_until > now


@attrs.define
class _Shelf:
    on_hand: int = 0
    reserved: int = 0
    received: int = 0


@attrs.define
class _Kept:
    message: Message
    due_at: datetime | None
    note: str = ""


class MemoryStore:
    """Orders, log, stock, keys and inbox in one process. Safe to use from many threads."""

    in_memory = True  # a commit is only computation: nothing is gained by gathering several
    capabilities = StoreCapabilities(
        durable=False, concurrent_writers=True, joins_host_transaction=False, batch_max=256
    )

    def __init__(self, *, lease_clock: Callable[[], float] = time.monotonic) -> None:
        """Open an empty store. `lease_clock` tells seconds; leases run on it, whatever time the shop's clock has."""
        self._lock = threading.RLock()
        self._now = lease_clock
        self._rows: dict[str, _Row] = {}
        self._due: list[tuple[datetime, str]] = []  # a heap; an entry that its row no longer says is passed over
        self._records: dict[str, list[Record]] = {}
        self._outbox: dict[
            tuple[str, int], float
        ] = {}  # unpublished, in the order of commits, with the end of the lease
        self._keys: dict[tuple[str, str, str], DuplicateKey] = {}
        self._shelves: dict[str, dict[str, _Shelf]] = {}
        self._receipts: dict[str, ReceiptContent] = {}
        self._inbox: dict[tuple[str, str], _Kept] = {}

    # ---- orders

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply each commit wholly or not at all, in order; a later one sees the earlier ones."""
        with self._lock:
            return [self._refusal(commit) or self._applied(commit) for commit in commits]

    def _refusal(self, commit: Commit) -> CommitAnswer | None:
        """Say why nothing of the commit may be written: the lease first, then the key, the version, the stock."""
        row = self._rows.get(commit.after.id)
        if commit.lease is not None and (row is None or row.token != commit.lease.token or not row.leased(self._now())):
            return LeaseLost()
        if commit.key is not None and (known := self._keys.get(_scope(commit.key))) is not None:
            return known
        version = row.order.version if row else 0
        if version != (commit.before.version if commit.before else 0):
            return VersionConflict(version)
        if short := self._short(commit):
            return OutOfStock(short)
        return None

    def _short(self, commit: Commit) -> tuple[Place, ...]:
        short = []
        for move in commit.stock:
            shelf = self._shelf(move.sku, move.warehouse)
            if not 0 <= shelf.reserved + move.reserved <= shelf.on_hand + move.on_hand:
                short.append((move.sku, move.warehouse))
        return tuple(short)

    def _applied(self, commit: Commit) -> Committed:
        after, record = commit.after, commit.record
        if commit.key is not None:
            self._keys[_scope(commit.key)] = DuplicateKey(after.id, commit.key.fingerprint)
        for move in commit.stock:
            shelf = self._shelf(move.sku, move.warehouse, make=True)
            shelf.on_hand += move.on_hand
            shelf.reserved += move.reserved
        row = self._rows.setdefault(after.id, _Row(after))
        row.order, row.due_for = after, commit.due_for
        row.attempts, row.parked, row.error = 0, PARKED in after.findings, ""
        if commit.lease is not None and not _goes_on(commit):
            row.leased_until = None
        self._schedule(row, commit.due_at)
        self._records.setdefault(after.id, []).append(record)
        self._outbox[after.id, record.version] = 0.0
        return Committed(after.version)

    def load_many(self, order_ids: Sequence[str]) -> list[Order | None]:
        """Return each order, or nothing in its place."""
        with self._lock:
            return [row.order if (row := self._rows.get(order_id)) else None for order_id in order_ids]

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Return what each key stands for, or nothing in its place."""
        with self._lock:
            return [self._keys.get((key.principal, key.operation, key.key)) for key in keys]

    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Return the log of an order, oldest first."""
        with self._lock:
            return tuple(self._records.get(asked.order_id, ()))

    def find_orders(self, asked: FindOrders) -> Page:
        """Return a page of orders, newest first. Raises `InvalidInput` (`invalid_cursor`)."""
        query = asked.query
        after = lists.after(query)
        with self._lock:
            rows = [
                row
                for row in self._rows.values()
                if (after is None or lists.position(row.order) < after) and lists.matches(row.order, query)
            ]
            page = heapq.nlargest(query.limit, rows, key=lambda row: lists.position(row.order))
            items = tuple(
                lists.summary(row.order, due_at=row.due_at, due_for=row.due_for, parked=row.parked) for row in page
            )
        more = len(rows) > len(page) > 0
        return Page(items, lists.cursor(query, (items[-1].placed_at, items[-1].id)) if more else None)

    # ---- stock

    def _shelf(self, sku: str, warehouse: str, *, make: bool = False) -> _Shelf:
        """Return a shelf; one that is not there counts as empty."""
        found = self._shelves.get(sku, {}).get(warehouse)
        if found is None:
            found = _Shelf()
            if make:
                self._shelves.setdefault(sku, {})[warehouse] = found
        return found

    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[Place, int]]:
        """Return the units on hand and not promised, for each question; an emptied shelf has none, an unknown one is not there."""
        with self._lock:
            return [
                {
                    (sku, warehouse): shelf.on_hand - shelf.reserved
                    for sku in question.skus
                    for warehouse, shelf in self._shelves.get(sku, {}).items()
                }
                for question in asked
            ]

    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Return stock levels, sorted by SKU and warehouse."""
        with self._lock:
            return tuple(
                StockLevel(sku, warehouse, shelf.on_hand, shelf.reserved, shelf.received)
                for sku in sorted(set(asked.skus) & self._shelves.keys() if asked.skus else self._shelves)
                for warehouse, shelf in sorted(self._shelves[sku].items())
            )

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Add to shelves, each receipt once, each element wholly or not at all; an error of one element is its answer."""
        with self._lock:
            return [self._put(put) for put in puts]

    def _put(self, put: PutStock) -> OrderkitError | None:
        try:
            fresh = put.fresh(self._receipts)
        except KeyReused as error:
            return error
        added = by_shelf(fresh)
        for (sku, warehouse), quantity in added.items():
            shelf = self._shelf(sku, warehouse)
            if shelf.on_hand + quantity < shelf.reserved:
                return cannot_be_counted_off((sku, warehouse), quantity, on_hand=shelf.on_hand, reserved=shelf.reserved)
        for (sku, warehouse), quantity in added.items():
            shelf = self._shelf(sku, warehouse, make=True)
            shelf.on_hand += quantity
            shelf.received += quantity
        self._receipts.update({receipt.id: receipt.content for receipt in fresh})
        return None

    # ---- workers

    def _schedule(self, row: _Row, due_at: datetime | None) -> None:
        if due_at is not None and (due_at != row.due_at or row.leased_until is None):
            heapq.heappush(self._due, (due_at, row.order.id))
        row.due_at = due_at

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due and free, the longest waiting first; count the attempt; park what was claimed too often."""
        leases: list[Lease] = []
        passed: dict[tuple[datetime, str], None] = {}
        with self._lock:
            now = self._now()
            while self._due and self._due[0][0] <= asked.now and len(leases) < asked.limit:
                entry = heapq.heappop(self._due)
                row = self._rows[entry[1]]
                if entry in passed or row.due_at != entry[0] or row.parked:
                    continue
                passed[entry] = None
                if row.leased(now) or (asked.kinds and row.due_for not in asked.kinds):
                    continue
                if (lease := _claimed(row, now, asked)) is not None:
                    leases.append(lease)
            for entry in passed:
                heapq.heappush(self._due, entry)
        return tuple(leases)

    def give_up(self, asked: GiveUp) -> None:
        """Free a leased order until its next time; a lease that is not held any more gives nothing up."""
        with self._lock:
            row = self._rows.get(asked.lease.order_id)
            if row is None or row.token != asked.lease.token or row.leased_until is None:
                return
            row.leased_until = None
            if asked.retry_at is None:
                row.attempts = max(0, row.attempts - 1)  # a change meanwhile began them anew
                self._schedule(row, row.due_at)
            else:
                row.error = asked.error
                self._schedule(row, row.due_at and max(row.due_at, asked.retry_at))

    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Claim unpublished records, never one behind an earlier record that another relay has."""
        taken: list[Record] = []
        claimed: set[str] = set()
        with self._lock:
            now = self._now()
            for (order_id, version), until in self._outbox.items():
                if len(taken) == asked.limit:
                    break
                if until > now:
                    claimed.add(order_id)
                elif order_id not in claimed:
                    taken.append(self._records[order_id][version - 1])
            for record in taken:
                self._outbox[record.order_id, record.version] = now + asked.lease_seconds
        return tuple(taken)

    def mark_published(self, asked: MarkPublished) -> None:
        """Take published records out of the outbox; they stay in the log."""
        with self._lock:
            for name in asked.ids:
                self._outbox.pop(name, None)

    # ---- inbox

    def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message; the answer says whether it is new."""
        name = (asked.message.source, asked.message.id)
        with self._lock:
            if name in self._inbox:
                return False
            self._inbox[name] = _Kept(asked.message, asked.message.received_at)
            return True

    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Take messages that wait and are due, oldest first, and count the attempt."""
        with self._lock:
            due = [kept for kept in self._inbox.values() if kept.due_at is not None and kept.due_at <= asked.now]
            taken = heapq.nsmallest(asked.limit, due, key=lambda kept: (kept.message.received_at, kept.message.id))
            for kept in taken:
                kept.due_at = asked.now + timedelta(seconds=asked.lease_seconds)
                kept.message = evolve(kept.message, attempts=kept.message.attempts + 1)
            return tuple(kept.message for kept in taken)

    def settle_message(self, asked: SettleMessage) -> None:
        """Note that a message is applied, or waits for another time, unless somebody else has taken it."""
        with self._lock:
            kept = self._inbox.get((asked.source, asked.id))
            if kept is not None and kept.message.attempts == asked.attempts:
                kept.due_at, kept.note = asked.retry_at, asked.note

    def close(self) -> None:
        """Nothing is held open."""


def _scope(key: FindKey | KeyClaim) -> tuple[str, str, str]:
    return key.principal, key.operation, key.key


def _goes_on(commit: Commit) -> bool:
    """Whether a worker's commit leaves something to do at once, so that the worker keeps the order."""
    return commit.due_at is not None and commit.due_at <= commit.record.stamp.at


def _claimed(row: _Row, now: float, asked: ClaimDue) -> Lease | None:
    """Count an attempt and lease the order, or park it when it had too many."""
    row.attempts += 1
    if row.attempts > asked.attempts_max:
        row.parked, row.leased_until = True, None
        row.error = f"parked: claimed {asked.attempts_max} times without a commit; the last error: {row.error or 'none was kept'}"
        return None
    row.token += 1
    row.leased_until = now + asked.lease_seconds
    return Lease(order_id=row.order.id, token=row.token, attempts=row.attempts, error=row.error)
