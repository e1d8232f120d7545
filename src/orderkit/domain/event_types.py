"""Every type of event, when it is told, and what its data hold: what subscribers of the bus, notifications and reports may build on.

Names are stable. A type may get a field more; what a field says is never changed without a higher `schema` of its event. Amounts are in minor units
of the order's currency, times are ISO 8601 in UTC. Nothing here decides anything, and nothing is told through it: the tests hold what the domain
tells against this table, and the reference is made from it. No personal data is in an event.
"""

from __future__ import annotations

from collections.abc import Mapping

from orderkit.domain.value import Value


class EventType(Value):
    """When an event is told, and the names in its data: those that are always there, and those that may be."""

    says: str
    data: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


# A name means the same in each event.
FIELDS: Mapping[str, str] = {
    "added": "numbers of the new lines",
    "amount_minor": "how much is moved",
    "asked": "units that were wanted",
    "at": "when, by the carrier's word",
    "attempts": "how often it was tried",
    "available": "units that were there",
    "by": "`release`, or `expire` when its time was up",
    "carrier": "name of the carrier",
    "carrier_status": "the carrier's word, in orderkit's terms",
    "credited_minor": "how much less the customer owes; what goes back of it is told by `refund.completed`",
    "currency": "ISO 4217",
    "customer": "id of the customer",
    "difference_minor": "how much more the order costs",
    "error": "what went wrong, without personal data",
    "finding": "what a person should look at; see the accidents page",
    "findings": "what nobody has to look at any more",
    "hold": "id of the hold",
    "id": "id of the shipment",
    "items": "a list of `line`, `quantity`, `reason`",
    "kind": "`charge`, `authorize`, `capture`, `void` or `refund`",
    "line": "number of the line",
    "lines": "how many lines the order has",
    "missing_minor": "how much of the order's money was missing",
    "not_before": "the day before which nothing should come; empty if there is none",
    "operation": "id of the money movement",
    "paid_minor": "how much of it the provider sent back",
    "payment": "id of the payment",
    "quantity": "units",
    "reason": "why, as it was given",
    "receipt": "id of the receipt",
    "refund": "id of the refund; empty where money goes back that no refund was decided for",
    "return": "id of the return",
    "saga": "id of the sequence of steps that is done",
    "service": "`standard`, `express` or whatever was wished",
    "shipment": "id of the shipment; empty where money is captured for none",
    "shipments": "a list of `id`, `warehouse`, `units`",
    "short": "a list of `line`, `sku`, `asked`, `available`",
    "sku": "what is sold",
    "total_minor": "what the order costs, or what the refund is worth",
    "tracking_number": "the parcel's number at its carrier",
    "units": "units by number of the line; of a shipment, how many it holds",
    "until": "until when goods are promised",
    "warehouse": "id of the warehouse",
    "what": "`ship_to`, `delivery` or `lines`",
}

_MONEY = ("payment", "operation", "amount_minor", "currency")
_CANCELLED = ("units", "reason", "credited_minor", "refund")
_TRAVEL = ("shipment", "carrier_status", "at")

EVENT_TYPES: Mapping[str, EventType] = {
    "order.placed": EventType(
        "An order is there; with `order.out_of_stock` in the same record its goods are not.",
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
        "A person should look at it.", ("finding",), ("attempts", "error", "missing_minor")
    ),
    "order.attended": EventType("A person has looked at it.", ("finding",)),
    "order.nothing_missing": EventType("What was missing has come, or is not due any more.", ("findings",)),
    "order.reservation_extended": EventType("Nobody knows yet who paid: goods stay promised.", ("until",)),
    "order.reservation_expired": EventType("It was not paid for in time."),
    "line.backordered": EventType("Units wait for goods.", ("line", "sku", "quantity")),
    "line.allocated": EventType("Goods were found for units that waited.", ("units",)),
    "shipment.released": EventType("Handed to the warehouse.", ("shipment", "warehouse")),
    "shipment.refused": EventType("The warehouse cannot pack any of it.", ("shipment", "reason", "units")),
    "shipment.short": EventType("The warehouse lacks a part of it.", ("shipment", "reason", "units")),
    "shipment.cancelled": EventType(
        "It will not be sent, and its units are credited.", ("shipment", "reason", "credited_minor", "refund")
    ),
    "shipment.shipped": EventType("It left its warehouse.", ("shipment", "warehouse", "carrier", "tracking_number")),
    "shipment.tracked": EventType("The carrier says something new.", _TRAVEL),
    "shipment.out_for_delivery": EventType("It comes today.", _TRAVEL),
    "shipment.delivered": EventType("It arrived.", _TRAVEL),
    "shipment.lost": EventType("The carrier lost it; what was not credited before is credited.", _TRAVEL),
    "shipment.returned_to_sender": EventType("It comes back; a person should look.", _TRAVEL),
    "payment.added": EventType("Another tender for what is missing.", ("payment", "amount_minor", "missing_minor")),
    "payment.authorized": EventType("The provider holds the money.", _MONEY),
    "payment.captured": EventType("The provider took the money.", _MONEY),
    "payment.refunded": EventType("The provider sent money back.", _MONEY),
    "payment.refund_reversed": EventType(
        "Money that was sent back came back, from a closed account, say; a person should look.", (*_MONEY, "reason")
    ),
    "payment.refused": EventType("The provider did not do it.", ("payment", "operation", "kind", "reason")),
    "payment.in_doubt": EventType("Nobody knows whether the provider did it; it is asked.", ("payment", "operation")),
    "charge.requested": EventType("A tender will be charged.", ("operation", "amount_minor")),
    "authorization.requested": EventType("A tender will be authorized.", ("operation", "amount_minor")),
    "authorization.void_requested": EventType("An authorization will be given up.", ("payment", "operation")),
    "authorization.voided": EventType("The provider holds the money no longer.", _MONEY),
    "authorization.expired": EventType("An authorization ran out.", ("payment", "amount_minor")),
    "capture.requested": EventType("Authorized money will be captured.", ("operation", "amount_minor", "shipment")),
    "refund.requested": EventType("Money will be sent back.", ("operation", "amount_minor", "refund")),
    "refund.granted": EventType("Money is given back for good will.", ("refund", "amount_minor", "reason")),
    "refund.completed": EventType("A refund is done.", ("refund", "total_minor", "paid_minor")),
    "refund.released": EventType(
        "A refund is done without money: what it gives back was never taken, or is taken less.",
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
    "return.expired": EventType("It was not sent in time.", ("return", "reason")),
    "return.closed": EventType("The rest of it will not come.", ("return", "reason")),
}
