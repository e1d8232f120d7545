"""The laws of money after every step: the bank's ledger, the customer's agreement and the units in the log against the order's books.

Nothing here believes what the library granted or settled. What is due is reckoned a second time (see `reckoning`), what is there for it is
added up at the bank (see `owed`).
"""

from __future__ import annotations

from collections.abc import Iterator

from orderkit import CaptureMode
from orderkit.domain.payment import NEW_MONEY
from tests.lives.books import Books, Law
from tests.lives.owed import (
    TAKING,
    agreed,
    at_rest,
    came_back,
    deducted,
    due,
    held_against_will,
    held_in_vain,
    holds,
    may_keep,
    missed,
    not_done,
    not_heard,
    operations,
    shipping,
    sums,
    tenders_of_refused_lines,
    under_way,
    unpaid,
    waiting,
)

REFUND_ENDS = ("refund.completed", "refund.released")


def the_bank_is_asked_for_what_can_be(books: Books) -> Iterator[str]:
    """No request reaches the bank that could never be right: more than was captured, a second authorization, an unknown payment."""
    yield from books.world.bank.complaints


def the_books_follow_the_bank(books: Books) -> Iterator[str]:
    """The order believes no movement of money that the bank's ledger does not have; when nothing is under way, it knows all of them.

    But for a refund that has come back, until the bank's letter about it is read.
    """
    accounts = books.world.bank.accounts
    for order in books.changed():
        for payment in order.payments:
            account = accounts.get(payment.id)
            took, gave = (account.captured, account.refunded) if account else (0, 0)
            gave += came_back(books, payment.operations)
            ours = payment.captured_minor, payment.refunded_minor
            if ours[0] > took or ours[1] > gave or (at_rest(order) and ours != (took, gave)):
                yield f"{payment.id}: {ours[0]} taken, {ours[1]} back; the bank: {took}, {gave}"


def nobody_gets_back_more_than_he_paid(books: Books) -> Iterator[str]:
    """The bank gave back no more than it took, payment by payment; what is credited is no more than what was agreed."""
    for account in books.world.bank.accounts.values():
        if account.refunded > account.captured:
            yield f"{account.payment}: {account.refunded} of {account.captured} went back"
    for order in books.changed():
        if not 0 <= order.credited_minor <= order.total_minor:
            yield f"{order.id}: {order.credited_minor} of {order.total_minor} are credited"


def nobody_pays_more_than_agreed(books: Books) -> Iterator[str]:
    """The bank has taken and holds together no more for an order than its customer agreed to pay for all that was ever ordered with it.

    More, while the bank would not, or did not yet, give an authorization up or pay a refund out; and while it holds on to a tender that did not
    pay when it should have, and for which another was given. Each by no more than its own amount. `tests/lives/test_excuses.py` has a life for
    each.
    """
    for order in books.world.all():
        found, most = sums(books, order), agreed(books, order)
        if found.taken + found.held <= most:
            continue
        twice = held_in_vain(books, order) + not_done(books, operations(order), "refund")
        if found.taken + found.held > most + twice:
            yield f"{order.id} costs {most}; the bank has {found.taken}, holds {found.held}, and did not do {twice}"


def nobody_is_asked_for_what_is_off(books: Books) -> Iterator[str]:
    """Since its payment failed, or it was cancelled, an order asks no tender for new money; what was asked before may still be answered."""
    for order in books.changed():
        if order.state not in ("payment_failed", "cancelled"):
            continue
        turned = [r for r in books.world.shop.records(order.id) if r.to_status == order.state != r.from_status]
        late = [o for o in operations(order) if o.kind in NEW_MONEY and o.requested_at > turned[-1].stamp.at]
        if late:
            yield f"{order.id} is {order.state} since {turned[-1].stamp.at}, and asked for {late}"


