"""Stores that an older version made: the SQL that it ran, and a look into them without the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

VERSION_1 = Path(__file__).parent.parent / "adapters" / "sql" / "tests" / "version_1"


def version_1(address: str, what: str) -> str:
    """Return what version 1 ran on such a database: its `tables`, or the `life` of two orders."""
    return (VERSION_1 / f"{address.partition(':')[0]}_{what}.sql").read_text(encoding="utf-8")


def said(url: str, script: str) -> list[tuple[Any, ...]]:
    """Run a script on PostgreSQL, and return the rows of its last statement."""
    import psycopg  # noqa: PLC0415  (only where there is a server)

    with psycopg.connect(url) as connection:
        cursor = connection.execute(script.encode())
        return cursor.fetchall() if cursor.description else []
