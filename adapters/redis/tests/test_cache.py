"""The cache in Redis: the contract, the forms that others read, and a server that is away, slow, wrong or emptied."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from orderkit.errors import PortError
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


def test_a_server_that_hangs_costs_one_budget_and_then_nothing(redis_server: RedisServer) -> None:
    """The first call waits for its time-out, those after it are refused at once, and when the rest is over the server is asked again."""
    with closing(open_cache(redis_server.url, timeout_seconds=0.2, rest_seconds=3_600)) as cache:
        cache.remember(Remember("key", "text", 60))
        redis_server.hang()
        begin = time.monotonic()
        with pytest.raises(PortError) as first:
            cache.recall(Recall("key"))
        refused = [_failed(cache, Recall("key")) for _ in range(200)]
        took = time.monotonic() - begin
        redis_server.go_on()
        cache._rest.seconds = 0.0
        cache._rest._until = 0.0

        assert first.value.outcome == "unknown"
        assert set(refused) == {"not_applied"}
        assert took < BUDGET_SECONDS
        assert _until_it_answers(cache, "key") == "text"


def test_a_server_that_is_gone_is_found_again(redis_server: RedisServer) -> None:
    """It comes back empty, without the scripts it knew: nothing but the entries is lost."""
    with closing(open_cache(redis_server.url, timeout_seconds=1.0, rest_seconds=0.0)) as cache:
        cache.remember(Remember("key", "text", 60))
        redis_server.crash()
        gone = _failed(cache, Recall("key"))
        redis_server.resume()
        empty = cache.recall(Recall("key"))
        cache.remember(Remember("key", "again", 60))

        assert gone == "unknown"
        assert empty is None
        assert cache.recall(Recall("key")) == "again"


def test_what_could_not_be_forgotten_is_forgotten_before_anything_is_read(redis_server: RedisServer) -> None:
    """While the server hangs a new order comes: the list that it still has must not be told afterwards."""
    with closing(open_cache(redis_server.url, timeout_seconds=0.2, rest_seconds=0.0)) as cache:
        cache.remember(Remember("user_orders:anna", ("1",), 3_600))
        redis_server.hang()
        with pytest.raises(PortError):
            cache.forget(Forget("user_orders:anna", 60))
        redis_server.go_on()

        assert _until_it_answers(cache, "user_orders:anna") is None
        assert cache._owed == {}


def test_a_status_that_was_over_before_is_not_heard_of_again(redis_server: RedisServer) -> None:
    """A newer version was told while the server hung: it has it as soon as it answers, and the old one is never told again."""
    with closing(open_cache(redis_server.url, timeout_seconds=0.2, rest_seconds=0.0)) as cache:
        cache.remember(Remember("order_status:1", {"status": "placed", "version": "1"}, 300))
        redis_server.hang()
        for version in ("3", "2"):
            with pytest.raises(PortError):
                cache.remember(Remember("order_status:2", {"status": "placed", "version": version}, 300))
        with pytest.raises(PortError):
            cache.remember(Remember("order_status:1", {"status": "shipped", "version": "4"}, 300))
        redis_server.go_on()

        assert _until_it_answers(cache, "order_status:1") == {"status": "shipped", "version": "4"}
        assert cache._owed == {}


def test_what_is_owed_while_it_rests_is_owed_too_and_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there at all: the oldest of what is owed goes first."""
    monkeypatch.setattr("orderkit_redis.cache.OWED_MAX", 3)
    with closing(open_cache("redis://127.0.0.1:1/0", rest_seconds=3_600)) as cache:
        outcomes = []
        for n in range(5):
            with pytest.raises(PortError) as refused:
                cache.forget(Forget(f"key-{n}", 60))
            outcomes.append(refused.value.outcome)

        assert outcomes == ["unknown", *["not_applied"] * 4]
        assert list(cache._owed) == ["key-2", "key-3", "key-4"]


def test_one_warning_is_logged_for_each_rest(caplog: pytest.LogCaptureFixture) -> None:
    """Not one for each call, and nothing of the address, which may hold a password."""
    with closing(open_cache("redis://:secret@127.0.0.1:1/0", rest_seconds=3_600)) as cache:
        for _ in range(3):
            _failed(cache, Recall("key"))

    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


def test_a_wrong_password_is_said(redis_server: RedisServer) -> None:
    """It is no reason to rest, but the call fails; the password is not in what it says."""
    wrong = redis_server.url.replace(redis_server.password, "wrong-one")
    with closing(open_cache(wrong, timeout_seconds=5)) as cache, pytest.raises(PortError) as refused:
        cache.recall(Recall("key"))

    assert "wrong-one" not in str(refused.value)


def test_more_callers_than_connections_wait_for_their_turn(redis_server: RedisServer) -> None:
    """Sixteen threads on two connections: nobody is refused."""
    failures: list[Exception] = []
    with closing(open_cache(redis_server.url, timeout_seconds=30, connections_max=2)) as cache:

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


def _until_it_answers(cache: RedisCache, key: str) -> Entry | None:
    """Recall from a server that wakes: its first answers may be late."""
    until = time.monotonic() + 30
    while True:
        try:
            return cache.recall(Recall(key))
        except PortError:
            if time.monotonic() > until:
                raise
