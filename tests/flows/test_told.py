"""What providers and carriers answer, whatever its texts are: money is booked, an order is never parked, and errors have a code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import orderkit
from orderkit import OrderkitError, PortError, Shop, VirtualClock
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.status import word
from orderkit.domain.value import evolve
from orderkit.plugins.manager import Plugins
from orderkit.ports.carriers import Booked, BookParcel, TrackParcel
from orderkit.ports.documents import MakeDocument
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer
from tests.shops import NOON, Bank, Van, a_cart

BAD = ("ref\0", "\udcff", "x" * 1_000_000, 5, None, b"x")


@attrs.define
class Odd(Bank):
    """A bank whose references and reasons are what the test says."""

    text: Any = ""
    expires: Any = None

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Answer in such words."""
        return self._odd(Bank.move_money(self, asked))

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """The same."""
        return self._odd(Bank.ask_payment(self, asked))

    def _odd(self, answer: PaymentAnswer) -> PaymentAnswer:
        if isinstance(answer, Confirmed):
            return Confirmed(self.text, self.expires)
        return evolve(answer, reason=self.text)


@attrs.define
class OddVan(Van):
    """A carrier whose bookings have what the test says in one field, and whose scans are what the test says."""

    odd: dict[str, Any] = attrs.Factory(dict)
    says: Any = ()

    def book_parcel(self, asked: BookParcel) -> Booked:
        """Book it."""
        return evolve(Van.book_parcel(self, asked), **self.odd)

    def track_parcel(self, asked: TrackParcel) -> Any:
        """Say it."""
        return self.says


@attrs.define
class OddPapers:
    """Documents whose URLs are what the test says."""

    url: Any = ""

    def make_document(self, asked: MakeDocument) -> Any:
        """Answer the URL."""
        return self.url

    def read_document(self, asked: object) -> None:
        """There is none."""

    def close(self) -> None:
        """Nothing is open."""


@attrs.define
class World:
    """A shop among such adapters."""

    shop: Shop
    bank: Odd
    van: OddVan
    papers: OddPapers
    clock: VirtualClock


