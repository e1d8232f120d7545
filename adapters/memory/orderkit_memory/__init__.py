"""Every port in memory: the reference implementations, the demo's quiet parts, and the doubles that tests use."""

from orderkit_memory.bus import FileBus, MemoryBus
from orderkit_memory.cache import MemoryCache
from orderkit_memory.documents import MemoryDocuments
from orderkit_memory.notifications import MemoryNotifications
from orderkit_memory.search import MemorySearch
from orderkit_memory.store import MemoryStore

__all__ = [
    "FileBus",
    "MemoryBus",
    "MemoryCache",
    "MemoryDocuments",
    "MemoryNotifications",
    "MemorySearch",
    "MemoryStore",
]
