"""What went wrong in a database, in orderkit's words: tried again, not applied, or nobody knows.

Errors are told apart by SQLSTATE and by SQLite's result codes, never by their text; what is said of them holds no values of rows and no
passwords. `Attempts` decides whether a unit of work is run again; waiting is left to whoever has a clock.
"""

from __future__ import annotations

import random
import sqlite3
from enum import Enum
from typing import Any

import attrs
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orderkit.errors import Misconfigured, OrderkitError, PortError

TRIES_MAX = 6


class ValueRefused(OrderkitError):
    """Some value of an element cannot be stored. Nothing of the unit of work was applied."""


class Fault(Enum):
    """What a failure means for the unit of work."""

    RACE = "race"  # somebody else was there first; the same work may well succeed now
    LOST = "lost"  # the connection is gone
    BUSY = "busy"  # locks, pools, disks, servers: nothing was applied, later may be better
    DATA = "data"  # some value of some element cannot be stored
    SCHEMA = "schema"  # the tables are not there
    SETUP = "setup"  # a password, a right, a database: a person has to look


# Classes and codes of SQLSTATE.
_RACES = {"40001", "40P01", "23505"}
_BUSY = {"55P03", "57014", "53000", "53100", "53200", "53300", "53400", "25006", "57P03", "58030"}
_LOST = {"57P01", "57P02", "57P05", "25P03"}
_SCHEMA = {"42P01", "3F000", "42703"}
_SETUP = {"28000", "28P01", "3D000", "42501"}
_POOLER = {
    "42P05",
    "26000",
}  # a prepared statement that is another's, or not there: the server's connection is not always the same

_WITHOUT_STATEMENTS = "Add prepare=no to the store's URL: the pooler in between knows no prepared statements."

# Result codes of SQLite.
_SQLITE_RACES = {sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_SQLITE_BUSY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
}
_SQLITE_SETUP = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
}


def fault_of(error: Exception) -> Fault:
    """Return what a failure means."""
    if isinstance(error, PoolTimeout):
        return Fault.BUSY
    if not isinstance(error, DBAPIError):
        return Fault.DATA
    original: Any = error.orig
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        return _sqlite_fault(code, str(original))
    state = getattr(original, "sqlstate", None)
    if state in _RACES:
        return Fault.RACE
    if state in _BUSY:
        return Fault.BUSY
    if state in _SETUP | _POOLER or (state is None and _refused(original)):
        return Fault.SETUP
    if state in _SCHEMA:
        return Fault.SCHEMA
    if error.connection_invalidated or state in _LOST or (state or "").startswith("08"):
        return Fault.LOST
    if state is None and isinstance(error, OperationalError | InterfaceError):  # no server said anything
        return Fault.LOST
    return Fault.DATA


def _sqlite_fault(code: int, said: str) -> Fault:
    if code in _SQLITE_RACES:
        return Fault.RACE
    if code in _SQLITE_SETUP or code & 0xFF in _SQLITE_SETUP:
        return Fault.SETUP
    if code & 0xFF in _SQLITE_BUSY:
        return Fault.BUSY
    if said.startswith("no such table"):  # SQLite has one code for every mistake in a statement
        return Fault.SCHEMA
    return Fault.DATA


def _refused(original: Any) -> bool:
    """Whether a server was reached and refused to let us in; while connecting there is no SQLSTATE, only a sentence."""
    said = str(original)
    return (
        "authentication failed" in said
        or ("database" in said and "does not exist" in said)
        or "no pg_hba.conf entry" in said
    )


def said_of(error: Exception) -> str:
    """Return what the database said, without values, statements and addresses' passwords."""
    original: Any = getattr(error, "orig", None) or error
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    return (
        str(primary or original).strip().splitlines()[0]
        if str(primary or original).strip()
        else type(original).__name__
    )


def as_error(error: Exception, *, unsure: bool = False) -> OrderkitError:
    """Return the failure in orderkit's words; `unsure` after a COMMIT that may have been done, whatever failed since."""
    if isinstance(error, OrderkitError):
        return error
    fault, said = fault_of(error), said_of(error)
    if unsure and fault is not Fault.DATA:
        return PortError(f"the connection was lost at COMMIT ({said})", code="commit_unknown", outcome="unknown")
    match fault:
        case Fault.SCHEMA:
            return Misconfigured(f"the store lacks a table of orderkit ({said})", code="schema_missing")
        case Fault.SETUP:
            facts = _named(error)
            remedy = _WITHOUT_STATEMENTS if facts.get("sqlstate") in _POOLER else None
            return Misconfigured(f"the store cannot be used: {said}", code="misconfigured", remedy=remedy, facts=facts)
        case Fault.DATA:
            return ValueRefused(
                f"the store refused: {said}", code="internal", outcome="not_applied", facts=_named(error)
            )
        case _:
            return PortError(
                f"the store cannot be reached or is busy: {said}", code="store_unavailable", facts=_named(error)
            )


def _named(error: Exception) -> dict[str, Any]:
    original: Any = getattr(error, "orig", None)
    diag = getattr(original, "diag", None)
    found = {
        "sqlstate": getattr(original, "sqlstate", None),
        "sqlite": getattr(original, "sqlite_errorname", None),
        "constraint": getattr(diag, "constraint_name", None) if isinstance(error, IntegrityError) else None,
    }
    return {name: value for name, value in found.items() if value}


@attrs.define
class Attempts:
    """How often a unit of work has been run, and whether it is run again.

    `unsure` is set once a COMMIT was lost: from then on the work must recognize what it may have written, and giving up means that nobody
    knows.
    """

    tries_max: int = TRIES_MAX
    done: int = 0
    unsure: bool = False

    def after(self, error: Exception, *, committing: bool) -> float:
        """Return the seconds to wait before the next try, or raise the failure in orderkit's words."""
        self.done += 1
        fault = fault_of(error)
        lost = fault is Fault.LOST or (committing and fault is Fault.BUSY)
        self.unsure = self.unsure or (committing and lost)
        if self.done >= self.tries_max or not (lost or fault is Fault.RACE):
            raise as_error(error, unsure=self.unsure) from error
        longest: float = 0.02 * 2**self.done
        return random.uniform(0.5, 1.0) * longest  # noqa: S311  (jitter, so that two losers do not meet again)


# What may come of a value of one element, before or after its statement was sent.
UNWRITABLE = (ValueRefused, ValueError, TypeError, OverflowError)