def totals_are_what_the_cart_says(books: Books) -> Iterator[str]:
    """The total is units times prices, less discounts, plus shipping and fees, plus the tax that comes on top: as the buyer added it up."""
    for order in books.changed():
        expected = books.world.totals.get(order.id)
        if expected is not None and order.total_minor != expected:
            yield f"{order.id} costs {order.total_minor}, but its carts come to {expected}"


def due_is_what_the_units_cost(books: Books) -> Iterator[str]:
    """What is due is the value of the units that the customer has or waits for, with their fees and shipping, less good will."""
    for order in books.changed():
        found = books.reckoned(order)
        if found.exact and order.due_minor != found.due:
            yield f"{order.id} is due {order.due_minor}, but its units cost {found.due}"
        if not max(0, found.least - found.shipping) <= order.due_minor <= found.most:
            yield f"{order.id} is due {order.due_minor}: not between {found.least - found.shipping} and {found.most}"


def the_shop_keeps_no_more_than_is_due(books: Books) -> Iterator[str]:
    """The bank has taken no more of the customer's money than is due at this moment.

    More is taken only as far as it is on its way back, or the bank refused to pay it back, or the answer that it was taken was lost;
    while a payment is being made, whatever it is for is looked at when it has ended. `tests/lives/test_excuses.py` has a life for each.
    """
    for order in books.world.all():
        taken, most = sums(books, order).taken, may_keep(books, order)
        if taken <= most:
            continue
        asked = operations(order)
        more = not_done(books, asked, "refund") + not_heard(books, asked, "charge", "capture")
        if taken > most + more:
            yield f"{order.id} is {order.state} and due {most}, the bank has {taken}, {more} of it in doubt or on its way back"


def a_refund_goes_on(books: Books) -> Iterator[str]:
    """Every refund is done, or the bank is being asked about it, or the order says what stands in its way: none is forgotten."""
    for order in books.changed():
        for refund in order.refunds:
            mine = [o for _, o in order.operations() if o.refund == refund.id]
            goes_on = {
                "granted": not at_rest(order),
                "sent": any(o.open for o in mine),
                "in_doubt": any(o.open for o in mine),
                "failed": not at_rest(order) or any(f"refund_failed:{o.id}" in order.findings for o in mine),
                "refunded": not any(o.open for o in mine),
            }
            if not goes_on[refund.state]:
                yield f"{refund.id} is {refund.state}, its operations are {mine}, and the order asks for {order.findings}"


def what_came_back_waits(books: Books) -> Iterator[str]:
    """What came back of a refund is not sent once more before somebody has attended to it."""
    for order in books.changed():
        news = books.news(order)
        attended = {event.data["finding"] for event in news if event.type == "order.attended"}
        waits = set(books.found.get(order.id, ())) - attended
        for name in {event.data["refund"] for event in news if event.type == "refund.requested"} - {None}:
            mine = [o for o in operations(order) if o.refund == name]
            back = sum(o.amount_minor for o in mine if o.state == "reversed" and f"refund_failed:{o.id}" in waits)
            sent = sum(o.amount_minor for o in mine if not o.in_vain)
            if back and sent + back > order.refund(name).total_minor:
                yield f"{name}: {sent} were sent of {order.refund(name).total_minor}, though {back} came back and nobody has attended"


def what_is_missing_is_said(books: Books) -> Iterator[str]:
    """When nothing is under way and less was taken and promised than is due, or less was taken than what left is worth, a finding says so.

    Where parcels are paid for as they leave, shipping of units that were cancelled, what is kept of returns, such as the cost of a label, and the
    cents of every division may come with the last one.
    """
    for order in books.changed():
        if not at_rest(order) or order.state == "payment_failed" or missed(order):
            continue
        found, wanted = sums(books, order), due(books, order)
        later = order.facts.policies.capture is CaptureMode.PER_SHIPMENT and any(line.open for line in order.lines)
        last = 3 * len(order.lines) + shipping(order) + deducted(order) if later else 0
        if wanted > found.taken + found.promised or unpaid(books, order, found.taken) > last:
            yield f"{order.id} is due {wanted}, the bank has {found.taken}, {found.promised} are promised; it asks for {order.findings}"


