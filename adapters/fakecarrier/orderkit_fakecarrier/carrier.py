"""FedEx, UPS, USPS, Royal Mail and DHL behind one adapter, once for threads and once for event loops.

A key is booked once: a repeat gets the first number, another request under it is refused. Tracking asks the number, not the book, so a
parcel is found after a restart too. What goes wrong is drawn by seed and key, or asked for by a marker in the address, as in
`1 Mill Lane [lost]`. Nothing here reads a clock: time is what the caller says it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime

import attrs

from orderkit.domain.order import Address
from orderkit.domain.shipment import Scan
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel, CarrierAnswer, CarrierCapabilities, TrackParcel
from orderkit.ports.payments import Refused, Unknown
from orderkit_fakecarrier.book import Book
from orderkit_fakecarrier.numbers import SHAPES, Waybill, minute_of, number_of, waybill_of
from orderkit_fakecarrier.routes import (
    CARRIERS,
    COUNTRIES,
    MARKERS,
    Chances,
    carrier_for,
    days_on_the_way,
    pickup_after,
    scans_of,
    share,
)

CAPABILITIES = CarrierCapabilities()
SERVICES = frozenset({"standard", "express", "pickup"})
_MARKER = re.compile(r"\[([a-z ]+)\]")
_IN_DOUBT = Unknown("book_unavailable")


@attrs.frozen(kw_only=True)
class Troubles:
    """What goes wrong: chances on the way, and the chance that a booking's reply is lost."""

    chances: Chances = attrs.field(factory=Chances)
    reply_lost: float = 0.0


