"""Release, ship, track, deliver, refuse, short-ship: what warehouses and carriers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from orderkit.domain import shipping
from orderkit.domain.allocation import Demand
from orderkit.domain.events import Decision, decided
from orderkit.domain.order import Order
from orderkit.domain.shipment import Scan
from orderkit.errors import NotAllowed, PortError
from orderkit.flows.advancing import advanced
from orderkit.flows.kit import Caller, changed, demand_for, loaded, replanned
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel
from orderkit.ports.clock import Now
from orderkit.ports.payments import Refused


async def release(order_id: str, shipment_id: str, caller: Caller) -> Order:
    """Hand a shipment to its warehouse before its cutoff does."""
    return await changed(
        order_id,
        "release",
        lambda order, now: shipping.released(order, shipment_id, now),
        caller,
        request=(shipment_id,),
    )


async def ship(order_id: str, shipment_id: str, caller: Caller, *, carrier: str | None = None) -> Order:
    """Book the parcel with its carrier and let the shipment leave."""
    order = await loaded(order_id)
    now = await Now()
    try:
        shipping.shipped(order, shipment_id, now, carrier="any", tracking_number="any")
    except NotAllowed:
        if order.shipment(shipment_id).shipped_at is not None and caller.key is not None:
            return order  # a repeat of the request that shipped it
        raise
    shipment = order.shipment(shipment_id)
    answer = await BookParcel(
        key=shipment.id,
        carrier=carrier,
        warehouse=shipment.warehouse,
        address=order.facts.ship_to,
        service=order.facts.delivery.service.value,
        units=shipment.units,
        at=now,
    )
    if not isinstance(answer, Booked):
        code = "carrier_refused" if isinstance(answer, Refused) else "carrier_unknown"
        raise PortError(f"the carrier did not book {shipment_id}: {answer.reason}", code=code, field="shipment")
    try:
        return await dispatch(order_id, shipment_id, caller, booked=answer, known=order)
    except NotAllowed:
        if (await loaded(order_id)).shipment(shipment_id).state == "cancelled":  # while its parcel was booked
            number = answer.tracking_number
            await CancelParcel(key=f"{shipment.id}/void", carrier=answer.carrier, tracking_number=number, at=now)
        raise


async def accept_dispatch(
    order_id: str, shipment_id: str, caller: Caller, *, booked: Booked, known: Order | None = None
) -> Order:
    """Book that a shipment left under a tracking number that is known already."""

    def decide(order: Order, now: datetime) -> Decision:
        shipment = order.shipment(shipment_id)
        if shipment.tracking_number == booked.tracking_number and shipment.shipped_at is not None:
            return decided(order)
        return shipping.shipped(
            order,
            shipment_id,
            now,
            carrier=booked.carrier,
            tracking_number=booked.tracking_number,
            tracking_url=booked.tracking_url,
            label_url=booked.label_url,
        )

    return await changed(order_id, "ship", decide, caller, request=(shipment_id,), known=known)


async def dispatch(
    order_id: str, shipment_id: str, caller: Caller, *, booked: Booked, known: Order | None = None
) -> Order:
    """The same, and take the money for it where it is taken per shipment."""
    return await advanced(await accept_dispatch(order_id, shipment_id, caller, booked=booked, known=known), caller)


async def accept_scans(order_id: str, shipment_id: str, scans: Iterable[Scan], caller: Caller) -> Order:
    """Fold in what a carrier said."""
    seen = tuple(scans)
    return await changed(order_id, "track", lambda order, now: shipping.tracked(order, shipment_id, seen, now), caller)


async def track(order_id: str, shipment_id: str, scans: Iterable[Scan], caller: Caller) -> Order:
    """The same, and give back the money of what was lost."""
    return await advanced(await accept_scans(order_id, shipment_id, scans, caller), caller)


async def deliver(order_id: str, shipment_id: str, caller: Caller) -> Order:
    """Book that a shipment arrived."""
    return await changed(
        order_id,
        "deliver",
        lambda order, now: shipping.delivered(order, shipment_id, now),
        caller,
        request=(shipment_id,),
    )


async def accept_refusal(
    order_id: str,
    shipment_id: str,
    caller: Caller,
    *,
    reason: str,
    missing: Mapping[int, int] | None = None,
) -> Order:
    """The warehouse cannot send all of a shipment: plan its units elsewhere, else let them wait, else cancel and refund them."""
    order = await loaded(order_id)
    place = order.shipment(shipment_id).warehouse

    def demands(current: Order) -> tuple[Demand, ...]:
        return demand_for(current, dict(missing or current.shipment(shipment_id).lines))

    return await replanned(
        order_id,
        "refuse",
        demands,
        lambda current, now, plan, settings: shipping.refused(
            current,
            shipment_id,
            now,
            reason=reason,
            plan=plan,
            warehouses=settings.known({parcel.warehouse for parcel in plan.parcels}),
            handling=settings.handling,
            missing=missing,
        ),
        caller,
        partial="cancel",
        avoid=frozenset({place}),
        reason=reason,
        request=(shipment_id, missing, reason),
    )


async def refuse(
    order_id: str, shipment_id: str, caller: Caller, *, reason: str, missing: Mapping[int, int] | None = None
) -> Order:
    """The same, and give back the money of what could be found nowhere."""
    return await advanced(await accept_refusal(order_id, shipment_id, caller, reason=reason, missing=missing), caller)
