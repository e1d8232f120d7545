"""An order as rows, and rows as an order: which column holds what, in one place for both directions.

Loading what was written gives an equal order. Lines and payments have a column for every field, shipments and returns keep their whole
value as one document beside the columns that are searched and constrained. The tests hold the columns against the fields of the domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orderkit.domain.agenda import PARKED
from orderkit.domain.order import Order
from orderkit.domain.payment import Payment
from orderkit.domain.quantities import Line
from orderkit.domain.returns import Return
from orderkit.domain.shipment import Shipment
from orderkit.domain.status import axes
from orderkit.ports.store import Commit, OrderSummary
from orderkit_sql.backend import Backend, Row
from orderkit_sql.codec import (
    decode_facts,
    decode_operations,
    decode_return,
    decode_shipment,
    decode_state,
    encode,
    state_of,
)
from orderkit_sql.schema import BUCKETS

# What every commit writes of the order's own row; `document` is written with a new order and with amended facts only.
ORDER_CHANGES = (
    "version",
    "status",
    "lifecycle",
    "fulfillment",
    "payment_status",
    "returns_status",
    "on_hold",
    "total_minor",
    "refunded_minor",
    "shipment_count",
    "return_count",
    "updated_at",
    "due_at",
    "due_for",
    "lease_until",
    "attempts",
    "parked",
    "error",
    "log_head",
    "state",
)
ORDER_KEPT = ("customer", "currency", "placed_at", "document")
ORDER_NEW = (*ORDER_CHANGES, *ORDER_KEPT, "id")
LINE_KEY = ("order_id", "number")
LINE_KEPT = ("sku", "ordered")
LINE_NEW = (*BUCKETS, *LINE_KEPT, *LINE_KEY)
LINE_LOADED = (*LINE_KEY, *LINE_KEPT, *BUCKETS)
PAYMENT_CHANGES = (
    "id",
    "kind",
    "method",
    "state",
    "amount_minor",
    "authorized_minor",
    "captured_minor",
    "refunded_minor",
    "expires_at",
    "operations",
)
SHIPMENT_CHANGES = (
    "id",
    "warehouse",
    "carrier",
    "tracking_number",
    "state",
    "shipped_at",
    "delivered_at",
    "detail",
)
RETURN_CHANGES = ("id", "state", "requested_at", "label_url", "detail")
RECORD_NEW = (
    "order_id",
    "version",
    "at",
    "actor",
    "reason",
    "from_status",
    "to_status",
    "body",
    "previous_hash",
    "hash",
)

ORDER_LOADED = ("id", "version", "lifecycle", "placed_at", "updated_at", "state", "document")
PAYMENT_LOADED = (*LINE_KEY, *PAYMENT_CHANGES)
DETAIL_LOADED = (*LINE_KEY, "detail")
SUMMARY = (
    "id",
    "customer",
    "status",
    "payment_status",
    "currency",
    "total_minor",
    "refunded_minor",
    "placed_at",
    "updated_at",
    "shipment_count",
    "due_at",
    "due_for",
    "parked",
)


# ---- writing


def order_changes(commit: Commit, backend: Backend, *, lease_until: Any, log_head: bytes) -> Row:
    """Return the values of `ORDER_CHANGES` after a commit: attempts begin anew, and a parked order is free again unless it says otherwise."""
    order, moment = commit.after, backend.moment
    found = axes(order)
    return (
        order.version,
        commit.record.to_status,
        found.lifecycle,
        found.fulfillment,
        found.payment,
        found.returns,
        found.on_hold,
        order.total_minor,
        order.refunded_minor,
        sum(1 for shipment in order.shipments if shipment.lines),
        len(order.returns),
        moment(order.updated_at),
        moment(commit.due_at),
        commit.due_for,
        lease_until,
        0,
        PARKED in order.findings,
        "",
        log_head,
        encode(state_of(order)),
    )


def order_identity(order: Order, backend: Backend, document: bytes = b"") -> Row:
    """Return the values of `ORDER_KEPT` and the id; an order that is there keeps its document, so none is made for it."""
    facts = order.facts
    return facts.customer, facts.currency, backend.moment(order.placed_at), document, order.id


def line_row(order_id: str, line: Line) -> Row:
    """Return the values of `LINE_NEW`."""
    return (*line.buckets, line.sku, line.ordered, order_id, line.number)


def payment_changes(payment: Payment, backend: Backend) -> Row:
    """Return the values of `PAYMENT_CHANGES`."""
    return (
        payment.id,
        payment.kind,
        payment.method,
        payment.state,
        payment.amount_minor,
        payment.authorized_minor,
        payment.captured_minor,
        payment.refunded_minor,
        backend.moment(payment.expires_at),
        encode(payment.operations),
    )


def shipment_changes(shipment: Shipment, backend: Backend) -> Row:
    """Return the values of `SHIPMENT_CHANGES`."""
    return (
        shipment.id,
        shipment.warehouse,
        shipment.carrier,
        shipment.tracking_number,
        shipment.state,
        backend.moment(shipment.shipped_at),
        backend.moment(shipment.delivered_at),
        encode(shipment),
    )


def return_changes(value: Return, backend: Backend) -> Row:
    """Return the values of `RETURN_CHANGES`."""
    return value.id, value.state, backend.moment(value.requested_at), value.label_url, encode(value)


def search_text(order: Order) -> str:
    """Return the folded words by which an order is found; the id comes first, since lists look for its beginning only."""
    facts, to = order.facts, order.facts.ship_to
    words = [order.id, facts.customer, facts.reference, to.name, to.street, to.zip, to.city, to.country]
    words += [part for line in facts.lines for part in (line.sku, line.name)]
    words += tracking_numbers(order)
    return " ".join(words).casefold()


def tracking_numbers(order: Order) -> list[str]:
    """Return the numbers under which parcels of the order travel."""
    return [shipment.tracking_number for shipment in order.shipments if shipment.tracking_number]


# ---- reading


def loaded_order(
    row: Sequence[Any],
    lines: Iterable[Sequence[Any]],
    payments: Iterable[Sequence[Any]],
    shipments: Iterable[Sequence[Any]],
    returns: Iterable[Sequence[Any]],
    backend: Backend,
) -> Order:
    """Return the order whose rows these are; each group is in the order of its numbers."""
    order_id, version, lifecycle, placed_at, updated_at, stored, document = row
    state = decode_state(stored)
    return Order(
        id=order_id,
        facts=decode_facts(document),
        placed_at=backend.instant(placed_at),  # type: ignore[arg-type]  # the column is not null
        updated_at=backend.instant(updated_at),  # type: ignore[arg-type]  # the column is not null
        version=version,
        state=lifecycle,
        reason=state.reason,
        reserved_until=state.reserved_until,
        sought_at=state.sought_at,
        lines=tuple([Line(line[1], line[2], line[3], tuple(line[4:])) for line in lines]),
        shipments=tuple([decode_shipment(detail) for _, _, detail in shipments]),
        payments=tuple([_loaded_payment(payment, backend) for payment in payments]),
        refunds=state.refunds,
        returns=tuple([decode_return(detail) for _, _, detail in returns]),
        holds=state.holds,
        sagas=state.sagas,
        findings=state.findings,
    )


def _loaded_payment(row: Sequence[Any], backend: Backend) -> Payment:
    _, _, id_, kind, method, state, amount, authorized, captured, refunded, expires_at, operations = row
    return Payment(
        id=id_,
        kind=kind,
        method=method,
        state=state,
        amount_minor=amount,
        authorized_minor=authorized,
        captured_minor=captured,
        refunded_minor=refunded,
        expires_at=backend.instant(expires_at),
        operations=decode_operations(operations),
    )


def loaded_summary(row: Sequence[Any], backend: Backend) -> OrderSummary:
    """Return the summary whose columns `SUMMARY` names."""
    (
        id_,
        customer,
        status,
        paid,
        currency,
        total,
        refunded,
        placed_at,
        updated_at,
        shipments,
        due_at,
        due_for,
        parked,
    ) = row
    return OrderSummary(
        id=id_,
        customer=customer,
        status=status,
        payment_status=paid,
        currency=currency,
        total_minor=total,
        refunded_minor=refunded,
        placed_at=backend.instant(placed_at),  # type: ignore[arg-type]  # the column is not null
        updated_at=backend.instant(updated_at),  # type: ignore[arg-type]  # the column is not null
        shipments=shipments,
        due_at=backend.instant(due_at),
        due_for=due_for,
        parked=bool(parked),
    )