def what_is_said_is_missing(books: Books) -> Iterator[str]:
    """A finding says that money is missing only as long as less was taken and is held than is due, or less was taken than what left is worth.

    What is on its way back is not there any more. While an answer is awaited that may bring the money, nobody knows.
    """
    for order in books.changed():
        if not missed(order) or order.sagas or under_way(order, *TAKING):
            continue
        found, wanted = sums(books, order), due(books, order)
        taken = found.taken - not_done(books, (o for o in operations(order) if o.open), "refund")
        taken -= came_back(books, operations(order))
        held = found.held - held_against_will(books, order)
        if wanted <= taken + held and unpaid(books, order, taken) <= 0:
            yield f"{order.id} is due {wanted}, the bank has {taken} and holds {held}; it asks for {order.findings}"


def nothing_is_held_for_nothing(books: Books) -> Iterator[str]:
    """When nothing is under way, nothing waits and no finding stands, the bank holds nothing."""
    for order in books.changed():
        held = sums(books, order).held if at_rest(order) else 0
        if held and not order.findings and not any(line.open for line in order.lines):
            yield f"{order.id} is {order.state} with nothing to send, and the bank still holds {held}"


def nothing_is_held_for_lines_that_were_refused(books: Books) -> Iterator[str]:
    """When nothing is under way and no finding stands, no tender of a refused amendment is held, unless the others hold too little without it."""
    for order in books.changed():
        if order.state != "confirmed" or order.findings or not at_rest(order):
            continue
        held, refused = holds(books, order), tenders_of_refused_lines(order)
        for payment in order.payments:
            if not_done(books, payment.operations, "capture"):  # nobody counts on what it holds
                held.pop(payment.id, None)
        needed = max(due(books, order) - sums(books, order).taken, waiting(order))
        spare = sum(held.values()) - needed
        if vain := [name for name in refused if 0 < held.get(name, 0) <= spare]:
            yield f"{order.id} needs {needed}, the bank holds {held}: of {vain} in vain"


def cards_pay_for_what_left(books: Books) -> Iterator[str]:
    """Where cards pay with each parcel, what waits is not paid for yet.

    Good will is not looked at, nor what was set off against goods that wait, as when no authorization covers them.
    """
    for order in books.changed():
        cards = all(payment.kind == "card" for payment in order.payments)
        kind = any(refund.kind == "goodwill" for refund in order.refunds)
        ends = (e for r in books.world.shop.records(order.id) for e in r.events if e.type in REFUND_ENDS)
        off = any(e.data.get("paid_minor", 0) < e.data["total_minor"] for e in ends)
        if (
            order.facts.policies.capture is CaptureMode.NOW
            or not cards
            or kind
            or off
            or order.findings
            or not at_rest(order)
        ):
            continue
        waits = waiting(order)
        if order.captured_minor and order.paid_minor > max(0, order.due_minor - waits):
            yield f"{order.id} is due {order.due_minor}, of which {waits} wait, but {order.paid_minor} are paid"


MONEY: tuple[Law, ...] = (
    the_bank_is_asked_for_what_can_be,
    the_books_follow_the_bank,
    nobody_gets_back_more_than_he_paid,
    nobody_pays_more_than_agreed,
    nobody_is_asked_for_what_is_off,
    totals_are_what_the_cart_says,
    due_is_what_the_units_cost,
    the_shop_keeps_no_more_than_is_due,
    a_refund_goes_on,
    what_came_back_waits,
    what_is_missing_is_said,
    what_is_said_is_missing,
    nothing_is_held_for_nothing,
    nothing_is_held_for_lines_that_were_refused,
    cards_pay_for_what_left,
)
