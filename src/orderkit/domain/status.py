"""Every status of an order, derived: the axes, and the single word of the requirements.

These are pure functions of the quantities and the money, and the only place that computes them; stores keep the results for search.
A small table in the tests says what each mix of units reads as, and the STATUS lifecycle says which change of word is legal.
"""

from __future__ import annotations

from orderkit.domain.order import Order
from orderkit.domain.quantities import Bucket
from orderkit.domain.value import Value


class Axes(Value):
    """The independent statuses: what happens to the order, the goods, the money, the returns, and whether it is on hold."""

    lifecycle: str
    fulfillment: str
    payment: str
    returns: str
    on_hold: bool


def word(order: Order) -> str:
    """Return the order's status as one word of the STATUS lifecycle."""
    if order.state != "confirmed":
        return order.state
    unallocated, backordered, reserved, released, shipped, delivered, lost, _ = _totals(order)
    open_units, left = unallocated + backordered + reserved + released, shipped + delivered + lost
    if not left:
        if not open_units:
            return "cancelled"
        return "processing" if released else "payment_confirmed"
    if returned := _returned(order):
        return "returned" if not open_units and returned >= shipped + delivered else "partially_returned"
    if open_units:
        return "partially_shipped"
    if delivered and not shipped:
        return "delivered"
    states = {shipment.state for shipment in order.shipments}
    if delivered and states.isdisjoint({"shipped", "out_for_delivery"}):  # what is left goes back to its sender
        return "delivered"
    return "out_for_delivery" if "out_for_delivery" in states and "shipped" not in states else "shipped"


status_of = word  # its name where it stands by itself, as in `orderkit.status_of`


def axes(order: Order) -> Axes:
    """Return all axes of the order."""
    return Axes(
        lifecycle=order.state,
        fulfillment=fulfillment(order),
        payment=payment(order),
        returns=returns(order),
        on_hold=bool(order.active_holds),
    )


def fulfillment(order: Order) -> str:
    """Return unfulfilled, backordered, in_progress, partially_fulfilled, fulfilled, or none when nothing is left to fulfill."""
    unallocated, backordered, reserved, released, shipped, delivered, lost, _ = _totals(order)
    if shipped + delivered + lost:
        return "partially_fulfilled" if unallocated + backordered + reserved + released else "fulfilled"
    if released:
        return "in_progress"
    if reserved or unallocated:
        return "unfulfilled"
    return "backordered" if backordered else "none"


# Every answer of `payment`; `none` where nothing was ever to be paid.
PAYMENT_STATUSES = (
    "pending",
    "authorized",
    "partially_paid",
    "paid",
    "overpaid",
    "partially_refunded",
    "refunded",
    "in_doubt",
    "failed",
    "voided",
    "none",
)


def payment(order: Order) -> str:
    """Return where the money stands, as one of `PAYMENT_STATUSES`."""
    captured = refunded = 0
    for tender in order.payments:
        if tender.in_doubt:
            return "in_doubt"
        captured += tender.captured_minor
        refunded += tender.refunded_minor
    if captured:
        if refunded:
            return "refunded" if refunded == captured else "partially_refunded"
        missing = order.due_minor - captured + order.refunding_minor
        if missing < 0:
            return "overpaid"
        return "partially_paid" if missing else "paid"
    if order.authorized_minor:
        return "authorized"
    if not order.payments and not order.due_minor:
        return "paid" if order.state == "confirmed" else "none"
    states = {p.state for p in order.payments}
    if order.state == "payment_failed" or states == {"declined"}:
        return "failed"
    if states and states <= {"voided", "declined", "expired"}:
        return "voided"
    return "pending"


def returns(order: Order) -> str:
    """Return none, requested, partially_returned or returned."""
    if returned := _returned(order):
        left = sum(line.left - line[Bucket.LOST] for line in order.lines)
        return "returned" if returned >= left else "partially_returned"
    open_ = order.returns and any(r.state in ("requested", "authorized", "in_transit") for r in order.returns)
    return "requested" if open_ else "none"


def _totals(order: Order) -> tuple[int, int, int, int, int, int, int, int]:
    """The units in each of the forward buckets, in their order."""
    unallocated = backordered = reserved = released = shipped = delivered = lost = cancelled = 0
    for line in order.lines:  # written out, because this runs several times a commit
        here = line.buckets
        unallocated += here[0]
        backordered += here[1]
        reserved += here[2]
        released += here[3]
        shipped += here[4]
        delivered += here[5]
        lost += here[6]
        cancelled += here[7]
    return unallocated, backordered, reserved, released, shipped, delivered, lost, cancelled


def _returned(order: Order) -> int:
    """Units that came back for good; what was sent back to the customer again does not count."""
    if not order.returns:
        return 0
    first, last = Bucket.RETURN_RECEIVED, Bucket.SENT_BACK
    return sum(sum(line.buckets[first:last]) for line in order.lines)
