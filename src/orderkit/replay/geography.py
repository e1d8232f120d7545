"""The countries of the file: code, rough position, carrier and days on the way.

The file names countries in its own words and holds no addresses; what it does not say is marked as unknown, never guessed.
"""

from __future__ import annotations

import attrs

__all__ = ["COUNTRIES", "UNKNOWN", "Country", "country_of"]


@attrs.frozen
class Country:
    """A destination. `code` has two letters (ZZ: not known); the position is in degrees; `days` is the time on the way."""

    code: str
    latitude: float
    longitude: float
    carrier: str
    days: int


UNKNOWN = Country("ZZ", 51.5, -0.1, "ups", 5)

COUNTRIES: dict[str, Country] = {
    "United Kingdom": Country("GB", 52.5, -1.5, "ups", 1),
    "Channel Islands": Country("JE", 49.2, -2.1, "ups", 2),
    "EIRE": Country("IE", 53.3, -6.3, "ups", 2),
    "France": Country("FR", 46.6, 2.4, "ups", 3),
    "Germany": Country("DE", 51.1, 10.4, "ups", 3),
    "Netherlands": Country("NL", 52.2, 5.3, "ups", 2),
    "Belgium": Country("BE", 50.6, 4.6, "ups", 2),
    "Austria": Country("AT", 47.6, 14.1, "ups", 4),
    "Switzerland": Country("CH", 46.8, 8.2, "ups", 4),
    "Spain": Country("ES", 40.3, -3.7, "ups", 4),
    "Portugal": Country("PT", 39.6, -8.0, "ups", 4),
    "Italy": Country("IT", 42.8, 12.1, "ups", 4),
    "Greece": Country("GR", 39.1, 22.9, "ups", 5),
    "Cyprus": Country("CY", 35.1, 33.2, "ups", 6),
    "Malta": Country("MT", 35.9, 14.4, "ups", 5),
    "Denmark": Country("DK", 56.0, 9.9, "ups", 3),
    "Sweden": Country("SE", 59.6, 15.1, "ups", 4),
    "Norway": Country("NO", 60.5, 8.5, "ups", 4),
    "Finland": Country("FI", 61.9, 25.7, "ups", 5),
    "Iceland": Country("IS", 64.1, -21.9, "ups", 5),
    "Poland": Country("PL", 52.1, 19.4, "ups", 4),
    "Czech Republic": Country("CZ", 49.8, 15.5, "ups", 4),
    "Lithuania": Country("LT", 55.2, 23.9, "ups", 5),
    "European Community": Country("EU", 50.8, 4.4, "ups", 4),
    "USA": Country("US", 39.8, -98.6, "usps", 7),
    "Canada": Country("CA", 45.4, -75.7, "fedex", 7),
    "Bermuda": Country("BM", 32.3, -64.8, "fedex", 8),
    "West Indies": Country("ZZ", 15.0, -61.0, "fedex", 9),
    "Brazil": Country("BR", -15.8, -47.9, "fedex", 10),
    "Japan": Country("JP", 35.7, 139.7, "fedex", 8),
    "Korea": Country("KR", 37.6, 127.0, "fedex", 8),
    "Hong Kong": Country("HK", 22.3, 114.2, "fedex", 7),
    "Singapore": Country("SG", 1.3, 103.8, "fedex", 7),
    "Thailand": Country("TH", 13.8, 100.5, "fedex", 8),
    "Australia": Country("AU", -33.9, 151.2, "fedex", 10),
    "RSA": Country("ZA", -26.2, 28.0, "fedex", 9),
    "Nigeria": Country("NG", 6.5, 3.4, "fedex", 9),
    "Israel": Country("IL", 32.1, 34.8, "fedex", 6),
    "Lebanon": Country("LB", 33.9, 35.5, "fedex", 7),
    "Bahrain": Country("BH", 26.2, 50.6, "fedex", 7),
    "Saudi Arabia": Country("SA", 24.7, 46.7, "fedex", 7),
    "United Arab Emirates": Country("AE", 25.2, 55.3, "fedex", 7),
    "Unspecified": UNKNOWN,
}


def country_of(name: str) -> Country:
    """Return what is known of a country by the file's name for it; `UNKNOWN` for a name that is not in the table."""
    return COUNTRIES.get(name, UNKNOWN)
