"""Version 2, after the deploy: the derived words and the amounts are held by constraints, and programs of version 1 are refused from here on.

SQLite cannot add a constraint to a table, so there the three tables are made anew and their rows copied.
"""

from alembic import context, op

from orderkit_sql.migrations.receipts import added, cleared

revision = "2_post"
down_revision = "2_pre"

CONSTRAINTS = {
    "orders_fulfillment": (
        "orders",
        "fulfillment IN ('backordered', 'fulfilled', 'in_progress', 'none', 'partially_fulfilled', 'unfulfilled')",
    ),
    "orders_payment_status": (
        "orders",
        (
            "payment_status IN ('authorized', 'failed', 'in_doubt', 'none', 'overpaid', 'paid', 'partially_paid',"
            " 'partially_refunded', 'pending', 'refunded', 'voided')"
        ),
    ),
    "orders_returns_status": (
        "orders",
        "returns_status IN ('none', 'partially_returned', 'requested', 'returned')",
    ),
    "orders_money": ("orders", "total_minor >= 0 AND refunded_minor >= 0"),
    "order_lines_ordered": ("order_lines", "ordered > 0"),
    "payments_amount": ("payments", "amount_minor >= 0"),
}

# What follows the name of each table of SQLite.
SQLITE_TABLES = {
    "orders": """(
  id TEXT NOT NULL, version INTEGER NOT NULL, customer TEXT NOT NULL, status TEXT NOT NULL, lifecycle TEXT NOT NULL, fulfillment
  TEXT NOT NULL, payment_status TEXT NOT NULL, returns_status TEXT NOT NULL, on_hold BOOLEAN NOT NULL, currency TEXT NOT NULL,
  total_minor BIGINT NOT NULL, refunded_minor BIGINT NOT NULL, shipment_count INTEGER NOT NULL, return_count INTEGER NOT NULL,
  placed_at TEXT NOT NULL, updated_at TEXT NOT NULL, due_at TEXT, due_for TEXT, lease_token BIGINT DEFAULT 0 NOT NULL,
  lease_until TEXT, attempts INTEGER DEFAULT 0 NOT NULL, parked BOOLEAN DEFAULT 0 NOT NULL, error TEXT DEFAULT '' NOT NULL,
  log_head BLOB NOT NULL, state BLOB NOT NULL, document BLOB NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT orders_version CHECK (version > 0),
  CONSTRAINT orders_status CHECK (status IN ('cancelled', 'delivered', 'out_for_delivery', 'partially_returned', 'partially_shipped',
  'payment_confirmed', 'payment_failed', 'payment_pending', 'placed', 'processing', 'returned', 'shipped')),
  CONSTRAINT orders_lifecycle CHECK (lifecycle IN ('cancelled', 'confirmed', 'payment_failed', 'payment_pending', 'placed')),
  CONSTRAINT orders_fulfillment CHECK (fulfillment IN ('backordered', 'fulfilled', 'in_progress', 'none', 'partially_fulfilled',
  'unfulfilled')),
  CONSTRAINT orders_payment_status CHECK (payment_status IN ('authorized', 'failed', 'in_doubt', 'none', 'overpaid', 'paid',
  'partially_paid', 'partially_refunded', 'pending', 'refunded', 'voided')),
  CONSTRAINT orders_returns_status CHECK (returns_status IN ('none', 'partially_returned', 'requested', 'returned')),
  CONSTRAINT orders_money CHECK (total_minor >= 0 AND refunded_minor >= 0)
)""",
    "order_lines": """(
  order_id TEXT NOT NULL, number INTEGER NOT NULL, sku TEXT NOT NULL, ordered INTEGER NOT NULL, unallocated INTEGER NOT NULL,
  backordered INTEGER NOT NULL, reserved INTEGER NOT NULL, released INTEGER NOT NULL, shipped INTEGER NOT NULL, delivered
  INTEGER NOT NULL, lost INTEGER NOT NULL, cancelled INTEGER NOT NULL, return_requested INTEGER NOT NULL, return_in_transit
  INTEGER NOT NULL, return_received INTEGER NOT NULL, restocked INTEGER NOT NULL, quarantined INTEGER NOT NULL, written_off
  INTEGER NOT NULL, sent_back INTEGER NOT NULL,
  PRIMARY KEY (order_id, number),
  CONSTRAINT order_lines_ordered CHECK (ordered > 0),
  CONSTRAINT order_lines_conserve CHECK (unallocated + backordered + reserved + released + shipped + delivered + lost + cancelled =
  ordered),
  CONSTRAINT order_lines_returns CHECK (return_requested + return_in_transit + return_received + restocked + quarantined + written_off +
  sent_back <= shipped + delivered + lost),
  CONSTRAINT order_lines_not_negative CHECK (unallocated >= 0 AND backordered >= 0 AND reserved >= 0 AND released >= 0 AND shipped >= 0
  AND delivered >= 0 AND lost >= 0 AND cancelled >= 0 AND return_requested >= 0 AND return_in_transit >= 0 AND return_received >= 0 AND
  restocked >= 0 AND quarantined >= 0 AND written_off >= 0 AND sent_back >= 0)
) WITHOUT ROWID""",
    "payments": """(
  order_id TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, method TEXT NOT NULL, state TEXT NOT
  NULL, amount_minor BIGINT NOT NULL, authorized_minor BIGINT NOT NULL, captured_minor BIGINT NOT NULL, refunded_minor BIGINT
  NOT NULL, expires_at TEXT, operations BLOB NOT NULL,
  PRIMARY KEY (order_id, number),
  CONSTRAINT payments_state CHECK (state IN ('authorized', 'captured', 'declined', 'expired', 'in_doubt', 'pending', 'refunded',
  'voided')),
  CONSTRAINT payments_amount CHECK (amount_minor >= 0),
  CONSTRAINT payments_captured CHECK (0 <= captured_minor AND captured_minor <= authorized_minor),
  CONSTRAINT payments_refunded CHECK (0 <= refunded_minor AND refunded_minor <= captured_minor)
)""",
}
SQLITE_INDEXES = {
    "orders_by_customer": ("orders", "(customer, placed_at, id)"),
    "orders_by_status": ("orders", "(status, placed_at, id)"),
    "orders_by_time": ("orders", "(placed_at, id)"),
    "orders_due": ("orders", "(due_at, id) WHERE due_at IS NOT NULL AND NOT parked"),
}


