"""Small rules of the domain by themselves: payments, sagas, addresses, promises, scans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from orderkit import Address, DeliveryPreference, InvalidInput, NotAllowed, Service
from orderkit.domain.payment import Operation, OperationKind, Payment, requested
from orderkit.domain.promise import Handling, promised
from orderkit.domain.saga import PLACEMENT, started, turned
from orderkit.domain.shipment import CarrierStatus, Scan, folded
from orderkit.domain.value import evolve
from tests.shops import NOON


def a_payment(**changes: object) -> Payment:
    """Return a payment of ten euros, of which six are captured and one is refunded."""
    return evolve(
        Payment(
            id="P1",
            kind="card",
            method="pm",
            amount_minor=1000,
            state="captured",
            authorized_minor=1000,
            captured_minor=600,
            refunded_minor=100,
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("kind", "amount", "code"),
    [
        (OperationKind.CAPTURE, 401, "capture_exceeds_authorized"),
        (OperationKind.REFUND, 501, "refund_exceeds_captured"),
        (OperationKind.REFUND, 0, "invalid_money"),
        (OperationKind.CHARGE, -1, "invalid_money"),
    ],
)
def test_no_more_is_asked_than_is_there(kind: OperationKind, amount: int, code: str) -> None:
    """Captures stay within the authorization, refunds within the captures, and nothing moves nothing."""
    with pytest.raises(NotAllowed) as caught:
        requested(a_payment(), Operation(id="P1.1", kind=kind, amount_minor=amount, requested_at=NOON))

    assert caught.value.code == code


def test_a_saga_turns_once() -> None:
    """It undoes its steps in reverse, and does not turn again."""
    run = started(PLACEMENT, "o-1", "charge", NOON)
    back = turned(run, "declined")

    assert (back.direction, back.step, back.reason) == ("backward", "give_back", "declined")
    assert PLACEMENT.compensations("charge") == ("give_back", "release_stock", "fail_order")
    with pytest.raises(NotAllowed):
        turned(back, "again")


@pytest.mark.parametrize(
    "address",
    [
        {"street": " "},
        {"city": ""},
        {"zip": ""},
        {"country": "Germany"},
        {"country": "de"},
    ],
)
def test_an_address_is_complete(address: dict[str, str]) -> None:
    """Street, city, zip, and a country of two capital letters."""
    with pytest.raises(InvalidInput) as caught:
        Address(**({"street": "a", "city": "b", "zip": "c", "country": "DE"} | address))

    assert (caught.value.code, caught.value.field) == ("invalid_address", next(iter(address)))


def test_a_promise_counts_the_days_that_a_warehouse_works() -> None:
    """Ordered on a Friday evening: in work on Monday, and a day that is wished for moves both."""
    friday = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
    handling = Handling(holidays=frozenset({date(2026, 3, 9)}))

    cutoff, promise = promised(friday, handling, DeliveryPreference(service=Service.EXPRESS), 0)
    wished, later = promised(friday, handling, DeliveryPreference(not_before=date(2026, 3, 16)), 1)

    assert cutoff == datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
    assert (promise.arrives_from, promise.arrives_until) == (date(2026, 3, 11), date(2026, 3, 11))
    assert wished == datetime(2026, 3, 13, 15, 0, tzinfo=UTC)
    assert later.arrives_from == date(2026, 3, 16)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_promise_of_any_day_is_made(day: date) -> None:
    """What was kept before there was a limit has a promise too, within the calendar."""
    _, promise = promised(NOON, Handling(), DeliveryPreference(not_before=day), 3)

    assert promise.arrives_from >= NOON.date()


def test_a_warehouse_works_on_some_day() -> None:
    """One that never works would never have a cutoff."""
    with pytest.raises(InvalidInput):
        Handling(workdays=frozenset())


def test_a_parcel_without_a_scan_is_unknown() -> None:
    """And the highest of its scans is what it is."""
    scans = (
        Scan(id="2", status=CarrierStatus.DELIVERED, at=NOON),
        Scan(id="1", status=CarrierStatus.IN_TRANSIT, at=NOON + timedelta(days=1)),
    )

    assert folded(()) is CarrierStatus.UNKNOWN
    assert folded(scans) is CarrierStatus.DELIVERED
