"""A shop's order API on FastAPI: the host signs people in and stocks its shelves, the router does the rest.

    uvicorn app:app

`ORDERKIT_STORE` says where orders are kept (default: a SQLite file in the working directory), `SHOP_TOKENS` who may sign in.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import orderkit
from orderkit import AsyncShop, OrderkitError, Warehouse
from orderkit_fastapi import Actor, add_problem_handlers, orders_router

STORE = os.environ.get("ORDERKIT_STORE", "sqlite:///shop.db")
# token:customer, separated by commas; a customer who begins with `staff/` is one of us
TOKENS = os.environ.get("SHOP_TOKENS", "anna-demo-token:anna,bruno-demo-token:bruno,staff-demo-token:staff/sofia")
SWEEP_SECONDS = 1.0
STOCK = {"MUG": {"berlin": 50, "madrid": 30}, "TEE": {"madrid": 40}, "TENT-2P": {"lyon": 3}}
WAREHOUSES = (
    Warehouse(id="berlin", country="DE", position=(52.52, 13.40)),
    Warehouse(id="madrid", country="ES", position=(40.42, -3.70), lead_days=2),
    Warehouse(id="lyon", country="FR", position=(45.76, 4.84), lead_days=2),
)

bearer = HTTPBearer(auto_error=False)


def actors(table: str) -> dict[str, Actor]:
    """Read who signs in with which token."""
    pairs = (pair.strip().partition(":") for pair in table.split(",") if pair.strip())
    return {token: Actor(name.removeprefix("staff/"), staff=name.startswith("staff/")) for token, _, name in pairs}


ACTORS = actors(TOKENS)


async def current_actor(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Actor:
    """Sign somebody in by the bearer token."""
    for token, actor in ACTORS.items() if given is not None else ():
        if secrets.compare_digest(token.encode(), given.credentials.encode()):
            return actor
    raise HTTPException(401, "send Authorization: Bearer TOKEN")


async def open_shop() -> AsyncShop:
    """Open the shop and fill its shelves; a second start finds the stock counted already."""
    shop = await orderkit.open_async(STORE, warehouses=WAREHOUSES)
    for sku, units in STOCK.items():
        await shop.put_stock(sku, units, key=f"opening/{sku}")
    return shop


app = FastAPI(title="A small shop")
app.include_router(orders_router(open_shop, actor=current_actor))
add_problem_handlers(app)
