"""The provider's own book: what really happened, kept apart from the shop's store so that a killed process can ask.

One SQLite file (or memory), safe to share between threads and processes: every change runs in one immediate transaction. With a
write-ahead log and `synchronous=NORMAL` a book survives `kill -9` at any moment; a power cut may cost its last entries. Entries are never
deleted. The book keeps; what may be entered is decided elsewhere (`desk`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.errors import Misconfigured, PortError

VERSION = 1
PATIENCE = 30.0  # seconds that a writer waits for another process
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TABLES = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    payment TEXT NOT NULL,
    kind TEXT,
    method TEXT NOT NULL,
    tender TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    order_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('unsent', 'pending', 'confirmed', 'refused')),
    reason TEXT NOT NULL,
    reference TEXT NOT NULL,
    expires_at INTEGER,
    settles_at INTEGER,
    settles_as TEXT NOT NULL,
    calls INTEGER NOT NULL,
    ended_at INTEGER,
    told INTEGER NOT NULL,
    tell_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS entry_of_payment ON entry (payment);
CREATE INDEX IF NOT EXISTS entry_to_tell ON entry (tell_at) WHERE tell_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_to_settle ON entry (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS account (
    payment TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    authorized_minor INTEGER NOT NULL,
    captured_minor INTEGER NOT NULL,
    refunded_minor INTEGER NOT NULL,
    expires_at INTEGER,
    CHECK (0 <= refunded_minor AND refunded_minor <= captured_minor AND captured_minor <= authorized_minor)
) STRICT;
CREATE INDEX IF NOT EXISTS account_of_method ON account (method);
CREATE TABLE IF NOT EXISTS issue (
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0)
) STRICT;
CREATE INDEX IF NOT EXISTS issue_of_method ON issue (method);
CREATE TABLE IF NOT EXISTS outage (begins_at INTEGER NOT NULL, ends_at INTEGER NOT NULL) STRICT;
"""


def microseconds(at: datetime) -> int:
    """Return a time as the book writes it."""
    return (at - _EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """Return a written time."""
    return _EPOCH + at * _MICROSECOND


@attrs.frozen(kw_only=True)
class Entry:
    """What became of one key. `unsent`: the call never arrived. Times are microseconds since 1970, amounts minor units.

    `settles_at` and `settles_as` say when and how a pending entry is decided by itself, or a refund comes back; `calls` counts the steps of the
    card's script that were used up; `told` and `tell_at` are about webhooks. An entry without a kind only says that the key never happened.
    """

    key: str
    payment: str
    kind: OperationKind | None = None
    method: str = ""
    tender: str = ""
    amount_minor: int = 0
    currency: str = ""
    order_id: str = ""
    at: int
    state: str
    reason: str = ""
    reference: str = ""
    expires_at: int | None = None
    settles_at: int | None = None
    settles_as: str = ""
    calls: int = 0
    ended_at: int | None = None
    told: int = 0
    tell_at: int | None = None

    @property
    def operation(self) -> OperationKind:
        """What was asked for. Raises `LookupError` for a key that never arrived."""
        if self.kind is None:
            raise LookupError(self.key)
        return self.kind

    @property
    def reversed(self) -> bool:
        """Whether it is a refund that was done, so that it has a reference, and came back."""
        return self.state == "refused" and bool(self.reference)

    @property
    def end(self) -> int:
        """When it was decided; until then, when it was asked for."""
        return self.at if self.ended_at is None else self.ended_at


@attrs.frozen(kw_only=True)
class Account:
    """The sums of one payment. Void and expiry of what is not captured lower `authorized_minor` to `captured_minor`."""

    payment: str
    order_id: str
    method: str
    currency: str
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    expires_at: int | None = None

    def authorized_at(self, at: int) -> int:
        """What is authorized, captured or not, at that time."""
        return self.captured_minor if self.expires_at is not None and self.expires_at <= at else self.authorized_minor


_ENTRY = tuple(field.name for field in attrs.fields(Entry))
_ACCOUNT = tuple(field.name for field in attrs.fields(Account))
_KIND = _ENTRY.index("kind")


def _select(table: str, columns: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608  # the names are those of this module


def _upsert(table: str, columns: tuple[str, ...], key: str) -> str:
    marks = ", ".join("?" * len(columns))
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name != key)
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changed}"  # noqa: S608  # likewise


_SELECT_ENTRY = _select("entry", _ENTRY)
_SELECT_ACCOUNT = _select("account", _ACCOUNT)
_PUT_ENTRY = _upsert("entry", _ENTRY, "key")
_PUT_ACCOUNT = _upsert("account", _ACCOUNT, "payment")


