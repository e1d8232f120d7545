"""Shipping: release to the warehouse, dispatch, what carriers say, and what goes wrong on the way.

Stock follows the units: a dispatch takes them off the shelf, a short shelf corrects it, a refusal frees its promise. Capture per shipment is
asked for when the goods leave. A carrier's scans only ever move a shipment forward (`shipment.folded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from orderkit.domain.allocation import Plan, Warehouse
from orderkit.domain.cancelling import shrunk
from orderkit.domain.events import Decision, Event, StockMove, decided
from orderkit.domain.given import check_time, kept
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import ORDER, SHIPMENT
from orderkit.domain.order import Order
from orderkit.domain.owing import shipment_value
from orderkit.domain.payment import CaptureMode
from orderkit.domain.placing import reserved
from orderkit.domain.promise import Handling
from orderkit.domain.quantities import Bucket, Move
from orderkit.domain.saga import unpaid_lines
from orderkit.domain.settling import captures, settled
from orderkit.domain.shipment import CarrierStatus, Scan, Shipment, folded
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed


def released(order: Order, shipment_id: str, now: datetime) -> Decision:
    """Hand a planned shipment to its warehouse: from now on it is the warehouse that may say no."""
    shipment = _ready(order, shipment_id)
    after = evolve(shipment, state=SHIPMENT.step(shipment.state, "release"), released_at=now)
    moves = [Move(number, Bucket.RESERVED, Bucket.RELEASED, count, shipment.id) for number, count in shipment.lines]
    told = Event("shipment.released", {"shipment": shipment.id, "warehouse": shipment.warehouse})
    return decided(order, told, moves=moves, shipments=_with(order, after))


def shipped(
    order: Order,
    shipment_id: str,
    now: datetime,
    *,
    carrier: str,
    tracking_number: str,
    tracking_url: str = "",
    label_url: str = "",
) -> Decision:
    """The shipment leaves its warehouse; under capture per shipment its value is asked for."""
    shipment = _ready(order, shipment_id)
    after = evolve(
        shipment,
        state=SHIPMENT.step(shipment.state, "ship"),
        carrier=carrier,
        tracking_number=tracking_number,
        tracking_url=tracking_url or None,
        label_url=label_url or None,
        released_at=shipment.released_at or now,
        shipped_at=now,
        asked_at=now,
    )
    skus = {line.number: line.sku for line in order.lines}
    moves: list[Move] = []
    if shipment.state == "planned":
        moves += [
            Move(number, Bucket.RESERVED, Bucket.RELEASED, count, shipment.id) for number, count in shipment.lines
        ]
    moves += [Move(number, Bucket.RELEASED, Bucket.SHIPPED, count, shipment.id) for number, count in shipment.lines]
    stock = [StockMove(skus[n], shipment.warehouse, on_hand=-count, reserved=-count) for n, count in shipment.lines]
    told = Event(
        "shipment.shipped",
        {
            "shipment": shipment.id,
            "warehouse": shipment.warehouse,
            "carrier": carrier,
            "tracking_number": tracking_number,
        },
    )
    decision = _captured(order, shipment, now)
    asked = decision.order.payments != order.payments
    decision = decision.then(decided(decision.order, told, moves=moves, stock=stock, shipments=_with(order, after)))
    if asked or order.facts.policies.capture is CaptureMode.NOW:
        return decision
    # no answer will come that settles what the last parcel leaves behind
    return decision.then(settled(decision.order, now))


def _captured(order: Order, shipment: Shipment, now: datetime) -> Decision:
    """Ask for what the goods in the shipment are worth, from the tenders that are authorized, in turn."""
    if order.facts.policies.capture is not CaptureMode.PER_SHIPMENT:
        return decided(order)
    decision, missing = captures(order, shipment_value(order, dict(shipment.lines)), now, shipment=shipment.id)
    if not missing:
        return decision
    found = f"capture_short:{shipment.id}"
    told = Event("order.needs_attention", {"finding": found, "missing_minor": missing})
    return decision.then(decided(decision.order, told, findings=(*order.findings, found)))


def tracked(order: Order, shipment_id: str, scans: Iterable[Scan], now: datetime) -> Decision:
    """Fold what the carrier said into the shipment; what is old or repeated changes nothing but the time of asking.

    Raises: `InvalidInput` (a scan whose time has no zone, or whose text no store keeps), `NotAllowed`.
    """
    shipment = order.shipment(shipment_id)
    if not shipment.travelling and shipment.state != "delivered":
        raise NotAllowed(f"shipment {shipment.id} is {shipment.state}: no carrier has it", code="illegal_transition")
    known = {scan.id for scan in shipment.scans}
    unseen = [scan for scan in {scan.id: scan for scan in scans}.values() if scan.id not in known]
    for scan in unseen:
        check_time(scan.at, "at")
    unseen = list(kept(unseen, "scans", Scan))
    fresh = sorted(unseen, key=lambda s: (s.at, s.id))
    all_scans = shipment.scans + tuple(fresh)
    status = folded(all_scans)
    after = evolve(shipment, scans=all_scans, carrier_status=status, asked_at=now)
    if status is shipment.carrier_status:
        return decided(order, shipments=_with(order, after))
    at = max((s.at for s in all_scans if s.status is status), default=now)
    return _carried_on(order, after, status, at, now)


def delivered(order: Order, shipment_id: str, now: datetime) -> Decision:
    """The shipment arrived, said by somebody else than its carrier."""
    shipment = order.shipment(shipment_id)
    SHIPMENT.step(shipment.state, "deliver")
    scan = Scan(id=f"{shipment.id}/delivered", status=CarrierStatus.DELIVERED, at=now)
    return tracked(order, shipment_id, [scan], now)


def _carried_on(order: Order, shipment: Shipment, status: CarrierStatus, at: datetime, now: datetime) -> Decision:
    """Move the units as the carrier's new status says."""
    data = {"shipment": shipment.id, "carrier_status": status.value, "at": at.astimezone(UTC).isoformat()}
    trigger = {
        CarrierStatus.DELIVERED: "deliver",
        CarrierStatus.OUT_FOR_DELIVERY: "go_out",
        CarrierStatus.LOST: "lose",
        CarrierStatus.RETURN_TO_SENDER: "turn_back",
    }.get(status)
    if trigger is None or not SHIPMENT.allows(shipment.state, trigger):
        return decided(order, Event("shipment.tracked", data), shipments=_with(order, shipment))
    was_lost = shipment.state == "lost"
    after = evolve(shipment, state=SHIPMENT.step(shipment.state, trigger))
    if trigger == "go_out":
        return decided(order, Event("shipment.out_for_delivery", data), shipments=_with(order, after))
    if trigger == "turn_back":
        found = f"returned_to_sender:{shipment.id}"
        again = [Move(n, Bucket.LOST, Bucket.SHIPPED, count, shipment.id) for n, count in shipment.lines if was_lost]
        return decided(
            order,
            Event("shipment.returned_to_sender", data),
            moves=again,
            shipments=_with(order, after),
            findings=(*order.findings, found),
        )
    if trigger == "deliver":
        source = Bucket.LOST if was_lost else Bucket.SHIPPED
        moves = [Move(number, source, Bucket.DELIVERED, count, shipment.id) for number, count in shipment.lines]
        arrived = evolve(after, delivered_at=at)
        return decided(order, Event("shipment.delivered", data), moves=moves, shipments=_with(order, arrived))
    return _lost(order, after, data, now)


