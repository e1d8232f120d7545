"""The steps of `migrations`, run or written down by Alembic. The only module that imports it, and only when a store is brought forward."""

from __future__ import annotations

import io
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from orderkit_sql.schema import Tables


def step_to(step: str, connection: Connection, tables: Tables) -> None:
    """Run the steps up to this one on an open transaction; nothing is committed here."""
    command.upgrade(_config(tables, connection=connection), step)


def steps_from(stored: str, step: str, tables: Tables) -> tuple[str, ...]:
    """Return the SQL of the steps after the stored one, up to this one."""
    written = io.StringIO()
    first = "base" if stored == "1" else stored  # version 1 has no table of steps yet: it is made with the first one
    command.upgrade(_config(tables, output_buffer=written), f"{first}:{step}" if first != "base" else step, sql=True)
    said = [statement.strip() for statement in written.getvalue().split(";\n\n")]
    return tuple(s for s in said if s and s not in ("BEGIN", "COMMIT"))


def _config(tables: Tables, *, connection: Connection | None = None, **options: Any) -> Config:
    config = Config(**options)
    config.set_main_option("script_location", "orderkit_sql:migrations")
    config.attributes.update(
        connection=connection,
        dialect=tables.dialect,
        schema=tables.migrations.schema,
        version_table=tables.migrations.name,
    )
    return config
