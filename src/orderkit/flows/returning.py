"""Returns: open one with its label, receive its parcels, end it early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orderkit.domain import returning
from orderkit.domain.actions import refused
from orderkit.domain.events import Decision, decided
from orderkit.domain.given import check_text, kept, one_of
from orderkit.domain.order import Order
from orderkit.domain.returns import Grade, Graded, Return, ReturnItem
from orderkit.errors import InvalidInput, NotAllowed
from orderkit.flows.advancing import continued, followed
from orderkit.flows.changing import Units, by_line
from orderkit.flows.kit import Caller, changed, principal_of
from orderkit.flows.stocking import check_warehouses
from orderkit.ports.carriers import Booked, BookParcel
from orderkit.ports.clock import Now
from orderkit.ports.documents import MakeDocument
from orderkit.ports.store import ReadRecords

_OPENED = ("return.requested", "return.authorized")  # how a return begins: with or without a person's approval


async def accept_return(
    order_id: str,
    units: Units | None,
    caller: Caller,
    *,
    reason: str,
    method: str = "mail",
    reasons: Mapping[str | int, str] | None = None,
    enforce_window: bool = True,
) -> Order:
    """Open a return for units by SKU or line number, or for all that may come back; `reasons` may differ from line to line."""
    check_text(method, "method")
    reasons = kept(reasons, "reasons")
    for why in (reasons or {}).values():
        check_text(why, "reasons")

    def decide(order: Order, now: datetime) -> Decision:
        free = {
            line.number: returning.eligibility(order, line.number, now).units
            if enforce_window
            else returning.returnable(order, line.number)
            for line in order.lines
        }
        chosen = _everything(order, free, now) if units is None else by_line(order, units, free=free)
        skus = {line.number: line.sku for line in order.lines}
        why = reasons or {}
        if strange := [name for name in why if name not in skus and name not in skus.values()]:
            raise InvalidInput(f"order {order.id} has no {strange[0]!r}", code="unknown_line", field="reasons")
        items = [
            ReturnItem(line=n, quantity=q, reason=why.get(n) or why.get(skus[n]) or reason) for n, q in chosen.items()
        ]
        return returning.return_requested(order, items, now, method=method, enforce_window=enforce_window)

    request = units, reason, method, reasons, enforce_window
    return await changed(order_id, "request_return", decide, caller, reason=reason, request=request)


async def request_return(
    order_id: str,
    units: Units | None,
    caller: Caller,
    *,
    reason: str,
    method: str = "mail",
    reasons: Mapping[str | int, str] | None = None,
    enforce_window: bool = True,
) -> Order:
    """Open a return and print its label, when it is authorized."""
    order = await accept_return(
        order_id, units, caller, reason=reason, method=method, reasons=reasons, enforce_window=enforce_window
    )
    return await followed(order, labeled_as_asked(order, caller))


async def asked_for(order: Order, caller: Caller) -> Return | None:
    """Return the return that a caller's request opened, given the order that `accept_return` answered with; `None` when the log cannot tell.

    Without a key that order is as the request left it. A repeated key answers with the order of now, in which the newest return may be
    somebody else's: then the log knows which one was opened under the key, or under the caller's correlation id.
    """
    if caller.key is None:
        return order.returns[-1]
    said = caller.correlation or caller.key
    opened = {
        str(event.data["return"])
        for record in await ReadRecords(order.id)
        if record.stamp.command == "request_return" and record.stamp.correlation == said
        # another principal's key may read the same
        if record.stamp.actor == caller.actor or principal_of(record.stamp.actor) == caller.principal
        for event in record.events
        if event.type in _OPENED
    }
    return order.return_(opened.pop()) if len(opened) == 1 else None


async def labeled_as_asked(order: Order, caller: Caller) -> Order:
    """Get a label for the return that the caller's request opened."""
    found = await asked_for(order, caller)
    return order if found is None else await labeled(order, found, caller)


def _everything(order: Order, free: Mapping[int, int], now: datetime) -> dict[int, int]:
    """Return the units by line that may come back; when there are none, say why."""
    if found := {number: count for number, count in free.items() if count}:
        return found
    why = refused(order, "request_return", now)
    raise NotAllowed(
        f"nothing of order {order.id} can come back" + (f": {why.message}" if why else ""),
        code=why.code if why else "not_returnable",
    )


