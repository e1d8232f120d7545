"""Three roles of PostgreSQL with no more rights than their work needs: `<schema>_app`, `<schema>_worker`, `<schema>_reader`.

They are groups without a password: a login of your own becomes a member. Nobody but the owner may change or delete a record; a worker may
mark it as published; a reader sees the reporting views and no table. The statements can be run again and again.
"""

from __future__ import annotations

from orderkit.errors import Misconfigured
from orderkit_sql.reports import reports_schema
from orderkit_sql.schema import OUTBOX, Tables, full_name

WRITES = "SELECT, INSERT, UPDATE"
ALL_ROWS = "SELECT, INSERT, UPDATE, DELETE"

APP = {
    "orders": WRITES,
    "order_texts": WRITES,
    "order_lines": ALL_ROWS,
    "payments": ALL_ROWS,
    "shipments": ALL_ROWS,
    "returns": ALL_ROWS,
    "keys": ALL_ROWS,
    "records": "SELECT, INSERT",
    "stock": WRITES,
    "stock_receipts": "SELECT, INSERT, DELETE",
    "inbox": WRITES,
    "schema_version": "SELECT",
    "migrations": "SELECT",
}


def roles(made: Tables) -> tuple[str, ...]:
    """Return the statements that make the three roles and give them their rights."""
    if made.dialect != "postgresql":
        raise Misconfigured(
            "SQLite has no roles: whoever may read the file reads all of it",
            field="roles",
            remedy="Use --roles with a store on PostgreSQL.",
        )
    schema, reports = made.schema, reports_schema(made)
    app, worker, reader = (f"{schema}_{name}" for name in ("app", "worker", "reader"))
    return (
        *(_made(role) for role in (app, worker, reader)),
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {app}, {worker}, {reader}",
        f"GRANT USAGE ON SCHEMA {schema} TO {app}",
        *(f"GRANT {rights} ON {schema}.{table} TO {app}" for table, rights in APP.items()),
        f"GRANT EXECUTE ON FUNCTION {schema}.make_month(date) TO {app}",
        f"GRANT {app} TO {worker}",
        f"GRANT UPDATE ({', '.join(OUTBOX)}) ON {full_name(made.records)} TO {worker}",
        f"GRANT USAGE ON SCHEMA {reports} TO {reader}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {reports} TO {reader}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {reports} GRANT SELECT ON TABLES TO {reader}",
    )


def _made(role: str) -> str:
    """Return what makes a role where there is none; roles belong to the server, so another database may have made it."""
    return (
        f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
