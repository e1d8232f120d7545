"""The async driver is ambient, and its lanes share calls between flows that never heard of each other."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Sequence

import pytest

from orderkit.errors import FlowMisused, PortError
from orderkit.ports.effect import Effect, all_of, driver
from orderkit.ports.store import FindKey, Load
from orderkit.runtime.asynchronous import AsyncHandlers, Lent, Ready, in_line, run_async
from orderkit.runtime.lanes import WHOLE, Lane
from tests.unit.runtime.effects import a_commit

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="start-up")


class Till:
    """A store whose calls wait for a signal, and which remembers what it was sent."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.sent: list[list[str]] = []
        self.contexts: list[str] = []

    async def load_many(self, effects: Sequence[Load]) -> list[object]:
        """Answer each with its id when the till is open; what is called `bad` with an error."""
        self.sent.append([effect.order_id for effect in effects])
        self.contexts.append(request.get())
        await self.open.wait()
        return [LookupError(e.order_id) if e.order_id.startswith("bad") else e.order_id for e in effects]

    def handlers(self, *, lanes: int = 1, largest: int = 256) -> AsyncHandlers:
        """The till behind a lane."""
        return AsyncHandlers({Load: in_line(Lane(self.load_many, lanes=lanes, largest=largest))})


async def loading(order_id: str) -> object:
    """Load an order."""
    return await Load(order_id)


async def turns(count: int = 5) -> None:
    """Let everybody else have a few turns of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


# ---- ambient


async def test_a_hosts_flow_may_await_its_own_things() -> None:
    """Time-outs, sleeps and task groups stand between effects, and tasks inherit the driver."""
    handlers = Till().handlers()

    async def checkout() -> list[object]:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            await asyncio.sleep(0)
            tasks = [group.create_task(loading(name)) for name in ("MUG", "TEE")]
        return [task.result() for task in tasks]

    assert await run_async(checkout(), handlers) == ["MUG", "TEE"]


async def test_the_driver_is_gone_when_the_flow_has_ended() -> None:
    """The caller's context is as it was."""
    await run_async(loading("MUG"), Till().handlers())

    assert driver.get() is None


async def test_two_shops_in_two_tasks_do_not_meet() -> None:
    """Each flow has the driver of its own task."""
    left, right = AsyncHandlers({Load: lambda _: Ready("left")}), AsyncHandlers({Load: lambda _: Ready("right")})

    async def slowly(order_id: str) -> object:
        await asyncio.sleep(0)
        return await Load(order_id)

    answers: Sequence[object] = await asyncio.gather(run_async(slowly("MUG"), left), run_async(slowly("MUG"), right))

    assert answers == ["left", "right"]


async def test_several_effects_run_together() -> None:
    """The second is asked before the first has answered."""
    both = asyncio.Barrier(2)

    async def load(effect: Load) -> str:
        await both.wait()
        return effect.order_id

    async def flow() -> tuple[object, ...]:
        return await all_of(Load("MUG"), Load("TEE"))

    async with asyncio.timeout(5):
        assert await run_async(flow(), AsyncHandlers({Load: load})) == ("MUG", "TEE")


async def test_siblings_are_not_cancelled_for_ones_error() -> None:
    """The error is raised when all have answered."""
    answered: list[str] = []

    async def load(effect: Load) -> str:
        if effect.order_id == "bad":
            raise LookupError(effect.order_id)
        await turns()
        answered.append(effect.order_id)
        return effect.order_id

    async def flow() -> tuple[object, ...]:
        return await all_of(Load("bad"), Load("TEE"))

    with pytest.raises(LookupError, match="bad"):
        await run_async(flow(), AsyncHandlers({Load: load}))
    assert answered == ["TEE"]


async def test_a_commit_never_runs_at_once_with_others() -> None:
    """The rule is the same under every driver."""

    async def flow() -> tuple[object, ...]:
        return await all_of(Load("MUG"), a_commit())

    with pytest.raises(FlowMisused, match="Commit cannot run at once"):
        await run_async(flow(), Till().handlers())


