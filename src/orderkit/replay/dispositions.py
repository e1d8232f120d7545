"""What a line of the file means: the codes that are no product, the reasons under which money is accounted for, and the rules.

Every line gets exactly one disposition. There is no catch-all: each reason says one thing, and a line that fits none cannot exist,
because the rules below end in "an ordinary product". Nothing here knows orders, customers or a store (see `planning`).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache

import attrs

from orderkit.replay.source import EXACT, Bucket, SourceLine

__all__ = [
    "EXPLANATIONS",
    "Disposition",
    "Meaning",
    "Nature",
    "Reason",
    "meaning_of",
    "money_of",
    "nature_of",
    "rounded",
    "rounded_minor",
]

_PENNY = Decimal("0.01")


class Nature(StrEnum):
    """What a stock code stands for."""

    PRODUCT = "product"
    ACCESSORY = "accessory"
    POSTAGE = "postage"
    DISCOUNT = "discount"
    MANUAL = "manual"
    ACCOUNT_ADJUSTMENT = "account_adjustment"
    BAD_DEBT = "bad_debt"
    BANK_CHARGE = "bank_charge"
    MARKETPLACE_FEE = "marketplace_fee"
    CHARITY_COMMISSION = "charity_commission"
    SAMPLE = "sample"
    TEST_PRODUCT = "test_product"
    GIFT_VOUCHER = "gift_voucher"


class Meaning(StrEnum):
    """What became of a line."""

    ORDER_LINE = "order_line"
    ORDER_CHARGE = "order_charge"
    RETURN_LINE = "return_line"
    GOODWILL_REFUND = "goodwill_refund"
    RETURN_AND_GOODWILL = "return_and_goodwill"
    STOCK_CORRECTION = "stock_correction"
    ACCOUNTED = "accounted"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why an amount of the file is in no order and in no refund."""

    ACCOUNT_ADJUSTMENT = "account_adjustment"
    BAD_DEBT_ADJUSTMENT = "bad_debt_adjustment"
    BANK_CHARGE = "bank_charge"
    CHARITY_COMMISSION = "charity_commission"
    CREDIT_ABOVE_PAYMENTS = "credit_above_payments"
    CREDIT_NOTE_REVERSAL = "credit_note_reversal"
    CREDIT_WITHOUT_CUSTOMER = "credit_without_customer"
    CREDIT_WITHOUT_ORDER = "credit_without_order"
    DISCOUNT_REVERSAL = "discount_reversal"
    FREE_OF_CHARGE_INVOICE = "free_of_charge_invoice"
    GIFT_VOUCHER = "gift_voucher"
    LETTERED_DOCUMENT = "lettered_document"
    MANUAL_CHARGE = "manual_charge"
    MANUAL_CREDIT = "manual_credit"
    MARKETPLACE_FEE = "marketplace_fee"
    NEGATIVE_PRICE = "negative_price"
    NEGATIVE_QUANTITY_PRICED = "negative_quantity_priced"
    ORDER_REFUSED = "order_refused"
    PAYMENT_DECLINED = "payment_declined"
    POSTAGE_WITHOUT_GOODS = "postage_without_goods"
    REFUND_REFUSED = "refund_refused"
    SAMPLE = "sample"
    STOCK_FOUND = "stock_found"
    STOCK_WRITE_OFF = "stock_write_off"
    SUB_PENNY_ROUNDING = "sub_penny_rounding"
    TEST_PRODUCT = "test_product"
    OUT_OF_STOCK = "out_of_stock"
    UNREADABLE_ROW = "unreadable_row"
    ZERO_PRICE_CREDIT = "zero_price_credit"
    ZERO_QUANTITY = "zero_quantity"


