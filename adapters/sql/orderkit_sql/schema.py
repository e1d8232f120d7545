"""The tables: one definition for SQLite and PostgreSQL. The statements that make them are in `creating`.

On PostgreSQL the tables live in a schema of their own, on SQLite they bear a prefix. Rows are narrow and constrained, documents are bytes
of JSON; the order's id begins every key, so that partitions and shards follow it (see `partitioning`). There are no foreign keys: one
function writes all rows of an order in one transaction, and `verify_log` checks what they would. This module knows no connections.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TIMESTAMP, TypeEngine

from orderkit.domain.lifecycle import ORDER, PAYMENT, RETURN, SHIPMENT, STATUS
from orderkit.domain.quantities import FORWARD, REVERSE, Bucket

SCHEMA_VERSION = 2

Dialect = Literal["sqlite", "postgresql"]

BUCKETS = tuple(bucket.name.lower() for bucket in Bucket)
LEFT = (Bucket.SHIPPED, Bucket.DELIVERED, Bucket.LOST)
# An order begins with one of these words; a free one is confirmed at once, one without stock ends at once.
FIRST_WORDS = (STATUS.initial, "payment_confirmed", "cancelled")
OUTBOX = ("published", "leased_until")
# The words of the derived axes, which have no lifecycle of their own (see `orderkit.domain.status`).
FULFILLMENT_WORDS = ("backordered", "fulfilled", "in_progress", "none", "partially_fulfilled", "unfulfilled")
PAYMENT_WORDS = (
    *("authorized", "failed", "in_doubt", "none", "overpaid", "paid", "partially_paid", "partially_refunded"),
    *("pending", "refunded", "voided"),
)
RETURNS_WORDS = ("none", "partially_returned", "requested", "returned")


@attrs.frozen(eq=False, kw_only=True)
class Tables:
    """Every table of one store."""

    metadata: MetaData
    dialect: Dialect
    schema: str
    orders: Table
    texts: Table
    keys: Table
    order_lines: Table
    payments: Table
    shipments: Table
    returns: Table
    records: Table
    stock: Table
    stock_receipts: Table
    inbox: Table
    schema_version: Table
    migrations: Table

    def partitioned(self) -> tuple[Table, ...]:
        """Return the tables that are cut into months, on PostgreSQL: all that begin with an order's id."""
        return tuple(table for table in self.metadata.sorted_tables if table.info.get("by"))


@cache
def tables(dialect: Dialect, schema: str = "orderkit") -> Tables:
    """Return the tables in a schema (PostgreSQL) or with a prefix (SQLite) of that name."""
    metadata = MetaData(schema=schema if dialect == "postgresql" else None)
    make = _Maker(metadata, dialect, schema)
    return Tables(
        metadata=metadata,
        dialect=dialect,
        schema=schema,
        orders=_orders(make),
        texts=make.table("order_texts", make.id(), make.text("text"), key=("order_id",), by="order_id"),
        keys=make.table(
            "keys",
            *(make.text(name) for name in ("principal", "operation", "key", "order_id", "fingerprint")),
            make.moment("claimed_at"),
            key=("principal", "operation", "key"),
            narrow=True,
        ),
        order_lines=_order_lines(make),
        payments=_payments(make),
        shipments=_shipments(make),
        returns=make.table(
            "returns",
            make.id(),
            Column("number", Integer, nullable=False),
            make.text("id"),
            make.text("state"),
            make.moment("requested_at"),
            make.text("label_url", optional=True),
            Column("detail", LargeBinary, nullable=False),
            CheckConstraint(_one_of("state", RETURN.states), name="returns_state"),
            key=("order_id", "number"),
            by="order_id",
        ),
        records=_records(make),
        stock=make.table(
            "stock",
            make.text("sku"),
            make.text("warehouse"),
            *(
                Column(name, BigInteger, nullable=False, server_default=text("0"))
                for name in ("on_hand", "reserved", "received")
            ),
            CheckConstraint("0 <= reserved AND reserved <= on_hand", name="stock_promises_covered"),
            key=("sku", "warehouse"),
            narrow=True,
        ),
        stock_receipts=make.table(
            "stock_receipts",
            *(make.text(name) for name in ("id", "sku", "warehouse", "reason")),
            Column("quantity", BigInteger, nullable=False),
            make.moment("at"),
            key=("id",),
        ),
        inbox=_inbox(make),
        schema_version=make.table(
            "schema_version",
            Column(
                "single",
                Integer,
                CheckConstraint("single = 1", name="schema_version_single"),
                nullable=False,
                autoincrement=False,
            ),
            Column("version", Integer, nullable=False),
            key=("single",),
        ),
        migrations=make.table("migrations", Column("version_num", String(32), nullable=False), key=("version_num",)),
    )


