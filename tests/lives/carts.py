"""What somebody buys, and with what it is paid: drawn, and added up as its buyer would."""

from __future__ import annotations

from orderkit import Cart, Tender
from orderkit.domain.money import to_text
from orderkit.domain.value import evolve
from orderkit.testing.sim.chance import Dice
from tests.lives.bank import EMPTY
from tests.lives.shop import SKUS
from tests.shops import HOME

MANY = (9, 25, 50, 51)  # tenders of one order: the last is one too many
PRICES = ("0.00", "0.01", "0.99", "3.33", "12.50", "19.99", "100.00")


def a_cart(dice: Dice, *, lines: int = 3, tax_included: bool | None = None) -> Cart:
    """Draw a cart: lines with taxes and discounts of their own, one discount over all, shipping and a fee."""
    included = dice.chance(0.7) if tax_included is None else tax_included
    cart = Cart(customer=dice.one_of(("anna", "ben")), ship_to=HOME, currency="EUR", tax_included=included)
    for _ in range(dice.between(1, lines)):
        quantity, price = dice.one_of((1, 1, 2, 3, 4, 7)), dice.one_of(PRICES)
        gross = quantity * round(float(price) * 100)
        off = dice.below(gross // 2 + 1) if dice.chance(0.3) else 0
        tax = (gross - off) * dice.one_of((0, 7, 19)) // (119 if included else 100)
        cart = cart.add(
            dice.one_of(SKUS),
            quantity,
            price,
            tax=to_text(tax, "EUR"),
            discount=to_text(off, "EUR"),
            backorder=dice.chance(0.25),
        )
    if dice.chance(0.3) and (subtotal := cart.prices().total_minor) > 3:
        cart = cart.discounted("welcome", to_text(dice.between(1, subtotal // 3), "EUR"))
    if dice.chance(0.6):
        cart = cart.charged("parcel", "4.90", tax="0.78")
    return cart.charged("wrapping", "1.99", kind="fee") if dice.chance(0.15) else cart


def tenders(dice: Dice, total_minor: int) -> str | list[Tender]:
    """Draw what pays: one card, or a gift card and a card, or two cards and a gift card; once in a while as many as are taken, or more."""
    if total_minor > max(MANY) and dice.chance(0.015):
        return _many(dice, total_minor)
    if total_minor < 4 or dice.chance(0.6):
        return "pm_visa"
    part = dice.between(1, total_minor // 2)
    gift, card = Tender(method="gift", kind="gift_card", amount_minor=part), Tender(method="pm_visa")
    third = Tender(method="pm_amex", amount_minor=dice.between(1, total_minor - part - 1))
    return [gift, card] if dice.chance(0.6) else [third, gift, card]


def or_no_money(dice: Dice, offered: str | list[Tender]) -> str | list[Tender]:
    """Put an empty card in the place of the last tender, once in a while: what the others gave for it goes back."""
    if not dice.chance(0.15):
        return offered
    return EMPTY if isinstance(offered, str) else [*offered[:-1], evolve(offered[-1], method=EMPTY)]


def _many(dice: Dice, total_minor: int) -> list[Tender]:
    """Draw very many tenders: gift cards and cards with little on them, and one that pays the rest."""
    number = dice.one_of(MANY)
    kinds = [dice.one_of(("gift_card", "card")) for _ in range(number - 1)]
    parts = [dice.between(1, max(1, total_minor // number)) for _ in kinds]
    small = [
        Tender(method=f"pm_{n}", kind=k, amount_minor=a) for n, (k, a) in enumerate(zip(kinds, parts, strict=True))
    ]
    return [*small, Tender(method="pm_visa")]


def added_up(cart: Cart) -> int:
    """Return what a cart comes to, as its buyer adds it up."""
    on_top = not cart.tax_included
    goods = sum(x.quantity * x.unit_price_minor - x.discount_minor + on_top * x.tax_minor for x in cart.lines)
    return (
        goods
        - sum(d.amount_minor for d in cart.discounts)
        + sum(c.amount_minor + on_top * c.tax_minor for c in cart.charges)
    )
