"""`orderkit order pay`: another tender from the command line, with its dry run, and with an exit status that says what the tender said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import orderkit
from orderkit import Address, CaptureMode, Cart, Order, Policies, Settings, Shop, VirtualClock
from orderkit.cli.main import root
from orderkit_fakepsp import FakeCard
from orderkit_sql import migrate
from tests.runner import Runner

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
CART = Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", 2, "10.00")
TIRED = FakeCard.script(capture="capture_failed")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = request.getfixturevalue("make_postgres_database")()
    migrate(url)
    return url


class Desk:
    """A shop whose order left, and whose card would not be captured."""

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self.bank = store, f"fakepsp:///{folder}/bank.db?webhooks=no"
        clock = VirtualClock(datetime(2026, 1, 5, 8, tzinfo=UTC))
        settings = Settings(policies=Policies(capture=CaptureMode.PER_SHIPMENT))
        with orderkit.open(store, payments=self.bank, clock=clock, settings=settings) as shop:
            shop.put_stock("MUG", {"berlin": 5})
            order = shop.place(CART, TIRED)
            shop.ship(order.id, order.shipments[0].id)
            for _ in range(8):
                clock.advance(hours=1)
                shop.sweep()
            self.order_id = order.id

    def opened(self) -> Shop:
        """Open the shop."""
        return orderkit.open(self.store, payments=self.bank)

    def order(self) -> Order:
        """Return the order as it is stored."""
        with self.opened() as shop:
            return shop.order(self.order_id)

    def run(self, *arguments: str, status: int = 0) -> Result:
        """Run a command about the order."""
        done = Runner().invoke(root, ["order", *arguments, "--store", self.store])
        assert done.exit_code == status, (done.output, done.exception)
        return done

    def pays(self, *more: str, status: int = 0) -> Result:
        """Pay with another tender."""
        return self.run("pay", self.order_id, *more, "--payments", self.bank, status=status)


@pytest.fixture
def desk(store: str, tmp_path: Path) -> Desk:
    """A desk over the store."""
    return Desk(store, tmp_path)


def told(result: Result) -> Any:
    """Return what a command said as JSON."""
    return json.loads(result.stdout or result.stderr)


def test_what_is_missing_is_shown_and_paid(desk: Desk) -> None:
    """`show` and `why` say how much, the dry run what would be asked for; then it is paid, once for its key."""
    shown, why = desk.run("show", desk.order_id).stdout, desk.run("why", desk.order_id).stdout
    dry = desk.pays("pm_visa", "--dry-run").stdout
    before = desk.order()
    answers = [told(desk.pays("pm_visa", "--yes", "--key", "k", "--format", "json")) for _ in range(2)]

    assert "missing 20.00 EUR" in shown
    assert "20.00 EUR are missing" in why
    assert "money     charge 20.00 EUR (pm_visa)" in dry
    assert len(before.payments) == 1
    assert answers[0] == answers[1]
    assert (desk.order().captured_minor, desk.order().findings) == (2000, ())
    assert "missing" not in desk.run("show", desk.order_id).stdout.splitlines()[1]


def test_a_part_is_paid_by_its_kind(desk: Desk) -> None:
    """A gift card gives a part; more than is missing is refused as input."""
    desk.pays("pm_visa", "--kind", "gift_card", "--amount", "5.00", "--yes")
    too_much = desk.pays("pm_visa", "--amount", "15.01", "--yes", status=2)

    order = desk.order()
    assert [(p.kind, p.captured_minor) for p in order.payments] == [("card", 0), ("gift_card", 500)]
    assert "code tenders_mismatch" in too_much.stderr
    assert "15.00 EUR are missing" in desk.run("why", desk.order_id).stdout


def test_a_decline_is_a_refusal(desk: Desk) -> None:
    """The command ends with the status for that, and again for the repeat of its key; what is missing is missing still."""
    declined = [told(desk.pays("pm_declined", "--yes", "--key", "k", "--format", "json", status=4)) for _ in range(2)]

    assert declined[0] == declined[1]
    assert (declined[0]["code"], declined[0]["facts"]) == (
        "payment_declined",
        {"order_id": desk.order_id, "missing_minor": 2000},
    )


def test_a_lost_answer_is_not_known(desk: Desk) -> None:
    """Neither done nor refused: the status says that something outside failed, and the outcome that nobody knows."""
    doubtful = told(desk.pays("pm_timeout_after", "--yes", "--format", "json", status=3))

    assert (doubtful["code"], doubtful["outcome"]) == ("payment_unknown", "unknown")
