"""Between a request and the shop: the opened shop of a router, the flows that a request runs, and the time it waits for them.

A request that places or pays is accepted in one commit; what follows goes on in a task of this process, so that the answer can say
"accepted, and not at its end yet" after the deadline. Whatever this process cannot finish, a worker does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from orderkit import AsyncShop, Caller, Glance, Order, flows
from orderkit.domain.cart import Cart
from orderkit.domain.events import Record
from orderkit.domain.order import Refund
from orderkit.domain.returns import Return
from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured, NotFound, OrderkitError
from orderkit.flows.advancing import advanced, answered_by_the_winner
from orderkit.flows.placing import accept, accept_payment, tender
from orderkit.ports.clock import NewId
from orderkit.ports.effect import Flow
from orderkit.ports.store import FindKey
from orderkit_fastapi.access import Actor, Limiter

Open: TypeAlias = Callable[[], Awaitable[AsyncShop]]
CheckCart: TypeAlias = Callable[[Cart], Awaitable[None]]

_log = logging.getLogger("orderkit_fastapi")


@attrs.define(eq=False)
class Desk:
    """What the routes of one router share: the shop while it is open, its currency, its limits, and what still runs."""

    currency: str
    limiter: Limiter
    check_cart: CheckCart | None = None
    _shop: AsyncShop | None = None
    _running: set[asyncio.Task[Any]] = attrs.field(factory=set)

    @property
    def shop(self) -> AsyncShop:
        """The shop that the router's lifespan opened."""
        if self._shop is None:
            raise no_lifespan()
        return self._shop

    @asynccontextmanager
    async def opened(self, open_shop: Open, sweep_seconds: float | None) -> AsyncIterator[AsyncShop]:
        """Open the shop, sweep it if asked to, and close it when all is told."""
        async with await open_shop() as shop:
            self._shop = shop
            sweeping = None if sweep_seconds is None else asyncio.create_task(_sweeping(shop, sweep_seconds))
            try:
                yield shop
            finally:
                self._shop = None
                if sweeping is not None:
                    sweeping.cancel()
                    with suppress(asyncio.CancelledError):
                        await sweeping
                if self._running:
                    await asyncio.wait(self._running)

    async def finished(self, flow: Flow[Order]) -> Order | None:
        """Run what follows an acceptance; nothing when it takes longer than the deadline, or fails: the order stands all the same."""
        task = asyncio.create_task(self.shop.run(flow))
        self._running.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=self.shop.settings.answer_within.total_seconds())
        return task.result() if done and not task.cancelled() and task.exception() is None else None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("an accepted order is left to a worker: %s", error, exc_info=error)


def no_lifespan() -> Misconfigured:
    """Return the error of a request that came before any shop was opened."""
    return Misconfigured(
        "the lifespan of the orders router did not run",
        remedy="Use app.include_router(orders_router(...)) on the application that the server runs; "
        "a mounted application runs no lifespan, and a test client only inside its `with`.",
    )


async def _sweeping(shop: AsyncShop, seconds: float) -> None:
    """Go on with what is due, again and again; what fails is tried again in the next round."""
    while True:
        try:
            found = await shop.sweep()
        except OrderkitError as error:
            _log.warning("a sweep failed: %s", error)
            await asyncio.sleep(seconds)
            continue
        if found.error:
            _log.warning("something is not told yet, and comes again: %s", found.error)
        if found.idle:
            await asyncio.sleep(seconds)


@attrs.frozen(kw_only=True)
class Answer:
    """An order after a request; `replayed` says that an earlier request with the key did it. `tenders` are the payments that it added."""

    order: Order
    replayed: bool = False
    refund: Refund | None = None
    tenders: tuple[str, ...] = ()


def caller_of(who: Actor, key: str | None = None) -> Caller:
    """Return the caller that the actor is to flows; keys belong to their actor."""
    return Caller(actor=who.name, principal=who.name, key=key, correlation=key or "")


async def owned(order_id: str, who: Actor) -> Order:
    """Return the order if it is the actor's business; else there is no word on whether it exists."""
    if not order_id.isprintable():
        raise _missing(order_id)
    order = await flows.order(order_id)
    if not who.may_see(order.facts.customer):
        raise _missing(order_id)
    return order


