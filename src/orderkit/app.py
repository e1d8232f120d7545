"""The composition root: `open` and `open_async` turn URLs into a shop. Which adapter answers what is decided here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from orderkit.domain.allocation import Rules, Warehouse
from orderkit.domain.order import Order, Policies
from orderkit.domain.promise import Handling
from orderkit.errors import Misconfigured, OrderkitError
from orderkit.plans import AsyncPlans, Plans
from orderkit.ports.clock import Clock, Ids
from orderkit.ports.effect import Flow
from orderkit.ports.settings import Settings
from orderkit.runtime.admission import Admission
from orderkit.runtime.batch import run_each, run_many
from orderkit.runtime.bindings import Handlers, bound, bulk_lanes_of, joined
from orderkit.runtime.clocks import SystemClock, UuidIds
from orderkit.runtime.gates import gated, gated_async, named_gate
from orderkit.runtime.observe import Metrics, observed, observed_async, observer
from orderkit.runtime.opening import check_watchers, checked_clock, checked_ids, chosen, wrong
from orderkit.runtime.sync import check_flow, run_sync
from orderkit.verb import Command, staged
from orderkit.verbs import Verbs

if TYPE_CHECKING:  # asyncio is a third of the time that `import orderkit` would take
    from orderkit.runtime.asynchronous import AsyncHandlers  # noqa: F401  (named in quotes below)

A = TypeVar("A")
H = TypeVar("H")

PORTS = {
    "payments": "fakepsp:",
    "carriers": "fakecarrier:",
    "bus": "memory:",
    "cache": None,
    "search": None,
    "notifications": "memory:",
    "documents": "memory:",
}


class _Shop(Generic[H]):
    """What a sync and an async shop have in common: settings, adapters, and what was opened here and must be closed here."""

    def __init__(
        self, settings: Settings, handlers: H, ports: Mapping[str, Any], owned: Sequence[Any], admission: Admission
    ) -> None:
        self.settings = settings
        self.store = ports["store"]
        self._listening = tuple([ports[name] for name in ("bus", "notifications", "documents", "search")])
        self._handlers: H = handlers
        self._owned = tuple(owned)
        self._admission = admission

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._admission.closed

    @property
    def is_heard(self) -> bool:
        """Whether anybody hears of its events who is not in this process's memory alone: a bus, a channel to customers, an index."""
        return any(port is not None and not getattr(port, "in_memory", False) for port in self._listening)

    def _joined_to(self, tx: object) -> Any:
        """Return the store inside the host's transaction. Raises: `Misconfigured`."""
        if not self.store.capabilities.joins_host_transaction:
            raise Misconfigured(
                "this store cannot join a transaction of the host",
                field="tx",
                remedy="Leave tx= out, or keep the orders in the database that the transaction is of.",
            )
        return self.store.joined(tx)


