"""Every verb of a shop: those that change an order, the questions, and what keeps a shop going. A test proves that no public flow is without.

This module knows flows and nothing of adapters or drivers.
"""

from __future__ import annotations

from collections.abc import Mapping

from orderkit.domain.order import Order
from orderkit.flows import glancing, reading, stocking, webhooks, working
from orderkit.flows.advancing import advance
from orderkit.flows.kit import Caller
from orderkit.ports.effect import Flow
from orderkit.ports.store import Message
from orderkit.verb import Query
from orderkit.writes import Writes, caller_of


def _put_stock(
    sku: str,
    units: Mapping[str, int],
    *,
    reason: str = "received",
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Flow[None]:
    """Add units of a SKU to warehouses, all or none. With a `key` every shelf's receipt counts once; other units or reasons are `KeyReused`."""
    return stocking.put_stock(sku, units, caller_of(key, actor, tx), reason=reason)


def _advance(order_id: str, *, actor: str = "host") -> Flow[Order]:
    """Do now whatever is due for the order."""
    return advance(order_id, Caller(actor=actor))


def _receive_message(message: Message, *, actor: str = "webhook", tx: object | None = None) -> Flow[bool]:
    """Keep a webhook's message and apply it; the answer says whether it was new. In the host's transaction it is kept only: a worker applies it."""
    return webhooks.receive_message(message, caller_of(None, actor, tx))


class Verbs(Writes):
    """Every verb of a shop."""

    order = Query(reading.order)
    orders = Query(reading.orders)
    records = Query(reading.records)
    replay = Query(reading.replay)
    timeline = Query(reading.timeline)
    actions = Query(reading.offered)
    why = Query(reading.why)
    status = Query(glancing.status)
    latest = Query(glancing.latest)
    stock = Query(reading.stock)
    cart_of = Query(reading.cart_of)
    put_stock = Query(_put_stock)
    advance = Query(_advance)
    receive_message = Query(_receive_message)
    sweep = Query(working.sweep)
