"""The world of one life: a shop in memory, its bank, its carrier, its shelves, and a record of what people did.

Everything is drawn from the seed: what is in stock, how many warehouses there are, by which rules the shop works. The world keeps books of its
own where it can (what was put on shelves, what was missing there, which key did what), so that laws need not believe the library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

import orderkit
from orderkit import (
    CaptureMode,
    Handling,
    Message,
    Order,
    Policies,
    RefundPolicy,
    ReturnPolicy,
    Rules,
    SeededIds,
    VirtualClock,
)
from orderkit.domain.refunds import ShippingPolicy, TenderOrder
from orderkit.domain.shipment import Scan
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel, CarrierAnswer, CarrierCapabilities, TrackParcel
from orderkit.ports.payments import Refused, Unknown
from orderkit.ports.settings import Settings
from orderkit.ports.store import Commit, CommitAnswer
from orderkit.testing.sim.bank import Entry
from orderkit.testing.sim.chance import Dice
from orderkit_memory import MemoryDocuments
from orderkit_memory.store import MemoryStore
from tests.lives.bank import HostileBank
from tests.shops import NOON

SKUS = ("MUG", "TEE", "TENT", "PEN")
PLACES = ("berlin", "madrid", "oslo")
FINAL_SALE = "PEN"


class Died(BaseException):
    """The process is gone: no handler runs, nothing is flushed."""


@attrs.define
class Fate:
    """What happens so many doors from now, once: the process dies, or somebody else acts. Each effect has a door before it and one behind."""

    doors: int | None = None
    meanwhile: Callable[[], None] | None = None

    def passes(self) -> None:
        """Pass a door, and what waits behind it."""
        if self.doors is None:
            return
        self.doors -= 1
        if self.doors >= 0:
            return
        self.doors, happens = None, self.meanwhile
        if happens is None:
            raise Died
        happens()


class MortalStore(MemoryStore):
    """The store in memory; the process may die before a commit, or after it and before its answer."""

    def __init__(self, fate: Fate, lease_clock: Callable[[], float]) -> None:
        super().__init__(lease_clock=lease_clock)
        self.fate = fate

    def commit_many(self, commits: list[Commit]) -> list[CommitAnswer]:  # type: ignore[override]  # a list is a sequence
        self.fate.passes()
        answers = super().commit_many(commits)
        self.fate.passes()
        return answers


@attrs.define
class Carrier:
    """A carrier that books a parcel once per key, says no or nothing when it is in that temper, and tells what scans were written down."""

    fate: Fate
    says: str = "yes"
    parcels: dict[str, BookParcel] = attrs.Factory(dict)
    cancelled: set[str] = attrs.Factory(set)
    scans: dict[str, tuple[Scan, ...]] = attrs.Factory(dict)
    capabilities: CarrierCapabilities = attrs.Factory(CarrierCapabilities)

    def book_parcel(self, asked: BookParcel) -> CarrierAnswer:
        """Book it under a number made of its key."""
        self.fate.passes()
        if self.says == "no":
            return Refused("no_such_street")
        self.parcels[asked.key] = asked
        self.fate.passes()
        if self.says == "lost":
            return Unknown("time-out")
        number = f"VAN-{asked.key}"
        return Booked(
            carrier="van",
            tracking_number=number,
            tracking_url=f"https://van.example/{number}",
            label_url=f"label:{number}",
        )

    def cancel_parcel(self, asked: CancelParcel) -> CarrierAnswer:
        """Write down that the parcel is not to be picked up."""
        self.cancelled.add(asked.tracking_number.removeprefix("VAN-"))
        return Refused("picked_up")

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Tell what was written down for the parcel, or break in the attempt."""
        if self.says == "broken":
            raise ValueError("this parcel is unreadable")
        return self.scans.get(asked.tracking_number, ())

    def close(self) -> None:
        """Nothing is open."""