async def test_on_one_connection_effects_run_in_turn() -> None:
    """In a transaction of the host there is one connection, which does one thing at a time."""
    running = most = 0

    async def load(effect: Load) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await turns()
        running -= 1
        return effect.order_id

    async def flow() -> tuple[object, ...]:
        return await all_of(Load("MUG"), Load("TEE"))

    assert await run_async(flow(), AsyncHandlers({Load: load}, in_turn=True)) == ("MUG", "TEE")
    assert most == 1


# ---- lanes


async def test_flows_that_wait_share_the_next_call() -> None:
    """While one call is under way the others gather, and go together."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    flows = [asyncio.create_task(run_async(loading("first"), handlers))]
    await turns()
    flows += [asyncio.create_task(run_async(loading(f"o-{n}"), handlers)) for n in range(3)]
    await turns()
    till.open.set()

    assert await asyncio.gather(*flows) == ["first", "o-0", "o-1", "o-2"]
    assert till.sent == [["first"], ["o-0", "o-1", "o-2"]]


@pytest.mark.parametrize(("waiting", "batches"), [(1, [1]), (WHOLE, [WHOLE]), (WHOLE + 1, [WHOLE, 1]), (80, [40, 40])])
async def test_free_lanes_share_a_long_line_out(waiting: int, batches: list[int]) -> None:
    """Two free lanes take half of it each, so that both are busy; a short one goes whole."""
    till = Till()

    await asyncio.gather(
        *(run_async(loading(f"o-{n}"), handlers) for handlers in [till.handlers(lanes=2)] for n in range(waiting))
    )

    assert [len(batch) for batch in till.sent] == batches


async def test_what_is_read_for_a_commit_gathers_behind_full_lanes() -> None:
    """It goes at once while a lane is free; else for all that wait, with the next batch that comes back."""
    first, then = Till(), Till()
    lanes = [Lane(till.load_many, lanes=1) for till in (first, then)]
    lanes[1].go_behind(lanes[0])
    answers = [lanes[1](Load("idle"))]
    await turns()
    first.open.clear()
    answers += [lanes[0](Load("commit"))]
    await turns()
    for name in ("o-1", "o-2", "o-3"):
        answers.append(lanes[1](Load(name)))
        await turns()
    meanwhile = list(then.sent)
    first.open.set()

    assert await asyncio.gather(*answers) == ["idle", "commit", "o-1", "o-2", "o-3"]
    assert (meanwhile, then.sent) == ([["idle"]], [["idle"], ["o-1", "o-2", "o-3"]])


async def test_no_batch_is_larger_than_the_store_takes() -> None:
    """Five in line are three calls where two is the most."""
    till = Till()

    await asyncio.gather(
        *(run_async(loading(f"o-{n}"), handlers) for handlers in [till.handlers(largest=2)] for n in range(5))
    )

    assert [len(batch) for batch in till.sent] == [2, 2, 1]


async def test_an_error_is_raised_in_its_own_flow_only() -> None:
    """The neighbors in the batch have their answers."""
    handlers = Till().handlers()

    results = await asyncio.gather(
        *(run_async(loading(name), handlers) for name in ("MUG", "bad", "TEE")), return_exceptions=True
    )

    assert [results[0], repr(results[1]), results[2]] == ["MUG", "LookupError('bad')", "TEE"]


@pytest.mark.parametrize("answers", [(), ("somebody's", "or whose", "is this")], ids=["too few", "too many"])
async def test_a_wrong_count_of_answers_is_every_waiters_error(answers: Sequence[object]) -> None:
    """Every waiter is answered, and told that the outcome is unknown."""

    async def miscounting(_: Sequence[Effect[object]]) -> Sequence[object]:
        return answers

    handlers = AsyncHandlers({Load: in_line(Lane(miscounting))})
    first, second = await asyncio.gather(
        *(run_async(loading(n), handlers) for n in ("MUG", "TEE")), return_exceptions=True
    )

    assert isinstance(first, PortError)
    assert isinstance(second, PortError)
    assert (first.outcome, second.outcome) == ("unknown", "unknown")
    assert first is not second


async def test_a_failed_call_is_every_waiters_error() -> None:
    """An exception of the call answers all, and the lane goes on."""
    calls = 0

    async def once_broken(effects: Sequence[Load]) -> list[object]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("reset")
        return [effect.order_id for effect in effects]

    handlers = AsyncHandlers({Load: in_line(Lane(once_broken, lanes=1))})
    failed = await asyncio.gather(*(run_async(loading(n), handlers) for n in ("MUG", "TEE")), return_exceptions=True)

    assert [type(error) for error in failed] == [PortError, PortError]
    assert await run_async(loading("CAP"), handlers) == "CAP"


async def test_batches_run_in_the_context_of_the_start_up() -> None:
    """The context of the first request does not leak into the call that answers its neighbors too."""
    till = Till()
    handlers = till.handlers()

    async def requested(name: str) -> object:
        request.set(name)
        return await run_async(loading(name), handlers)

    await asyncio.gather(requested("anna's"), requested("ben's"))

    assert till.contexts == ["start-up"]


# ---- cancellation


async def test_cancelled_before_its_batch_is_sent_an_effect_never_happens() -> None:
    """The effect leaves the line, and its neighbors go on without it."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    first = asyncio.create_task(run_async(loading("first"), handlers))
    await turns()
    waiting, neighbor = (asyncio.create_task(run_async(loading(name), handlers)) for name in ("waiting", "neighbor"))
    await turns()
    waiting.cancel()
    await turns()
    till.open.set()
    await asyncio.gather(first, neighbor)

    assert waiting.cancelled()
    assert till.sent == [["first"], ["neighbor"]]


