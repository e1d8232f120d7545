"""Making and checking the tables. The version stands in a table of one row; a store refuses to work on any other version than its own."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from orderkit.errors import Misconfigured
from orderkit.plugins.url import Url
from orderkit_sql.database import Database
from orderkit_sql.engines import READS, Address, address_of, passing_engine
from orderkit_sql.failures import as_error
from orderkit_sql.schema import SCHEMA_VERSION, creation

_MIGRATION_LOCK = 7_093_104_418


def migrate(url: Url | str, print_only: bool = False) -> tuple[str, ...]:  # noqa: FBT001, FBT002  (the hook's own form)
    """Create the tables where they are missing; return the SQL. With `print_only` nothing is run.

    Raises: `Misconfigured` when the address is wrong or the tables are of a version that this program does not know; `PortError` when the
    database cannot be reached.
    """
    address = address_of(url)
    if address.shared or (print_only and address.path is not None and not address.path.exists()):
        return creation(address.database.tables)
    checked_path(address)
    engine = passing_engine(address)
    try:
        return _migrated(engine, address.database, print_only=print_only)
    except DBAPIError as error:
        raise as_error(error) from error
    finally:
        engine.dispose()


def ensure(address: Address) -> None:
    """Make the tables if the address says so, and refuse a store without them or with those of another version."""
    if address.shared:
        return  # the one connection makes them
    checked_path(address)
    if not address.create and address.path is not None and not address.path.exists():
        raise _missing(address)
    engine = passing_engine(address)
    try:
        with engine.execution_options(**{READS: True}).connect() as connection:
            version = stored_version(address.database, connection)
        if version is None and address.create:
            _migrated(engine, address.database, print_only=False)
            return
    except DBAPIError as error:
        raise as_error(error) from error
    finally:
        engine.dispose()
    if version is None:
        raise _missing(address)
    _known(version)


def _missing(address: Address) -> Misconfigured:
    return Misconfigured(
        f"the store {address} has no orderkit tables",
        code="schema_missing",
        remedy=f"Run: orderkit migrate --store {address}",
        facts={"store": str(address)},
    )


def checked_path(address: Address) -> None:
    """Refuse a file whose directory is not there, in words that name it."""
    path = address.path
    if path is None:
        return
    if not path.parent.is_dir():
        raise Misconfigured(
            f"{path} cannot be opened: there is no directory {path.parent}",
            code="file_missing",
            remedy=f"Make it: mkdir -p {path.parent}",
        )
    if path.is_dir():
        raise Misconfigured(f"{path} is a directory, not a file", code="file_missing")


def stored_version(database: Database, connection: Connection) -> int | None:
    """Return the version of the tables, or nothing where there are none."""
    table = database.tables.schema_version
    if not inspect(connection).has_table(table.name, schema=table.schema):
        return None
    found: int | None = connection.exec_driver_sql(f"SELECT version FROM {database.name(table)}").scalar()
    return found


def _migrated(engine: Engine, database: Database, *, print_only: bool) -> tuple[str, ...]:
    """Make the tables in one transaction, one process at a time."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        version = stored_version(database, connection)
        if version is not None:
            _known(version)
            return ()
        statements = creation(database.tables)
        if not print_only:
            _run(connection, statements)
            connection.commit()
        return statements


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    """Run the statements; PostgreSQL takes them all in one message, SQLite's driver one at a time."""
    for statement in ("; ".join(statements),) if connection.dialect.name == "postgresql" else statements:
        connection.exec_driver_sql(statement)


def _known(version: int) -> None:
    if version != SCHEMA_VERSION:
        raise Misconfigured(
            f"the store's tables are of version {version}, this program works with version {SCHEMA_VERSION}",
            code="schema_outdated",
            remedy="Run `orderkit migrate --store URL`." if version < SCHEMA_VERSION else "Install a newer orderkit.",
            facts={"stored": version, "known": SCHEMA_VERSION},
        )
