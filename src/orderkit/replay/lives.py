"""The life of a replayed order as flows: placed at its invoice's time, shipped, polled until it arrives, taken back, refunded.

Each flow is safe to run again: it looks at the order first, and every command bears a key made of the invoice. So a replay that was killed goes
on where it was, and one that is run twice changes nothing. Money is refunded exactly as the credit note says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orderkit import Address, Caller, Cart, Order, OrderkitError, flows
from orderkit.domain.cart import CartLine
from orderkit.domain.pricing import Charge
from orderkit.domain.returns import Disposition, Grade, Graded
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import evolve
from orderkit.flows.advancing import advanced
from orderkit.flows.kit import loaded
from orderkit.ports.store import FindKey, Load
from orderkit.replay.auditing import credit_reason
from orderkit.replay.geography import UNKNOWN, country_of
from orderkit.replay.planning import CURRENCY, PlannedGoodwill, PlannedOrder, PlannedReturn
from orderkit.replay.remedies import RemedyKind, arrives_at, leaves_at, remedy_for
from orderkit.replay.warehouses import stocking_of
from orderkit.runtime.timed import as_of

CALLER = Caller(actor="replay", principal="replay", goes_on=True)


def cart_of(planned: PlannedOrder) -> Cart:
    """Return the cart of a planned order; prices are those of the invoice."""
    known = country_of(planned.country)
    code = (
        known.code if known.code != UNKNOWN.code else "GB"
    )  # no carrier goes nowhere: what names no country is the shop's own
    return Cart(
        customer=planned.customer,
        ship_to=Address(street="as on the invoice", city=planned.country, zip="-", country=code, name=planned.customer),
        currency=CURRENCY,
        reference=planned.reference,
        lines=tuple(
            CartLine(sku=line.sku, quantity=line.quantity, unit_price_minor=line.unit_price_minor, name=line.name)
            for line in planned.lines
        ),
        charges=(Charge("postage", planned.shipping_minor),) if planned.shipping_minor else (),
    )


async def placed(planned: PlannedOrder, order_id: str) -> Order:
    """Place the order, or go on with it where a killed run left it."""
    known = await Load(order_id)
    if known is not None:
        return await advanced(known, CALLER) if known.state == "placed" else known
    accepted = await flows.place(cart_of(planned), "pm_visa", evolve(CALLER, key=planned.key))
    return await advanced(accepted.order, CALLER) if accepted.order.state == "placed" else accepted.order


async def shipped(order_id: str, country: str) -> Order:
    """Let every shipment that waits leave its warehouse, at its own time."""
    order = await loaded(order_id)
    for shipment in order.shipments:
        if shipment.waiting and shipment.lines and shipment.cutoff_at is not None:
            order = await as_of(
                flows.ship(order_id, shipment.id, CALLER, carrier=country_of(country).carrier),
                leaves_at(shipment.cutoff_at),
                shipment.id,
            )
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
    """Take goods back as the credit note says: cancelled while they wait, else returned once they have arrived, at the credited price.

    Answers with nothing when the order came to nothing, so that there is nothing to take back.
    """
    order = await Load(order_id)
    if order is None or order.state not in ("confirmed", "cancelled"):
        return None
    units: dict[str | int, int] = {row.line: row.quantity for row in planned.units}
    caller = evolve(CALLER, key=planned.key)
    if await FindKey(CALLER.principal, "cancel", planned.key):  # an earlier run decided and did it
        return order
    if await FindKey(CALLER.principal, "request_return", planned.key):
        return await _returned(planned, order_id, units, caller)
    holding = [s for s in order.shipments if any(number in units for number, _ in s.lines)]
    cutoff = min((s.cutoff_at for s in holding if s.waiting and s.cutoff_at), default=order.placed_at)
    waiting = all(s.waiting for s in holding)
    remedy = remedy_for(
        credited_at=planned.credited_at if waiting else max(planned.credited_at, cutoff),
        cutoff=cutoff,
        delivered_at=max((_arrival(s, order) for s in holding), default=planned.credited_at),
        deduction_minor=planned.deduction_minor,
    )
    if remedy.kind is RemedyKind.CANCEL or order.state == "cancelled":
        return await flows.cancel(order_id, units, caller, reason=credit_reason(planned.credit))
    await _arrived(order, set(units))
    return await as_of(_returned(planned, order_id, units, caller), remedy.at, planned.key)


async def _returned(planned: PlannedReturn, order_id: str, units: dict[str | int, int], caller: Caller) -> Order:
    order = await flows.request_return(
        order_id, units, caller, reason=credit_reason(planned.credit), enforce_window=False, method="drop_off"
    )
    found = next(r for r in order.returns if r.items[0].reason == credit_reason(planned.credit))
    graded = tuple(
        Graded(line=row.line, quantity=row.quantity, grade=Grade.LIKE_NEW, disposition=Disposition.RESTOCK)
        for row in planned.units
    )
    return await flows.receive_return(
        order_id,
        found.id,
        graded,
        evolve(CALLER, key=f"{planned.key}:receipt"),
        warehouse=stocking_of(planned.units[0].sku).main,
        reason=credit_reason(planned.credit),
        deduction_minor=planned.deduction_minor,
    )


def _arrival(shipment: Shipment, order: Order) -> datetime:
    left = shipment.shipped_at or leaves_at(shipment.cutoff_at or order.placed_at)
    return shipment.delivered_at or arrives_at(left, order.facts.ship_to.city)


async def _arrived(order: Order, lines: set[str | int]) -> None:
    """What comes back has arrived: carry the shipments to their end that no carrier has reported yet."""
    for shipment in order.shipments:
        if not any(number in lines for number, _ in shipment.lines):
            continue
        if shipment.waiting and shipment.cutoff_at is not None:
            carrier = country_of(order.facts.ship_to.city).carrier
            await as_of(
                flows.ship(order.id, shipment.id, CALLER, carrier=carrier), leaves_at(shipment.cutoff_at), shipment.id
            )
        if shipment.state != "delivered":
            await as_of(flows.deliver(order.id, shipment.id, CALLER), _arrival(shipment, order), shipment.id)


async def given_back(planned: PlannedGoodwill, order_id: str) -> Order | None:
    """Give money back without goods."""
    order = await Load(order_id)
    if order is None or order.state not in ("confirmed", "cancelled"):
        return None
    refund = flows.refund(
        order_id,
        planned.amount_minor,
        evolve(CALLER, key=planned.key),
        reason=credit_reason(planned.credit, planned.cause.value),
    )
    return await as_of(refund, max(planned.credited_at, order.updated_at), planned.key)
