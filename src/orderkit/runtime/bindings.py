"""Which port answers which effect. A shop has one set of handlers; drivers look effects up in it and wait in their own way.

A handler is for one effect, or for many equal ones at once. Binding is typed (`On(Load).to(…)`): both type checkers refuse a method
that takes another effect, answers something else, or has to be awaited where nobody waits. A port that is needed and absent is found when
the shop opens, not when the first order comes. This module knows the ports, and no adapter.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from orderkit.errors import FlowMisused, Misconfigured, OrderkitError
from orderkit.ports import bus, cache, carriers, clock, documents, notifications, payments, search, settings, store
from orderkit.ports.effect import All, Effect, Outside
from orderkit.runtime.guards import DOUBTFUL, HINTS, guarded, guarded_many, single
from orderkit.runtime.threads import ThreadLane

A = TypeVar("A")
E_co = TypeVar("E_co", bound=Effect[Any], covariant=True)

Kind: TypeAlias = type[Effect[Any]]
One: TypeAlias = Callable[[Any], Any]
Many: TypeAlias = Callable[[Sequence[Any]], Any]  # answers in the same order, or what to await for them

# What each port has to answer, and by which method. The shop cannot work without the first three.
REQUIRED = ("store", "payments", "carriers")
PORTS: Mapping[str, Mapping[Kind, str]] = {
    "store": {
        store.Commit: "commit_many",
        store.Load: "load_many",
        store.FindKey: "find_keys",
        store.ReadSupply: "read_supply_many",
        store.PutStock: "put_stock_many",
        store.ReadStock: "read_stock",
        store.ReadRecords: "read_records",
        store.FindOrders: "find_orders",
        store.ClaimDue: "claim_due",
        store.GiveUp: "give_up",
        store.TakeOutbox: "take_outbox",
        store.MarkPublished: "mark_published",
        store.KeepMessage: "keep_message",
        store.TakeMessages: "take_messages",
        store.SettleMessage: "settle_message",
    },
    "payments": {payments.MoveMoney: "move_money", payments.AskPayment: "ask_payment"},
    "carriers": {
        carriers.BookParcel: "book_parcel",
        carriers.CancelParcel: "cancel_parcel",
        carriers.TrackParcel: "track_parcel",
    },
    "bus": {bus.Publish: "publish"},
    "cache": {cache.Remember: "remember", cache.Recall: "recall", cache.Forget: "forget"},
    "search": {search.Index: "index", search.Search: "search"},
    "notifications": {notifications.Notify: "notify"},
    "documents": {documents.MakeDocument: "make_document", documents.ReadDocument: "read_document"},
}
# The store's methods that take many effects at once: they travel in lanes.
BATCHED: Mapping[Kind, str] = {
    kind: PORTS["store"][kind] for kind in (store.Commit, store.Load, store.FindKey, store.ReadSupply, store.PutStock)
}


@attrs.frozen
class Binding:
    """An effect with what answers it: one at a time, and perhaps many at once."""

    kind: Kind
    one: One
    many: Many | None = None


class On(Generic[E_co]):
    """An effect that is about to be bound. A method that does not fit it is a type error."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type[E_co]) -> None:
        self._kind = kind

    def to(self: On[Effect[A]], call: Callable[[E_co], A]) -> Binding:
        """Bind the effect to a method that takes one."""
        return Binding(self._kind, call)

    def to_many(self: On[Effect[A]], call: Callable[[Sequence[E_co]], Sequence[A | Exception]]) -> Binding:
        """Bind the effect to a method that takes many; each is answered for itself, an exception in its place is raised in its flow."""
        return Binding(self._kind, single(call), call)

    def awaited(self: On[Effect[A]], call: Callable[[E_co], Awaitable[A]]) -> Binding:
        """Bind the effect to an async method that takes one."""
        return Binding(self._kind, call)

    def awaited_many(
        self: On[Effect[A]], call: Callable[[Sequence[E_co]], Awaitable[Sequence[A | Exception]]]
    ) -> Binding:
        """Bind the effect to an async method that takes many; a lane calls it."""
        return Binding(self._kind, call, call)


@attrs.frozen
class Handlers:
    """The answers to effects: `one` by effect type, and `many` where a port takes several at once."""

    one: Mapping[Kind, One]
    many: Mapping[Kind, Many] = attrs.field(factory=dict)

    def answer(self, effect: Effect[Any]) -> Any:
        """Answer one effect; of several at once, each in its turn."""
        handler = self.one.get(type(effect))
        if handler is not None:
            return handler(effect)
        if isinstance(effect, All):
            return self._all(effect)
        raise unanswered(effect)

    def _all(self, effect: All) -> tuple[Any, ...]:
        answers: list[Any] = []
        first: Exception | None = None
        for inner in checked(effect).effects:
            try:
                answers.append(self.answer(inner))
            except Exception as error:  # noqa: BLE001  (raised below: the others are asked all the same)
                first = first or error
        if first is not None:
            raise first
        return tuple(answers)

    def over(self, more: Mapping[Kind, One], many: Mapping[Kind, Many] | None = None) -> Handlers:
        """Return the handlers with some replaced; what is replaced one by one is no longer answered in batches, unless `many` says how."""
        kept = {kind: call for kind, call in self.many.items() if kind not in more}
        return Handlers({**self.one, **more}, {**kept, **(many or {})})


