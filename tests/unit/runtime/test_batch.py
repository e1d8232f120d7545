"""The batching driver: equal effects of many flows share a call, each flow keeps its own answer or its own error."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Sequence

import pytest

from orderkit.errors import FlowMisused, InvalidInput, PortError
from orderkit.ports.clock import Now, Pause
from orderkit.ports.effect import Flow, all_of, driver
from orderkit.ports.store import FindKey, Load
from orderkit.runtime.batch import run_each, run_many
from orderkit.runtime.bindings import Handlers


class Shelf:
    """Answers loads by the batch, and remembers how large each batch was."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def load_many(self, effects: Sequence[Load]) -> list[object]:
        """Answer each with its id; what is called `bad` with an error."""
        self.sizes.append(len(effects))
        return [LookupError(e.order_id) if e.order_id.startswith("bad") else e.order_id for e in effects]

    @property
    def handlers(self) -> Handlers:
        """The shelf as handlers."""
        return Handlers({Now: lambda _: "noon"}, {Load: self.load_many})


async def loading(order_id: str) -> object:
    """Load an order."""
    return await Load(order_id)


def test_flows_that_want_the_same_share_one_call() -> None:
    """A thousand flows with two loads each are four calls of at most 512."""
    shelf = Shelf()

    async def twice(n: int) -> object:
        first = await Load(f"o-{n}")
        return first, await Load(f"again-{n}")

    results = run_many((twice(n) for n in range(1_000)), shelf.handlers, largest=512)

    assert results == [(f"o-{n}", f"again-{n}") for n in range(1_000)]
    assert max(shelf.sizes) == 512
    assert sum(shelf.sizes) == 2_000
    assert len(shelf.sizes) <= 5


def test_an_error_is_raised_in_its_own_flow_only() -> None:
    """The neighbors of a failed element have their answers."""
    results = run_many([loading("MUG"), loading("bad-TEE"), loading("CAP")], Shelf().handlers)

    assert results[0] == "MUG"
    assert repr(results[1]) == "LookupError('bad-TEE')"
    assert results[2] == "CAP"


