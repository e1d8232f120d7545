"""orderkit_redis: the cache in Redis or Valkey. Everything in it is a hint; losing it costs time and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it needs the driver, and whoever only looks for the plugin does not
    from orderkit_redis.cache import RedisCache, open_cache

__all__ = ["RedisCache", "open_cache"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'orderkit_redis' has no attribute {name!r}")
    from orderkit_redis import cache  # noqa: PLC0415  (it needs the driver)

    return getattr(cache, name)
