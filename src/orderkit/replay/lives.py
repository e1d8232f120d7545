"""The life of a replayed order as flows: placed at its invoice's time, shipped, polled until it arrives, taken back, refunded.

Each flow is safe to run again: it looks at the order first, and every command bears a key made of the invoice. So a replay that was killed goes
on where it was, and one that is run twice changes nothing. Money is refunded exactly as the credit note says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from orderkit import Address, Caller, Cart, Order, OrderkitError, flows
from orderkit.domain.cart import CartLine
from orderkit.domain.pricing import Charge
from orderkit.domain.returns import Disposition, Grade, Graded
from orderkit.flows.advancing import advanced
from orderkit.flows.kit import loaded
from orderkit.ports.store import Load
from orderkit.replay.planning import CURRENCY, PlannedGoodwill, PlannedOrder, PlannedReturn
from orderkit.runtime.timed import as_of
from orderkit.replay.warehouses import MAIN, carrier_for, country_code

CALLER = Caller(actor="replay", principal="replay", goes_on=True)


def cart_of(planned: PlannedOrder) -> Cart:
    """Return the cart of a planned order; prices are those of the invoice."""
    code = country_code(planned.country)
    return Cart(
        customer=planned.customer,
        ship_to=Address(street="as on the invoice", city=planned.country, zip="-", country=code, name=planned.customer),
        currency=CURRENCY,
        reference=planned.reference,
        lines=tuple(
            CartLine(sku=line.sku, quantity=line.quantity, unit_price_minor=line.unit_price_minor, name=line.name) for line in planned.lines
        ),
        charges=(Charge("postage", planned.shipping_minor),) if planned.shipping_minor else (),
    )


async def placed(planned: PlannedOrder, order_id: str) -> Order:
    """Place the order, or go on with it where a killed run left it."""
    known = await Load(order_id)
    if known is not None:
        return await advanced(known, CALLER) if known.state == "placed" else known
    accepted = await flows.place(cart_of(planned), "pm_visa", attrs.evolve(CALLER, key=planned.key))
    return await advanced(accepted.order, CALLER) if accepted.order.state == "placed" else accepted.order


async def shipped(order_id: str, country: str) -> Order:
    """Let every shipment that waits leave its warehouse."""
    order = await loaded(order_id)
    for shipment in order.shipments:
        if shipment.waiting and shipment.lines:
            order = await flows.ship(order_id, shipment.id, CALLER, carrier=carrier_for(country))
    return order


async def polled(order_id: str) -> Order:
    """Ask the carriers where the parcels are."""
    return await flows.advance(order_id, CALLER)


async def credited(steps: Sequence[PlannedReturn | PlannedGoodwill], order_id: str) -> dict[str, str]:
    """Do everything that credit notes of a day ask of one order, one after the other; return what was refused, and why, by key."""
    refused: dict[str, str] = {}
    for step in steps:
        flow = taken_back(step, order_id) if isinstance(step, PlannedReturn) else given_back(step, order_id)
        try:
            order = await as_of(flow, step.credited_at, step.key)
        except OrderkitError as error:
            refused[step.key] = str(error)
        else:
            if order is None:
                refused[step.key] = "the order came to nothing"
    return refused


async def taken_back(planned: PlannedReturn, order_id: str) -> Order | None:
    """Take goods back as the credit note says: they have arrived if they come back, and are refunded at the credited price.

    Answers with nothing when the order came to nothing, so that there is nothing to take back.
    """
    order = await Load(order_id)
    if order is None or order.state != "confirmed":
        return None
    key = planned.key
    order = await _arrived(order, planned)
    units = {row.line: row.quantity for row in planned.units}
    order = await flows.request_return(
        order_id, units, attrs.evolve(CALLER, key=key), reason="credit_note", enforce_window=False, method="drop_off"
    )
    found = next(r for r in reversed(order.returns) if r.reason == key or {i.line: i.quantity for i in r.items} == units)
    if found.state == "received":
        return order
    graded = tuple(
        Graded(line=row.line, quantity=row.quantity, grade=Grade.LIKE_NEW, disposition=Disposition.RESTOCK) for row in planned.units
    )
    return await flows.receive_return(
        order_id,
        found.id,
        graded,
        attrs.evolve(CALLER, key=f"{key}:receipt"),
        warehouse=MAIN,
        reason="credit_note",
        deduction_minor=planned.deduction_minor,
    )


async def _arrived(order: Order, planned: PlannedReturn) -> Order:
    """What comes back has arrived: say so for the shipments that a carrier has not reported yet."""
    wanted = {row.line for row in planned.units}
    for shipment in order.shipments:
        if not wanted & {number for number, _ in shipment.lines}:
            continue
        if shipment.waiting:
            order = await flows.ship(order.id, shipment.id, CALLER)
        if order.shipment(shipment.id).state != "delivered":
            order = await flows.deliver(order.id, shipment.id, CALLER)
    return order


async def given_back(planned: PlannedGoodwill, order_id: str) -> Order | None:
    """Give money back without goods."""
    order = await Load(order_id)
    if order is None or order.state != "confirmed":
        return None
    return await flows.refund(
        order_id, planned.amount_minor, attrs.evolve(CALLER, key=planned.key), reason=f"credit_note:{planned.cause.value}"
    )


def ships_at(placed_at: datetime) -> datetime:
    """When a warehouse sends what was ordered: the next working day at ten."""
    day = (placed_at + timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)
    while day.weekday() == 6:
        day += timedelta(days=1)
    return day
