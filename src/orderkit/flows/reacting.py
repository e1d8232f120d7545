"""What follows from a published record beside the order itself: messages, invoices and credit memos, search document, cache entries.

Nothing here decides anything, and everything may happen again: each effect names what it is for, so a repeat is recognized by whoever gets
it. The embedded shop reacts in its relay; with a broker the same function is what its consumers run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orderkit.domain.events import Record
from orderkit.domain.invoicing import invoices, may_credit, memos
from orderkit.domain.messages import event_of, messages_of
from orderkit.domain.money import to_text
from orderkit.domain.order import Order
from orderkit.domain.status import axes, word
from orderkit.flows.glancing import forget_latest, remember_status
from orderkit.ports.documents import MakeDocument
from orderkit.ports.notifications import Notify
from orderkit.ports.search import Index
from orderkit.ports.store import Load, ReadRecords


async def react(record: Record) -> None:
    """Do everything that follows from one record."""
    order = await Load(record.order_id)
    if order is None:
        return
    await remember_status(order)  # first: a mail that is not sent is no reason to tell what is over
    if record.version == 1:
        await forget_latest(order.facts.customer)
    papers = invoices(order, record)
    if may_credit(order, record):
        papers += memos(order, await ReadRecords(order.id))
    for paper in papers:
        await MakeDocument(id=paper.id, kind=paper.kind, order=paper.order)
    recipient = order.facts.contact or order.facts.customer
    for template, channel in messages_of(record):
        await Notify(
            id=f"{record.id}/{template}/{channel}",
            channel=channel,
            recipient=recipient,
            template=template,
            data=_told(order, record, template),
        )
    await Index((document(order),))


def _told(order: Order, record: Record, template: str) -> Mapping[str, Any]:
    """Return what fills a template: the event that it is about, as the table of events names its data, and how the order stands now."""
    return {
        "order_id": order.id,
        "event": dict(event_of(record, template).data),
        "status": record.to_status,
        "total": to_text(order.total_minor, order.currency),
        "currency": order.currency,
        "tracking": [s.tracking_number for s in order.shipments if s.tracking_number],
    }


def document(order: Order) -> Mapping[str, Any]:
    """Return the denormalized document that the search index keeps of an order."""
    facts = order.facts
    return {
        "id": order.id,
        "version": order.version,
        "customer": facts.customer,
        "status": word(order),
        "payment_status": axes(order).payment,
        "currency": order.currency,
        "total_minor": order.total_minor,
        "placed_at": order.placed_at.isoformat(),
        "shipped_at": min((s.shipped_at.isoformat() for s in order.shipments if s.shipped_at), default=None),
        "skus": [line.sku for line in facts.lines],
        "names": [line.name for line in facts.lines],
        "address": f"{facts.ship_to.name} {facts.ship_to.street} {facts.ship_to.zip} {facts.ship_to.city} {facts.ship_to.country}",
        "country": facts.ship_to.country,
        "tracking_numbers": [s.tracking_number for s in order.shipments if s.tracking_number],
        "warehouses": sorted({s.warehouse for s in order.shipments}),
    }
