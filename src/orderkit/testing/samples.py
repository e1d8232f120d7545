"""Sample orders for contract suites and tests: commits as flows would make them, from decisions of the domain.

`a_commit` is an order that was just placed, `next_commit` the next step of any order, `a_life` a whole life that fills in every part an
order can have. Nothing is written down by hand: what the domain would refuse cannot be a sample. No store, clock or shop is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orderkit.domain import amending, answering, cancelling, expiring, holding, returning, shipping
from orderkit.domain.agenda import due
from orderkit.domain.allocation import Plan, PlannedParcel, Warehouse
from orderkit.domain.cart import Cart
from orderkit.domain.events import Decision, Event, Stamp, decided, sealed
from orderkit.domain.order import Address, DeliveryPreference, Order, Policies, Service
from orderkit.domain.payment import CaptureMode, Tender
from orderkit.domain.placing import placed
from orderkit.domain.promise import Handling
from orderkit.domain.refunds import RefundPolicy
from orderkit.domain.returns import Disposition, Grade, Graded, ReturnItem, ReturnPolicy
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.stock import StockReceipt
from orderkit.domain.value import evolve
from orderkit.ports.store import Commit, KeyClaim, Lease, PutStock

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a Tuesday, three hours before the cutoff
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
HANDLING = {"*": Handling()}
LIFE_STOCK: Mapping[tuple[str, str], int] = {
    ("MUG", "berlin"): 5,
    ("TEE", "berlin"): 1,
    ("TEE", "madrid"): 3,
    ("БУКВАРЬ", "madrid"): 2,
}


def a_cart(
    items: Mapping[str, int] | None = None, *, customer: str = "anna", ship_to: Address = HOME, price: str = "12.50"
) -> Cart:
    """Return a cart with so many units of each SKU, two mugs if nothing is said, all at one price in euros."""
    cart = Cart(customer=customer, ship_to=ship_to, currency="EUR", contact=f"{customer}@example.com")
    for sku, quantity in (items or {"MUG": 2}).items():
        cart = cart.add(sku, quantity, price, name=sku.title())
    return cart


def goods(name: str, sku: str, warehouse: str, quantity: int, *, reason: str = "received") -> PutStock:
    """Return a delivery to one shelf under a receipt of that name; below zero it is counted off."""
    return PutStock((StockReceipt(name, sku, warehouse, quantity, reason, NOON),))


def a_commit(
    order_id: str = "order-1",
    items: Mapping[str, int] | None = None,
    *,
    warehouse: str = "berlin",
    at: datetime = NOON,
    key: KeyClaim | None = None,
    cart: Cart | None = None,
    **cart_parts: Any,
) -> Commit:
    """Return the first commit of an order: placed, every unit reserved at one warehouse, the payment about to be asked for."""
    cart = cart or a_cart(items, **cart_parts)
    facts = cart.facts(Policies())
    plan = Plan(parcels=(PlannedParcel(warehouse, tuple((line.number, line.quantity) for line in facts.lines)),))
    decision = placed(
        order_id,
        facts,
        plan,
        [Tender(method="pm_visa")],
        at,
        warehouses={warehouse: Warehouse(warehouse)},
        handling=HANDLING,
    )
    return committing(None, decision, command="place", at=at, key=key)


def an_order(order_id: str = "order-1", items: Mapping[str, int] | None = None, **how: Any) -> Order:
    """Return an order as it stands after its first commit; the arguments are those of `a_commit`."""
    return a_commit(order_id, items, **how).after


def next_commit(
    before: Order,
    decision: Decision | None = None,
    *,
    command: str = "note",
    at: datetime | None = None,
    key: KeyClaim | None = None,
    lease: Lease | None = None,
) -> Commit:
    """Return the next step of an order, a minute after the last one: a decision made from it, or a finding that somebody noted."""
    decision = decision or expiring.finding_noted(before, f"noted:{before.version}")
    return committing(
        before, decision, command=command, at=at or before.updated_at + timedelta(minutes=1), key=key, lease=lease
    )


def committing(
    before: Order | None,
    decision: Decision,
    *,
    command: str,
    at: datetime,
    key: KeyClaim | None = None,
    lease: Lease | None = None,
) -> Commit:
    """Return the commit of a decision, due when the order's own agenda says."""
    stamp = Stamp(at=at, actor="sample", command=command, reason="müßig ✓", correlation="req-1")
    after, record = sealed(decision, before, stamp)
    task = due(after)
    return Commit(
        before=before,
        after=after,
        record=record,
        key=key,
        due_at=task.at if task else None,
        due_for=task.kind.value if task else None,
        lease=lease,
    )


def paid(before: Order) -> Commit:
    """Return the step in which the provider confirms the order's first open operation."""
    operation = next(operation for _, operation in before.operations() if operation.open)
    at = before.updated_at + timedelta(minutes=1)
    return next_commit(
        before, answering.confirmed(before, operation.id, at, reference=f"ref:{operation.key}"), command="book", at=at
    )


