"""The cache in Redis: the contract, the forms that others read, and a server that is away, slow, wrong or emptied."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from orderkit.errors import Misconfigured, PortError
from orderkit.ports.cache import Cache, Entry, Forget, Recall, Remember
from orderkit.testing.contracts.cache import CacheContract
from tests.caches import RedisServer

redis = pytest.importorskip("redis", reason="pip install 'orderkit[redis]'")

from orderkit.plugins.url import Url  # noqa: E402  (the same)
from orderkit_redis import (  # noqa: E402  (it needs the driver)
    RedisCache,
    open_cache,
    plugin,
)

pytestmark = pytest.mark.redis

BUDGET_SECONDS = 5.0  # what a test gives a call that has fifty milliseconds: this machine may be busy, a driver's own retries take longer


def opened(url: str) -> RedisCache:
    """Open a cache by its URL, as a shop does."""
    cache = plugin.open_cache(Url.parse(url))
    assert isinstance(cache, RedisCache)
    return cache


class TestRedisCache(CacheContract):
    @pytest.fixture
    def cache(self, redis_url: str) -> Iterator[Cache]:
        with closing(opened(f"{redis_url}&timeout_ms=10000")) as cache:
            yield cache


# ---- what others see


def test_entries_are_redis_own_forms_and_end_by_themselves(redis_server: RedisServer) -> None:
    """A status is a hash, a list a list, a key a string; each with its time to live, behind the prefix."""
    with closing(opened(f"{redis_server.url}?prefix=shop:&timeout_ms=10000")) as cache:
        cache.remember(Remember("order_status:1", {"status": "placed", "version": "1"}, 300))
        cache.remember(Remember("user_orders:anna", ("2", "1"), 3_600))
        cache.remember(Remember("idempotency:k", "1", 86_400))
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        names = sorted(client.keys())
        lasting = [client.ttl(name) for name in names]

        assert names == ["shop:idempotency:k", "shop:order_status:1", "shop:user_orders:anna"]
        assert client.hgetall("shop:order_status:1") == {"status": "placed", "version": "1"}
        assert client.lrange("shop:user_orders:anna", 0, -1) == ["2", "1"]
        assert client.get("shop:idempotency:k") == "1"
        assert all(0 < seconds <= most for seconds, most in zip(lasting, (86_400, 300, 3_600), strict=True))
        assert all(seconds > most - 60 for seconds, most in zip(lasting, (86_400, 300, 3_600), strict=True))


def test_what_others_put_there_is_no_entry(redis_server: RedisServer) -> None:
    """A form that no entry has is not answered with, and gives way."""
    with (
        redis.Redis.from_url(redis_server.url) as client,
        closing(opened(f"{redis_server.url}?timeout_ms=10000")) as cache,
    ):
        client.zadd("strange", {"a": 1})
        found = cache.recall(Recall("strange"))
        cache.remember(Remember("strange", "text", 60))

        assert found is None
        assert cache.recall(Recall("strange")) == "text"


def test_the_hosts_client_stays_open(redis_server: RedisServer) -> None:
    """Whoever made it closes it."""
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        cache = RedisCache(client, prefix="x:")
        cache.remember(Remember("key", "text", 60))
        cache.close()

        assert client.get("x:key") == "text"


# ---- a server that is away

PATIENT_SECONDS = 30.0  # for servers that are well, on a machine that is busy
HURRIED_SECONDS = 0.2  # for one that hangs


@pytest.fixture
def peer(redis_server: RedisServer) -> Iterator[RedisCache]:
    """Another process's cache, which is in no hurry."""
    with closing(open_cache(redis_server.url, timeout_seconds=PATIENT_SECONDS)) as cache:
        yield cache


def opened_hurried(server: RedisServer, *, rest_seconds: float = 0.05) -> Any:
    """Open the cache that meets an outage."""
    return closing(open_cache(server.url, timeout_seconds=HURRIED_SECONDS, rest_seconds=rest_seconds))


def test_a_server_that_hangs_costs_one_budget_and_then_nothing(redis_server: RedisServer, peer: RedisCache) -> None:
    """The first call waits for its time-out, those after it are refused at once; a thread of the cache's own finds it again."""
    peer.remember(Remember("key", "text", 60))
    redis_server.hang()
    with opened_hurried(redis_server) as cache:
        begin = time.monotonic()
        outcomes = [_failed(cache, Recall("key")) for _ in range(500)]
        took = time.monotonic() - begin
        redis_server.go_on()

        assert outcomes == ["unknown", *["not_applied"] * 499]
        assert took < BUDGET_SECONDS
        assert _until_it_answers(cache, "key") == "text"


