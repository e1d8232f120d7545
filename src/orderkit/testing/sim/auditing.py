"""The audit: what must be true when a healed world has come to rest, judged by models that the library did not write.

Orders are compared with the bank's ledger, the shelves, the log, the consumer, the carriers' parcels and what people were told. A finding on
an order is its way of asking for a person: money that a provider refused for good, or that was held long enough, is excused by it, nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orderkit.domain.events import Record, replayed
from orderkit.domain.messages import messages_of
from orderkit.domain.order import Order
from orderkit.domain.payment import CaptureMode, Payment
from orderkit.domain.settling import wanted_minor
from orderkit.domain.value import evolve
from orderkit.errors import OrderkitError
from orderkit.ports.store import ReadRecords
from orderkit.testing.sim.world import NOON, World

REFUSED = (
    "refund_failed",
    "void_failed",
    "capture_failed",
    "capture_short",
    "authorize_failed",
    "authorization_lapsed",
    "charge_failed",
)


def audit(world: World) -> None:
    """Hold everything against everything, and let the witness write down what does not fit."""
    orders = world.witness.latest
    for invariant, text in _identity(world):
        world.witness.say(invariant, text)
    for order in orders.values():
        for invariant, text in (*_resting(order), *_logged(world, order), *_told(world, order)):
            world.witness.say(invariant, text)
        for text in _money(world, order):
            world.witness.say("money", text)
        for text in _parcels(world, order):
            world.witness.say("parcels", text)
    for invariant, text in (*_ledger(world), *_stock(world), *_left_over(world)):
        world.witness.say(invariant, text)


def resting(order: Order) -> bool:
    """Whether nothing of the order is under way: no money in flight, no saga, no reservation that waits for its payment."""
    return (
        order.state not in ("placed", "payment_pending")
        and not order.sagas
        and not any(operation.open for _, operation in order.operations())
    )


def _resting(order: Order) -> Iterator[tuple[str, str]]:
    if not resting(order):
        yield "liveness", f"{order.id} is still {order.state} with {len(order.sagas)} sagas under way"


# ---- identity


def _identity(world: World) -> Iterator[tuple[str, str]]:
    """One order for each cart, and each acknowledged one is that order. A cart carries its number beside the library's keys."""
    by_cart: dict[str, list[str]] = {}
    for order in world.witness.latest.values():
        by_cart.setdefault(order.facts.reference, []).append(order.id)
    for cart, ids in by_cart.items():
        if cart and len(ids) > 1:
            yield "identity", f"cart {cart} became {len(ids)} orders"
    for key, order_id in world.placed.items():
        stored = world.storage.load_many([order_id])[0]
        if stored is None:
            yield "durability", f"order {order_id} of key {key} was acknowledged and is gone"
        elif by_cart.get(key, [order_id]) != [order_id]:
            yield "identity", f"key {key} was acknowledged as {order_id}, but cart {key} is {by_cart[key]}"


# ---- the log


def _logged(world: World, order: Order) -> Iterator[tuple[str, str]]:
    stored = world.storage.load_many([order.id])[0]
    if stored is not order:
        yield "log", f"{order.id} is not stored as it was committed last"
    records = world.storage.read_records(ReadRecords(order.id))
    if list(records) != world.witness.log[order.id]:
        yield "log", f"the log of {order.id} is not what was committed"
    elif [record.version for record in records] != list(range(1, order.version + 1)):
        yield "log", f"the log of {order.id} has a gap"
    elif stored is not None and not _replays(records, stored):
        yield "log", f"replaying the log of {order.id} does not give the order"


def _replays(records: tuple[Record, ...], stored: Order) -> bool:
    try:
        return replayed(records, stored.facts) == stored
    except OrderkitError:  # its moves contradict each other
        return False


# ---- money


