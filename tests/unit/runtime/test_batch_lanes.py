"""The batching driver with lanes: commits are waited for in threads, and the other flows go on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from orderkit.errors import InvalidInput, PortError
from orderkit.ports.clock import Pause
from orderkit.ports.effect import driver
from orderkit.ports.store import Commit, Committed, Load
from orderkit.runtime.batch import run_each, run_many
from orderkit.runtime.bindings import Handlers
from orderkit.testing.contracts.store_case import a_commit

SOON = 10.0  # seconds until a test that hangs fails


class Counter:
    """A store that counts how many of its calls are under way at once, and in which threads."""

    def __init__(self, parties: int = 1) -> None:
        self.together = threading.Barrier(parties)
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.most = self.busy = 0
        self._lock = threading.Lock()

    def commit_many(self, effects: Sequence[Commit]) -> list[Committed]:
        """Answer when as many calls have come as are waited for."""
        with self._lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
            self.sizes.append(len(effects))
            self.threads.add(threading.get_ident())
        self.together.wait(SOON)
        with self._lock:
            self.busy -= 1
        return [Committed(effect.after.version) for effect in effects]

    @property
    def handlers(self) -> Handlers:
        """The counter as handlers; a load is answered with the thread that asked."""
        return Handlers({}, {Commit: self.commit_many, Load: lambda asked: [threading.get_ident()] * len(asked)})


async def committing(n: int) -> tuple[object, object]:
    """Commit, and say in which thread the flow goes on."""
    answer = await a_commit(f"order-{n}")
    return answer, threading.get_ident()


def test_as_many_batches_are_under_way_as_there_are_lanes() -> None:
    """Two calls wait for each other: they come at once, and never a third; flows are stepped by the caller alone."""
    store = Counter(parties=2)

    results = run_many((committing(n) for n in range(8)), store.handlers, largest=2, lanes=2)

    assert results == [(Committed(1), threading.get_ident())] * 8
    assert store.sizes == [2, 2, 2, 2]
    assert store.most == 2
    assert threading.get_ident() not in store.threads


def test_other_flows_go_on_while_commits_are_waited_for() -> None:
    """The commit is answered only once another flow has loaded three times."""
    loaded = threading.Event()

    def commit_many(effects: Sequence[Commit]) -> list[Committed]:
        assert loaded.wait(SOON)
        return [Committed(1) for _ in effects]

    async def loading() -> str:
        for _ in range(3):
            await Load("MUG")
        loaded.set()
        return "loaded"

    handlers = Handlers({}, {Commit: commit_many, Load: lambda asked: [None] * len(asked)})
    results = run_many([committing(1), loading()], handlers, largest=1, lanes=1)

    assert results == [(Committed(1), threading.get_ident()), "loaded"]


def test_few_commits_do_not_wait_for_company() -> None:
    """A batch that is not full sets out when nothing else is to be done; a small rest waits for one that is under way."""
    store = Counter()

    run_many((committing(n) for n in range(5)), store.handlers, largest=4, lanes=2)

    assert store.sizes == [4, 1]


@pytest.mark.parametrize("commits", [1, 3, 200])
def test_flows_that_read_on_and_on_hold_up_no_commit(commits: int) -> None:
    """A few commits set out although another flow, which waits for one of them, reads without end."""
    committed = threading.Event()
    store = Counter()

    async def marking(n: int) -> object:
        answer = await a_commit(f"order-{n}")
        committed.set()
        return answer

    async def reading() -> int:
        count = 0
        while not committed.is_set() and count < 100_000:
            await Load("MUG")
            count += 1
        return count

    *answers, loads = run_many([*map(marking, range(commits)), reading()], store.handlers, lanes=2)

    assert answers == [Committed(1)] * commits
    assert loads < 100_000


def test_where_no_thread_can_be_started_commits_are_called_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no more threads, or the interpreter is about to end: each commit is called for once all the same."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    store = Counter()
    results = run_many((committing(n) for n in range(5)), store.handlers, largest=2, lanes=2)

    assert results == [(Committed(1), threading.get_ident())] * 5
    assert (store.sizes, store.threads) == ([2, 2, 1], {threading.get_ident()})


def test_what_ends_a_program_ends_it_from_a_lane_too() -> None:
    """An exit in a store's call is no flow's error: it comes out of the driver."""

    def commit_many(_: Sequence[Commit]) -> list[Committed]:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_many((committing(n) for n in range(4)), Handlers({}, {Commit: commit_many}), largest=2, lanes=2)
    with pytest.raises(InvalidInput, match="lanes"):
        run_many([], Handlers({}), lanes=-1)


def test_a_call_that_fails_is_the_failure_of_its_own_flows() -> None:
    """Of two batches the second fails: its flows have the error, the first's their answers."""

    def commit_many(effects: Sequence[Commit]) -> list[Any]:
        if effects[0].after.id == "order-2":
            raise ConnectionError("the cable")
        return [Committed(1) for _ in effects]

    results = run_many((committing(n) for n in range(4)), Handlers({}, {Commit: commit_many}), largest=2, lanes=2)

    assert [isinstance(result, PortError) for result in results] == [False, False, True, True]


def test_nobody_pauses_while_commits_are_under_way() -> None:
    """A pause holds everything up, so it comes when nothing else can happen."""
    story: list[str] = []

    def pause(effects: Sequence[Pause]) -> list[None]:
        story.append("pauses")
        return [None] * len(effects)

    async def waiting() -> None:
        await Pause(0.1)

    async def winning() -> None:
        for n in range(2):
            await a_commit(f"order-{n}")
        story.append("wins")

    store = Counter()
    run_many([waiting(), winning()], store.handlers.over({}, {Pause: pause}), lanes=2)

    assert story == ["wins", "pauses"]


def test_a_stream_that_nobody_reads_on_waits_for_its_commits() -> None:
    """What was sent to the store is not left behind in a thread."""
    store = Counter()
    stream = run_each((committing(n) for n in range(6)), store.handlers, largest=2, lanes=2)
    next(stream)

    stream.close()  # type: ignore[attr-defined]  # a generator, behind the type of an iterator

    assert store.busy == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("orderkit-commits")]
    assert driver.get() is None


@pytest.mark.parametrize("lanes", [0, 2])
def test_flows_that_commit_nothing_need_no_thread(lanes: int) -> None:
    """Without a commit, lanes change nothing."""

    async def loading() -> object:
        return await Load("MUG")

    assert run_many([loading()], Counter().handlers, lanes=lanes) == [threading.get_ident()]
    assert run_many([loading()], Handlers({}, {Load: lambda asked: ["MUG"] * len(asked)}), lanes=lanes) == ["MUG"]