def full_name(table: Table) -> str:
    """Return the table's name as SQL writes it."""
    return f"{table.schema}.{table.name}" if table.schema else table.name


class _Maker:
    """What differs between the two databases when a table is declared."""

    def __init__(self, metadata: MetaData, dialect: Dialect, schema: str) -> None:
        self.metadata, self.dialect, self.schema = metadata, dialect, schema
        # Ids, SKUs and warehouses are compared byte by byte: rows are locked in the order in which Python sorts.
        self._text: TypeEngine[Any] = Text(collation="C") if dialect == "postgresql" else Text()
        self._moment: TypeEngine[Any] = TIMESTAMP(timezone=True) if dialect == "postgresql" else Text()

    def table(
        self,
        name: str,
        *parts: Any,
        key: tuple[str, ...],
        narrow: bool = False,
        fill: int | None = None,
        by: str | None = None,
    ) -> Table:
        """Declare a table: `narrow` without a row id (SQLite); with `fill` percent of a page used at first, in months `by` a column."""
        options: dict[str, Any] = {"info": {}}
        if self.dialect == "sqlite" and narrow:
            options["sqlite_with_rowid"] = False
        if fill:
            options["info"]["fill"] = fill
        if by and self.dialect == "postgresql":
            options["info"]["by"] = by
            options["postgresql_partition_by"] = f"RANGE ({by})"
        return Table(self.name(name), self.metadata, *parts, PrimaryKeyConstraint(*key), **options)

    def name(self, name: str) -> str:
        return name if self.dialect == "postgresql" else f"{self.schema}_{name}"

    def text(self, name: str, *, optional: bool = False) -> Column[Any]:
        return Column(name, self._text, nullable=optional)

    def id(self) -> Column[Any]:
        return self.text("order_id")

    def moment(self, name: str, *, optional: bool = False) -> Column[Any]:
        return Column(name, self._moment, nullable=optional)

    def index(self, name: str, *columns: str, where: str | None = None) -> Index:
        condition = text(where) if where else None
        return Index(self.name(name), *columns, postgresql_where=condition, sqlite_where=condition)


def _orders(make: _Maker) -> Table:
    zero = text("0")
    no = text("false") if make.dialect == "postgresql" else zero
    return make.table(
        "orders",
        make.text("id"),
        Column("version", Integer, nullable=False),
        *(
            make.text(name)
            for name in ("customer", "status", "lifecycle", "fulfillment", "payment_status", "returns_status")
        ),
        Column("on_hold", Boolean, nullable=False),
        make.text("currency"),
        Column("total_minor", BigInteger, nullable=False),
        Column("refunded_minor", BigInteger, nullable=False),
        Column("shipment_count", Integer, nullable=False),
        Column("return_count", Integer, nullable=False),
        make.moment("placed_at"),
        make.moment("updated_at"),
        make.moment("due_at", optional=True),
        make.text("due_for", optional=True),
        Column("lease_token", BigInteger, nullable=False, server_default=zero),
        make.moment("lease_until", optional=True),
        Column("attempts", Integer, nullable=False, server_default=zero),
        Column("parked", Boolean, nullable=False, server_default=no),
        Column("error", Text, nullable=False, server_default=text("''")),
        Column("log_head", LargeBinary, nullable=False),
        Column("state", LargeBinary, nullable=False),
        Column("document", LargeBinary, nullable=False),
        CheckConstraint("version > 0", name="orders_version"),
        CheckConstraint(_one_of("status", STATUS.states), name="orders_status"),
        CheckConstraint(_one_of("lifecycle", ORDER.states), name="orders_lifecycle"),
        CheckConstraint(_one_of("fulfillment", FULFILLMENT_WORDS), name="orders_fulfillment"),
        CheckConstraint(_one_of("payment_status", PAYMENT_WORDS), name="orders_payment_status"),
        CheckConstraint(_one_of("returns_status", RETURNS_WORDS), name="orders_returns_status"),
        CheckConstraint("total_minor >= 0 AND refunded_minor >= 0", name="orders_money"),
        make.index("orders_by_customer", "customer", "placed_at", "id"),
        make.index("orders_by_time", "placed_at", "id"),
        make.index("orders_by_status", "status", "placed_at", "id"),
        make.index("orders_due", "due_at", "id", where="due_at IS NOT NULL AND NOT parked"),
        key=("id",),
        fill=80,
        by="id",
    )


