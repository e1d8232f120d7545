"""The router: the requirements' endpoints over an `AsyncShop`, opened and closed by the router's own lifespan.

Hosts include it (`app.include_router`); a mounted sub-application would not run its lifespan, and says so at the first request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from orderkit import AsyncShop, Caller, Order, OrderQuery, flows
from orderkit.catalogue import CATALOGUE
from orderkit.domain.status import word
from orderkit.errors import InvalidInput, Misconfigured, NotFound, OrderkitError
from orderkit_fastapi import bodies
from orderkit_fastapi.access import Actor, Limiter
from orderkit_fastapi.problems import ProblemRoute, problem, responses

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Open = Callable[[], Awaitable[AsyncShop]]


def orders_router(
    open_shop: Open,
    *,
    actor: Callable[..., Any],
    currency: str = "EUR",
    prefix: str = "/api/v1",
    requests_per_second: float = 50.0,
    burst: int = 100,
) -> APIRouter:
    """Return a router over the shop that `open_shop` opens; `actor` is a FastAPI dependency that answers with an `Actor`.

    Without a dependency for the actor there is no router: who may see an order is the host's word.
    """
    limiter = Limiter(requests_per_second, burst)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        shop = await open_shop()
        async with shop:
            yield {"orderkit_shop": shop}

    def limited(who: Annotated[Actor, Depends(actor)]) -> Actor:
        limiter.take(who.id)
        return who

    router = APIRouter(
        prefix=prefix,
        lifespan=lifespan,
        route_class=ProblemRoute,
        tags=["orders"],
        responses=responses(400, 401, 403, 404, 409, 422, 429, 500, 503),
    )
    _place(router, limited, currency)
    _read(router, limited)
    _change(router, limited)
    _return(router, limited)
    _explain(router)
    return router


def shop_of(request: Request) -> AsyncShop:
    """Return the shop that the router's lifespan opened."""
    shop = getattr(request.state, "orderkit_shop", None)
    if shop is None:
        raise Misconfigured(
            "the router's lifespan did not run",
            remedy="Use app.include_router(orders_router(...)) on the main application; a mounted sub-application runs no lifespan.",
        )
    found: AsyncShop = shop
    return found


def _acting(who: Actor, key: str | None = None) -> Caller:
    name = f"staff:{who.id}" if who.staff else f"customer:{who.id}"
    return Caller(actor=name, principal=who.id, key=key, correlation=key or "")


async def _owned(shop: AsyncShop, order_id: str, who: Actor) -> Order:
    order = await shop.order(order_id)
    if not who.may_see(order.facts.customer):
        raise NotFound(f"no order {order_id!r}", code="order_not_found", field="order_id")  # no word on whether it exists
    return order


def _place(router: APIRouter, limited: Callable[..., Any], currency: str) -> None:
    @router.post("/orders", status_code=201, summary="Place an order", responses=responses(402, 502))
    async def place(body: bodies.OrderBody, key: Key, request: Request, who: Annotated[Actor, Depends(limited)]) -> Response:
        shop = shop_of(request)
        accepted = await shop.run(flows.place(body.cart(who.id, currency), body.payment_method_id, _acting(who, key)))
        return _placed(accepted.order, request.url.path, replayed=accepted.replayed)

    @router.post("/orders/{order_id}/payments", status_code=201, summary="Pay an order again", responses=responses(402, 502))
    async def pay(
        order_id: str, body: bodies.PayBody, key: Key, request: Request, who: Annotated[Actor, Depends(limited)]
    ) -> Response:
        shop = shop_of(request)
        await _owned(shop, order_id, who)
        order = await shop.run(flows.pay(order_id, body.payment_method_id, _acting(who, key)))
        return _placed(order, request.url.path)

    @router.post("/orders/{order_id}/reorder", status_code=201, summary="Order the same again", responses=responses(402, 502))
    async def reorder(
        order_id: str, body: bodies.PayBody, key: Key, request: Request, who: Annotated[Actor, Depends(limited)]
    ) -> Response:
        shop = shop_of(request)
        await _owned(shop, order_id, who)
        cart = await shop.cart_of(order_id)
        accepted = await shop.run(flows.place(cart, body.payment_method_id, _acting(who, key)))
        return _placed(accepted.order, request.url.path, replayed=accepted.replayed)


