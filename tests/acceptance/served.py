"""An application with the orders router, served in this process on the loop of the test: its lifespan runs, requests are real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import attrs
import pytest
from httpx2 import ASGITransport, AsyncClient, Response

import orderkit
from orderkit import AsyncShop

try:
    from fastapi import FastAPI, Header, HTTPException

    from orderkit_fastapi import Actor, add_problem_handlers, orders_router
except ModuleNotFoundError:
    pytest.skip("FastAPI is not installed (pip install 'orderkit[fastapi]')", allow_module_level=True)

CART = {
    "items": [{"sku_id": "MUG", "quantity": 3, "price": "12.50"}, {"sku_id": "TEE", "quantity": 1, "price": "20.00"}],
    "shipping_address": {"street": "Invalidenstr. 1", "city": "Berlin", "zip": "10115", "country": "DE"},
    "payment_method_id": "pm_visa",
    "delivery_preference": "standard",
}
STOCK = {"MUG": {"berlin": 200, "madrid": 100}, "TEE": {"madrid": 200}}
PROBLEM = "application/problem+json"


async def current_actor(authorization: Annotated[str | None, Header()] = None) -> Actor:
    """Sign in whoever says a name; `staff/` before it makes a colleague."""
    if authorization is None:
        raise HTTPException(401, "who is there?")
    name = authorization.removeprefix("Bearer ")
    return Actor(name.removeprefix("staff/"), staff=name.startswith("staff/"))


@attrs.define
class Web:
    """A client of the application, and the shop behind it."""

    client: AsyncClient
    shop: AsyncShop
    app: FastAPI

    async def ask(
        self, method: str, path: str, *, who: str | None = "anna", key: str | None = None, **more: Any
    ) -> Response:
        """Send a request as somebody, with a key."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {who}"
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.request(method, path, headers=headers, **more)

    async def place(self, key: str, *, who: str | None = "anna", **changes: Any) -> Response:
        """Place the cart, with changes."""
        return await self.ask("POST", "/api/v1/orders", who=who, key=key, json={**CART, **changes})

    async def delivered(self, order_id: str) -> None:
        """Let everything of the order arrive."""
        for shipment in (await self.shop.order(order_id)).shipments:
            await self.shop.ship(order_id, shipment.id)
            await self.shop.deliver(order_id, shipment.id)


def problem(answer: Response, status: int, code: str, outcome: str = "not_applied") -> dict[str, Any]:
    """Check that the answer is a whole problem of that kind, and return it."""
    assert answer.headers["content-type"] == PROBLEM, answer.text
    body: dict[str, Any] = answer.json()
    found = (answer.status_code, body["status"], body["code"], body["outcome"], body["type"])
    assert found == (status, status, code, outcome, f"/problems/{code}")
    assert {"title", "detail", "hint", "instance", "retryable"} <= set(body)
    return body


def opening(
    store: str, *, stock: dict[str, dict[str, int]] | None = None, **options: Any
) -> Callable[[], Awaitable[AsyncShop]]:
    """Return what opens a shop on the store with full shelves."""

    async def open_shop() -> AsyncShop:
        shop = await orderkit.open_async(store, **options)
        for sku, units in (STOCK if stock is None else stock).items():
            await shop.put_stock(sku, units, key=f"opening/{sku}")
        return shop

    return open_shop


@asynccontextmanager
async def served(open_shop: Callable[[], Awaitable[AsyncShop]], **options: Any) -> AsyncIterator[Web]:
    """Serve an application whose host part is the three lines of the documentation."""
    app = FastAPI()
    app.include_router(orders_router(open_shop, **{"actor": current_actor, "burst": 1_000, **options}))
    add_problem_handlers(app)
    async with running(app) as (client, state):
        yield Web(client, state["orderkit_shop"], app)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[tuple[AsyncClient, dict[str, Any]]]:
    """Run the lifespan of the application and hand its state to every request, as servers do."""
    async with app.router.lifespan_context(app) as state:

        async def entry(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = ASGITransport(app=entry, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://shop.example") as client:
            yield client, dict(state or {})