def test_a_server_that_is_gone_is_found_again(redis_server: RedisServer, peer: RedisCache) -> None:
    """It comes back empty, without the scripts it knew: nothing but the entries is lost."""
    peer.remember(Remember("key", "text", 60))
    redis_server.crash()
    gone = _failed(peer, Recall("key"))
    redis_server.resume()
    empty = _until_it_answers(peer, "key")
    peer.remember(Remember("key", "again", 60))

    assert gone == "unknown"
    assert empty is None
    assert peer.recall(Recall("key")) == "again"


def test_what_it_did_not_hear_is_dropped_before_anything_is_read(redis_server: RedisServer, peer: RedisCache) -> None:
    """While the server hangs a new order comes, and another one changes: neither the old list nor the old status is told afterwards."""
    for key in ("order_status:1", "order_status:2", "order_status:3"):
        peer.remember(Remember(key, {"status": "placed", "version": "1"}, 300))
    peer.remember(Remember("user_orders:anna", ("1",), 3_600))
    redis_server.hang()
    with opened_hurried(redis_server) as cache:
        for key, version in (("order_status:1", "4"), ("order_status:2", "3"), ("order_status:2", "2")):
            with pytest.raises(PortError):
                cache.remember(Remember(key, {"status": "shipped", "version": version}, 300))
        with pytest.raises(PortError):
            cache.forget(Forget("user_orders:anna", 60))
        redis_server.go_on()
        kept = _until_it_answers(cache, "order_status:3")

        assert kept == {"status": "placed", "version": "1"}
        assert [cache.recall(Recall(key)) for key in ("order_status:1", "order_status:2", "user_orders:anna")] == [
            None
        ] * 3
        assert cache._outage.owed == {}
    peer.remember(Remember("user_orders:anna", ("1",), 3_600))
    peer.remember(Remember("order_status:1", {"status": "shipped", "version": "4"}, 300))

    assert peer.recall(Recall("user_orders:anna")) is None  # it stays away for its minute
    assert peer.recall(Recall("order_status:1")) == {"status": "shipped", "version": "4"}


def test_what_is_owed_is_told_without_anybody_asking(redis_server: RedisServer, peer: RedisCache) -> None:
    """A worker that failed to tell it has nothing more to do: other processes must not go on with what is over."""
    peer.remember(Remember("user_orders:anna", ("1",), 3_600))
    redis_server.hang()
    with opened_hurried(redis_server) as cache:
        with pytest.raises(PortError):
            cache.forget(Forget("user_orders:anna", 60))
        redis_server.go_on()
        until(lambda: peer.recall(Recall("user_orders:anna")) is None)


