"""orderkit's store on SQL databases: SQLite, the embedded default, and PostgreSQL, the source of truth for more than one process.

What is for event loops is imported when it is asked for: SQLAlchemy's half of it needs greenlet, which only the drivers' extras bring.
"""

from typing import TYPE_CHECKING, Any

from orderkit_sql.engines import prepare
from orderkit_sql.migrating import migrate
from orderkit_sql.store import SqlStore, open_store
from orderkit_sql.verifying import Finding, verify_log

if TYPE_CHECKING:
    from orderkit_sql.async_store import AsyncSqlStore, open_async_store

__all__ = ["AsyncSqlStore", "Finding", "SqlStore", "migrate", "open_async_store", "open_store", "prepare", "verify_log"]


def __getattr__(name: str) -> Any:
    if name in ("AsyncSqlStore", "open_async_store"):
        from orderkit_sql import async_store  # noqa: PLC0415  (see above)

        return getattr(async_store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