def upgrade() -> None:
    """Run the step."""
    run = postgres if context.get_context().dialect.name == "postgresql" else sqlite
    for statement in run():
        op.execute(statement)


def postgres() -> list[str]:
    """Return the step for PostgreSQL; a constraint on a partitioned table is one on all its partitions.

    The tables are locked, so nothing is read here: constraints hold for what is written from now on, and are proven for the rest after the step.
    """
    schema = context.config.attributes["schema"]
    checks: dict[str, list[str]] = {}
    for name, (table, condition) in CONSTRAINTS.items():
        checks.setdefault(table, []).append(f"ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    return [
        "SET LOCAL statement_timeout = 0",
        *(f"ALTER TABLE {schema}.{table} {', '.join(these)}" for table, these in checks.items()),
        added(f"{schema}.stock_receipts"),
        cleared(f"{schema}.stock_receipts"),
        f"UPDATE {schema}.schema_version SET version = 2",
    ]


def sqlite() -> list[str]:
    """Return the step for SQLite."""
    run: list[str] = []
    for table, declared in SQLITE_TABLES.items():
        name = f"orderkit_{table}"
        run += [
            f"CREATE TABLE {name}_new {declared}",
            f"INSERT INTO {name}_new SELECT * FROM {name}",
            f"DROP TABLE {name}",
            f"ALTER TABLE {name}_new RENAME TO {name}",
        ]
    run += [
        f"CREATE INDEX orderkit_{index} ON orderkit_{table} {columns}"
        for index, (table, columns) in SQLITE_INDEXES.items()
    ]
    run += [added("orderkit_stock_receipts"), cleared("orderkit_stock_receipts")]
    return [*run, "UPDATE orderkit_schema_version SET version = 2"]
