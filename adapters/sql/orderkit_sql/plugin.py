"""The hooks by which `sqlite:` and `postgresql:` URLs come here. Drivers are imported when a store is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from typing import Any

from orderkit.domain.value import as_dict
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.store import AsyncStore, Store

SCHEMES = ("sqlite", "postgresql")


@hookimpl
def open_store(url: Url) -> Store | None:
    """Open the store that the URL names."""
    if url.scheme not in SCHEMES:
        return None
    from orderkit_sql.store import open_store as opened  # noqa: PLC0415  (SQLAlchemy only when a store is opened)

    return opened(url)


@hookimpl
def open_async_store(url: Url) -> AsyncStore | None:
    """Open the store that the URL names for an event loop; SQLite without aiosqlite is left to threads."""
    if url.scheme not in SCHEMES or (
        url.scheme == "sqlite" and (find_spec("aiosqlite") is None or find_spec("greenlet") is None)
    ):
        return None
    try:
        from orderkit_sql.async_store import open_async_store as opened  # noqa: PLC0415  (SQLAlchemy only when it is used)
    except ImportError as error:
        from orderkit_sql.engines import missing_driver  # noqa: PLC0415  (SQLAlchemy only when it is used)

        raise missing_driver(url.scheme, error) from error
    return opened(url)


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the store can do."""
    if scheme not in SCHEMES:
        return None
    from orderkit_sql.store import capabilities  # noqa: PLC0415  (SQLAlchemy only when it is used)

    return {"store": as_dict(capabilities(scheme, durable=True))}


@hookimpl
def migrate_store(url: Url, print_only: bool, phase: str = "all", with_roles: bool = False) -> Sequence[str] | None:  # noqa: FBT001, FBT002  (the hook's own form)
    """Create or update the tables; return the SQL."""
    if url.scheme not in SCHEMES:
        return None
    from orderkit_sql.migrating import migrate  # noqa: PLC0415  (SQLAlchemy only when it is used)

    return migrate(url, print_only=print_only, phase=phase, with_roles=with_roles)


@hookimpl
def retire_store(url: Url, before: date, unpublished: bool = False) -> Sequence[date] | None:  # noqa: FBT001, FBT002  (the hook's own form)
    """Detach the months that ended before a day."""
    if url.scheme not in SCHEMES:
        return None
    from orderkit_sql.retiring import retire  # noqa: PLC0415  (SQLAlchemy only when it is used)

    return retire(url, before, unpublished=unpublished)
