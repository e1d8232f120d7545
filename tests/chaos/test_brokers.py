"""Brokers of Kafka are killed, one and then two of three, while a relay publishes: nothing is lost, and every order's versions come in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import attrs
import pytest

from orderkit.errors import PortError
from orderkit.plugins.url import Url
from orderkit.testing.contracts.bus import names, some_records
from orderkit_kafka import plugin
from tests.brokers import KafkaServer, started
from tests.chaos.scale import scale
from tests.topics import firsts, read

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.slow]
VERSIONS = 3


@attrs.define
class Publisher:
    """A relay's thread: publishes an order's records, again until they are acknowledged."""

    bus: object
    done: list[str] = attrs.Factory(list)
    failures: list[str] = attrs.Factory(list)
    longest: float = 0.0
    enough: threading.Event = attrs.Factory(threading.Event)

    def run(self) -> None:
        """Publish until it is enough."""
        while not self.enough.is_set():
            records, begin = some_records(f"order-{len(self.done)}", VERSIONS), time.monotonic()
            while not self._published(records):
                time.sleep(0.1)
            self.longest = max(self.longest, time.monotonic() - begin)
            self.done.append(records[0].order_id)

    def _published(self, records: object) -> bool:
        try:
            self.bus.publish(records)  # type: ignore[attr-defined]  # a bus
        except PortError as error:
            self.failures.append(str(error))
            return False
        return True


@pytest.fixture
def brokers() -> Iterator[KafkaServer]:
    """Three of them. They take a minute and a core: in the long form only."""
    if not scale().three_brokers:
        pytest.skip("three brokers are killed in the long form only: nox -s brokers")
    server = started(brokers=3)
    yield server
    server.stop()


def test_killed_brokers_lose_nothing_and_turn_nothing_round(brokers: KafkaServer) -> None:
    """One may go at any time; while two are gone nothing is acknowledged, and it goes on when they are back."""
    url = f"kafka://{brokers.servers}?prefix=x.&create=yes&partitions=12"
    with closing(plugin.open_bus(Url.parse(url))) as bus:  # type: ignore[type-var]  # it is one
        publisher = Publisher(bus)
        thread = threading.Thread(target=publisher.run)
        thread.start()
        try:
            for node in (1, 2, 3):
                _until_more(publisher)
                brokers.crash(node)
                _until_more(publisher)
                brokers.resume()
            single = len(publisher.failures), publisher.longest
            for node in (1, 2):
                brokers.crash(node)
            time.sleep(1)
            before = len(publisher.done)
            time.sleep(24)
            stopped = len(publisher.done) - before
            brokers.resume()
            _until_more(publisher)
        finally:
            publisher.enough.set()
            thread.join()
    found = read(url)
    told = firsts(found)
    figures = {"orders": len(publisher.done), "messages": len(found), "longest": (single[1], publisher.longest)}
    print(figures)  # noqa: T201  (the report)

    assert single[0] == 0
    assert stopped == 0
    assert publisher.failures
    assert {name for order_id in publisher.done for name in names(some_records(order_id, VERSIONS))} <= told


def _until_more(publisher: Publisher) -> None:
    """Wait until fifty more orders were acknowledged."""
    known, until = len(publisher.done), time.monotonic() + 120
    while len(publisher.done) < known + 50:
        assert time.monotonic() < until, publisher.failures[-3:]
        time.sleep(0.1)
