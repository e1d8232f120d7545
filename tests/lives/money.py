"""The laws of money after every step: the bank's ledger, the customer's agreement and the units in the log against the order's books.

Nothing here believes what the library granted or settled. What is due is reckoned a second time (see `reckoning`).
"""

from __future__ import annotations

from collections.abc import Iterator

from orderkit import CaptureMode, Order
from orderkit.domain.pricing import units_value
from orderkit.domain.settling import wanted_minor
from orderkit.testing.sim.auditing import resting
from tests.lives.books import Books, Law
from tests.lives.reckoning import Reckoning, plain


def the_bank_is_asked_for_what_can_be(books: Books) -> Iterator[str]:
    """No request reaches the bank that could never be right: more than was captured, a second authorization, an unknown payment."""
    yield from books.world.bank.complaints


def the_books_follow_the_bank(books: Books) -> Iterator[str]:
    """The order believes no movement of money that the bank's ledger does not have."""
    accounts = books.world.bank.accounts
    for order in books.changed():
        for payment in order.payments:
            account = accounts.get(payment.id)
            took, gave = (account.captured, account.refunded) if account else (0, 0)
            if payment.captured_minor > took or payment.refunded_minor > gave:
                yield f"{payment.id}: {payment.captured_minor} taken, {payment.refunded_minor} back; the bank: {took}, {gave}"


def nobody_gets_back_more_than_he_paid(books: Books) -> Iterator[str]:
    """The bank gave back no more than it took, payment by payment; what is credited is no more than what was agreed."""
    for account in books.world.bank.accounts.values():
        if account.refunded > account.captured:
            yield f"{account.payment}: {account.refunded} of {account.captured} went back"
    for order in books.changed():
        if not 0 <= order.credited_minor <= order.total_minor:
            yield f"{order.id}: {order.credited_minor} of {order.total_minor} are credited"


def nobody_pays_more_than_agreed(books: Books) -> Iterator[str]:
    """The bank holds and keeps no more for an order than all of its tenders were asked to give."""
    asked: dict[str, int] = {p.id: p.amount_minor for order in books.world.all() for p in order.payments}
    for account in books.world.bank.accounts.values():
        if account.captured > asked.get(account.payment, account.captured):
            yield f"{account.payment}: {account.captured} were taken of {asked[account.payment]}"


def totals_are_what_the_cart_says(books: Books) -> Iterator[str]:
    """The total is units times prices, less discounts, plus shipping and fees, plus the tax that comes on top: as the buyer added it up."""
    for order in books.changed():
        expected = books.world.totals.get(order.id)
        if expected is not None and order.total_minor != expected:
            yield f"{order.id} costs {order.total_minor}, but its carts come to {expected}"


def due_is_what_the_units_cost(books: Books) -> Iterator[str]:
    """What is due is the value of the units that the customer has or waits for, with their fees and shipping, less good will."""
    for order in books.changed():
        found = books.reckonings.setdefault(order.id, Reckoning())
        found.read(order, books.world.shop.records(order.id))
        if plain(order.facts.policies) and order.due_minor != found.due:
            yield f"{order.id} is due {order.due_minor}, but its units cost {found.due}"
        if not max(0, found.least - found.shipping) <= order.due_minor <= found.most:
            yield f"{order.id} is due {order.due_minor}: not between {found.least - found.shipping} and {found.most}"


def the_shop_keeps_no_more_than_is_due(books: Books) -> Iterator[str]:
    """While nothing is under way and nothing is stuck, the shop has no more of the customer's money than is due."""
    for order in books.changed():
        if resting(order) and not order.findings and order.paid_minor > wanted_minor(order):
            yield f"{order.id} is {order.state} and due {wanted_minor(order)}, but has {order.paid_minor}"


def cards_pay_for_what_left(books: Books) -> Iterator[str]:
    """Where cards pay with each parcel, what waits is not paid for yet.

    Good will is not looked at, nor what was set off against goods that wait, as when no authorization covers them.
    """
    for order in books.changed():
        cards = all(payment.kind == "card" for payment in order.payments)
        kind = any(refund.kind == "goodwill" for refund in order.refunds)
        off = any(e.type == "refund.released" for r in books.world.shop.records(order.id) for e in r.events)
        if (
            order.facts.policies.capture is CaptureMode.NOW
            or not cards
            or kind
            or off
            or order.findings
            or not resting(order)
        ):
            continue
        shipping = order.facts.prices.shipping_minor - _given_back(order, "shipping")
        waits = sum(_open_minor(order, line.number, "total_minor") for line in order.lines)
        waits -= max(0, sum(_open_minor(order, line.number, "shipping_minor") for line in order.lines) - shipping)
        if order.captured_minor and order.paid_minor > max(0, order.due_minor - waits):
            yield f"{order.id} is due {order.due_minor}, of which {waits} wait, but {order.paid_minor} are paid"


def _given_back(order: Order, kind: str) -> int:
    return sum(part.amount_minor for refund in order.refunds for part in refund.components if part.kind == kind)


def _open_minor(order: Order, number: int, part: str) -> int:
    """Return that part of what the units of a line cost which have not left."""
    price, line = order.facts.prices.line(number), order.line(number)
    return units_value(getattr(price, part), price.quantity, line.ordered - line.open, line.open)


MONEY: tuple[Law, ...] = (
    the_bank_is_asked_for_what_can_be,
    the_books_follow_the_bank,
    nobody_gets_back_more_than_he_paid,
    nobody_pays_more_than_agreed,
    totals_are_what_the_cart_says,
    due_is_what_the_units_cost,
    the_shop_keeps_no_more_than_is_due,
    cards_pay_for_what_left,
)
