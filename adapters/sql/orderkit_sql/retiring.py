"""Taking whole months away when they are old enough: their partitions are detached together and stand in a schema of their own.

Nothing is deleted but the keys of those orders: what becomes of the detached tables (an archive, a drop) is for whoever keeps the data. A
month leaves only when every order in it is at rest and every record published. What takes long is done while only writers of that month would
wait (there are hardly any), or nobody; the tables as a whole are locked for the moment of the cut, by a transaction that gives up rather than
keeping writers waiting.
"""

from __future__ import annotations

from datetime import date
from itertools import count

from sqlalchemy import Connection, Engine

from orderkit.errors import Misconfigured, NotAllowed
from orderkit.plugins.url import Url
from orderkit_sql.database import Database
from orderkit_sql.engines import address_of, passing_engine
from orderkit_sql.locking import WAIT_MILLISECONDS, locked, orders_first, persistently
from orderkit_sql.partitioning import MONTHS_LOCK, bound_of, bounds, month_of, place_of


def retire(url: Url | str, before: date, *, unpublished: bool = False) -> tuple[date, ...]:
    """Detach every month that ended before a day; return the months, oldest first. `unpublished` takes records along that no relay has published.

    Raises: `NotAllowed` when an order of such a month still waits for something, or a record of it to be published (`facts` names some);
    `Misconfigured` on SQLite, where nothing is partitioned; `PortError` when the tables are too busy.
    """
    address = address_of(url)
    if address.database.months is None:
        raise Misconfigured("only PostgreSQL has months to retire: SQLite is not partitioned", field="store")
    engine = passing_engine(address)
    try:
        months = [month for month in _stored_months(engine, address.database) if _next(month) <= before]
        for month in months:
            _retired(engine, address.database, month, unpublished=unpublished)
        persistently(lambda: _forget_keys(engine, address.database, before))
        return tuple(months)
    finally:
        engine.dispose()


def retired_schema(database: Database, number: int = 1) -> str:
    """Return the schema in which detached tables stand; a month that leaves again, after late orders made it anew, stands in the next one."""
    return f"{database.tables.schema}_retired" + (f"_{number}" if number > 1 else "")


def _stored_months(engine: Engine, database: Database) -> list[date]:
    """Return the months that have a partition of orders."""
    orders = database.tables.orders
    found = (
        "SELECT substring(c.relname FROM '_(\\d{4}_\\d{2})$') FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
        f" WHERE i.inhparent = '{database.name(orders)}'::regclass ORDER BY 1"
    )
    with engine.connect() as connection:
        names = connection.exec_driver_sql(found).scalars().all()
    return [date(int(name[:4]), int(name[5:]), 1) for name in names if name]


def _next(month: date) -> date:
    end = month_of(place_of(bound_of(month)) + 1)
    return end or date.max


def _retired(engine: Engine, database: Database, month: date, *, unpublished: bool) -> None:
    """Detach one month, trying again while writers are in the way."""

    def detach() -> None:
        with engine.begin() as connection:
            _detach(connection, database, month, unpublished=unpublished)

    persistently(detach)


def _at_rest(connection: Connection, orders: str, month: date) -> None:
    """Refuse a month with orders that wait for something."""
    waiting = f"SELECT id FROM {orders} WHERE due_at IS NOT NULL OR lease_until IS NOT NULL LIMIT 5"
    if ids := connection.exec_driver_sql(waiting).scalars().all():
        raise NotAllowed(
            f"orders of {month:%Y-%m} still wait for something: {', '.join(ids)}",
            remedy="Look with `orderkit order why ID`; retire the month when they are at rest.",
            facts={"month": f"{month:%Y-%m}", "orders": list(ids)},
        )


def _published(connection: Connection, records: str, month: date) -> None:
    """Refuse a month with records that no relay has published: they would never be."""
    if ids := connection.exec_driver_sql(f"SELECT order_id FROM {records} WHERE NOT published LIMIT 5").scalars().all():
        raise NotAllowed(
            f"records of {month:%Y-%m} are not published yet, those of {', '.join(sorted(set(ids)))} among them",
            remedy="Let a worker with the role `relay` publish them; where nobody listens, retire with `--unpublished`.",
            facts={"month": f"{month:%Y-%m}", "orders": sorted(set(ids))},
        )


def _detach(connection: Connection, database: Database, month: date, *, unpublished: bool) -> None:
    schema, suffix = database.tables.schema, f"{month:_%Y_%m}"
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {WAIT_MILLISECONDS}")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MONTHS_LOCK})")
    # From here on nobody changes this month.
    connection.exec_driver_sql(f"LOCK TABLE {schema}.orders{suffix}, {schema}.records{suffix} IN SHARE MODE")
    _at_rest(connection, f"{schema}.orders{suffix}", month)
    if not unpublished:
        _published(connection, f"{schema}.records{suffix}", month)
    aside = _free_schema(connection, database, f"orders{suffix}")
    for statement in locked(database.tables):
        connection.exec_driver_sql(statement)
    for table in orders_first(database.tables):
        part = f"{database.name(table)}{suffix}"
        connection.exec_driver_sql(f"ALTER TABLE {database.name(table)} DETACH PARTITION {part}")
        connection.exec_driver_sql(f"ALTER TABLE {part} SET SCHEMA {aside}")


def _free_schema(connection: Connection, database: Database, table: str) -> str:
    """Return the first schema for detached tables that has none of this name, made if it is not there."""

    def free(schema: str) -> bool:
        return connection.exec_driver_sql("SELECT to_regclass(%s)", (f"{schema}.{table}",)).scalar() is None

    aside = next(schema for number in count(1) if free(schema := retired_schema(database, number)))
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {aside}")
    return aside


def _forget_keys(engine: Engine, database: Database, before: date) -> None:
    """Delete the keys of orders that are gone, also those that an earlier run did not come to; it locks nothing but their rows.

    A key is written with its order, so who has none of the months before the day has lost it.
    """
    keys, orders = database.name(database.tables.keys), database.name(database.tables.orders)
    first, end = bounds()[0], bound_of(before.replace(day=1))
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(
            f"DELETE FROM {keys} AS k WHERE k.order_id >= %s AND k.order_id < %s"
            f" AND NOT EXISTS (SELECT FROM {orders} AS o WHERE o.id = k.order_id AND o.id >= %s AND o.id < %s)",
            (first, end, first, end),
        )
