"""Amending: another address, another day, more or fewer units, until the warehouse begins.

Fewer units are a cancellation of those units. More units are new lines at today's price under a new price version: what was agreed never
changes. Added lines are reserved and their price asked for in the same commit; should the payment be refused, the lines are dropped again
and the order is as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orderkit.domain.allocation import Plan, Warehouse
from orderkit.domain.cancelling import still_ours
from orderkit.domain.events import Decision, Event, decided
from orderkit.domain.lifecycle import ORDER
from orderkit.domain.order import LINES_MAX, Address, DeliveryPreference, Order, OrderLine
from orderkit.domain.payment import Payment, Tender
from orderkit.domain.placing import charge_kind, check_offers, divided, reserved
from orderkit.domain.pricing import Prices
from orderkit.domain.promise import Handling, check_wish, handling_of, promised
from orderkit.domain.quantities import Line
from orderkit.domain.saga import AMENDMENT, started
from orderkit.domain.settling import asked
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed


def why_not(order: Order, now: datetime) -> tuple[str, str] | None:
    """Return the code and the reason why the order cannot be amended now, or nothing."""
    if not ORDER.states[order.state].amendable:
        return "not_allowed", f"an order that is {order.state} cannot be amended"
    waiting = [s for s in order.shipments if s.waiting]
    if not any(line.open for line in order.lines):
        return "already_shipped", "nothing is left in a warehouse"
    if not all(still_ours(order, shipment, now) for shipment in waiting):
        return "cutoff_passed", "the warehouse has begun"
    return None


def why_not_by_part(order: Order, now: datetime) -> dict[str, tuple[str, str] | None]:
    """Return the same for each part that can be amended: the address, the delivery, the lines."""
    every = why_not(order, now)
    address = lines = every
    if every is None and any(line.left for line in order.lines):
        address = "already_shipped", "a part of the order has left for the old address"
    if every is None and order.saga(AMENDMENT.name) is not None:
        lines = "action_in_flight", "another amendment waits for its payment"
    return {"ship_to": address, "delivery": every, "lines": lines}


def amendable_until(order: Order) -> datetime | None:
    """Return the earliest cutoff of what still waits; an order on hold has none."""
    if order.active_holds:
        return None
    return min((s.cutoff_at for s in order.shipments if s.state == "planned" and s.cutoff_at), default=None)


def address_amended(order: Order, now: datetime, ship_to: Address) -> Decision:
    """Send what has not left yet to another address. Another country needs another plan: cancel and order again."""
    _open(order, now, "ship_to")
    if ship_to.country != order.facts.ship_to.country:
        raise NotAllowed(
            "another country changes taxes and warehouses",
            code="not_allowed",
            field="ship_to.country",
            facts={"country": order.facts.ship_to.country, "asked": ship_to.country},
        )
    facts = evolve(order.facts, ship_to=ship_to)
    return decided(order, Event("order.amended", {"what": "ship_to"}), facts=facts)


def delivery_amended(
    order: Order,
    now: datetime,
    delivery: DeliveryPreference,
    *,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
) -> Decision:
    """Wish for another day or service; the promises of what still waits are made again."""
    _open(order, now, "delivery")
    if delivery.not_before is not None and delivery.not_before < now.date():
        raise InvalidInput("the delivery day is in the past", field="delivery.not_before")
    check_wish(delivery, now.date())

    def again(shipment: Shipment) -> Shipment:
        if shipment.state != "planned":
            return shipment
        rules = handling_of(shipment.warehouse, handling)
        cutoff, promise = promised(now, rules, delivery, warehouses[shipment.warehouse].lead_days)
        return evolve(shipment, cutoff_at=cutoff, promise=promise)

    facts = evolve(order.facts, delivery=delivery)
    data = {"what": "delivery", "service": delivery.service.value, "not_before": str(delivery.not_before or "")}
    return decided(order, Event("order.amended", data), facts=facts, shipments=tuple(again(s) for s in order.shipments))


def lines_added(
    order: Order,
    now: datetime,
    lines: Sequence[OrderLine],
    prices: Prices,
    plan: Plan,
    tenders: Sequence[Tender],
    *,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
) -> Decision:
    """Add lines with their own frozen prices, reserve them as planned, and ask for the difference."""
    _open(order, now, "lines")
    if len(order.lines) + len(lines) > LINES_MAX:
        raise InvalidInput(f"an order has at most {LINES_MAX} lines", code="too_many_lines", field="add")
    if plan.short:
        raise NotAllowed(
            f"{plan.short[0].sku} is out of stock",
            code="not_allowed",
            field="add",
            facts={"short": [{"sku": s.sku, "asked": s.asked, "available": s.available} for s in plan.short]},
        )
    number = 1 + max((line.amendment for line in order.facts.lines), default=0)
    added = tuple(evolve(line, amendment=number) for line in lines)
    facts = evolve(order.facts, lines=order.facts.lines + added, prices=order.facts.prices.extended(prices))
    grown = order.lines + tuple(Line(line.number, line.sku, line.quantity) for line in added)
    told = Event(
        "order.amended",
        {"what": "lines", "added": [line.number for line in added], "difference_minor": prices.total_minor},
    )
    decision = Decision(order=evolve(order, facts=facts, lines=grown), events=(told,))
    decision = decision.then(reserved(decision.order, plan, now, warehouses=warehouses, handling=handling, source=None))
    if not prices.total_minor:
        return decision
    check_offers(order, len(tenders))
    run = started(AMENDMENT, order.id, "charge", now, number)
    payments = list(order.payments)
    for tender, amount in divided(tenders, prices.total_minor, order.currency):
        payment = Payment(
            id=f"{order.id}-P{len(payments) + 1}", kind=tender.kind, method=tender.method, amount_minor=amount
        )
        intent = asked(payment, charge_kind(facts.policies.capture, tender.kind), amount, now, saga=run.id)
        payments.append(payment.with_operation(intent))
    return decision.then(decided(decision.order, payments=tuple(payments), sagas=(*order.sagas, run)))


def _open(order: Order, now: datetime, part: str) -> None:
    if (refusal := why_not_by_part(order, now)[part]) is not None:
        raise NotAllowed(
            f"order {order.id} cannot be amended: {refusal[1]}",
            code=refusal[0],
            field=part,
            facts={"state": order.state},
        )
