"""Months: the tables whose key begins with an order's id are cut by the time that is in the id, on PostgreSQL.

A UUIDv7 as text sorts by its time, so a month is a range of ids: two bounds, found for any text by one binary search. Whatever is no id of
1970 to 2099 has a place of its own before or behind all months. A month is made before the first row that needs it, in a transaction apart,
and a process remembers which months it has seen. Making one waits for no writer and lets none wait: there is no default partition, whose rows
would have to be looked at under a lock. This module knows no orders; `retiring` takes whole months away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache

import attrs
from sqlalchemy import Connection

YEARS = range(1970, 2100)
# Bytes of a log row that stay on its page, so that two fit: a placement's record has about 3 KB, and to put it aside in slices of 2 KB costs the
# server a tenth of an order (measured). The document of an order is aside, since an order's row changes and its document does not.
RECORD_INLINE = 4_080
MONTHS_LOCK = 7_093_104_419  # one number for all of a database, out of the way of a host's own locks


def bound_of(month: date) -> str:
    """Return the text that is not above any id of the month, and above every id before it."""
    digits = f"{int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


@cache
def bounds() -> tuple[str, ...]:
    """Return the first bound of every month, and the end of the last."""
    months = [date(year, month, 1) for year in YEARS for month in range(1, 13)]
    return (*map(bound_of, months), bound_of(date(YEARS.stop, 1, 1)))


def place_of(order_id: str) -> int:
    """Return the number of the range that holds an id: 0 before all months, then the months, then what is behind them."""
    return bisect_right(bounds(), order_id)


def month_of(place: int) -> date | None:
    """Return the month of a range, or nothing for the ranges before and behind all months."""
    if not 0 < place < len(bounds()):
        return None
    years, month = divmod(place - 1, 12)
    return date(YEARS.start + years, month + 1, 1)


def near(column: str, order_ids: Iterable[str]) -> str:
    """Return SQL that holds for the ids' months; without it a statement would open every partition there is."""
    ids = list(order_ids)
    return _near(column, place_of(min(ids)), place_of(max(ids))) if ids else ""


@lru_cache(maxsize=1_024)  # the text stays the same for a month, so that drivers and servers recognize it
def _near(column: str, first: int, last: int) -> str:
    known = bounds()
    above = f" AND {column} >= '{known[first - 1]}'" if first else ""
    below = f" AND {column} < '{known[last]}'" if last < len(known) else ""
    return above + below


@attrs.define(eq=False)
class Months:
    """The months that this process has seen in a database."""

    schema: str
    _seen: set[int] = attrs.field(factory=set)

    def missing(self, order_ids: Iterable[str]) -> list[int]:
        """Return the ranges of the ids that nobody here has seen yet."""
        return sorted({place_of(order_id) for order_id in order_ids} - self._seen)

    def make(self, connection: Connection, places: Sequence[int]) -> None:
        """Make sure of the months, in an open transaction; they count as seen by `made`."""
        for month in filter(None, map(month_of, places)):
            connection.exec_driver_sql(f"SELECT {self.schema}.make_month(%s)", (month,))

    def made(self, places: Iterable[int]) -> None:
        """Remember the ranges."""
        self._seen.update(places)

    def forget(self) -> None:
        """Look again: somebody may have taken a month away."""
        self._seen.clear()


# ---- the statements that make it


def routines(schema: str, fills: dict[str, int]) -> tuple[str, ...]:
    """Return the functions by which months are made; whoever may call them needs no right to make tables."""
    room = " ".join(f"WHEN '{table}' THEN {fill}" for table, fill in sorted(fills.items()))
    return (
        f"""CREATE OR REPLACE FUNCTION {schema}.month_begins(month date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substr(digits, 1, 8) || '-' || substr(digits, 9) FROM (SELECT lpad(to_hex(
    extract(epoch FROM make_date(extract(year FROM month)::int, extract(month FROM month)::int, 1))::bigint * 1000), 12, '0')) AS t(digits)
$$""",
        f"""CREATE OR REPLACE FUNCTION {schema}.make_month(month date) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  suffix text := to_char(month, '_YYYY_MM');
  parent text;
BEGIN
  PERFORM pg_advisory_xact_lock({MONTHS_LOCK});
  FOR parent IN SELECT c.relname FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
    WHERE c.relnamespace = '{schema}'::regnamespace ORDER BY c.relname LOOP
    CONTINUE WHEN to_regclass(format('%I.%I', '{schema}', parent || suffix)) IS NOT NULL;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)'
      ' WITH (fillfactor = %4$s)', '{schema}', parent || suffix, parent, CASE parent {room} ELSE 100 END);
    EXECUTE format('ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (%4$L) TO (%5$L)', '{schema}', parent,
      parent || suffix, {schema}.month_begins(month), {schema}.month_begins((month + interval '1 month')::date));
    IF parent = 'records' THEN
      EXECUTE format('ALTER TABLE %1$I.%2$I SET (toast_tuple_target = {RECORD_INLINE})', '{schema}', parent || suffix);
      EXECUTE format('CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON %1$I.%2$I FOR EACH STATEMENT'
        ' EXECUTE FUNCTION %1$I.refuse_change()', '{schema}', parent || suffix);
    END IF;
  END LOOP;
EXCEPTION WHEN invalid_object_definition THEN
  NULL;  -- the range is part of a wider partition already: that of a store from before there were months
END $$""",
        f"REVOKE ALL ON FUNCTION {schema}.make_month(date) FROM PUBLIC",
    )


def ends(schema: str, table: str, fill: int | None, *, truncate_guard: bool) -> tuple[str, ...]:
    """Return the partitions for ids that belong to no month."""
    storage = f" WITH (fillfactor = {fill})" if fill else ""
    made: list[str] = []
    for name, lower, upper in (
        ("before", "MINVALUE", f"'{bounds()[0]}'"),
        ("other", f"'{bounds()[-1]}'", "MAXVALUE"),
    ):
        part = f"{schema}.{table}_{name}"
        made.append(
            f"CREATE TABLE {part} PARTITION OF {schema}.{table} FOR VALUES FROM ({lower}) TO ({upper}){storage}"
        )
        if truncate_guard:
            made.append(
                f"CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON {part} FOR EACH STATEMENT"
                f" EXECUTE FUNCTION {schema}.refuse_change()"
            )
    return tuple(made)