def _order_lines(make: _Maker) -> Table:
    forward = " + ".join(BUCKETS[bucket] for bucket in FORWARD)
    reverse = " + ".join(BUCKETS[bucket] for bucket in REVERSE)
    left = " + ".join(BUCKETS[bucket] for bucket in LEFT)
    return make.table(
        "order_lines",
        make.id(),
        Column("number", Integer, nullable=False),
        make.text("sku"),
        Column("ordered", Integer, nullable=False),
        *(Column(name, Integer, nullable=False) for name in BUCKETS),
        CheckConstraint("ordered > 0", name="order_lines_ordered"),
        CheckConstraint(f"{forward} = ordered", name="order_lines_conserve"),
        CheckConstraint(f"{reverse} <= {left}", name="order_lines_returns"),
        CheckConstraint(" AND ".join(f"{name} >= 0" for name in BUCKETS), name="order_lines_not_negative"),
        key=("order_id", "number"),
        narrow=True,
        fill=70,
        by="order_id",
    )


def _payments(make: _Maker) -> Table:
    amounts = ("amount_minor", "authorized_minor", "captured_minor", "refunded_minor")
    return make.table(
        "payments",
        make.id(),
        Column("number", Integer, nullable=False),
        *(make.text(name) for name in ("id", "kind", "method", "state")),
        *(Column(name, BigInteger, nullable=False) for name in amounts),
        make.moment("expires_at", optional=True),
        Column("operations", LargeBinary, nullable=False),
        CheckConstraint(_one_of("state", PAYMENT.states), name="payments_state"),
        CheckConstraint("amount_minor >= 0", name="payments_amount"),
        CheckConstraint("0 <= captured_minor AND captured_minor <= authorized_minor", name="payments_captured"),
        CheckConstraint("0 <= refunded_minor AND refunded_minor <= captured_minor", name="payments_refunded"),
        key=("order_id", "number"),
        fill=70,
        by="order_id",
    )


def _shipments(make: _Maker) -> Table:
    return make.table(
        "shipments",
        make.id(),
        Column("number", Integer, nullable=False),
        make.text("id"),
        make.text("warehouse"),
        make.text("carrier", optional=True),
        make.text("tracking_number", optional=True),
        make.text("state"),
        make.moment("shipped_at", optional=True),
        make.moment("delivered_at", optional=True),
        Column("detail", LargeBinary, nullable=False),
        CheckConstraint(_one_of("state", SHIPMENT.states), name="shipments_state"),
        make.index("shipments_by_tracking_number", "tracking_number", where="tracking_number IS NOT NULL"),
        key=("order_id", "number"),
        fill=70,
        by="order_id",
    )


def _records(make: _Maker) -> Table:
    pairs = sorted(STATUS.pairs() | {(word, word) for word in STATUS.states})
    steps = ", ".join(f"'{source} > {target}'" for source, target in pairs)
    no = text("false") if make.dialect == "postgresql" else text("0")
    return make.table(
        "records",
        make.id(),
        Column("version", Integer, nullable=False),
        make.moment("at"),
        make.text("actor"),
        make.text("reason"),
        make.text("from_status", optional=True),
        make.text("to_status"),
        Column("body", LargeBinary, nullable=False),
        Column("previous_hash", LargeBinary, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("published", Boolean, nullable=False, server_default=no),
        make.moment("leased_until", optional=True),
        # A comparison with NULL is no refusal, so each branch says when it applies.
        CheckConstraint(
            f"(version = 1 AND from_status IS NULL AND {_one_of('to_status', FIRST_WORDS)})"
            f" OR (version > 1 AND from_status IS NOT NULL AND (from_status || ' > ' || to_status) IN ({steps}))",
            name="records_step",
        ),
        make.index("records_unpublished", "order_id", "version", where="NOT published"),
        key=("order_id", "version"),
        by="order_id",
    )


def _inbox(make: _Maker) -> Table:
    return make.table(
        "inbox",
        *(make.text(name) for name in ("source", "id", "kind", "reference")),
        Column("data", LargeBinary, nullable=False),
        make.moment("received_at"),
        make.moment("due_at", optional=True),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("note", Text, nullable=False, server_default=text("''")),
        make.index("inbox_due", "received_at", "id", where="due_at IS NOT NULL"),
        key=("source", "id"),
    )


def _one_of(column: str, words: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in sorted(words))})"