def test_an_outage_ends_however_many_are_refused(redis_server: RedisServer, peer: RedisCache) -> None:
    """While it lasts, and when it ends, threads tell it one thing after the other: each is owed, and none of that keeps it going."""
    peer.remember(Remember("key", "text", 60))
    redis_server.hang()
    enough = threading.Event()
    with opened_hurried(redis_server) as cache:

        def tell(n: int) -> None:
            count = 0
            while not enough.is_set():
                count += 1
                with suppress(PortError):
                    cache.remember(Remember(f"order_status:{n}", {"status": "placed", "version": str(count)}, 300))

        threads = [threading.Thread(target=tell, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: cache._outage.here)
        redis_server.go_on()
        answers = _until_it_answers(cache, "key")
        enough.set()
        for thread in threads:
            thread.join()

    assert answers == "text"


def test_a_key_that_is_no_text_is_not_owed_for_ever() -> None:
    """It could never be told."""
    with closing(open_cache("redis://127.0.0.1:1/0", rest_seconds=3_600)) as cache:
        for asked in (Forget("user_orders:\ud83d", 60), Recall("\ud83d")):
            with pytest.raises(PortError, match="no text"):
                cache.forget(asked) if isinstance(asked, Forget) else cache.recall(asked)

        assert (cache._outage.here, cache._outage.owed) == (False, {})


def test_what_is_owed_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, whoever is about to tell it."""
    monkeypatch.setattr("orderkit_redis.outage.OWED_MAX", 3)
    with closing(open_cache("redis://127.0.0.1:1/0", rest_seconds=0.02)) as cache:
        for n in range(50):
            with pytest.raises(PortError):
                cache.forget(Forget(f"key-{n}", 60))
            time.sleep(0.005)

        until(lambda: list(cache._outage.owed) == ["key-47", "key-48", "key-49"])


def test_what_is_owed_is_told_at_the_end(redis_server: RedisServer, peer: RedisCache) -> None:
    """Closing does not wait for the next try."""
    peer.remember(Remember("user_orders:anna", ("1",), 3_600))
    redis_server.hang()
    with opened_hurried(redis_server, rest_seconds=3_600) as cache:
        with pytest.raises(PortError):
            cache.forget(Forget("user_orders:anna", 60))
        redis_server.go_on()
        with redis.Redis.from_url(redis_server.url) as client:
            client.ping()  # it is awake

    assert peer.recall(Recall("user_orders:anna")) is None


def test_one_warning_is_logged_for_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Not one for each call, and nothing of the password."""
    with closing(open_cache("redis://:secret@127.0.0.1:1/0", rest_seconds=0.02)) as cache:
        for _ in range(20):
            _failed(cache, Recall("key"))
            time.sleep(0.01)

    assert len(caplog.records) == 1
    assert "refused" in caplog.text
    assert "secret" not in caplog.text


def test_a_wrong_password_is_said_and_not_asked_again(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is that fails, the server is left alone; the password is not in what is said."""
    wrong = redis_server.url.replace(redis_server.password, "wrong-one")
    with closing(open_cache(wrong, timeout_seconds=PATIENT_SECONDS, rest_seconds=3_600)) as cache:
        with pytest.raises(PortError) as refused:
            cache.recall(Recall("key"))
        outcome = _failed(cache, Recall("key"))

    assert "WRONGPASS" in str(refused.value) or "invalid username-password" in str(refused.value)
    assert outcome == "not_applied"
    assert "wrong-one" not in str(refused.value) + caplog.text


def test_a_server_that_only_reads_is_left_alone(redis_server: RedisServer, peer: RedisCache) -> None:
    """What it is owed cannot be told, so nothing is asked of it until it can."""
    peer.remember(Remember("order_status:1", {"status": "placed", "version": "1"}, 300))
    with redis.Redis.from_url(redis_server.url) as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(PortError, match="replica"):
            peer.remember(Remember("order_status:1", {"status": "shipped", "version": "2"}, 300))
        outcomes = {_failed(peer, Recall("order_status:1")) for _ in range(50)}
        client.replicaof("NO", "ONE")

    assert outcomes == {"not_applied"}
    assert _until_it_answers(peer, "order_status:1") is None


@pytest.mark.parametrize("entry", ["text", ("one", "two"), {"status": "placed"}])
def test_a_server_without_room_refuses(redis_server: RedisServer, peer: RedisCache, entry: Entry) -> None:
    """A new entry takes the place of an old one only where there is room for it: the limit of a server is kept."""
    peer.remember(Remember("key", ("old", "list"), 60))
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        with pytest.raises(PortError, match="maxmemory"):
            peer.remember(Remember("new", entry, 60))
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    "client", [None, "redis://localhost", redis.Redis, redis.Redis(), redis.asyncio.Redis(decode_responses=True)]
)
def test_a_client_that_cannot_be_one_is_refused(client: Any) -> None:
    """One that answers in bytes would never be understood, one for event loops never awaited."""
    with pytest.raises(Misconfigured, match="decode_responses=True"):
        RedisCache(client)


def test_more_callers_than_connections_wait_for_their_turn(redis_server: RedisServer) -> None:
    """Sixteen threads on two connections: nobody is refused."""
    failures: list[Exception] = []
    with closing(open_cache(redis_server.url, timeout_seconds=PATIENT_SECONDS, connections_max=2)) as cache:

        def ask() -> None:
            try:
                for n in range(20):
                    cache.remember(Remember(f"key-{n}", "text", 60))
            except Exception as error:  # noqa: BLE001  (told by the assertion)
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []


def _failed(cache: RedisCache, asked: Recall) -> str:
    """Return the outcome of a call that fails, or nothing for one that does not."""
    try:
        cache.recall(asked)
    except PortError as error:
        return error.outcome
    return ""


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + PATIENT_SECONDS
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def _until_it_answers(cache: RedisCache, key: str) -> Entry | None:
    """Recall from a server that wakes, as soon as it is not left alone any more."""
    until(lambda: not _failed(cache, Recall(key)))
    return cache.recall(Recall(key))
