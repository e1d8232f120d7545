"""Every other port in memory passes its contract, and does what only it does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orderkit.domain.events import Record
from orderkit.errors import Misconfigured
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache, Recall, Remember
from orderkit.ports.notifications import Notifications
from orderkit.ports.search import SearchIndex
from orderkit.testing.contracts.bus import BusContract, Name, names, some_records
from orderkit.testing.contracts.cache import CacheContract
from orderkit.testing.contracts.notifications import NotificationsContract, a_message
from orderkit.testing.contracts.search import SearchContract
from orderkit.testing.samples import a_life
from orderkit_memory import FileBus, MemoryBus, MemoryCache, MemoryNotifications, MemorySearch, plugin


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> Iterator[EventBus]:
        with closing(MemoryBus()) as bus:
            yield bus


class TestFileBus(BusContract):
    @pytest.fixture
    def bus(self, tmp_path: Path) -> Iterator[EventBus]:
        self.file = tmp_path / "log" / "events.jsonl"
        with closing(FileBus(self.file)) as bus:
            yield bus

    def heard(self, bus: EventBus) -> Sequence[Name]:
        return [(said["order_id"], said["version"]) for said in lines(self.file)]


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self) -> Iterator[Cache]:
        self.seconds = 0.0
        with closing(MemoryCache(seconds=lambda: self.seconds)) as cache:
            yield cache

    def pass_seconds(self, cache: Cache, seconds: float) -> None:
        self.seconds += seconds


class TestMemorySearch(SearchContract):
    @pytest.fixture
    def search(self) -> Iterator[SearchIndex]:
        with closing(MemorySearch()) as search:
            yield search


class TestMemoryNotifications(NotificationsContract):
    @pytest.fixture
    def notifications(self) -> Iterator[Notifications]:
        with closing(MemoryNotifications()) as notifications:
            yield notifications

    def sent(self, notifications: Notifications) -> Sequence[str]:
        assert isinstance(notifications, MemoryNotifications)
        return [message.id for message in notifications.sent]


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file bus."""
    return [json.loads(text) for text in path.read_bytes().splitlines()]


# ---- the bus in the process


def test_a_subscriber_that_fails_stops_the_call_and_gets_it_again() -> None:
    """The relay learns of it and comes again: nobody sees version 2 before version 1 was taken."""
    bus, seen, broken = MemoryBus(), list[int](), [True]

    def fragile(record: Record) -> None:
        if record.version == 1 and broken:
            broken.clear()
            raise RuntimeError("disk full")
        seen.append(record.version)

    bus.subscribe(fragile)
    with pytest.raises(RuntimeError, match="disk full"):
        bus.publish(some_records("order-1"))
    bus.publish(some_records("order-1"))

    assert seen == [1, 2, 3]
    assert names(bus.published) == [("order-1", 1), ("order-1", 2), ("order-1", 3)]


def test_a_subscriber_may_publish_and_subscribe() -> None:
    """Whoever reacts to a record by telling of another does not wait for itself."""
    bus, seen = MemoryBus(), list[str]()
    (other,) = some_records("order-2", 1)

    def react(record: Record) -> None:
        if record.order_id == "order-1":
            bus.subscribe(lambda later: seen.append(later.id))
            bus.publish([other])

    bus.subscribe(react)
    bus.publish(some_records("order-1", 1))

    assert seen == ["order-2/1"]


def test_a_bus_remembers_the_last_records_only() -> None:
    """A process that runs for months does not keep all that it ever said."""
    bus = MemoryBus(kept=2)
    bus.publish(some_records("order-1", 5))

    assert names(bus.published) == [("order-1", 4), ("order-1", 5)]


# ---- the bus that is a file


def test_a_line_says_what_happened_and_nothing_personal(tmp_path: Path) -> None:
    """Id, types, order, version, time and events, one line for each record; no name and no address is in the file."""
    path = tmp_path / "events.jsonl"
    with closing(FileBus(path)) as bus:
        bus.publish([commit.record for commit in a_life("life-1")])
    first = lines(path)[0]

    assert (first["id"], first["order_id"], first["version"], first["at"]) == (
        "life-1/1",
        "life-1",
        1,
        "2026-03-03T12:00:00Z",
    )
    assert first["types"] == ["order.placed", "line.backordered"]
    assert [event.type for event in a_life("life-1")[0].record.events] == first["types"]
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("Ångström", "北京路", "Kraków", "zoë@example.com") if word in text]


def test_a_file_bus_goes_on_where_the_last_process_stopped(tmp_path: Path) -> None:
    """What is there stays; a line that was cut off is closed, and costs no other."""
    path = tmp_path / "events.jsonl"
    first, second, third = some_records("order-1")
    with closing(FileBus(path)) as bus:
        bus.publish([first, second])
    path.write_bytes(path.read_bytes()[:-20])
    with closing(FileBus(path, sync=True)) as bus:
        bus.publish([second, third])
    whole = [json.loads(text) for text in path.read_bytes().splitlines() if text.endswith(b"}")]

    assert [said["version"] for said in whole] == [1, 2, 3]


