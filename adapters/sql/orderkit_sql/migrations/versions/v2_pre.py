"""Version 2, before the deploy: on PostgreSQL the tables that begin with an order's id become partitioned by month.

No row moves but those whose id is no UUIDv7 of our time: the old table becomes the first partition, up to the end of the month of its last
id. A year of months is made ahead, since programs of version 1 make none. Whoever had rights on an old table has them on the new one. Ambiguous
ids of receipts get clear ones beside them (see `receipts`).
"""

from alembic import context, op

from orderkit_sql.creating import renewed
from orderkit_sql.migrations.receipts import added
from orderkit_sql.rights import given, noted
from orderkit_sql.schema import tables

revision = "2_pre"
down_revision = "1"

END = "03bb2cc3-d800"  # the first id of the year 2100
MONTHS_AHEAD = 12
RIGHTS = "orderkit.table_rights"  # a setting of the session

# Table: the column of its key that holds the order's id, the whole key, percent of a page used at first.
TABLES = {
    "order_lines": ("order_id", "order_id, number", 70),
    "order_texts": ("order_id", "order_id", 100),
    "orders": ("id", "id", 80),
    "payments": ("order_id", "order_id, number", 70),
    "records": ("order_id", "order_id, version", 100),
    "returns": ("order_id", "order_id, number", 100),
    "shipments": ("order_id", "order_id, number", 70),
}
INDEXES = {
    "orders_by_customer": ("orders", "(customer, placed_at, id)"),
    "orders_by_status": ("orders", "(status, placed_at, id)"),
    "orders_by_time": ("orders", "(placed_at, id)"),
    "orders_due": ("orders", "(due_at, id) WHERE due_at IS NOT NULL AND NOT parked"),
    "records_unpublished": ("records", "(order_id, version) WHERE NOT published"),
    "shipments_by_tracking_number": ("shipments", "(tracking_number) WHERE tracking_number IS NOT NULL"),
}
KEPT = "order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash"


def upgrade() -> None:
    """Run the step."""
    if context.get_context().dialect.name == "postgresql":
        for statement in statements(context.config.attributes["schema"]):
            op.execute(statement)
    else:
        op.execute(added("orderkit_stock_receipts"))


def statements(schema: str) -> list[str]:
    """Return the step for PostgreSQL."""
    run = [
        "SET LOCAL statement_timeout = 0",
        noted(RIGHTS, _successors(schema)),
        *renewed(tables("postgresql", schema)),
    ]
    run += [f"DROP TRIGGER records_no_{what} ON {schema}.records" for what in ("update", "delete")]
    for index in INDEXES:
        run.append(f"ALTER INDEX {schema}.{index} RENAME TO {index}_before")
    for table, (column, key, fill) in TABLES.items():
        new, old, other = (f"{schema}.{table}{suffix}" for suffix in ("", "_before", "_other"))
        run += [
            f"ALTER TABLE {new} RENAME TO {table}_before",
            f"ALTER INDEX {schema}.{table}_pkey RENAME TO {table}_before_pkey",
            f"CREATE TABLE {new} (LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY RANGE ({column})",
            f"ALTER TABLE {new} ADD PRIMARY KEY ({key})",
            f"CREATE TABLE {other} PARTITION OF {new} FOR VALUES FROM ('{END}') TO (MAXVALUE) WITH (fillfactor = {fill})",
            f"INSERT INTO {other} SELECT * FROM {old} WHERE {column} >= '{END}'",
            f"DELETE FROM {old} WHERE {column} >= '{END}'",
        ]
    run += [f"CREATE INDEX {index} ON {schema}.{table} {columns}" for index, (table, columns) in INDEXES.items()]
    run += [
        _attached(schema),
        *_guarded(schema),
        added(f"{schema}.stock_receipts"),
        given(RIGHTS),
        _made_theirs(schema),
    ]
    return run


def _successors(schema: str) -> list[tuple[str, str]]:
    """Return the tables with rights, and the new ones that get them: who may read the version has to read the step as well."""
    pairs = [(table, table + suffix) for table in TABLES for suffix in ("", "_other")]
    return [(f"{schema}.{old}", f"{schema}.{new}") for old, new in [*pairs, ("schema_version", "migrations")]]


def _attached(schema: str) -> str:
    """Return what makes each old table the partition of everything up to now, and the months after it."""
    names = ", ".join(f"'{table}'" for table in TABLES)
    return f"""DO $$
DECLARE
  month date := (date_trunc('month', now()) + interval '1 month')::date;
  last text;
  name text;
BEGIN
  SELECT greatest(coalesce((SELECT max(id) FROM {schema}.orders_before), ''),
                  coalesce((SELECT max(order_id) FROM {schema}.records_before), '')) INTO last;
  WHILE {schema}.month_begins(month) COLLATE "C" <= last COLLATE "C" LOOP
    month := (month + interval '1 month')::date;
  END LOOP;
  FOREACH name IN ARRAY ARRAY[{names}] LOOP
    EXECUTE format('ALTER TABLE {schema}.%1$I ATTACH PARTITION {schema}.%2$I FOR VALUES FROM (MINVALUE) TO (%3$L)',
      name, name || '_before', {schema}.month_begins(month));
  END LOOP;
  FOR n IN 0..{MONTHS_AHEAD - 1} LOOP
    PERFORM {schema}.make_month((month + n * interval '1 month')::date);
  END LOOP;
END $$"""


def _made_theirs(schema: str) -> str:
    """Return what gives the months to the owner of their table, and lets whoever stores orders ask for more.

    The functions that make them run with their owner's rights: the owner of the tables gets them if those are enough.
    """
    return f"""DO $$ DECLARE statement text; BEGIN
  FOR statement IN
    SELECT format('ALTER TABLE %s OWNER TO %I', month.oid::regclass, pg_get_userbyid(t.relowner))
    FROM pg_inherits JOIN pg_class AS t ON t.oid = inhparent JOIN pg_class AS month ON month.oid = inhrelid
    WHERE t.relnamespace = '{schema}'::regnamespace AND t.relkind = 'p' AND month.relowner <> t.relowner
    UNION ALL SELECT format('GRANT EXECUTE ON FUNCTION {schema}.make_month(date) TO %s',
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
    FROM pg_class AS t, aclexplode(t.relacl) WHERE t.oid = '{schema}.orders'::regclass AND privilege_type = 'INSERT'
    UNION ALL SELECT format('ALTER FUNCTION {schema}.%s(date) OWNER TO %I', name, pg_get_userbyid(t.relowner))
    FROM pg_class AS t, (VALUES ('month_begins'), ('make_month')) AS f(name) WHERE t.oid = '{schema}.orders'::regclass
      AND has_schema_privilege(t.relowner, '{schema}', 'CREATE')
      AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = t.relnamespace AND c.relkind = 'p' AND c.relowner <> t.relowner)
  LOOP EXECUTE statement; END LOOP;
END $$"""


def _guarded(schema: str) -> list[str]:
    """Return the guards of the log anew; the old table keeps its own against TRUNCATE."""
    refuse = f"EXECUTE FUNCTION {schema}.refuse_change()"
    return [
        f"CREATE TRIGGER records_no_update BEFORE UPDATE OF {KEPT} ON {schema}.records FOR EACH ROW {refuse}",
        f"CREATE TRIGGER records_no_delete BEFORE DELETE ON {schema}.records FOR EACH ROW {refuse}",
        *(
            f"CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON {schema}.{table} FOR EACH STATEMENT {refuse}"
            for table in ("records", "records_other")
        ),
    ]
