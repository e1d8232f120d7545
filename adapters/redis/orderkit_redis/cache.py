"""A cache in Redis or Valkey. It answers within its time-out or fails, and after a failure it rests: a cache may cost nobody his patience.

No call is ever repeated by the driver, and nothing that decides is kept here. What the server should have been told while it was away is owed to it:
it is told as soon as it answers again, before anything is read from it, so that what this process knew to be over is not heard of once more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry

from orderkit.errors import PortError
from orderkit.ports.cache import Entry, Forget, Recall, Remember
from orderkit_redis.resting import Rest
from orderkit_redis.scripts import FORGET, RECALL, REMEMBER

TIMEOUT_SECONDS, REST_SECONDS = 0.05, 1.0
CONNECTIONS_MAX = 16
OWED_MAX = 1_000
_AWAY = (NotConnected, TooSlow)
_log = logging.getLogger("orderkit_redis")


class RedisCache:
    """Entries in Redis, every key behind `prefix`. Safe to use from many threads."""

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = "",
        rest_seconds: float = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        owned: bool = False,
    ) -> None:
        """Use a client; one that is not `owned` is closed by whoever made it. It bounds each wait by time-outs of its own, and answers in texts."""
        self._client, self._prefix, self._owned = client, prefix, owned
        self._remember, self._recall, self._forget = map(client.register_script, (REMEMBER, RECALL, FORGET))
        self._rest = Rest(rest_seconds, clock=clock)
        self._owed: dict[str, Remember | Forget] = {}  # the last of each key

    def remember(self, asked: Remember) -> None:
        """Keep an entry in the place of what is there, unless that is newer or was just forgotten."""
        with self._telling(asked):
            self._tell(asked)

    def recall(self, asked: Recall) -> Entry | None:
        """Return an entry, if it is still there."""
        with self._asking():
            found = self._recall([self._prefix + asked.key])
        return None if found is None else _read(*found)

    def forget(self, asked: Forget) -> None:
        """Drop an entry, and keep its key empty for a while."""
        with self._telling(asked):
            self._tell(asked)

    def _tell(self, asked: Remember | Forget, client: Redis | None = None) -> None:
        key = [self._prefix + asked.key]
        if isinstance(asked, Forget):
            self._forget(key, [asked.seconds], client)
        else:
            self._remember(key, [asked.seconds, _version(asked.entry), *_written(asked.entry)], client)

    def close(self) -> None:
        """Close the connections, if they are its own."""
        if self._owned:
            self._client.connection_pool.disconnect()

    # ---- a server that may be away

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the server, if it is not resting; let it rest if it does not answer. Raises: `PortError`."""
        if not self._rest.over:
            raise PortError("the cache did not answer a moment ago, and is left alone", outcome="not_applied")
        try:
            if self._owed:
                self._settle()
            yield
        except _AWAY as error:
            if self._rest.begin():
                _log.warning(
                    "the cache does not answer, and rests for %s s: %s", self._rest.seconds, type(error).__name__
                )
            raise PortError(f"the cache does not answer: {type(error).__name__}", outcome="unknown") from error
        except RedisError as error:
            raise PortError(f"the cache refuses: {error}", outcome="unknown") from error

    @contextmanager
    def _telling(self, asked: Remember | Forget) -> Iterator[None]:
        """Tell the server something; what would leave something old behind if it is not heard is owed."""
        try:
            with self._asking():
                yield
        except PortError:
            if isinstance(asked, Forget) or isinstance(asked.entry, Mapping):
                self._owed[asked.key] = asked
                while len(self._owed) > OWED_MAX:  # the oldest has the least to go until it is over by itself
                    with suppress(KeyError, StopIteration, RuntimeError):  # others owe at the same time
                        del self._owed[next(iter(self._owed))]
            raise

    def _settle(self) -> None:
        """Tell the server what is owed, all at once. What fails is still owed."""
        owed = dict(self._owed)
        with self._client.pipeline(transaction=False) as several:
            for asked in owed.values():
                self._tell(asked, several)
            several.execute()
        for key, asked in owed.items():
            if self._owed.get(key) is asked:
                self._owed.pop(key, None)


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

    `timeout_seconds` bounds each wait: for a connection, for a free one of `connections_max`, and for an answer.
    """
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
    return RedisCache(Redis(connection_pool=pool), prefix=prefix, rest_seconds=rest_seconds, owned=True)


# ---- the forms of an entry


def _version(entry: Entry) -> int:
    return int(entry.get("version", "0")) if isinstance(entry, Mapping) else 0


def _written(entry: Entry) -> list[str]:
    """Return the form and the parts of an entry, as the script takes them."""
    if isinstance(entry, str):
        return ["text", entry]
    if isinstance(entry, Mapping):
        return ["fields", *(part for field in entry.items() for part in field)]
    return ["list", *entry]


def _read(form: str, parts: Any) -> Entry:
    """Return the entry of what the script answers."""
    if form == "text":
        text: str = parts
        return text
    if form == "list":
        return tuple(parts)
    return dict(zip(parts[::2], parts[1::2], strict=True))
