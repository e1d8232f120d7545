"""Where parcels go, how long it takes, and what happens on the way: the scans of a parcel are a function of its waybill alone.

A fate is drawn once, when the parcel is booked, from the seed and the key; the number carries it from then on. Times count from the
booking, on whatever clock the caller has. Nothing here reads a clock or keeps anything.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from enum import IntEnum
from functools import lru_cache

import attrs

from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit_fakecarrier.numbers import DAYS, Waybill, number_of

# The two-letter codes of ISO 3166-1, one after the other.
_CODES = (
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCY"
    "CZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISIT"
    "JEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNI"
    "NLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTK"
    "TLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW"
)
_EUROPEAN_CODES = "ATBEBGCHCYCZDEDKEEESFIFRGRHRHUIEISITLILTLULVMCMTNLNOPLPTROSESISK"
COUNTRIES = frozenset(map("".join, zip(_CODES[::2], _CODES[1::2], strict=True)))
_EUROPE = frozenset(map("".join, zip(_EUROPEAN_CODES[::2], _EUROPEAN_CODES[1::2], strict=True)))
_HOURS = timedelta(hours=1)


class Fate(IntEnum):
    """How a parcel's way goes. The value is written into its tracking number."""

    DELIVERED = 0
    FAILED_ATTEMPT = 1
    COLLECTED = 2
    RETURN_TO_SENDER = 3
    LOST = 4
    FOUND = 5
    DAMAGED = 6
    SILENT = 7


@attrs.frozen
class Carrier:
    """One of the carriers: its name on labels, where a number can be followed, and where its parcels are sorted."""

    title: str
    tracking_url: str
    hubs: tuple[str, ...]


CARRIERS = {
    "fedex": Carrier(
        "FedEx", "https://www.fedex.com/fedextrack/?trknbr={}", ("Memphis, TN", "Indianapolis, IN", "Newark, NJ")
    ),
    "ups": Carrier(
        "UPS", "https://www.ups.com/track?tracknum={}", ("Louisville, KY", "Hodgkins, IL", "Philadelphia, PA")
    ),
    "usps": Carrier(
        "USPS",
        "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
        ("Chicago, IL", "Jersey City, NJ", "Los Angeles, CA"),
    ),
    "royal_mail": Carrier(
        "Royal Mail",
        "https://www.royalmail.com/track-your-item#/tracking-results/{}",
        ("Daventry", "Warrington", "Jubilee"),
    ),
    "dhl": Carrier(
        "DHL", "https://www.dhl.com/en/express/tracking.html?AWB={}", ("Leipzig", "Brussels", "East Midlands")
    ),
}


@attrs.frozen(kw_only=True)
class Chances:
    """How often what goes wrong, each from 0 to 1; drawn by seed and key. Together they are 1 at most."""

    seed: int = 0
    failed_attempt: float = 0.0
    collected: float = 0.0
    rto: float = 0.0
    lost: float = 0.0
    found: float = 0.0
    damaged: float = 0.0
    silent: float = 0.0

    def fate(self, key: str) -> Fate:
        """Return what becomes of the parcel with that key."""
        drawn = share(f"{self.seed}/fate/{key}")
        for name, fate in _CHANCE_OF.items():
            chance: float = getattr(self, name)
            if drawn < chance:
                return fate
            drawn -= chance
        return Fate.DELIVERED


_CHANCE_OF = {
    "failed_attempt": Fate.FAILED_ATTEMPT,
    "collected": Fate.COLLECTED,
    "rto": Fate.RETURN_TO_SENDER,
    "lost": Fate.LOST,
    "found": Fate.FOUND,
    "damaged": Fate.DAMAGED,
    "silent": Fate.SILENT,
}
MARKERS = {name.replace("_", " "): fate for name, fate in _CHANCE_OF.items()}


