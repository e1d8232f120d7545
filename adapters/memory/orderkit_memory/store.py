"""The store in memory: the reference that every other store is compared with. Thread-safe by one lock; values are frozen, so nothing is copied."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.domain.status import payment, word
from orderkit.errors import InvalidInput, OrderkitError
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
    Lease,
    LeaseLost,
    MarkPublished,
    Message,
    OrderQuery,
    OrderSummary,
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

Place = tuple[str, str]


@attrs.define
class _Row:
    """An order and what the store keeps beside it."""

    order: Order
    due_at: datetime | None = None
    due_for: str | None = None
    token: int = 0
    leased_until: float = 0.0
    attempts: int = 0
    parked: bool = False
    error: str = ""


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
    """Orders, log, stock, keys and inbox in one process; gone with it."""

    in_memory = True

    def __init__(self, *, lease_clock: Callable[[], float] = time.monotonic) -> None:
        self.capabilities = StoreCapabilities(durable=False, concurrent_writers=True, joins_host_transaction=False, batch_max=256)
        self._lock = threading.RLock()
        self._now = lease_clock
        self._rows: dict[str, _Row] = {}
        self._records: dict[str, list[Record]] = {}
        self._keys: dict[tuple[str, str, str], DuplicateKey] = {}
        self._shelves: dict[Place, _Shelf] = {}
        self._puts: set[str] = set()
        self._outbox: dict[tuple[str, int], float] = {}
        self._inbox: dict[tuple[str, str], _Kept] = {}

    # ---- orders

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply each commit wholly or not at all, in order; a later one sees the earlier ones."""
        with self._lock:
            return [self._commit(commit) for commit in commits]

    def _commit(self, commit: Commit) -> CommitAnswer:
        row = self._rows.get(commit.after.id)
        if commit.lease is not None and (row is None or row.token != commit.lease.token or row.leased_until < self._now()):
            return LeaseLost()
        if commit.key is not None:
            scope = (commit.key.principal, commit.key.operation, commit.key.key)
            if (known := self._keys.get(scope)) is not None:
                return known
        stored = row.order.version if row else 0
        if stored != (commit.before.version if commit.before else 0):
            return VersionConflict(stored)
        if short := self._short(commit):
            return OutOfStock(short)
        if commit.key is not None:
            self._keys[scope] = DuplicateKey(commit.after.id, commit.key.fingerprint)
        for move in commit.stock:
            shelf = self._shelves.setdefault((move.sku, move.warehouse), _Shelf())
            shelf.on_hand += move.on_hand
            shelf.reserved += move.reserved
        row = self._rows.setdefault(commit.after.id, _Row(commit.after))
        row.order, row.due_at, row.due_for = commit.after, commit.due_at, commit.due_for
        row.attempts, row.parked, row.error = 0, False, ""
        if commit.lease is not None and not keeps_lease(commit):
            row.leased_until = 0.0
        self._records.setdefault(commit.after.id, []).append(commit.record)
        self._outbox[commit.after.id, commit.record.version] = 0.0
        return Committed(commit.after.version)

    def _short(self, commit: Commit) -> tuple[Place, ...]:
        empty = _Shelf()
        short = []
        for move in commit.stock:
            shelf = self._shelves.get((move.sku, move.warehouse), empty)
            on_hand, reserved = shelf.on_hand + move.on_hand, shelf.reserved + move.reserved
            if not 0 <= reserved <= on_hand:
                short.append((move.sku, move.warehouse))
        return tuple(short)

    def load_many(self, order_ids: Sequence[str]) -> list[Order | None]:
        """Return each order, or nothing in its place."""
        with self._lock:
            return [row.order if (row := self._rows.get(order_id)) else None for order_id in order_ids]

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Return what each key stands for."""
        with self._lock:
            return [self._keys.get((k.principal, k.operation, k.key)) for k in keys]

    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Return the log of an order."""
        with self._lock:
            return tuple(self._records.get(asked.order_id, ()))

    # ---- stock

    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[Place, int]]:
        """Return units available for each question."""
        with self._lock:
            by_sku: dict[str, dict[Place, int]] = {sku: {} for question in asked for sku in question.skus}
            for place, shelf in self._shelves.items():
                if place[0] in by_sku:
                    by_sku[place[0]][place] = shelf.on_hand - shelf.reserved
        return [{place: units for sku in question.skus for place, units in by_sku[sku].items()} for question in asked]

    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Return stock levels, sorted."""
        with self._lock:
            return tuple(
                StockLevel(sku, place, shelf.on_hand, shelf.reserved, shelf.received)
                for (sku, place), shelf in sorted(self._shelves.items())
                if not asked.skus or sku in asked.skus
            )

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Add to shelves, each id once; an error of one element is its answer."""
        with self._lock:
            return [self._put(put) for put in puts]

    def _put(self, put: PutStock) -> OrderkitError | None:
        if put.id in self._puts:
            return None
        shelf = self._shelves.get((put.sku, put.warehouse), _Shelf())
        if shelf.on_hand + put.quantity < shelf.reserved:
            return InvalidInput(
                f"{put.warehouse} has promised {shelf.reserved} of {put.sku}: {put.quantity} cannot be counted off",
                code="invalid_quantity",
                field="quantity",
                facts={"on_hand": shelf.on_hand, "reserved": shelf.reserved},
            )
        shelf.on_hand += put.quantity
        shelf.received += put.quantity
        self._shelves[put.sku, put.warehouse] = shelf
        self._puts.add(put.id)
        return None

    # ---- lists

    def find_orders(self, asked: FindOrders) -> Page:
        """Return a page of orders, newest first."""
        query = asked.query
        after = _position(query)
        with self._lock:
            rows = [row for row in self._rows.values() if _matches(row.order, query)]
            rows.sort(key=lambda row: (row.order.placed_at, row.order.id), reverse=True)
            if after is not None:
                rows = [row for row in rows if (row.order.placed_at.isoformat(), row.order.id) < after]
            page = rows[: query.limit]
            items = tuple(_summary(row) for row in page)
        last = page[-1].order if len(rows) > query.limit else None
        return Page(items, _cursor(query, last.placed_at.isoformat(), last.id) if last else None)

    # ---- workers

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due and free; count the attempt; park what failed too often."""
        now, leases = self._now(), []
        with self._lock:
            due = [
                row
                for row in self._rows.values()
                if row.due_at is not None
                and row.due_at <= asked.now
                and not row.parked
                and row.leased_until <= now
                and (not asked.kinds or row.due_for in asked.kinds)
            ]
            for row in sorted(due, key=lambda row: (row.due_at, row.order.id)):
                if len(leases) == asked.limit:
                    break
                row.attempts += 1
                if row.attempts > asked.attempts_max:
                    row.parked = True
                    continue
                row.token += 1
                row.leased_until = now + asked.lease_seconds
                leases.append(Lease(order_id=row.order.id, token=row.token, attempts=row.attempts))
        return tuple(leases)

    def give_up(self, asked: GiveUp) -> None:
        """Free a leased order until its next time."""
        with self._lock:
            row = self._rows.get(asked.lease.order_id)
            if row is not None and row.token == asked.lease.token:
                row.leased_until, row.due_at, row.error = 0.0, asked.retry_at, asked.error

    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Claim unpublished records, never one behind an earlier record that another relay has."""
        now, taken, blocked = self._now(), [], set()
        with self._lock:
            for (order_id, version), until in sorted(self._outbox.items()):
                if until > now:
                    blocked.add(order_id)
                if order_id in blocked or len(taken) == asked.limit:
                    continue
                self._outbox[order_id, version] = now + asked.lease_seconds
                taken.append(self._records[order_id][version - 1])
        return tuple(taken)

    def mark_published(self, asked: MarkPublished) -> None:
        """Forget published records' places in the outbox."""
        with self._lock:
            for name in asked.ids:
                self._outbox.pop(name, None)

    # ---- inbox

    def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message once."""
        name = (asked.message.source, asked.message.id)
        with self._lock:
            if name in self._inbox:
                return False
            self._inbox[name] = _Kept(asked.message, asked.message.received_at)
            return True

    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Return waiting messages that are due, oldest first."""
        with self._lock:
            waiting = [k for k in self._inbox.values() if k.due_at is not None and k.due_at <= asked.now]
            waiting.sort(key=lambda k: (k.message.received_at, k.message.id))
            return tuple(k.message for k in waiting[: asked.limit])

    def settle_message(self, asked: SettleMessage) -> None:
        """Mark a message as applied, or as waiting for another time."""
        with self._lock:
            kept = self._inbox.get((asked.source, asked.id))
            if kept is not None:
                kept.due_at, kept.note = asked.retry_at, asked.note
                kept.message = attrs.evolve(kept.message, attempts=kept.message.attempts + 1)

    def close(self) -> None:
        """Nothing is held open."""