def checked(effect: All) -> All:
    """Refuse commits, and groups, among effects that run at once."""
    for inner in effect.effects:
        if not isinstance(inner, Effect):
            raise FlowMisused(f"All runs effects at once, not {type(inner).__name__}")
        if isinstance(inner, (store.Commit, All)):
            raise FlowMisused(f"{type(inner).__name__} cannot run at once with other effects: await it by itself")
    return effect


def unanswered(effect: object) -> OrderkitError:
    """Return the error for an effect that no port answers: it names the effect, and the argument that would bring the port."""
    kind: Any = type(effect)
    for port, methods in PORTS.items():
        if kind in methods:
            return _missing(port, kind)
    return Misconfigured(
        f"nothing answers {kind.__name__}",
        code="missing_port",
        remedy="Bind the effect to a handler, or do not await it.",
    )


def _missing(port: str, kind: Kind) -> Misconfigured:
    return Misconfigured(
        f"no adapter answers {kind.__name__}: orderkit.open({port}=…) was not given",
        code="missing_port",
        field=port,
        remedy=f"Pass a URL or an adapter as orderkit.open({port}=…).",
        facts={"port": port, "effect": kind.__name__},
    )


def fitted(port: str, adapter: Any, *, awaits: bool) -> Any:
    """Return the adapter if it answers every effect of its port. Raises `Misconfigured` (`missing_port`)."""
    for kind, name in PORTS[port].items():
        if adapter is None:
            raise _missing(port, kind)
        method = getattr(adapter, name, None)
        if not callable(method):
            raise Misconfigured(
                f"{type(adapter).__name__}, given as orderkit.open({port}=…), does not answer {kind.__name__}: it has no method {name!r}",
                code="missing_port",
                field=port,
                facts={"port": port, "effect": kind.__name__, "method": name},
            )
        if not awaits and inspect.iscoroutinefunction(method):
            raise Misconfigured(
                f"{type(adapter).__name__}, given as orderkit.open({port}=…), needs an event loop",
                code="missing_port",
                field=port,
                remedy="Use orderkit.open_async(), or an adapter without an event loop.",
            )
    return adapter


def fitted_ports(store_: Any, ports: Mapping[str, Any], *, awaits: bool) -> dict[str, Any]:
    """Return all adapters by port, each one that is there or needed checked."""
    given = {"store": store_, **{port: ports.get(port) for port in PORTS if port != "store"}}
    return {
        port: adapter if adapter is None and port not in REQUIRED else fitted(port, adapter, awaits=awaits)
        for port, adapter in given.items()
    }


# ---- the sync handlers


def bound(
    *,
    store_: Any,
    clock_: clock.Clock,
    ids: clock.Ids,
    settings_: settings.Settings,
    ports: Mapping[str, Any],
    pause: Callable[[float], Any],
) -> Handlers:
    """Bind every effect to the port that answers it. `ports` holds the adapters by name; one that is missing or `None` is not bound.

    Raises: `Misconfigured` (`missing_port`) when a port that the shop needs is absent, or an adapter lacks a method.
    """
    found = fitted_ports(store_, ports, awaits=False)
    bindings = [
        *absent(found),
        *store_bindings(store_),
        On(clock.Now).to(lambda _: clock_.now()),
        On(clock.NewId).to(lambda _: ids.new_id(clock_.now())),
        On(settings.ReadSettings).to(lambda _: settings_),
    ]
    for port, adapter in found.items():
        if adapter is not None and port != "store":
            bindings += [_guarded(binding, adapter) for binding in _OUTSIDE[port](adapter)]
    one = {binding.kind: binding.one for binding in bindings}
    many = {binding.kind: binding.many for binding in bindings if binding.many is not None}
    one[clock.Pause] = lambda effect: pause(effect.seconds)
    many[clock.Pause] = lambda effects: (
        [pause(max(effect.seconds for effect in effects))] * len(effects)
    )  # one wait for all
    if shares(store_):
        one[store.Commit] = ThreadLane(
            store_.commit_many, largest=store_.capabilities.batch_max, lanes=lanes_of(store_)
        )
    return Handlers(one, many)


def shares(store_: Any) -> bool:
    """Whether commits that wait should share transactions: not where a commit is only computation."""
    return not getattr(store_, "in_memory", False) and bool(store_.capabilities.batch_max > 1)


def lanes_of(store_: Any) -> int:
    """How many batches may be under way at once: two keep a server busy, one is all that a single writer can use."""
    return 2 if store_.capabilities.concurrent_writers else 1


def bulk_lanes_of(store_: Any) -> int:
    """How many batches the batching driver has under way in threads: none where that gains nothing, as with a single writer."""
    return lanes_of(store_) if shares(store_) and store_.capabilities.concurrent_writers else 0


