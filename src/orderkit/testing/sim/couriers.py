"""The carriers' model: parcels by key, with a fixed way through the world: picked up, on the road, there.

It passes the contract suite of carriers. Time is what the caller says it is; what was booked is in `parcels`, by our own key.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import attrs

from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel, CarrierAnswer, CarrierCapabilities, TrackParcel
from orderkit.ports.payments import Refused

NOWHERE = "ZZ"
WAY = (
    (timedelta(0), CarrierStatus.PRE_TRANSIT),
    (timedelta(minutes=5), CarrierStatus.IN_TRANSIT),
    (timedelta(minutes=20), CarrierStatus.DELIVERED),
)


@attrs.define
class Parcel:
    """One booked parcel."""

    asked: BookParcel
    booked: Booked
    void_at: datetime | None = None


class Couriers:
    """A carrier that books every parcel to a country that exists."""

    in_memory = True

    def __init__(self) -> None:
        self.capabilities = CarrierCapabilities()
        self.parcels: dict[str, Parcel] = {}
        self._by_number: dict[str, Parcel] = {}
        self._lock = threading.RLock()

    def book_parcel(self, asked: BookParcel) -> CarrierAnswer:
        """Book it once per key, under a number made of the key."""
        with self._lock:
            known = self.parcels.get(asked.key)
            if known is not None:
                same = evolve(known.asked, at=asked.at) == asked
                return known.booked if same else Refused("key_reused")
            if asked.address.country == NOWHERE:
                return Refused("unknown_country")
            number = f"VAN-{asked.key}"
            booked = Booked(
                carrier="van",
                tracking_number=number,
                tracking_url=f"https://van.example/{number}",
                label_url=f"label:{number}",
            )
            self.parcels[asked.key] = self._by_number[number] = Parcel(asked, booked)
            return booked

    def cancel_parcel(self, asked: CancelParcel) -> CarrierAnswer:
        """Void a label before the pickup; a repeat gets the same answer."""
        with self._lock:
            parcel = self._by_number.get(asked.tracking_number)
            if parcel is None:
                return Refused("not_found")
            if parcel.void_at is None:
                if asked.at >= parcel.asked.at + WAY[1][0]:
                    return Refused("already_picked_up")
                parcel.void_at = asked.at
            return parcel.booked

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Tell the way of a parcel until then."""
        parcel = self._by_number.get(asked.tracking_number)
        if parcel is None:
            return ()
        until = asked.at if parcel.void_at is None else min(asked.at, parcel.void_at)
        return tuple(
            Scan(id=f"{asked.tracking_number}/{n}", status=status, at=parcel.asked.at + after)
            for n, (after, status) in enumerate(WAY, 1)
            if parcel.asked.at + after <= until
        )

    def close(self) -> None:
        """Nothing is held open."""
