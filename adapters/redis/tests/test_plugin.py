"""The URLs of the cache in Redis: what they mean, and what is wrong with them, without any server."""

from __future__ import annotations

from contextlib import closing

import pytest

import orderkit
from orderkit.errors import Misconfigured
from orderkit.plugins.manager import Plugins
from orderkit.plugins.url import Url
from orderkit_redis import plugin

DRIVER = "pip install 'orderkit[redis]'"


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:",
        "redis://h:99999999",
        "redis://h/a",
        "redis://h/0/1",
        "redis:h",
        "redis://[::1",
        "redis://a:b:c/0",
        "redis://h:65536",
        "redis://a#b@h",
        "redis://:a#b@h",
        "redis://:a/b@h",
        "redis+tls://h",
        "redis://a b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """With the form that it should have, before anything is connected."""
    with pytest.raises(Misconfigured) as refused:
        plugin.open_cache(Url.parse(url))

    assert refused.value.code == "bad_url"
    assert "redis://host:6379/0" in str(refused.value)
    assert ":a#b" not in str(refused.value)
    assert ":a/b" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("redis://h/0?prefx=a", "prefx"),
        ("redis://h/0?ca=/etc/ca.pem", "ca"),
        ("redis://h/0?timeout_ms=0", "timeout_ms"),
        ("redis://h/0?timeout_ms=soon", "timeout_ms"),
        ("redis://h/0?rest_ms=0", "rest_ms"),
        ("redis://h/0?connections=0", "connections"),
    ],
)
def test_an_option_that_is_none_is_refused(url: str, field: str) -> None:
    """By its name."""
    pytest.importorskip("redis", reason=DRIVER)
    with pytest.raises(Misconfigured) as refused:
        plugin.open_cache(Url.parse(url))

    assert (refused.value.code, refused.value.field) == ("bad_url", field)


def test_an_address_means_what_it_says() -> None:
    """User, password, host, port and database reach the driver, whatever letters they have; options do not."""
    pytest.importorskip("redis", reason=DRIVER)
    with closing(
        Plugins().open_cache("redis://me:p%40ss@[::1]:6380/3?prefix=shop:&timeout_ms=70&connections=4")
    ) as cache:
        pool = cache._client.connection_pool  # type: ignore[attr-defined]  # the adapter's own
        told = {
            name: pool.connection_kwargs[name]
            for name in ("username", "password", "host", "port", "db", "socket_timeout")
        }

        assert told == {
            "username": "me",
            "password": "p@ss",
            "host": "::1",
            "port": 6380,
            "db": 3,
            "socket_timeout": 0.07,
        }
        assert pool.max_connections == 4


def test_tls_trusts_the_named_certificate() -> None:
    """`rediss:` speaks TLS, and looks at the server's certificate."""
    pytest.importorskip("redis", reason=DRIVER)
    with closing(Plugins().open_cache("rediss://cache:6380/0?ca=/etc/ca.pem")) as cache:
        pool = cache._client.connection_pool  # type: ignore[attr-defined]  # the adapter's own

        assert pool.connection_class.__name__ == "SSLConnection"
        assert pool.connection_kwargs["ssl_ca_certs"] == "/etc/ca.pem"
        assert pool.connection_kwargs["ssl_check_hostname"] is True


def test_other_urls_are_somebody_elses() -> None:
    """A hook says nothing to a URL that is not its own."""
    assert plugin.open_cache(Url.parse("memory:")) is None
    assert plugin.adapter_capabilities("memory") is None
    assert plugin.adapter_capabilities("rediss") == {"cache": {"durable": False}}


def test_a_shop_opens_without_the_server() -> None:
    """A cache is no reason to be closed: the order is placed, and read, and only the hints are missing."""
    pytest.importorskip("redis", reason=DRIVER)
    with orderkit.open("memory:", cache="redis://127.0.0.1:1/0") as shop:
        shop.put_stock("MUG", {"berlin": 5})

        assert not shop.is_heard  # a cache alone is no reason to relay
        assert shop.latest("anna") == ()
        assert shop.sweep().error == ""
