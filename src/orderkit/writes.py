"""The verbs that change an order, each declared once (see `verb`), for the sync and the async shop and for the dry run alike.

This module knows flows and nothing of adapters or drivers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from orderkit.domain.cart import Cart
from orderkit.domain.money import to_minor
from orderkit.domain.order import Address, DeliveryPreference, Order
from orderkit.domain.returns import Grade, Graded
from orderkit.domain.shipment import Scan
from orderkit.errors import InvalidInput
from orderkit.flows import changing, fulfilling, placing, returning
from orderkit.flows.advancing import advanced, answered_by_the_winner
from orderkit.flows.changing import Units
from orderkit.flows.kit import Caller, loaded, principal_of
from orderkit.flows.placing import Accepted, PayWith
from orderkit.ports.carriers import Booked
from orderkit.ports.effect import Flow
from orderkit.verb import Command, Verb


def caller_of(key: str | None, actor: str, tx: object | None) -> Caller:
    """Return who asks: a caller that goes on with the order itself, unless it is in a transaction of the host."""
    return Caller(actor=actor, key=key, principal=principal_of(actor), goes_on=tx is None)


def _simple(accept: Flow[Order], caller: Caller) -> Command[Order]:
    async def follow(order: Order) -> Order:
        return await advanced(order, caller)

    return Command(accept, lambda order: order, follow)


@Verb
def place(
    cart: Cart, pay_with: PayWith, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Accepted]:
    """Place an order: reserve its goods, ask for its money, confirm it.

    A repeated `key` answers with the order that it made first. A decline is no error: the order is `payment_failed` and may be paid again.

    Raises: `InvalidInput` (the cart or the tenders), `KeyReused`, `Conflict` (`stock_contended`).
    """
    caller = caller_of(key, actor, tx)

    async def follow(accepted: Accepted) -> Order:
        return await (answered_by_the_winner(accepted.order) if accepted.replayed else advanced(accepted.order, caller))

    return Command(placing.accept(cart, pay_with, caller), lambda accepted: accepted.order, follow)


@Verb
def pay(
    order_id: str, pay_with: PayWith, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Pay an order whose payment failed, or at most what a confirmed one misses. A decline is no error. Raises: `InvalidInput`, `NotAllowed`."""
    caller = caller_of(key, actor, tx)
    return _simple(placing.accept_payment(order_id, pay_with, caller), caller)


