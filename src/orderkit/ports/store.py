"""The store: orders, their log and stock in one place, because one commit spans them.

`Commit` is the atomic write, whole: the order before and after, the record, guarded stock moves, the idempotency key. A store applies
all of it or nothing, and answers which. Because it is a value, many travel in one transaction with an answer each. Stores never decide:
they compare versions, hold guards and keep what they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from orderkit.domain.events import Record, StockMove
from orderkit.domain.given import check_time
from orderkit.domain.order import Order
from orderkit.domain.stock import ReceiptContent, StockReceipt
from orderkit.domain.value import Value
from orderkit.errors import InvalidInput, KeyReused, OrderkitError
from orderkit.ports.effect import Inside


class KeyClaim(Value, kw_only=True):
    """An idempotency key with the fingerprint of its request. Scope: principal and operation."""

    principal: str
    operation: str
    key: str
    fingerprint: str


class Lease(Value, kw_only=True):
    """A worker's right to an order until a time of the store's own clock. Every write checks the token.

    A commit ends the lease and resets the attempts, unless it leaves something to do at once (`due_at` not after the record's time): then the
    worker keeps the order for its next step.
    """

    order_id: str
    token: int
    attempts: int = 1
    error: str = ""  # what was kept with the order when the last attempt gave it up


# ---- answers to a commit


class Committed(Value):
    """All of it is durable."""

    version: int


class VersionConflict(Value):
    """The stored order is not the one that the decision was made from. Nothing was written."""

    stored_version: int


class DuplicateKey(Value):
    """The key was claimed before. Nothing was written; `order_id` is what it stands for."""

    order_id: str
    fingerprint: str


class OutOfStock(Value):
    """A guard held: the stock moves would take more than there is. Nothing was written. Items are (sku, warehouse)."""

    short: tuple[tuple[str, str], ...]


class LeaseLost(Value):
    """Another worker has taken the order over. Nothing was written."""


CommitAnswer: TypeAlias = "Committed | VersionConflict | DuplicateKey | OutOfStock | LeaseLost"


# ---- effects


class Commit(Inside[CommitAnswer], kw_only=True):
    """The atomic write as a value. `before` is `None` for a new order; `due_at` and `due_for` index what the order waits for."""

    before: Order | None
    after: Order
    record: Record
    key: KeyClaim | None = None
    due_at: datetime | None = None
    due_for: str | None = None
    lease: Lease | None = None

    @property
    def stock(self) -> tuple[StockMove, ...]:
        """The guarded stock moves, one for each SKU and warehouse, sorted."""
        return self.record.stock


class Load(Inside["Order | None"]):
    """The order with that id as the primary has it, or nothing. Raises: `PortError` (`order_damaged`) for one that cannot be read any more."""

    order_id: str


class FindKey(Inside["DuplicateKey | None"]):
    """What an idempotency key stands for, if it was claimed."""

    principal: str
    operation: str
    key: str


class ReadSupply(Inside[Mapping[tuple[str, str], int]]):
    """Units available (on hand less reserved) by SKU and warehouse, for the SKUs asked; no row means not stocked there."""

    skus: tuple[str, ...]


class StockLevel(Value):
    """One SKU at one warehouse: on the shelf, promised of it, and ever received (initial stock and deliveries, restocked returns not)."""

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    received: int


class ReadStock(Inside[tuple[StockLevel, ...]]):
    """The stock levels of the SKUs asked, or of all."""

    skus: tuple[str, ...] = ()


class PutStock(Inside[None]):
    """Receipts that are applied together, in one transaction: all of them, or none, guarded so that promises stay covered.

    A receipt whose id was applied is passed over. Should it have said something else then, the answer is `KeyReused`, and none is applied.
    """

    receipts: tuple[StockReceipt, ...]

    def fresh(self, known: Mapping[str, ReceiptContent]) -> tuple[StockReceipt, ...]:
        """Return the receipts that are not known. Raises `KeyReused` when a known one said something else."""
        found: dict[str, StockReceipt] = {}
        for receipt in self.receipts:
            kept = found[receipt.id].content if receipt.id in found else known.get(receipt.id)
            if kept is None:
                found[receipt.id] = receipt
            elif kept != receipt.content:
                sku, warehouse, quantity, reason = kept
                raise KeyReused(
                    f"the key was used for another delivery: {quantity} of {sku} for {warehouse}, {reason}",
                    field="key",
                    facts={"sku": sku, "warehouse": warehouse, "quantity": quantity, "reason": reason},
                )
        return tuple(found.values())


class ReadRecords(Inside[tuple[Record, ...]]):
    """The log of one order, oldest first."""

    order_id: str


LIMIT_MAX = 10_000  # orders of one page: more are read page by page


class OrderQuery(Value, kw_only=True):
    """A search over what is stored. All given conditions hold together; times have a zone; `cursor` goes on after the last page."""

    customer: str | None = None
    statuses: tuple[str, ...] = ()
    sku: str | None = None
    payment_statuses: tuple[str, ...] = ()
    placed_from: datetime | None = None
    placed_until: datetime | None = None
    shipped_from: datetime | None = None
    shipped_until: datetime | None = None
    tracking_number: str | None = None
    text: str | None = None
    limit: int = 50
    cursor: str | None = None

    def __post_init__(self) -> None:
        if type(self.limit) is not int or not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidInput(f"{self.limit!r} is no number of orders for a page, 1 to {LIMIT_MAX}", field="limit")
        for name in ("placed_from", "placed_until", "shipped_from", "shipped_until"):
            if (at := getattr(self, name)) is not None:
                check_time(at, name)


class OrderSummary(Value):
    """One row of a list of orders. Money in minor units of `currency`."""

    id: str
    customer: str
    status: str
    payment_status: str
    currency: str
    total_minor: int
    refunded_minor: int
    placed_at: datetime
    updated_at: datetime
    shipments: int
    due_at: datetime | None = None
    due_for: str | None = None
    parked: bool = False


class Page(Value):
    """Orders, newest first, and the cursor of the next page, if there is one."""

    items: tuple[OrderSummary, ...]
    cursor: str | None = None


class FindOrders(Inside[Page]):
    """A page of orders."""

    query: OrderQuery


class ClaimDue(Inside[tuple[Lease, ...]]):
    """Take up to `limit` orders that are due by `now` and that nobody holds, for `lease_seconds` of the store's own clock.

    `kinds` restricts to what they are due for. The attempt is counted here; an order claimed more than `attempts_max` times without a
    commit in between is parked with a finding instead of handed out.
    """

    now: datetime
    limit: int
    lease_seconds: float = 30.0
    kinds: tuple[str, ...] = ()
    attempts_max: int = 20


class GiveUp(Inside[None]):
    """Hand a claimed order back unchanged. `error` is kept for whoever looks.

    It is due again at `retry_at`, or when its agenda says, whichever is later: somebody may have changed it meanwhile. Without `retry_at` it
    was not touched: it is due as before, and the attempt does not count.
    """

    lease: Lease
    retry_at: datetime | None
    error: str = ""


class TakeOutbox(Inside[tuple[Record, ...]]):
    """Up to `limit` records that no relay has published, oldest first within each order, claimed for `lease_seconds`.

    `after` is the order at which the last take ended: a store that looks orders through by their id goes on there and comes round to the
    others, so that none waits behind busier ones. Nothing is passed over for good, whatever it says.
    """

    limit: int
    lease_seconds: float = 30.0
    after: str = ""


class MarkPublished(Inside[None]):
    """These records (order id, version) are published. It needs no token: whoever says it has published them, however late it says so."""

    ids: tuple[tuple[str, int], ...]


class Message(Value, kw_only=True):
    """A raw message from outside: a webhook. `id` is the sender's own, unique for `source`; a repeat is recognized by it."""

    source: str
    id: str
    kind: str
    reference: str
    data: Mapping[str, Any]
    received_at: datetime
    attempts: int = 0


class KeepMessage(Inside[bool]):
    """Keep a message in the inbox; the answer says whether it is new."""

    message: Message


class TakeMessages(Inside[tuple[Message, ...]]):
    """Up to `limit` kept messages that wait and are due by `now`, oldest first, taken for `lease_seconds`.

    The attempt is counted here, and its number is what fences: only who has the latest one settles the message.
    """

    now: datetime
    limit: int
    lease_seconds: float = 30.0


class SettleMessage(Inside[None]):
    """A message is applied (`retry_at` is nothing), or waits until `retry_at` because it matches nothing yet.

    `attempts` is that of the message as it was taken, or 0 for one just kept; when somebody took it since, nothing is written.
    """

    source: str
    id: str
    retry_at: datetime | None = None
    note: str = ""
    attempts: int = 0


class StoreCapabilities(Value, kw_only=True):
    """What a store can do beyond the contract; the contract suite and the runtime read it.

    With `concurrent_writers` several commits can be under way at once; without, each waits until the one before has ended.
    """

    durable: bool = False
    concurrent_writers: bool = False
    joins_host_transaction: bool = False
    batch_max: int = 256


class Store(Protocol):
    """What a store adapter fulfills. Every `…_many` answers each element for itself, in order, in one transaction.

    Methods raise `PortError` (`store_unavailable`: not applied; `commit_unknown`: the outcome of COMMIT is not known) when the store
    cannot be reached; they never raise for one element of many: an error of one element is its answer.
    """

    capabilities: StoreCapabilities

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]: ...
    def load_many(self, order_ids: Sequence[str]) -> Sequence[Order | OrderkitError | None]: ...
    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]: ...
    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]: ...
    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]: ...
    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]: ...
    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]: ...
    def find_orders(self, asked: FindOrders) -> Page: ...
    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]: ...
    def give_up(self, asked: GiveUp) -> None: ...
    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]: ...
    def mark_published(self, asked: MarkPublished) -> None: ...
    def keep_message(self, asked: KeepMessage) -> bool: ...
    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]: ...
    def settle_message(self, asked: SettleMessage) -> None: ...
    def close(self) -> None: ...


class AsyncStore(Protocol):
    """The same for an event loop. A store whose work is only computation may be used in both worlds through `runtime`."""

    capabilities: StoreCapabilities

    async def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]: ...
    async def load_many(self, order_ids: Sequence[str]) -> Sequence[Order | OrderkitError | None]: ...
    async def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]: ...
    async def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]: ...
    async def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]: ...
    async def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]: ...
    async def read_records(self, asked: ReadRecords) -> tuple[Record, ...]: ...
    async def find_orders(self, asked: FindOrders) -> Page: ...
    async def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]: ...
    async def give_up(self, asked: GiveUp) -> None: ...
    async def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]: ...
    async def mark_published(self, asked: MarkPublished) -> None: ...
    async def keep_message(self, asked: KeepMessage) -> bool: ...
    async def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]: ...
    async def settle_message(self, asked: SettleMessage) -> None: ...
    async def close(self) -> None: ...
