"""Release, ship, track, deliver, refuse, short-ship: what warehouses and carriers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from orderkit.domain import shipping
from orderkit.domain.allocation import Demand
from orderkit.domain.cart import fingerprint
from orderkit.domain.events import Decision, decided
from orderkit.domain.given import check_number, check_text, kept
from orderkit.domain.order import Order
from orderkit.domain.shipment import Scan
from orderkit.errors import Conflict, NotAllowed, PortError
from orderkit.flows.advancing import continued
from orderkit.flows.kit import Caller, changed, demand_for, loaded, replanned, replayed, spent_on
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
    """Book the parcel with its carrier and let the shipment leave. A key that is spent is looked up before a carrier is asked."""
    if carrier is not None:
        check_text(carrier, "carrier")
    claim = caller.claim("ship", order_id, shipment_id, carrier)
    if (spent := await spent_on(claim)) is not None:
        return await replayed(spent, claim)
    order = await loaded(order_id)
    now = await Now()
    shipping.shipped(order, shipment_id, now, carrier="any", tracking_number="any")
    asked = _parcel(order, shipment_id, carrier, now)
    answer = await asked
    if not isinstance(answer, Booked):
        code = "carrier_refused" if isinstance(answer, Refused) else "carrier_unknown"
        raise PortError(f"the carrier did not book {shipment_id}: {answer.reason}", code=code, field="shipment")
    try:
        order = await _sent_as_booked(order, shipment_id, caller, asked, answer)
    except (Conflict, NotAllowed):
        current = (await loaded(order_id)).shipment(shipment_id)
        if current.tracking_number != answer.tracking_number:  # the parcel that was booked will not be sent
            await CancelParcel(
                key=f"{asked.key}/void", carrier=answer.carrier, tracking_number=answer.tracking_number, at=now
            )
        raise
    return await continued(order, caller)


def _parcel(order: Order, shipment_id: str, carrier: str | None, at: datetime) -> BookParcel:
    """Return the booking of a shipment. The order may change between two tries: what is another parcel has another key."""
    shipment, where, service = order.shipment(shipment_id), order.facts.ship_to, order.facts.delivery.service.value
    parts = fingerprint("parcel", carrier, shipment.warehouse, where, service, shipment.units)
    return BookParcel(
        key=f"{shipment_id}/{parts[:12]}",
        carrier=carrier,
        warehouse=shipment.warehouse,
        address=where,
        service=service,
        units=shipment.units,
        at=at,
    )


async def _sent_as_booked(order: Order, shipment_id: str, caller: Caller, asked: BookParcel, booked: Booked) -> Order:
    """Book that the shipment left, unless the order changed meanwhile so that the parcel is not the one that was booked.

    Who asked at the same time got the same parcel: if that request was faster this one is refused, as if it had come later.
    """

    def decide(current: Order, now: datetime) -> Decision:
        decision = _left(current, shipment_id, booked, now)
        if _parcel(current, shipment_id, asked.carrier, asked.at).key != asked.key:
            raise Conflict(f"order {current.id} changed while the parcel of {shipment_id} was booked")
        return decision

    return await changed(order.id, "ship", decide, caller, request=(shipment_id, asked.carrier), known=order)


async def accept_dispatch(
    order_id: str, shipment_id: str, caller: Caller, *, booked: Booked, known: Order | None = None
) -> Order:
    """Book that a shipment left under a tracking number that is known already."""
    booked = kept(booked, "booked", Booked)
    check_number(booked.tracking_number, "tracking_number")
    return await changed(
        order_id,
        "ship",
        lambda order, now: _dispatched(order, shipment_id, booked, now),
        caller,
        request=(shipment_id, booked),
        known=known,
    )


def _dispatched(order: Order, shipment_id: str, booked: Booked, now: datetime) -> Decision:
    """Let the shipment leave under its tracking number; a repeat changes nothing."""
    shipment = order.shipment(shipment_id)
    if shipment.tracking_number == booked.tracking_number and shipment.shipped_at is not None:
        return decided(order)
    return _left(order, shipment_id, booked, now)


def _left(order: Order, shipment_id: str, booked: Booked, now: datetime) -> Decision:
    return shipping.shipped(
        order,
        shipment_id,
        now,
        carrier=booked.carrier,
        tracking_number=booked.tracking_number,
        tracking_url=booked.tracking_url,
        label_url=booked.label_url,
    )


async def dispatch(
    order_id: str, shipment_id: str, caller: Caller, *, booked: Booked, known: Order | None = None
) -> Order:
    """The same, and take the money for it where it is taken per shipment."""
    return await continued(await accept_dispatch(order_id, shipment_id, caller, booked=booked, known=known), caller)


async def accept_scans(order_id: str, shipment_id: str, scans: Iterable[Scan], caller: Caller) -> Order:
    """Fold in what a carrier said."""
    seen = tuple(scans)
    return await changed(order_id, "track", lambda order, now: shipping.tracked(order, shipment_id, seen, now), caller)


async def track(order_id: str, shipment_id: str, scans: Iterable[Scan], caller: Caller) -> Order:
    """The same, and give back the money of what was lost."""
    return await continued(await accept_scans(order_id, shipment_id, scans, caller), caller)


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
    if missing is not None:
        shipping.check_missing(missing)

    def demands(current: Order) -> tuple[Demand, ...]:
        return demand_for(current, dict(current.shipment(shipment_id).lines if missing is None else missing))

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
    return await continued(await accept_refusal(order_id, shipment_id, caller, reason=reason, missing=missing), caller)