def dispatched(before: Order, *, tracking_number: str = "1Z-7", at: datetime | None = None) -> Commit:
    """Return the step in which the first shipment that waits leaves its warehouse."""
    at = at or before.updated_at + timedelta(hours=1)
    shipment = next(shipment for shipment in before.shipments if shipment.waiting)
    decision = shipping.shipped(before, shipment.id, at, carrier="van", tracking_number=tracking_number)
    return next_commit(before, decision, command="ship", at=at)


def called_off(before: Order) -> Commit:
    """Return the step in which the customer cancels everything: what was promised is free again."""
    at = before.updated_at + timedelta(minutes=1)
    return next_commit(before, cancelling.cancelled(before, at, reason="changed_mind"), command="cancel", at=at)


def told(before: Order, *events: Event) -> Commit:
    """Return a step that changes nothing and tells these events."""
    return next_commit(before, decided(before, *events), command="tell")


# ---- a whole life


def a_life(order_id: str = "life-1") -> tuple[Commit, ...]:
    """Return the commits of an order that went through nearly everything; they need `LIFE_STOCK`.

    At its end every part is filled in: lines in many buckets, shipments with scans (delivered, lost, planned, cancelled), three tenders
    with operations confirmed, unknown and tried again, refunds, a return with a receipt, holds, a live saga, findings, and names in many
    alphabets.
    """
    commits: list[Commit] = []
    for step in _life(order_id, commits):
        commits.append(step)  # noqa: PERF402  (each step is made from the commits before it)
    return tuple(commits)


def _life(order_id: str, commits: list[Commit]) -> Iterator[Commit]:
    def now() -> datetime:
        return commits[-1].after.updated_at + timedelta(minutes=7)

    def step(command: str, decide: Any, *, days: int = 0, **arguments: Any) -> Commit:
        before, at = commits[-1].after, now() + timedelta(days=days)
        return next_commit(before, decide(before, at=at, **arguments), command=command, at=at)

    yield _life_placed(order_id)
    card, gift = (
        payment.operations[0].id for payment in sorted(commits[-1].after.payments, key=lambda payment: payment.kind)
    )
    yield step("book", lambda o, at: answering.doubted(o, gift, at, reason="time-out"))
    yield step("book", lambda o, at: answering.confirmed(o, gift, at, reference="gc_0001"))
    expires = NOON + timedelta(days=90)
    yield step("book", lambda o, at: answering.confirmed(o, card, at, reference="ch_0001", expires_at=expires))
    yield step(
        "hold",
        lambda o, at: holding.held(
            o, at, reason="fraud_review", note="Größe prüfen: 中 №3", until=at + timedelta(days=1)
        ),
    )
    yield step("release_hold", lambda o, at: holding.hold_released(o, o.holds[0].id, at))
    yield step("amend", lambda o, at: amending.address_amended(o, at, evolve(o.facts.ship_to, street="Łąkowa 7")))
    yield step(
        "amend",
        lambda o, at: amending.delivery_amended(
            o,
            at,
            DeliveryPreference(service=Service.EXPRESS, not_before=date(2026, 3, 5), note="ring twice"),
            warehouses=_PLACES,
            handling=HANDLING,
        ),
    )
    yield step("amend", _more_mugs)
    yield step("cancel", lambda o, at: cancelling.cancelled(o, at, reason="changed_mind", shipment=o.shipments[-1].id))
    yield from _life_shipped(order_id, step)
    yield from _life_returned(step)
    yield step(
        "track",
        lambda o, at: shipping.tracked(o, o.shipments[1].id, [Scan(id="x", status=CarrierStatus.LOST, at=at)], at),
        days=9,
    )
    yield step("book", lambda o, at: answering.refused(o, _open(o, "refund", last=True), at, reason="bank_unreachable"))
    yield step(
        "reallocate",
        lambda o, at: shipping.reallocated(o, _parcel("madrid", (2, 1)), at, warehouses=_PLACES, handling=HANDLING),
    )
    yield step("note", lambda o, **_: expiring.finding_noted(o, "наличие проверить"))
    yield step(
        "hold", lambda o, at: holding.held(o, at, reason="stock_check", note="übrig?", until=at + timedelta(days=30))
    )


_PLACES = {place: Warehouse(place) for place in ("berlin", "madrid")}


def _parcel(warehouse: str, *lines: tuple[int, int]) -> Plan:
    return Plan(parcels=(PlannedParcel(warehouse, lines),))


