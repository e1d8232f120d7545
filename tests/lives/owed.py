"""What an order owes and what there is for it: the customer's agreement and the units in its log on one side, the bank's ledger on the other.

The laws of money compare the two. Of what the library says of its own money only this much is believed: which operations it has asked for and
does not know the answer of, and which authorizations it knows to be over; that the first come to an end is a law of its own. No law is
stated here.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orderkit import CaptureMode, Order
from orderkit.domain.payment import Operation
from tests.lives.books import Books
from tests.lives.reckoning import first_units

# What the how-to on accidents calls the findings about money that did not come.
MISSING = ("authorize_failed", "authorization_lapsed", "charge_failed", "capture_failed", "capture_short")
TAKING = ("charge", "authorize", "capture")


@attrs.define
class Sums:
    """What the bank has of the customer's money for one order: `taken` less what went back, and `held` by what it authorized.

    `promised` is what the shop may still count on: authorized and not captured. That is more than `held` where an authorization ran out, or
    the bank let it go, and the order has not been told.
    """

    taken: int = 0
    held: int = 0
    promised: int = 0


def sums(books: Books, order: Order) -> Sums:
    """Add up what the bank's ledger has for the order."""
    found, bank = Sums(), books.world.bank
    for account in bank.accounts.values():
        if account.order_id != order.id:
            continue
        found.taken += account.captured - account.refunded
        found.held += account.open_at(books.world.now)
        if order.payment(account.payment).expires_at is not None:
            found.promised += account.authorized - account.captured + bank.let_go.get(account.payment, 0)
    return found


def holds(books: Books, order: Order) -> dict[str, int]:
    """What the bank holds of each tender of the order."""
    accounts = [a for a in books.world.bank.accounts.values() if a.order_id == order.id]
    return {account.payment: account.open_at(books.world.now) for account in accounts}


def held_against_will(books: Books, order: Order) -> int:
    """What the bank holds and, as the order says, has refused to give up."""
    refused = {p.id for p, o in order.operations() if f"void_failed:{o.id}" in order.findings}
    return sum(held for name, held in holds(books, order).items() if name in refused)


def tenders_of_refused_lines(order: Order) -> set[str]:
    """The tenders that were offered with an amendment, one of which was refused."""
    offers: dict[str, list[tuple[str, str]]] = {}
    for payment, operation in order.operations():
        if operation.saga is not None and "/amendment/" in operation.saga:
            offers.setdefault(operation.saga, []).append((payment.id, operation.state))
    return {name for offer in offers.values() if any(state == "refused" for _, state in offer) for name, _ in offer}


def held_in_vain(books: Books, order: Order) -> int:
    """What the bank holds of tenders that it was to give up, or that another tender was given for.

    Another is given for one that did not pay when goods left, since its capture was refused. That one holds on while goods wait, or an answer is
    awaited, by no more than the others gave.
    """
    others = {
        e.data["payment"] for r in books.world.shop.records(order.id) for e in r.events if e.type == "payment.added"
    }
    total = instead = gave = 0
    for payment in order.payments:
        account = books.world.bank.accounts.get(payment.id)
        if account is None:
            continue
        held = account.open_at(books.world.now)
        if payment.id in others:
            gave += account.captured - account.refunded + held
        total += (in_vain := min(held, not_done(books, payment.operations, "void")))
        if not_done(books, payment.operations, "capture"):
            instead += held - in_vain
    return total + min(instead, gave)


def at_rest(order: Order) -> bool:
    """Whether nothing of the order is under way: it is decided, no sequence is half done, and every question to the bank is answered."""
    return order.state not in ("placed", "payment_pending") and not order.sagas and not under_way(order)


def under_way(order: Order, *kinds: str) -> bool:
    """Whether the answer to some operation is not known, of these kinds or of any."""
    return any(o.open and (not kinds or o.kind.value in kinds) for _, o in order.operations())


def missed(order: Order) -> list[str]:
    """The findings that say that money did not come."""
    return [finding for finding in order.findings if finding.partition(":")[0] in MISSING]


def due(books: Books, order: Order) -> int:
    """What the customer has to pay in the end: as reckoned, where that is known to the cent, else as the order says, within its bounds."""
    found = books.reckoned(order)
    return found.due if found.exact else order.due_minor


def agreed(books: Books, order: Order) -> int:
    """What the customer ever agreed to pay for the order: its cart and every amendment.

    Lines whose payment was refused count as well: what their other tenders hold may have been counted on for the rest, and stays then.
    """
    return books.world.totals[order.id]


def may_keep(books: Books, order: Order) -> int:
    """What the shop may have of the customer's money.

    What is due; nothing of an order whose payment failed; and all that was agreed while a payment is being made.
    """
    if order.sagas or order.state in ("placed", "payment_pending"):
        return agreed(books, order)
    return 0 if order.state == "payment_failed" else due(books, order)


def waiting(order: Order) -> int:
    """What the units that have not left cost, with their fees and with what was not given back of their shipping."""
    goods = sum(_open_part(order, line.number, "total_minor") for line in order.lines)
    return goods - max(
        0, sum(_open_part(order, line.number, "shipping_minor") for line in order.lines) - shipping(order)
    )


def shipping(order: Order) -> int:
    """What was not given back of the shipping."""
    parts = (part for refund in order.refunds for part in refund.components if part.kind == "shipping")
    return order.facts.prices.shipping_minor - sum(part.amount_minor for part in parts)


def deducted(order: Order) -> int:
    """What was kept of what came back: the cost of labels, fees for restocking, what is damaged."""
    return -sum(part.amount_minor for refund in order.refunds for part in refund.components if part.amount_minor < 0)


def unpaid(books: Books, order: Order, taken: int) -> int:
    """What is due by now and was not taken: where parcels are paid for as they leave, what waits is not due yet."""
    later = waiting(order) if order.facts.policies.capture is CaptureMode.PER_SHIPMENT else 0
    return due(books, order) - taken - later


def _open_part(order: Order, number: int, part: str) -> int:
    """Return that part of what the units of a line cost which have not left: they are the last."""
    price, line = order.facts.prices.line(number), order.line(number)
    whole: int = getattr(price, part)
    before = line.ordered - line.open
    return first_units(whole, price.quantity, before + line.open) - first_units(whole, price.quantity, before)


# ---- what the bank did, and what it would not do


def not_done(books: Books, operations: Iterable[Operation], *kinds: str) -> int:
    """What the bank was asked for, of these kinds, and has not done: under way, or refused for good."""
    return sum(o.amount_minor for o in operations if o.kind.value in kinds and not books.moved(o.id))


def not_heard(books: Books, operations: Iterable[Operation], *kinds: str) -> int:
    """What the bank has done, of these kinds, while its answer was lost."""
    return sum(o.amount_minor for o in operations if o.open and o.kind.value in kinds and books.moved(o.id))


def came_back(books: Books, operations: Iterable[Operation]) -> int:
    """What the order believes to have gone back to the customer, and the bank has again, and has told nobody yet."""
    entries = books.world.bank.entries
    return sum(
        o.amount_minor for o in operations if o.state == "confirmed" and o.key in entries and entries[o.key].reversed
    )


def operations(order: Order) -> list[Operation]:
    """Everything that the bank was asked for."""
    return [operation for _, operation in order.operations()]
