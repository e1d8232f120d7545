"""Every type of event, when it is told, and what its data hold: what subscribers of the bus, notifications and reports may build on.

Names are stable. A type may get a field more, which older records lack; what a field says is never changed without a higher `schema` of its event.
Nothing here decides anything, and nothing is told through it: the tests hold what the domain tells against this table, and the reference is made
from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orderkit.domain.value import Value


class FieldKind(StrEnum):
    """What a field of an event's data is in JSON."""

    TEXT = "text"
    COUNT = "number"
    MINOR = "minor units of the order's currency"
    TIME = "ISO 8601 in UTC"
    UNITS = "units by number of the line"
    LIST = "list"


class Named(Value):
    """What a name in the data of events stands for. `none` says that it may be `null`."""

    says: str
    kind: FieldKind = FieldKind.TEXT
    none: bool = False


class EventType(Value):
    """When an event is told, and the names in its data: those that are always there, and those that may be."""

    says: str
    data: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


FIELDS: Mapping[str, Named] = {
    "added": Named("the numbers of the new lines", FieldKind.LIST),
    "amount_minor": Named("how much it is about", FieldKind.MINOR),
    "at": Named("when, by the word of whoever said so", FieldKind.TIME),
    "attempts": Named("how often it was tried", FieldKind.COUNT),
    "by": Named("`release`, or `expire` when its time was up"),
    "carrier": Named("the name of the carrier"),
    "carrier_status": Named("the carrier's word, in orderkit's terms"),
    "credited_minor": Named("how much less the customer owes; `refund` tells what becomes of it", FieldKind.MINOR),
    "currency": Named("ISO 4217"),
    "customer": Named("the id of the customer, as the host gave it"),
    "difference_minor": Named("how much more the order costs", FieldKind.MINOR),
    "error": Named("what went wrong, as orderkit or an adapter says it"),
    "finding": Named("what a person should look at"),
    "findings": Named("what nobody has to look at any more", FieldKind.LIST),
    "hold": Named("the id of the hold"),
    "items": Named("`line`, `quantity` and `reason` of each", FieldKind.LIST),
    "kind": Named("`charge`, `authorize`, `capture`, `void` or `refund`"),
    "line": Named("the number of the line", FieldKind.COUNT),
    "lines": Named("how many lines the order has", FieldKind.COUNT),
    "missing_minor": Named("how much money was missing, of the order or of the shipment", FieldKind.MINOR),
    "not_before": Named("the day before which nothing should come; an empty text if there is none"),
    "operation": Named("the id of the money movement"),
    "paid_minor": Named("how much of it the provider sent back", FieldKind.MINOR),
    "payment": Named("the id of the payment"),
    "quantity": Named("units", FieldKind.COUNT),
    "reason": Named("why, as a person, a host or a provider put it, or a word of orderkit's own"),
    "receipt": Named("the id of the receipt"),
    "refund": Named("the id of the refund; `null` where money goes back that no refund was decided for", none=True),
    "return": Named("the id of the return"),
    "saga": Named("the id of the sequence of steps that is done"),
    "service": Named("`standard`, `express` or `pickup`"),
    "shipment": Named("the id of the shipment; `null` where money is captured for none", none=True),
    "shipments": Named("`id`, `warehouse` and `units` (a number) of each", FieldKind.LIST),
    "short": Named("`line`, `sku`, `asked` and `available` of each", FieldKind.LIST),
    "sku": Named("what is sold"),
    "total_minor": Named("what the order costs, or what the refund is worth", FieldKind.MINOR),
    "tracking_number": Named("the parcel's number at its carrier"),
    "units": Named("which units", FieldKind.UNITS),
    "until": Named("until when goods are promised", FieldKind.TIME),
    "warehouse": Named("the id of the warehouse"),
    "what": Named("`ship_to`, `delivery` or `lines`"),
}

_MONEY = ("payment", "operation", "amount_minor", "currency")
_CANCELLED = ("units", "reason", "credited_minor", "refund")
_TRAVEL = ("shipment", "carrier_status", "at")

