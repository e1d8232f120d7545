"""The contract of an event bus.

Inherit `BusContract`, override the fixture `bus`, and say in `heard` how to read what arrived:

    class TestMyBus(BusContract):
        @pytest.fixture
        def bus(self):
            with closing(MyBus("my-topic")) as bus:
                yield bus

        def heard(self, bus):
            return [(event["order_id"], event["version"]) for event in my_consumer(bus)]

A bus that lives in the process needs no `heard`: the suite subscribes. Nothing here knows any adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from orderkit.domain.events import Record
from orderkit.ports.bus import EventBus
from orderkit.testing.contracts.racing import at_once
from orderkit.testing.samples import a_commit, a_life, next_commit

Name = tuple[str, int]


def some_records(order_id: str, count: int = 3) -> tuple[Record, ...]:
    """Return the first records of an order."""
    commits = [a_commit(order_id)]
    while len(commits) < count:
        commits.append(next_commit(commits[-1].after))
    return tuple(commit.record for commit in commits)


def names(records: Sequence[Record]) -> list[Name]:
    """Return what the records are called."""
    return [(record.order_id, record.version) for record in records]


class BusContract:
    """What every bus does: all of it arrives, at least once, and each order's records in the order of their versions."""

    @pytest.fixture
    def bus(self) -> Iterator[EventBus]:
        """The bus under test, with nothing on it. Override it."""
        pytest.fail("the suite needs its own `bus`: override it")

    @pytest.fixture(autouse=True)
    def _listen(self, bus: EventBus) -> None:
        self._heard: list[Record] = []
        bus.subscribe(self._heard.append)

    def heard(self, bus: EventBus) -> Sequence[Name]:  # noqa: ARG002  (a bus outside the process needs it)
        """Return the (order id, version) of what has arrived so far, in the order of arrival."""
        return names(self._heard)

    def of_order(self, bus: EventBus, order_id: str) -> list[int]:
        """Return the versions of an order that have arrived, each where it came first."""
        return list(dict.fromkeys(version for name, version in self.heard(bus) if name == order_id))

    def test_what_is_published_arrives(self, bus: EventBus) -> None:
        """All records of a whole life arrive, in their order; those without an event may be left out, since they tell nobody anything."""
        records = [commit.record for commit in a_life("life-1")]
        telling = names([record for record in records if record.events])
        bus.publish(records)
        heard = list(dict.fromkeys(self.heard(bus)))

        assert [name for name in heard if name in telling] == telling
        assert set(heard) <= set(names(records))

    def test_nothing_published_is_nothing_heard(self, bus: EventBus) -> None:
        """An empty call is no error."""
        bus.publish(())

        assert list(self.heard(bus)) == []

    def test_calls_follow_each_other(self, bus: EventBus) -> None:
        """Records of one order that were published in several calls arrive in the order of their versions."""
        for record in some_records("order-1", 5):
            bus.publish([record])

        assert self.of_order(bus, "order-1") == [1, 2, 3, 4, 5]

    def test_a_repeat_bears_the_same_name(self, bus: EventBus) -> None:
        """A relay that died before its mark publishes again: whoever looks at (order, version) loses nothing and counts nothing twice."""
        first, second, third = some_records("order-1")
        bus.publish([first, second])
        bus.publish([first, second, third])

        assert self.of_order(bus, "order-1") == [1, 2, 3]
        assert set(self.heard(bus)) == {("order-1", 1), ("order-1", 2), ("order-1", 3)}

    def test_relays_at_once_keep_each_order_in_order(self, bus: EventBus) -> None:
        """Eight threads publish the records of an order each: none is lost, and none overtakes another of its order."""
        orders = {f"order-{n}": some_records(f"order-{n}", 6) for n in range(8)}

        def relay(records: Sequence[Record]) -> None:
            for record in records:
                bus.publish([record])

        at_once([partial(relay, records) for records in orders.values()])

        assert {name: self.of_order(bus, name) for name in orders} == {name: [1, 2, 3, 4, 5, 6] for name in orders}