@pytest.fixture(params=["memory:", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A shop on each kind of store."""
    url = str(request.param)
    if url == "sqlite":
        url = f"sqlite:///{tmp_path}/shop.db"
    elif url == "postgresql":
        url = request.getfixturevalue("postgres_database")
        Plugins().migrate_store(url)
    bank, van, papers, clock = Odd(), OddVan(), OddPapers(), VirtualClock(NOON)
    with orderkit.open(
        url, payments=bank, carriers=van, documents=papers, clock=clock, bus=None, notifications=None
    ) as shop:
        shop.put_stock("MUG", {"berlin": 50})
        yield World(shop, bank, van, papers, clock)


CART = a_cart(("MUG", 2, "12.50"))


@pytest.mark.parametrize("text", BAD)
def test_money_that_moved_is_booked_under_whatever_reference(world: World, text: Any) -> None:
    """The reference is kept as far as it can be: readable, storable, and no longer than anybody reads."""
    world.bank.text, world.bank.expires = text, "tomorrow"

    order = world.shop.place(CART, "pm_visa")
    after = world.shop.cancel(order.id, reason="changed_mind")

    kept = world.shop.order(order.id).payments[0].operations
    assert (word(order), word(after), after.refunded_minor) == ("payment_confirmed", "cancelled", 2500)
    assert all(isinstance(o.reference, str) and len(o.reference) <= 1_000 for o in kept)


@pytest.mark.parametrize("text", BAD)
def test_a_refusal_and_a_doubt_may_have_any_reason(world: World, text: Any) -> None:
    """Declined is declined, and in doubt is in doubt until the provider says more."""
    world.bank.text, world.bank.say = text, lambda _: "no"
    declined = world.shop.place(CART, "pm_visa")
    world.bank.say = lambda _: "lost"
    doubtful = world.shop.place(CART, "pm_visa")
    world.clock.advance(minutes=1)

    swept = world.shop.sweep()

    assert (word(declined), word(doubtful), swept.failed) == ("payment_failed", "payment_pending", 0)
    assert word(world.shop.order(doubtful.id)) == "payment_confirmed"


@pytest.mark.parametrize("field", ["carrier", "tracking_number", "tracking_url", "label_url"])
@pytest.mark.parametrize("text", BAD)
def test_a_parcel_that_nobody_could_use_is_not_sent(world: World, field: str, text: Any) -> None:
    """A mended number is another parcel's: the carrier's answer is in doubt, and once its adapter is mended the same parcel leaves."""
    order = world.shop.place(CART, "pm_visa")
    shipment = order.shipments[0].id
    world.van.odd = {field: text}

    with pytest.raises(PortError) as caught:
        world.shop.ship(order.id, shipment)
    before, world.van.odd = world.shop.order(order.id), {}
    after = world.shop.ship(order.id, shipment)

    assert (caught.value.code, field in caught.value.message) == ("carrier_unknown", True)
    assert (before, word(after)) == (order, "shipped")


@pytest.mark.parametrize("text", ["a\0", "\udcff", "x" * 1_000_000])
def test_a_scan_moves_its_parcel_whatever_its_texts_are(world: World, text: str) -> None:
    """Its place is mended and its name is kept as far as it can be; heard again it is the same scan."""
    order = world.shop.place(CART, "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.clock.advance(hours=1)
    world.van.says = [Scan(id=text, status=CarrierStatus.IN_TRANSIT, at=NOON, place=text)]

    failed = [world.shop.sweep().failed]
    world.clock.advance(hours=1)
    failed.append(world.shop.sweep().failed)

    (scan,) = world.shop.order(order.id).shipments[0].scans
    assert failed == [0, 0]
    assert len(scan.id) <= 1_000
    assert scan.place is not None
    assert scan.place[:800] == scan.id[: min(800, len(scan.place))]


@pytest.mark.parametrize(("one", "other"), [("x" * 2_000 + "1", "x" * 2_000 + "2"), ("a\0", "a\ud800")])
def test_scans_that_differ_in_what_cannot_be_kept_are_two(world: World, one: str, other: str) -> None:
    """A carrier's names for them have no end, or characters that no store takes: the second one is not taken for a repeat of the first."""
    order = world.shop.place(CART, "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.clock.advance(hours=1)
    world.van.says = [
        Scan(id=one, status=CarrierStatus.IN_TRANSIT, at=NOON),
        Scan(id=other, status=CarrierStatus.DELIVERED, at=NOON),
    ]

    for _ in range(2):
        world.shop.sweep()
        world.clock.advance(hours=1)

    found = world.shop.order(order.id).shipments[0]
    assert (len(found.scans), found.state) == (2, "delivered")
    assert all(len(scan.id) <= 1_000 for scan in found.scans)


@pytest.mark.parametrize("said", [None, "delivered", [None], {"status": "delivered"}])
def test_what_are_no_scans_is_an_error_of_the_catalog(world: World, said: Any) -> None:
    """The worker keeps it with the order, and whoever asks is told which port it was."""
    order = world.shop.place(CART, "pm_visa")
    shipped = world.shop.ship(order.id, order.shipments[0].id)
    world.clock.advance(hours=1)
    world.van.says = said

    with pytest.raises(OrderkitError) as caught:
        world.shop.advance(order.id)

    assert caught.value.code == "port_failed"
    assert "TrackParcel" in caught.value.message
    assert world.shop.order(order.id) == shipped


@pytest.mark.parametrize("url", BAD)
def test_a_return_is_opened_without_the_label_that_nobody_could_use(world: World, url: Any) -> None:
    """Neither the carrier's nor the shop's own can be kept: the customer still can send the goods back."""
    order = world.shop.place(CART, "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    world.van.odd, world.papers.url = {"label_url": url}, url

    after = world.shop.request_return(order.id, reason="too_big")

    assert [(each.state, each.label_url) for each in after.returns] == [("authorized", None)]
