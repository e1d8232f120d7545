"""`orderkit order return --receive-at` under a key: a repeat goes on with the return that the key opened, whatever happened meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

import orderkit
from orderkit import Address, Cart, Order
from orderkit.cli.main import root
from orderkit.cli.ordering import STAFF
from orderkit.flows import returning
from orderkit.flows.kit import Caller
from orderkit_sql import migrate
from tests.runner import Runner

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
CART = Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", 2, "10.00").add("TV", 1, "900.00")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = request.getfixturevalue("postgres_database")
    migrate(url)
    return url


class Desk:
    """A shop with a delivered order, whose id is the key too, and the command that takes its mugs back."""

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self.bank = store, f"fakepsp:///{folder}/bank.db?webhooks=no"
        with self.opened() as shop:
            shop.put_stock("MUG", {"berlin": 5})
            shop.put_stock("TV", {"berlin": 5})
            order = shop.place(CART, "pm_visa")
            shop.ship(order.id, order.shipments[0].id)
            self.order_id = shop.deliver(order.id, order.shipments[0].id).id

    def opened(self) -> orderkit.Shop:
        """Open the shop."""
        return orderkit.open(self.store, payments=self.bank)

    def order(self) -> Order:
        """Return the order as it is stored."""
        with self.opened() as shop:
            return shop.order(self.order_id)

    def returns(self, key: str, *more: str, status: int = 0) -> Result:
        """Return a mug, and receive it."""
        asked = ("order", "return", self.order_id, "--units", "MUG=1", "--reason", "r", "--receive-at", "berlin")
        ports = ("--store", self.store, "--payments", self.bank)
        done = Runner().invoke(root, [*asked, "--yes", "--key", key, *ports, *more])
        assert done.exit_code == status, (done.output, done.exception)
        return done


@pytest.fixture
def desk(store: str, tmp_path: Path) -> Desk:
    """A desk over the store."""
    return Desk(store, tmp_path)


def test_a_repeat_receives_the_return_of_its_key(desk: Desk) -> None:
    """The first run ended between its two verbs; a customer used the same key for the television, which has not arrived."""
    with desk.opened() as shop:
        shop.request_return(desk.order_id, {"MUG": 1}, reason="r", key=desk.order_id, actor=STAFF)
        shop.request_return(desk.order_id, {"TV": 1}, reason="broken", key=desk.order_id, actor="customer:anna")

    desk.returns(desk.order_id)
    first = desk.order()
    desk.returns(desk.order_id)

    assert [(one.id[-2:], one.state) for one in first.returns] == [("R1", "received"), ("R2", "authorized")]
    assert first.refunded_minor == 1_000
    assert desk.order() == first


def test_a_repeat_that_ended_changes_nothing_after_another_return(desk: Desk) -> None:
    """Its receipt is the one of the first run, not one of the return that came after it."""
    desk.returns(desk.order_id)
    with desk.opened() as shop:
        before = shop.request_return(desk.order_id, {"TV": 1}, reason="broken", actor="customer:anna")

    desk.returns(desk.order_id)

    assert desk.order() == before


def test_a_return_that_the_log_does_not_tell_is_not_guessed(desk: Desk) -> None:
    """A host's flow opened it under this key and a correlation id of its own: nothing is received."""
    with desk.opened() as shop:
        caller = Caller(actor="host", key=desk.order_id, correlation="trace-9")
        shop.run(returning.accept_return(desk.order_id, {"MUG": 1}, caller, reason="r"))
    before = desk.order()

    told = desk.returns(desk.order_id, status=4).stderr

    assert f"does not tell which return was opened under the key {desk.order_id!r}; nothing was received" in told
    assert desk.order() == before


def test_a_key_too_long_for_its_receipt_is_refused_before_the_return(desk: Desk) -> None:
    """247 characters leave room for the receipt's own key, 248 do not."""
    told = desk.returns("k" * 248, status=2).stderr

    assert "code invalid_key, field --key, outcome not_applied" in told
    assert "Send a key of 1 to 247 visible characters." in told
    assert desk.order().returns == ()
    desk.returns("k" * 247)
    assert [one.state for one in desk.order().returns] == ["received"]