def _money(world: World, order: Order) -> Iterator[str]:
    excused = any(finding.startswith(REFUSED) for finding in order.findings)
    if world.payments is not None or excused:
        return
    accounts = [a for a in world.bank.accounts.values() if a.order_id == order.id]
    taken = sum(a.captured - a.refunded for a in accounts)
    held = sum(a.open_at(world.time()) for a in accounts)
    if order.state in ("cancelled", "payment_failed"):
        if taken > wanted_minor(order) or held:  # a policy may keep the shipping of a cancelled order
            yield f"{order.id} is {order.state}, but the bank has {taken} and holds {held}"
        return
    per_shipment = order.facts.policies.capture is CaptureMode.PER_SHIPMENT
    open_units = sum(line.open for line in order.lines)
    if resting(order) and not (per_shipment and open_units) and taken != order.due_minor:
        yield f"{order.id} is {order.state} and owes {order.due_minor}, but the bank has {taken}"
    if per_shipment and open_units and taken + held < order.due_minor:
        yield f"{order.id} owes {order.due_minor}, but the bank has {taken} and holds {held}"
    if taken > order.total_minor:
        yield f"{order.id} costs {order.total_minor}, but the bank took {taken}"


def _ledger(world: World) -> Iterator[tuple[str, str]]:
    """The shop's books equal the bank's, payment by payment, and nobody paid for an order that is not there."""
    if world.payments is not None:
        return
    ours = {p.id: p for order in world.witness.latest.values() for p in order.payments}
    for account in world.bank.accounts.values():
        payment = ours.pop(account.payment, None)
        if payment is None:
            yield "ledger", f"the bank has {account.payment}, of which no order knows"
        elif (payment.captured_minor, payment.refunded_minor) != (account.captured, account.refunded):
            books = f"{payment.captured_minor} taken and {payment.refunded_minor} given back"
            yield "ledger", f"{payment.id}: our books say {books}, the bank {account.captured} and {account.refunded}"
        elif _held(payment, world.time()) != account.open_at(world.time()):
            held = account.open_at(world.time())
            yield "ledger", f"{payment.id}: we count on {_held(payment, world.time())}, the bank holds {held}"
    for payment in ours.values():
        if payment.captured_minor or payment.authorized_minor:
            yield "ledger", f"{payment.id} has {payment.captured_minor} in our books, and the bank does not know it"


def _held(payment: Payment, now: datetime) -> int:
    """What our books say is authorized and can still be captured."""
    gone = payment.expires_at is not None and payment.expires_at <= now
    return 0 if gone else payment.authorized_minor - payment.captured_minor


# ---- goods


def _stock(world: World) -> Iterator[tuple[str, str]]:
    for shelf in dict.fromkeys((*world.witness.shelves, *world.witness.delivered)):
        world.witness.compare(shelf)
        received = world.storage.level(*shelf)[2]
        delivered = world.witness.delivered.get(shelf, 0)
        if received != delivered:
            yield "stock", f"{shelf[0]} at {shelf[1]}: {received} booked in, {delivered} were delivered"


def _parcels(world: World, order: Order) -> Iterator[str]:
    for shipment in order.shipments:
        if shipment.shipped_at is None:
            continue
        booked = [p for key, p in world.couriers.parcels.items() if key.startswith(f"{shipment.id}/")]
        sent = [p for p in booked if p.booked.tracking_number == shipment.tracking_number]
        if len(sent) != 1 or sent[0].asked.units != shipment.units:
            yield f"{shipment.id} left with {shipment.units} units, and no such parcel was booked"
            continue
        same = [p for p in booked if evolve(p.asked, key="", at=NOON) == evolve(sent[0].asked, key="", at=NOON)]
        if len(same) > 1:
            yield f"{shipment.id} left, and {len(same)} equal parcels were booked for it"


# ---- what others were told


def _told(world: World, order: Order) -> Iterator[tuple[str, str]]:
    applied = world.witness.applied.get(order.id, [])
    if applied != list(range(1, order.version + 1)):
        yield "bus", f"the consumer applied {applied} of {order.version} versions of {order.id}"
    if not world.settings.reacts:
        return
    found = world.index.documents.get(order.id)
    if found is None or found["version"] != order.version:
        yield "index", f"{order.id} is at version {order.version}, the index at {found and found['version']}"
    for record in world.witness.log[order.id]:
        for template, channel in messages_of(record):
            if not world.post.told(f"{record.id}/{template}/{channel}"):
                yield "messages", f"{record.id} told nobody {template} by {channel}"


def _left_over(world: World) -> Iterator[tuple[str, str]]:
    if world.storage.unpublished:
        yield "liveness", f"{world.storage.unpublished} records were never published"
    for order_id, error in world.storage.parked:
        yield "liveness", f"{order_id} is {error}"
    for process in world.processes.values():
        if process.name.startswith("api") and process.running:
            yield "liveness", f"{process.name} is still running {next(iter(process.running.values())).label}"