@attrs.define(eq=False)
class World:
    """One shop and everything around it. `put` and `missing` are what people brought to shelves, and did not find there."""

    seed: int
    shop: orderkit.Shop
    clock: VirtualClock
    bank: HostileBank
    carrier: Carrier
    store: MortalStore
    documents: MemoryDocuments
    fate: Fate
    policies: Policies
    orders: list[str] = attrs.Factory(list)
    put: Counter[tuple[str, str]] = attrs.Factory(Counter)
    missing: Counter[tuple[str, str]] = attrs.Factory(Counter)
    letters: list[Message] = attrs.Factory(list)
    notes: list[str] = attrs.Factory(list)
    totals: dict[str, int] = attrs.Factory(dict)

    @property
    def now(self) -> datetime:
        """The time in this world."""
        return self.clock.now()

    def order(self, order_id: str) -> Order:
        """The order as stored."""
        return self.shop.order(order_id)

    def all(self) -> list[Order]:
        """Every order as stored."""
        return [order for order in self.store.load_many(self.orders) if order is not None]

    def note(self, text: str) -> None:
        """Write down what happened, with short names for orders."""
        for number, order_id in enumerate(self.orders, 1):
            text = text.replace(order_id, f"#{number}")
        self.notes.append(f"{self.now:%m-%d %H:%M:%S}  {text}")

    def heard(self, entry: Entry) -> None:
        """The bank entered something: its webhook is a letter that may come late, twice, or never."""
        kind = "payment.captured" if entry.moved else "payment.refused"
        self.letters.append(
            Message(
                source="bank", id=f"{kind}-{entry.key}", kind=kind, reference=entry.key, data={}, received_at=self.now
            )
        )


def opened(seed: int) -> World:
    """Open the shop of a seed."""
    dice = Dice(seed, "shop")
    clock, fate = VirtualClock(NOON + timedelta(hours=dice.below(72))), Fate()
    bank = HostileBank(authorized_for=timedelta(minutes=dice.one_of((50, 60 * 24 * 3, 60 * 24 * 7, 60 * 24 * 4_000))))
    carrier, documents = Carrier(fate), MemoryDocuments()
    store = MortalStore(fate, lambda: clock.now().timestamp())
    policies = drawn_policies(dice)
    shop = orderkit.open(
        store,
        payments=bank,
        carriers=carrier,
        documents=documents,
        clock=clock,
        ids=SeededIds(str(seed)),
        bus=None,
        notifications=None,
        policies=policies,
        settings=Settings(answer_within=timedelta(0)),  # whoever is at work here has died, or waits for this very call
        rules=Rules(partial=dice.one_of(("refuse", "refuse", "cancel", "backorder")), line_split=dice.chance(0.8)),
        handling=Handling(grace=timedelta(minutes=dice.one_of((30, 30, 600)))),
    )
    world = World(seed, shop, clock, bank, carrier, store, documents, fate, policies)
    bank.heard, bank.tells, bank.around = world.heard, world.note, fate.passes
    for sku in SKUS:
        for place in dict.fromkeys((*PLACES[: sku == "MUG"], *dice.some_of(PLACES, 0.6))) or PLACES[:1]:
            units = dice.one_of((1, 4, 9, 30))
            shop.put_stock(sku, {place: units})
            world.put[sku, place] += units
    return world


def drawn_policies(dice: Dice) -> Policies:
    """Half of all shops are plain: then what an order comes to is known to the cent."""
    plain = dice.chance(0.5)
    refund = RefundPolicy(tender_order=dice.one_of(list(TenderOrder)))
    if not plain:
        refund = RefundPolicy(
            shipping=dice.one_of(list(ShippingPolicy)),
            cancellation_shipping=dice.one_of(list(ShippingPolicy)),
            restocking_fee_percent=dice.one_of((0, 0, 15)),
            return_label_cost_minor=dice.one_of((0, 0, 299)),
            tender_order=dice.one_of(list(TenderOrder)),
            grades={"damaged": 5_000, "opened": 9_000} if dice.chance(0.5) else {},  # type: ignore[arg-type]  # its converter takes both
        )
    return Policies(
        capture=dice.one_of(list(CaptureMode)),
        refund=refund,
        returns=ReturnPolicy(
            window=timedelta(days=dice.one_of((2, 30))),
            expires_after=timedelta(days=dice.one_of((3, 21))),
            approval=dice.chance(0.35),
            final_sale=frozenset({FINAL_SALE}) if dice.chance(0.3) else frozenset(),
        ),
        reservation=timedelta(minutes=dice.one_of((2, 30, 60 * 24))),
    )
