"""Changing tables under programs that go on: every lock at once, before anything is changed, and never waiting for long.

Two who wait for each other are found by the server after a second, and it ends whichever of them it likes. So a change takes all its locks in
one statement that gives up sooner than that: it is always we who give up, never a writer. What gave up has changed nothing, and is tried again
from its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError

from orderkit_sql.failures import Fault, as_error, fault_of
from orderkit_sql.schema import Tables, full_name

TRIES_MAX = 20
# Shorter than the second after which a server looks for deadlocks, for all the locks together.
WAIT_MILLISECONDS = 900
_NOT_GRANTED = "55P03"

T = TypeVar("T")


def persistently(work: Callable[[], T]) -> T:
    """Do one transaction, again while others are in the way; raise the last failure in orderkit's words."""
    for tried in range(1, TRIES_MAX + 1):
        try:
            return work()
        except DBAPIError as error:
            if tried == TRIES_MAX or not _in_the_way(error):
                raise as_error(error) from error
        time.sleep(0.05 * tried)
    raise AssertionError("the last try returns or raises")


def _in_the_way(error: DBAPIError) -> bool:
    """Whether others held what was needed. Work that was canceled, or for which there is no room, is not begun again."""
    original: Any = error.orig
    return getattr(original, "sqlstate", None) == _NOT_GRANTED or fault_of(error) is Fault.RACE


def orders_first(made: Tables) -> tuple[Table, ...]:
    """Return the partitioned tables in the order of locking: writers begin with orders, so whoever waits there has no other of them yet."""
    return tuple(sorted(made.partitioned(), key=lambda table: table is not made.orders))


def locked(made: Tables, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the statements that lock the partitioned tables against everybody, after other statements that wait for locks."""
    names = ", ".join(full_name(table) for table in orders_first(made))
    steps = "".join(f"  {statement};\n" for statement in before)
    return (
        f"SET LOCAL lock_timeout = {WAIT_MILLISECONDS}",
        f"SET LOCAL statement_timeout = {WAIT_MILLISECONDS}",  # a lock timeout begins anew with every lock
        f"""DO $$ BEGIN
{steps}  LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE;
EXCEPTION WHEN query_canceled OR lock_not_available THEN
  RAISE lock_not_available USING MESSAGE = 'the tables are in use';
END $$""",
        "SET LOCAL statement_timeout TO DEFAULT",
    )