@Verb
def cancel(
    order_id: str,
    units: Units | None = None,
    *,
    reason: str,
    shipment: str | None = None,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Cancel the whole order, some units by SKU or line number, or one shipment, before the warehouse begins. Raises: `InvalidInput`."""
    caller = caller_of(key, actor, tx)
    return _simple(changing.accept_cancellation(order_id, units, caller, reason=reason, shipment=shipment), caller)


@Verb
def amend(
    order_id: str,
    *,
    ship_to: Address | None = None,
    delivery: DeliveryPreference | None = None,
    add: Cart | None = None,
    pay_with: PayWith | None = None,
    expected_version: int | None = None,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Change one thing of an order before its cutoff: the address, the delivery, or lines to add (paid with `pay_with`).

    With `expected_version` the order changes only if it is still at that version. Raises: `Conflict` (`version_conflict`).
    """
    if sum(part is not None for part in (ship_to, delivery, add)) != 1:
        raise InvalidInput("change one thing at a time: ship_to, delivery or add", field="amend")
    caller = caller_of(key, actor, tx)
    if ship_to is not None and pay_with is None:
        return _simple(changing.amend_address(order_id, ship_to, caller, expected_version=expected_version), caller)
    if delivery is not None and pay_with is None:
        return _simple(changing.amend_delivery(order_id, delivery, caller, expected_version=expected_version), caller)
    if add is None or pay_with is None:
        what = "only added lines are paid for" if add is None else "say what pays for the added lines"
        raise InvalidInput(what, code="tenders_mismatch", field="pay_with")
    return _simple(changing.accept_lines(order_id, add, pay_with, caller, expected_version=expected_version), caller)


@Verb
def hold(
    order_id: str,
    *,
    reason: str,
    note: str = "",
    until: datetime | None = None,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Put the order on hold: nothing leaves a warehouse until every hold is released or has ended. A time `until` which it lasts has a zone."""
    caller = caller_of(key, actor, tx)
    return _simple(changing.hold(order_id, caller, reason=reason, note=note, until=until), caller)


@Verb
def release_hold(
    order_id: str, hold_id: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """End one hold of the order."""
    caller = caller_of(key, actor, tx)
    return _simple(changing.release_hold(order_id, hold_id, caller), caller)


@Verb
def refund(
    order_id: str,
    amount: str | int | Decimal,
    *,
    reason: str,
    currency: str | None = None,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Give back an amount (major units, as text), or give it up where it is missing, for good will; returns and the like refund by themselves."""
    caller = caller_of(key, actor, tx)

    async def accept() -> Order:
        order = await loaded(order_id)
        if currency is not None and currency != order.currency:
            raise InvalidInput(f"the order is in {order.currency}", code="mixed_currency", field="currency")
        return await changing.accept_refund(order_id, to_minor(amount, order.currency), caller, reason=reason)

    return _simple(accept(), caller)


@Verb
def release(
    order_id: str, shipment: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Hand a planned shipment to its warehouse before its cutoff does."""
    caller = caller_of(key, actor, tx)
    return _simple(fulfilling.release(order_id, shipment, caller), caller)


@Verb
def ship(
    order_id: str,
    shipment: str,
    *,
    carrier: str | None = None,
    booked: Booked | None = None,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Book the parcel with its carrier and let the shipment leave; with `booked` the parcel was booked elsewhere.

    Joining a transaction (`tx=`) needs `booked`: no carrier is called inside one.
    """
    caller = caller_of(key, actor, tx)
    if booked is not None:
        return _simple(fulfilling.accept_dispatch(order_id, shipment, caller, booked=booked), caller)
    return _simple(fulfilling.ship(order_id, shipment, caller, carrier=carrier), caller)


@Verb
def track(
    order_id: str, shipment: str, scans: Sequence[Scan], *, actor: str = "carrier", tx: object | None = None
) -> Command[Order]:
    """Fold in what a carrier said; old and repeated scans change nothing. Raises: `InvalidInput` (a scan whose time has no zone)."""
    caller = caller_of(None, actor, tx)
    return _simple(fulfilling.accept_scans(order_id, shipment, scans, caller), caller)


@Verb
def deliver(
    order_id: str, shipment: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Book that a shipment arrived, said by somebody else than its carrier."""
    caller = caller_of(key, actor, tx)
    return _simple(fulfilling.deliver(order_id, shipment, caller), caller)


@Verb
def refuse(
    order_id: str,
    shipment: str,
    *,
    reason: str,
    missing: Mapping[int, int] | None = None,
    key: str | None = None,
    actor: str = "warehouse",
    tx: object | None = None,
) -> Command[Order]:
    """The warehouse cannot send a shipment, or `missing` units of it by line: they are planned elsewhere, wait, or are cancelled."""
    caller = caller_of(key, actor, tx)
    return _simple(fulfilling.accept_refusal(order_id, shipment, caller, reason=reason, missing=missing), caller)


@Verb
def request_return(
    order_id: str,
    units: Units | None = None,
    *,
    reason: str,
    method: str = "mail",
    reasons: Mapping[str | int, str] | None = None,
    enforce_window: bool = True,
    key: str | None = None,
    actor: str = "host",
    tx: object | None = None,
) -> Command[Order]:
    """Open a return for delivered units, or for all that may come back, with a label for the way back."""
    caller = caller_of(key, actor, tx)
    accept = returning.accept_return(
        order_id, units, caller, reason=reason, method=method, reasons=reasons, enforce_window=enforce_window
    )

    async def follow(order: Order) -> Order:
        return await returning.labeled_as_asked(order, caller)

    return Command(accept, lambda order: order, follow)


@Verb
def authorize_return(
    order_id: str, return_id: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Say yes to a return that waits for approval; its label is printed."""
    caller = caller_of(key, actor, tx)

    async def follow(order: Order) -> Order:
        return await returning.labeled(order, order.return_(return_id), caller)

    return Command(returning.accept_authorization(order_id, return_id, caller), lambda order: order, follow)


@Verb
def decline_return(
    order_id: str, return_id: str, *, reason: str, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Say no to a return that waits for approval."""
    caller = caller_of(key, actor, tx)
    return _simple(returning.decline_return(order_id, return_id, caller, reason=reason), caller)


@Verb
def send_return(
    order_id: str, return_id: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Book that the returned parcel is on its way."""
    caller = caller_of(key, actor, tx)
    return _simple(returning.send_return(order_id, return_id, caller), caller)


@Verb
def receive_return(
    order_id: str,
    return_id: str,
    arrived: Units | Sequence[Graded] | None = None,
    *,
    warehouse: str,
    grade: Grade | str = Grade.LIKE_NEW,
    reason: str = "returned",
    deduction_minor: int = 0,
    key: str | None = None,
    actor: str = "warehouse",
    tx: object | None = None,
) -> Command[Order]:
    """Receive a parcel of a return, grade it, decide its fate, and give back what it is worth."""
    caller = caller_of(key, actor, tx)
    accept = returning.accept_receipt(
        order_id,
        return_id,
        arrived,
        caller,
        warehouse=warehouse,
        grade=grade,
        reason=reason,
        deduction_minor=deduction_minor,
    )
    return _simple(accept, caller)


@Verb
def cancel_return(
    order_id: str, return_id: str, *, reason: str, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """The customer keeps the goods after all."""
    caller = caller_of(key, actor, tx)
    return _simple(returning.cancel_return(order_id, return_id, caller, reason=reason), caller)


@Verb
def close_return(
    order_id: str, return_id: str, *, reason: str, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """The rest of a return will not come."""
    caller = caller_of(key, actor, tx)
    return _simple(returning.close_return(order_id, return_id, caller, reason=reason), caller)


@Verb
def attend(
    order_id: str, finding: str, *, key: str | None = None, actor: str = "host", tx: object | None = None
) -> Command[Order]:
    """Say that a person looked at a finding; what got stuck, such as a refused refund, is asked for again. Raises: `InvalidInput`, `NotAllowed`."""
    caller = caller_of(key, actor, tx)
    return _simple(changing.accept_attention(order_id, finding, caller), caller)


class Writes:
    """Every verb that changes an order."""

    place = place
    pay = pay
    cancel = cancel
    amend = amend
    hold = hold
    release_hold = release_hold
    refund = refund
    release = release
    ship = ship
    track = track
    deliver = deliver
    refuse = refuse
    request_return = request_return
    authorize_return = authorize_return
    decline_return = decline_return
    send_return = send_return
    receive_return = receive_return
    cancel_return = cancel_return
    close_return = close_return
    attend = attend
