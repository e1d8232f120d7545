"""Which message a customer gets for which event, over which channels. A table; hosts replace it by their own."""

from __future__ import annotations

from collections.abc import Mapping

from orderkit.domain.events import Event, Record

MESSAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "order.confirmed": ("order_confirmation", ("email",)),
    "order.payment_failed": ("payment_failed", ("email",)),
    "order.out_of_stock": ("out_of_stock", ("email",)),
    "order.cancelled": ("order_cancelled", ("email",)),
    "order.units_cancelled": ("items_cancelled", ("email",)),
    "order.amended": ("order_amended", ("email",)),
    "order.amendment_failed": ("amendment_failed", ("email",)),
    "shipment.shipped": ("shipped", ("email", "sms")),
    "shipment.out_for_delivery": ("out_for_delivery", ("push",)),
    "shipment.delivered": ("delivered", ("email", "push")),
    "shipment.lost": ("shipment_lost", ("email",)),
    "shipment.cancelled": ("shipment_cancelled", ("email",)),
    "return.authorized": ("return_label", ("email",)),
    "return.declined": ("return_declined", ("email",)),
    "return.received": ("return_received", ("email",)),
    "return.expired": ("return_expired", ("email",)),
    "refund.completed": ("refunded", ("email",)),
    "refund.returned": ("refund_returned", ("email",)),
}


def messages(events: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return (template, channel) for the events, each once, in order."""
    found: dict[tuple[str, str], None] = {}
    for event in events:
        template, channels = MESSAGES.get(event, ("", ()))
        for channel in channels:
            found[template, channel] = None
    return tuple(found)


def messages_of(record: Record) -> tuple[tuple[str, str], ...]:
    """Return (template, channel) for what one commit told."""
    return messages(tuple(event.type for event in record.events))


def event_of(record: Record, template: str) -> Event:
    """Return the event of a record for which a template is sent."""
    return next(event for event in record.events if MESSAGES.get(event.type, ("",))[0] == template)
