"""The run's own PostgreSQL: started as the tests start theirs, set up as a server of some size is, every safeguard on, stopped by its id."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs
import psycopg

from benchmarks.harness import Unavailable
from orderkit_sql.migrating import migrate
from tests.servers import ENABLE, NoServer, PostgresServer

# Memory and the room for WAL are what everybody sets; nothing that a crash would lose an order by.
SETTINGS: dict[str, object] = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "64MB",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


@attrs.define
class Server:
    """A started server. Each database is made for one measurement, with the tables of a store in it."""

    _started: PostgresServer

    @property
    def pid(self) -> int:
        """The id of its first process: everything below it is the server."""
        return self._started.pid

    @property
    def url(self) -> str:
        """Where it is, with its own first database."""
        return self._started.url

    @property
    def log(self) -> Path:
        """The file that it logs to."""
        return self._started.folder / "server.log"

    def database(self, *, migrated: bool = True) -> str:
        """Make a database, with the store's tables unless they are not wanted, and return its URL."""
        name = f"bench_{secrets.token_hex(4)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        if migrated:
            migrate(url)
        return url

    def drop(self, url: str) -> None:
        """Drop a database, whoever still looks at it."""
        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def described(self) -> dict[str, Any]:
        """Return its version and settings, as the machine's description holds them."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT current_setting('server_version')").fetchone()
        return {"version": row[0] if row else None, **SETTINGS, "fsync": "on"}

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._started.stop()


def started() -> Server:
    """Start a server. Raises `Unavailable` when there is none to start."""
    try:
        return Server(PostgresServer.start(**SETTINGS))
    except NoServer as missing:
        raise Unavailable(f"{missing}; {ENABLE}") from missing
