"""Making the tables, bringing them from an older version, and checking them when a store is opened.

The version of the tables stands in a table of one row; the steps that were run (see `migrations`) in another. A program works on its own
version, and on the one before it once the step `pre` was run: so a new program is deployed between `pre` and `post`, and the old one goes on
meanwhile. A new store is made in one go and needs no step, so Alembic is imported only where an older one is brought forward.
"""

from __future__ import annotations

import attrs
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from orderkit.errors import InvalidInput, Misconfigured
from orderkit.plugins.url import Url
from orderkit_sql.creating import creation, renewed
from orderkit_sql.database import Database
from orderkit_sql.engines import READS, Address, address_of, passing_engine
from orderkit_sql.failures import as_error
from orderkit_sql.locking import locked, persistently
from orderkit_sql.reports import VIEWS, dropped_views, report_name, views
from orderkit_sql.rights import given, noted
from orderkit_sql.roles import roles
from orderkit_sql.schema import SCHEMA_VERSION, Tables

PHASES = ("all", "pre", "post")
_MIGRATION_LOCK = 7_093_104_418
_VIEW_RIGHTS = "orderkit.view_rights"  # a setting of the session


@attrs.frozen
class Stored:
    """What a database says of its tables: the version that programs go by, and the last step that was run."""

    version: int
    step: str


def migrate(
    url: Url | str, *, print_only: bool = False, phase: str = "all", with_roles: bool = False
) -> tuple[str, ...]:
    """Make the tables or bring them forward; return the SQL, nothing when they are up to date. With `print_only` nothing is run.

    `phase` stops after what may run before a deploy (`pre`), or demands that it was run and does the rest (`post`). `with_roles` makes the
    roles of PostgreSQL as well.
    Raises: `Misconfigured` when the address is wrong or the tables are of a version that this program does not know; `PortError` when the
    database cannot be reached.
    """
    if phase not in PHASES:
        raise InvalidInput(f"{phase!r} is no phase: {', '.join(PHASES)}", field="phase")
    address = address_of(url)
    also = roles(address.database.tables) if with_roles else ()
    if address.shared or (print_only and address.path is not None and not address.path.exists()):
        return creation(address.database.tables)
    checked_path(address)
    engine = passing_engine(address)
    try:
        return _migrated(engine, address.database, print_only=print_only, phase=phase, also=also)
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
            stored = stored_version(address.database, connection)
        if stored is None and address.create:
            _migrated(engine, address.database, print_only=False, phase="all")
            return
    except DBAPIError as error:
        raise as_error(error) from error
    finally:
        engine.dispose()
    if stored is None:
        raise _missing(address)
    _usable(stored)


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


def stored_version(database: Database, connection: Connection) -> Stored | None:
    """Return what the database says of its tables, or nothing where there are none."""
    table, steps = database.tables.schema_version, database.tables.migrations
    names = inspect(connection).get_table_names(schema=table.schema)
    if table.name not in names:
        return None
    version = connection.exec_driver_sql(f"SELECT version FROM {database.name(table)}").scalar_one()
    if steps.name not in names:
        return Stored(version, str(version))  # from before there were steps
    return Stored(version, connection.exec_driver_sql(f"SELECT version_num FROM {database.name(steps)}").scalar_one())


