"""Lists of orders in memory: which orders a query means, what a row says, and where the next page begins. It keeps nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime

from orderkit.domain.given import instant
from orderkit.domain.order import Order
from orderkit.domain.status import payment, word
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput
from orderkit.ports.store import OrderQuery, OrderSummary

Position = tuple[datetime, str]


def position(order: Order) -> Position:
    """Return the place of an order in a list; the newest has the largest."""
    return order.placed_at, order.id


def matches(order: Order, query: OrderQuery) -> bool:
    """Whether the order meets every condition of the query; the end of a time span is not part of it."""
    facts = order.facts
    return (
        (query.customer is None or facts.customer == query.customer)
        and (query.placed_from is None or order.placed_at >= query.placed_from)
        and (query.placed_until is None or order.placed_at < query.placed_until)
        and (query.sku is None or any(line.sku == query.sku for line in facts.lines))
        and (query.tracking_number is None or any(s.tracking_number == query.tracking_number for s in order.shipments))
        and _shipped(order, query)
        and (not query.statuses or word(order) in query.statuses)
        and (not query.payment_statuses or payment(order) in query.payment_statuses)
        and (query.text is None or _spoken_of(order, query.text))
    )


def _shipped(order: Order, query: OrderQuery) -> bool:
    """Whether one shipment left within the span; an order without a span need not have shipped."""
    first, last = query.shipped_from, query.shipped_until
    if first is None and last is None:
        return True
    return any(
        (first is None or shipment.shipped_at >= first) and (last is None or shipment.shipped_at < last)
        for shipment in order.shipments
        if shipment.shipped_at is not None
    )


def _spoken_of(order: Order, text: str) -> bool:
    """Whether every word of the text is somewhere in the order, or begins its id."""
    spoken, order_id = _text(order), order.id.casefold()
    return all(part in spoken or order_id.startswith(part) for part in text.casefold().split())


def _text(order: Order) -> str:
    facts, to = order.facts, order.facts.ship_to
    words = [facts.customer, facts.reference, to.name, to.street, to.zip, to.city, to.country]
    words += [part for line in facts.lines for part in (line.sku, line.name)]
    words += [shipment.tracking_number for shipment in order.shipments if shipment.tracking_number]
    return "\n".join(words).casefold()


def summary(order: Order, *, due_at: datetime | None, due_for: str | None, parked: bool) -> OrderSummary:
    """Return the order's row. A shipment that was emptied is not counted."""
    return OrderSummary(
        id=order.id,
        customer=order.facts.customer,
        status=word(order),
        payment_status=payment(order),
        currency=order.currency,
        total_minor=order.total_minor,
        refunded_minor=order.refunded_minor,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        shipments=sum(1 for shipment in order.shipments if shipment.lines),
        due_at=due_at,
        due_for=due_for,
        parked=parked,
    )


# ---- cursors: the last position and a digest of the query, so that none goes on with another list


def cursor(query: OrderQuery, last: Position) -> str:
    """Return the cursor of the page after that position."""
    placed_at, order_id = last
    text = f"{_digest(query)} {placed_at.isoformat()} {order_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(query: OrderQuery) -> Position | None:
    """Return the position that the query's cursor names, or nothing for a first page. Raises `InvalidInput` (`invalid_cursor`)."""
    if query.cursor is None:
        return None
    try:
        text = base64.b64decode(query.cursor + "=" * (-len(query.cursor) % 4), altchars=b"-_", validate=True).decode()
        digest, placed_at, order_id = text.split(" ", 2)
        found = instant(placed_at), order_id
    except (ValueError, binascii.Error):
        raise _foreign("no page gave that cursor") from None
    if digest != _digest(query):
        raise _foreign("the cursor belongs to another query")
    return found


def _digest(query: OrderQuery) -> str:
    """The page size is not part of it: the next page may be larger."""
    return hashlib.blake2b(repr(evolve(query, cursor=None, limit=1)).encode(), digest_size=6).hexdigest()


def _foreign(message: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_cursor", field="cursor")
