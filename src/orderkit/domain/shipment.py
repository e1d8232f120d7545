"""A shipment: the units that leave one warehouse together, on the order's axis and on the carrier's.

The carrier's scans are all kept and folded by rank: a late or repeated scan never moves a shipment backwards. What a scan means for
the units is decided elsewhere (`shipping`). Nothing here calls a carrier.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from orderkit.domain.given import in_utc
from orderkit.domain.lifecycle import SHIPMENT
from orderkit.domain.value import Value, corrected, evolve


class CarrierStatus(StrEnum):
    """What a carrier says of a parcel, in one vocabulary for all carriers."""

    UNKNOWN = "unknown"
    PRE_TRANSIT = "pre_transit"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    FAILED_ATTEMPT = "failed_attempt"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    LOST = "lost"
    DAMAGED = "damaged"
    RETURN_TO_SENDER = "return_to_sender"
    DELIVERED = "delivered"


# A status replaces another only when its rank is higher, or equal and later. Found parcels win: delivered outranks lost.
RANK: dict[CarrierStatus, int] = {
    CarrierStatus.UNKNOWN: 0,
    CarrierStatus.PRE_TRANSIT: 1,
    CarrierStatus.IN_TRANSIT: 2,
    CarrierStatus.AVAILABLE_FOR_PICKUP: 3,
    CarrierStatus.OUT_FOR_DELIVERY: 3,
    CarrierStatus.FAILED_ATTEMPT: 3,
    CarrierStatus.DAMAGED: 4,
    CarrierStatus.LOST: 5,
    CarrierStatus.RETURN_TO_SENDER: 6,
    CarrierStatus.DELIVERED: 7,
}


class Scan(Value, kw_only=True):
    """One thing a carrier said about a parcel. `id` is the carrier's own name for it and makes repeats visible; `at` has a time zone."""

    id: str
    status: CarrierStatus
    at: datetime
    place: str | None = None


class Promise(Value, kw_only=True):
    """When the customer may expect a shipment: it leaves by `ships_by` and arrives between the two days."""

    ships_by: datetime
    arrives_from: date
    arrives_until: date


class Shipment(Value, kw_only=True):
    """Units of an order that leave one warehouse together.

    `lines` are (line number, units). `cutoff_at` is the point of no return: from then on the warehouse works on it. `asked_at` is when
    the carrier last told us something, by push or by poll.
    """

    id: str
    warehouse: str
    lines: tuple[tuple[int, int], ...]
    state: str = SHIPMENT.initial
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    label_url: str | None = None
    carrier_status: CarrierStatus = CarrierStatus.UNKNOWN
    promise: Promise | None = None
    cutoff_at: datetime | None = None
    released_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    asked_at: datetime | None = None
    reason: str | None = None
    scans: tuple[Scan, ...] = ()

    def __post_init__(self) -> None:
        if self.scans and any([scan.at.tzinfo is None for scan in self.scans]):  # noqa: C419  (a list of a few is faster than a generator)
            self._read_as_utc()

    def _read_as_utc(self) -> None:
        """Give a zone to what was stored without one, before such scans were refused: it means UTC."""
        corrected(self, "scans", tuple(evolve(scan, at=in_utc(scan.at)) for scan in self.scans))
        if self.delivered_at is not None:
            corrected(self, "delivered_at", in_utc(self.delivered_at))

    @property
    def units(self) -> int:
        """How many units travel in it."""
        return sum(quantity for _, quantity in self.lines)

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the lines that it holds units of."""
        return frozenset(number for number, _ in self.lines)

    @property
    def waiting(self) -> bool:
        """Whether it still stands in its warehouse."""
        return self.state in ("planned", "released")

    @property
    def travelling(self) -> bool:
        """Whether the carrier has it."""
        return self.state in ("shipped", "out_for_delivery", "lost", "returned_to_sender")


def folded(scans: tuple[Scan, ...]) -> CarrierStatus:
    """Return what all scans together say: the highest rank, the latest among equals."""
    if not scans:
        return CarrierStatus.UNKNOWN
    return max(scans, key=lambda s: (RANK[s.status], s.at, s.id)).status
