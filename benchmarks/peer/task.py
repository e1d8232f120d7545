"""What the peers share: the same orders as orderkit is asked for, a provider that says yes, and how a program tells what came of its run.

A peer is run as `python -m benchmarks.peer.NAME URL SECONDS CALLERS SERVER_PID` on an empty database and prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from benchmarks.load import Load, collect_rarely
from benchmarks.workload import WAREHOUSES, Workload

PADDING = "Handle with care, ring twice, leave it with the neighbor on the left. " * 60
NOTE_BYTES = 4_400  # with lines and address 5 KB of JSON
PLENTY = 100_000_000
WORKLOAD = Workload()


@dataclass(frozen=True)
class Asked:
    """What the program was called with."""

    url: str
    seconds: float
    callers: int
    server_pid: int

    @property
    def sqlalchemy_url(self) -> str:
        """The URL as SQLAlchemy names the driver."""
        return self.url.replace("postgresql://", "postgresql+psycopg://", 1)


def asked() -> Asked:
    """Return the arguments; from here on the program runs as every measured one does."""
    collect_rarely()
    url, seconds, callers, server_pid = sys.argv[1:]
    return Asked(url, float(seconds), int(callers), int(server_pid))


def request(n: int) -> dict[str, object]:
    """Return the nth order as a client would post it."""
    return {
        "customer": WORKLOAD.customer(n),
        "currency": "EUR",
        "ship_to": {
            "name": "Anna Schmidt",
            "street": "Invalidenstr. 1",
            "zip": "10115",
            "city": "Berlin",
            "country": "DE",
        },
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_price_minor": price, "name": f"Thing {sku}"}
            for sku, quantity, price in WORKLOAD.picked(n)
        ],
        "payment_method": "pm_visa",
        "note": f"{n:09d} {PADDING[:NOTE_BYTES]}",
    }


def shelves() -> list[tuple[str, str]]:
    """Return every SKU with the warehouse that it lies in."""
    return [(WORKLOAD.sku(n), WAREHOUSES[n % len(WAREHOUSES)]) for n in range(WORKLOAD.skus)]


def charge(key: str, amount_minor: int) -> str:
    """Be the provider: say yes, and return a reference."""
    return f"{key}:{amount_minor}"


def tell(load: Load) -> None:
    """Print what came of the run."""
    json.dump(asdict(load), sys.stdout)


def told(text: str) -> Load:
    """Read what a program printed."""
    return Load(**json.loads(text))
