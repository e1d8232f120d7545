"""The router: the requirements' endpoints over an `AsyncShop`, opened and closed by the router's own lifespan.

Hosts include it (`app.include_router`). An application that is mounted into another runs no lifespan; the first request says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import attrs
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse

from orderkit import AsyncShop, Cart, OrderQuery, flows
from orderkit.catalog import CATALOG
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.status import PAYMENT_STATUSES, word
from orderkit.errors import InvalidInput, NotFound, OrderkitError
from orderkit_fastapi import answers, bodies, serving
from orderkit_fastapi.access import Actor, Limiter
from orderkit_fastapi.problems import ProblemRoute, responses
from orderkit_fastapi.serving import CheckCart, Desk, Open, caller_of, no_lifespan, owned


def orders_router(
    open_shop: Open,
    *,
    actor: Callable[..., Any],
    currency: str = "EUR",
    prefix: str = "/api/v1",
    requests_per_second: float = 50.0,
    burst: int = 100,
    sweep_seconds: float | None = None,
    check_cart: CheckCart | None = None,
) -> APIRouter:
    """Return a router over the shop that `open_shop` opens; `actor` is a FastAPI dependency that answers with an `Actor`.

    Without a dependency for the actor there is no router: who may see an order is the host's word. `requests_per_second` and `burst` are
    per actor and process. With `sweep_seconds` this process is a worker too: it looks that often for what is due.

    **Prices come with the request.** Where customers send it themselves, `check_cart` looks at the cart before anything begins, and raises
    `InvalidInput` (`total_mismatch`) when it is not to be had at these prices; without it whoever may place an order says what it costs.
    """
    desk = Desk(currency, Limiter(requests_per_second, burst), check_cart)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        async with desk.opened(open_shop, sweep_seconds) as shop:
            yield {"orderkit_shop": shop}

    async def signed_in(request: Request, who: Any = Depends(actor)) -> None:  # noqa: B008  (`actor` is known in here only)
        desk.limiter.take(who.name)
        request.state.orderkit_desk, request.state.orderkit_actor = desk, who

    outer = APIRouter(prefix=prefix, lifespan=lifespan, route_class=ProblemRoute)
    outer.add_api_route(
        "/problems/{code}",
        explain,
        summary="What an error code means",
        tags=["problems"],
        responses=responses(404, 422),
    )
    usual = responses(400, 401, 403, 404, 409, 422, 429, 500, 503)
    orders = APIRouter(
        prefix="/orders", dependencies=[Depends(signed_in)], route_class=ProblemRoute, tags=["orders"], responses=usual
    )
    for path, method, endpoint, status in _ROUTES:
        more = responses(402, 502) if status == _CREATED else {}
        orders.add_api_route(path, endpoint, methods=[method], status_code=status, responses=more, **_shown(endpoint))
    outer.include_router(orders)
    return outer


def _shown(endpoint: Callable[..., Any]) -> dict[str, Any]:
    name = endpoint.__name__
    return {
        "name": name,
        "operation_id": f"{name}_orders" if name == "find" else f"{name}_order",
        "summary": (endpoint.__doc__ or "").rstrip("."),
    }


def shop_of(request: Request) -> AsyncShop:
    """Return the shop of the request's application, for the host's own routes."""
    shop: AsyncShop | None = getattr(request.state, "orderkit_shop", None)
    if shop is None:
        raise no_lifespan()
    return shop


def _desk(request: Request) -> Desk:
    desk: Desk = request.state.orderkit_desk
    return desk


def _actor(request: Request) -> Actor:
    who: Actor = request.state.orderkit_actor
    return who


def _bare(key: str) -> str:
    """The draft standard writes keys as quoted strings; most clients write them bare."""
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key  # noqa: PLR2004  (two quotes)


def _required_key(key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]) -> str:
    return _bare(key)


def _optional_key(
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)] = None,
) -> str | None:
    return None if key is None else _bare(key)


At = Annotated[Desk, Depends(_desk)]
Who = Annotated[Actor, Depends(_actor)]
Key = Annotated[str, Depends(_required_key)]
KeyIfAny = Annotated[str | None, Depends(_optional_key)]


async def place(body: bodies.OrderBody, key: Key, desk: At, who: Who, request: Request) -> Response:
    """Place an order."""
    return await _ordered(body.cart(who.id, desk.currency), body.payment_method_id, key, desk, who, request)


async def reorder(order_id: str, body: bodies.PayBody, key: Key, desk: At, who: Who, request: Request) -> Response:
    """Order the same again."""

    async def again() -> Cart:
        await owned(order_id, who)
        return await flows.cart_of(order_id)

    return await _ordered(await desk.shop.run(again()), body.payment_method_id, key, desk, who, request)


async def _ordered(cart: Cart, method: str, key: str, desk: Desk, who: Actor, request: Request) -> Response:
    answer = await serving.placed(desk, cart, method, caller_of(who, key))
    short = []
    if answers.out_of_stock(answer.order):
        short = await desk.shop.run(serving.short_of(answer.order.id))
    return answers.placed(answer, request, short=short)


async def pay(order_id: str, body: bodies.MissingBody, key: Key, desk: At, who: Who, request: Request) -> Response:
    """Pay an order again whose payment failed, or what is missing on a confirmed one."""
    answer = await serving.paid(desk, order_id, body.payment_method_id, body.amount, who, caller_of(who, key))
    return answers.paid(answer, request)


async def cancel(order_id: str, body: bodies.CancelBody, key: KeyIfAny, desk: At, who: Who) -> Response:
    """Cancel an order, some of its units, or a shipment."""
    units = None if body.items is None else bodies.counted(body.items)
    flow = serving.cancelled(order_id, units, who, caller_of(who, key), reason=body.reason, shipment=body.shipment_id)
    answer = await desk.shop.run(flow)
    shown = {"order_id": answer.order.id, "status": word(answer.order), **bodies.refunded(answer.order, answer.refund)}
    return JSONResponse(shown, headers=answers.headers(answer.order, replayed=answer.replayed))


async def give_back(order_id: str, body: bodies.ReturnBody, key: KeyIfAny, desk: At, who: Who) -> Response:
    """Send delivered units back."""
    reasons: dict[str | int, str] = {item.sku_id: item.reason for item in body.items}
    flow = serving.returned(
        order_id,
        bodies.counted(body.items),
        who,
        caller_of(who, key),
        reasons=reasons,
        method=body.return_method,
    )
    answer, found = await desk.shop.run(flow)
    told = answers.headers(answer.order, replayed=answer.replayed)
    return JSONResponse(bodies.opened(answer.order, found), headers=told)


async def amend(
    order_id: str,
    body: bodies.AmendBody,
    desk: At,
    who: Who,
    if_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Change the address or the delivery before the cutoff."""
    changes = body.shipping_address, body.delivery_preference
    if sum(change is not None for change in changes) != 1:
        raise InvalidInput("change one thing at a time: shipping_address or delivery_preference", field="body")
    order = await desk.shop.run(owned(order_id, who))
    if if_match not in (None, "*", answers.tag(order)):
        raise OrderkitError(
            f"the order is at version {order.version} now", code="version_conflict", facts={"version": order.version}
        )
    seen = None if if_match in (None, "*") else order.version  # the flow looks again: another may amend meanwhile
    caller = caller_of(who)
    if body.shipping_address is not None:
        address = body.shipping_address.address()
        order = await desk.shop.run(flows.amend_address(order_id, address, caller, expected_version=seen))
    if body.delivery_preference is not None:
        wish = bodies.preference(body.delivery_preference)
        order = await desk.shop.run(flows.amend_delivery(order_id, wish, caller, expected_version=seen))
    return JSONResponse(bodies.shown(order), headers=answers.headers(order))


