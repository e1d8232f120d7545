"""The carriers' own book: which key got which number, and which labels are void. Where parcels are is not in it: numbers say that.

One SQLite file, or memory; safe to share between threads and processes. It survives `kill -9` at any moment. No address is kept, only a
digest of the request, to tell a repeat from another one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orderkit.errors import Misconfigured, PortError

VERSION = 1
PATIENCE = 30.0  # seconds that a writer waits for another process

_TABLES = """
CREATE TABLE IF NOT EXISTS booking (
    key TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    number TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cancellation (number TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class Book:
    """An open book. Without a path it lives in memory and ends with the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        name = ":memory:" if path is None else str(path)
        try:
            self._connection = sqlite3.connect(name, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise Misconfigured(
                f"the carriers' book {name!r} cannot be opened: {error}",
                code="file_missing",
                remedy="Make its folder first; three slashes begin a relative path, four an absolute one: fakecarrier:////var/parcels.db.",
            ) from error
        try:
            self._prepare(durable=path is not None)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise PortError(f"the carriers' book {name!r} cannot be read: {error}", code="book_unreadable") from error
        except PortError:
            self._connection.close()
            raise

    def _prepare(self, *, durable: bool) -> None:
        if durable:
            self._write_ahead()
            self._connection.execute("PRAGMA synchronous = NORMAL")
        with self.writing():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise PortError(
                    f"the carriers' book is of version {version}, this is version {VERSION}", code="book_unreadable"
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

    def booking(self, key: str) -> tuple[bytes, str] | None:
        """Return the digest and the number that a key got."""
        row: tuple[bytes, str] | None
        row = self._connection.execute("SELECT digest, number FROM booking WHERE key = ?", (key,)).fetchone()
        return row

    def taken(self, number: str) -> bool:
        """Whether a number is somebody's already."""
        return self._connection.execute("SELECT 1 FROM booking WHERE number = ?", (number,)).fetchone() is not None

    def put_booking(self, key: str, digest: bytes, number: str) -> None:
        """Write that a key got a number."""
        self._connection.execute("INSERT INTO booking VALUES (?, ?, ?)", (key, digest, number))

    def cancelled_at(self, number: str) -> str | None:
        """Return when a label was made void, if it was; ISO 8601."""
        with self._lock:
            row = self._connection.execute("SELECT at FROM cancellation WHERE number = ?", (number,)).fetchone()
        return None if row is None else str(row[0])

    def put_cancellation(self, number: str, at: str) -> None:
        """Write that a label is void."""
        self._connection.execute("INSERT INTO cancellation VALUES (?, ?)", (number, at))

    def close(self) -> None:
        """Close the book; closing twice is allowed."""
        with self._lock:
            self._connection.close()
