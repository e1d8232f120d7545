"""The orders that every benchmark places: three lines, a document of about 5 KB, SKUs that are many or hot, a provider in the same process.

Everything follows from a number, so that two runs, and two systems in one run, are asked for the same orders.
"""

from __future__ import annotations

import asyncio
import time
from functools import cached_property

import attrs

from orderkit import Address, Cart
from orderkit.domain.cart import CartLine
from orderkit.domain.order import DeliveryPreference
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer, PaymentCapabilities, Refused

_PRIME = 7_919  # shares no factor with the number of SKUs
WAREHOUSES = ("berlin", "madrid")
PLENTY = 100_000_000  # stock never ends the run


@attrs.frozen(kw_only=True)
class Workload:
    """Which orders: `skus` of them, so that 1,000 is uniform and 10 is hot; `document_bytes` is about what an order's facts take."""

    skus: int = 1_000
    lines: int = 3
    document_bytes: int = 5_000

    def sku(self, n: int) -> str:
        """Return the nth SKU."""
        return f"SKU-{n % self.skus:05d}"

    def customer(self, n: int) -> str:
        """Return the customer of the nth order: twenty orders each."""
        return f"customer-{n // 20:08d}"

    def key(self, n: int) -> str:
        """Return the idempotency key of the nth order."""
        return f"checkout-{n:012d}"

    def picked(self, n: int) -> list[tuple[str, int, int]]:
        """Return SKU, quantity and unit price of each line of the nth order.

        SKUs are spread by a prime, and differ within an order. Every second order lies in both warehouses, so an order has 1.5 parcels.
        """
        first, step = n * _PRIME, 2 - n % 2
        return [(self.sku(first + line * step), 1 + line % 2, 1_250 + 100 * line) for line in range(self.lines)]

    def total_minor(self, n: int) -> int:
        """Return what the nth order costs."""
        return sum(quantity * price for _, quantity, price in self.picked(n))

    @cached_property
    def _padding(self) -> str:
        """Words enough for a document of the wanted size; addresses, prices and policies take some of it, and so does each line."""
        words = "Handle with care, ring twice, leave it with the neighbor on the left. "
        room = max(self.document_bytes - 690 - 307 * self.lines, 0)
        return (words * (room // len(words) + 1))[:room]

    def cart(self, n: int) -> Cart:
        """Return the nth cart. No two are equal, so that nothing is found in a cache that a shop would not find there."""
        lines = tuple(
            [
                CartLine(sku=sku, quantity=quantity, unit_price_minor=price, name=f"Thing {sku}")
                for sku, quantity, price in self.picked(n)
            ]
        )
        delivery = DeliveryPreference(note=f"{n:09d} {self._padding}")
        return Cart(customer=self.customer(n), ship_to=_HOME, currency="EUR", lines=lines, delivery=delivery)

    def stock(self) -> dict[str, dict[str, int]]:
        """Return what lies where before the run, by SKU and warehouse: each SKU in one warehouse, so that orders split now and then."""
        return {self.sku(n): {WAREHOUSES[n % len(WAREHOUSES)]: PLENTY} for n in range(self.skus)}


_HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


@attrs.frozen
class Provider:
    """A payment provider in this process that says yes after some seconds; it keeps no book, so it is no bottleneck."""

    latency: float = 0.0
    capabilities: PaymentCapabilities = attrs.field(factory=PaymentCapabilities)

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Say yes."""
        if self.latency:
            time.sleep(self.latency)
        return Confirmed(asked.key)

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:  # noqa: ARG002  (the port's form)
        """Nothing is ever in doubt here."""
        return Refused("not_found")

    def close(self) -> None:
        """Nothing is open."""


@attrs.frozen
class AsyncProvider:
    """The same on an event loop."""

    latency: float = 0.0
    capabilities: PaymentCapabilities = attrs.field(factory=PaymentCapabilities)

    async def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Say yes."""
        if self.latency:
            await asyncio.sleep(self.latency)
        return Confirmed(asked.key)

    async def ask_payment(self, asked: AskPayment) -> PaymentAnswer:  # noqa: ARG002  (the port's form)
        """Nothing is ever in doubt here."""
        return Refused("not_found")

    async def close(self) -> None:
        """Nothing is open."""
