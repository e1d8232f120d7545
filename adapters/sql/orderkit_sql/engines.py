"""Engines from URLs: what a connection must be like before the store trusts it.

On SQLite the driver's own idea of transactions is switched off and every write begins with BEGIN IMMEDIATE: left alone, the driver loses
concurrent updates without an error. On PostgreSQL each session has limits on waiting. URLs' options are read here, and nothing of a
password is ever said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from orderkit.errors import Misconfigured
from orderkit.plugins.url import Url
from orderkit_sql.creating import creation
from orderkit_sql.database import Database, database
from orderkit_sql.documents import register

READS = "orderkit_reads"
SQLITE_MIN = (3, 35, 0)  # RETURNING, UPDATE FROM

_WAIT_MAX = 2_000_000  # seconds; PostgreSQL and SQLite count milliseconds in 31 bits
_CONNECTIONS_MAX = 10_000
_PREPARED_AFTER = 5  # times that a connection has sent a statement; the driver's own default

_POOL = ("pool_size", "max_overflow", "pool_timeout")
_SQLITE_OPTIONS = ("create", "busy_timeout", *_POOL)
_POSTGRES_OPTIONS = ("create", "schema", "lock_timeout", "statement_timeout", "prepare", *_POOL)
_LIBPQ_OPTIONS = (
    "application_name",
    "connect_timeout",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "options",
    "passfile",
    "port",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
)


@attrs.frozen(kw_only=True)
class Address:
    """A store's URL, read: the database, where it is, and how to connect."""

    url: URL
    database: Database
    create: bool
    durable: bool
    shared: bool  # one connection that everybody shares, because the data lives in it
    path: Path | None
    arguments: dict[str, Any]
    pool: dict[str, Any]

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)


def address_of(text: Url | str, *, create: bool | None = None) -> Address:
    """Return the URL's meaning. Raises `Misconfigured` for what cannot be one."""
    parsed = Url.parse(text)
    if parsed.scheme == "sqlite":
        return _sqlite_address(parsed.accepts(*_SQLITE_OPTIONS), create=create)
    if parsed.scheme == "postgresql":
        return _postgres_address(parsed.accepts(*_POSTGRES_OPTIONS, *_LIBPQ_OPTIONS), create=create)
    raise Misconfigured(
        f"{str(parsed)!r} is no address of a SQL store",
        code="bad_url",
        remedy="Write sqlite:///shop.db or postgresql://…",
    )


def _sqlite_address(url: Url, *, create: bool | None) -> Address:
    if (
        url.driver not in ("", "pysqlite", "aiosqlite")
        or not url.rest.startswith("//")
        or (url.location and url.location[0] != "/")
    ):
        raise Misconfigured(
            f"{str(url)!r} is no address of a SQLite file",
            code="bad_url",
            remedy="Write sqlite:///shop.db for a file here, sqlite:////var/shop.db for an absolute path, sqlite:///:memory: for none.",
        )
    path = url.location.removeprefix("/")
    shared = path in ("", ":memory:")
    return Address(
        url=URL.create("sqlite", database=":memory:" if shared else path),
        database=database("sqlite"),
        create=url.flag("create", default=True if create is None else create),
        durable=not shared,
        shared=shared,
        path=None if shared else Path(path),
        arguments={"check_same_thread": False, "timeout": _seconds(url, "busy_timeout", 15.0)},
        pool={"pool_size": 1, "max_overflow": 0} if shared else _pool(url, 8),
    )