class Counter:
    """What both forms share: the answers, by the book and by the number."""

    def __init__(
        self,
        book: Book | None = None,
        *,
        troubles: Troubles | None = None,
        capabilities: CarrierCapabilities = CAPABILITIES,
    ) -> None:
        self.capabilities = capabilities
        self._book = Book() if book is None else book
        self._troubles = Troubles() if troubles is None else troubles

    def _book_parcels(self, asked: Sequence[BookParcel]) -> list[CarrierAnswer]:
        try:
            with self._book.writing():
                return [self._booked(one) for one in asked]
        except sqlite3.Error:
            return [_IN_DOUBT] * len(asked)

    def _booked(self, asked: BookParcel) -> CarrierAnswer:
        if asked.back and not self.capabilities.return_labels:
            return Refused("unsupported")
        digest = _digest(asked)
        known = self._book.booking(asked.key)
        if known is not None:
            return _answer(known[1]) if known[0] == digest else Refused("key_reused")
        markers = _markers(asked.address)
        if (reason := _refusal(asked, markers)) is not None:
            return Refused(reason)
        number = self._new_number(asked, markers)
        self._book.put_booking(asked.key, digest, number)
        seed = self._troubles.chances.seed
        lost = "reply lost" in markers or share(f"{seed}/reply/{asked.key}") < self._troubles.reply_lost
        return Unknown("reply_lost") if lost else _answer(number)

    def _new_number(self, asked: BookParcel, markers: frozenset[str]) -> str:
        """Return a number for the parcel that nobody has; its serial comes from the key."""
        country, service = asked.address.country, asked.service
        carrier = asked.carrier or carrier_for(country, service, asked.key)
        wished = [fate for marker, fate in MARKERS.items() if marker in markers]
        first = Waybill(
            carrier=carrier,
            minute=minute_of(asked.at),
            days=days_on_the_way(country, service, asked.key),
            fate=wished[0] if wished else self._troubles.chances.fate(asked.key),
            serial=int.from_bytes(hashlib.sha256(asked.key.encode()).digest()[:8], "big") % SHAPES[carrier].serials,
        )
        number = number_of(first)
        while self._book.taken(number):
            first = attrs.evolve(first, serial=(first.serial + 1) % SHAPES[carrier].serials)
            number = number_of(first)
        return number

    def _cancel(self, asked: CancelParcel) -> Booked | Refused | Unknown:
        """Void a label; a repeat gets the same answer."""
        if not self.capabilities.cancel:
            return Refused("unsupported")
        waybill = waybill_of(asked.tracking_number)
        if waybill is None or waybill.carrier != asked.carrier:
            return Refused("not_found")
        try:
            with self._book.writing():
                if self._book.cancelled_at(asked.tracking_number) is not None:
                    return _answer(asked.tracking_number)
                if waybill.booked_at + pickup_after(waybill) <= asked.at:
                    return Refused("already_picked_up")
                self._book.put_cancellation(asked.tracking_number, asked.at.isoformat())
                return _answer(asked.tracking_number)
        except sqlite3.Error:
            return _IN_DOUBT

    def _track(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Return what was said until then. A number that none of these carriers wrote has no scans."""
        waybill = waybill_of(asked.tracking_number)
        if waybill is None or waybill.carrier != asked.carrier:
            return ()
        until = asked.at
        if (cancelled := self._book.cancelled_at(asked.tracking_number)) is not None:
            until = min(until, datetime.fromisoformat(cancelled))
        return tuple(scan for scan in scans_of(waybill) if scan.at <= until)


class FakeCarriers(Counter):
    """The carriers for threads. Many bookings at once share one transaction of the book."""

    def book_parcel(self, asked: BookParcel) -> CarrierAnswer:
        """Book a parcel once per key."""
        return self._book_parcels([asked])[0]

    def book_parcel_many(self, asked: Sequence[BookParcel]) -> list[CarrierAnswer]:
        """Book several parcels; each is answered for itself."""
        return self._book_parcels(asked)

    def cancel_parcel(self, asked: CancelParcel) -> Booked | Refused | Unknown:
        """Void the label of a parcel that has not been picked up."""
        return self._cancel(asked)

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Say where a parcel was until then."""
        return self._track(asked)

    def close(self) -> None:
        """Close the book."""
        self._book.close()


class AsyncFakeCarriers(Counter):
    """The carriers for event loops. The book is written in a thread: a write may wait for another process."""

    async def book_parcel(self, asked: BookParcel) -> CarrierAnswer:
        """Book a parcel once per key."""
        return (await self.book_parcel_many([asked]))[0]

    async def book_parcel_many(self, asked: Sequence[BookParcel]) -> list[CarrierAnswer]:
        """Book several parcels; each is answered for itself."""
        return await asyncio.to_thread(self._book_parcels, asked)

    async def cancel_parcel(self, asked: CancelParcel) -> Booked | Refused | Unknown:
        """Void the label of a parcel that has not been picked up."""
        return await asyncio.to_thread(self._cancel, asked)

    async def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Say where a parcel was until then."""
        return await asyncio.to_thread(self._track, asked)

    async def close(self) -> None:
        """Close the book."""
        self._book.close()


def _answer(number: str) -> Booked:
    """Return the booking that a number stands for."""
    waybill = waybill_of(number)
    if waybill is None:
        raise LookupError(number)
    return Booked(
        carrier=waybill.carrier,
        tracking_number=number,
        tracking_url=CARRIERS[waybill.carrier].tracking_url.format(number),
        label_url=f"https://labels.fakecarrier.example/{waybill.carrier}/{number}.pdf",
    )


def _refusal(asked: BookParcel, markers: frozenset[str]) -> str | None:
    """Return why no carrier takes the parcel, if none does."""
    if asked.carrier is not None and asked.carrier not in CARRIERS:
        return "unknown_carrier"
    if asked.address.country not in COUNTRIES:
        return "unknown_country"
    if asked.service not in SERVICES:
        return "unknown_service"
    if asked.units <= 0:
        return "empty_parcel"
    return "address_refused" if "refused" in markers else None


def _markers(address: Address) -> frozenset[str]:
    return frozenset(_MARKER.findall(f"{address.name} {address.street}".lower()))


def _digest(asked: BookParcel) -> bytes:
    """Return what tells a repeat from another request; when it asks does not matter."""
    address = asked.address
    parts = (asked.carrier, asked.warehouse, asked.service, asked.units, asked.back)
    place = (address.name, address.street, address.city, address.zip, address.country)
    return hashlib.sha256(repr((parts, place)).encode()).digest()
