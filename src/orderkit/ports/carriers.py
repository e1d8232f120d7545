"""Carriers: book a parcel (label, tracking number), cancel it, ask where it is, and print a label for the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeAlias

from orderkit.domain.order import Address
from orderkit.domain.shipment import Scan
from orderkit.domain.value import Value
from orderkit.ports.effect import Outside
from orderkit.ports.payments import Refused, Unknown


class Booked(Value, kw_only=True):
    """The carrier expects the parcel."""

    carrier: str
    tracking_number: str
    tracking_url: str = ""
    label_url: str = ""


CarrierAnswer: TypeAlias = "Booked | Refused | Unknown"


class BookParcel(Outside[CarrierAnswer], kw_only=True):
    """Book one parcel under our own key, once however often it is asked. `back` books the customer's way to the warehouse."""

    key: str
    carrier: str | None
    warehouse: str
    address: Address
    service: str
    units: int
    at: datetime
    back: bool = False


class CancelParcel(Outside["Booked | Refused | Unknown"], kw_only=True):
    """Void the label of a parcel that has not been picked up."""

    key: str
    carrier: str
    tracking_number: str
    at: datetime


class TrackParcel(Outside["tuple[Scan, ...]"], kw_only=True):
    """Everything that the carrier has said of a parcel until `at`."""

    carrier: str
    tracking_number: str
    at: datetime


class CarrierCapabilities(Value, kw_only=True):
    """What a carrier adapter can do."""

    cancel: bool = True
    return_labels: bool = True
    webhooks: bool = False


class Carriers(Protocol):
    """What a carrier adapter fulfills. One adapter may stand for several carriers."""

    capabilities: CarrierCapabilities

    def book_parcel(self, asked: BookParcel) -> CarrierAnswer: ...
    def cancel_parcel(self, asked: CancelParcel) -> CarrierAnswer: ...
    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]: ...
    def close(self) -> None: ...


class AsyncCarriers(Protocol):
    """The same for an event loop."""

    capabilities: CarrierCapabilities

    async def book_parcel(self, asked: BookParcel) -> CarrierAnswer: ...
    async def cancel_parcel(self, asked: CancelParcel) -> CarrierAnswer: ...
    async def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]: ...
    async def close(self) -> None: ...