async def labeled(order: Order, found: Return, caller: Caller) -> Order:
    """Get a label for the way back, unless there is one; without a label the customer can still send the goods."""
    if found.label_url is not None or found.state != "authorized" or found.method != "mail":
        return order
    warehouse = next((s.warehouse for s in order.shipments if s.delivered_at is not None), "")
    answer = await BookParcel(
        key=found.id,
        carrier=None,
        warehouse=warehouse,
        address=order.facts.ship_to,
        service="standard",
        units=sum(item.quantity for item in found.items),
        at=await Now(),
        back=True,
    )
    number = answer.tracking_number if isinstance(answer, Booked) else None
    url = (
        answer.label_url
        if isinstance(answer, Booked)
        else await MakeDocument(id=found.id, kind="return_label", order=order)
    )
    if not url:
        return order

    def decide(current: Order, _: datetime) -> Decision:
        if current.return_(found.id).label_url is not None:
            return decided(current)
        return returning.return_labeled(current, found.id, label_url=url, tracking_number=number)

    return await changed(order.id, "label_return", decide, caller.going_on)


async def accept_authorization(order_id: str, return_id: str, caller: Caller) -> Order:
    """A person says yes."""
    return await changed(
        order_id,
        "authorize_return",
        lambda order, now: returning.return_authorized(order, return_id, now),
        caller,
        request=(return_id,),
    )


async def authorize_return(order_id: str, return_id: str, caller: Caller) -> Order:
    """The same, and the label is printed."""
    order = await accept_authorization(order_id, return_id, caller)
    return await followed(order, labeled(order, order.return_(return_id), caller))


async def decline_return(order_id: str, return_id: str, caller: Caller, *, reason: str) -> Order:
    """A person says no."""
    return await changed(
        order_id,
        "decline_return",
        lambda order, _: returning.return_declined(order, return_id, reason=reason),
        caller,
        reason=reason,
        request=(return_id, reason),
    )


async def send_return(order_id: str, return_id: str, caller: Caller) -> Order:
    """The parcel is on its way back."""
    return await changed(
        order_id,
        "send_return",
        lambda order, now: returning.return_sent(order, return_id, now),
        caller,
        request=(return_id,),
    )


async def cancel_return(order_id: str, return_id: str, caller: Caller, *, reason: str) -> Order:
    """The customer keeps it after all."""
    return await changed(
        order_id,
        "cancel_return",
        lambda order, _: returning.return_cancelled(order, return_id, reason=reason),
        caller,
        reason=reason,
        request=(return_id, reason),
    )


async def close_return(order_id: str, return_id: str, caller: Caller, *, reason: str) -> Order:
    """The rest of a return will not come."""
    return await changed(
        order_id,
        "close_return",
        lambda order, _: returning.return_closed(order, return_id, reason=reason),
        caller,
        reason=reason,
        request=(return_id, reason),
    )


async def accept_receipt(
    order_id: str,
    return_id: str,
    arrived: Units | Sequence[Graded] | None,
    caller: Caller,
    *,
    warehouse: str,
    grade: Grade | str = Grade.LIKE_NEW,
    reason: str = "returned",
    deduction_minor: int = 0,
) -> Order:
    """Book a receipt: units by SKU or line of one grade, units already graded, or everything that is outstanding."""
    await check_warehouses((warehouse,))
    request = return_id, arrived, warehouse, grade, reason, deduction_minor
    if arrived is not None and not isinstance(arrived, Mapping):
        arrived = kept(arrived, "arrived", Graded)
    found_as = one_of(Grade, grade, "grade")

    def decide(order: Order, now: datetime) -> Decision:
        outstanding = order.return_(return_id).outstanding
        if arrived is None:
            graded: Sequence[Graded] = returning.graded_by_default(outstanding, found_as)
        elif isinstance(arrived, Mapping):
            graded = returning.graded_by_default(by_line(order, arrived, free=outstanding), found_as)
        else:
            graded = arrived
        return returning.return_received(
            order, return_id, graded, now, warehouse=warehouse, reason=reason, deduction_minor=deduction_minor
        )

    return await changed(
        order_id,
        "receive_return",
        decide,
        caller,
        reason=reason,
        request=request,
    )


async def receive_return(
    order_id: str,
    return_id: str,
    arrived: Units | Sequence[Graded] | None,
    caller: Caller,
    *,
    warehouse: str,
    grade: Grade | str = Grade.LIKE_NEW,
    reason: str = "returned",
    deduction_minor: int = 0,
) -> Order:
    """Receive a parcel of a return and give back what it is worth."""
    order = await accept_receipt(
        order_id,
        return_id,
        arrived,
        caller,
        warehouse=warehouse,
        grade=grade,
        reason=reason,
        deduction_minor=deduction_minor,
    )
    return await continued(order, caller)
