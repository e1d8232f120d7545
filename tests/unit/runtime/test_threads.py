"""Group commit for many threads: those who wait share a call, and who comes alone goes at once."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from orderkit.errors import PortError
from orderkit.ports.store import Load
from orderkit.runtime.threads import ThreadLane

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="start-up")


def test_who_comes_alone_goes_at_once() -> None:
    """Idle, every effect is a call of its own, in the caller's thread."""
    threads: list[int] = []

    def load_many(effects: Sequence[Load]) -> list[str]:
        threads.append(threading.get_ident())
        return [effect.order_id for effect in effects]

    lane = ThreadLane(load_many)

    assert [lane(Load("MUG")), lane(Load("TEE"))] == ["MUG", "TEE"]
    assert threads == [threading.get_ident()] * 2


def test_those_who_wait_share_the_next_call() -> None:
    """While the first call is under way, three others gather."""
    begun, go_on = threading.Event(), threading.Event()
    sent: list[list[str]] = []

    def load_many(effects: Sequence[Load]) -> list[str]:
        sent.append(sorted(effect.order_id for effect in effects))
        begun.set()
        go_on.wait(5)
        return [effect.order_id for effect in effects]

    lane = ThreadLane(load_many, lanes=1)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(lane, Load("first"))
        begun.wait(5)
        others = [pool.submit(lane, Load(f"o-{n}")) for n in range(3)]
        while len(lane._waiting) < 3:
            threading.Event().wait(0.001)
        go_on.set()
        answers = [first.result(5), *(other.result(5) for other in others)]

    assert answers == ["first", "o-0", "o-1", "o-2"]
    assert sent == [["first"], ["o-0", "o-1", "o-2"]]


@pytest.mark.parametrize(("lanes", "largest"), [(1, 256), (2, 256), (2, 2), (3, 1)])
def test_nobody_is_forgotten_and_nobody_is_answered_twice(lanes: int, largest: int) -> None:
    """Sixteen threads with two hundred effects each have their own answers, in batches and lanes as allowed."""
    lock = threading.Lock()
    busy = most = 0
    sizes: list[int] = []
    seen: list[str] = []

    def load_many(effects: Sequence[Load]) -> list[str]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
            sizes.append(len(effects))
            seen.extend(effect.order_id for effect in effects)
        threading.Event().wait(0.0001)
        with lock:
            busy -= 1
        return [effect.order_id for effect in effects]

    lane = ThreadLane(load_many, lanes=lanes, largest=largest)

    def work(thread: int) -> bool:
        return all(lane(Load(f"{thread}/{n}")) == f"{thread}/{n}" for n in range(200))

    with ThreadPoolExecutor(16) as pool:
        right = list(pool.map(work, range(16)))

    assert right == [True] * 16
    assert len(seen) == len(set(seen)) == 3_200
    assert most <= lanes
    assert max(sizes) <= largest
    assert (lane._busy, len(lane._waiting)) == (0, 0)


def test_an_error_is_raised_in_its_own_thread() -> None:
    """An exception in place of an answer is that element's."""
    lane = ThreadLane(lambda effects: [LookupError(effect.order_id) for effect in effects])

    with pytest.raises(LookupError, match="MUG"):
        lane(Load("MUG"))


def test_a_failed_call_fails_for_each_and_the_lane_goes_on() -> None:
    """The call's exception is told as an error of the port, and the next call is made."""
    calls = 0

    def once_broken(effects: Sequence[Load]) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("reset")
        return [effect.order_id for effect in effects]

    lane = ThreadLane(once_broken, lanes=1)
    with pytest.raises(PortError, match="Load failed: ConnectionError"):
        lane(Load("MUG"))

    assert lane(Load("TEE")) == "TEE"


def test_an_interrupted_leader_leaves_the_lane_free_and_nobody_waiting() -> None:
    """Those who shared its call are told that the outcome is unknown."""
    begun, go_on = threading.Event(), threading.Event()
    calls = 0

    def load_many(effects: Sequence[Load]) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            begun.set()
            go_on.wait(5)
        elif calls == 2:
            raise KeyboardInterrupt
        return [effect.order_id for effect in effects]

    lane = ThreadLane(load_many, lanes=1)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(lane, Load("first"))
        begun.wait(5)
        pair = [pool.submit(lane, Load(name)) for name in ("MUG", "TEE")]
        while len(lane._waiting) < 2:
            threading.Event().wait(0.001)
        go_on.set()
        errors = [type(one.exception(5)) for one in pair]
        told = next(one.exception() for one in pair if isinstance(one.exception(), PortError))

    assert first.result() == "first"
    assert sorted(error.__name__ for error in errors) == ["KeyboardInterrupt", "PortError"]
    assert isinstance(told, PortError)
    assert told.outcome == "unknown"
    assert lane(Load("CAP")) == "CAP"


def test_batches_run_in_the_context_of_the_start_up() -> None:
    """The leader's request does not leak into the call that answers others too."""
    contexts: list[str] = []

    def load_many(effects: Sequence[Load]) -> list[str]:
        contexts.append(request.get())
        return [effect.order_id for effect in effects]

    lane = ThreadLane(load_many)
    token = request.set("anna's")
    try:
        lane(Load("MUG"))
    finally:
        request.reset(token)

    assert contexts == ["start-up"]
