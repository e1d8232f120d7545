"""The laws of a life: what holds after every step, whatever happened, and what holds when everybody has finished.

Each is stated on its own terms: shelves are counted from what people brought there, money from the bank's ledger, what is due from the units
in the log, the log from its own order. A law answers with a sentence for each way in which it is broken, and with nothing when it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import attrs

from orderkit import CaptureMode, Order, OrderkitError, OrderQuery
from orderkit.domain.cancelling import cancellable
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.pricing import units_value
from orderkit.domain.quantities import Bucket
from orderkit.domain.recovering import STUCK
from orderkit.domain.settling import wanted_minor
from orderkit.domain.shipment import Shipment
from orderkit.domain.status import word
from orderkit.domain.value import evolve
from orderkit.testing.sim.auditing import resting
from orderkit.testing.sim.witness import Counted, _count
from tests.invoices import amounts
from tests.lives.reckoning import Reckoning, plain
from tests.lives.shop import World
from tests.offers import tried

Law = Callable[["Books"], Iterator[str]]


class Broken(AssertionError):
    """A law did not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law.replace('_', ' ')}: {text}")
        self.law = law
        self.text = text


@attrs.define
class Books:
    """The world, and what the laws keep of it from step to step."""

    world: World
    reckonings: dict[str, Reckoning] = attrs.Factory(dict)
    replayed: dict[str, int] = attrs.Factory(dict)

    def changed(self) -> list[Order]:
        """The orders that the last step changed."""
        return [order for order in self.world.all() if self.replayed.get(order.id) != order.version]

    def check(self, laws: tuple[Law, ...]) -> None:
        """Raise `Broken` for the first law that does not hold."""
        for law in laws:
            for text in law(self):
                raise Broken(law.__name__, text)
        if laws is ALWAYS:
            self.replayed = {order.id: order.version for order in self.world.all()}


# ---- goods


def units_are_somewhere(books: Books) -> Iterator[str]:
    """Every ordered unit is in exactly one place, and no more comes back than went out."""
    for order in books.changed():
        for line in order.lines:
            if sum(line.buckets[:8]) != line.ordered or min(line.buckets) < 0:
                yield f"{order.id} line {line.number} holds {line.quantities()} of {line.ordered}"
            if line.returning > line.left:
                yield f"{order.id} line {line.number} has {line.returning} in returns of {line.left} that left"


def shelves_hold_what_they_should(books: Books) -> Iterator[str]:
    """On a shelf is what was put there, less what left and what was missing, plus what was restocked; promised is what waits in parcels."""
    counted: dict[tuple[str, str], Counted] = {}
    for order in books.world.all():
        _count(order, 1, counted, {})
    levels = {(level.sku, level.warehouse): level for level in books.world.shop.stock()}
    for shelf in {*counted, *levels, *books.world.put}:
        found, level = counted.get(shelf, Counted()), levels.get(shelf)
        on_hand, reserved = (level.on_hand, level.reserved) if level else (0, 0)
        expected = books.world.put[shelf] - books.world.missing[shelf] - found.shipped + found.restocked
        if (on_hand, reserved) != (expected, found.reserved):
            yield f"{shelf}: {on_hand} on hand and {reserved} promised; {expected} and {found.reserved} should be"
        if not 0 <= reserved <= on_hand:
            yield f"{shelf}: {reserved} are promised of {on_hand}"


def parcels_hold_the_units(books: Books) -> Iterator[str]:
    """The parcels that wait hold exactly the reserved and released units; those that left hold what left."""
    for order in books.changed():
        for line in order.lines:
            waits = _held(order, line.number, lambda s: s.waiting)
            gone = _held(order, line.number, lambda s: s.shipped_at is not None)
            if waits != line[Bucket.RESERVED] + line[Bucket.RELEASED] or gone != line.left:
                yield f"{order.id} line {line.number}: {waits} wait and {gone} left in parcels, but it holds {line.quantities()}"


def _held(order: Order, number: int, wanted: Callable[[Shipment], bool]) -> int:
    return sum(dict(s.lines).get(number, 0) for s in order.shipments if wanted(s))


def a_parcel_is_booked_once(books: Books) -> Iterator[str]:
    """What left with our carrier is one parcel of its book, to the address of the order, with as many units, and nobody called it off."""
    for order in books.changed():
        for shipment in order.shipments:
            if shipment.carrier != "van" or shipment.tracking_number is None:
                continue
            key = shipment.tracking_number.removeprefix("VAN-")
            parcel = books.world.carrier.parcels.get(key)
            right = parcel and (parcel.units, parcel.address) == (shipment.units, order.facts.ship_to)
            if not right or key in books.world.carrier.cancelled:
                yield f"{shipment.id} left with {shipment.units} units; its parcel is {parcel}"