def test_a_flow_can_catch_the_error_of_its_element() -> None:
    """An element's error arrives at the flow's `await`."""

    async def careful() -> str:
        try:
            await Load("bad-TEE")
        except LookupError:
            return "caught"
        return "not caught"

    assert run_many([careful()], Shelf().handlers) == ["caught"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_count_of_answers_is_everyones_error(count: int) -> None:
    """Nobody can tell whose answer is missing, so the outcome is unknown for all."""
    handlers = Handlers({}, {Load: lambda _: ["somebody's"] * count})

    results = run_many([loading("MUG"), loading("TEE")], handlers)

    assert [type(result) for result in results] == [PortError, PortError]
    assert {result.outcome for result in results if isinstance(result, PortError)} == {"unknown"}
    assert f"{count} answers to 2 of Load" in str(results[0])


def test_a_call_that_fails_is_everyones_error_and_each_has_its_own() -> None:
    """A batch that fails as a whole fails each flow, with an exception that is not shared and quotes no row."""

    def broken(_: Sequence[Load]) -> list[object]:
        raise ConnectionError("could not insert ('Anna Schmidt', 'Invalidenstr. 1')")

    first, second = run_many([loading("MUG"), loading("TEE")], Handlers({}, {Load: broken}))

    assert isinstance(first, PortError)
    assert first is not second
    assert "Anna" not in str(first)
    assert isinstance(first.__cause__, ConnectionError)


def test_a_declared_error_of_a_call_keeps_its_code_and_outcome() -> None:
    """What the store says of itself arrives in each flow as it was said."""

    def away(_: Sequence[Load]) -> list[object]:
        raise PortError("the store is away", code="store_unavailable")

    first, second = run_many([loading("MUG"), loading("TEE")], Handlers({}, {Load: away}))

    assert isinstance(first, PortError)
    assert isinstance(second, PortError)
    assert (first.code, first.outcome) == (second.code, second.outcome) == ("store_unavailable", "not_applied")
    assert first is not second


def test_results_are_in_the_order_of_the_flows() -> None:
    """A flow that ends early does not move up."""

    async def steps(n: int) -> int:
        for _ in range(n):
            await Load("MUG")
        return n

    assert run_many([steps(5), steps(0), steps(2)], Shelf().handlers) == [5, 0, 2]


def test_an_endless_iterable_streams() -> None:
    """No more than `in_flight` flows are taken before the first results come out."""
    taken = 0

    def orders() -> Iterator[Flow[object]]:
        nonlocal taken
        while True:
            taken += 1
            yield loading(f"o-{taken}")

    stream = run_each(orders(), Shelf().handlers, in_flight=10)
    first = [next(stream) for _ in range(3)]

    assert first == [(0, "o-1"), (1, "o-2"), (2, "o-3")]
    assert taken == 10


def test_the_driver_does_not_leak_to_whoever_reads_or_feeds_the_stream() -> None:
    """Between two results, and while a flow is taken from the iterable, no driver is set."""
    seen: list[object] = []

    def orders() -> Iterator[Flow[object]]:
        for n in range(3):
            seen.append(driver.get())
            yield loading(f"o-{n}")

    seen.extend(driver.get() for _ in run_each(orders(), Shelf().handlers, in_flight=1))

    assert seen == [None] * 6


def test_no_flow_is_left_behind_when_all_that_run_end_at_once() -> None:
    """With room for three, nine flows of two loads each end three at a time, and all nine have their answers."""

    async def twice(n: int) -> object:
        await Load(f"o-{n}")
        return await Load(f"again-{n}")

    results = run_many((twice(n) for n in range(9)), Shelf().handlers, in_flight=3)

    assert results == [f"again-{n}" for n in range(9)]


def test_a_stream_that_nobody_reads_on_leaves_nothing_behind() -> None:
    """Closing the stream closes its flows."""
    stream = run_each((loading(f"o-{n}") for n in range(5)), Shelf().handlers, in_flight=5)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator, behind the type of an iterator
    gc.collect()

    assert driver.get() is None


def test_several_effects_at_once_stand_in_their_lines() -> None:
    """Two flows with two loads each are one call of four."""
    shelf = Shelf()

    async def both(a: str, b: str) -> object:
        return await all_of(Load(a), Now(), Load(b))

    results = run_many([both("MUG", "TEE"), both("CAP", "PEN")], shelf.handlers)

    assert results == [("MUG", "noon", "TEE"), ("CAP", "noon", "PEN")]
    assert shelf.sizes == [4]


def test_errors_among_several_effects_are_raised_when_all_have_answered() -> None:
    """The first error is raised in its flow, after its siblings were asked too."""
    asked: list[str] = []

    def find(effects: Sequence[FindKey]) -> list[object]:
        asked.extend(effect.key for effect in effects)
        return [None] * len(effects)

    async def both() -> object:
        return await all_of(Load("bad-MUG"), FindKey("shop", "place", "k-1"))

    (result,) = run_many([both()], Handlers({}, {Load: Shelf().load_many, FindKey: find}))

    assert repr(result) == "LookupError('bad-MUG')"
    assert asked == ["k-1"]


def test_several_effects_without_a_line_are_answered_on_the_spot() -> None:
    """A flow that asks for nothing but single answers, ten thousand times, does not nest."""

    async def often() -> int:
        for _ in range(10_000):
            assert await all_of(Now(), Now()) == ("noon", "noon")
        assert await all_of() == ()
        return 10_000

    assert run_many([often()], Shelf().handlers) == [10_000]


def test_a_foreign_await_fails_its_own_flow_only() -> None:
    """A flow that awaits what nobody can answer does not stop the batch."""

    class Turnstile:
        def __await__(self) -> Generator[str, None, None]:
            yield "a token"

    async def foreign() -> None:
        await Turnstile()

    bad, good = run_many([foreign(), loading("MUG")], Shelf().handlers)

    assert isinstance(bad, FlowMisused)
    assert "awaits str" in str(bad)
    assert good == "MUG"


def test_a_pause_waits_once_for_all_and_after_everything_else() -> None:
    """Flows that wait for others are answered when nobody else has anything to do, and all with one pause."""
    waits: list[float] = []
    story: list[str] = []

    def pause(effects: Sequence[Pause]) -> list[None]:
        waits.append(max(effect.seconds for effect in effects))
        return [None] * len(effects)

    async def losing(seconds: float) -> None:
        await Pause(seconds)
        story.append("looks")

    async def winning() -> None:
        for _ in range(3):
            await Load("MUG")
        story.append("wins")

    run_many([losing(0.1), losing(0.2), winning()], Handlers({}, {Load: Shelf().load_many, Pause: pause}))

    assert waits == [0.2]
    assert story == ["wins", "looks", "looks"]


def test_a_window_of_nothing_is_refused() -> None:
    """No flow would ever run."""
    with pytest.raises(InvalidInput, match="1 or more") as refused:
        run_many([], Shelf().handlers, in_flight=0)
    assert refused.value.field == "in_flight"
    assert run_many([], Shelf().handlers) == []


def test_flows_that_an_interrupt_kept_from_beginning_are_closed() -> None:
    """Nobody is told, after Ctrl-C, of coroutines that were never awaited."""

    async def interrupted() -> object:
        return await Now()

    def interrupt(_: object) -> object:
        raise KeyboardInterrupt

    flows = [interrupted(), loading("MUG"), loading("TEE")]
    with pytest.raises(KeyboardInterrupt):
        run_many(flows, Handlers({Now: interrupt}, {Load: Shelf().load_many}))

    assert [flow.cr_frame for flow in flows[1:]] == [None, None]