async def test_cancelled_after_its_batch_is_sent_a_flow_learns_the_answer_first() -> None:
    """The answer reaches the flow; the cancellation stops it at its next effect."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    learned: list[object] = []

    async def flow() -> None:
        learned.append(await Load("sent"))
        learned.append(await Load("never"))

    running = asyncio.create_task(run_async(flow(), handlers))
    await turns()
    running.cancel()
    await turns()
    till.open.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert learned == ["sent"]
    assert till.sent == [["sent"]]


async def test_a_time_out_during_the_last_effect_is_told_when_the_flow_has_ended() -> None:
    """The time-out overruns until the answer is there, is raised as what it is, and strikes nobody else afterwards."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    asyncio.get_running_loop().call_later(0.05, till.open.set)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_async(loading("sent"), handlers)
    await asyncio.sleep(0)

    assert till.sent == [["sent"]]


async def test_a_time_out_inside_a_flow_that_ends_well_is_forgiven() -> None:
    """A flow that has its answer when its own time-out ends goes on; the cancellation was taken back with the time-out."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    asyncio.get_running_loop().call_later(0.05, till.open.set)

    async def flow() -> list[object]:
        async with asyncio.timeout(0.01):
            first = await Load("sent")
        return [first, await Load("after")]

    assert await run_async(flow(), handlers) == ["sent", "after"]


async def test_an_error_that_a_cancelled_flow_learns_is_raised_in_it() -> None:
    """The answer may be an error."""
    till = Till()
    handlers = till.handlers()
    till.open.clear()
    running = asyncio.create_task(run_async(loading("bad"), handlers))
    await turns()
    running.cancel()
    await turns()
    till.open.set()

    with pytest.raises(LookupError, match="bad"):
        await running


# ---- adapters of the other world


class Desk:
    """A sync adapter that tells which thread it worked in."""

    capabilities = "many"

    def thread(self, _: object) -> int:
        """Return the thread."""
        return threading.get_ident()

    async def loop(self, _: object) -> int:
        """Return the thread of the event loop."""
        return threading.get_ident()


async def test_a_sync_adapter_works_in_a_thread() -> None:
    """The event loop does not wait for it."""
    lent = Lent(Desk())

    assert await lent.thread(FindKey("shop", "place", "k-1")) != threading.get_ident()
    assert await lent.loop(None) == threading.get_ident()
    assert lent.capabilities == "many"


async def test_an_adapter_of_mere_computation_works_in_place() -> None:
    """A thread would cost more than the work."""

    class Memory(Desk):
        in_memory = True

    assert await Lent(Memory()).thread(None) == threading.get_ident()
