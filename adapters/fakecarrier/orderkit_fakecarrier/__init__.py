"""Carriers that move no parcel: bookings under one key once, tracking numbers that describe themselves, scans on the caller's clock.

`plugin` opens them for `fakecarrier:` URLs. It knows ports and domain values, never flows or stores.
"""

from __future__ import annotations

from orderkit_fakecarrier.carrier import AsyncFakeCarriers, FakeCarriers
from orderkit_fakecarrier.numbers import Waybill, number_of, waybill_of
from orderkit_fakecarrier.routes import Fate

__all__ = ["AsyncFakeCarriers", "FakeCarriers", "Fate", "Waybill", "number_of", "waybill_of"]