def _lost(order: Order, shipment: Shipment, data: Mapping[str, str], now: datetime) -> Decision:
    """The carrier lost it: the units are lost, and their value is credited at once."""
    moves = [Move(number, Bucket.SHIPPED, Bucket.LOST, count, shipment.id) for number, count in shipment.lines]
    credited = {n: min(count, order.line(n).ordered - order.credited_units(n)) for n, count in shipment.lines}
    units = {number: count for number, count in credited.items() if count}
    decision = decided(order, Event("shipment.lost", data), moves=moves, shipments=_with(order, shipment))
    if not units:
        return decision
    refund = granted(decision.order, "lost", "lost_in_transit", now, units=units)
    decision = decision.then(decided(decision.order, refunds=(*order.refunds, refund)))
    return decision.then(settled(decision.order, now))


def refused(
    order: Order,
    shipment_id: str,
    now: datetime,
    *,
    reason: str,
    plan: Plan,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
    missing: Mapping[int, int] | None = None,
) -> Decision:
    """The warehouse cannot send the shipment, or a part of it: those units go elsewhere as planned, wait, or are cancelled.

    `missing` are units by line that are not on the shelf after all (a short pick): they are counted off its stock. Without it the whole
    shipment is refused and the goods stay where they are.
    """
    shipment = order.shipment(shipment_id)
    if not shipment.waiting:
        raise NotAllowed(
            f"shipment {shipment.id} is {shipment.state}", code="already_shipped", facts={"state": shipment.state}
        )
    if missing is not None:
        check_missing(missing)
    gone = dict(shipment.lines if missing is None else missing)
    held = dict(shipment.lines)
    for number, count in gone.items():
        if not 0 < count <= held.get(number, 0):
            raise InvalidInput(
                f"shipment {shipment.id} holds {held.get(number, 0)} of line {number}",
                code="invalid_quantity",
                field="missing",
            )
    skus = {line.number: line.sku for line in order.lines}
    source = Bucket.RELEASED if shipment.state == "released" else Bucket.RESERVED
    off_shelf = 0 if missing is None else -1
    stock = [StockMove(skus[n], shipment.warehouse, on_hand=off_shelf * q, reserved=-q) for n, q in gone.items()]
    taken = [Move(n, source, Bucket.BACKORDERED, q, shipment.id) for n, q in gone.items()]
    shipments = shrunk(order.shipments, taken)
    shipments = tuple(evolve(s, reason=reason) if s.id == shipment.id else s for s in shipments)
    told = Event(
        "shipment.refused" if missing is None else "shipment.short",
        {"shipment": shipment.id, "reason": reason, "units": {str(n): q for n, q in gone.items()}},
    )
    decision = decided(order, told, moves=taken, stock=stock, shipments=shipments)
    again = reserved(decision.order, plan, now, warehouses=warehouses, handling=handling, source=Bucket.BACKORDERED)
    decision = decision.then(again)
    return decision.then(_rest_cancelled(decision.order, plan, now, reason))


