"""A shop in memory for tests, with a provider and a carrier whose every answer a test can choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import attrs

import orderkit
from orderkit import Address, Cart, SeededIds, Shop, VirtualClock
from orderkit.domain.payment import OperationKind
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel, CarrierCapabilities, TrackParcel
from orderkit.ports.payments import (
    AskPayment,
    Confirmed,
    MoveMoney,
    PaymentAnswer,
    PaymentCapabilities,
    Refused,
    Reversed,
    Unknown,
)
from orderkit_memory.store import MemoryStore

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


@attrs.define
class Bank:
    """A provider with a book of its own: what really moved, by key. `say` chooses what it answers; the book says what happened.

    The money of refunds that `came_back` is here again. While it is `silent` it answers no questions; of what is not in its book it says what it
    `denies`. Its authorizations hold for `expires_after`, those of some methods as long as `lasts` says.
    """

    say: Callable[[MoveMoney], str] = lambda _: "yes"
    moved: dict[str, MoveMoney] = attrs.Factory(dict)
    calls: list[MoveMoney] = attrs.Factory(list)
    silent: bool = False
    denies: str = "not_found"
    expires_after: timedelta | None = None
    lasts: dict[str, timedelta] = attrs.Factory(dict)
    came_back: set[str] = attrs.Factory(set)
    capabilities: PaymentCapabilities = attrs.Factory(
        lambda: PaymentCapabilities(tenders=frozenset({"card", "gift_card"}))
    )

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Answer yes, no, `lost` (done, but the answer is lost) or `never` (not done, and no answer)."""
        self.calls.append(asked)
        if asked.key in self.moved:
            return self._confirmed(asked.key)
        said = self.say(asked)
        if said in ("yes", "lost"):
            self.moved[asked.key] = asked
        if said == "yes":
            return self._confirmed(asked.key)
        return Refused("declined") if said == "no" else Unknown("time-out")

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Tell what is in the book."""
        if self.silent:
            return Unknown("no answer")
        if asked.key in self.came_back:
            return Reversed("account_closed")
        return self._confirmed(asked.key) if asked.key in self.moved else Refused(self.denies)

    def _confirmed(self, key: str) -> Confirmed:
        move = self.moved[key]
        expires = move.kind is OperationKind.AUTHORIZE and self.lasts.get(move.method, self.expires_after)
        return Confirmed(f"ref:{key}", move.at + expires if expires else None)

    def total(self, *kinds: OperationKind) -> int:
        """The sum of what really moved, and has not come back, in minor units."""
        return sum(m.amount_minor for key, m in self.moved.items() if m.kind in kinds and key not in self.came_back)

    def close(self) -> None:
        """Nothing is open."""


@attrs.define
class Van:
    """A carrier: books every parcel, and says of each what the test wrote down."""

    scans: dict[str, tuple[Scan, ...]] = attrs.Factory(dict)
    breaks_on: str = ""
    meanwhile: Callable[[], object] | None = None
    cancelled: list[str] = attrs.Factory(list)
    capabilities: CarrierCapabilities = attrs.Factory(CarrierCapabilities)

    def book_parcel(self, asked: BookParcel) -> Booked:
        """Book it under a number made of its key; `meanwhile` is what happens while it is asked."""
        if self.meanwhile is not None:
            self.meanwhile()
        number = f"VAN-{asked.key}"
        return Booked(
            carrier="van",
            tracking_number=number,
            tracking_url=f"https://van.example/{number}",
            label_url=f"label:{number}",
        )

    def cancel_parcel(self, asked: CancelParcel) -> Refused:
        """Write down who asked. Vans do not turn round."""
        self.cancelled.append(asked.tracking_number)
        return Refused("picked_up")

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Tell what was written down for the parcel; `breaks_on` is the number that it cannot bear."""
        if asked.tracking_number == self.breaks_on:
            raise ValueError("this parcel is unreadable")
        return self.scans.get(asked.tracking_number, ())

    def delivers(self, number: str, at: datetime) -> None:
        """Write down that a parcel arrived."""
        self.scans[number] = (Scan(id=f"{number}/1", status=CarrierStatus.DELIVERED, at=at),)

    def close(self) -> None:
        """Nothing is open."""


@attrs.define
class World:
    """A shop with everything around it in reach of the test."""

    shop: Shop
    clock: VirtualClock
    bank: Bank
    van: Van
    store: MemoryStore


def a_world(
    stock: Mapping[str, Mapping[str, int]] | None = None, *, store: MemoryStore | None = None, **options: object
) -> World:
    """Open a shop in memory at noon of a working day, with stock by SKU and warehouse."""
    clock, bank, van, store = VirtualClock(NOON), Bank(), Van(), store or MemoryStore()
    options = {"bus": None, "notifications": None, "documents": None, **options}
    shop = orderkit.open(store, payments=bank, carriers=van, clock=clock, ids=SeededIds(), **options)  # type: ignore[arg-type]
    for sku, units in ({"MUG": {"berlin": 5, "madrid": 3}, "TEE": {"madrid": 4}} if stock is None else stock).items():
        shop.put_stock(sku, units)
    return World(shop, clock, bank, van, store)


def a_cart(*lines: tuple[str, int, str], customer: str = "anna", shipping: str | None = None) -> Cart:
    """Return a cart; without lines it holds three mugs and a tee."""
    cart = Cart(customer=customer, ship_to=HOME, currency="EUR")
    for sku, quantity, price in lines or (("MUG", 3, "12.50"), ("TEE", 1, "20.00")):
        cart = cart.add(sku, quantity, price, name=sku.title())
    return cart if shipping is None else cart.charged("parcel", shipping)
