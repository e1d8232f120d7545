"""Millions of orders in a PostgreSQL store within minutes: a few are placed through the library, the server multiplies their rows.

The tables are taken from the store's own definitions, and each template order is placed in a month of its own: whatever the library does for
a month, it has done. Copies have ids, customers, keys and times of their own, everywhere, documents included; what is due and what is
unpublished is settled, as it is for orders of the past. Only the hash chain of a copy is its template's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import attrs
import psycopg
from sqlalchemy import Column, LargeBinary, Table
from sqlalchemy.types import TIMESTAMP

from benchmarks.shops import open_shop, stocked
from benchmarks.workload import Workload
from orderkit import VirtualClock
from orderkit.domain.events import Change
from orderkit.domain.value import evolve
from orderkit_sql.codec import decode_record, encode
from orderkit_sql.database import database
from orderkit_sql.schema import full_name

MONTHS, TEMPLATES_A_MONTH = 24, 2
DAYS_A_MONTH = 30
ORDERS_A_CUSTOMER = 20
CHUNK = 25_000
REST_S_MAX = 900.0
AT_ONCE = 2  # connections that load; more only wait for each other's pages
# What a copy has instead of its template's value.
SETTLED = {
    "orders.customer": "m.customer",
    "orders.due_at": "NULL",
    "orders.due_for": "NULL",
    "records.published": "true",
    "keys.key": "m.key",
}
# A copy's id is a UUIDv7 of its time; everything else of it follows from its number.
MAPPED = """
CREATE TEMPORARY TABLE mapped ON COMMIT DROP AS
SELECT t.old, m.at - t.at AS shift, 'load-' || m.random AS key,
       'customer-' || lpad(m.customer::text, 9, '0') AS customer,
       substr(m.hex, 1, 8) || '-' || substr(m.hex, 9, 4) || '-7' || substr(m.random, 1, 3)
       || '-8' || substr(m.random, 4, 3) || '-' || substr(m.random, 7, 12) AS id
FROM (SELECT g, at, md5(g::text) AS random, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS hex,
             %(have)s / %(each)s + (g - %(have)s) %% greatest((%(want)s - %(have)s) / %(each)s, 1) AS customer
      FROM (SELECT g, %(start)s::timestamptz + (g - %(have)s) * (%(span)s::interval / (%(want)s - %(have)s)) AS at
            FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) AS g) AS n) AS m
JOIN bench_templates AS t ON t.number = m.g %% %(templates)s
"""


@attrs.define
class Loader:
    """Fills one database. `compact` makes rows of about 4.5 KB in all, so that ten million orders fit on a disk.

    One line an order, log rows without the difference of the state, documents compressed and left with their template's ids, full pages.
    """

    url: str
    workload: Workload
    compact: bool = False
    have: int = 0
    _statements: list[str] = attrs.Factory(list)
    _start: datetime = attrs.Factory(
        lambda: datetime.now(UTC) - timedelta(days=MONTHS * DAYS_A_MONTH)  # noqa: TID251  (months up to now)
    )

    def prepare(self) -> None:
        """Place the templates, keep their rows apart, and make the statements that multiply them."""
        ids = self._placed()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE bench_templates (number int, old text, at timestamptz)")
            for number, order_id in enumerate(ids):
                connection.execute(
                    f"INSERT INTO bench_templates SELECT %s, id, placed_at FROM {self._name('orders')} WHERE id = %s",
                    (number, order_id),
                )
            tables = database("postgresql").tables.metadata.sorted_tables
            for table in tables:
                if (key := _order_key(table)) is not None:
                    self._statements.append(self._multiplying(connection, table, key))

    def _placed(self) -> list[str]:
        clock = VirtualClock(self._start)
        with open_shop(self.url, clock=clock) as shop:
            stocked(shop, self.workload)
            ids = []
            for n in range(MONTHS * TEMPLATES_A_MONTH):
                ids.append(shop.place(self.workload.cart(n), "pm_visa", key=f"template-{n}").id)
                clock.advance(days=DAYS_A_MONTH / TEMPLATES_A_MONTH)
        return ids

    def _name(self, table: str) -> str:
        found: Table = getattr(database("postgresql").tables, table)
        return full_name(found)

    def _multiplying(self, connection: psycopg.Connection, table: Table, key: str) -> str:
        """Copy the templates' rows of a table, and return the statement that multiplies them."""
        kept = f"bench_{table.name}"
        # With the table's own storage: a document that was compressed once would be copied compressed.
        connection.execute(f"CREATE TABLE {kept} (LIKE {full_name(table)} INCLUDING STORAGE)")
        if self.compact:
            _compressed(connection, kept, table)
        connection.execute(
            f"INSERT INTO {kept} SELECT r.* FROM {full_name(table)} AS r JOIN bench_templates AS t ON r.{key} = t.old"
        )
        if self.compact and table.name == "records":
            _shorten(connection, kept)
        columns = [column for column in table.columns if column.computed is None and column.identity is None]
        values = [self._value(connection, kept, key, column) for column in columns]
        names = ", ".join(column.name for column in columns)
        return f"INSERT INTO {full_name(table)} ({names}) SELECT {', '.join(values)} FROM mapped AS m JOIN {kept} AS r ON r.{key} = m.old"

    def _value(self, connection: psycopg.Connection, kept: str, key: str, column: Column[object]) -> str:
        """Return the SQL of a copy's value: the template's, with its id and its time exchanged wherever they stand."""
        name = column.name
        if (settled := SETTLED.get(f"{column.table.name}.{name}")) is not None:
            return settled
        if name == key:
            return "m.id"
        if isinstance(column.type, TIMESTAMP):
            return f"r.{name} + m.shift"
        if name.endswith(("hash", "head")) or (self.compact and isinstance(column.type, LargeBinary)):
            return f"r.{name}"
        text = f"convert_from(r.{name}, 'UTF8')" if isinstance(column.type, LargeBinary) else f"r.{name}::text"
        found = connection.execute(f"SELECT count(*) FROM {kept} AS r WHERE position(r.{key} IN {text}) > 0").fetchone()
        if not found or not found[0]:
            return f"r.{name}"
        changed = f"replace({text}, m.old, m.id)"
        return f"convert_to({changed}, 'UTF8')" if isinstance(column.type, LargeBinary) else changed

    def load(self, want: int, note: Callable[[str], None]) -> None:
        """Add copies until there are so many orders; secondary indexes are made anew afterwards, which is faster."""
        if want <= self.have:
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            later = [*_dropped_indexes(connection), *(_packed(connection) if self.compact else ())]
            done = count(1)
            chunks = [(first, min(first + CHUNK, want)) for first in range(self.have, want, CHUNK)]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for _ in pool.map(lambda chunk: self._chunk(chunk[0], chunk[1], want), chunks):
                    if (number := next(done)) % 40 == 0:
                        note(f"loaded {self.have + number * CHUNK:,} of {want:,} orders")
            for statement in later:
                connection.execute(statement)
            note("indexes are made; vacuum and checkpoint")
            connection.execute("VACUUM (ANALYZE)")
            _at_rest(connection)
            connection.execute("CHECKPOINT")
        self.have = want

    def _chunk(self, first: int, last: int, want: int) -> None:
        with psycopg.connect(self.url) as connection:
            values = {
                "first": first,
                "last": last,
                "have": self.have,
                "want": want,
                "start": self._start,
                "span": timedelta(days=MONTHS * DAYS_A_MONTH),
                "each": ORDERS_A_CUSTOMER,
                "templates": MONTHS * TEMPLATES_A_MONTH,
            }
            connection.execute(MAPPED, values)
            for statement in self._statements:
                connection.execute(statement)

    def picks(self, count_: int) -> Iterator[tuple[str, str]]:
        """Return ids and customers of loaded orders, from all over the table."""
        share = min(100.0 * count_ * 2 / max(self.have, 1), 100.0)
        with psycopg.connect(self.url) as connection:
            statement = f"SELECT id, customer FROM {self._name('orders')} TABLESAMPLE SYSTEM ({share}) REPEATABLE (7) LIMIT {count_}"
            yield from connection.execute(statement).fetchall()