async def find(
    desk: At,
    who: Who,
    request: Request,
    user: Annotated[str | None, Query(description="Whose orders; customers see their own")] = None,
    status: Annotated[list[str] | None, Query()] = None,
    payment_status: Annotated[list[str] | None, Query()] = None,
    product: Annotated[str | None, Query(description="A SKU")] = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
    placed_from: datetime | None = None,
    placed_until: datetime | None = None,
    shipped_from: datetime | None = None,
    shipped_until: datetime | None = None,
    tracking_number: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> Response:
    """Find orders: history and search."""
    if user is not None and not who.may_see(user):
        raise OrderkitError("only staff see other customers' orders", code="forbidden", field="user")
    conditions: dict[str, Any] = {
        "customer": user if who.staff else who.id,
        "statuses": tuple(status or ()),
        "payment_statuses": tuple(payment_status or ()),
        "sku": product,
        "text": text,
        "placed_from": placed_from,
        "placed_until": placed_until,
        "shipped_from": shipped_from,
        "shipped_until": shipped_until,
        "tracking_number": tracking_number,
        "limit": limit,
        "cursor": cursor,
    }
    _checked(request, conditions)
    page = await desk.shop.orders(OrderQuery(**conditions))
    headers = {"Cache-Control": "no-store"}
    if page.cursor:
        headers["Link"] = f'<{answers.link(request.url.include_query_params(cursor=page.cursor))}>; rel="next"'
    return JSONResponse(
        {"orders": [bodies.summarized(row) for row in page.items], "next_cursor": page.cursor}, headers=headers
    )


def _checked(request: Request, conditions: Mapping[str, Any]) -> None:
    """Refuse a filter or a status that nobody knows (its answer would look like an empty shop), a time without its zone, a NUL."""
    filters = _parameters(request.scope["route"].dependant)
    words = {"status": STATUS.states, "payment_status": PAYMENT_STATUSES}
    for name, value in request.query_params.multi_items():
        if name not in filters:
            raise InvalidInput(f"no such filter; there are {', '.join(sorted(filters))}", code="malformed", field=name)
        if value not in words.get(name, (value,)):
            raise InvalidInput(f"no such status; there are {', '.join(words[name])}", code="malformed", field=name)
    for name, value in conditions.items():
        if isinstance(value, datetime) and value.tzinfo is None:
            raise InvalidInput("say the time zone, for example 2026-03-01T00:00:00Z", code="malformed", field=name)
        if any("\0" in part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, str)):
            raise InvalidInput("a NUL is no text", code="malformed", field=name)


