"""orderkit's store on SQL databases: SQLite, the embedded default, and PostgreSQL, the source of truth for more than one process."""

from orderkit.ports.audit import Finding
from orderkit_sql.async_store import AsyncSqlStore, open_async_store
from orderkit_sql.engines import prepare
from orderkit_sql.migrating import migrate
from orderkit_sql.store import SqlStore, open_store
from orderkit_sql.verifying import verify_log

__all__ = ["AsyncSqlStore", "Finding", "SqlStore", "migrate", "open_async_store", "open_store", "prepare", "verify_log"]
