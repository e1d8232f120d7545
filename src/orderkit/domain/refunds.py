"""What is given back for units, and how it is paid out.

`quote` is both the preview and the execution of a refund: the value of the units as frozen at placement, with shipping,
fees and deductions under an explicit policy. `spread` divides an amount over the tenders that paid. Both are exact:
units given back one at a time, in any order, come to the same as all at once, to the minor unit.

Nothing here knows of returns, providers or the state of an order: how many units were given back before is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import attrs

from orderkit.domain.given import one_of
from orderkit.domain.money import split, spoken
from orderkit.domain.pricing import LinePrice, Prices, units_value
from orderkit.domain.value import Value
from orderkit.errors import InvalidInput, NotAllowed

WHOLE = 10_000  # basis points of an undiminished value

Grading = int | Sequence[tuple[int, int]]
"""Basis points of value for all the units of a line, or (units, basis points) for each part of them, in order."""


class ShippingPolicy(StrEnum):
    """When shipping goes back: never; with each unit its share; all with the last unit; all with the first."""

    NONE = "none"
    PRO_RATA = "pro_rata"
    FULL_ON_FULL_RETURN = "full_on_full_return"
    FULL = "full"


class TenderOrder(StrEnum):
    """Which tender is refunded first. Where a kind goes first or last, the others follow from the newest to the oldest.

    `store_credit` refunds tenders of store credit first; giving credit in the place of a card's money is a new tender,
    not an order of these.
    """

    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"
    RATIO = "ratio"
    GIFT_CARD_FIRST = "gift_card_first"
    GIFT_CARD_LAST = "gift_card_last"
    STORE_CREDIT = "store_credit"


def _policy(word: ShippingPolicy | str) -> ShippingPolicy:
    return one_of(ShippingPolicy, word, "shipping")


def _tender_order(word: TenderOrder | str) -> TenderOrder:
    return one_of(TenderOrder, word, "tender_order")


def _pairs(grades: Mapping[str, int] | Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    try:
        pairs = sorted(grades.items()) if isinstance(grades, Mapping) else grades
        return tuple((grade, points) for grade, points in pairs)
    except (TypeError, ValueError):
        raise InvalidInput(f"grades are basis points by name, not {grades!r}", field="grades") from None


@attrs.frozen(kw_only=True)
class RefundPolicy:
    """What a refund gives back besides the goods, what it keeps, and whom it pays first.

    `restocking_fee_percent` is of the value given back for the goods, rounded down to the customer's favor;
    `restocking_fee_minor_per_unit` is the other way to say it. `return_label_cost_minor` is kept once per return.
    `grades` are basis points of value by grade of what comes back (`{"damaged": 5000}` gives half), whole value where a
    grade is not named. `cancellation_shipping` is for orders that were confirmed: of one that is given up before, nothing
    is kept, and the lines of an amendment whose payment is refused take the shipping that came with them.
    """

    shipping: ShippingPolicy = attrs.field(default=ShippingPolicy.FULL_ON_FULL_RETURN, converter=_policy)
    restocking_fee_percent: int = 0
    restocking_fee_minor_per_unit: int = 0
    return_label_cost_minor: int = 0
    cancellation_shipping: ShippingPolicy = attrs.field(default=ShippingPolicy.FULL_ON_FULL_RETURN, converter=_policy)
    tender_order: TenderOrder = attrs.field(default=TenderOrder.NEWEST_FIRST, converter=_tender_order)
    grades: tuple[tuple[str, int], ...] = attrs.field(default=(), converter=_pairs)

    def __attrs_post_init__(self) -> None:
        _within(self.restocking_fee_percent, 100, "restocking_fee_percent")
        _within(self.restocking_fee_minor_per_unit, None, "restocking_fee_minor_per_unit")
        _within(self.return_label_cost_minor, None, "return_label_cost_minor")
        for grade, points in self.grades:
            _within(points, WHOLE, f"grades.{grade}")
        if self.restocking_fee_percent and self.restocking_fee_minor_per_unit:
            raise InvalidInput(
                "a restocking fee is a percentage or an amount per unit, not both", field="restocking_fee_percent"
            )

    def for_cancellation(self) -> RefundPolicy:
        """Return the policy for units that never reached the customer: nothing is kept, and shipping goes back as that policy says."""
        return RefundPolicy(
            shipping=self.cancellation_shipping,
            cancellation_shipping=self.cancellation_shipping,
            tender_order=self.tender_order,
        )


class RefundComponent(Value, kw_only=True):
    """One part of a refund: item, tax, shipping, fee, restocking_fee, label_cost, goodwill; what is kept is below zero.

    An `informational` component says what an item's amount contains and does not count: tax that the prices include.
    Where tax comes on top, an item is what is payable less that tax: where its exact net is below one minor unit, it
    may come to -1.
    """

    kind: str
    amount_minor: int
    line: int | None = None
    quantity: int = 0
    name: str = ""
    informational: bool = False


class RefundQuote(Value):
    """What a refund gives back, part by part. The total sums the components that count; it is never below zero."""

    components: tuple[RefundComponent, ...]
    total_minor: int


class TenderBalance(Value):
    """What may still be refunded to one tender."""

    payment_id: str
    kind: str
    refundable_minor: int


def quote(
    prices: Prices,
    units: Mapping[int, tuple[int, int]],
    policy: RefundPolicy,
    *,
    grades: Mapping[int, Grading] | None = None,
    everything_gone: bool,
    shipping_already_refunded_minor: int,
    goodwill_minor: int = 0,
    label_already_charged_minor: int = 0,
) -> RefundQuote:
    """Return what is given back for some units of some lines.

    Fees go back with the units, each its frozen share. A diminished value is rounded down to the minor unit; shipping
    and fees are not diminished. What is kept never exceeds what is given back. Without units there is nothing but
    goodwill.

    Args:
        prices: The frozen prices of the order.
        units: By line number: how many units were given back before, and how many are now.
        policy: What is given back besides the goods, and what is kept.
        grades: By line number, how much of the value is given back. Parts of one line must add up to its units.
        everything_gone: Whether after this refund no unit of the order is left that the customer keeps.
        shipping_already_refunded_minor: What earlier refunds gave back of shipping.
        goodwill_minor: An amount on top, for nothing but good will.
        label_already_charged_minor: What earlier refunds of the same return kept for its label.

    Raises:
        InvalidInput: `unknown_line`, `invalid_quantity` for units that a line does not have, `invalid_money` for
            goodwill below zero.
    """
    if goodwill_minor < 0:
        raise InvalidInput("goodwill is below zero", code="invalid_money", field="goodwill_minor")
    components: list[RefundComponent] = []
    units = {number: span for number, span in units.items() if span[1]}
    if units:
        for number, (already, count) in units.items():
            grading = WHOLE if grades is None else grades.get(number, WHOLE)
            components += _line(prices.line(number), already, count, grading, policy, tax_included=prices.tax_included)
        shipping_left = max(0, prices.shipping_minor - shipping_already_refunded_minor)
        components += _shipping(prices, units, policy.shipping, shipping_left, everything_gone=everything_gone)
        label = max(0, policy.return_label_cost_minor - label_already_charged_minor)
        components.append(RefundComponent(kind="label_cost", amount_minor=-min(label, _counted(components))))
    components.append(RefundComponent(kind="goodwill", amount_minor=goodwill_minor))
    shown = tuple([part for part in components if part.amount_minor or part.kind == "item"])
    return RefundQuote(shown, _counted(shown))


def spread(
    total_minor: int, tenders: Sequence[TenderBalance], order: TenderOrder, currency: str = ""
) -> tuple[tuple[str, int], ...]:
    """Divide an amount over the tenders, given from the oldest to the newest: (payment id, amount) in order of payout.

    The amounts add up to the total, and none exceeds what its tender may still be refunded.

    Raises:
        NotAllowed: `refund_exceeds_captured` when the tenders together cannot take the total.
        InvalidInput: `invalid_money` for a total below zero.
    """
    if total_minor < 0:
        raise InvalidInput(
            "a refund is not below zero", code="invalid_money", field="amount", facts={"amount_minor": total_minor}
        )
    ranked = _ranked([tender for tender in tenders if tender.refundable_minor > 0], order)
    balances = [tender.refundable_minor for tender in ranked]
    if total_minor > (remaining := sum(balances)):
        raise NotAllowed(
            f"{spoken(total_minor, currency)} is more than the {spoken(remaining, currency)} that the tenders can still be refunded",
            code="refund_exceeds_captured",
            field="amount",
            facts={"asked_minor": total_minor, "remaining_minor": remaining},
        )
    amounts = split(total_minor, balances) if order is TenderOrder.RATIO else _filled(total_minor, balances)
    return tuple((tender.payment_id, amount) for tender, amount in zip(ranked, amounts, strict=True) if amount)


def _line(
    price: LinePrice, already: int, count: int, grading: Grading, policy: RefundPolicy, *, tax_included: bool
) -> list[RefundComponent]:
    """Return the components of one line: goods, the tax in them or on top, the share of fees, and what is kept."""
    payable = tax = 0
    start = already
    for units, points in _graded(price.line, count, grading):
        value = price.value_of(start, units)
        payable += value.payable_minor * points // WHOLE
        tax += value.tax_minor * points // WHOLE
        start += units
    kept = min(payable, policy.restocking_fee_minor_per_unit * count + payable * policy.restocking_fee_percent // 100)

    fee = units_value(price.fee_minor, price.quantity, already, count)
    item = payable if tax_included else payable - tax
    return [
        RefundComponent(
            kind=kind,
            amount_minor=amount,
            line=price.line,
            quantity=count,
            informational=kind == "tax" and tax_included,
        )
        for kind, amount in (("item", item), ("tax", tax), ("fee", fee), ("restocking_fee", -kept))
        if amount or kind == "item"
    ]


def _shipping(
    prices: Prices,
    units: Mapping[int, tuple[int, int]],
    policy: ShippingPolicy,
    left: int,
    *,
    everything_gone: bool,
) -> list[RefundComponent]:
    """Return what goes back of shipping, never more than what is left of it."""
    if policy is ShippingPolicy.FULL or (policy is ShippingPolicy.FULL_ON_FULL_RETURN and everything_gone):
        return [RefundComponent(kind="shipping", amount_minor=left)]
    components = []
    if policy is ShippingPolicy.PRO_RATA:
        for number, (already, count) in units.items():
            price = prices.line(number)
            share = min(units_value(price.shipping_minor, price.quantity, already, count), left)
            left -= share
            components.append(RefundComponent(kind="shipping", amount_minor=share, line=number, quantity=count))
    return components


def _counted(components: Iterable[RefundComponent]) -> int:
    return sum([part.amount_minor for part in components if not part.informational])


def _graded(line: int, count: int, grading: Grading) -> Sequence[tuple[int, int]]:
    parts = ((count, grading),) if isinstance(grading, int) else grading
    for _, points in parts:
        _within(points, WHOLE, "grades")
    if sum([units for units, _ in parts]) != count:
        raise InvalidInput(
            f"the graded parts of line {line} are not its {count} units",
            code="invalid_quantity",
            field="grades",
            facts={"line": line, "units": count},
        )
    return parts


def _ranked(tenders: list[TenderBalance], order: TenderOrder) -> list[TenderBalance]:
    if order in (TenderOrder.OLDEST_FIRST, TenderOrder.RATIO):
        return tenders
    newest_first = tenders[::-1]
    if order is TenderOrder.GIFT_CARD_FIRST:
        return sorted(newest_first, key=lambda tender: tender.kind != "gift_card")
    if order is TenderOrder.GIFT_CARD_LAST:
        return sorted(newest_first, key=lambda tender: tender.kind == "gift_card")
    if order is TenderOrder.STORE_CREDIT:
        return sorted(newest_first, key=lambda tender: tender.kind != "store_credit")
    return newest_first


def _filled(total_minor: int, balances: Sequence[int]) -> list[int]:
    amounts = []
    for balance in balances:
        amounts.append(min(balance, total_minor))
        total_minor -= amounts[-1]
    return amounts


def _within(value: int, most: int | None, field: str) -> None:
    if type(value) is not int or value < 0 or (most is not None and value > most):
        limit = "0 or more" if most is None else f"from 0 to {most}"
        raise InvalidInput(f"{field} is a whole number {limit}, not {value!r}", field=field)
