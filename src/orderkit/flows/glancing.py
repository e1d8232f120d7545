"""Glances: an order's status and a customer's latest orders, from the cache where it knows them, else from the store.

For pages that ask often and decide nothing. What a cache says is a hint: it may be as old as the relay is behind, it may be gone or nonsense,
and then the store is asked. No flow that changes anything may call these; they know no order's insides beyond its status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from orderkit.domain.given import check_text, instant, storable
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.order import Order
from orderkit.domain.status import word
from orderkit.domain.value import Value
from orderkit.flows.kit import loaded
from orderkit.ports.cache import Forget, Recall, Remember
from orderkit.ports.store import FindOrders, OrderQuery

STATUS_SECONDS, LATEST_SECONDS = 300, 3_600
LATEST_MAX = 20
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
_FIELDS = ("customer", "status", "tracking", "updated_at", "version")
# Longer than any reader holds a list before it remembers it: one that was read before the newest order must not come back.
FORGOTTEN_SECONDS = 60


class Glance(Value, kw_only=True):
    """An order at a glance: its one word, its parcels, and when it changed last. `version` tells which of two is newer."""

    order_id: str
    customer: str
    status: str
    tracking: tuple[str, ...] = ()
    updated_at: datetime
    version: int


async def status(order_id: str) -> Glance:
    """Return an order's status as the cache has it, at most as old as the relay is behind; without a cache, as the store has it.

    Raises: `NotFound` (`order_not_found`).
    """
    known = _read(order_id, await Recall(_status_key(order_id))) if storable(order_id) else None
    if known is None:
        order = await loaded(order_id)
        await remember_status(order)
        known = glance(order)
    return known


async def latest(customer: str) -> tuple[str, ...]:
    """Return the ids of a customer's latest orders, twenty at most, newest first; a new one may be missing as long as the relay is behind."""
    check_text(customer, "customer")
    ids = await Recall(_latest_key(customer))
    if isinstance(ids, tuple) and ids:
        return ids[:LATEST_MAX]
    page = await FindOrders(OrderQuery(customer=customer, limit=LATEST_MAX))
    ids = tuple([order.id for order in page.items])
    if ids:
        await Remember(_latest_key(customer), ids, LATEST_SECONDS)
    return ids


async def remember_status(order: Order) -> None:
    """Tell the cache how an order stands."""
    at = glance(order)
    fields = {
        "status": at.status,
        "tracking": json.dumps(at.tracking, ensure_ascii=False),
        "updated_at": at.updated_at.isoformat(),
        "version": str(at.version),
        "customer": at.customer,
    }
    await Remember(_status_key(order.id), fields, STATUS_SECONDS)


async def forget_latest(customer: str) -> None:
    """Tell the cache that a customer has a new order."""
    await Forget(_latest_key(customer), FORGOTTEN_SECONDS)


def glance(order: Order) -> Glance:
    """Return an order at a glance."""
    return Glance(
        order_id=order.id,
        customer=order.facts.customer,
        status=word(order),
        tracking=tuple([s.tracking_number for s in order.shipments if s.tracking_number]),
        updated_at=order.updated_at,
        version=order.version,
    )


def _read(order_id: str, entry: object) -> Glance | None:
    """Return what an entry says, if it says all of it: others may write there too."""
    if not isinstance(entry, Mapping) or not all(isinstance(entry.get(name), str) for name in _FIELDS):
        return None
    try:
        numbers, at = json.loads(entry["tracking"]), instant(entry["updated_at"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(numbers, list) or not all(isinstance(number, str) for number in numbers):
        return None
    if entry["status"] not in STATUS.states or _VERSION.fullmatch(entry["version"]) is None:
        return None
    return Glance(
        order_id=order_id,
        customer=entry["customer"],
        status=entry["status"],
        tracking=tuple(numbers),
        updated_at=at,
        version=int(entry["version"]),
    )


def _status_key(order_id: str) -> str:
    return f"order_status:{order_id}"


def _latest_key(customer: str) -> str:
    return f"user_orders:{customer}"