# ---- money


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


# ---- the log


def the_log_tells_the_state(books: Books) -> Iterator[str]:
    """Replaying the log gives the order; its versions have no gap, its times do not go back, and each change of status is legal."""
    legal = STATUS.pairs()
    for order in books.changed():
        records = books.world.shop.records(order.id)
        if books.world.shop.replay(order.id) != order:
            yield f"replaying the log of {order.id} gives another order"
        if [record.version for record in records] != list(range(1, order.version + 1)):
            yield f"the log of {order.id} has a gap"
        if any(a.stamp.at > b.stamp.at for a, b in pairwise(records)):
            yield f"the log of {order.id} goes back in time"
        for record in records[books.replayed.get(order.id, 0) :]:
            step = (record.from_status, record.to_status)
            if record.from_status not in (None, record.to_status) and step not in legal:
                yield f"{record.id} goes from {step[0]} to {step[1]}"


def one_key_is_one_deed(books: Books) -> Iterator[str]:
    """However often a request is sent under its key, the log has it once."""
    for order in books.changed():
        asked = Counter(
            (record.stamp.command, record.stamp.correlation)
            for record in books.world.shop.records(order.id)
            if record.stamp.correlation and record.stamp.command in REQUESTS
        )
        yield from (
            f"{order.id}: {command} under {key} is there {n} times" for (command, key), n in asked.items() if n > 1
        )


REQUESTS = frozenset(
    {
        "place",
        "pay",
        "cancel",
        "amend_address",
        "amend_delivery",
        "add_lines",
        "hold",
        "release_hold",
        "refund",
        "release",
        "ship",
        "deliver",
        "refuse",
        "request_return",
        "authorize_return",
        "decline_return",
        "send_return",
        "receive_return",
        "cancel_return",
        "close_return",
        "attend",
    }
)


def the_order_can_be_read(books: Books) -> Iterator[str]:
    """Every question about the order has an answer, and they agree on where it stands. Asked at every other version."""
    shop = books.world.shop
    for order in books.changed():
        if order.version % 2:
            continue
        said = shop.why(order.id)
        if (
            said.status != word(order)
            or said.findings != order.findings
            or not said.text
            or not str(shop.timeline(order.id))
        ):
            yield f"{order.id} is {word(order)}, but why() says {said}"
        if [line.sku for line in shop.cart_of(order.id).lines] != [line.sku for line in order.facts.lines]:
            yield f"the cart of {order.id} is another"
        numbers = [s.tracking_number for s in order.shipments if s.tracking_number]
        for query in (
            OrderQuery(statuses=(word(order),), customer=order.facts.customer, sku=order.facts.lines[0].sku),
            OrderQuery(payment_statuses=(said.axes.payment,), placed_from=order.placed_at),
            *(OrderQuery(tracking_number=number) for number in numbers),
        ):
            if order.id not in [each.id for each in shop.orders(query).items]:
                yield f"{order.id} is not in the list of {query}"


def what_is_offered_is_accepted(books: Books) -> Iterator[str]:
    """An action that the order offers is accepted in a dry run, one that it does not is refused there with the same code.

    Asked at every fifth version: it would be half of what all laws cost.
    """
    shop = books.world.shop
    for order in books.changed():
        if order.version % 5:
            continue
        for action in shop.actions(order.id):
            if action.subject == "lines" and not order.facts.prices.tax_included:
                continue  # the sample that is tried has its tax in the price
            code = None
            if action.name == "cancel_units" and not action.allowed:  # it is about what could be cancelled, if anything
                action = evolve(action, units=tuple(cancellable(order, books.world.now).items()))  # noqa: PLW2901
            try:
                tried(shop, order, action)
            except OrderkitError as error:
                code = None if "short" in error.facts else error.code  # shelves are not the order's to promise
            if code != action.code:
                yield f"{order.id} offers {action.name} {action.subject} with {action.code}, the dry run says {code}"


ALWAYS: tuple[Law, ...] = (
    units_are_somewhere,
    shelves_hold_what_they_should,
    parcels_hold_the_units,
    a_parcel_is_booked_once,
    the_bank_is_asked_for_what_can_be,
    the_books_follow_the_bank,
    nobody_gets_back_more_than_he_paid,
    nobody_pays_more_than_agreed,
    totals_are_what_the_cart_says,
    due_is_what_the_units_cost,
    the_shop_keeps_no_more_than_is_due,
    cards_pay_for_what_left,
    the_log_tells_the_state,
    one_key_is_one_deed,
    the_order_can_be_read,
    what_is_offered_is_accepted,
)


# ---- when the world has healed, and workers have had their time


