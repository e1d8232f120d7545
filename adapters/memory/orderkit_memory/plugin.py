"""The plugin: `memory:` for every port, and `file:` for the bus that is a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache
from orderkit.ports.documents import Documents
from orderkit.ports.notifications import Notifications
from orderkit.ports.search import SearchIndex
from orderkit.ports.store import Store


@hookimpl
def open_store(url: Url) -> Store | None:
    """Open an empty store."""
    if url.scheme != "memory":
        return None
    from orderkit_memory.store import MemoryStore  # noqa: PLC0415  (loaded when asked for)

    return MemoryStore()


@hookimpl
def open_bus(url: Url) -> EventBus | None:
    """Open a bus in the process, or one that is a file."""
    from orderkit_memory.bus import FileBus, MemoryBus  # noqa: PLC0415  (loaded when asked for)

    if url.scheme == "memory":
        return MemoryBus()
    if url.scheme != "file":
        return None
    path = url.location.removeprefix("/")
    if not path:
        raise Misconfigured("file: needs a path, for example file:///events.jsonl", code="bad_url", field="bus")
    return FileBus(Path(path))


@hookimpl
def open_cache(url: Url) -> Cache | None:
    """Open a cache."""
    if url.scheme != "memory":
        return None
    from orderkit_memory.cache import MemoryCache  # noqa: PLC0415  (loaded when asked for)

    return MemoryCache()


@hookimpl
def open_search(url: Url) -> SearchIndex | None:
    """Open an empty index."""
    if url.scheme != "memory":
        return None
    from orderkit_memory.search import MemorySearch  # noqa: PLC0415  (loaded when asked for)

    return MemorySearch()


@hookimpl
def open_notifications(url: Url) -> Notifications | None:
    """Open a channel that keeps what it is told."""
    if url.scheme != "memory":
        return None
    from orderkit_memory.notifications import MemoryNotifications  # noqa: PLC0415  (loaded when asked for)

    return MemoryNotifications()


@hookimpl
def open_documents(url: Url) -> Documents | None:
    """Open a place for documents."""
    if url.scheme != "memory":
        return None
    from orderkit_memory.documents import MemoryDocuments  # noqa: PLC0415  (loaded when asked for)

    return MemoryDocuments()


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the adapter can do."""
    return {"store": "in memory, not durable"} if scheme in ("memory", "file") else None