def _life_placed(order_id: str) -> Commit:
    cart = (
        Cart(
            customer="zoë-7",
            ship_to=Address(
                name="Zoë Ångström-Łukasiewicz", street="北京路 5 / III", city="Kraków", zip="30-001", country="PL"
            ),
            currency="PLN",
            contact="zoë@example.com",
            reference="koszyk-99",
        )
        .add(
            "MUG",
            3,
            "12.50",
            name="Kubek “Żółw”",
            tags={"fragile", "ceramic"},
            attributes={"kolor": "żółty"},
            tax="6.01",
        )
        .add("TEE", 4, "20.00", name="T-shirt ⚡ размер L", seller="acme", backorder=True, discount="3.00")
        .add("БУКВАРЬ", 2, "7.77", name="Букварь — 1-й класс")
        .discounted("wiosna", "5.00")
        .charged("parcel", "9.99", tax="1.87")
        .charged("gift wrap", "2.00", kind="fee")
    )
    policies = Policies(
        capture=CaptureMode.PER_SHIPMENT,
        refund=RefundPolicy(restocking_fee_percent=5, grades={"damaged": 5_000}),
        returns=ReturnPolicy(approval=True, final_sale=frozenset({"БУКВАРЬ"})),
    )
    plan = Plan(
        parcels=(PlannedParcel("berlin", ((1, 3), (2, 1))), PlannedParcel("madrid", ((2, 2), (3, 2)))),
        backordered=((2, 1),),
    )
    tenders = [Tender(method="gc_77", kind="gift_card", amount_minor=2_000), Tender(method="pm_visa")]
    decision = placed(order_id, cart.facts(policies), plan, tenders, NOON, warehouses=_PLACES, handling=HANDLING)
    key = KeyClaim(principal="shop", operation="place", key=f"checkout-{order_id}", fingerprint="f1")
    return committing(None, decision, command="place", at=NOON, key=key)


def _more_mugs(order: Order, *, at: datetime) -> Decision:
    """Two more lines, one at each warehouse; their payment stays open, so the saga of the amendment lives on."""
    cart = (
        Cart(customer=order.facts.customer, ship_to=order.facts.ship_to, currency="PLN")
        .add("MUG", 1, "11.00")
        .add("MUG", 1, "11.00")
    )
    plan = Plan(parcels=(PlannedParcel("berlin", ((4, 1),)), PlannedParcel("berlin", ((5, 1),))))
    first = len(order.lines) + 1
    return amending.lines_added(
        order,
        at,
        cart.order_lines(first=first),
        cart.prices(first=first),
        plan,
        [Tender(method="pm_visa")],
        warehouses=_PLACES,
        handling=HANDLING,
    )


def _life_shipped(order_id: str, step: Any) -> Iterator[Commit]:
    first = f"{order_id}-S1"

    def scans(*seen: tuple[str, CarrierStatus, str | None]) -> Any:
        return lambda o, at: shipping.tracked(
            o,
            first,
            [
                Scan(id=name, status=status, at=at + timedelta(seconds=n), place=place)
                for n, (name, status, place) in enumerate(seen)
            ],
            at,
        )

    yield step("release", lambda o, at: shipping.released(o, first, at), days=1)
    yield step(
        "ship",
        lambda o, at: shipping.shipped(
            o,
            first,
            at,
            carrier="van",
            tracking_number="VAN-Ü1",
            tracking_url="https://van.example/Ü1",
            label_url="label:1",
        ),
    )
    yield step("book", lambda o, at: answering.confirmed(o, _open(o, "capture"), at, reference="cap_0001"))
    yield step(
        "track", scans(("s1", CarrierStatus.IN_TRANSIT, "Łódź"), ("s2", CarrierStatus.OUT_FOR_DELIVERY, None)), days=1
    )
    yield step("track", scans(("s3", CarrierStatus.DELIVERED, "Kraków")))
    yield step("ship", lambda o, at: shipping.shipped(o, f"{order_id}-S2", at, carrier="fluß", tracking_number="FL/1"))
    yield step("book", lambda o, at: answering.confirmed(o, _open(o, "capture"), at, reference="cap_0002"))


def _life_returned(step: Any) -> Iterator[Commit]:
    items = [ReturnItem(line=1, quantity=2, reason="zu groß"), ReturnItem(line=2, quantity=1, reason="didn't like it")]
    arrived = [
        Graded(line=1, quantity=1, grade=Grade.LIKE_NEW, disposition=Disposition.RESTOCK),
        Graded(line=2, quantity=1, grade=Grade.DAMAGED, disposition=Disposition.WRITE_OFF),
    ]
    yield step("request_return", lambda o, at: returning.return_requested(o, items, at), days=3)
    yield step("authorize_return", lambda o, at: returning.return_authorized(o, o.returns[0].id, at))
    yield step(
        "label",
        lambda o, **_: returning.return_labeled(o, o.returns[0].id, label_url="label:R1", tracking_number="VAN-R1"),
    )
    yield step("send", lambda o, at: returning.return_sent(o, o.returns[0].id, at))
    yield step(
        "receive", lambda o, at: returning.return_received(o, o.returns[0].id, arrived, at, warehouse="madrid"), days=2
    )
    yield step("book", lambda o, at: answering.doubted(o, _open(o, "refund"), at, reason="brak odpowiedzi"))


def _open(order: Order, kind: str, *, last: bool = False) -> str:
    found = [operation.id for _, operation in order.operations() if operation.open and operation.kind.value == kind]
    return found[-1 if last else 0]
