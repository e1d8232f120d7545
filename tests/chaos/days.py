"""What the processes do that are ended at gates: a host's day, and a worker's. Every request has a key, so a day may be lived again.

They run in forks of the test's process, which have everything imported already: a hundred processes are begun and ended in minutes.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

import orderkit
from orderkit import Cart, OrderQuery, Shop, VirtualClock
from orderkit.domain.shipment import Scan
from orderkit.domain.value import evolve
from orderkit.flows.kit import Caller
from orderkit.flows.placing import accept
from orderkit.ports.carriers import Booked, TrackParcel
from orderkit.ports.store import KeepMessage, Message
from orderkit.runtime.clocks import SystemClock
from orderkit.runtime.gates import CRASH_AT
from orderkit.runtime.workers import Plan, Worker
from orderkit_fakecarrier.book import Book
from orderkit_fakecarrier.carrier import FakeCarriers
from orderkit_sql import open_store
from tests.chaos.books import settled
from tests.chaos.shops import HOME, SETTINGS, a_cart

LEASE = 0.6
UNREACHABLE = Booked(carrier="pigeon", tracking_number="P-1", tracking_url="", label_url="")


def forked(work: Callable[[], object], gate: str = "", *, prepare: Callable[[], object] = lambda: None) -> int:
    """Do the work in a process of its own, which dies at the gate (while it prepares there is none), and return its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            os.environ[CRASH_AT] = gate
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  (a fork must never go on as its parent)
            traceback.print_exc()
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Carriers(FakeCarriers):
    """Carriers of which one cannot be reached when it is asked for a parcel."""

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Say where a parcel is, if its carrier can be reached."""
        if asked.carrier == UNREACHABLE.carrier:
            raise ConnectionError(asked.carrier)
        return super().track_parcel(asked)


@attrs.frozen
class World:
    """Where the shop's store is, and everything beside it."""

    store: str
    folder: Path

    @property
    def psp(self) -> Path:
        """The provider's book."""
        return self.folder / "psp.db"

    @property
    def acks(self) -> Path:
        """What hosts were told."""
        return self.folder / "acks"

    def opened(self, *, before: timedelta = timedelta(0)) -> Shop:
        """Open the shop, or the shop as it was some time before."""
        now = datetime.now(UTC)  # noqa: TID251  (the world's real time is what the workers see)
        return orderkit.open(
            self.store,
            payments=f"fakepsp:///{self.psp}",
            carriers=Carriers(Book(self.folder / "parcels.db")),
            bus=f"file:///{self.folder}/bus",
            search="memory:",
            cache="memory:",
            settings=evolve(SETTINGS, reacts=True),
            clock=VirtualClock(now - before) if before else SystemClock(),
        )

    def told(self, key: str, order_id: str) -> None:
        """Write down that a host was told about an order."""
        with self.acks.open("a", encoding="utf-8") as file:
            file.write(f"{key} {order_id}\n")


def a_message(name: str, order_id: str) -> Message:
    """Return a webhook about an order's first payment."""
    return Message(
        source="fakepsp",
        id=name,
        kind="payment.captured",
        reference=f"{order_id}-P1.1/1",
        data={},
        received_at=datetime.now(UTC),  # noqa: TID251  (likewise)
    )


def a_hosts_day(world: World, name: str) -> None:
    """Receive goods, sell, ship, cancel, hear from the provider, and look at what was done."""
    with world.opened() as shop:
        shop.put_stock("MUG", {"berlin": 5}, key=f"{name}/delivery")
        orders = {}
        for n, method in enumerate(("pm_visa", "pm_visa", "pm_timeout_after", "pm_declined")):
            orders[n] = shop.place(a_cart(n), method, key=f"{name}/{n}")
            world.told(f"{name}/{n}", orders[n].id)
            if orders[n].state == "placed":  # an earlier process died with it: this one goes on
                orders[n] = shop.advance(orders[n].id)
        parcel = orders[0].shipments[0].id
        shop.release(orders[0].id, parcel, key=f"{name}/release")
        shop.ship(orders[0].id, parcel, key=f"{name}/ship")
        if shop.order(orders[1].id).state == "confirmed":
            shop.cancel(orders[1].id, reason="changed_mind", key=f"{name}/cancel")
        shop.receive_message(a_message(f"{name}/event", orders[2].id))
        shop.release(orders[0].id, parcel, key=f"{name}/release")  # a second click, when it is too late for a first one
        shop.orders(OrderQuery(limit=5))
        shop.stock("MUG")
        assert shop.replay(orders[0].id).id == orders[0].id


def due_for_workers(world: World, name: str) -> None:
    """Leave everything behind that workers do: sagas, doubts, parcels under way, of which one cannot be tracked, a backorder, a message."""
    caller = Caller(goes_on=False)
    with world.opened(before=timedelta(hours=3)) as shop:
        sent = shop.place(a_cart(0), "pm_visa", key=f"{name}/sent")
        shop.release(sent.id, sent.shipments[0].id)
        shop.ship(sent.id, sent.shipments[0].id)
        lost = shop.place(a_cart(1), "pm_visa", key=f"{name}/lost")
        shop.release(lost.id, lost.shipments[0].id)
        shop.ship(lost.id, lost.shipments[0].id, booked=UNREACHABLE)
        cart = Cart(customer="bruno", ship_to=HOME, currency="EUR").add("LAMP", 1, "9.00", backorder=True)
        shop.put_stock("LAMP", {"berlin": 1}, key="lamp")
        shop.put_stock("LAMP", {"berlin": -1}, key="lamp broken")
        shop.place(cart, "pm_visa", key=f"{name}/backorder")
    with world.opened() as shop:
        for n, method in enumerate(("pm_visa", "pm_timeout_after", "pm_declined")):
            key = f"{name}/{n}"
            order = shop.run(accept(a_cart(n), method, evolve(caller, key=key))).order
            world.told(key, order.id)
    with closing(open_store(world.store)) as store:
        store.keep_message(KeepMessage(a_message(f"{name}/event", order.id)))


def a_workers_day(world: World) -> None:
    """Work until nobody waits for money, and no record or message for a worker."""
    with world.opened() as shop:
        worker = Worker(
            shop, Plan(roles=("sagas", "resolver", "timers", "relay", "inbox"), interval=0.05, lease_seconds=LEASE)
        )

        def stop() -> None:
            settled(world.store, messages=True)
            worker.stop()

        threading.Thread(target=stop, daemon=True).start()
        assert worker.run()
