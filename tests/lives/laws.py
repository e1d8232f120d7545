"""The laws that hold after every step, whatever happened: of goods, of money (see `money`), and of the log and what is read from it.

Each is stated on its own terms: shelves are counted from what people brought there, money from the bank's ledger, what is due from the units
in the log, the log from its own order. A law answers with a sentence for each way in which it is broken, and with nothing when it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from orderkit import Order, OrderkitError, OrderQuery
from orderkit.domain.cancelling import cancellable
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.quantities import Bucket
from orderkit.domain.returns import Disposition
from orderkit.domain.shipment import Shipment
from orderkit.domain.status import word
from orderkit.domain.value import evolve
from tests.announced import strange
from tests.lives.books import Books, Law
from tests.lives.money import MONEY
from tests.offers import tried

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
    promised, moved = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for order in books.world.all():
        _counted(order, promised, moved)
    levels = {(level.sku, level.warehouse): level for level in books.world.shop.stock()}
    for shelf in {*promised, *moved, *levels, *books.world.put}:
        level = levels.get(shelf)
        on_hand, reserved = (level.on_hand, level.reserved) if level else (0, 0)
        expected = books.world.put[shelf] - books.world.missing[shelf] + moved[shelf]
        if (on_hand, reserved) != (expected, promised[shelf]):
            yield f"{shelf}: {on_hand} on hand and {reserved} promised; {expected} and {promised[shelf]} should be"
        if not 0 <= reserved <= on_hand:
            yield f"{shelf}: {reserved} are promised of {on_hand}"


def _counted(order: Order, promised: Counter[tuple[str, str]], moved: Counter[tuple[str, str]]) -> None:
    """Add what the order's parcels promise of each shelf, what left it with them, and what returns brought back to it."""
    skus = {line.number: line.sku for line in order.lines}
    for shipment in order.shipments:
        for number, units in shipment.lines:
            shelf = (skus[number], shipment.warehouse)
            promised[shelf] += units if shipment.waiting else 0
            moved[shelf] -= units if shipment.shipped_at is not None else 0
    for receipt in (receipt for found in order.returns for receipt in found.receipts):
        for part in receipt.graded:
            moved[skus[part.line], receipt.warehouse] += part.quantity if part.disposition is Disposition.RESTOCK else 0


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


def events_are_as_announced(books: Books) -> Iterator[str]:
    """Each event is of a known type, and its data have the fields of that type and no others."""
    for order in books.changed():
        for record in books.world.shop.records(order.id)[books.replayed.get(order.id, 0) :]:
            yield from (f"{record.id} tells {said}" for event in record.events for said in strange(event))


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
    *MONEY,
    the_log_tells_the_state,
    events_are_as_announced,
    one_key_is_one_deed,
    the_order_can_be_read,
    what_is_offered_is_accepted,
)