class Book:
    """An open book. Without a path it lives in memory and ends with the process.

    Unless it may `create` one, a book that is not there, or in which nothing stands, is refused: to a shop that has orders it would say
    that none of its money ever moved.
    """

    def __init__(self, path: Path | None = None, *, create: bool = True) -> None:
        self._lock = threading.RLock()
        name = ":memory:" if path is None else str(path)
        if not create and (path is None or not path.is_file()):
            raise _blank(name)
        try:
            self._connection = sqlite3.connect(name, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise Misconfigured(
                f"the provider's book {name!r} cannot be opened: {error}",
                code="file_missing",
                remedy="Make its folder first; three slashes begin a relative path, four an absolute one: fakepsp:////var/psp.db.",
            ) from error
        try:
            self._prepare(durable=path is not None)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise PortError(f"the provider's book {name!r} cannot be read: {error}", code="book_unreadable") from error
        except PortError:
            self._connection.close()
            raise
        if not create and self._connection.execute("SELECT 1 FROM entry LIMIT 1").fetchone() is None:
            self._connection.close()
            raise _blank(name)

    def _prepare(self, *, durable: bool) -> None:
        if durable:
            self._write_ahead()
            self._connection.execute("PRAGMA synchronous = NORMAL")
        with self.writing():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise PortError(
                    f"the provider's book is of version {version}, this is version {VERSION}", code="book_unreadable"
                )
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def _write_ahead(self) -> None:
        """Switch to a write-ahead log; SQLite does not wait by itself when two processes create one book at once."""
        give_up_at = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, alone with the book; an exception undoes all of it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent look at the book."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the book; closing twice is allowed."""
        with self._lock:
            self._connection.close()

    # ---- entries and accounts; call these inside `writing` or `reading`

    def entry(self, key: str) -> Entry | None:
        """Return the entry of a key."""
        row = self._connection.execute(f"{_SELECT_ENTRY} WHERE key = ?", (key,)).fetchone()
        return None if row is None else _entry(row)

    def entries(self, payment: str) -> tuple[Entry, ...]:
        """Return everything about a payment, oldest first."""
        return tuple(
            map(_entry, self._connection.execute(f"{_SELECT_ENTRY} WHERE payment = ? ORDER BY number", (payment,)))
        )

    def put_entry(self, entry: Entry) -> None:
        """Write an entry, in the place of the one with its key."""
        self._connection.execute(_PUT_ENTRY, attrs.astuple(entry, recurse=False))

    def account(self, payment: str) -> Account | None:
        """Return the sums of a payment, if any money was ever held or taken for it."""
        row = self._connection.execute(f"{_SELECT_ACCOUNT} WHERE payment = ?", (payment,)).fetchone()
        return None if row is None else Account(**dict(zip(_ACCOUNT, row, strict=True)))

    def accounts(self) -> tuple[Account, ...]:
        """Return the sums of every payment, by payment."""
        rows = self._connection.execute(f"{_SELECT_ACCOUNT} ORDER BY payment")
        return tuple(Account(**dict(zip(_ACCOUNT, row, strict=True))) for row in rows)

    def accounts_of(self, method: str) -> tuple[Account, ...]:
        """Return the sums of the payments with one method."""
        rows = self._connection.execute(f"{_SELECT_ACCOUNT} WHERE method = ?", (method,))
        return tuple(Account(**dict(zip(_ACCOUNT, row, strict=True))) for row in rows)

    def put_account(self, account: Account) -> None:
        """Write the sums of a payment."""
        self._connection.execute(_PUT_ACCOUNT, attrs.astuple(account))

    def to_settle(self, at: int, limit: int) -> tuple[Entry, ...]:
        """Return entries whose time has come."""
        rows = self._connection.execute(
            f"{_SELECT_ENTRY} WHERE settles_at <= ? ORDER BY settles_at, number LIMIT ?", (at, limit)
        )
        return tuple(map(_entry, rows.fetchall()))

    def to_tell(self, at: int, limit: int) -> tuple[Entry, ...]:
        """Return entries with a webhook due, in the order in which they are due."""
        rows = self._connection.execute(
            f"{_SELECT_ENTRY} WHERE tell_at <= ? ORDER BY tell_at, number LIMIT ?", (at, limit)
        )
        return tuple(map(_entry, rows.fetchall()))

    # ---- balances and outages

    def issue(self, method: str, amount_minor: int, currency: str) -> None:
        """Write that a gift card or a store credit was filled up."""
        self._connection.execute("INSERT INTO issue VALUES (?, ?, ?)", (method, currency, amount_minor))

    def issued(self, method: str) -> tuple[str, int] | None:
        """Return the currency of a gift card or store credit and everything that was ever put on it."""
        row = self._connection.execute(
            "SELECT min(currency), sum(amount_minor) FROM issue WHERE method = ?", (method,)
        ).fetchone()
        return None if row[0] is None else (row[0], row[1])

    def add_outage(self, begins_at: int, ends_at: int) -> None:
        """Write that the provider cannot be reached between two times."""
        self._connection.execute("INSERT INTO outage VALUES (?, ?)", (begins_at, ends_at))

    def outages(self) -> tuple[tuple[int, int], ...]:
        """Return all outages."""
        return tuple(self._connection.execute("SELECT begins_at, ends_at FROM outage").fetchall())


def _blank(name: str) -> Misconfigured:
    return Misconfigured(
        f"the provider's book {name!r} is not there, or nothing stands in it",
        code="file_missing",
        remedy="Name the book of the shop's own provider, or leave create=no out for a new one.",
    )


def _entry(row: tuple[object, ...]) -> Entry:
    values = dict(zip(_ENTRY, row, strict=True))
    if row[_KIND] is not None:
        values["kind"] = OperationKind(str(row[_KIND]))
    return Entry(**values)  # type: ignore[arg-type]  # STRICT tables keep the types
