"""The async driver is ambient: an effect awaits its handler on the spot, so a flow may await its host's own things too.

Time-outs, task groups and HTTP clients work as everywhere, tasks that a flow starts inherit the driver, and tracebacks show the flow.
An adapter that only has a sync form runs in a thread, or in place where it says that it is mere computation (`in_memory = True`).
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from orderkit.ports import bus, carriers, clock, payments, search, settings, store
from orderkit.ports.effect import All, Effect, Flow, Outside, driver
from orderkit.runtime.bindings import (
    PORTS,
    Binding,
    Kind,
    On,
    absent,
    checked,
    fitted_ports,
    lanes_of,
    no_hint,
    refused,
    shares,
    unanswered,
)
from orderkit.runtime.guards import HINTS, guarded_async, miscounted
from orderkit.runtime.lanes import Answer, Lane

A = TypeVar("A")

AsyncOne = Callable[[Any], Awaitable[Any]]
AsyncAnswer = Callable[[Effect[Any]], Awaitable[Any]]

# Cancellations of tasks whose effect was already on its way: their flow learns the answer first.
_owed: weakref.WeakKeyDictionary[asyncio.Task[Any], asyncio.CancelledError] = weakref.WeakKeyDictionary()


async def run_async(flow: Flow[A], answer: AsyncAnswer) -> A:
    """Run a flow on the running event loop; tasks that it starts inherit the driver."""
    token = driver.set(answer)
    try:
        found = await flow
    finally:
        driver.reset(token)
        cancellation = _pay()
    if cancellation is not None:
        raise cancellation
    return found


class Ready(Generic[A]):
    """An answer that is there at once."""

    __slots__ = ("_value",)

    def __init__(self, value: A) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, A]:
        return self._value
        yield


@attrs.frozen
class AsyncHandlers:
    """The awaitable answers to effects. It is a driver itself: call it with an effect, and await that.

    With `in_turn` effects that are wanted at once are asked one after the other: on one connection of the host.
    """

    one: Mapping[Kind, AsyncOne]
    in_turn: bool = False

    def __call__(self, effect: Effect[Any]) -> Awaitable[Any]:
        """Return what to await for the effect's answer."""
        if _owed and (cancellation := _pay()) is not None:
            raise cancellation
        handler = self.one.get(type(effect))
        if handler is not None:
            return handler(effect)
        if isinstance(effect, All):
            return self._together(checked(effect))
        raise unanswered(effect)

    async def _together(self, effect: All) -> tuple[Any, ...]:
        """Answer all; errors are raised after all have answered, and none is cancelled for another's error."""
        if self.in_turn:
            results = [await self._kept(inner) for inner in effect.effects]
        else:
            results = await asyncio.gather(*map(self._kept, effect.effects))
        for result in results:
            if isinstance(result, _Failure):
                raise result.error
        return tuple(results)

    async def _kept(self, effect: Effect[Any]) -> Any:
        try:
            return await self(effect)
        except Exception as error:  # noqa: BLE001  (raised when all have answered)
            return _Failure(error)

    async def run(self, flow: Flow[A]) -> A:
        """Run a flow with these handlers."""
        return await run_async(flow, self)

    def joined(self, store_: Any) -> AsyncHandlers:
        """Return the handlers for a transaction of the host: the store's effects go there, and nothing leaves the process."""
        return joined_async(self, store_)

    def over(self, more: Mapping[Kind, AsyncOne]) -> AsyncHandlers:
        """Return the handlers with some replaced."""
        return AsyncHandlers({**self.one, **more}, self.in_turn)


@attrs.frozen
class _Failure:
    error: Exception


def _pay() -> asyncio.CancelledError | None:
    """Return the cancellation that the running task is owed, unless it was taken back meanwhile (a time-out that ended well)."""
    if not _owed:
        return None
    task = asyncio.current_task()
    cancellation = _owed.pop(task, None) if task is not None else None
    return cancellation if cancellation is not None and task is not None and task.cancelling() else None


def in_line(lane: Callable[[Effect[Any]], Answer]) -> AsyncOne:
    """Answer effects from a lane.

    A flow that is cancelled before its batch is sent stops there, and the effect never happens; one that is cancelled after learns the
    answer first, and the cancellation at its next effect, or at its end.
    """

    async def ask(effect: Effect[Any]) -> Any:
        answer = lane(effect)
        try:
            return await answer
        except asyncio.CancelledError as cancellation:
            # A task is told of its cancellation when it wakes, even if it wakes because the answer is there.
            task = asyncio.current_task()
            if not answer.sent or not answer.done() or task is None:
                raise
            _owed[task] = cancellation
            return answer.result()

    return ask


# ---- adapters


