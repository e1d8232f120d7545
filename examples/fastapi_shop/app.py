"""A shop's order API on FastAPI: the host signs people in and fills its shelves, the router does the rest.

    uvicorn app:app

`ORDERKIT_STORE` says where orders are kept (default: a SQLite file in the working directory), `ORDERKIT_CACHE` which cache answers for their
status (default: none), `SHOP_TOKENS` who signs in with what.
"""

from __future__ import annotations

import os
import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import orderkit
from orderkit import AsyncShop, Cart, InvalidInput, Money, Warehouse
from orderkit_fastapi import Actor, add_problem_handlers, orders_router, shop_of

STORE = os.environ.get("ORDERKIT_STORE", "sqlite:///shop.db")
CACHE = os.environ.get("ORDERKIT_CACHE")
# token:customer, separated by commas; `staff/` before a name makes a colleague. A real shop verifies tokens that it issued.
TOKENS = os.environ.get("SHOP_TOKENS", "anna-token:anna,bruno-token:bruno,sofia-token:staff/sofia")
PRICES = {"MUG": "12.50", "TEE": "20.00", "TENT-2P": "119.00"}  # a real shop asks its catalog
STOCK = {"MUG": {"berlin": 50, "madrid": 30}, "TEE": {"madrid": 40}, "TENT-2P": {"lyon": 3}}
WAREHOUSES = (
    Warehouse(id="berlin", country="DE", position=(52.52, 13.40)),
    Warehouse(id="madrid", country="ES", position=(40.42, -3.70), lead_days=2),
    Warehouse(id="lyon", country="FR", position=(45.76, 4.84), lead_days=2),
)


def actors(table: str) -> dict[str, Actor]:
    """Read who signs in with which token."""
    pairs = (pair.strip().partition(":") for pair in table.split(",") if pair.strip())
    return {
        token: Actor(name.removeprefix("staff/"), staff=name.startswith("staff/")) for token, _, name in pairs if token
    }


ACTORS = actors(TOKENS)
bearer = HTTPBearer(auto_error=False)


async def current_actor(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Actor:
    """Sign somebody in by the bearer token."""
    shown = b"" if given is None else given.credentials.encode()
    for token, actor in ACTORS.items():
        if secrets.compare_digest(token.encode(), shown):
            return actor
    raise HTTPException(401, "send Authorization: Bearer TOKEN")


async def open_shop() -> AsyncShop:
    """Open the shop, with fakes that remember in files of their own, and fill its shelves; a repeated key counts nothing twice."""
    shop = await orderkit.open_async(
        STORE,
        payments="fakepsp:///shop.psp.db",
        carriers="fakecarrier:///shop.parcels.db",
        cache=CACHE,
        warehouses=WAREHOUSES,
    )
    for sku, units in STOCK.items():
        await shop.put_stock(sku, units, key=f"opening/{sku}")
    return shop


async def check_cart(cart: Cart) -> None:
    """Refuse what is not to be had at this price: it came from a browser."""
    for line in cart.lines:
        asked, price = Money(line.unit_price_minor, cart.currency), PRICES.get(line.sku)
        if price is None:
            raise InvalidInput(f"there is no {line.sku} in the catalog", code="unknown_sku", field="sku")
        if asked != Money.parse(price, cart.currency):
            raise InvalidInput(f"{line.sku} costs {price}, not {asked}", code="total_mismatch", field="price")


app = FastAPI(title="A small shop")
app.include_router(orders_router(open_shop, actor=current_actor, sweep_seconds=5, check_cart=check_cart))
add_problem_handlers(app)


@app.post("/warehouse/orders/{order_id}/deliver", tags=["warehouse"])
async def deliver(order_id: str, who: Annotated[Actor, Depends(current_actor)], request: Request) -> dict[str, Any]:
    """Ship and deliver an order at once: a route of the host's own, so that a return can be tried without waiting for days."""
    if not who.staff:
        raise HTTPException(403, "only staff send parcels")
    shop = shop_of(request)
    order = await shop.order(order_id)
    for shipment in order.shipments:
        if shipment.waiting:
            await shop.ship(order_id, shipment.id, actor=who.name)
            order = await shop.deliver(order_id, shipment.id, actor=who.name)
    return {"order_id": order.id, "shipments": [{"shipment_id": s.id, "status": s.state} for s in order.shipments]}
