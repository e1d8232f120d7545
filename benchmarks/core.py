"""What the pure core costs: µs per operation, medians of several rounds, in memory. Ratios between the rows say more than the digits."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import orderkit
from orderkit import Address, Cart, SeededIds, VirtualClock, flows
from orderkit.domain.lifecycle import ORDER
from orderkit.domain.refunds import RefundPolicy, quote
from orderkit.domain.status import word
from orderkit_memory.store import MemoryStore

ROUNDS = 7
HOME = Address(street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


def cart(lines: int = 3) -> Cart:
    """Return a cart of different SKUs."""
    found = Cart(customer="anna", ship_to=HOME, currency="EUR")
    for n in range(lines):
        found = found.add(f"SKU-{n}", 1 + n % 3, "12.50", name=f"Thing {n}")
    return found


def micros(act: Callable[[], object], times: int) -> float:
    """Return the median µs of one call over several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(times):
            act()
        rounds.append((time.perf_counter() - begin) / times * 1e6)
    return statistics.median(rounds)


def a_shop() -> orderkit.Shop:
    """Return a shop in memory with plenty of stock."""
    clock = VirtualClock(datetime(2026, 3, 3, 12, tzinfo=UTC))
    shop = orderkit.open(MemoryStore(), bus=None, notifications=None, documents=None, clock=clock, ids=SeededIds())
    for n in range(3):
        shop.put_stock(f"SKU-{n}", {"berlin": 10_000_000})
    return shop


def main() -> None:
    """Measure, and print one JSON object a line."""
    shop = a_shop()
    order = shop.place(cart(), "pm_visa")
    prices = order.facts.prices
    policy = RefundPolicy()

    def batch() -> None:
        shop.run_many(flows.place(cart(), "pm_visa", orderkit.Caller()) for _ in range(256))

    rows = {
        "transition": micros(lambda: ORDER.step("placed", "confirm"), 10_000),
        "status word": micros(lambda: word(order), 5_000),
        "refund quote of one line": micros(
            lambda: quote(prices, {1: (0, 1)}, policy, everything_gone=False, shipping_already_refunded_minor=0), 2_000
        ),
        "cart of three lines": micros(cart, 2_000),
        "placement, one at a time": micros(lambda: shop.place(cart(), "pm_visa"), 200),
        "placement, in batches of 256": micros(batch, 1) / 256,
    }
    for name, value in rows.items():
        print(json.dumps({"name": "core", "metric": name, "value": round(value, 2), "unit": "µs"}))


if __name__ == "__main__":
    main()
