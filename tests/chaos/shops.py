"""The shop that is attacked: its stock, its carts and the ways to pay, the same in every process. Settings wait less long than a real shop's."""

from __future__ import annotations

import time
from datetime import timedelta

import orderkit
from orderkit import Address, Cart, Shop
from orderkit.errors import PortError
from orderkit.ports.settings import Settings

SKUS = ("MUG", "TEE", "TENT")
UNITS = 10_000_000
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
# Most pay; some are declined, and of some the answer is lost on its way, before or after the money moved.
METHODS = (
    "pm_visa",
    "pm_visa",
    "pm_visa",
    "pm_declined",
    "pm_visa",
    "pm_timeout_after",
    "pm_visa",
    "pm_timeout_before",
)
SETTINGS = Settings(answer_within=timedelta(seconds=0.3), handover_after=timedelta(seconds=1), reacts=False)


def opened(store: str, payments: str, *, bus: str | None = None) -> Shop:
    """Open the shop; wait for a store that is away."""
    while True:
        try:
            return orderkit.open(
                store, payments=payments, bus=bus, notifications=None, documents=None, settings=SETTINGS
            )
        except PortError:
            time.sleep(0.1)


def stocked(shop: Shop) -> None:
    """Put more on the shelves than is ever sold."""
    for sku in SKUS:
        shop.put_stock(sku, {"berlin": UNITS, "madrid": UNITS}, key=f"initial-{sku}")


def a_cart(n: int, customer: str = "anna") -> Cart:
    """Return cart number `n`."""
    cart = Cart(customer=customer, ship_to=HOME, currency="EUR")
    for sku in SKUS[: 1 + n % len(SKUS)]:
        cart = cart.add(sku, 1 + n % 2, "12.50")
    return cart