def store_bindings(adapter: store.Store) -> tuple[Binding, ...]:
    """Bind the effects that a store answers."""
    return (
        On(store.Commit).to_many(adapter.commit_many),
        On(store.Load).to_many(lambda asked: adapter.load_many([effect.order_id for effect in asked])),
        On(store.FindKey).to_many(adapter.find_keys),
        On(store.ReadSupply).to_many(adapter.read_supply_many),
        On(store.PutStock).to_many(adapter.put_stock_many),
        On(store.ReadStock).to(adapter.read_stock),
        On(store.ReadRecords).to(adapter.read_records),
        On(store.FindOrders).to(adapter.find_orders),
        On(store.ClaimDue).to(adapter.claim_due),
        On(store.GiveUp).to(adapter.give_up),
        On(store.TakeOutbox).to(adapter.take_outbox),
        On(store.MarkPublished).to(adapter.mark_published),
        On(store.KeepMessage).to(adapter.keep_message),
        On(store.TakeMessages).to(adapter.take_messages),
        On(store.SettleMessage).to(adapter.settle_message),
    )


def _payments(adapter: payments.Payments) -> tuple[Binding, ...]:
    return On(payments.MoveMoney).to(adapter.move_money), On(payments.AskPayment).to(adapter.ask_payment)


def _carriers(adapter: carriers.Carriers) -> tuple[Binding, ...]:
    return (
        On(carriers.BookParcel).to(adapter.book_parcel),
        On(carriers.CancelParcel).to(adapter.cancel_parcel),
        On(carriers.TrackParcel).to(adapter.track_parcel),
    )


def _bus(adapter: bus.EventBus) -> tuple[Binding, ...]:
    return (On(bus.Publish).to(lambda effect: adapter.publish(effect.records)),)


def _cache(adapter: cache.Cache) -> tuple[Binding, ...]:
    return (
        On(cache.Remember).to(adapter.remember),
        On(cache.Recall).to(adapter.recall),
        On(cache.Forget).to(adapter.forget),
    )


def _search(adapter: search.SearchIndex) -> tuple[Binding, ...]:
    return (
        On(search.Index).to(lambda effect: adapter.index(effect.documents)),
        On(search.Search).to(lambda effect: adapter.search(effect.query)),
    )


def _notifications(adapter: notifications.Notifications) -> tuple[Binding, ...]:
    return (On(notifications.Notify).to(adapter.notify),)


def _documents(adapter: documents.Documents) -> tuple[Binding, ...]:
    return (
        On(documents.MakeDocument).to(adapter.make_document),
        On(documents.ReadDocument).to(adapter.read_document),
    )


_OUTSIDE: Mapping[str, Callable[[Any], tuple[Binding, ...]]] = {
    "payments": _payments,
    "carriers": _carriers,
    "bus": _bus,
    "cache": _cache,
    "search": _search,
    "notifications": _notifications,
    "documents": _documents,
}


def absent(ports: Mapping[str, Any]) -> list[Binding]:
    """Bind what a shop can do without: telling nobody, remembering nothing, making no document."""
    quiet: dict[str, list[Binding]] = {
        "bus": [On(bus.Publish).to(lambda _: None)],
        "cache": [On(kind).to(no_hint) for kind in HINTS],
        "search": [On(search.Index).to(lambda _: None)],
        "notifications": [On(notifications.Notify).to(lambda _: None)],
        "documents": [On(documents.MakeDocument).to(lambda _: "")],
    }
    return [binding for port, bindings in quiet.items() if ports.get(port) is None for binding in bindings]


def _guarded(binding: Binding, adapter: Any) -> Binding:
    """Guard the calls of an adapter; a provider or carrier may have a form for many at once, `move_money_many`, `book_parcel_many`."""
    several: Many | None = None
    if binding.kind in DOUBTFUL:
        port = "payments" if binding.kind in PORTS["payments"] else "carriers"
        several = getattr(adapter, f"{PORTS[port][binding.kind]}_many", None)
    return Binding(
        binding.kind,
        guarded(binding.kind, binding.one),
        guarded_many(binding.kind, several) if several is not None else None,
    )


# ---- the host's transaction


def refused(effect: Effect[Any]) -> Any:
    """Refuse an effect that leaves the process."""
    raise FlowMisused(
        f"{type(effect).__name__} leaves the process: it cannot run inside a transaction of the host",
        remedy="Do it before, and pass its answer (for example booked=); or let a worker go on after the host's COMMIT.",
    )


def no_hint(_: Effect[Any]) -> None:
    """Answer for a cache where there is none, or where nothing may leave the process: the flow goes without."""


def joined(handlers: Handlers, store_: Any) -> Handlers:
    """Return the handlers for a transaction of the host: the store's effects go there, and nothing leaves the process."""
    one = {kind: refused if issubclass(kind, Outside) else handler for kind, handler in handlers.one.items()}
    one |= dict.fromkeys(HINTS, no_hint)
    return Handlers({**one, **{binding.kind: binding.one for binding in store_bindings(store_)}})
