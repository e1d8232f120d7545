"""The tables and the ways of one database, together: what every function of this adapter is given beside its connection."""

from __future__ import annotations

import attrs
from sqlalchemy import Table

from orderkit_sql.backend import Backend, Postgres, Sqlite
from orderkit_sql.schema import Dialect, Tables, full_name, tables


@attrs.frozen(eq=False)
class Database:
    """One database: its tables and its ways."""

    tables: Tables
    backend: Backend

    def name(self, table: Table) -> str:
        """Return the table's name as SQL writes it."""
        return full_name(table)


def database(dialect: Dialect, schema: str = "orderkit") -> Database:
    """Return the database of that kind, with its tables under that name."""
    return Database(tables(dialect, schema), Postgres() if dialect == "postgresql" else Sqlite())
