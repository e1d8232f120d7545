"""The plugin: `memory:` for every port, and `file:` for the bus that is a file.

memory:                    an empty store, bus, cache, index, channel or cabinet of this process, for this shop alone
file:///events.jsonl       a bus of lines in a file, relative to the working directory; four slashes begin an absolute path
file:///events.jsonl?sync  the same, each batch forced to the disk before it counts as published
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orderkit.domain.value import as_dict
from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache
from orderkit.ports.documents import Documents
from orderkit.ports.notifications import Notifications
from orderkit.ports.search import SearchIndex
from orderkit.ports.store import Store
from orderkit_memory.bus import FileBus, MemoryBus
from orderkit_memory.cache import MemoryCache
from orderkit_memory.documents import MemoryDocuments
from orderkit_memory.notifications import MemoryNotifications
from orderkit_memory.search import MemorySearch
from orderkit_memory.store import MemoryStore

SCHEME, FILE_SCHEME = "memory", "file"


@hookimpl
def open_store(url: Url) -> Store | None:
    """Open an empty store."""
    return MemoryStore() if _ours(url) else None


@hookimpl
def open_bus(url: Url) -> EventBus | None:
    """Open a bus in the process, or one that is a file."""
    if url.scheme == FILE_SCHEME:
        return _file_bus(url.accepts("sync"))
    return MemoryBus() if _ours(url) else None


@hookimpl
def open_cache(url: Url) -> Cache | None:
    """Open an empty cache."""
    return MemoryCache() if _ours(url) else None


@hookimpl
def open_search(url: Url) -> SearchIndex | None:
    """Open an empty index."""
    return MemorySearch() if _ours(url) else None


@hookimpl
def open_notifications(url: Url) -> Notifications | None:
    """Open a channel that keeps what it is told."""
    return MemoryNotifications() if _ours(url) else None


@hookimpl
def open_documents(url: Url) -> Documents | None:
    """Open an empty cabinet of documents."""
    return MemoryDocuments() if _ours(url) else None


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the adapter can do."""
    if scheme == FILE_SCHEME:
        return {"bus": {"durable": True}}
    if scheme != SCHEME:
        return None
    others = ("bus", "cache", "search", "notifications", "documents")
    return {"store": as_dict(MemoryStore.capabilities), **{port: {"durable": False} for port in others}}


def _ours(url: Url) -> bool:
    """Whether it is `memory:`. What follows would name something to share, and nothing in memory is shared."""
    if url.scheme != SCHEME:
        return False
    if url.accepts().location:
        raise Misconfigured(
            f"{str(url)!r} names something, but nothing in memory has a name: write memory:", code="bad_url"
        )
    return True


def _file_bus(url: Url) -> FileBus:
    path = url.location.removeprefix("/") if url.rest.startswith("//") else url.rest
    if not path or path.endswith("/"):
        raise Misconfigured(f"{str(url)!r} names no file: write file:///events.jsonl", code="bad_url", field="bus")
    return FileBus(Path(path), sync=url.flag("sync"))