def _order_key(table: Table) -> str | None:
    """Return the column that names the order, where there is one."""
    if table.name == "orders":
        return "id"
    return "order_id" if "order_id" in table.columns else None


def _compressed(connection: psycopg.Connection, kept: str, table: Table) -> None:
    """Keep the templates' documents compressed: copies of them are then compressed too, whatever their own table would do.

    PostgreSQL compresses nothing in rows below 2 KB, so each row gets a ballast that is not copied.
    """
    connection.execute(f"ALTER TABLE {kept} SET (toast_tuple_target = 128)")
    for column in table.columns:
        if isinstance(column.type, LargeBinary):
            connection.execute(f"ALTER TABLE {kept} ALTER COLUMN {column.name} SET STORAGE MAIN")
    connection.execute(f"ALTER TABLE {kept} ADD COLUMN ballast bytea DEFAULT convert_to(repeat('-', 3000), 'UTF8')")
    connection.execute(f"ALTER TABLE {kept} ALTER COLUMN ballast SET STORAGE PLAIN")


def _packed(connection: psycopg.Connection) -> list[str]:
    """Let pages be filled to the brim, as those of old orders need no room for changes; return what undoes it for new ones."""
    found = connection.execute(
        "SELECT oid::regclass::text, substring(array_to_string(reloptions, ',') FROM 'fillfactor=([0-9]+)') FROM pg_class"
        " WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND array_to_string(reloptions, ',') LIKE '%%fillfactor=%%'",
        (database("postgresql").tables.schema,),
    ).fetchall()
    for name, _ in found:
        connection.execute(f"ALTER TABLE {name} SET (fillfactor = 100)")
    return [f"ALTER TABLE {name} SET (fillfactor = {fill})" for name, fill in found]


def _shorten(connection: psycopg.Connection, kept: str) -> None:
    """Leave the events in the templates' log rows, and take out the difference of the state: it is most of their bytes."""
    for order_id, version, body in connection.execute(f"SELECT order_id, version, body FROM {kept}").fetchall():
        record = decode_record(bytes(body))
        short = encode(evolve(record, change=Change(state=record.change.state)))
        connection.execute(
            f"UPDATE {kept} SET body = %s WHERE order_id = %s AND version = %s", (short, order_id, version)
        )


def _dropped_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop what is neither a constraint's nor a partition's own, and return the statements that make it again."""
    found = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i"
        " JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND NOT c.relispartition"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)",
        (database("postgresql").tables.schema,),
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [re.sub(r" ON ONLY ", " ON ", statement, count=1) for _, statement in found]


def _at_rest(connection: psycopg.Connection[Any]) -> None:
    """Wait until the server's own workers have cleaned and counted what was loaded: they read and write as much as all that is measured."""
    working = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    until = time.monotonic() + REST_S_MAX
    while time.monotonic() < until and connection.execute(working).fetchone() != (0,):
        time.sleep(1)