def everything_comes_to_rest(books: Books) -> Iterator[str]:
    """No money is under way and no sequence half done; or the order names what a person must do."""
    for order in books.world.all():
        if not resting(order) and not order.findings:
            yield f"{order.id} is {order.state} with {[o.id for _, o in order.operations() if o.open]} open, and asks for nobody"


def nothing_is_left_to_do(books: Books) -> Iterator[str]:
    """The bank's letters are all read, and no worker has anything that is due."""
    late = [
        order.id
        for order in books.world.all()
        if (task := books.world.shop.why(order.id).waits_for) and task.at <= books.world.now
    ]
    yield from (f"{order_id} still waits for a worker" for order_id in late)
    yield from (
        f"letter {kept.message.id} waits: {kept.note}"
        for kept in books.world.store._inbox.values()
        if kept.due_at is not None
    )


def what_waits_gets_what_is_there(books: Books) -> Iterator[str]:
    """No units wait for goods while one warehouse has enough of them to spare."""
    levels = books.world.shop.stock()
    for order in books.world.all():
        for line in order.lines if order.state == "confirmed" and not order.findings else ():
            spare = max((x.on_hand - x.reserved for x in levels if x.sku == line.sku), default=0)
            if 0 < line[Bucket.BACKORDERED] <= spare:
                yield f"{order.id} line {line.number} waits for {line[Bucket.BACKORDERED]}, and {spare} are there"


HEALED: tuple[Law, ...] = (everything_comes_to_rest, nothing_is_left_to_do, what_waits_gets_what_is_there)


# ---- when people have finished, too


def nothing_stays_promised(books: Books) -> Iterator[str]:
    """When every parcel has left and every order is done, no shelf promises anything."""
    for level in books.world.shop.stock():
        if level.reserved:
            yield f"{level.sku} at {level.warehouse} still promises {level.reserved}"


def no_authorization_stays(books: Books) -> Iterator[str]:
    """The bank holds nothing of the customer's money for an order that is done; one that misses money may keep what might bring it."""
    misses = {order.id for order in books.world.all() if _misses_money(order)}
    for account in books.world.bank.accounts.values():
        if (held := account.open_at(books.world.now)) and account.order_id not in misses:
            yield f"{account.payment}: the bank still holds {held}"


def everybody_is_even(books: Books) -> Iterator[str]:
    """The bank took, less what it gave back, exactly what is due. Less only where a finding says that money is missing, never more.

    No verb takes another tender for money that is missing on a confirmed order (another helper's case): the finding stays, so it is the
    one thing that excuses a debt.
    """
    accounts = list(books.world.bank.accounts.values())
    for order in books.world.all():
        has, due = sum(a.captured - a.refunded for a in accounts if a.order_id == order.id), wanted_minor(order)
        if has > due or (has < due and not _misses_money(order)):
            yield f"{order.id} is {order.state} and due {due}, but the bank has {has} of it; it asks for {order.findings}"
        if order.paid_minor != has:
            yield f"{order.id} believes it has {order.paid_minor}, the bank has {has}"


def _misses_money(order: Order) -> bool:
    return any(finding.partition(":")[0] in STUCK for finding in order.findings)


def only_missing_money_needs_a_person(books: Books) -> Iterator[str]:
    """After people have looked, no finding is left but that money is missing, or that the bank has nothing to void: it let go by itself."""
    for order in books.world.all():
        gone = {f"void_failed:{o.id}" for payment, o in order.operations() if payment.id in books.world.bank.let_go}
        left = [f for f in order.findings if f.partition(":")[0] not in STUCK and f not in gone]
        if left:
            yield f"{order.id} still asks for {left}"


def papers_come_to_what_is_due(books: Books) -> Iterator[str]:
    """The invoices of an order less its credit memos are what is due; one that was never confirmed has none."""
    for order in books.world.all():
        papers = amounts(books.world.documents, order.id)
        confirmed = any(e.type == "order.confirmed" for r in books.world.shop.records(order.id) for e in r.events)
        if sum(papers.values()) != (order.due_minor if confirmed else 0):
            yield f"{order.id} is due {order.due_minor}, its papers are {papers}"


def returns_have_ended(books: Books) -> Iterator[str]:
    """No return is open any more, and every refund was paid out or needed no money."""
    for order in books.world.all():
        open_ = [
            r.id
            for r in order.returns
            if r.outstanding and r.state in ("requested", "authorized", "in_transit", "partially_received")
        ]
        unpaid = [f"{f.id} is {f.state}" for f in order.refunds if f.state != "refunded"]
        if open_ or unpaid:
            yield f"{order.id}: {open_} are open, {unpaid}"


FINISHED: tuple[Law, ...] = (
    *HEALED,
    nothing_stays_promised,
    no_authorization_stays,
    everybody_is_even,
    only_missing_money_needs_a_person,
    papers_come_to_what_is_due,
    returns_have_ended,
)
