"""The hooks by which `redis:` and `rediss:` URLs come here. The driver is imported when a cache is opened.

redis://localhost:6379/0              a cache; the path is the number of a database
redis://user:password@cache/0         with a user, or `redis://:password@…` for the default one
rediss://cache:6380/0?ca=/etc/ca.pem  the same over TLS; without `ca` the system's certificates are trusted
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.cache import Cache

SCHEMES = ("redis", "rediss")
OPTIONS = ("prefix", "timeout_ms", "rest_ms", "connections")
_USER, _HOST = r"(?:[^@/#\s]*@)?", r"(?:[^@/#:\[\]\s]+|\[[^@/#\[\]\s]+\])"
_PLACE = re.compile(rf"//{_USER}{_HOST}(?::(?P<port>\d{{1,5}}))?(?:/\d{{0,5}})?")
_PORT_MAX = 65_535


@hookimpl
def open_cache(url: Url) -> Cache | None:
    """Open the cache that the URL names."""
    if url.scheme not in SCHEMES:
        return None
    url.accepts(*_options(url.scheme))
    # Earlier versions of the driver did not look at the name in the certificate unless they were told to.
    tls = {"ssl_ca_certs": url.query.get("ca"), "ssl_check_hostname": True} if url.scheme == "rediss" else {}
    address = _address(url)
    from orderkit_redis.cache import open_cache as opened  # noqa: PLC0415  (the driver takes a fifth of a second to import)

    return opened(
        address,
        prefix=url.query.get("prefix", ""),
        timeout_seconds=url.integer("timeout_ms", 50, lowest=1, highest=60_000) / 1_000,
        rest_seconds=url.integer("rest_ms", 1_000, lowest=10, highest=3_600_000) / 1_000,
        connections_max=url.integer("connections", 16, lowest=1, highest=10_000),
        **tls,
    )


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the adapter can do."""
    return {"cache": {"durable": False}} if scheme in SCHEMES else None


def _options(scheme: str) -> tuple[str, ...]:
    return (*OPTIONS, "ca") if scheme == "rediss" else OPTIONS


def _address(url: Url) -> str:
    """Return the URL as the driver takes it. Raises: `Misconfigured` (`bad_url`)."""
    found = _PLACE.fullmatch(url.rest)
    if found is None or url.driver or int(found["port"] or 0) > _PORT_MAX:
        raise Misconfigured(
            f"{str(url)!r} is no address of a Redis server: write {url.scheme}://host:6379/0, the path being the number of a database",
            code="bad_url",
        )
    return f"{url.scheme}:{url.rest}"
