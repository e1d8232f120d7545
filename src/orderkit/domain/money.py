"""Money as whole minor units of a currency: parsed exactly, written exactly, split exactly.

The rule it keeps: no float goes in, nothing is rounded that nobody asked to round, and every division is a split whose
parts add up to the whole. Inside orderkit an amount is an `int` of minor units beside the order's currency; `Money` is
the same two together, for those who hold amounts outside an order. Nothing here knows of orders, prices or how a
country writes its numbers.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import attrs

from orderkit.errors import InvalidInput

MINOR_MAX = 2**63 - 1  # what a 64-bit column holds; any real amount is far below, so more is a mistake
_TEXT_MAX = 64  # characters; an amount that needs more is no amount

_PLAIN = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))")

# ISO 4217, list one of January 2026, by digits of the minor unit. Codes without one (gold, tests) are no money here.
_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
        CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
        HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
        MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
        SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED
        VES WST XAD XCD XCG YER ZAR ZMW ZWG
        ANG BGN CUC HRK SLL ZWL
    """,  # the last row was withdrawn since 2021: orders of before still hold it
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: digits for digits, codes in _DECIMALS.items() for code in codes.split()}
)
"""How many decimals each currency has: 2 for EUR, 0 for JPY, 3 for KWD."""


def exponent(currency: str) -> int:
    """Return how many decimals the currency has; a code without a minor unit in ISO 4217 is `unknown_currency`."""
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        meant = str(currency).strip().upper()
        hint = f"; {meant!r} is" if meant in EXPONENTS else ""
        raise InvalidInput(
            f"{currency!r} is no ISO 4217 currency code{hint}", code="unknown_currency", field="currency"
        ) from None


def to_minor(amount: str | int | Decimal, currency: str, *, field: str = "amount") -> int:
    """Return an amount of major units as minor units: `"12.50"` and `Decimal("12.5")` in EUR are 1250, `12` is 1200.

    Zeros after the last decimal of the currency change nothing and are accepted, as databases write them.

    Raises:
        InvalidInput: `invalid_money` for a float, for text that is no plain number, and for what 64 bits do not hold;
            `money_precision` for more decimals than the currency has; `unknown_currency`. `field` is named in the
            error.
    """
    digits = exponent(currency)
    if isinstance(amount, str):
        negative, whole, fraction = _parts(amount, field)
    elif type(amount) is int:
        return _bounded(amount * 10**digits, field)
    elif isinstance(amount, Decimal):
        negative, whole, fraction = _decimal_parts(amount, field)
    else:
        hint = 'write it as text: "12.50"' if isinstance(amount, float) else "send text, a whole number or a Decimal"
        raise InvalidInput(f"{amount!r} is no exact amount of money; {hint}", code="invalid_money", field=field)
    if fraction[digits:].strip("0"):
        raise InvalidInput(
            f"{amount} has more than the {digits} decimals of {currency}",
            code="money_precision",
            field=field,
            facts={"currency": currency, "decimals": digits},
        )
    minor = int(whole + fraction[:digits].ljust(digits, "0"))
    return _bounded(-minor if negative else minor, field)


def to_text(minor: int, currency: str) -> str:
    """Return minor units as plain text in major units, with all decimals of the currency: 1250 of EUR is `"12.50"`."""
    digits = exponent(currency)
    if not digits:
        return str(minor)
    whole, fraction = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{digits}d}"


def spoken(minor: int, currency: str) -> str:
    """Return an amount as people read it; where nobody said in which currency, as what it is."""
    return f"{to_text(minor, currency)} {currency}" if currency else f"{minor} minor units"


def split(amount_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide an amount in proportion to the weights, in whole minor units that add up to it exactly.

    Largest remainder: every part is within one minor unit of its exact share; what is left after rounding down goes to
    the largest remainders, the first of equals first. No part exceeds its weight as long as the amount does not exceed
    their sum. Weights that are all zero count as equal. A negative amount is the mirror image of the positive one.

    Raises:
        InvalidInput: `invalid_input` for a weight below zero, and for an amount to split over nothing.
    """
    if amount_minor < 0:
        return tuple([-part for part in split(-amount_minor, weights)])
    if not weights:
        if amount_minor:
            raise InvalidInput(f"{amount_minor} cannot be split over nothing", field="weights")
        return ()
    if min(weights) < 0:
        raise InvalidInput("a weight is below zero", field="weights", facts={"weights": list(weights)})
    total = sum(weights)
    if not total:
        weights, total = (1,) * len(weights), len(weights)
    parts = [amount_minor * weight // total for weight in weights]
    if left := amount_minor - sum(parts):
        # sorted() keeps the order of equals, so that ties fall to the first position
        for position in sorted(range(len(parts)), key=lambda i: -(amount_minor * weights[i] % total))[:left]:
            parts[position] += 1
    return tuple(parts)


@functools.total_ordering
@attrs.frozen(order=False)
class Money:
    """An amount in minor units and its currency. Amounts of two currencies are never equal, nor added or compared."""

    minor: int
    currency: str

    def __attrs_post_init__(self) -> None:
        exponent(self.currency)
        if type(self.minor) is not int:
            raise InvalidInput(f"{self.minor!r} is no whole number of minor units", code="invalid_money", field="minor")
        _bounded(self.minor, "minor")

    @classmethod
    def parse(cls, amount: str | int | Decimal, currency: str) -> Money:
        """Return the money that an amount of major units is, as `to_minor` reads it: `Money.parse("12.50", "EUR")`."""
        return cls(to_minor(amount, currency), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(to_text(self.minor, self.currency))

    def split(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Divide the amount in proportion to the weights; the parts add up to it exactly."""
        return tuple(Money(part, self.currency) for part in split(self.minor, weights))

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __str__(self) -> str:
        return f"{to_text(self.minor, self.currency)} {self.currency}"

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            raise InvalidInput(f"{other!r} has no currency; make it Money first", code="invalid_money", field="minor")
        if other.currency != self.currency:
            raise InvalidInput(
                f"{self} and {other} are of two currencies",
                code="mixed_currency",
                field="currency",
                facts={"currencies": [self.currency, other.currency]},
            )
        return other.minor


def _parts(text: str, field: str) -> tuple[bool, str, str]:
    """Return sign, whole part and decimals of a plain number. The point is the only separator: 1,234 is not guessed."""
    found = _PLAIN.fullmatch(text.strip()) if len(text) <= _TEXT_MAX else None
    if found is None:
        hint = "; write the decimals after a point and nothing between thousands" if "," in text else ""
        raise InvalidInput(f"{text[:_TEXT_MAX]!r} is no amount of money{hint}", code="invalid_money", field=field)
    sign, whole, decimals, only_decimals = found.groups()
    return sign == "-", whole or "0", decimals or only_decimals or ""


def _decimal_parts(amount: Decimal, field: str) -> tuple[bool, str, str]:
    """Return the same of a Decimal, digit by digit: its own arithmetic would round to the context's precision."""
    if not amount.is_finite() or (amount and abs(amount.adjusted()) > _TEXT_MAX):
        raise InvalidInput(f"{amount} is no amount of money", code="invalid_money", field=field)
    if not amount:
        return False, "0", ""
    whole, _, fraction = f"{amount.copy_abs():f}".partition(".")
    return amount.is_signed(), whole, fraction


def _bounded(minor: int, field: str) -> int:
    if not -MINOR_MAX <= minor <= MINOR_MAX:
        what = "the amount is beyond what 64 bits of minor units hold"
        raise InvalidInput(what, code="invalid_money", field=field, facts={"minor_max": MINOR_MAX})
    return minor
