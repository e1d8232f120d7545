"""Money is conserved: every split, every sequence of partial refunds and every payout adds up to the minor unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orderkit.domain.money import EXPONENTS, MINOR_MAX, split, to_minor, to_text
from orderkit.domain.pricing import Charge, Discount, LineOffer, LinePrice, Prices, freeze, units_value
from orderkit.domain.refunds import (
    RefundComponent,
    RefundPolicy,
    ShippingPolicy,
    TenderBalance,
    TenderOrder,
    quote,
    spread,
)
from orderkit.domain.value import evolve
from orderkit.errors import NotAllowed

AMOUNTS = st.integers(0, 10**9)
WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=12)
CURRENCIES = st.sampled_from(sorted(EXPONENTS))
KINDS = ("item", "tax", "fee", "shipping")
PARTS = ("gross_minor", "discount_minor", "payable_minor", "tax_minor", "net_minor", "shipping_minor", "fee_minor")

Steps = list[tuple[int, int, int]]  # line, units already gone, units now


@st.composite
def offers(draw: st.DrawFn) -> list[LineOffer]:
    """Draw lines of an order without tax, some of them free or discounted."""
    lines = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        quantity, price = draw(st.integers(1, 12)), draw(st.integers(0, 5000))
        discount = draw(st.integers(0, quantity * price))
        lines.append(
            LineOffer(
                line=number, sku=f"SKU-{number}", quantity=quantity, unit_price_minor=price, discount_minor=discount
            )
        )
    return lines


@st.composite
def orders(draw: st.DrawFn) -> Prices:
    """Draw the frozen prices of an order, with discounts, charges and tax, included or on top."""
    tax_included = draw(st.booleans())
    lines = draw(offers())
    discounts = []
    left = {offer.line: offer.quantity * offer.unit_price_minor - offer.discount_minor for offer in lines}
    for name in draw(st.lists(st.sampled_from(["WELCOME", "SUMMER"]), unique=True)):
        chosen = draw(
            st.none() | st.sets(st.sampled_from(sorted(left)), min_size=1).map(lambda found: tuple(sorted(found)))
        )
        eligible = sum(left[number] for number in (chosen or left))
        discount = Discount(name, draw(st.integers(0, eligible)), chosen)
        discounts.append(discount)
        so_far = freeze(lines, discounts, (), tax_included=tax_included)
        left = {price.line: price.gross_minor - price.discount_minor for price in so_far.lines}
    # a tax that is included must fit into what the discounts left
    lines = [evolve(o, tax_minor=draw(st.integers(0, left[o.line] if tax_included else 2000))) for o in lines]
    charges = [
        Charge(name, amount := draw(st.integers(0, 2000)), draw(st.integers(0, amount)), kind)
        for name, kind in (("post", "shipping"), ("express", "shipping"), ("wrap", "fee"))
        if draw(st.booleans())
    ]
    return freeze(lines, discounts, charges, tax_included=tax_included)


@st.composite
def dismantled(draw: st.DrawFn) -> tuple[Prices, Steps]:
    """Draw an order and a sequence of partial refunds, over its lines in any order, that ends with nothing left."""
    prices = draw(orders())
    gone = {price.line: 0 for price in prices.lines}
    left = {price.line: price.quantity for price in prices.lines}
    steps = []
    while left:
        number = draw(st.sampled_from(sorted(left)))
        units = draw(st.integers(1, left[number]))
        steps.append((number, gone[number], units))
        gone[number] += units
        left[number] -= units
        if not left[number]:
            del left[number]
    return prices, steps


TENDERS = st.lists(
    st.tuples(st.sampled_from(["card", "gift_card", "store_credit"]), st.integers(0, 10**6)), max_size=6
).map(lambda found: [TenderBalance(f"P{n}", kind, amount) for n, (kind, amount) in enumerate(found, 1)])


def refunded(
    prices: Prices, steps: Steps, policy: RefundPolicy, *, points: int = 10_000
) -> tuple[list[RefundComponent], list[int]]:
    """Refund step by step and return every component and the total of each step."""
    components: list[RefundComponent] = []
    totals = []
    left = sum(price.quantity for price in prices.lines)
    for number, already, units in steps:
        left -= units
        found = quote(
            prices,
            {number: (already, units)},
            policy,
            grades={number: points},
            everything_gone=not left,
            shipping_already_refunded_minor=sum(c.amount_minor for c in components if c.kind == "shipping"),
        )
        components += found.components
        totals.append(found.total_minor)
    return components, totals


@given(st.integers(-MINOR_MAX, MINOR_MAX), CURRENCIES)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    """Text and Decimal of an amount are the amount, in every currency."""
    text = to_text(minor, currency)

    assert (to_minor(text, currency), to_minor(Decimal(text), currency)) == (minor, minor)


@given(st.integers(-(10**12), 10**12), WEIGHTS)
def test_the_parts_of_a_split_add_up(amount: int, weights: list[int]) -> None:
    """Nothing is lost and nothing made."""
    assert sum(split(amount, weights)) == amount


@given(st.integers(-(10**12), 10**12), WEIGHTS)
def test_a_part_is_within_one_of_its_exact_share(amount: int, weights: list[int]) -> None:
    """No part is a whole minor unit away from its exact proportion, and none has the other sign."""
    shares = weights if any(weights) else [1] * len(weights)
    exact = [Fraction(amount * share, sum(shares)) for share in shares]

    assert all(
        abs(part - fair) < 1 and part * amount >= 0 for part, fair in zip(split(amount, weights), exact, strict=True)
    )


@given(AMOUNTS, WEIGHTS)
def test_a_split_of_the_negative_is_the_mirror_image(amount: int, weights: list[int]) -> None:
    """A credit is split as its debit was."""
    assert split(-amount, weights) == tuple(-part for part in split(amount, weights))


@given(AMOUNTS, WEIGHTS, st.data())
def test_a_split_goes_by_weight_and_not_by_position(amount: int, weights: list[int], data: st.DataObject) -> None:
    """Weights in another order get the same parts, unless two different ones have the same remainder: then one differs."""
    shuffled = data.draw(st.permutations(weights))
    ordered = sorted(zip(weights, split(amount, weights), strict=True))
    again = sorted(zip(shuffled, split(amount, shuffled), strict=True))
    remainders = {amount * weight % (sum(weights) or 1) for weight in weights}

    assert again == ordered or len(remainders) < len(set(weights))
    assert all(abs(one - other) <= 1 for (_, one), (_, other) in zip(ordered, again, strict=True))


@given(st.data(), WEIGHTS)
def test_no_part_exceeds_its_weight(data: st.DataObject, weights: list[int]) -> None:
    """What is split over balances fits them, as long as it fits their sum."""
    assume(any(weights))
    amount = data.draw(st.integers(0, sum(weights)))

    assert all(part <= weight for part, weight in zip(split(amount, weights), weights, strict=True))


@given(AMOUNTS, st.integers(1, 1000), st.data())
def test_the_value_of_units_is_monotone_and_fair(total: int, quantity: int, data: st.DataObject) -> None:
    """More units are never worth less, no unit is worth less than nothing, and each is within one of its fair value."""
    already = data.draw(st.integers(0, quantity - 1))
    units = data.draw(st.integers(0, quantity - already - 1))
    value, more = (units_value(total, quantity, already, count) for count in (units, units + 1))

    assert 0 <= value <= more <= total
    assert abs(value - Fraction(total * units, quantity)) < 1


@given(orders())
def test_an_order_adds_up(prices: Prices) -> None:
    """Subtotal, discounts, tax on top, shipping and fees make the total, and no line bears more than it can."""
    on_top = 0 if prices.tax_included else prices.tax_minor
    total = prices.subtotal_minor - prices.discount_minor + on_top + prices.shipping_minor + prices.fee_minor
    charged = sum(c.amount_minor + (0 if prices.tax_included else c.tax_minor) for c in prices.charges)

    assert prices.total_minor == total
    assert prices.shipping_minor + prices.fee_minor == charged
    assert all(
        0 <= price.discount_minor <= price.gross_minor
        and sum(share for _, share in price.shares) <= price.discount_minor
        and min(price.payable_minor, price.shipping_minor, price.fee_minor) >= 0
        for price in prices.lines
    )


@given(dismantled())
def test_any_sequence_of_parts_of_a_line_adds_up_to_the_line(case: tuple[Prices, Steps]) -> None:
    """Gross, discount, payable, tax, net, shipping and fee: the parts of every line sum exactly, in any order."""
    prices, steps = case
    sums = {(price.line, part): 0 for price in prices.lines for part in PARTS}
    for number, already, units in steps:
        value = prices.line(number).value_of(already, units)
        for part in PARTS:
            sums[number, part] += getattr(value, part)
    whole = {
        (price.line, part): price.payable_minor - price.tax_minor if part == "net_minor" else getattr(price, part)
        for price in prices.lines
        for part in PARTS
    }

    assert sums == whole


@given(dismantled())
def test_the_value_of_units_holds_together(case: tuple[Prices, Steps]) -> None:
    """At every step gross less discount (plus tax on top) is payable; what is cumulated is never below zero."""
    prices, steps = case
    for number, already, units in steps:
        value = prices.line(number).value_of(already, units)
        on_top = 0 if prices.tax_included else value.tax_minor

        assert (
            value.gross_minor - value.discount_minor + on_top
            == value.payable_minor
            == value.net_minor + value.tax_minor
        )
        assert min(value.gross_minor, value.payable_minor, value.tax_minor, value.shipping_minor, value.fee_minor) >= 0
        assert min(value.discount_minor, value.net_minor) >= -1


@pytest.mark.parametrize("shipping", list(ShippingPolicy))
@given(case=dismantled())
def test_any_sequence_of_refunds_gives_back_what_was_paid(shipping: ShippingPolicy, case: tuple[Prices, Steps]) -> None:
    """Refund by refund, whatever the order: goods, tax, fees and shipping come to what was paid, kept shipping apart."""
    prices, steps = case
    components, totals = refunded(prices, steps, RefundPolicy(shipping=shipping))
    given_back = {kind: sum(c.amount_minor for c in components if c.kind == kind) for kind in KINDS}
    net = 0 if prices.tax_included else prices.tax_minor
    payable = sum(price.payable_minor for price in prices.lines)
    expected_shipping = 0 if shipping is ShippingPolicy.NONE else prices.shipping_minor

    assert given_back == {
        "item": payable - net,
        "tax": prices.tax_minor,
        "fee": prices.fee_minor,
        "shipping": expected_shipping,
    }
    assert sum(totals) == payable + prices.fee_minor + expected_shipping
    assert min(totals) >= 0


@given(dismantled(), st.data())
def test_refund_and_kept_are_what_was_paid(case: tuple[Prices, Steps], data: st.DataObject) -> None:
    """At any moment what was refunded so far and what the rest would give back are together what was paid."""
    prices, steps = case
    cut = data.draw(st.integers(0, len(steps)))
    policy = RefundPolicy(shipping=ShippingPolicy.PRO_RATA)
    before, _ = refunded(prices, steps[:cut], policy)
    gone = {price.line: sum(n for line, _, n in steps[:cut] if line == price.line) for price in prices.lines}
    rest = quote(
        prices,
        {price.line: (gone[price.line], price.quantity - gone[price.line]) for price in prices.lines},
        policy,
        everything_gone=True,
        shipping_already_refunded_minor=sum(c.amount_minor for c in before if c.kind == "shipping"),
    )
    so_far = sum(c.amount_minor for c in before if not c.informational)

    assert so_far + rest.total_minor == prices.total_minor


@given(
    dismantled(),
    st.sampled_from(ShippingPolicy),
    st.integers(0, 100),
    st.integers(0, 3000),
    st.integers(0, 10_000),
)
def test_a_refund_is_never_below_zero_nor_above_what_was_paid(
    case: tuple[Prices, Steps], shipping: ShippingPolicy, percent: int, label: int, points: int
) -> None:
    """Fees, labels and grades take from a refund, but never make it a debt; together the refunds stay within the total."""
    prices, steps = case
    policy = RefundPolicy(shipping=shipping, restocking_fee_percent=percent, return_label_cost_minor=label)
    _, totals = refunded(prices, steps, policy, points=points)

    assert min(totals) >= 0
    assert sum(totals) <= prices.total_minor


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(0, 10**6))
def test_graded_units_are_worth_their_grades_one_by_one(points: list[int], paid: int) -> None:
    """Units graded together give back what they would give back graded one after the other."""
    count = len(points)
    price = LinePrice(line=1, quantity=count, gross_minor=paid, discount_minor=0, payable_minor=paid, tax_minor=0)
    prices = Prices(tax_included=True, lines=(price,))
    facts = {"everything_gone": False, "shipping_already_refunded_minor": 0}
    together = quote(prices, {1: (0, count)}, RefundPolicy(), grades={1: [(1, part) for part in points]}, **facts)  # type: ignore[arg-type]
    one_by_one = [
        quote(prices, {1: (step, 1)}, RefundPolicy(), grades={1: part}, **facts).total_minor  # type: ignore[arg-type]
        for step, part in enumerate(points)
    ]

    assert together.total_minor == sum(one_by_one)


@given(TENDERS, st.sampled_from(TenderOrder), st.data())
def test_a_payout_adds_up_and_overdraws_no_tender(
    tenders: list[TenderBalance], order: TenderOrder, data: st.DataObject
) -> None:
    """The parts sum to the refund, each within what its tender may be refunded, each tender once, none of them empty."""
    total = data.draw(st.integers(0, sum(tender.refundable_minor for tender in tenders)))
    paid = spread(total, tenders, order)
    caps = {tender.payment_id: tender.refundable_minor for tender in tenders}

    assert sum(amount for _, amount in paid) == total
    assert all(0 < amount <= caps[payment_id] for payment_id, amount in paid)
    assert len({payment_id for payment_id, _ in paid}) == len(paid)


@given(TENDERS, st.sampled_from(TenderOrder), st.integers(1, 10**6))
def test_a_payout_beyond_the_captures_is_refused(tenders: list[TenderBalance], order: TenderOrder, more: int) -> None:
    """However little too much, nothing of it is paid out."""
    remaining = sum(tender.refundable_minor for tender in tenders)
    with pytest.raises(NotAllowed) as refused:
        spread(remaining + more, tenders, order)

    assert refused.value.facts == {"asked_minor": remaining + more, "remaining_minor": remaining}


@given(TENDERS, st.lists(st.tuples(st.sampled_from(TenderOrder), st.integers(1, 10**5)), max_size=8))
def test_payouts_one_after_the_other_empty_the_tenders_and_stop(
    tenders: list[TenderBalance], asked: list[tuple[TenderOrder, int]]
) -> None:
    """Several refunds, each under another policy, take from the tenders exactly what they pay out."""
    start = sum(tender.refundable_minor for tender in tenders)
    paid_out = 0
    for order, amount in asked:
        part = min(amount, start - paid_out)
        paid = dict(spread(part, tenders, order))
        tenders = [TenderBalance(t.payment_id, t.kind, t.refundable_minor - paid.get(t.payment_id, 0)) for t in tenders]
        paid_out += part

    assert sum(tender.refundable_minor for tender in tenders) == start - paid_out
    assert all(tender.refundable_minor >= 0 for tender in tenders)
