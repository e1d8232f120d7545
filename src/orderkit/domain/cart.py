"""The cart: what a host hands over to be ordered, built up step by step, each step a new value.

Prices, discounts, tax and shipping come from the host and are only checked to add up. A cart becomes the facts of an order; its
fingerprint tells two requests with one idempotency key apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from orderkit.domain.money import Money, to_minor
from orderkit.domain.order import Address, DeliveryPreference, Facts, OrderLine, Policies
from orderkit.domain.pricing import Charge, Discount, LineOffer, Prices, freeze
from orderkit.domain.value import Value, canonical, evolve, field
from orderkit.errors import InvalidInput

T = TypeVar("T")

QUANTITY_MAX = 1_000_000  # beyond any real line; keeps sums inside 64 bits


class CartLine(Value, kw_only=True):
    """One line of a cart: what, how many, at which price. Amounts in minor units of the cart's currency."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str = ""
    discount_minor: int = 0
    tax_minor: int = 0
    seller: str | None = None
    backorder: bool = False
    tags: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str], ...] = ()


class Cart(Value, kw_only=True):
    """What a customer wants to buy and where it goes."""

    customer: str
    ship_to: Address
    currency: str = "EUR"
    delivery: DeliveryPreference = field(default_factory=DeliveryPreference)
    contact: str = ""
    reference: str = ""
    tax_included: bool = True
    lines: tuple[CartLine, ...] = ()
    discounts: tuple[Discount, ...] = ()
    charges: tuple[Charge, ...] = ()
    expected_total_minor: int | None = None

    def add(
        self,
        sku: str,
        quantity: int,
        price: str | int | Decimal,
        *,
        name: str = "",
        discount: str | int | Decimal = 0,
        tax: str | int | Decimal = 0,
        seller: str | None = None,
        backorder: bool = False,
        tags: Iterable[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> Cart:
        """Return the cart with one more line. Amounts are text or numbers in the currency's major unit: `"12.50"`."""
        if type(sku) is not str or not sku.strip():
            raise InvalidInput("a line needs a SKU", code="invalid_input", field="sku")
        if type(quantity) is not int or not 0 < quantity <= QUANTITY_MAX:
            raise InvalidInput(
                f"{quantity!r} of {sku} is no number of units, 1 to {QUANTITY_MAX:,}",
                code="invalid_quantity",
                field="quantity",
                remedy=f"Send a whole number of units, 1 to {QUANTITY_MAX:,}.",
            )
        names: object = attributes or {}
        if not isinstance(names, Mapping) or not all(isinstance(each, str) for each in names):
            raise InvalidInput(f"the attributes of {sku} are texts by name, not {attributes!r}", field="attributes")
        price_minor = to_minor(price, self.currency)
        if price_minor < 0:
            raise InvalidInput(f"the price of {sku} is below zero", code="invalid_money", field="price")
        line = CartLine(
            sku=sku,
            quantity=quantity,
            unit_price_minor=price_minor,
            name=name,
            discount_minor=to_minor(discount, self.currency),
            tax_minor=to_minor(tax, self.currency),
            seller=seller,
            backorder=backorder,
            tags=frozenset(_several(tags, str, "tags")),
            attributes=tuple(sorted((attributes or {}).items())),
        )
        return evolve(self, lines=(*self.lines, line))

    def discounted(self, name: str, amount: str | int | Decimal, *, lines: Iterable[int] | None = None) -> Cart:
        """Return the cart with a discount over all lines, or over those with the given numbers (from 1)."""
        chosen = None if lines is None else _several(lines, int, "lines")
        return evolve(self, discounts=(*self.discounts, Discount(name, to_minor(amount, self.currency), chosen)))

    def charged(
        self, name: str, amount: str | int | Decimal, *, tax: str | int | Decimal = 0, kind: str = "shipping"
    ) -> Cart:
        """Return the cart with a charge on top: shipping, or a fee."""
        charge = Charge(name, to_minor(amount, self.currency), to_minor(tax, self.currency), kind)
        return evolve(self, charges=(*self.charges, charge))

    def prices(self, *, first: int = 1) -> Prices:
        """Return the frozen prices of the cart; its lines are numbered from `first`."""
        offers = [
            LineOffer(
                line=number,
                sku=line.sku,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                discount_minor=line.discount_minor,
                tax_minor=line.tax_minor,
            )
            for number, line in enumerate(self.lines, first)
        ]
        return freeze(offers, self.discounts, self.charges, tax_included=self.tax_included, currency=self.currency)

    def agreed(self, prices: Prices) -> Prices:
        """Return the cart's prices. Raises `InvalidInput` (`total_mismatch`) when their total is not the one that the cart expects."""
        if self.expected_total_minor is not None and self.expected_total_minor != prices.total_minor:
            raise InvalidInput(
                f"the total is {Money(prices.total_minor, self.currency)}, not {Money(self.expected_total_minor, self.currency)}",
                code="total_mismatch",
                field="total",
                facts={"total_minor": prices.total_minor, "expected_minor": self.expected_total_minor},
            )
        return prices

    def order_lines(self, *, first: int = 1) -> tuple[OrderLine, ...]:
        """Return the cart's lines as an order keeps them."""
        return tuple(
            [
                OrderLine(
                    number=number,
                    sku=line.sku,
                    quantity=line.quantity,
                    unit_price_minor=line.unit_price_minor,
                    name=line.name,
                    seller=line.seller,
                    backorder=line.backorder,
                    tags=line.tags,
                    attributes=line.attributes,
                )
                for number, line in enumerate(self.lines, first)
            ]
        )

    def facts(self, policies: Policies) -> Facts:
        """Return the document of the order that this cart becomes; an expected total that is not the total is refused."""
        if not self.customer.strip():
            raise InvalidInput("an order has a customer", field="customer")
        if not self.lines:
            raise InvalidInput("the cart is empty", code="empty_cart", field="items")
        prices = self.agreed(self.prices())
        return Facts(
            customer=self.customer,
            currency=self.currency,
            ship_to=self.ship_to,
            lines=self.order_lines(),
            prices=prices,
            delivery=self.delivery,
            policies=policies,
            contact=self.contact,
            reference=self.reference,
        )


def fingerprint(*parts: object) -> str:
    """Return a digest of what a request asks for; equal requests have equal fingerprints on every machine."""
    return hashlib.sha256(canonical(parts)).hexdigest()[:32]


def _several(given: object, kind: type[T], field: str) -> tuple[T, ...]:
    """Return several values of a kind. Raises: `InvalidInput`."""
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        found: tuple[Any, ...] = tuple(given)
        if all(isinstance(each, kind) and not isinstance(each, bool) for each in found):
            return found
    raise InvalidInput(f"several {kind.__name__} are expected, not {given!r}", field=field)
