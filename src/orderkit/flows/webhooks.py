"""What providers and carriers tell us unasked. A message is kept first, then matched; what matches nothing yet waits and is tried again.

Messages name our own references, so an early one (before our commit), a repeated one and a late one all end in the same booking. A message
is never believed about money: it is the reason to ask the provider. A scan belongs to a carrier's number: `data["carrier"]` names the carrier
as the shipment does, and where it does not and two customers' parcels have that number, the message waits for a person.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orderkit.domain.given import as_sent, check_time, in_utc, kept
from orderkit.domain.payment import OperationKind
from orderkit.domain.shipment import CarrierStatus, Scan, Shipment
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed, NotFound, OrderkitError
from orderkit.flows.advancing import advanced, booked
from orderkit.flows.fulfilling import track
from orderkit.flows.kit import Caller, loaded
from orderkit.ports.clock import Now
from orderkit.ports.payments import AskPayment, Unknown
from orderkit.ports.store import FindOrders, KeepMessage, Message, OrderQuery, SettleMessage, TakeMessages

TRIES_MAX = 12
ORDERS_MAX = 50  # orders that share one tracking number, the newest
TRY_AGAIN = timedelta(seconds=5)


async def receive_message(message: Message, caller: Caller) -> bool:
    """Keep a message and try it at once, or leave that to a worker; the answer says whether it was new.

    Raises: `InvalidInput` (`received_at` without a zone, text that no store keeps, a message without an id).
    """
    check_time(message.received_at, "received_at")
    data = as_sent(message.data, "data")
    message = evolve(kept(evolve(message, data={}), "message", Message), data=data)
    if not message.id:
        raise InvalidInput(
            "a message needs the id that its sender gave it: without one the next counts as a repeat", field="id"
        )
    fresh = await KeepMessage(message)
    if fresh and caller.goes_on:
        await apply_message(message, caller)
    return fresh


async def sweep_messages(caller: Caller, *, limit: int = 100, lease_seconds: float = 30.0) -> int:
    """Try the messages that wait again; one that cannot be tried now comes again when its time is over, and holds up no other."""
    waiting = await TakeMessages(await Now(), limit, lease_seconds)
    for message in waiting:
        if message.attempts > TRIES_MAX:  # nobody lived to say what is wrong with it
            await SettleMessage(message.source, message.id, None, "given up", message.attempts)
            continue
        try:
            await apply_message(message, caller)
        except Exception as error:
            if isinstance(error, OrderkitError) and error.code == "store_unavailable":
                raise
    return len(waiting)


async def apply_message(message: Message, caller: Caller) -> bool:
    """Apply one message; what matches nothing waits, longer each time, until it is given to a person."""
    now = await Now()
    try:
        applied = await (
            _payment(message, caller, now) if message.kind.startswith("payment.") else _shipment(message, caller)
        )
    except (NotFound, InvalidInput, NotAllowed) as error:
        applied, note = False, str(error)
    else:
        note = "" if applied else "the provider does not know yet"
    later = None if applied or message.attempts >= TRIES_MAX else now + TRY_AGAIN * 2**message.attempts
    await SettleMessage(message.source, message.id, later, note, message.attempts)
    return applied


async def _payment(message: Message, caller: Caller, now: datetime) -> bool:
    """Ask the provider about the operation that the message names (`<order>-P<n>.<m>/<attempt>`), and book its answer."""
    operation_id, _, attempt = message.reference.partition("/")
    order = await loaded(operation_id.rsplit("-P", 1)[0])
    payment, operation = order.operation(operation_id)
    done = operation.state == "confirmed"
    over = operation.state == "reversed" or (done and operation.kind is not OperationKind.REFUND)
    if over or str(operation.attempt) != attempt:
        return True
    answer = await AskPayment(key=message.reference, payment=payment.id, at=now)
    if isinstance(answer, Unknown):
        return done and message.attempts >= TRIES_MAX  # a refund that we know of, and the provider says nothing about
    await advanced(await booked(order, operation_id, operation.attempt, answer, caller), caller)
    return True


async def _shipment(message: Message, caller: Caller) -> bool:
    """Fold a carrier's scan into every shipment of one order that travels in that parcel."""
    scan = _scan(message)
    order, numbers = await _parcel(message.reference, _carrier(message))
    for shipment_id in numbers:
        await track(order, shipment_id, [scan], caller)
    return True


async def _parcel(number: str, carrier: str | None) -> tuple[str, list[str]]:
    """Return the order that a parcel belongs to, and its shipments in it.

    Carriers do not know of each other's numbers. One carrier uses a number again after some months: then the parcel that is under way is meant.
    Beyond that it is not guessed which customer's parcel it is.
    """
    said = f"{carrier}'s tracking number" if carrier else "the tracking number"
    page = await FindOrders(OrderQuery(tracking_number=number, limit=ORDERS_MAX))
    orders = [await loaded(summary.id) for summary in page.items]
    found = {o.id: shipments for o in orders if (shipments := [s for s in o.shipments if _is(s, number, carrier)])}
    if not found:
        raise NotFound(f"no shipment has {said} {number!r}")
    under_way = {o: some for o, shipments in found.items() if (some := [s for s in shipments if s.travelling])}
    meant = under_way or found
    one_carrier = len({(s.carrier or "").casefold() for shipments in found.values() for s in shipments}) == 1
    if page.cursor or len(meant) > 1 or (len(found) > 1 and not one_carrier):
        raise NotAllowed(
            f"{said} {number!r} is that of several orders ({', '.join(found)}), and the message does not tell them apart",
            facts={"orders": list(found)},
        )
    ((order_id, shipments),) = meant.items()
    return order_id, [shipment.id for shipment in shipments]


def _is(shipment: Shipment, number: str, carrier: str | None) -> bool:
    if shipment.tracking_number != number:
        return False
    return carrier is None or (shipment.carrier or "").casefold() == carrier.casefold()


def _carrier(message: Message) -> str | None:
    """Return the carrier that the message names, if it names one; without it the number alone decides."""
    carrier = message.data.get("carrier")
    if carrier is None:
        return None
    if not isinstance(carrier, str) or not carrier.strip():
        raise InvalidInput(f"the message {message.id!r} names no carrier: {carrier!r}", field="data")
    return carrier.strip()


def _scan(message: Message) -> Scan:
    """Return what the carrier said; a time without a zone is UTC. What nobody understands is `invalid_input`."""
    data = message.data
    try:
        status = CarrierStatus(data.get("status", "unknown"))
        at = datetime.fromisoformat(str(data["at"])) if "at" in data else message.received_at
    except ValueError as error:
        raise InvalidInput(f"the message {message.id!r} is no scan: {error}", field="data") from None
    return Scan(id=message.id, status=status, at=in_utc(at), place=str(data["place"]) if data.get("place") else None)
