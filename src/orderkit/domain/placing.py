"""Placing: from a cart and a plan to an order whose goods are reserved and whose money is about to be asked for.

Everything up to the first call of a provider is one decision, so it is one commit: the order, its reservation, its payment intents, its
saga. What the plan could not cover is either waited for (a backorder line) or ends the order at once, stored as cancelled with the lines
that were short, so that the customer learns which and a repeated key gets the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orderkit.domain.allocation import Plan, Warehouse
from orderkit.domain.answering import order_confirmed
from orderkit.domain.events import Decision, Event, StockMove, decided
from orderkit.domain.granting import granted
from orderkit.domain.lifecycle import ORDER, REFUND
from orderkit.domain.money import Money
from orderkit.domain.order import LINES_MAX, Facts, Order
from orderkit.domain.payment import CaptureMode, OperationKind, Payment, Tender
from orderkit.domain.promise import Handling, check_wish, handling_of, promised
from orderkit.domain.quantities import Bucket, Line, Move
from orderkit.domain.saga import PLACEMENT, started
from orderkit.domain.settling import asked, told_end
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed

PAYMENTS_MAX = 50  # whoever has offered so many tenders for one order is not paying it, but trying cards

# Cheap to undo first: what a shop keeps itself is given back without asking a bank.
_ASKED_FIRST = {"gift_card": 0, "store_credit": 1}


def placed(
    order_id: str,
    facts: Facts,
    plan: Plan,
    tenders: Sequence[Tender],
    now: datetime,
    *,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
) -> Decision:
    """Place the order as planned; a plan with shortages gives an order that is cancelled for being out of stock."""
    checked(facts)
    check_wish(facts.delivery, now.date())
    lines = tuple(Line(line.number, line.sku, line.quantity) for line in facts.lines)
    order = Order(id=order_id, facts=facts, placed_at=now, updated_at=now, lines=lines)
    if plan.short:
        return _out_of_stock(order, plan, now)
    decision = reserved(order, plan, now, warehouses=warehouses, handling=handling, source=None)
    decision = evolve(decision, events=(_placed_event(decision.order), *decision.events))
    if not order.total_minor:
        return decision.then(order_confirmed(decision.order))
    return decision.then(charging(decision.order, tenders, now))


def checked(facts: Facts) -> None:
    """Refuse facts that no order can be made of."""
    if not facts.lines:
        raise InvalidInput("the cart is empty", code="empty_cart", field="items")
    if len(facts.lines) > LINES_MAX:
        raise InvalidInput(f"{len(facts.lines)} lines are more than {LINES_MAX}", code="too_many_lines", field="items")


def charging(order: Order, tenders: Sequence[Tender], now: datetime, *, run_number: int = 1) -> Decision:
    """Put the payments and their first intents on the order, stamped with the placement run that asks for them; where nothing is due, confirm it."""
    shares = divided(tenders, order.due_minor, order.currency)
    if not shares:
        return order_confirmed(order)
    run = started(PLACEMENT, order.id, "charge", now, run_number)
    payments = list(order.payments)
    for tender, amount in shares:
        payment = Payment(
            id=f"{order.id}-P{len(payments) + 1}", kind=tender.kind, method=tender.method, amount_minor=amount
        )
        intent = asked(payment, charge_kind(order.facts.policies.capture, tender.kind), amount, now, saga=run.id)
        payments.append(payment.with_operation(intent))
    return decided(
        order,
        payments=tuple(payments),
        sagas=(*order.sagas, run),
        reserved_until=now + order.facts.policies.reservation,
    )


def paid_again(
    order: Order,
    plan: Plan,
    tenders: Sequence[Tender],
    now: datetime,
    *,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
) -> Decision:
    """Try a new tender on an order whose payment failed: its units are reserved again first."""
    if order.state != "payment_failed":
        code = "nothing_due" if order.state == "cancelled" else "action_in_flight"
        raise NotAllowed(
            f"order {order.id} is {order.state}: there is nothing to pay again", code=code, facts={"state": order.state}
        )
    if any(operation.open for _, operation in order.operations()):
        raise NotAllowed("money of the first attempt is still moving", code="action_in_flight")
    check_offers(order, len(tenders))
    if plan.short:
        first = plan.short[0]
        raise NotAllowed(
            f"{first.sku} is out of stock now",
            code="not_allowed",
            field="items",
            facts={"short": [{"sku": s.sku, "asked": s.asked, "available": s.available} for s in plan.short]},
        )
    decision = decided(
        order, Event("order.payment_retried", {}), state=ORDER.step(order.state, "pay_again"), reason=None
    )
    decision = decision.then(
        reserved(decision.order, plan, now, warehouses=warehouses, handling=handling, source=Bucket.UNALLOCATED)
    )
    runs = 1 + len({operation.saga for _, operation in order.operations() if operation.saga})
    return decision.then(charging(decision.order, tenders, now, run_number=runs))


def check_offers(order: Order, more: int = 1) -> None:
    """Refuse so many more tenders when the order has had enough. Raises: `NotAllowed`."""
    if len(order.payments) + more > PAYMENTS_MAX:
        raise NotAllowed(
            f"order {order.id} was offered {len(order.payments)} tenders, and takes {PAYMENTS_MAX} at most",
            facts={"tenders": len(order.payments), "tenders_max": PAYMENTS_MAX},
            remedy="Attend to its findings, or cancel what is not paid.",
        )


def divided(
    tenders: Sequence[Tender], total_minor: int, currency: str, *, whole: bool = True
) -> list[tuple[Tender, int]]:
    """Return each tender with its amount; one tender without an amount takes the rest, and all must add up to the total.

    Where they need not give the `whole`, they may add up to less of what is missing, never to more.
    """
    if not tenders:
        raise InvalidInput("nothing to pay with", code="tenders_mismatch", field="tenders")
    if total_minor and any(tender.method == "" for tender in tenders):
        raise InvalidInput("say what pays: a method's token", field="pay_with")
    if len(tenders) > PAYMENTS_MAX:
        raise InvalidInput(
            f"{len(tenders)} tenders are more than {PAYMENTS_MAX}", code="tenders_mismatch", field="tenders"
        )
    if len(tenders) == 1 and tenders[0].amount_minor is None:
        return [(tenders[0], total_minor)] if total_minor else []
    name, wanted = ("total_minor", "the total is") if whole else ("missing_minor", "what is missing is")
    fixed = sum(t.amount_minor for t in tenders if t.amount_minor is not None)
    open_tenders = [t for t in tenders if t.amount_minor is None]
    rest = total_minor - fixed
    if (
        len(open_tenders) > 1
        or rest < 0
        or (whole and rest and not open_tenders)
        or any(t.amount_minor is not None and t.amount_minor <= 0 for t in tenders)
    ):
        raise InvalidInput(
            f"the tenders give {Money(fixed, currency)}, {wanted} {Money(total_minor, currency)}",
            code="tenders_mismatch",
            field="tenders",
            facts={"tenders_minor": fixed, name: total_minor},
        )
    amounts = [(t, rest if t.amount_minor is None else t.amount_minor) for t in tenders]
    return sorted(((t, a) for t, a in amounts if a), key=lambda pair: _ASKED_FIRST.get(pair[0].kind, 9))


def charge_kind(mode: CaptureMode, tender_kind: str) -> OperationKind:
    """Cards wait for the shipment where the shop wants it so; what the shop keeps itself is taken at once."""
    waits = mode is CaptureMode.PER_SHIPMENT and tender_kind not in _ASKED_FIRST
    return OperationKind.AUTHORIZE if waits else OperationKind.CHARGE


def reserved(
    order: Order,
    plan: Plan,
    now: datetime,
    *,
    warehouses: Mapping[str, Warehouse],
    handling: Mapping[str, Handling],
    source: Bucket | None,
) -> Decision:
    """Turn a plan into shipments, moves out of `source`, and promises on shelves."""
    skus = {line.number: line.sku for line in order.lines}
    shipments, moves, stock = list(order.shipments), [], []
    for parcel in plan.parcels:
        warehouse = warehouses[parcel.warehouse]
        rules = handling_of(warehouse.id, handling)
        cutoff, promise = promised(now, rules, order.facts.delivery, warehouse.lead_days)
        shipment_id = f"{order.id}-S{len(shipments) + 1}"
        shipments.append(
            Shipment(id=shipment_id, warehouse=warehouse.id, lines=parcel.lines, promise=promise, cutoff_at=cutoff)
        )
        for number, count in parcel.lines:
            moves.append(Move(number, source, Bucket.RESERVED, count, shipment_id))
            stock.append(StockMove(skus[number], warehouse.id, reserved=count))
    events = []
    for number, count in plan.backordered:
        if source is not Bucket.BACKORDERED:
            moves.append(Move(number, source, Bucket.BACKORDERED, count))
            events.append(Event("line.backordered", {"line": number, "sku": skus[number], "quantity": count}))
    return decided(order, *events, moves=moves, stock=stock, shipments=tuple(shipments))


def _placed_event(order: Order) -> Event:
    return Event(
        "order.placed",
        {
            "customer": order.facts.customer,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "lines": len(order.lines),
            "shipments": [{"id": s.id, "warehouse": s.warehouse, "units": s.units} for s in order.shipments],
        },
    )


def _out_of_stock(order: Order, plan: Plan, now: datetime) -> Decision:
    moves = [Move(line.number, None, Bucket.CANCELLED, line.ordered) for line in order.lines]
    short = [{"line": s.line, "sku": s.sku, "asked": s.asked, "available": s.available} for s in plan.short]
    refund = granted(
        order, "cancellation", "out_of_stock", now, units={line.number: line.ordered for line in order.lines}
    )
    done = evolve(refund, state=REFUND.step(refund.state, "release"))
    return decided(
        order,
        _placed_event(order),
        Event("order.out_of_stock", {"short": short}),
        Event("order.cancelled", {"reason": "out_of_stock"}),
        told_end(done, 0),
        moves=moves,
        state=ORDER.step(order.state, "cancel"),
        reason="out_of_stock:" + ",".join(sorted({s.sku for s in plan.short})),
        refunds=(done,),
    )
