from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import orderkit
from orderkit import Order, Shop, VirtualClock
from orderkit.domain.events import Record
from orderkit.domain.value import evolve
from orderkit.flows.reading import records
from orderkit.replay.auditing import Audit, credit_reason, credited_by, stored_order
from orderkit.replay.lives import cart_of
from orderkit.replay.planning import plan_sale
from orderkit.replay.reckoning import StoredRefund
from tests.unit.replay.slices import invoice_of, line

MARCH = datetime(2010, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(name="shop")
def _shop() -> Iterator[Shop]:
    """Return a shop in memory with twelve glass balls on the shelf."""
    with orderkit.open(
        "memory:",
        payments="fakepsp:?webhooks=no",
        bus=None,
        warehouses=[orderkit.Warehouse("WH")],
        clock=VirtualClock(MARCH),
    ) as shop:
        shop.put_stock("85048", {"WH": 12})
        yield shop


@pytest.fixture(name="order")
def _order(shop: Shop) -> Order:
    """Return a paid order of three, of which 1.00 was given back for credit note C489449."""
    (planned,) = plan_sale(invoice_of(line("489434", "85048", 3, "6.95"))).orders
    placed = shop.place(cart_of(planned), "pm_visa", key="489434")
    return shop.refund(placed.id, "1.00", key="C489449", reason=credit_reason("C489449", "postage"))


@pytest.fixture(name="log")
def _log(shop: Shop, order: Order) -> tuple[Record, ...]:
    """Return the log of that order."""
    return shop.run(records(order.id))


def findings(order: Order, log: tuple[Record, ...]) -> dict[str, tuple[str, ...]]:
    """Return what an audit finds, by law."""
    audit = Audit()
    audit.look_at(order, log)
    return {check.name: check.findings for check in audit.checks()}


def test_a_sound_order_keeps_every_law(order: Order, log: tuple[Record, ...]) -> None:
    """Quantities conserve, money adds up, and the log tells the stored order."""
    assert findings(order, log) == {"quantities": (), "money": (), "log": ()}


def test_the_report_learns_what_the_store_says(order: Order) -> None:
    """Reference, total, and for each refund the credit note that its reason names."""
    found = stored_order(order)

    assert (found.reference, found.charged_minor, found.shipments, found.returned) == ("489434", 2085, 1, False)
    assert found.refunds == (StoredRefund(credit="C489449", amount_minor=100),)


def test_a_lost_unit_is_found(order: Order, log: tuple[Record, ...]) -> None:
    """A line whose units do not add up is named, and so is the log that tells otherwise."""
    broken = evolve(order, lines=(evolve(order.lines[0], ordered=4),))

    assert findings(broken, log)["quantities"] == ("489434: line 1 holds 3 of 4 ordered units",)
    assert findings(broken, log)["log"] == ("489434: the log tells other lines",)


def test_money_that_is_not_paid_out_is_found(order: Order, log: tuple[Record, ...]) -> None:
    """A refund that was granted and never paid is a finding."""
    broken = evolve(order, refunds=order.refunds * 2)

    assert findings(broken, log)["money"] == ("489434: granted 200, paid out 100",)


def test_a_lost_record_is_found(order: Order, log: tuple[Record, ...]) -> None:
    """Without its last record, the log tells an older order."""
    (finding,) = findings(order, log[:-1])["log"]

    assert finding == "489434: the log tells other version, payments, refunds"
    assert findings(order, ())["log"] == ("489434: it has no log",)


@pytest.mark.parametrize(
    ("reason", "credit"),
    [
        (credit_reason("C489449"), "C489449"),
        (credit_reason("C489449", "postage"), "C489449"),
        ("goodwill", ""),
        ("", ""),
    ],
)
def test_a_reason_names_its_credit_note(reason: str, credit: str) -> None:
    """A refund for something else names none."""
    assert credit == credited_by(reason)
