"""What providers and carriers tell us unasked. A message is kept first, then matched; what matches nothing yet waits and is tried again.

Messages name our own references, so an early one (before our commit), a repeated one and a late one all end in the same booking. A message
is never believed about money: it is the reason to ask the provider.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orderkit.domain.given import check_texts, check_time, in_utc
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.errors import InvalidInput, NotAllowed, NotFound, OrderkitError
from orderkit.flows.advancing import advanced, booked
from orderkit.flows.fulfilling import track
from orderkit.flows.kit import Caller, loaded
from orderkit.ports.clock import Now
from orderkit.ports.payments import AskPayment, Unknown
from orderkit.ports.store import FindOrders, KeepMessage, Message, OrderQuery, SettleMessage, TakeMessages

TRIES_MAX = 12
TRY_AGAIN = timedelta(seconds=5)


async def receive_message(message: Message, caller: Caller) -> bool:
    """Keep a message and try it at once, or leave that to a worker; the answer says whether it was new.

    Raises: `InvalidInput` (`received_at` without a zone, or text that no store keeps).
    """
    check_time(message.received_at, "received_at")
    check_texts(message=message)
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
    if operation.state == "confirmed" or str(operation.attempt) != attempt:
        return True
    answer = await AskPayment(key=message.reference, payment=payment.id, at=now)
    if isinstance(answer, Unknown):
        return False
    await advanced(await booked(order, operation_id, operation.attempt, answer, caller), caller)
    return True


async def _shipment(message: Message, caller: Caller) -> bool:
    """Fold a carrier's scan into the shipment with that tracking number."""
    page = await FindOrders(OrderQuery(tracking_number=message.reference, limit=1))
    if not page.items:
        raise NotFound(f"no shipment has the tracking number {message.reference!r}")
    order = await loaded(page.items[0].id)
    shipment = next(s for s in order.shipments if s.tracking_number == message.reference)
    await track(order.id, shipment.id, [_scan(message)], caller)
    return True


def _scan(message: Message) -> Scan:
    """Return what the carrier said; a time without a zone is UTC. What nobody understands is `invalid_input`."""
    data = message.data
    try:
        status = CarrierStatus(data.get("status", "unknown"))
        at = datetime.fromisoformat(str(data["at"])) if "at" in data else message.received_at
    except ValueError as error:
        raise InvalidInput(f"the message {message.id!r} is no scan: {error}", field="data") from None
    return Scan(id=message.id, status=status, at=in_utc(at), place=str(data["place"]) if data.get("place") else None)