def check_missing(missing: object) -> None:
    """Refuse missing units that are none: what a whole shipment lacks is not to be guessed."""
    if not isinstance(missing, Mapping) or not missing:
        raise InvalidInput(
            "say which units are missing, by line; leave it out to refuse the whole shipment", field="missing"
        )
    for number, count in missing.items():
        if type(number) is not int or type(count) is not int or count <= 0:
            raise InvalidInput(
                f"{count!r} of line {number!r} is no number of units", code="invalid_quantity", field="missing"
            )


def _rest_cancelled(order: Order, plan: Plan, now: datetime, reason: str) -> Decision:
    """What could be found nowhere and may not wait is cancelled and credited."""
    units: dict[int, int] = {}
    for short in plan.short:
        units[short.line] = (
            units.get(short.line, 0) + short.asked - short.available
            if short.asked > short.available
            else units.get(short.line, 0)
        )
    units = {number: min(count, order.line(number)[Bucket.BACKORDERED]) for number, count in units.items() if count}
    if not any(units.values()):
        return decided(order)
    moves = [Move(number, Bucket.BACKORDERED, Bucket.CANCELLED, count) for number, count in units.items() if count]
    refund = granted(order, "cancellation", reason, now, units={n: q for n, q in units.items() if q})
    told = Event(
        "order.units_cancelled",
        {
            "units": {str(n): q for n, q in units.items() if q},
            "reason": reason,
            "credited_minor": refund.total_minor,
            "refund": refund.id,
        },
    )
    decision = decided(order, told, moves=moves, refunds=(*order.refunds, refund))
    if all(line.ordered == line[Bucket.CANCELLED] for line in decision.order.lines):
        state = ORDER.step(order.state, "cancel")
        decision = decision.then(
            decided(decision.order, Event("order.cancelled", {"reason": reason}), state=state, reason=reason)
        )
    return decision.then(settled(decision.order, now))


def reallocated(
    order: Order, plan: Plan, now: datetime, *, warehouses: Mapping[str, Warehouse], handling: Mapping[str, Handling]
) -> Decision:
    """Stock was looked for on behalf of units that wait: what was found is reserved as planned, the rest is looked for later."""
    decision = reserved(order, plan, now, warehouses=warehouses, handling=handling, source=Bucket.BACKORDERED)
    decision = decision.then(decided(decision.order, sought_at=now))
    units: dict[str, int] = {}
    for number, count in (found for parcel in plan.parcels for found in parcel.lines):
        units[str(number)] = units.get(str(number), 0) + count
    return decision.told(Event("line.allocated", {"units": units})) if units else decision


def _ready(order: Order, shipment_id: str) -> Shipment:
    """Return the shipment if nothing stops it from leaving."""
    shipment = order.shipment(shipment_id)
    if order.state != "confirmed":
        raise NotAllowed(
            f"order {order.id} is {order.state}: nothing leaves before it is confirmed",
            code="not_allowed",
            facts={"state": order.state},
        )
    if order.active_holds:
        reasons = [hold.reason for hold in order.active_holds]
        raise NotAllowed(
            f"order {order.id} is on hold: {', '.join(reasons)}", code="order_on_hold", facts={"holds": reasons}
        )
    if not unpaid_lines(order).isdisjoint(shipment.numbers):
        raise NotAllowed(
            f"shipment {shipment.id} holds lines whose payment is not known yet",
            code="action_in_flight",
            facts={"shipment": shipment.id},
        )
    if not shipment.waiting:
        code = "already_cancelled" if shipment.state == "cancelled" else "already_shipped"
        raise NotAllowed(
            f"shipment {shipment.id} is {shipment.state}",
            code=code,
            facts={"shipment": shipment.id, "state": shipment.state},
        )
    return shipment


def _with(order: Order, shipment: Shipment) -> tuple[Shipment, ...]:
    return tuple(shipment if s.id == shipment.id else s for s in order.shipments)