class Shop(_Shop[Handlers], Verbs):
    """An order shop for programs without an event loop. Safe to use from many threads: commits that wait share transactions."""

    @property
    def plan(self) -> Plans:
        """Every verb as a dry run."""
        return Plans(self._handlers, self._admission)

    def run(self, flow: Flow[A], *, tx: object | None = None) -> A:
        """Run a flow; with `tx`, inside the transaction that the host has open there. Raises `Overloaded` before its first effect."""
        check_flow(flow)
        try:
            with self._admission:
                return run_sync(flow, self._handlers if tx is None else joined(self._handlers, self._joined_to(tx)))
        except OrderkitError:  # it may not have begun: a connection that cannot be joined, or no room
            flow.close()
            raise

    def run_many(
        self, flows: Iterable[Flow[A]], *, in_flight: int = 512, lanes: int | None = None
    ) -> list[A | Exception]:
        """Run many flows together; equal effects share one call of their port. Answers or exceptions, in order.

        Up to `lanes` batches of commits are waited for in threads while the other flows go on: by default as many as the store can use.
        With `lanes=0` everything happens in this thread, and commits come in the same order each time. Who stops early, also by Ctrl-C,
        waits for the commits that are under way.
        """
        return run_many(flows, self._handlers, in_flight=in_flight, **self._limits(lanes))

    def run_each(
        self, flows: Iterable[Flow[A]], *, in_flight: int = 512, lanes: int | None = None
    ) -> Iterator[tuple[int, A | Exception]]:
        """The same for an iterable of any length; yields (position, answer or exception) as flows end."""
        return run_each(flows, self._handlers, in_flight=in_flight, **self._limits(lanes))

    def _limits(self, lanes: int | None) -> dict[str, int]:
        self._admission.check_open()
        if lanes is None:
            lanes = bulk_lanes_of(self.store)
        return {"largest": self.store.capabilities.batch_max, "lanes": lanes}

    def perform(self, command: Command[Any], tx: object | None) -> Order:
        """Run a verb: all of it, or what it accepts in the host's transaction."""
        try:
            if tx is None:
                return self.run(command.whole())
            return staged(self.run(command.accepted(), tx=tx))
        except OrderkitError:  # it may not have begun: a connection that cannot be joined, or no room
            command.accept.close()
            raise

    def close(self) -> None:
        """Close what this shop opened."""
        if not self._admission.closed:
            self._admission.closed = True
            _close(self._owned)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncShop(_Shop["AsyncHandlers"], Verbs):
    """An order shop for an event loop: the same verbs, awaited. Concurrent commits travel together."""

    @property
    def plan(self) -> AsyncPlans:
        """Every verb as a dry run."""
        return AsyncPlans(self._handlers, self._admission)

    async def run(self, flow: Flow[A], *, tx: object | None = None) -> A:
        """Run a flow; with `tx`, inside the transaction that the host has open there. Raises `Overloaded` before its first effect."""
        check_flow(flow)
        try:
            with self._admission:
                return await (self._handlers if tx is None else self._handlers.joined(self._joined_to(tx))).run(flow)
        except OrderkitError:  # it may not have begun: a connection that cannot be joined, or no room
            flow.close()
            raise

    async def perform_async(self, command: Command[Any], tx: object | None) -> Order:
        """Run a verb: all of it, or what it accepts in the host's transaction."""
        try:
            if tx is None:
                return await self.run(command.whole())
            return staged(await self.run(command.accepted(), tx=tx))
        except OrderkitError:  # it may not have begun: a connection that cannot be joined, or no room
            command.accept.close()
            raise

    async def close(self) -> None:
        """Close what this shop opened."""
        if not self._admission.closed:
            self._admission.closed = True
            await _closed(self._owned)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


_BOTH_WORLDS = ("store", "payments", "carriers")  # ports with a form for event loops


def _opened(plugins: Sequence[object], given: Mapping[str, Any], owned: list[Any], *, awaits: bool) -> dict[str, Any]:
    """Open what was given as a URL, and take what was given as an object; only the former, put into `owned` at once, is closed later."""
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (pluggy is only needed to open)

    found = Plugins(*_listed(plugins))
    ports: dict[str, Any] = {}
    for name, adapter in given.items():
        ports[name] = adapter
        if isinstance(adapter, str):
            opens = f"open_async_{name}" if awaits and name in _BOTH_WORLDS else f"open_{name}"
            ports[name] = _named(name, getattr(found, opens), adapter)
            owned.append(ports[name])
    return ports


def _close(adapters: Iterable[Any]) -> None:
    for adapter in adapters:
        adapter.close()


async def _closed(adapters: Iterable[Any]) -> None:
    for adapter in adapters:
        closing = adapter.close()
        if isinstance(closing, Awaitable):
            await closing


def _named(port: str, opens: Callable[[str], Any], url: str) -> Any:
    """Open the adapter; an error that names nothing more exact names the port."""
    try:
        return opens(url)
    except OrderkitError as error:
        error.field = error.field or port
        raise


def _listed(plugins: object) -> Sequence[object]:
    if not isinstance(plugins, Iterable) or isinstance(plugins, (str, bytes)):
        raise wrong("plugins", f"plugins= takes a list of objects with hooks, not {plugins!r}")
    return list(plugins)