EXPLANATIONS: dict[Reason, str] = {
    Reason.ACCOUNT_ADJUSTMENT: "A bookkeeper's correction of an account (ADJUST…): no goods, no order.",
    Reason.BAD_DEBT_ADJUSTMENT: "A debt given up (invoices that begin with A, code B): a loss in the books, not a refund.",
    Reason.BANK_CHARGE: "Bank charges and their corrections.",
    Reason.CHARITY_COMMISSION: "Commission passed on to a charity.",
    Reason.CREDIT_ABOVE_PAYMENTS: "A credit above what the customer's orders still hold; a refund never exceeds what was paid.",
    Reason.CREDIT_NOTE_REVERSAL: "An amount above zero on a credit note: the credit was taken back.",
    Reason.CREDIT_WITHOUT_CUSTOMER: "A credit that names no customer: nobody to refund.",
    Reason.CREDIT_WITHOUT_ORDER: "A credit to a customer who has no earlier order in the file: it was sold before the file begins.",
    Reason.DISCOUNT_REVERSAL: "A discount taken back (code D, positive): a correction of a credit note, not a sale.",
    Reason.FREE_OF_CHARGE_INVOICE: "Everything on the invoice is free and a customer is named: given away, nothing to pay.",
    Reason.GIFT_VOUCHER: "Vouchers sold or taken back: money held for the buyer until it is spent, so not yet an order.",
    Reason.LETTERED_DOCUMENT: "An invoice number with a letter other than C or A: a document of another kind.",
    Reason.MANUAL_CHARGE: "An amount keyed in by hand (code M) on an invoice: it names no goods, so nothing can be shipped for it.",
    Reason.MANUAL_CREDIT: "An amount keyed in by hand (code M) on a credit note: it names no goods that could come back.",
    Reason.MARKETPLACE_FEE: "Fees of a marketplace and their corrections.",
    Reason.NEGATIVE_PRICE: "A price below zero on an invoice: a correction, not a sale.",
    Reason.NEGATIVE_QUANTITY_PRICED: "A quantity below zero, with a price, on an invoice that is no credit note.",
    Reason.ORDER_REFUSED: "The library refused the order; the report's differences name it and the rule.",
    Reason.OUT_OF_STOCK: "The order was cancelled when it was placed because goods were missing.",
    Reason.PAYMENT_DECLINED: "The payment of the order was declined.",
    Reason.POSTAGE_WITHOUT_GOODS: "Postage or carriage on an invoice without goods: there is no order to carry it.",
    Reason.REFUND_REFUSED: "The library refused the refund; the report's differences name it and the rule.",
    Reason.SAMPLE: "Samples given away or charged back: marketing, not orders.",
    Reason.STOCK_FOUND: "A free invoice without a customer: goods found or entered into stock.",
    Reason.STOCK_WRITE_OFF: "A quantity below zero without price or customer: goods lost, damaged or counted away.",
    Reason.SUB_PENNY_ROUNDING: "Orders are in whole pennies: the exact difference from a price with more decimals.",
    Reason.TEST_PRODUCT: "The shop's staff tried its system.",
    Reason.UNREADABLE_ROW: "A row refused by the reader whose amount could be read; the list of refused rows says why.",
    Reason.ZERO_PRICE_CREDIT: "A credit of nothing: no money and no order to find by it.",
    Reason.ZERO_QUANTITY: "No units: the line says nothing.",
}

_NATURES: dict[str, Nature] = {
    "POST": Nature.POSTAGE,
    "DOT": Nature.POSTAGE,
    "C2": Nature.POSTAGE,
    "C3": Nature.POSTAGE,
    "D": Nature.DISCOUNT,
    "M": Nature.MANUAL,
    "ADJUST": Nature.ACCOUNT_ADJUSTMENT,
    "ADJUST2": Nature.ACCOUNT_ADJUSTMENT,
    "B": Nature.BAD_DEBT,
    "BANK CHARGES": Nature.BANK_CHARGE,
    "AMAZONFEE": Nature.MARKETPLACE_FEE,
    "CRUK": Nature.CHARITY_COMMISSION,
    "S": Nature.SAMPLE,
    "PADS": Nature.ACCESSORY,
}

_SALE_REASONS: dict[Nature, Reason] = {
    Nature.DISCOUNT: Reason.DISCOUNT_REVERSAL,
    Nature.MANUAL: Reason.MANUAL_CHARGE,
    Nature.ACCOUNT_ADJUSTMENT: Reason.ACCOUNT_ADJUSTMENT,
    Nature.BAD_DEBT: Reason.BAD_DEBT_ADJUSTMENT,
    Nature.BANK_CHARGE: Reason.BANK_CHARGE,
    Nature.MARKETPLACE_FEE: Reason.MARKETPLACE_FEE,
    Nature.CHARITY_COMMISSION: Reason.CHARITY_COMMISSION,
    Nature.SAMPLE: Reason.SAMPLE,
    Nature.TEST_PRODUCT: Reason.TEST_PRODUCT,
    Nature.GIFT_VOUCHER: Reason.GIFT_VOUCHER,
}

