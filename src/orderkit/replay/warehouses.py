"""The shop's warehouses and their stock: a model, because the file has none.

Four warehouses. The hub at Daventry stocks nearly everything; which of the other three stock an article is decided by a digest of its SKU,
so it never changes between runs or machines. Of 1,000 digests (shares of all SKUs):

    0 to 9       one satellite only: not at the hub, so a mixed order is split
    10 to 14     tight: half of the need at the hub, all of it at one satellite; the hub runs dry in mid-month and large lines are split
    15 to 264    hub and one satellite
    265 to 364   hub and two satellites
    the rest     hub only

Goods arrive with the first second of a month: what its orders will need of each SKU, counted in a first pass over the file, and a tenth
more; a satellite beside a full hub gets a tenth. What is left over stays. One warehouse of each SKU (its main one) always gets all that is
needed, so no sale fails for want of goods, and still orders split. Write-offs and finds are booked at the main one, which gets the goods
to be written off on top.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

import attrs

from orderkit.replay.plans import CreditPlan, SalePlan

__all__ = ["HUB", "SATELLITES", "WAREHOUSES", "Arrival", "Demand", "Site", "Stocking", "stocking_of"]


@attrs.frozen
class Site:
    """A warehouse with its rough position in degrees, and how willingly orders are served from it (0 first)."""

    id: str
    name: str
    country: str
    latitude: float
    longitude: float
    priority: int


HUB = Site("WH-DAVENTRY", "Daventry", "GB", 52.3, -1.2, 0)
SATELLITES = (
    Site("WH-GLASGOW", "Glasgow", "GB", 55.9, -4.3, 1),
    Site("WH-ROTTERDAM", "Rotterdam", "NL", 51.9, 4.5, 2),
    Site("WH-LYON", "Lyon", "FR", 45.8, 4.8, 3),
)
WAREHOUSES = (HUB, *SATELLITES)

_DIGESTS = 1_000
_SOLE, _TIGHT, _TWO, _THREE = 10, 15, 265, 365  # the upper bounds of the table above
_WHOLE = 110  # percent of the month's need that arrives: the margin is a tenth
_HALF = 50  # percent at the hub of a tight article
_EXTRA = 10  # percent that a satellite gets beside a hub that has it all


@attrs.frozen
class Stocking:
    """Where an article is stocked: (warehouse, percent of the month's need) for each."""

    shares: tuple[tuple[str, int], ...]

    @property
    def main(self) -> str:
        """The warehouse that gets all that is needed; corrections are booked there."""
        return max(self.shares, key=lambda share: share[1])[0]


@attrs.frozen(kw_only=True)
class Arrival:
    """Goods that arrive at a warehouse. `key` makes a repeat visible: the same arrival is booked once."""

    key: str
    warehouse: str
    sku: str
    quantity: int
    at: datetime


def stocking_of(sku: str) -> Stocking:
    """Return where an article is stocked, by a digest of its SKU."""
    digest = int.from_bytes(hashlib.sha256(sku.encode()).digest()[:8])
    bucket, turn = digest % _DIGESTS, digest // _DIGESTS % len(SATELLITES)
    first, second = SATELLITES[turn].id, SATELLITES[(turn + 1) % len(SATELLITES)].id
    if bucket < _SOLE:
        return Stocking(((first, _WHOLE),))
    if bucket < _TIGHT:
        return Stocking(((HUB.id, _HALF), (first, _WHOLE)))
    if bucket < _TWO:
        return Stocking(((HUB.id, _WHOLE), (first, _EXTRA)))
    if bucket < _THREE:
        return Stocking(((HUB.id, _WHOLE), (first, _EXTRA), (second, _EXTRA)))
    return Stocking(((HUB.id, _WHOLE),))


class Demand:
    """What each month needs of each SKU. Feed it every plan of the file, then ask for the arrivals."""

    def __init__(self) -> None:
        self._ordered: dict[datetime, dict[str, int]] = {}
        self._written_off: dict[datetime, dict[str, int]] = {}

    def add(self, plan: SalePlan | CreditPlan) -> None:
        """Count the units that a plan takes from stock. Goods that come back are not counted on."""
        if isinstance(plan, CreditPlan):
            return
        month = _month_of(plan.at)
        ordered = self._ordered.setdefault(month, {})
        written_off = self._written_off.setdefault(month, {})
        for order in plan.orders:
            for line in order.lines:
                ordered[line.sku] = ordered.get(line.sku, 0) + line.quantity
        for correction in plan.corrections:
            if correction.quantity < 0:
                written_off[correction.sku] = written_off.get(correction.sku, 0) - correction.quantity

    @classmethod
    def of(cls, plans: Iterable[SalePlan | CreditPlan]) -> Demand:
        """Return the demand of a whole file."""
        demand = cls()
        for plan in plans:
            demand.add(plan)
        return demand

    def months(self) -> tuple[datetime, ...]:
        """Return the first moment of each month that needs goods, in order of time."""
        return tuple(sorted(self._ordered))

    def arrivals(self, month: datetime) -> Iterator[Arrival]:
        """Walk what arrives at the beginning of a month, by SKU and warehouse; the same order every time."""
        ordered, written_off = self._ordered.get(month, {}), self._written_off.get(month, {})
        for sku in sorted(ordered.keys() | written_off.keys()):
            stocking = stocking_of(sku)
            for warehouse, percent in stocking.shares:
                quantity = -(-ordered.get(sku, 0) * percent // 100)
                if warehouse == stocking.main:
                    quantity += written_off.get(sku, 0)
                if quantity:
                    yield Arrival(
                        key=f"replay:arrival:{month:%Y-%m}:{warehouse}:{sku}",
                        warehouse=warehouse,
                        sku=sku,
                        quantity=quantity,
                        at=month,
                    )


def _month_of(at: datetime) -> datetime:
    return datetime(at.year, at.month, 1, tzinfo=at.tzinfo)