class Lent:
    """A sync adapter, lent to an event loop: its calls run in threads, or in place if they are only computation."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self._in_place = bool(getattr(adapter, "in_memory", False))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if not callable(method) or inspect.iscoroutinefunction(method):
            return method
        in_place = self._in_place

        async def call(*args: Any) -> Any:
            answer = method(*args) if in_place else await asyncio.to_thread(method, *args)
            return await answer if inspect.isawaitable(answer) else answer

        return call


def bound_async(
    *,
    store_: Any,
    clock_: clock.Clock,
    ids: clock.Ids,
    settings_: settings.Settings,
    ports: Mapping[str, Any],
) -> AsyncHandlers:
    """Bind every effect to the port that answers it, for an event loop. Sync and async adapters may be mixed.

    Raises: `Misconfigured` (`missing_port`) when a port that the shop needs is absent, or an adapter lacks a method.
    """
    found = fitted_ports(store_, ports, awaits=True)
    one: dict[Kind, AsyncOne] = {binding.kind: at_once(binding.one) for binding in absent(found)}
    one |= {binding.kind: binding.one for binding in _several(store_, lanes=shares(store_))}
    one[clock.Now] = lambda _: Ready(clock_.now())
    one[clock.NewId] = lambda _: Ready(ids.new_id(clock_.now()))
    one[settings.ReadSettings] = lambda _: Ready(settings_)
    one[clock.Pause] = lambda effect: asyncio.sleep(effect.seconds)
    for port, adapter in found.items():
        if adapter is not None and port != "store":
            for binding in _outside(port, Lent(adapter)):
                one[binding.kind] = guarded_async(binding.kind, binding.one)
    return AsyncHandlers(one)


def joined_async(handlers: AsyncHandlers, store_: Any) -> AsyncHandlers:
    """Return the handlers for a transaction of the host: the store's effects go there, and nothing leaves the process."""
    one = {kind: refused if issubclass(kind, Outside) else handler for kind, handler in handlers.one.items()}
    one |= dict.fromkeys(HINTS, at_once(no_hint))
    return AsyncHandlers(
        {**one, **{binding.kind: binding.one for binding in _several(store_, lanes=False)}}, in_turn=True
    )


def at_once(call: Callable[[Any], Any]) -> AsyncOne:
    """Return a handler for an event loop whose answer is there at once."""
    return lambda effect: Ready(call(effect))


def _several(store_: Any, *, lanes: bool) -> list[Binding]:
    """Bind the effects that a store answers; with `lanes` those that it takes in batches share its calls."""
    bindings: list[Binding] = []
    made: dict[Kind, Lane] = {}
    for binding in _store(Lent(store_)):
        one = binding.one
        if binding.many is not None and lanes:
            several = 1 if binding.kind is store.ReadSupply else lanes_of(store_)  # it is answered in no time
            made[binding.kind] = Lane(binding.many, lanes=several, largest=store_.capabilities.batch_max)
            one = in_line(made[binding.kind])
        elif binding.many is not None:
            one = _first(binding.many)
        bindings.append(Binding(binding.kind, one))
    if store.ReadSupply in made and store.Commit in made:
        made[store.ReadSupply].go_behind(made[store.Commit])
    return bindings


def _first(call: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]) -> AsyncOne:
    async def ask(effect: Any) -> Any:
        answers = await call((effect,))
        if len(answers) != 1:
            raise miscounted(type(effect), len(answers), 1)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    return ask


def _store(adapter: store.AsyncStore) -> tuple[Binding, ...]:
    async def load_many(asked: Sequence[store.Load]) -> Sequence[Any]:
        return await adapter.load_many([effect.order_id for effect in asked])

    return (
        On(store.Commit).awaited_many(adapter.commit_many),
        On(store.Load).awaited_many(load_many),
        On(store.FindKey).awaited_many(adapter.find_keys),
        On(store.ReadSupply).awaited_many(adapter.read_supply_many),
        On(store.PutStock).awaited_many(adapter.put_stock_many),
        On(store.ReadStock).awaited(adapter.read_stock),
        On(store.ReadRecords).awaited(adapter.read_records),
        On(store.FindOrders).awaited(adapter.find_orders),
        On(store.ClaimDue).awaited(adapter.claim_due),
        On(store.GiveUp).awaited(adapter.give_up),
        On(store.TakeOutbox).awaited(adapter.take_outbox),
        On(store.MarkPublished).awaited(adapter.mark_published),
        On(store.KeepMessage).awaited(adapter.keep_message),
        On(store.TakeMessages).awaited(adapter.take_messages),
        On(store.SettleMessage).awaited(adapter.settle_message),
    )


def _payments(adapter: payments.AsyncPayments) -> tuple[Binding, ...]:
    return On(payments.MoveMoney).awaited(adapter.move_money), On(payments.AskPayment).awaited(adapter.ask_payment)


def _carriers(adapter: carriers.AsyncCarriers) -> tuple[Binding, ...]:
    return (
        On(carriers.BookParcel).awaited(adapter.book_parcel),
        On(carriers.CancelParcel).awaited(adapter.cancel_parcel),
        On(carriers.TrackParcel).awaited(adapter.track_parcel),
    )


# Methods that take a part of the effect; the others take all of it, under the name that the table of ports has.
_PARTS: Mapping[Kind, str] = {bus.Publish: "records", search.Index: "documents", search.Search: "query"}


def _outside(port: str, adapter: Any) -> tuple[Binding, ...]:
    if port == "payments":
        return _payments(adapter)
    if port == "carriers":
        return _carriers(adapter)
    # These ports have one Protocol, for both worlds: the sync one.
    return tuple(Binding(kind, _part(getattr(adapter, name), _PARTS.get(kind))) for kind, name in PORTS[port].items())


def _part(call: AsyncOne, name: str | None) -> AsyncOne:
    return call if name is None else lambda effect: call(getattr(effect, name))