EVENT_TYPES: Mapping[str, EventType] = {
    "order.placed": EventType(
        "An order is there; with `order.out_of_stock` in the same record it is cancelled at once.",
        ("customer", "total_minor", "currency", "lines", "shipments"),
    ),
    "order.out_of_stock": EventType("Not all could be promised, so nothing was sold.", ("short",)),
    "order.confirmed": EventType("It is paid, or safely authorized.", ("total_minor", "currency")),
    "order.payment_failed": EventType(
        "A tender was refused, and the goods are free again.", ("reason", "total_minor", "currency")
    ),
    "order.payment_retried": EventType("Another tender is tried, and the goods are promised again."),
    "order.cancelled": EventType("Nothing of the order is left.", ("reason",)),
    "order.units_cancelled": EventType("Units will not come, and are credited.", _CANCELLED),
    "order.amended": EventType(
        "The address, the wish for delivery or the lines are others.",
        ("what",),
        ("added", "difference_minor", "service", "not_before"),
    ),
    "order.amendment_paid": EventType("New lines are paid for.", ("saga",)),
    "order.amendment_failed": EventType("New lines were not paid for, and are off again.", _CANCELLED),
    "order.held": EventType("Goods are stopped for a reason.", ("hold", "reason")),
    "order.hold_released": EventType("That reason is gone.", ("hold", "reason", "by")),
    "order.needs_attention": EventType(
        "A person should look at it. Some findings come and go with other events: an order's own `findings` are the truth.",
        ("finding",),
        ("attempts", "error", "missing_minor"),
    ),
    "order.attended": EventType("A person has looked at it.", ("finding",)),
    "order.nothing_missing": EventType("What was missing has come, or is not due any more.", ("findings",)),
    "order.reservation_extended": EventType(
        "Nobody knows yet whether the customer paid: goods stay promised.", ("until",)
    ),
    "order.reservation_expired": EventType("It was not paid for in time."),
    "line.backordered": EventType(
        "Units wait for goods; after a warehouse refused them, `shipment.refused` or `shipment.short` says so.",
        ("line", "sku", "quantity"),
    ),
    "line.allocated": EventType("Goods were found for units that waited.", ("units",)),
    "shipment.released": EventType(
        "Handed to the warehouse before it leaves; what leaves at once is told by `shipment.shipped` alone.",
        ("shipment", "warehouse"),
    ),
    "shipment.refused": EventType("The warehouse cannot pack any of it.", ("shipment", "reason", "units")),
    "shipment.short": EventType("The warehouse lacks some of it, or all.", ("shipment", "reason", "units")),
    "shipment.cancelled": EventType(
        "It will not be sent, and its units are credited.", ("shipment", "reason", "credited_minor", "refund")
    ),
    "shipment.shipped": EventType("It left its warehouse.", ("shipment", "warehouse", "carrier", "tracking_number")),
    "shipment.tracked": EventType("The carrier says something new.", _TRAVEL),
    "shipment.out_for_delivery": EventType("It comes today.", _TRAVEL),
    "shipment.delivered": EventType("It arrived.", _TRAVEL),
    "shipment.lost": EventType("The carrier lost it; what was not credited before is credited.", _TRAVEL),
    "shipment.returned_to_sender": EventType("It comes back to us; a person should look.", _TRAVEL),
    "payment.added": EventType("Another tender for what is missing.", ("payment", "amount_minor", "missing_minor")),
    "payment.authorized": EventType("The provider holds the money.", _MONEY),
    "payment.captured": EventType("The provider took the money.", _MONEY),
    "payment.refunded": EventType("The provider sent money back.", _MONEY),
    "payment.refund_reversed": EventType(
        "Money that was sent back came back to us, from a closed account, say.", (*_MONEY, "reason")
    ),
    "payment.refused": EventType("The provider said no, for good.", ("payment", "operation", "kind", "reason")),
    "payment.in_doubt": EventType("Nobody knows whether the provider did it; it is asked.", ("payment", "operation")),
    "charge.requested": EventType(
        "Money that was missing will be charged; what a placement or an amendment charges is told when it is done.",
        ("operation", "amount_minor"),
    ),
    "authorization.requested": EventType("The same of money that will be authorized.", ("operation", "amount_minor")),
    "authorization.void_requested": EventType("An authorization will be given up.", ("payment", "operation")),
    "authorization.voided": EventType("The provider holds the money no longer.", _MONEY),
    "authorization.expired": EventType("An authorization ran out.", ("payment", "amount_minor")),
    "capture.requested": EventType("Authorized money will be captured.", ("operation", "amount_minor", "shipment")),
    "refund.requested": EventType("Money will be sent back.", ("operation", "amount_minor", "refund")),
    "refund.granted": EventType(
        "Money is given back for good will, or a claim is given up.", ("refund", "amount_minor", "reason")
    ),
    "refund.returned": EventType(
        "Its money came back from the customer's bank and is owed again; a person should look.",
        ("refund", "amount_minor", "currency", "reason"),
    ),
    "refund.completed": EventType("A refund is done.", ("refund", "total_minor", "paid_minor")),
    "refund.released": EventType(
        "A refund is done without money: what it gives back was never taken, or less is taken instead.",
        ("refund", "total_minor"),
    ),
    "return.requested": EventType(
        "The customer wants to send something back, and a person decides.", ("return", "items")
    ),
    "return.authorized": EventType("It may be sent back.", ("return",), ("items",)),
    "return.declined": EventType("A person said no.", ("return", "reason")),
    "return.labeled": EventType("There is a label for the way back.", ("return",)),
    "return.sent": EventType("It is on its way.", ("return",)),
    "return.received": EventType("A parcel of it was opened and graded.", ("return", "receipt", "units")),
    "return.cancelled": EventType("The customer keeps it after all.", ("return", "reason")),
    "return.expired": EventType("It was not sent, or did not arrive, in time.", ("return", "reason")),
    "return.closed": EventType("The rest of it will not come.", ("return", "reason")),
}