def _postgres_address(url: Url, *, create: bool | None) -> Address:
    if url.driver not in ("", "psycopg"):
        raise Misconfigured(
            f"no driver {url.driver!r} for PostgreSQL: it is psycopg",
            code="bad_url",
            remedy="Write postgresql://user@host/database.",
        )
    schema = url.query.get("schema", "orderkit")
    if not (schema.isidentifier() and schema.isascii() and schema.islower()):
        raise Misconfigured(
            f"{schema!r} is no name of a schema",
            code="bad_url",
            field="schema",
            remedy="Use small letters, digits and _.",
        )
    libpq = {name: value for name, value in url.query.items() if name in _LIBPQ_OPTIONS}
    try:
        found = make_url("postgresql+psycopg:" + url.rest).set(query=libpq)
    except (ArgumentError, ValueError):
        raise Misconfigured(f"{str(url)!r} is no address of PostgreSQL", code="bad_url") from None
    limits = {
        "lock_timeout": _seconds(url, "lock_timeout", 5.0),
        "statement_timeout": _seconds(url, "statement_timeout", 30.0),
    }
    settings = [f"-c {name}={round(seconds * 1000)}" for name, seconds in limits.items()]
    settings += ["-c idle_in_transaction_session_timeout=60000", "-c timezone=UTC"]
    return Address(
        url=found,
        database=database("postgresql", schema),
        create=url.flag("create", default=bool(create)),
        durable=True,
        shared=False,
        path=None,
        arguments={
            "options": " ".join([*settings, libpq.get("options", "")]).strip(),
            "connect_timeout": url.integer("connect_timeout", 10, lowest=0, highest=_WAIT_MAX),
            "prepare_threshold": _PREPARED_AFTER if url.flag("prepare", default=True) else None,
        },
        pool=_pool(url, 8),
    )


def _pool(url: Url, size: int) -> dict[str, Any]:
    return {
        "pool_size": url.integer("pool_size", size, lowest=0, highest=_CONNECTIONS_MAX),
        "max_overflow": url.integer("max_overflow", 0, lowest=-1, highest=_CONNECTIONS_MAX),
        "pool_timeout": _seconds(url, "pool_timeout", 30.0),
    }


def _seconds(url: Url, name: str, default: float) -> float:
    """Return an option that says how long to wait."""
    return url.number(name, default, lowest=0, highest=_WAIT_MAX)


def make_engine(address: Address) -> Engine:
    """Return an engine with everything the store relies on."""
    options: dict[str, Any] = {
        "hide_parameters": True,
        "connect_args": dict(address.arguments),
        "poolclass": QueuePool,
        **address.pool,
    }
    engine = _made(lambda: create_engine(address.url, **options), address)
    prepare(engine, address)
    return engine


def passing_engine(address: Address) -> Engine:
    """Return an engine that keeps no connection: for looking at a store, and for making its tables."""
    engine = _made(
        lambda: create_engine(
            address.url, hide_parameters=True, connect_args=dict(address.arguments), poolclass=NullPool
        ),
        address,
    )
    prepare(engine, address)
    return engine


def _made(make: Callable[[], Engine], address: Address) -> Engine:
    try:
        return make()
    except ImportError as error:
        raise missing_driver(address.url.get_backend_name(), error) from error


def missing_driver(backend: str, error: ImportError) -> Misconfigured:
    """Return the error that names the command which installs a driver."""
    extra = "postgres" if backend == "postgresql" else "sqlite-async"
    install = f"pip install 'orderkit[{extra}]'"
    return Misconfigured(
        f"the driver for {backend} cannot be imported ({error}): {install}", code="missing_driver", remedy=install
    )


def prepare(engine: Engine, address: Address) -> None:
    """Install the hooks: SQLite's, without which data may be lost, and PostgreSQL's, which makes it faster."""
    if engine.dialect.name != "sqlite":
        event.listen(engine, "connect", lambda connection, _record: register(connection))
        return
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise Misconfigured(
            f"SQLite {sqlite3.sqlite_version} is too old: {'.'.join(map(str, SQLITE_MIN))} is needed",
            remedy="Use a newer Python, or `pip install pysqlite3-binary`.",
        )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", begin_immediate)
    if address.shared:
        event.listen(engine, "connect", _create_here(address))


def prepared(engine: Engine) -> bool:
    """Whether an engine has what the store relies on."""
    return engine.dialect.name != "sqlite" or event.contains(engine, "begin", begin_immediate)


def _configure(connection: Any, _record: Any) -> None:
    """Switch the driver's own transactions off; write ahead, and wait for the disk at each commit."""
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 4000",
            "cache_size = -32000",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def begin_immediate(connection: Connection) -> None:
    """Begin a write with the write lock, so that what was read is still so when it is written; a read needs a snapshot only."""
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _create_here(address: Address) -> Callable[[Any, Any], None]:
    def create(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            for statement in creation(address.database.tables):
                cursor.execute(statement)
        finally:
            cursor.close()

    return create
