"""Which port answers which effect. A shop has one set of handlers; drivers look effects up in it and wait in their own way.

A handler is for one effect, or for many equal ones at once. What a provider's adapter raises without having declared it counts as `Unknown`:
nobody knows what happened. An effect without a port is found when the shop opens, not when the first order comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from orderkit.errors import FlowMisused, Misconfigured, OrderkitError
from orderkit.ports import bus, cache, carriers, clock, documents, notifications, payments, search, settings, store
from orderkit.ports.effect import All, Effect, Outside

One: TypeAlias = Callable[[Any], Any]
Many: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]

BATCHED: Mapping[type[Effect[Any]], str] = {
    store.Commit: "commit_many",
    store.FindKey: "find_keys",
    store.ReadSupply: "read_supply_many",
    store.PutStock: "put_stock_many",
}
STORE: Mapping[type[Effect[Any]], str] = {
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
}
OUTSIDE: Mapping[type[Effect[Any]], tuple[str, str]] = {
    payments.MoveMoney: ("payments", "move_money"),
    payments.AskPayment: ("payments", "ask_payment"),
    carriers.BookParcel: ("carriers", "book_parcel"),
    carriers.CancelParcel: ("carriers", "cancel_parcel"),
    carriers.TrackParcel: ("carriers", "track_parcel"),
    cache.Remember: ("cache", "remember"),
    cache.Recall: ("cache", "recall"),
    cache.Forget: ("cache", "forget"),
    notifications.Notify: ("notifications", "notify"),
    documents.MakeDocument: ("documents", "make_document"),
}
_UNPACKED: Mapping[type[Effect[Any]], tuple[str, str, str]] = {
    bus.Publish: ("bus", "publish", "records"),
    search.Index: ("search", "index", "documents"),
    search.Search: ("search", "search", "query"),
    documents.ReadDocument: ("documents", "read_document", "url"),
}
_DOUBTFUL = (payments.MoveMoney, payments.AskPayment, carriers.BookParcel, carriers.CancelParcel)
_HINTS = (cache.Remember, cache.Recall, cache.Forget)


@attrs.frozen
class Handlers:
    """The answers to effects: `one` by effect type, and `many` where a port takes several at once."""

    one: Mapping[type[Effect[Any]], One]
    many: Mapping[type[Effect[Any]], Many] = attrs.field(factory=dict)

    def answer(self, effect: Effect[Any]) -> Any:
        """Answer one effect."""
        handler = self.one.get(type(effect))
        if handler is None:
            if isinstance(effect, All):
                return tuple(self.answer(inner) for inner in checked(effect).effects)
            raise unanswered(effect)
        return handler(effect)

    def over(self, more: Mapping[type[Effect[Any]], One], many: Mapping[type[Effect[Any]], Many] | None = None) -> Handlers:
        """Return the handlers with some replaced."""
        return Handlers({**self.one, **more}, {k: v for k, v in {**self.many, **(many or {})}.items() if k not in more or k in (many or {})})


def checked(effect: All) -> All:
    """Refuse commits among effects that run at once."""
    if any(isinstance(inner, (store.Commit, All)) for inner in effect.effects):
        raise FlowMisused("effects that run at once must not be commits or groups: commit one after the other")
    return effect


def unanswered(effect: object) -> OrderkitError:
    """Return the error for an effect that no port answers."""
    kind = type(effect)
    for table in (OUTSIDE, _UNPACKED):
        if kind in table:
            port = table[kind][0]
            return Misconfigured(
                f"no adapter answers {kind.__name__}",
                code="missing_port",
                field=port,
                remedy=f"Pass {port}=URL to orderkit.open(), for example {port}='memory:'.",
            )
    return Misconfigured(f"no adapter answers {kind.__name__}", code="missing_port")


def bound(
    *,
    store_: Any,
    clock_: Any,
    ids: Any,
    settings_: settings.Settings,
    ports: Mapping[str, Any],
    pause: Callable[[float], Any],
) -> Handlers:
    """Bind every effect to the port that answers it. `ports` holds the adapters by name; one that is missing or `None` is not bound."""
    one: dict[type[Effect[Any]], One] = store_handlers(store_)
    many: dict[type[Effect[Any]], Many] = {kind: getattr(store_, name) for kind, name in BATCHED.items()}
    many[store.Load] = lambda effects: store_.load_many([e.order_id for e in effects])
    one[clock.Now] = lambda _: clock_.now()
    one[clock.NewId] = lambda _: ids.new_id(clock_.now())
    one[clock.Pause] = lambda effect: pause(effect.seconds)
    one[settings.ReadSettings] = lambda _: settings_
    for kind, (port, method) in OUTSIDE.items():
        if (adapter := ports.get(port)) is not None:
            one[kind] = _outside(kind, getattr(adapter, method))
            if (several := getattr(adapter, f"{method}_many", None)) is not None:
                many[kind] = several
        elif kind in _HINTS:
            one[kind] = lambda _: None
    for kind, (port, method, field) in _UNPACKED.items():
        if (adapter := ports.get(port)) is not None:
            call = getattr(adapter, method)
            one[kind] = lambda effect, call=call, field=field: call(getattr(effect, field))
    for kind, port in ((search.Index, "search"), (bus.Publish, "bus"), (notifications.Notify, "notifications")):
        if ports.get(port) is None:
            one[kind] = lambda _: None
    if ports.get("documents") is None:
        one[documents.MakeDocument] = lambda _: ""
    return Handlers(one, many)


def store_handlers(store_: Any) -> dict[type[Effect[Any]], One]:
    """Bind the effects that a store answers to it, one at a time."""
    one: dict[type[Effect[Any]], One] = {kind: getattr(store_, name) for kind, name in STORE.items()}
    for kind, name in BATCHED.items():
        one[kind] = _single(getattr(store_, name))
    one[store.Load] = lambda effect: store_.load_many([effect.order_id])[0]
    return one


def _single(call: Many) -> One:
    """Ask a batched method for one answer; an error that is the element's answer is raised."""

    def ask(effect: Any) -> Any:
        answer = call([effect])[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def joined(handlers: Handlers, store_: Any) -> Handlers:
    """Return the handlers for a transaction of the host: the store's effects go there, and nothing leaves the process."""

    def refuse(effect: Effect[Any]) -> Any:
        raise FlowMisused(
            f"{type(effect).__name__} leaves the process: it cannot run inside a transaction of the host",
            remedy="Do it before, and pass its answer (for example booked=); or let a worker go on after the host's COMMIT.",
        )

    one = {kind: refuse if issubclass(kind, Outside) else handler for kind, handler in handlers.one.items()}
    return Handlers({**one, **store_handlers(store_)})


def _outside(kind: type[Effect[Any]], call: One) -> One:
    """Guard a call that leaves the process: a doubtful one that fails is in doubt, a hint that fails is none."""

    def guarded(effect: Any) -> Any:
        try:
            return call(effect)
        except OrderkitError:
            raise
        except Exception as error:  # an undeclared failure: nobody knows whether it happened
            if kind in _DOUBTFUL:
                return payments.Unknown(type(error).__name__)
            if kind in _HINTS:
                return None
            raise

    return guarded
