"""orderkit_redis: the cache in Redis or Valkey. Everything in it is a hint; losing it costs time and nothing else."""

from __future__ import annotations

from orderkit_redis.cache import RedisCache, open_cache

__all__ = ["RedisCache", "open_cache"]