def _parameters(dependant: Dependant) -> set[str]:
    """Return the query parameters of an endpoint and of all it depends on, such as the host's own for its actor."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_parameters, dependant.dependencies))


async def show(order_id: str, desk: At, who: Who, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Show one order."""
    order = await desk.shop.run(owned(order_id, who))
    if if_none_match == answers.tag(order):
        return Response(status_code=304, headers=answers.headers(order))
    return JSONResponse(bodies.shown(order), headers=answers.headers(order))


async def status(order_id: str, desk: At, who: Who, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Say where an order stands, from the cache where it knows: for pages that ask often."""
    found = await desk.shop.run(serving.glanced(order_id, who))
    told = {"ETag": answers.tag_of(order_id, found.version), "Cache-Control": "no-store"}
    if if_none_match == told["ETag"]:
        return Response(status_code=304, headers=told)
    return JSONResponse(bodies.glanced(found), headers=told)


async def timeline(order_id: str, desk: At, who: Who) -> dict[str, Any]:
    """Tell everything that happened to an order."""
    await desk.shop.run(owned(order_id, who))
    found = await desk.shop.timeline(order_id)
    return {
        "order_id": order_id,
        "entries": [
            {"at": e.at.isoformat(), "event": e.event, "text": e.text, "actor": e.actor} for e in found.entries
        ],
    }


async def actions(order_id: str, desk: At, who: Who) -> dict[str, Any]:
    """Say what may be done with an order, until when, and why not."""
    order = await desk.shop.run(owned(order_id, who))
    found = await desk.shop.actions(order_id)
    return {"order_id": order_id, "actions": [bodies.offered(action, order.currency) for action in found]}


async def explain(code: str) -> dict[str, Any]:
    """Say what an error code means and what to do about it."""
    entry = CATALOG.get(code)
    if entry is None:
        raise NotFound(f"no error has the code {code!r}", field="code")
    return attrs.asdict(entry)


_CREATED = 201
_ROUTES: tuple[tuple[str, str, Callable[..., Any], int], ...] = (
    ("", "POST", place, _CREATED),
    ("", "GET", find, 200),
    ("/{order_id}", "GET", show, 200),
    ("/{order_id}", "PATCH", amend, 200),
    ("/{order_id}/cancel", "POST", cancel, 200),
    ("/{order_id}/return", "POST", give_back, 200),
    ("/{order_id}/payments", "POST", pay, _CREATED),
    ("/{order_id}/reorder", "POST", reorder, _CREATED),
    ("/{order_id}/status", "GET", status, 200),
    ("/{order_id}/timeline", "GET", timeline, 200),
    ("/{order_id}/actions", "GET", actions, 200),
)
