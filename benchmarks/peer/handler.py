"""A hand-written FastAPI handler on SQLAlchemy's ORM, async, with a pool: decent code, nothing tuned beyond the pool's size.

It is called over ASGI in this process, without a socket and without an HTTP client, so all that is measured is the handler, FastAPI and
the database.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.load import Load, closed_loop
from benchmarks.peer.models import OutOfStock, accepted, confirmed, filled
from benchmarks.peer.task import asked, charge, request, tell


class Address(BaseModel):
    """Where an order goes."""

    name: str
    street: str
    zip: str
    city: str
    country: str


class Line(BaseModel):
    """What is ordered."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str


class Ordered(BaseModel):
    """An order as it is posted."""

    customer: str
    currency: str
    ship_to: Address
    lines: list[Line]
    payment_method: str
    note: str


class Answer(BaseModel):
    """The answer."""

    id: str
    status: str


def app_on(sessions: async_sessionmaker[AsyncSession]) -> FastAPI:
    """Return the application."""
    app = FastAPI()

    @app.post("/orders", status_code=201)
    async def place(order: Ordered, idempotency_key: Annotated[str, Header()]) -> Answer:
        body = order.model_dump(mode="json")
        try:
            async with sessions.begin() as session:
                order_id, payment_id, total = await session.run_sync(accepted, idempotency_key, body)
        except OutOfStock as short:
            raise HTTPException(409, f"out of stock: {short}") from short
        if payment_id is None:
            return Answer(id=str(order_id), status="known")
        reference = charge(idempotency_key, total)
        async with sessions.begin() as session:
            status = await session.run_sync(confirmed, order_id, payment_id, reference)
        return Answer(id=str(order_id), status=status)

    return app


async def posted(app: FastAPI, path: str, key: str, body: bytes) -> int:
    """Call the application as a server would, and return the status."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"idempotency-key", key.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]  # plain dicts are what ASGI says
    status: int = sent[0]["status"]
    return status


async def run() -> Load:
    """Place orders for some seconds."""
    wanted = asked()
    engine = create_async_engine(wanted.sqlalchemy_url, pool_size=min(wanted.callers, 20), max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions() as session:
        await session.run_sync(filled)
    app = app_on(sessions)

    async def place(n: int) -> None:
        status = await posted(app, "/orders", f"checkout-{n:012d}", json.dumps(request(n)).encode())
        if status != 201:  # noqa: PLR2004  (created)
            raise RuntimeError(f"the handler answered {status}")

    load = await closed_loop(
        place, callers=wanted.callers, seconds=wanted.seconds, warm_up=2, server_pid=wanted.server_pid
    )
    await engine.dispose()
    return load


if __name__ == "__main__":
    tell(asyncio.run(run()))