_CREDIT_REASONS: dict[Nature, Reason] = {**_SALE_REASONS, Nature.MANUAL: Reason.MANUAL_CREDIT}
del _CREDIT_REASONS[Nature.DISCOUNT]  # on a credit note a discount is money given back


@lru_cache(maxsize=65_536)  # a file repeats a few thousand codes half a million times
def nature_of(stock_code: str) -> Nature:
    """Return what a stock code stands for: one of the known codes that are no product, or a product.

    Digits are no test: DCGS0003, SP1002 and 47503J are products. Any code that is not listed is one.
    """
    code = stock_code.upper()
    if (found := _NATURES.get(code)) is not None:
        return found
    if code.startswith("GIFT_0001"):
        return Nature.GIFT_VOUCHER
    if code.startswith("TEST") and code[4:].isdigit():
        return Nature.TEST_PRODUCT
    if code.startswith("ADJUST") and code[6:].isdigit():
        return Nature.ACCOUNT_ADJUSTMENT
    return Nature.PRODUCT


@attrs.frozen
class Disposition:
    """What one line became. Its value is exactly `carried` (on orders above zero, on refunds below) plus what is `accounted` by reason."""

    line: SourceLine
    nature: Nature
    meaning: Meaning
    carried: Decimal = Decimal(0)
    accounted: tuple[tuple[Reason, Decimal], ...] = ()
    matched: Decimal = Decimal(0)

    @property
    def reason(self) -> Reason | None:
        """The reason of the largest part that is in no order and no refund, if there is one."""
        return max(self.accounted, key=lambda part: abs(part[1]))[0] if self.accounted else None

    def balances(self) -> bool:
        """Whether no part of the line's value is lost or made up."""
        total = self.carried
        for _, amount in self.accounted:
            total = EXACT.add(total, amount)
        return total == self.line.value


def meaning_of(line: SourceLine, nature: Nature) -> Reason | Meaning:
    """Return the reason why a line can be in no order and no refund, else what it asks to become.

    The answer is what the line says by itself. An order that would hold nothing but free goods, or a credit that finds no order, is
    decided by the planner.
    """
    if line.bucket is Bucket.CREDITS:
        return _meaning_of_credit(line, nature)
    letter = line.invoice[:1].upper()
    if letter == "A":
        return Reason.BAD_DEBT_ADJUSTMENT
    if letter.isalpha():
        return Reason.LETTERED_DOCUMENT
    if line.quantity == 0:
        return Reason.ZERO_QUANTITY
    if line.quantity < 0:
        return Reason.STOCK_WRITE_OFF if line.price == 0 else Reason.NEGATIVE_QUANTITY_PRICED
    if (reason := _SALE_REASONS.get(nature)) is not None:
        return reason
    if line.price < 0:
        return Reason.NEGATIVE_PRICE
    return Meaning.ORDER_CHARGE if nature is Nature.POSTAGE else Meaning.ORDER_LINE


def _meaning_of_credit(line: SourceLine, nature: Nature) -> Reason | Meaning:
    if line.quantity == 0:
        return Reason.ZERO_QUANTITY
    if (reason := _CREDIT_REASONS.get(nature)) is not None:
        return reason
    if line.price == 0:
        return Reason.ZERO_PRICE_CREDIT
    if line.value > 0:
        return Reason.CREDIT_NOTE_REVERSAL
    if line.price < 0:
        return Reason.NEGATIVE_PRICE
    return Meaning.GOODWILL_REFUND if nature in (Nature.POSTAGE, Nature.DISCOUNT) else Meaning.RETURN_LINE


# ---- pennies


@lru_cache(maxsize=65_536)
def rounded(amount: Decimal) -> Decimal:
    """Return an amount in whole pennies: the nearest, a half to the even one. No rule on a single amount loses less."""
    return amount.quantize(_PENNY, rounding=ROUND_HALF_EVEN, context=EXACT)


@lru_cache(maxsize=65_536)
def rounded_minor(amount: Decimal) -> int:
    """Return the number of whole pennies nearest to an amount."""
    return int(rounded(amount).scaleb(2, context=EXACT))


def money_of(minor: int) -> Decimal:
    """Return whole pennies as an exact amount with two decimals."""
    return Decimal(minor).scaleb(-2, context=EXACT)
