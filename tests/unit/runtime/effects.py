"""Effects for the tests of the runtime, made of a real order."""

from __future__ import annotations

from datetime import UTC, datetime

from orderkit.domain.events import Change, Event, Record, Stamp
from orderkit.domain.order import Address, Facts, Order, SagaRun
from orderkit.domain.payment import OperationKind
from orderkit.domain.pricing import Prices
from orderkit.ports.carriers import BookParcel
from orderkit.ports.payments import MoveMoney
from orderkit.ports.store import Commit, KeyClaim

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


def an_order(order_id: str = "o-1", *sagas: SagaRun) -> Order:
    """Return an order of Anna's, without lines."""
    facts = Facts(customer="anna", currency="EUR", ship_to=HOME, lines=(), prices=Prices(tax_included=True, lines=()))
    return Order(id=order_id, facts=facts, placed_at=NOON, updated_at=NOON, version=1, sagas=sagas)


def a_commit(
    order_id: str = "o-1",
    *,
    key: str | None = None,
    before: Order | None = None,
    after: Order | None = None,
    words: tuple[str | None, str] = (None, "payment_pending"),
    at: datetime = NOON,
) -> Commit:
    """Return a commit that places an order."""
    stamp = Stamp(at=at, actor="customer:anna", command="place", correlation="checkout-7f3a")
    record = Record(
        order_id=order_id,
        version=1,
        stamp=stamp,
        from_status=words[0],
        to_status=words[1],
        events=(Event("order.placed", {"total_minor": 5750}),),
        change=Change(state="open"),
    )
    claim = KeyClaim(principal="shop", operation="place", key=key, fingerprint="f-1") if key else None
    return Commit(before=before, after=after or an_order(order_id), record=record, key=claim)


def a_charge(order_id: str = "o-1") -> MoveMoney:
    """Return a charge of 57.50 EUR on Anna's card."""
    return MoveMoney(
        key=f"{order_id}/charge/1",
        kind=OperationKind.CHARGE,
        payment="p-1",
        method="pm_visa_of_anna",
        tender="card",
        amount_minor=5750,
        currency="EUR",
        order_id=order_id,
        at=NOON,
    )


def a_booking() -> BookParcel:
    """Return the booking of a parcel to Anna."""
    return BookParcel(
        key="s-1/1", carrier="van", warehouse="berlin", address=HOME, service="standard", units=3, at=NOON
    )
