"""What a verb is: declared once, and bound to the sync shop, the async shop or the dry run.

A `Verb` is a descriptor: the same declaration is `shop.cancel(…) -> Order` on a `Shop`, an awaitable of it on an `AsyncShop`, and a `Preview` on
`shop.plan`. It is two parts: what is *accepted* in one commit, which may join a transaction of the host (`tx=`), and what follows once that is
durable. Arguments of another kind than declared are refused as it is called. This module knows no verb in particular.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

import attrs

from orderkit.arguments import Arguments
from orderkit.domain.order import Order
from orderkit.domain.preview import Preview
from orderkit.domain.value import as_dict
from orderkit.flows.advancing import followed
from orderkit.ports.effect import Flow

P = ParamSpec("P")
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Staged(Order):
    """An order as it will be when the host's transaction commits; until then nothing has happened, and no provider was called."""


def staged(order: Order) -> Staged:
    """Return the order marked as not yet applied."""
    return Staged(**as_dict(order))


@attrs.frozen
class Command(Generic[A]):
    """A verb at work: what is accepted in one commit, the order that gives, and what follows."""

    accept: Flow[A]
    order_of: Callable[[A], Order]
    follow: Callable[[A], Flow[Order]]

    async def whole(self) -> Order:
        """Accept, then go on."""
        accepted = await self.accept
        return await followed(self.order_of(accepted), self.follow(accepted))

    async def accepted(self) -> Order:
        """Accept only."""
        return self.order_of(await self.accept)


class SyncRuns(Protocol):
    """A shop without an event loop."""

    def perform(self, command: Command[Any], tx: object | None) -> Order: ...
    def run(self, flow: Flow[A], *, tx: object | None = None) -> A: ...


class AsyncRuns(Protocol):
    """A shop on an event loop."""

    async def perform_async(self, command: Command[Any], tx: object | None) -> Order: ...
    async def run(self, flow: Flow[A], *, tx: object | None = None) -> A: ...


class Previews(Protocol):
    """The dry run of a shop."""

    def preview(self, command: Command[Any], tx: object | None = None, /) -> Preview: ...


class AsyncPreviews(Protocol):
    """The dry run of an async shop."""

    async def preview_async(self, command: Command[Any], tx: object | None = None, /) -> Preview: ...


class Verb(Generic[P]):
    """A write: declared as a function from its arguments to a `Command`, bound to whatever runs it."""

    def __init__(self, build: Callable[P, Command[Any]]) -> None:
        self._build, self._arguments = build, Arguments(build)
        self.__doc__, self.__name__ = build.__doc__, build.__name__

    @overload
    def __get__(self, shop: None, owner: type) -> Verb[P]: ...
    @overload
    def __get__(self, shop: SyncRuns, owner: type) -> Callable[P, Order]: ...
    @overload
    def __get__(self, shop: AsyncRuns, owner: type) -> Callable[P, Awaitable[Order]]: ...
    @overload
    def __get__(self, shop: Previews, owner: type) -> Callable[P, Preview]: ...
    @overload
    def __get__(self, shop: AsyncPreviews, owner: type) -> Callable[P, Awaitable[Preview]]: ...
    def __get__(self, shop: Any, owner: type) -> Any:
        if shop is None:
            return self
        name = next(name for name in ("perform", "perform_async", "preview", "preview_async") if hasattr(shop, name))
        run = getattr(shop, name)

        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            self._arguments.check(args, kwargs)
            return run(self._build(*args, **kwargs), kwargs.get("tx"))

        return _told(self._build, bound, awaited=name.endswith("_async"))


class Query(Generic[P, A_co]):
    """A question, or a piece of housekeeping: declared as a function from its arguments to a flow.

    One that writes takes `tx=` as well: its flow is then one that leaves nothing outside of the store.
    """

    def __init__(self, build: Callable[P, Flow[A_co]]) -> None:
        self._build, self._arguments = build, Arguments(build)
        self.__doc__, self.__name__ = build.__doc__, build.__name__

    @overload
    def __get__(self, shop: None, owner: type) -> Query[P, A_co]: ...
    @overload
    def __get__(self, shop: SyncRuns, owner: type) -> Callable[P, A_co]: ...
    @overload
    def __get__(self, shop: AsyncRuns, owner: type) -> Callable[P, Awaitable[A_co]]: ...
    def __get__(self, shop: Any, owner: type) -> Any:
        if shop is None:
            return self

        def bound(*args: P.args, **kwargs: P.kwargs) -> Any:
            self._arguments.check(args, kwargs)
            tx = kwargs.get("tx")
            flow = self._build(*args, **kwargs)
            return shop.run(flow) if tx is None else shop.run(flow, tx=tx)

        return _told(self._build, bound, awaited=hasattr(shop, "perform_async"))


def _told(build: Callable[..., Any], bound: Callable[..., Any], *, awaited: bool) -> Callable[..., Any]:
    """Return what a verb is on a shop, with the verb's own name and words. Where it is awaited, it says no where it is awaited, not before."""
    if not awaited:
        return functools.wraps(build)(bound)

    @functools.wraps(build)
    async def asked(*args: Any, **kwargs: Any) -> Any:
        return await bound(*args, **kwargs)

    return asked
