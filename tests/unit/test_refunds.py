"""What is given back for units, and how it is paid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orderkit.domain.pricing import Charge, Discount, LineOffer, Prices, freeze
from orderkit.domain.refunds import (
    RefundPolicy,
    RefundQuote,
    ShippingPolicy,
    TenderBalance,
    TenderOrder,
    quote,
    spread,
)
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed

MUG = LineOffer(line=1, sku="MUG", quantity=3, unit_price_minor=1000, tax_minor=479)
TEE = LineOffer(line=2, sku="TEE", quantity=1, unit_price_minor=2000, tax_minor=319)
POST = Charge("post", 500)
WRAP = Charge("gift wrap", 100, kind="fee")

ORDER = freeze((MUG, TEE), (), (POST,), tax_included=True)
WRAPPED = freeze((MUG, TEE), (), (POST, WRAP), tax_included=True)
EVERYTHING = {1: (0, 3), 2: (0, 1)}


def quoted(
    units: Mapping[int, tuple[int, int]], policy: RefundPolicy | None = None, prices: Prices = ORDER, **more: Any
) -> RefundQuote:
    """Return the quote for some units while the customer keeps others and got no shipping back yet."""
    facts = {"everything_gone": False, "shipping_already_refunded_minor": 0} | more
    return quote(prices, units, policy or RefundPolicy(), **facts)


def parts(found: RefundQuote) -> list[tuple[str, int | None, int]]:
    """Return kind, line and amount of each component."""
    return [(part.kind, part.line, part.amount_minor) for part in found.components]


def test_a_unit_is_worth_what_was_paid_for_it() -> None:
    """One of three mugs comes back: its price, with the tax in it shown but not counted."""
    found = quoted({1: (1, 1)})

    assert (parts(found), found.total_minor) == ([("item", 1, 1000), ("tax", 1, 160)], 1000)


def test_tax_on_top_counts() -> None:
    """Where tax is not in the price it is a part of its own, and both together are what was paid."""
    found = quoted({1: (0, 1)}, prices=freeze((MUG,), (), (), tax_included=False))

    assert (parts(found), found.total_minor) == ([("item", 1, 1000), ("tax", 1, 159)], 1159)


def test_units_of_several_lines_are_one_quote() -> None:
    """Everything comes back: everything is given back, shipping too."""
    found = quoted(EVERYTHING, everything_gone=True)

    assert (parts(found), found.total_minor) == (
        [("item", 1, 3000), ("tax", 1, 479), ("item", 2, 2000), ("tax", 2, 319), ("shipping", None, 500)],
        ORDER.total_minor,
    )


def test_a_line_of_which_nothing_comes_back_is_not_mentioned() -> None:
    """No units, no component."""
    assert parts(quoted({1: (0, 0), 2: (0, 1)})) == [("item", 2, 2000), ("tax", 2, 319)]


def test_a_unit_that_cost_nothing_is_still_mentioned() -> None:
    """A gift that comes back is on the refund, at zero."""
    found = quoted({1: (0, 1)}, prices=freeze((MUG,), (Discount("GIFT", 0),), (), tax_included=True))
    free = quoted(
        {1: (0, 1)},
        prices=freeze((evolve(MUG, unit_price_minor=0, tax_minor=0),), (), (), tax_included=True),
    )

    assert (found.total_minor, parts(free), free.total_minor) == (1000, [("item", 1, 0)], 0)


@pytest.mark.parametrize(
    ("policy", "everything_gone", "already", "shipping"),
    [
        (ShippingPolicy.NONE, True, 0, 0),
        (ShippingPolicy.PRO_RATA, False, 0, 100),
        (ShippingPolicy.PRO_RATA, True, 450, 50),
        (ShippingPolicy.FULL_ON_FULL_RETURN, False, 0, 0),
        (ShippingPolicy.FULL_ON_FULL_RETURN, True, 0, 500),
        (ShippingPolicy.FULL_ON_FULL_RETURN, True, 120, 380),
        (ShippingPolicy.FULL, False, 0, 500),
        (ShippingPolicy.FULL, False, 500, 0),
        (ShippingPolicy.FULL, True, 600, 0),
    ],
)
def test_shipping_goes_back_by_policy(
    policy: ShippingPolicy, everything_gone: bool, already: int, shipping: int
) -> None:
    """Never, by shares, with the last unit or with the first; never more than is left of it."""
    found = quoted(
        {1: (2, 1)},
        RefundPolicy(shipping=policy),
        everything_gone=everything_gone,
        shipping_already_refunded_minor=already,
    )

    assert sum(part.amount_minor for part in found.components if part.kind == "shipping") == shipping


def test_shares_of_shipping_add_up_over_every_step() -> None:
    """Four units one by one give back the shipping of the order exactly, each line naming its share."""
    policy = RefundPolicy(shipping=ShippingPolicy.PRO_RATA)
    steps = [{2: (0, 1)}, {1: (0, 1)}, {1: (1, 1)}, {1: (2, 1)}]
    shares = [
        (part.line, part.amount_minor)
        for step in steps
        for part in quoted(step, policy).components
        if part.kind == "shipping"
    ]

    assert shares == [(2, 200), (1, 100), (1, 100), (1, 100)]


def test_fees_go_back_with_the_units() -> None:
    """A wrapped mug gives back its share of the wrapping."""
    found = quoted({1: (0, 1)}, prices=WRAPPED)

    assert (("fee", 1, 20) in parts(found), found.total_minor) == (True, 1020)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (RefundPolicy(restocking_fee_percent=15), 300),
        (RefundPolicy(restocking_fee_percent=100), 2000),
        (RefundPolicy(restocking_fee_minor_per_unit=250), 500),
        (RefundPolicy(restocking_fee_minor_per_unit=5000), 2000),
    ],
)
def test_a_restocking_fee_is_kept_of_the_goods(policy: RefundPolicy, kept: int) -> None:
    """A percentage, or so much a unit, but never more than the goods give back."""
    found = quoted({1: (0, 2)}, policy)

    assert (("restocking_fee", 1, -kept) in parts(found), found.total_minor) == (True, 2000 - kept)


def test_a_restocking_fee_is_rounded_to_the_favor_of_the_customer() -> None:
    """Seven percent of 9.99 is 69.93 cents: 69 are kept."""
    prices = freeze((LineOffer(line=1, sku="CAP", quantity=1, unit_price_minor=999),), (), (), tax_included=True)

    assert quoted({1: (0, 1)}, RefundPolicy(restocking_fee_percent=7), prices).total_minor == 999 - 69


def test_the_label_is_paid_once_from_what_is_given_back() -> None:
    """The cost of the way back is kept once per return, over all its receipts."""
    policy = RefundPolicy(return_label_cost_minor=450)
    first, second, third = (
        quoted({1: (step, 1)}, policy, label_already_charged_minor=charged)
        for step, charged in ((0, 0), (1, 300), (2, 450))
    )

    assert (first.total_minor, second.total_minor, third.total_minor) == (550, 850, 1000)


def test_a_label_never_costs_more_than_the_return_gives_back() -> None:
    """A return is not a way to owe money."""
    found = quoted({1: (0, 1)}, RefundPolicy(return_label_cost_minor=9_999))

    assert (parts(found)[-1], found.total_minor) == (("label_cost", None, -1000), 0)


def test_goodwill_comes_on_top_and_pays_no_label() -> None:
    """What is given for good will is given whole, with units or without."""
    policy = RefundPolicy(return_label_cost_minor=9_999, shipping=ShippingPolicy.FULL)
    with_units = quoted({1: (0, 1)}, policy, goodwill_minor=700)
    alone = quoted({}, policy, goodwill_minor=700, everything_gone=True)

    assert (with_units.total_minor, parts(alone), alone.total_minor) == (700, [("goodwill", None, 700)], 700)


def test_nothing_gives_nothing_back() -> None:
    """A quote for nothing is empty."""
    assert quoted({}) == RefundQuote((), 0)


def test_a_damaged_unit_is_worth_a_part_rounded_down() -> None:
    """Half of 9.99 is 4.99; its tax is halved with it, shipping is not."""
    prices = freeze(
        (LineOffer(line=1, sku="CAP", quantity=1, unit_price_minor=999, tax_minor=159),), (), (POST,), tax_included=True
    )
    found = quoted({1: (0, 1)}, prices=prices, grades={1: 5000}, everything_gone=True)

    assert parts(found) == [("item", 1, 499), ("tax", 1, 79), ("shipping", None, 500)]


def test_units_of_several_grades_each_have_their_own_part() -> None:
    """One whole mug, one at half and one at nothing: no mean is taken, so nothing is lost in it."""
    found = quoted({1: (0, 3), 2: (0, 1)}, grades={1: ((1, 10_000), (1, 5000), (1, 0))})

    assert found.total_minor == 1000 + 500 + 2000


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: quoted({1: (0, 4)}), "invalid_quantity"),
        (lambda: quoted({1: (3, 1)}), "invalid_quantity"),
        (lambda: quoted({1: (0, -1)}), "invalid_quantity"),
        (lambda: quoted({9: (0, 1)}), "unknown_line"),
        (lambda: quoted({}, goodwill_minor=-1), "invalid_money"),
        (lambda: quoted({1: (0, 2)}, grades={1: ((1, 5000),)}), "invalid_quantity"),
        (lambda: quoted({1: (0, 1)}, grades={1: ((2, 5000), (-1, 5000))}), "invalid_quantity"),
        (lambda: quoted({1: (0, 1)}, grades={1: 10_001}), "invalid_input"),
        (lambda: RefundPolicy(grades={"damaged": -1}), "invalid_input"),
        (lambda: RefundPolicy(restocking_fee_percent=101), "invalid_input"),
        (lambda: RefundPolicy(restocking_fee_percent=7.5), "invalid_input"),  # type: ignore[arg-type]
        (lambda: RefundPolicy(restocking_fee_minor_per_unit=-1), "invalid_input"),
        (lambda: RefundPolicy(return_label_cost_minor=-1), "invalid_input"),
        (lambda: RefundPolicy(restocking_fee_percent=5, restocking_fee_minor_per_unit=5), "invalid_input"),
        (lambda: spread(-1, (), TenderOrder.RATIO), "invalid_money"),
    ],
)
def test_a_refund_that_cannot_be_right_is_refused(wrong: Callable[[], object], code: str) -> None:
    """Units that are not there, parts that do not add up, and policies without a meaning are errors."""
    with pytest.raises(InvalidInput) as refused:
        wrong()

    assert refused.value.code == code


def test_a_policy_takes_its_grades_as_a_mapping_or_as_pairs() -> None:
    """What a host writes and what a store gives back make the same policy."""
    assert RefundPolicy(grades={"worn": 8000, "damaged": 5000}) == RefundPolicy(
        grades=(("damaged", 5000), ("worn", 8000))
    )


@pytest.mark.parametrize("shipping", ShippingPolicy)
@pytest.mark.parametrize("cancelled", ShippingPolicy)
def test_a_cancellation_keeps_nothing(shipping: ShippingPolicy, cancelled: ShippingPolicy) -> None:
    """Goods that never left cost no fee and no label; shipping goes back as the policy says for cancellations."""
    policy = RefundPolicy(
        shipping=shipping,
        cancellation_shipping=cancelled,
        restocking_fee_percent=15,
        return_label_cost_minor=450,
        tender_order=TenderOrder.RATIO,
        grades={"damaged": 5000},
    )

    assert policy.for_cancellation() == RefundPolicy(
        shipping=cancelled, cancellation_shipping=cancelled, tender_order=TenderOrder.RATIO
    )


CARD = TenderBalance("P1", "card", 600)
GIFT = TenderBalance("P2", "gift_card", 300)
CREDIT = TenderBalance("P3", "store_credit", 100)
OTHER = TenderBalance("P4", "card", 200)
TENDERS = (CARD, GIFT, CREDIT, OTHER)


@pytest.mark.parametrize(
    ("order", "amounts"),
    [
        (TenderOrder.NEWEST_FIRST, (("P4", 200), ("P3", 100), ("P2", 300), ("P1", 50))),
        (TenderOrder.OLDEST_FIRST, (("P1", 600), ("P2", 50))),
        (TenderOrder.GIFT_CARD_FIRST, (("P2", 300), ("P4", 200), ("P3", 100), ("P1", 50))),
        (TenderOrder.GIFT_CARD_LAST, (("P4", 200), ("P3", 100), ("P1", 350))),
        (TenderOrder.STORE_CREDIT, (("P3", 100), ("P4", 200), ("P2", 300), ("P1", 50))),
        (TenderOrder.RATIO, (("P1", 325), ("P2", 163), ("P3", 54), ("P4", 108))),
    ],
)
def test_a_refund_is_paid_out_in_the_order_of_the_policy(
    order: TenderOrder, amounts: tuple[tuple[str, int], ...]
) -> None:
    """6.50 over two cards, a gift card and store credit: six policies, six payouts, one sum."""
    assert spread(650, TENDERS, order) == amounts


@pytest.mark.parametrize("order", list(TenderOrder))
def test_nothing_is_paid_out_of_nothing(order: TenderOrder) -> None:
    """No amount, no payout, with tenders or without; an overdrawn tender takes part in nothing."""
    assert (
        spread(0, TENDERS, order),
        spread(0, (), order),
        spread(0, (evolve(CARD, refundable_minor=-5),), order),
    ) == (
        (),
        (),
        (),
    )


def test_more_than_was_captured_is_refused_with_both_numbers() -> None:
    """The tenders together hold 12.00; 12.01 does not go back."""
    with pytest.raises(NotAllowed) as refused:
        spread(1201, TENDERS, TenderOrder.NEWEST_FIRST)

    assert (refused.value.code, refused.value.facts) == (
        "refund_exceeds_captured",
        {"asked_minor": 1201, "remaining_minor": 1200},
    )
