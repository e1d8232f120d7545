"""The tables and the ways of one database, together: what every function of this adapter is given beside its connection."""

from __future__ import annotations

import attrs
from sqlalchemy import Table

from orderkit_sql.backend import Backend, Postgres, Sqlite
from orderkit_sql.partitioning import Months
from orderkit_sql.schema import Dialect, Tables, full_name, tables

_POSTGRES, _SQLITE = Postgres(), Sqlite()


@attrs.frozen(eq=False)
class Database:
    """One database: its tables, its ways, and the months that were seen in it (none where tables are not partitioned)."""

    tables: Tables
    backend: Backend
    months: Months | None

    def name(self, table: Table) -> str:
        """Return the table's name as SQL writes it."""
        return full_name(table)


def database(dialect: Dialect, schema: str = "orderkit") -> Database:
    """Return the database of that kind, with its tables under that name."""
    if dialect == "postgresql":
        return Database(tables(dialect, schema), _POSTGRES, Months(schema))
    return Database(tables(dialect, schema), _SQLITE, None)
