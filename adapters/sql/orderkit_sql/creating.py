"""The statements that make a new store, from the declarations in `schema`: tables, indexes, months, and the guards of the log.

A new store has every step of `migrations` behind it. What holds no data (functions, views) is listed apart: every migration makes it anew.
This module runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Index, LargeBinary, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from orderkit_sql.partitioning import ends, routines
from orderkit_sql.reports import views
from orderkit_sql.schema import OUTBOX, SCHEMA_VERSION, Tables, full_name

REVISION = f"{SCHEMA_VERSION}_post"  # the last step of `migrations`


def creation(made: Tables) -> tuple[str, ...]:
    """Return the statements that make everything, in order, ending with the version."""
    dialects: Any = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect}
    dialect = dialects[made.dialect]()
    statements = [f"CREATE SCHEMA IF NOT EXISTS {made.schema}"] if made.dialect == "postgresql" else []
    for table in made.metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        statements += _storage(table) if made.dialect == "postgresql" else []
        statements += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in _by_name(table.indexes)]
    statements += [*renewed(made), *_guards(made)]
    if made.dialect == "postgresql":
        for table in made.partitioned():
            statements += ends(made.schema, table.name, table.info.get("fill"), truncate_guard=table is made.records)
    statements += views(made)
    version, steps = full_name(made.schema_version), full_name(made.migrations)
    statements.append(f"INSERT INTO {version} (single, version) VALUES (1, {SCHEMA_VERSION})")
    statements.append(f"INSERT INTO {steps} (version_num) VALUES ('{REVISION}')")
    return tuple(statements)


def renewed(made: Tables) -> tuple[str, ...]:
    """Return what holds no data, and is therefore made anew by every migration instead of being changed by one."""
    if made.dialect == "sqlite":
        return ()
    refuse = "BEGIN RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'restrict_violation'; END"
    fills = {table.name: table.info["fill"] for table in made.partitioned() if "fill" in table.info}
    return (
        f"CREATE OR REPLACE FUNCTION {made.schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ {refuse} $$",
        *routines(made.schema, fills),
    )


def _storage(table: Table) -> list[str]:
    """Leave room on the pages of rows that change, and store documents as they are.

    Compressing them costs the server more than writing all of an order's rows (measured).
    """
    name, fill = full_name(table), table.info.get("fill")
    documents = [
        column.name
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not column.name.endswith("hash")
    ]
    # A partitioned table has no pages of its own: its partitions are made with that room.
    statements = [f"ALTER TABLE {name} SET (fillfactor = {fill})"] if fill and not table.info.get("by") else []
    return statements + [f"ALTER TABLE {name} ALTER COLUMN {document} SET STORAGE EXTERNAL" for document in documents]


def _guards(made: Tables) -> list[str]:
    """The triggers that keep the log as it was written: only the outbox columns may change, and nothing goes."""
    name = full_name(made.records)
    kept = ", ".join(column.name for column in made.records.columns if column.name not in OUTBOX)
    if made.dialect == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
        return [
            f"CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {kept} ON {name} {refuse}",
            f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} {refuse}",
        ]
    function = f"{made.schema}.refuse_change"
    return [
        f"CREATE TRIGGER records_no_update BEFORE UPDATE OF {kept} ON {name} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"CREATE TRIGGER records_no_delete BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
    ]


def _by_name(indexes: Iterable[Index]) -> list[Index]:
    return sorted(indexes, key=lambda index: str(index.name))