def _migrated(
    engine: Engine, database: Database, *, print_only: bool, phase: str, also: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Make the tables or run the steps that are missing, in one transaction, one process at a time; again while others use the tables."""

    def once() -> tuple[str, ...]:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            statements = _brought_forward(connection, database, print_only=print_only, phase=phase)
            if not print_only:
                _run(connection, also)
                connection.commit()
            return statements + also

    done = persistently(once)
    if engine.dialect.name != "postgresql":
        return done
    if done and print_only:
        return (*done, proof(database.tables)) if any(" NOT VALID" in statement for statement in done) else done
    return done + persistently(lambda: _proven(engine, database.tables, print_only=print_only))


def _proven(engine: Engine, tables: Tables, *, print_only: bool) -> tuple[str, ...]:
    """Hold the rows of before against constraints that a step has added, while readers and writers go on; return the SQL."""
    with engine.connect() as connection:
        left = connection.exec_driver_sql(_unproven(tables), execution_options={"no_parameters": True})
        if left.first() is None:
            return ()
        statement = proof(tables)
        if not print_only:
            _run(connection, (statement,))
            connection.commit()
    return (statement,)


def proof(tables: Tables) -> str:
    """Return what proves every constraint of the tables that is not proven yet. What a partition has of its table is proven with it."""
    return f"""DO $$ DECLARE statement text; BEGIN
  SET LOCAL statement_timeout = 0;
  FOR statement IN {_unproven(tables)} LOOP EXECUTE statement; END LOOP;
END $$"""


def _unproven(tables: Tables) -> str:
    """Return what asks for the statements; constraints of the host's own tables in the schema are the host's."""
    names = ", ".join(f"'{table.name}'" for table in tables.metadata.sorted_tables)
    return (
        "SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname)"
        " FROM pg_constraint JOIN pg_class AS c ON c.oid = conrelid"
        f" WHERE connamespace = '{tables.orders.schema}'::regnamespace AND c.relname IN ({names})"
        " AND contype = 'c' AND NOT convalidated AND coninhcount = 0 ORDER BY 1"
    )


def _brought_forward(connection: Connection, database: Database, *, print_only: bool, phase: str) -> tuple[str, ...]:
    """Make the tables or run the steps that are missing, in an open transaction."""
    tables, stored = database.tables, stored_version(database, connection)
    if stored is None:
        statements = creation(tables)
        if not print_only:
            _run(connection, statements)
        return statements
    _not_newer(stored)
    target = target_of(stored, phase)
    if target is None:
        return ()
    from orderkit_sql.stepping import step_to, steps_from  # noqa: PLC0415  (Alembic only where an older store is brought forward)

    first, last = _around(tables)
    statements = (*first, *steps_from(stored.step, target, tables), *last)
    if not print_only:
        _run(connection, first)
        step_to(target, connection, tables)
        _run(connection, last)
    return statements


def _around(tables: Tables) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what comes before the steps, and what after them: the locks, and the views, which are made anew with the rights that they had."""
    dropped, anew = dropped_views(tables), (*renewed(tables), *views(tables))
    if tables.dialect == "sqlite":
        return dropped, anew
    names = [report_name(tables, view) for view in VIEWS]
    # Whoever reads a view has locked it before its tables, so the views come first here as well.
    first = (noted(_VIEW_RIGHTS, zip(names, names, strict=True)), *locked(tables, dropped))
    return first, (*anew, given(_VIEW_RIGHTS))


def target_of(stored: Stored, phase: str) -> str | None:
    """Return the step to go to, or nothing when it was run."""
    pre, post = f"{SCHEMA_VERSION}_pre", f"{SCHEMA_VERSION}_post"
    if stored.step == post or (phase == "pre" and stored.step == pre):
        return None
    if phase == "post" and stored.step != pre:
        raise Misconfigured(
            f"the step {pre} was not run yet",
            code="schema_outdated",
            remedy="Run `orderkit migrate --phase pre`, deploy, then run `--phase post`.",
            facts={"stored": stored.version, "known": SCHEMA_VERSION},
        )
    return pre if phase == "pre" else post


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    """Run the statements as they are: a percent sign in a function is no parameter."""
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _usable(stored: Stored) -> None:
    """Refuse tables on which this program would not work."""
    ready = stored.version == SCHEMA_VERSION - 1 and stored.step == f"{SCHEMA_VERSION}_pre"
    if stored.version != SCHEMA_VERSION and not ready:
        raise _outdated(stored)


def _not_newer(stored: Stored) -> None:
    if stored.version > SCHEMA_VERSION:
        raise _outdated(stored)


def _outdated(stored: Stored) -> Misconfigured:
    older = stored.version < SCHEMA_VERSION
    return Misconfigured(
        f"the store's tables are of version {stored.version}, this program works with version {SCHEMA_VERSION}",
        code="schema_outdated",
        remedy="Run `orderkit migrate --store URL`." if older else "Install a newer orderkit.",
        facts={"stored": stored.version, "known": SCHEMA_VERSION},
    )
