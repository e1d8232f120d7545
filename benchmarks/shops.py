"""Shops for benchmarks: opened on a database with stock in it and a provider in the same process, telling nobody; and callers who place orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orderkit
from benchmarks.load import Load, closed_loop, collect_rarely
from benchmarks.workload import AsyncProvider, Provider, Workload
from orderkit import AsyncShop, Shop, flows

QUIET: Mapping[str, Any] = {"bus": None, "notifications": None, "documents": None}
STOCK_BATCH = 1_000


def open_shop(url: str, **options: Any) -> Shop:
    """Open a shop for programs without an event loop."""
    return orderkit.open(url, payments=Provider(), **QUIET, **options)


@asynccontextmanager
async def open_async_shop(url: str, *, latency: float = 0.0, **options: Any) -> AsyncIterator[AsyncShop]:
    """Open a shop on the running event loop, whose provider takes so many seconds for an answer."""
    async with await orderkit.open_async(url, payments=AsyncProvider(latency), **QUIET, **options) as shop:
        yield shop


def stocked(shop: Shop, workload: Workload) -> None:
    """Put plenty of everything on the shelves."""
    for sku, units in workload.stock().items():
        shop.put_stock(sku, units)


def place_many(shop: Shop, workload: Workload, count: int, *, first: int = 0) -> list[str]:
    """Place orders in batches, as an import would, and return their ids."""
    placing = (
        flows.place(workload.cart(n), "pm_visa", orderkit.Caller(key=workload.key(n)))
        for n in range(first, first + count)
    )
    ids: list[str] = []
    for answer in shop.run_many(placing):
        if isinstance(answer, Exception):
            raise answer
        ids.append(answer.order.id)
    return ids


async def placement(
    url: str, workload: Workload, *, callers: int, seconds: float, first: int = 0, server_pid: int | None = None
) -> Load:
    """Let callers place orders one after the other, each with a key, in one process; numbers count from `first`."""
    async with open_async_shop(url) as shop:
        collect_rarely()

        async def place(n: int) -> None:
            await shop.place(workload.cart(n), "pm_visa", key=workload.key(n))

        return await closed_loop(
            place,
            callers=callers,
            seconds=seconds,
            warm_up=min(seconds / 5, 3.0),
            first=first,
            server_pid=server_pid,
        )
