"""The URLs of the bus in Kafka: what they mean, and what is wrong with them, without any broker."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from orderkit.errors import Misconfigured
from orderkit.plugins.manager import Plugins
from orderkit.plugins.url import Url
from orderkit_kafka import Layout, plugin

DRIVER = "pip install 'orderkit[kafka]'"


@pytest.mark.parametrize(
    "url",
    [
        "kafka:",
        "kafka://",
        "kafka:h:9092",
        "kafka://h:9092,",
        "kafka://h:999999",
        "kafka://h:70000",
        "kafka://h:9092,i:0",
        "kafka://h/topic",
        "kafka://u:p@h",
        "kafka+ssl://h",
        "kafka://a b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """With the form that it should have, before anything is connected."""
    with pytest.raises(Misconfigured) as refused:
        plugin.open_bus(Url.parse(url))

    assert refused.value.code == "bad_url"
    assert "kafka://host:9092" in str(refused.value)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("prefx=a", "prefx"),
        ("prefix=a/b", "prefix"),
        ("source=", "source"),
        ("source=/a b", "source"),
        ("timeout_ms=0", "timeout_ms"),
        ("partitions=0", "partitions"),
        ("replication=none", "replication"),
        ("replication=1&min_insync=2", "min_insync"),
        ("retention_hours=0", "retention_hours"),
        ("create=perhaps", "create"),
    ],
)
def test_an_option_that_is_none_is_refused(query: str, field: str) -> None:
    """By its name, without the driver."""
    with pytest.raises(Misconfigured) as refused:
        plugin.open_bus(Url.parse(f"kafka://h?{query}"))

    assert (refused.value.code, refused.value.field) == ("bad_url", field)


@pytest.mark.parametrize(
    ("query", "said"),
    [("acks.x=1", "acks.x"), ("security.protocol=GUESS", "security.protocol")],
)
def test_a_property_that_the_driver_does_not_know_is_refused(query: str, said: str) -> None:
    """When the bus is opened, not when the first event comes."""
    pytest.importorskip("confluent_kafka", reason=DRIVER)
    with pytest.raises(Misconfigured, match=said):
        plugin.open_bus(Url.parse(f"kafka://h?{query}"))


@pytest.mark.parametrize(
    "name",
    [
        "enable.idempotence",
        "message.timeout.ms",
        "bootstrap.servers",
        "delivery.timeout.ms",
        "retries",
        "transactional.id",
    ],
)
def test_what_makes_it_a_bus_is_not_to_be_chosen(name: str) -> None:
    """Else records could be lost, doubled or overtaken."""
    pytest.importorskip("confluent_kafka", reason=DRIVER)
    with pytest.raises(Misconfigured) as refused:
        plugin.open_bus(Url.parse(f"kafka://h?{name}=1"))

    assert refused.value.field == name


def test_an_address_means_what_it_says() -> None:
    """Brokers, prefix, source, time and the driver's own properties; topics are made only where it says so."""
    pytest.importorskip("confluent_kafka", reason=DRIVER)
    url = "kafka://one:9092,[::1]:9093/?prefix=shop.&source=/eu&timeout_ms=700&linger.ms=1&client.id=me"
    with closing(Plugins().open_bus(url)) as found:
        bus: Any = found

        assert bus._settings["bootstrap.servers"] == "one:9092,[::1]:9093"
        assert (bus._settings["linger.ms"], bus._settings["client.id"], bus._settings["acks"]) == ("1", "me", "all")
        assert (bus._prefix, bus._source, bus._timeout_seconds, bus._layout) == ("shop.", "/eu", 0.7, None)


def test_topics_are_laid_out_as_the_address_says() -> None:
    """Sixty-four partitions, three replicas of which two must have it, seven days; with one replica that one."""
    pytest.importorskip("confluent_kafka", reason=DRIVER)
    layouts = []
    for query in ("create=yes", "create=yes&replication=1", "create=yes&partitions=6&retention_hours=1&min_insync=3"):
        with closing(Plugins().open_bus(f"kafka://h?{query}")) as found:
            bus: Any = found
            layouts.append(bus._layout)

    assert layouts == [
        Layout(partitions=64, replication=3, min_insync=2, retention_hours=168),
        Layout(partitions=64, replication=1, min_insync=1, retention_hours=168),
        Layout(partitions=6, replication=3, min_insync=3, retention_hours=1),
    ]


def test_other_urls_are_somebody_elses() -> None:
    """A hook says nothing to a URL that is not its own."""
    assert plugin.open_bus(Url.parse("memory:")) is None
    assert plugin.adapter_capabilities("memory") is None
    assert plugin.adapter_capabilities("kafka") == {"bus": {"durable": True}}