def test_processes_share_a_file(tmp_path: Path) -> None:
    """Three processes append two hundred records each to one file: six hundred whole lines, each order's in order."""
    path = tmp_path / "events.jsonl"
    code = (
        "import sys; from pathlib import Path; from orderkit_memory import FileBus\n"
        "from orderkit.testing.contracts.bus import some_records\n"
        "bus = FileBus(Path(sys.argv[1])); [bus.publish([record]) for record in some_records(sys.argv[2], 200)]"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(path), f"order-{n}"]) for n in range(3)]

    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    said = lines(path)
    assert len(said) == 600
    for n in range(3):
        assert [line["version"] for line in said if line["order_id"] == f"order-{n}"] == list(range(1, 201))


def test_a_line_that_another_process_is_writing_is_not_taken_for_torn(tmp_path: Path) -> None:
    """Whoever appends has the file alone: a line that is half written is waited for, and not closed by an empty one."""
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "events.jsonl"
    with closing(FileBus(path)) as bus, path.open("ab", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b'{"version": ')
        publishing = threading.Thread(target=bus.publish, args=[some_records("order-1")[:1]])
        publishing.start()
        publishing.join(0.2)
        waited = publishing.is_alive()
        other.write(b"7}\n")
        fcntl.flock(other, fcntl.LOCK_UN)
        publishing.join(60)

    assert waited
    assert [said["version"] for said in lines(path)] == [7, 1]


def test_a_file_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    """The installation is wrong: the message names the path."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Misconfigured, match="taken") as refusal:
        FileBus(tmp_path / "taken" / "events.jsonl")
    assert refusal.value.code == "file_missing"


# ---- cache, index, channel


def test_a_full_cache_drops_what_is_over_and_then_the_oldest() -> None:
    """It never grows above its bound; the newest entries stay."""
    cache = MemoryCache(entries_max=10)
    cache.remember(Remember("over", "x", 0))
    for n in range(11):
        cache.remember(Remember(f"key-{n}", str(n), 60))

    kept = [n for n in range(11) if cache.recall(Recall(f"key-{n}")) is not None]
    assert kept[-1] == 10
    assert len(kept) in (9, 10)


def test_an_indexed_document_is_a_copy() -> None:
    """What the caller changes later is not indexed."""
    search, document = MemorySearch(), {"id": "order-1", "version": 1, "names": ["Mug"], "status": "placed"}
    search.index([document])
    document["version"] = 9
    search.index([{"id": "order-1", "version": 2, "names": ["Cup"], "status": "shipped"}])

    assert list(search._documents["order-1"]["names"]) == ["Cup"]


def test_a_channel_keeps_the_last_messages_whole() -> None:
    """What was said to whom can be looked at; the oldest goes first."""
    channel = MemoryNotifications(kept=2)
    for name in ("m1", "m2", "m3"):
        channel.notify(a_message(name))

    assert channel.sent == (a_message("m2"), a_message("m3"))


# ---- URLs


def test_every_port_opens_by_url() -> None:
    """`memory:` opens each of them, empty and for this shop alone."""
    url = Url.parse("memory:")
    hooks = (
        plugin.open_store,
        plugin.open_bus,
        plugin.open_cache,
        plugin.open_search,
        plugin.open_notifications,
        plugin.open_documents,
    )

    assert [type(hook(url)).__name__ for hook in hooks] == [
        "MemoryStore",
        "MemoryBus",
        "MemoryCache",
        "MemorySearch",
        "MemoryNotifications",
        "MemoryDocuments",
    ]
    assert plugin.open_store(url) is not plugin.open_store(url)
    assert [hook(Url.parse("sqlite:///shop.db")) for hook in hooks] == [None] * 6


def test_a_file_bus_opens_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes and none are relative to the working directory, four begin an absolute path."""
    monkeypatch.chdir(tmp_path)
    for url in ("file:///three.jsonl", "file:none.jsonl?sync", f"file:///{tmp_path}/four.jsonl"):
        bus = plugin.open_bus(Url.parse(url))
        assert bus is not None
        bus.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["four.jsonl", "none.jsonl", "three.jsonl"]


@pytest.mark.parametrize(
    "url", ["memory:shop", "memory://shop", "memory:?size=3", "file:", "file:///", "file:///events.jsonl?fsync=yes"]
)
def test_a_url_that_says_more_than_is_meant_is_refused(url: str) -> None:
    """Nothing in memory has a name or options, and a file needs a name: a misunderstanding is not ignored."""
    with pytest.raises(Misconfigured) as refusal:
        plugin.open_bus(Url.parse(url))
    assert refusal.value.code == "bad_url"


def test_capabilities_are_known_without_opening() -> None:
    """The adapter says of each scheme what it can do, and nothing of others."""
    memory = plugin.adapter_capabilities("memory")

    assert memory is not None
    assert memory["store"]["durable"] is False
    assert plugin.adapter_capabilities("file") == {"bus": {"durable": True}}
    assert plugin.adapter_capabilities("sqlite") is None