def keeps_lease(commit: Commit) -> bool:
    """Whether a worker's commit leaves something to do at once."""
    return commit.due_at is not None and commit.due_at <= commit.record.stamp.at


def _matches(order: Order, query: OrderQuery) -> bool:
    facts = order.facts
    shipped = [s.shipped_at for s in order.shipments if s.shipped_at is not None]
    return (
        (query.customer is None or facts.customer == query.customer)
        and (not query.statuses or word(order) in query.statuses)
        and (not query.payment_statuses or payment(order) in query.payment_statuses)
        and (query.sku is None or any(line.sku == query.sku for line in facts.lines))
        and (query.placed_from is None or order.placed_at >= query.placed_from)
        and (query.placed_until is None or order.placed_at < query.placed_until)
        and (query.shipped_from is None or any(at >= query.shipped_from for at in shipped))
        and (query.shipped_until is None or any(at < query.shipped_until for at in shipped))
        and (query.tracking_number is None or any(s.tracking_number == query.tracking_number for s in order.shipments))
        and (query.text is None or all(w in search_text(order) for w in query.text.casefold().split()))
    )


def search_text(order: Order) -> str:
    """Return the folded text that a word search looks in."""
    facts, to = order.facts, order.facts.ship_to
    words = [order.id, facts.customer, facts.reference, to.name, to.street, to.zip, to.city, to.country]
    words += [part for line in facts.lines for part in (line.sku, line.name)]
    words += [s.tracking_number for s in order.shipments if s.tracking_number]
    return " ".join(words).casefold()


def _summary(row: _Row) -> OrderSummary:
    order = row.order
    return OrderSummary(
        id=order.id,
        customer=order.facts.customer,
        status=word(order),
        payment_status=payment(order),
        currency=order.currency,
        total_minor=order.total_minor,
        refunded_minor=order.refunded_minor,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        shipments=sum(1 for s in order.shipments if s.lines),
        due_at=row.due_at,
        due_for=row.due_for,
        parked=row.parked,
    )


def _cursor(query: OrderQuery, placed_at: str, order_id: str) -> str:
    return f"{_digest(query)}.{placed_at}.{order_id}"


def _position(query: OrderQuery) -> tuple[str, str] | None:
    if query.cursor is None:
        return None
    digest, _, rest = query.cursor.partition(".")
    placed_at, _, order_id = rest.rpartition(".")
    if digest != _digest(query) or not order_id:
        raise InvalidInput("the cursor belongs to another query", code="invalid_cursor", field="cursor")
    return placed_at, order_id


def _digest(query: OrderQuery) -> str:
    return hashlib.blake2b(repr(attrs.evolve(query, cursor=None, limit=50)).encode(), digest_size=6).hexdigest()