def open(  # noqa: A001  (the shop's own word, as in `shelve.open`)
    store: Any = "memory:",
    *,
    payments: Any = PORTS["payments"],
    carriers: Any = PORTS["carriers"],
    bus: Any = PORTS["bus"],
    cache: Any = None,
    search: Any = None,
    notifications: Any = PORTS["notifications"],
    documents: Any = PORTS["documents"],
    warehouses: Iterable[Warehouse] = (),
    rules: Rules | None = None,
    handling: Handling | Mapping[str, Handling] | None = None,
    policies: Policies | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    plugins: Sequence[object] = (),
    running_max: int | None = None,
    logs: object = False,
    metrics: Metrics | None = None,
) -> Shop:
    """Open a shop. Adapters are given as URLs, or as objects that the caller closes.

    `running_max` bounds the flows that run at a time; one more is refused as `Overloaded` before its first effect. `logs` is `True` for
    structlog's logger, or a logger of that kind; `metrics` takes numbers.

    Raises: `Misconfigured`, with the name of the argument, when a URL is wrong, no adapter has its scheme, a driver is missing, or a port that the
    shop needs, and for every setting that cannot be one.
    """
    given = {
        "store": store,
        "payments": payments,
        "carriers": carriers,
        "bus": bus,
        "cache": cache,
        "search": search,
        "notifications": notifications,
        "documents": documents,
    }
    clock = checked_clock(SystemClock() if clock is None else clock)
    ids = checked_ids(UuidIds() if ids is None else ids)
    found = chosen(settings, warehouses, rules, handling, policies)
    check_watchers(logs, metrics)
    admission = Admission(running_max)
    owned: list[Any] = []
    try:
        ports = _opened(plugins, given, owned, awaits=False)
        handlers = bound(store_=ports["store"], clock_=clock, ids=ids, settings_=found, ports=ports, pause=time.sleep)
    except BaseException:
        _close(owned)
        raise
    watched = gated(observed(handlers, observer(logs=logs, metrics=metrics)), named_gate())
    return Shop(found, watched, ports, owned, admission)


async def open_async(
    store: Any = "memory:",
    *,
    payments: Any = PORTS["payments"],
    carriers: Any = PORTS["carriers"],
    bus: Any = PORTS["bus"],
    cache: Any = None,
    search: Any = None,
    notifications: Any = PORTS["notifications"],
    documents: Any = PORTS["documents"],
    warehouses: Iterable[Warehouse] = (),
    rules: Rules | None = None,
    handling: Handling | Mapping[str, Handling] | None = None,
    policies: Policies | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    plugins: Sequence[object] = (),
    running_max: int | None = None,
    logs: object = False,
    metrics: Metrics | None = None,
) -> AsyncShop:
    """Open a shop on the running event loop; the arguments are those of `open`. Sync adapters are run in threads."""
    given = {
        "store": store,
        "payments": payments,
        "carriers": carriers,
        "bus": bus,
        "cache": cache,
        "search": search,
        "notifications": notifications,
        "documents": documents,
    }
    import asyncio  # noqa: PLC0415  (here and not above: whoever has an event loop has it already)

    from orderkit.runtime.asynchronous import bound_async  # noqa: PLC0415  (it needs asyncio)

    clock = checked_clock(SystemClock() if clock is None else clock)
    ids = checked_ids(UuidIds() if ids is None else ids)
    found = chosen(settings, warehouses, rules, handling, policies)
    check_watchers(logs, metrics)
    admission = Admission(running_max)
    owned: list[Any] = []
    try:
        ports = await asyncio.to_thread(_opened, plugins, given, owned, awaits=True)
        handlers = bound_async(store_=ports["store"], clock_=clock, ids=ids, settings_=found, ports=ports)
    except BaseException:
        await _closed(owned)
        raise
    watched = gated_async(observed_async(handlers, observer(logs=logs, metrics=metrics)), named_gate())
    return AsyncShop(found, watched, ports, owned, admission)