def _placed(order: Order, path: str, *, replayed: bool = False) -> Response:
    """Say how a placement went: done, declined, out of stock, or nobody knows yet."""
    extra = {"order_id": order.id, "status": word(order)}
    if order.state == "payment_pending":
        return problem("payment_unknown", "the payment provider has not answered", path=path, extra={**extra, "outcome": "unknown"})
    if order.state == "payment_failed":
        return problem("payment_declined", order.reason or "declined", path=path, extra=extra)
    if order.state == "cancelled" and (order.reason or "").startswith("out_of_stock"):
        skus = (order.reason or "").partition(":")[2].split(",")
        return problem("out_of_stock", f"out of stock: {', '.join(skus)}", path=path, extra={**extra, "facts": {"skus": skus}})
    headers = {"Location": f"{path.split('/orders', maxsplit=1)[0]}/orders/{order.id}", "ETag": f'"{order.id}:v{order.version}"'}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(bodies.placed(order), status_code=201, headers=headers)


def _read(router: APIRouter, limited: Callable[..., Any]) -> None:
    @router.get("/orders", summary="Order history and search")
    async def find(
        request: Request,
        who: Annotated[Actor, Depends(limited)],
        user: Annotated[str | None, Query(description="Staff only; customers see their own orders")] = None,
        status: Annotated[list[str] | None, Query()] = None,
        product: Annotated[str | None, Query(description="A SKU")] = None,
        text: Annotated[str | None, Query(max_length=200)] = None,
        placed_from: datetime | None = None,
        placed_until: datetime | None = None,
        shipped_from: datetime | None = None,
        shipped_until: datetime | None = None,
        tracking_number: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        if user is not None and not who.may_see(user):
            raise OrderkitError("only staff see other customers' orders", code="forbidden", field="user")
        query = OrderQuery(
            customer=user if who.staff else who.id,
            statuses=tuple(status or ()),
            sku=product,
            text=text,
            placed_from=_aware(placed_from, "placed_from"),
            placed_until=_aware(placed_until, "placed_until"),
            shipped_from=_aware(shipped_from, "shipped_from"),
            shipped_until=_aware(shipped_until, "shipped_until"),
            tracking_number=tracking_number,
            limit=limit,
            cursor=cursor,
        )
        page = await shop_of(request).orders(query)
        return {"orders": [bodies.summarized(row) for row in page.items], "next_cursor": page.cursor}

    @router.get("/orders/{order_id}", summary="One order")
    async def show(order_id: str, request: Request, response: Response, who: Annotated[Actor, Depends(limited)]) -> dict[str, Any]:
        order = await _owned(shop_of(request), order_id, who)
        response.headers["ETag"] = f'"{order.id}:v{order.version}"'
        response.headers["Cache-Control"] = "no-store"
        return bodies.shown(order)

    @router.get("/orders/{order_id}/timeline", summary="Everything that happened to an order")
    async def timeline(order_id: str, request: Request, who: Annotated[Actor, Depends(limited)]) -> dict[str, Any]:
        shop = shop_of(request)
        await _owned(shop, order_id, who)
        found = await shop.timeline(order_id)
        return {
            "order_id": order_id,
            "entries": [{"at": e.at.isoformat(), "event": e.event, "text": e.text, "actor": e.actor} for e in found.entries],
        }

    @router.get("/orders/{order_id}/actions", summary="What may be done with an order, and why not")
    async def actions(order_id: str, request: Request, who: Annotated[Actor, Depends(limited)]) -> dict[str, Any]:
        shop = shop_of(request)
        await _owned(shop, order_id, who)
        return {"order_id": order_id, "actions": [bodies.offered(action) for action in await shop.actions(order_id)]}


def _aware(moment: datetime | None, field: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidInput("say the time zone, for example 2026-03-01T00:00:00Z", field=field)
    return moment


def _change(router: APIRouter, limited: Callable[..., Any]) -> None:
    @router.post("/orders/{order_id}/cancel", summary="Cancel an order, some items, or a shipment")
    async def cancel(
        order_id: str,
        body: bodies.CancelBody,
        request: Request,
        who: Annotated[Actor, Depends(limited)],
        key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
    ) -> dict[str, Any]:
        shop = shop_of(request)
        before = await _owned(shop, order_id, who)
        units: dict[str | int, int] = {}
        for item in body.items or ():
            units[item.sku_id] = units.get(item.sku_id, 0) + item.quantity
        order = await shop.run(
            flows.cancel(order_id, units or None, _acting(who, key), reason=body.reason, shipment=body.shipment_id)
        )
        given = [refund for refund in order.refunds if refund.id not in {r.id for r in before.refunds}] or list(order.refunds[-1:])
        return {"order_id": order.id, "status": word(order), **bodies.refunded(order, given[-1] if given else None)}

    @router.patch("/orders/{order_id}", summary="Change the address or the delivery before the cutoff")
    async def amend(
        order_id: str,
        body: bodies.AmendBody,
        request: Request,
        who: Annotated[Actor, Depends(limited)],
        if_match: Annotated[str | None, Header()] = None,
    ) -> dict[str, Any]:
        shop = shop_of(request)
        order = await _owned(shop, order_id, who)
        if if_match is not None and if_match != f'"{order.id}:v{order.version}"':
            raise OrderkitError(
                f"the order is at version {order.version} now", code="version_conflict", facts={"version": order.version}
            )
        if body.shipping_address is not None:
            order = await shop.run(flows.amend_address(order_id, body.shipping_address.address(), _acting(who)))
        if body.delivery_preference is not None:
            order = await shop.run(flows.amend_delivery(order_id, body.delivery_preference.preference(), _acting(who)))
        return bodies.shown(order)


def _return(router: APIRouter, limited: Callable[..., Any]) -> None:
    @router.post("/orders/{order_id}/return", summary="Send delivered items back")
    async def give_back(
        order_id: str,
        body: bodies.ReturnBody,
        request: Request,
        who: Annotated[Actor, Depends(limited)],
        key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
    ) -> dict[str, Any]:
        shop = shop_of(request)
        await _owned(shop, order_id, who)
        units: dict[str | int, int] = {}
        for item in body.items:
            units[item.sku_id] = units.get(item.sku_id, 0) + item.quantity
        reasons: dict[str | int, str] = {item.sku_id: item.reason for item in body.items}
        order = await shop.run(
            flows.request_return(
                order_id, units, _acting(who, key), reason=body.items[0].reason, reasons=reasons, method=body.return_method
            )
        )
        found = order.returns[-1]
        expected = flows.expected_refund(order, found)
        return {
            "return_id": found.id,
            "return_label_url": found.label_url,
            "refund_amount": bodies.money(expected, order),
            "refund_status": "on_receipt",
        }


def _explain(router: APIRouter) -> None:
    @router.get("/problems/{code}", summary="What an error code means", tags=["problems"])
    async def explain(code: str) -> dict[str, Any]:
        entry = CATALOGUE.get(code)
        if entry is None:
            raise NotFound(f"no error has the code {code!r}", field="code")
        return {
            "code": entry.code,
            "title": entry.title,
            "status": entry.status,
            "fault": entry.fault,
            "outcome": entry.outcome,
            "retryable": entry.retryable,
            "remedy": entry.remedy,
        }
