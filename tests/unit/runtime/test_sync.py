"""The sync driver: steps a flow, answers by a call, and says clearly what it cannot answer."""

from __future__ import annotations

import asyncio

import pytest

from orderkit.errors import FlowMisused, Misconfigured
from orderkit.ports.effect import all_of, driver
from orderkit.ports.store import Commit, FindKey, Load, ReadStock
from orderkit.runtime.bindings import Handlers
from orderkit.runtime.sync import run_sync
from tests.unit.runtime.effects import a_commit

MUG, TEE = Load("MUG-1"), Load("TEE-2")


def echo(effect: Load) -> str:
    """Answer a load with the id that it asks for."""
    return effect.order_id


def test_an_effect_is_answered_by_its_handler() -> None:
    """What the handler returns is what the `await` gives."""

    async def flow() -> tuple[object, object]:
        return await MUG, await TEE

    assert run_sync(flow(), Handlers({Load: echo})) == ("MUG-1", "TEE-2")


def test_what_a_handler_raises_is_raised_at_the_await() -> None:
    """A flow can catch what its effect's handler raised, and go on."""

    def missing(effect: Load) -> object:
        raise LookupError(effect.order_id)

    async def flow() -> str:
        try:
            await MUG
        except LookupError as error:
            return f"no {error}"
        return "there"

    assert run_sync(flow(), Handlers({Load: missing})) == "no MUG-1"


def test_a_foreign_await_names_the_flow_the_line_and_what_it_awaited() -> None:
    """`asyncio.sleep(0)` gives up the turn, which nobody here can give back."""

    async def napping() -> None:
        await asyncio.sleep(0)

    with pytest.raises(FlowMisused) as caught:
        run_sync(napping(), Handlers({}))
    line = napping.__code__.co_firstlineno + 1

    assert f"napping (test_sync.py:{line}) → " in str(caught.value)
    assert "awaits NoneType" in str(caught.value)


def test_an_await_that_needs_an_event_loop_names_the_flow_the_line_and_what_it_awaited() -> None:
    """`asyncio.sleep(1)` asks for the loop at once; the driver says which flow asked, where."""

    async def sleeping() -> None:
        await asyncio.sleep(1)

    with pytest.raises(FlowMisused) as caught:
        run_sync(sleeping(), Handlers({}))
    line = sleeping.__code__.co_firstlineno + 1

    assert f"sleeping (test_sync.py:{line}) awaits asyncio.sleep" in str(caught.value)


async def test_a_future_of_a_running_loop_is_refused_by_name() -> None:
    """A sync shop inside a coroutine of the host's cannot wait for the host's loop."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def waiting() -> None:
        await future

    with pytest.raises(FlowMisused, match=r"waiting \(test_sync.py:\d+\).* awaits Future"):
        run_sync(waiting(), Handlers({}))
    assert not future.done()


def test_a_runtime_error_of_the_flow_itself_passes_unchanged() -> None:
    """Only asyncio's own message is explained."""

    async def flow() -> None:
        raise RuntimeError("the printer is on fire")

    with pytest.raises(RuntimeError, match=r"^the printer is on fire$"):
        run_sync(flow(), Handlers({}))


def test_an_effect_without_a_port_names_the_effect_and_the_argument() -> None:
    """Who awaits what nobody answers learns which argument of `open` is missing."""

    async def flow() -> object:
        return await ReadStock()

    with pytest.raises(Misconfigured, match=r"ReadStock.*orderkit.open\(store=…\)") as caught:
        run_sync(flow(), Handlers({}))
    assert (caught.value.code, caught.value.field) == ("missing_port", "store")


def test_an_effect_outside_a_driver_is_refused() -> None:
    """A flow that nobody runs says how to run it."""

    async def flow() -> object:
        return await MUG

    with pytest.raises(FlowMisused, match=r"Load was awaited outside a driver"):
        flow().send(None)
    assert driver.get() is None


def test_the_driver_is_gone_when_the_flow_has_ended() -> None:
    """Neither an answer nor an error leaves the driver behind in the context."""

    async def good() -> object:
        return await MUG

    async def bad() -> None:
        await MUG
        raise LookupError("MUG-1")

    run_sync(good(), Handlers({Load: echo}))
    with pytest.raises(LookupError):
        run_sync(bad(), Handlers({Load: echo}))

    assert driver.get() is None


def test_flows_may_run_inside_handlers() -> None:
    """A handler that runs a flow of its own does not disturb the flow that it answers."""
    inner = Handlers({Load: echo})

    async def asking() -> object:
        return await TEE

    async def flow() -> tuple[object, object]:
        return await MUG, await MUG

    assert run_sync(flow(), Handlers({Load: lambda _: run_sync(asking(), inner)})) == ("TEE-2", "TEE-2")


class Crash(BaseException):
    """The process is gone."""


def test_a_crash_leaves_the_flow_where_it_is() -> None:
    """What is no `Exception` is not thrown into the flow, and none of its code runs after that."""
    ran: list[str] = []

    def crash(_: Load) -> object:
        raise Crash

    async def flow() -> None:
        try:
            await MUG
        finally:
            ran.append("after death")

    dead = flow()
    with pytest.raises(Crash):
        run_sync(dead, Handlers({Load: crash}))

    assert ran == []
    dead.close()


def test_several_effects_at_once_are_answered_in_order() -> None:
    """`all_of` gives the answers in the order of the effects."""
    seen: list[str] = []

    def load(effect: Load) -> str:
        seen.append(effect.order_id)
        return effect.order_id.lower()

    async def flow() -> tuple[object, ...]:
        return await all_of(TEE, MUG)

    assert run_sync(flow(), Handlers({Load: load})) == ("tee-2", "mug-1")
    assert seen == ["TEE-2", "MUG-1"]


def test_the_others_are_asked_before_an_error_is_raised() -> None:
    """An error of one effect does not keep its siblings from happening."""
    seen: list[str] = []

    def load(effect: Load) -> str:
        seen.append(effect.order_id)
        if effect is MUG:
            raise LookupError(effect.order_id)
        return effect.order_id

    async def flow() -> tuple[object, ...]:
        return await all_of(MUG, TEE)

    with pytest.raises(LookupError, match="MUG-1"):
        run_sync(flow(), Handlers({Load: load}))
    assert seen == ["MUG-1", "TEE-2"]


@pytest.mark.parametrize("inner", [a_commit(), all_of(MUG)], ids=["commit", "group"])
def test_a_commit_never_runs_at_once_with_others(inner: Commit) -> None:
    """Commits follow each other; so do groups."""

    async def flow() -> tuple[object, ...]:
        return await all_of(MUG, inner)

    with pytest.raises(FlowMisused, match="cannot run at once"):
        run_sync(flow(), Handlers({Load: echo, Commit: lambda _: "never"}))


def test_a_replaced_handler_is_no_longer_answered_in_batches() -> None:
    """Who replaces the answer to one effect does not want the old answer to many."""
    handlers = Handlers(
        {Load: echo}, {Load: lambda effects: ["old"] * len(effects), FindKey: lambda effects: [None] * len(effects)}
    )

    replaced = handlers.over({Load: lambda _: "new"})

    assert replaced.one[Load](MUG) == "new"
    assert set(replaced.many) == {FindKey}
