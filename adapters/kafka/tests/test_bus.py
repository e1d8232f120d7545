"""The bus in Kafka: the contract on a real broker, what others read there, and a broker that hangs, dies, or has no topics."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec
import pytest

import orderkit
from orderkit.domain.events import Event
from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured, OrderkitError, PortError
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.testing.contracts.bus import BusContract, Name, some_records
from orderkit_kafka import plugin
from orderkit_kafka.topics import DEAD, TOPICS
from orderkit_memory import MemoryStore
from tests.brokers import KafkaServer
from tests.shops import a_cart
from tests.topics import firsts, prefix_of, read

kafka = pytest.importorskip("confluent_kafka", reason="pip install 'orderkit[kafka]'")

pytestmark = pytest.mark.kafka


def opened(url: str) -> Any:
    """Open a bus by its URL, as a shop does."""
    return plugin.open_bus(Url.parse(url))


class TestKafkaBus(BusContract):
    @pytest.fixture
    def bus(self, kafka_url: str) -> Iterator[EventBus]:
        self.url = kafka_url
        with closing(opened(kafka_url)) as bus:
            yield bus

    def heard(self, bus: EventBus) -> Sequence[Name]:
        """The records by the versions of their orders: what is promised is their order in each topic, and that was looked at."""
        return sorted(firsts(read(self.url)))


# ---- what others read


def test_messages_are_cloud_events_under_the_key_of_their_order(kafka_url: str) -> None:
    """One partition for an order in each topic; a header says what the value is."""
    with closing(opened(kafka_url)) as bus:
        for n in range(10):
            bus.publish(some_records(f"order-{n}", 3))
    found = read(kafka_url)
    places = {(message.topic(), message.key()): set() for message in found}  # type: ignore[var-annotated]  # sets of partitions
    for message in found:
        places[message.topic(), message.key()].add(message.partition())

    assert {len(partitions) for partitions in places.values()} == {1}
    assert len({min(partitions) for partitions in places.values()}) > 1
    assert {tuple(message.headers()) for message in found} == {
        (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
    }


def test_a_shop_tells_kafka_what_happens(kafka_url: str) -> None:
    """A whole placement, through the relay: each event in the topic of its family."""
    with orderkit.open("memory:", bus=kafka_url, documents=None, notifications=None) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        order = shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa")
        swept = shop.sweep()
    told = [
        (m.topic().removeprefix(prefix_of(kafka_url)), msgspec.json.decode(m.value())["type"]) for m in read(kafka_url)
    ]

    assert swept.error == ""
    assert {message.key() for message in read(kafka_url)} == {order.id.encode()}
    assert ("order-events", "order.placed") in told
    assert ("order-events", "order.confirmed") in told
    assert ("payment-events", "payment.captured") in told


def test_topics_are_made_with_their_dead_letters(kafka_servers: str, kafka_url: str) -> None:
    """Partitions, replicas and retention as the address says; a second bus finds them there."""
    for _ in range(2):
        with closing(opened(kafka_url)) as bus:
            bus.publish(some_records("order-1", 1))
    admin = kafka.admin.AdminClient({"bootstrap.servers": kafka_servers})
    prefix = prefix_of(kafka_url)
    made = {
        name: len(topic.partitions)
        for name, topic in admin.list_topics(timeout=30).topics.items()
        if name.startswith(prefix)
    }
    asked = kafka.admin.ConfigResource(kafka.admin.ConfigResource.Type.TOPIC, f"{prefix}order-events")
    settings = next(iter(admin.describe_configs([asked]).values())).result()

    assert made == {f"{prefix}{topic}{kind}": 4 for topic in TOPICS for kind in ("", DEAD)}
    assert settings["retention.ms"].value == str(7 * 24 * 3_600_000)
    assert settings["min.insync.replicas"].value == "1"


def test_topics_that_are_not_there_are_said_at_once(kafka_servers: str) -> None:
    """Not after twenty seconds of waiting, and with how they are made."""
    begin = time.monotonic()
    with closing(opened(f"kafka://{kafka_servers}?prefix=nobodys.")) as bus, pytest.raises(OrderkitError) as refused:
        bus.publish(some_records("order-1", 1))

    assert refused.value.code == "topics_missing"
    assert "nobodys.order-events" in str(refused.value)
    assert "create=yes" in refused.value.remedy
    assert time.monotonic() - begin < 15


def test_topics_that_cannot_be_made_are_said(kafka_servers: str) -> None:
    """Replicas need as many brokers."""
    with (
        closing(opened(f"kafka://{kafka_servers}?prefix=large.&create=yes&replication=99")) as bus,
        pytest.raises(Misconfigured) as refused,
    ):
        bus.publish(some_records("order-1", 1))

    assert "large." in str(refused.value)
    assert "replication" in str(refused.value).lower()


# ---- a broker that is away


def test_nobody_there_is_said_when_the_time_is_up() -> None:
    """Nothing was sent, so nothing was applied; opening does not need the broker."""
    with closing(opened("kafka://127.0.0.1:1?timeout_ms=300")) as bus, pytest.raises(PortError) as refused:
        bus.publish(some_records("order-1", 1))

    assert refused.value.outcome == "not_applied"
    assert "refused" in str(refused.value)  # the reason, not only that it took too long


def test_a_relay_goes_on_when_the_broker_is_back(kafka_server: KafkaServer) -> None:
    """It hangs, and it is killed, while records wait: nothing is lost, and each order's versions come in order, wherever they came first."""
    url = f"kafka://{kafka_server.servers}?prefix=x.&create=yes&partitions=3&replication=1"
    now = [0.0]  # of the store's leases: what a failed relay had taken is free again when it is later
    store = MemoryStore(lease_clock=lambda: now[0])
    with orderkit.open(store, bus=f"{url}&timeout_ms=3000", documents=None, notifications=None) as shop:
        shop.put_stock("MUG", {"berlin": 500})
        until = time.monotonic() + 120
        orders = [shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa") for _ in range(20)]
        told = shop.sweep()
        kafka_server.hang()
        orders += [shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa") for _ in range(20)]
        away, now[0] = shop.sweep(), 100.0
        kafka_server.go_on()
        kafka_server.crash()
        orders += [shop.place(a_cart(("MUG", 1, "5.00")), "pm_visa") for _ in range(20)]
        gone, now[0] = shop.sweep(), 200.0
        kafka_server.resume()
        for order in orders:
            shop.cancel(order.id, reason="changed mind")
        while store._outbox:
            swept, now[0] = shop.sweep(), now[0] + 100.0
            assert time.monotonic() < until, swept
        told_of = {(order.id, record.version) for order in orders for record in shop.records(order.id)}

    assert told.error == ""
    assert away.error
    assert gone.error
    assert firsts(read(url)) == told_of


def test_many_who_publish_while_it_hangs_are_told_so(kafka_server: KafkaServer) -> None:
    """One after the other, or that it takes too long; nobody waits for ever, and nothing of it comes later."""
    url = f"kafka://{kafka_server.servers}?prefix=y.&create=yes&partitions=3&replication=1"
    with closing(opened(f"{url}&timeout_ms=2000")) as bus:
        bus.publish(some_records("order-0", 1))
        kafka_server.hang()
        outcomes: list[str] = []

        def publish(n: int) -> None:
            try:
                bus.publish(some_records(f"order-{n}", 2))
            except PortError as error:
                outcomes.append(error.outcome)

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        kafka_server.go_on()
        with closing(opened(f"{url}&timeout_ms=60000")) as again:
            again.publish(some_records("order-9", 2))

    assert len(outcomes) == 4
    assert set(outcomes) <= {"unknown", "not_applied"}
    assert {("order-0", 1), ("order-9", 1), ("order-9", 2)} <= firsts(read(url))


def test_a_closed_bus_publishes_nothing(kafka_url: str) -> None:
    """A second time it is closed does nothing."""
    bus = opened(kafka_url)
    bus.close()
    bus.close()
    with pytest.raises(PortError, match="closed"):
        bus.publish(some_records("order-1", 1))


def test_an_event_that_is_refused_is_said(kafka_url: str) -> None:
    """The brokers take no message of that size; the next call begins anew."""
    (small,) = some_records("order-1", 1)
    large = evolve(small, events=(Event(type="order.noted", data={"text": "x" * 1_100_000}),))
    with closing(opened(kafka_url)) as bus:
        with pytest.raises(PortError, match=r"bytes of order 'order-1' for .*MSG_SIZE_TOO_LARGE"):
            bus.publish([large])
        bus.publish([small])

    assert firsts(read(kafka_url)) == {("order-1", 1)}