def share(text: str) -> float:
    """Return a number from 0 up to 1 that depends on the text only."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def carrier_for(country: str, service: str, key: str) -> str:
    """Return who carries a parcel when nobody chose: the post at home, an express carrier for haste and for abroad."""
    several: tuple[str, ...]
    if country == "GB":
        return "dhl" if service == "express" else "royal_mail"
    if country == "US":
        several = ("fedex", "ups") if service == "express" else ("usps", "ups", "fedex")
    else:
        several = ("dhl",) if country in _EUROPE else ("dhl", "fedex", "ups")
    return several[int(share(f"carrier/{key}") * len(several))]


def days_on_the_way(country: str, service: str, key: str) -> int:
    """Return after how many days a parcel comes."""
    shortest = 2 if country in ("GB", "US") else 3 if country in _EUROPE else 6
    if service != "standard":
        shortest = (shortest + 1) // 2
    return min(shortest + int(share(f"days/{key}") * 2), DAYS - 1)


@lru_cache(maxsize=4_096)
def scans_of(waybill: Waybill) -> tuple[Scan, ...]:
    """Return everything that the carrier will ever say of a parcel, in order of time."""
    number = number_of(waybill)
    story: list[tuple[timedelta, CarrierStatus, str]] = [(timedelta(0), CarrierStatus.PRE_TRANSIT, "")]
    hubs = CARRIERS[waybill.carrier].hubs
    story.append((pickup_after(waybill), CarrierStatus.IN_TRANSIT, "Collection depot"))
    for night in range(1, waybill.days):
        hub = hubs[(waybill.serial + night) % len(hubs)]
        at = timedelta(days=night) - (1 + 3 * share(f"{number}/{night}")) * _HOURS
        story.append((at, CarrierStatus.IN_TRANSIT, hub))
    story += _end(waybill, number)
    return tuple(
        Scan(id=f"{number}/{n:02d}", status=status, at=waybill.booked_at + _whole(after), place=place or None)
        for n, (after, status, place) in enumerate(story)
    )


def pickup_after(waybill: Waybill) -> timedelta:
    """Return how long after its booking a parcel is picked up."""
    return _whole((2 + 5 * share(f"pickup/{waybill.serial}")) * _HOURS)


def _end(waybill: Waybill, number: str) -> list[tuple[timedelta, CarrierStatus, str]]:
    out = timedelta(days=waybill.days) - (1 + 3 * share(f"{number}/out")) * _HOURS
    rung = out + (1 + 7 * share(f"{number}/rung")) * _HOURS
    day, office = timedelta(days=1), "Delivery office"
    first = [(out, CarrierStatus.OUT_FOR_DELIVERY, office)]
    failed = (rung, CarrierStatus.FAILED_ATTEMPT, office)
    match Fate(waybill.fate):
        case Fate.DELIVERED:
            return [*first, (rung, CarrierStatus.DELIVERED, "Front door")]
        case Fate.FAILED_ATTEMPT:
            return [
                *first,
                failed,
                (out + day, CarrierStatus.OUT_FOR_DELIVERY, office),
                (rung + day, CarrierStatus.DELIVERED, "Front door"),
            ]
        case Fate.COLLECTED:
            waiting = (rung + 4 * _HOURS, CarrierStatus.AVAILABLE_FOR_PICKUP, "Parcel shop")
            return [*first, failed, waiting, (rung + 2 * day, CarrierStatus.DELIVERED, "Parcel shop")]
        case Fate.RETURN_TO_SENDER:
            again = [
                (out + day, CarrierStatus.OUT_FOR_DELIVERY, office),
                (rung + day, CarrierStatus.FAILED_ATTEMPT, office),
            ]
            return [*first, failed, *again, (rung + 3 * day, CarrierStatus.RETURN_TO_SENDER, office)]
        case Fate.LOST:
            return [(out + 10 * day, CarrierStatus.LOST, "")]
        case Fate.FOUND:
            found = [
                (out + 14 * day, CarrierStatus.OUT_FOR_DELIVERY, office),
                (rung + 14 * day, CarrierStatus.DELIVERED, "Front door"),
            ]
            return [(out + 10 * day, CarrierStatus.LOST, ""), *found]
        case Fate.DAMAGED:
            return [(out, CarrierStatus.DAMAGED, office), (out + 2 * day, CarrierStatus.RETURN_TO_SENDER, office)]
        case Fate.SILENT:
            return []


def _whole(length: timedelta) -> timedelta:
    """Cut off what is less than a second."""
    return timedelta(seconds=int(length.total_seconds()))