async def glanced(order_id: str, who: Actor) -> Glance:
    """Return where an order stands, if it is the actor's business, from the cache where it knows."""
    if not order_id.isprintable():
        raise _missing(order_id)
    found = await flows.status(order_id)
    if not who.may_see(found.customer):
        raise _missing(order_id)
    return found


def _missing(order_id: str) -> NotFound:
    return NotFound(f"no order {order_id!r}", code="order_not_found", field="order_id")


async def placed(desk: Desk, cart: Cart, method: str, caller: Caller) -> Answer:
    """Place the order, and wait for its first answer as long as the deadline allows; prices are the host's to check, before anything begins.

    Not those of a repeat: what was ordered under the key stands, whatever it costs today.
    """
    shop = desk.shop
    if desk.check_cart is not None and not await shop.run(_spent(caller, "place")):
        await desk.check_cart(cart)
    accepted = await shop.run(accept(cart, method, caller))
    if accepted.replayed:
        return Answer(order=await shop.run(answered_by_the_winner(accepted.order)), replayed=True)
    return Answer(order=await desk.finished(advanced(accepted.order, caller)) or accepted.order)


async def paid(desk: Desk, order_id: str, method: str, amount: Decimal | None, who: Actor, caller: Caller) -> Answer:
    """The same for another payment of an order, or of what is missing on it."""

    async def accepted() -> Answer:
        currency = (await owned(order_id, who)).currency
        replayed = await _spent(caller, "pay")
        order = await accept_payment(order_id, tender(method, amount, currency=currency), caller)
        record = await _record(order_id, "pay", caller)
        added = () if record is None else tuple(payment.id for payment in record.change.payments)
        return Answer(order=order, replayed=replayed, tenders=added)

    answer = await desk.shop.run(accepted())
    if answer.replayed:
        return attrs.evolve(answer, order=await desk.shop.run(answered_by_the_winner(answer.order)))
    return attrs.evolve(answer, order=await desk.finished(advanced(answer.order, caller)) or answer.order)


async def cancelled(
    order_id: str, units: dict[str | int, int] | None, who: Actor, caller: Caller, *, reason: str, shipment: str | None
) -> Answer:
    """Cancel, and find the refund that this request granted: another may have granted one meanwhile."""
    await owned(order_id, who)
    replayed, caller = await _spent(caller, "cancel"), await _named(caller)
    order = await flows.cancel(order_id, units, caller, reason=reason, shipment=shipment)
    record = await _record(order_id, "cancel", caller)
    granted = {refund.id for refund in record.change.refunds} if record is not None else set()
    refund = next((refund for refund in order.refunds if refund.id in granted), None)
    return Answer(order=order, replayed=replayed, refund=refund)


async def returned(
    order_id: str,
    units: dict[str | int, int],
    who: Actor,
    caller: Caller,
    *,
    reasons: dict[str | int, str],
    method: str,
) -> tuple[Answer, Return]:
    """Open a return, and find it: another may have been opened since, when the key is a repeat."""
    await owned(order_id, who)
    replayed, caller = await _spent(caller, "request_return"), await _named(caller)
    reason = next(iter(reasons.values()))
    order = await flows.request_return(order_id, units, caller, reason=reason, reasons=reasons, method=method)
    record = await _record(order_id, "request_return", caller)
    ids = {found.id for found in record.change.returns} if record is not None else set()
    return Answer(order=order, replayed=replayed), next(found for found in order.returns if found.id in ids)


async def short_of(order_id: str) -> list[dict[str, Any]]:
    """Return what an order that was out of stock was short of."""
    told = [event for record in await flows.records(order_id) for event in record.events]
    return next((list(dict(event.data)["short"]) for event in told if event.type == "order.out_of_stock"), [])


async def _spent(caller: Caller, operation: str) -> bool:
    return caller.key is not None and await FindKey(caller.principal, operation, caller.key) is not None


async def _named(caller: Caller) -> Caller:
    """A request without a key gets a name too, by which its commit is found in the log."""
    return caller if caller.correlation else evolve(caller, correlation=await NewId())


async def _record(order_id: str, command: str, caller: Caller) -> Record | None:
    """Return the commit of this request."""
    mine = (command, caller.actor, caller.correlation)
    found = await flows.records(order_id)
    return next((r for r in found if (r.stamp.command, r.stamp.actor, r.stamp.correlation) == mine), None)
