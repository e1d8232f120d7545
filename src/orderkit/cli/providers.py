"""Which provider and which carriers a command talks to: those that were named, those of a demo or a replay, or none.

A fake provider that remembers nothing says of a shop's money that it never moved, and takes and gives back what nobody has: it must not be
asked about a shop of somebody else's. So nothing is faked unless it was named, or the provider's book of a demo lies beside the store and knows
the money of that very shop.
"""

from __future__ import annotations

from typing import Any, NoReturn

from orderkit import Shop, open
from orderkit.errors import Misconfigured, OrderkitError
from orderkit.flows import reading
from orderkit.plugins.manager import Plugins
from orderkit.ports.carriers import CarrierCapabilities
from orderkit.ports.clock import Now
from orderkit.ports.payments import AskPayment, PaymentCapabilities, Refused
from orderkit.ports.store import FindOrders, OrderQuery

FAKE = "fakepsp"
LOOKED_AT = 50  # the newest orders: one of them has been paid, or the shop has hardly begun


class NoPayments:
    """In the place of a provider that nobody named: every call is refused before anything happens."""

    capabilities = PaymentCapabilities()

    def move_money(self, asked: object) -> NoReturn:
        """Raises: `Misconfigured` (`missing_port`)."""
        raise _unnamed("payments", "payment provider")

    ask_payment = move_money

    def close(self) -> None:
        """Nothing is open."""


class NoCarriers:
    """In the place of carriers that nobody named, likewise."""

    capabilities = CarrierCapabilities()

    def book_parcel(self, asked: object) -> NoReturn:
        """Raises: `Misconfigured` (`missing_port`)."""
        raise _unnamed("carriers", "carriers")

    cancel_parcel = track_parcel = book_parcel

    def close(self) -> None:
        """Nothing is open."""


def _unnamed(port: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"nobody said which {what} this shop has, and no demo's fake one has its book beside the store",
        code="missing_port",
        field=f"--{port}",
        remedy=f"Name them: --{port} URL, or ORDERKIT_{port.upper()}.",
        facts={"port": port},
    )


def opened(store: str) -> Shop:
    """Open a shop for a command that only looks or notes: neither provider nor carriers can be called."""
    return open(store=store, payments=NoPayments(), carriers=NoCarriers())


def acting(store: str, payments: str | None, carriers: str | None, *, dry_run: bool) -> Shop:
    """Open a shop for a command that goes on with an order: unless it runs dry, provider and carriers must be known before it begins.

    Raises: `Misconfigured` (`missing_port`), and what `open` raises, first.
    """
    ports = ports_of(store, payments, carriers)
    shop = open(**ports)
    try:
        if not dry_run:
            check_named(ports)
            if payments is None:
                check_book(shop)
    except OrderkitError:
        shop.close()
        raise
    return shop


def ports_of(store: str, payments: str | None, carriers: str | None) -> dict[str, Any]:
    """Return the arguments of `open` for a store with what was named; fake parcels go with fake money only."""
    payments = payments or _beside(store)
    if carriers is None and payments is not None and payments.partition(":")[0] == FAKE:
        carriers = "fakecarrier:"
    return {"store": store, "payments": payments or NoPayments(), "carriers": carriers or NoCarriers()}


def check_named(ports: dict[str, Any]) -> None:
    """Refuse to begin what may have to call a provider or carrier that nobody named.

    Raises: `Misconfigured` (`missing_port`).
    """
    for port, what, nobody in (("payments", "payment provider", NoPayments), ("carriers", "carriers", NoCarriers)):
        if isinstance(ports[port], nobody):
            raise _unnamed(port, what)


def check_book(shop: Shop) -> None:
    """Refuse a fake provider that nobody named and that does not know the newest money of the shop: its book is that of another shop.

    A demo's book may be left where a store of the same name is made anew. Raises: `Misconfigured` (`missing_port`).
    """
    if (operation := shop.run(_stranger())) is not None:
        raise Misconfigured(
            f"the book of a fake provider that lies beside the store does not know {operation}: it belongs to another shop",
            code="missing_port",
            field="--payments",
            remedy="Name the provider of this shop: --payments URL, or ORDERKIT_PAYMENTS; and take the book away.",
            facts={"port": "payments"},
        )


async def _stranger() -> str | None:
    """Return the newest operation that the shop knows to be done, if its provider never heard of it."""
    for row in (await FindOrders(OrderQuery(limit=LOOKED_AT))).items:
        for payment, operation in (await reading.order(row.id)).operations():
            if operation.state == "confirmed":
                answer = await AskPayment(key=operation.key, payment=payment.id, at=await Now())
                return operation.id if answer == Refused("not_found") else None
    return None


def provider_of(store: str) -> str:
    """Return the URL of the fake provider that keeps its book beside a store in a file, so that every process asks the same one."""
    path = store.split("?", 1)[0].removeprefix("sqlite:///")
    return (
        f"{FAKE}:///{path}.fakepsp?webhooks=no" if store.startswith("sqlite:///") and path != ":memory:" else f"{FAKE}:"
    )


def _beside(store: str) -> str | None:
    """Return the URL of a demo's provider, if its book lies beside the store and something stands in it."""
    url = provider_of(store)
    if "?" not in url:
        return None
    try:
        Plugins().open_payments(f"{url}&create=no").close()
    except Misconfigured:  # no book, or a path that is none: the store itself says what is wrong with that
        return None
    return url
