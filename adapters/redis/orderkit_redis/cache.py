"""A cache in Redis or Valkey. It answers within its time-out or fails, and is left alone after a failure: a cache may cost nobody his patience.

No call is ever repeated by the driver, and nothing that decides is kept here. What the server could not be told leaves something old behind: such
keys are owed to it, and dropped before this process asks it for anything again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orderkit.errors import Misconfigured, PortError
from orderkit.plugins.url import hidden
from orderkit.ports.cache import Entry, Forget, Recall, Remember, version_of
from orderkit_redis.outage import Outage
from orderkit_redis.scripts import FORGET, RECALL, REMEMBER

TIMEOUT_SECONDS, REST_SECONDS = 0.05, 1.0
CONNECTIONS_MAX = 16
DROPPED_AT_ONCE = 500
_log = logging.getLogger("orderkit_redis")


class RedisCache:
    """Entries in Redis, every key behind `prefix`. Safe to use from many threads."""

    def __init__(
        self, client: Redis, *, prefix: str = "", rest_seconds: float = REST_SECONDS, owned: bool = False
    ) -> None:
        """Use a client; one that is not `owned` is closed by whoever made it. It bounds each wait by time-outs of its own.

        Raises: `Misconfigured` for what is no such client, and for one that answers in bytes.
        """
        if not _answers_in_texts(client):
            raise Misconfigured(
                "the cache needs a redis.Redis that answers in texts: Redis(…, decode_responses=True)", field="client"
            )
        if not isinstance(prefix, str):
            raise Misconfigured(f"a prefix is a text, not {prefix!r}", field="prefix")
        self._client, self._prefix, self._owned = client, prefix, owned
        self._remember, self._recall, self._forget = map(client.register_script, (REMEMBER, RECALL, FORGET))
        self._outage = Outage(self._drop, seconds=rest_seconds)

    def remember(self, asked: Remember) -> None:
        """Keep an entry in the place of what is there, unless that is newer or was just forgotten."""
        key = self._key(asked.key)
        with self._asking(owes=key if isinstance(asked.entry, Mapping) else None):
            self._remember([key], [asked.seconds, version_of(asked.entry), *_written(asked.entry)])

    def recall(self, asked: Recall) -> Entry | None:
        """Return an entry, if it is still there. What is no text at all is none."""
        key = self._key(asked.key)
        with self._asking():
            try:
                found = self._recall([key])
            except UnicodeDecodeError:
                return None
        return None if found is None else _read(*found)

    def forget(self, asked: Forget) -> None:
        """Drop an entry, and keep its key empty for a while."""
        key = self._key(asked.key)
        with self._asking(owes=key, empty_seconds=asked.seconds):
            self._forget([key], [asked.seconds])

    def _key(self, key: str) -> str:
        """Return the whole key. One that is no text that can be sent is refused before it could be owed. Raises: `PortError`."""
        whole = self._prefix + key
        try:
            whole.encode()
        except UnicodeEncodeError as error:
            raise PortError("a key of the cache is no text", outcome="not_applied") from error
        return whole

    def close(self) -> None:
        """Tell the server what it is owed, if it is there, and close the connections, if they are its own."""
        self._outage.close()
        if self._owned:
            self._client.connection_pool.disconnect()

    @contextmanager
    def _asking(self, *, owes: str | None = None, empty_seconds: int = 0) -> Iterator[None]:
        """Ask the server, if it is not left alone. What it does not hear it is owed: a key to be dropped. Raises: `PortError`."""
        if self._outage.refuses(owes, empty_seconds):
            raise PortError("the cache failed a moment ago, and is left alone", outcome="not_applied")
        try:
            yield
        except Exception as error:  # whatever a driver raises: a host's name that cannot be, a certificate
            said = f"{type(error).__name__}: {error}"
            if self._outage.begin(owes, empty_seconds):
                _log.warning("the cache is left alone until it answers: %s", said)
            raise PortError(f"the cache failed: {said}", outcome="unknown") from error

    def _drop(self, keys: Mapping[str, int]) -> None:
        """See whether the server answers, and drop keys, many in one go."""
        self._client.ping()
        rest = iter(keys.items())
        while some := list(islice(rest, DROPPED_AT_ONCE)):
            with self._client.pipeline(transaction=False) as several:
                for key, seconds in some:
                    self._forget([key], [seconds], several)
                several.execute()


def open_cache(
    address: str,
    *,
    prefix: str = "",
    timeout_seconds: float = TIMEOUT_SECONDS,
    rest_seconds: float = REST_SECONDS,
    connections_max: int = CONNECTIONS_MAX,
    **tls: Any,
) -> RedisCache:
    """Open a cache at an address that the driver understands (`redis://`, `rediss://`); nothing is connected until it is used.

    `timeout_seconds` bounds each wait: for a connection, for a free one of `connections_max`, and for an answer. Raises: `Misconfigured`.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            address,
            max_connections=connections_max,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),  # by itself the driver asks again, and waits ten times as long
            decode_responses=True,
            **tls,
        )
    except ValueError:  # what it says may quote the password
        raise Misconfigured(f"{hidden(address)!r} is no address of a Redis server", code="bad_url") from None
    return RedisCache(Redis(connection_pool=pool), prefix=prefix, rest_seconds=rest_seconds, owned=True)


def _answers_in_texts(client: object) -> bool:
    return isinstance(client, Redis) and bool(client.get_encoder().decode_responses)


# ---- the forms of an entry


def _written(entry: Entry) -> list[str]:
    """Return the form and the parts of an entry, as the script takes them."""
    if isinstance(entry, str):
        return ["string", entry]
    if isinstance(entry, Mapping):
        return ["hash", *(part for field in entry.items() for part in field)]
    return ["list", *entry]


def _read(form: str, parts: Any) -> Entry:
    """Return the entry of what the script answers."""
    if form == "string":
        text: str = parts
        return text
    if form == "list":
        return tuple(parts)
    return dict(zip(parts[::2], parts[1::2], strict=True))
