"""Cancel, amend, hold, refund: what customers and service people do to an order that stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orderkit.domain import amending, cancelling, holding
from orderkit.domain.cart import Cart
from orderkit.domain.events import Decision
from orderkit.domain.given import check_text, kept
from orderkit.domain.order import Address, DeliveryPreference, Order
from orderkit.domain.payment import Tender
from orderkit.errors import InvalidInput
from orderkit.flows.advancing import continued
from orderkit.flows.kit import Caller, changed, demand_of, loaded, replanned
from orderkit.flows.placing import PayWith, tenders_of
from orderkit.ports.settings import ReadSettings

Units = Mapping[str | int, int]


def by_line(order: Order, units: Units, *, free: Mapping[int, int]) -> dict[int, int]:
    """Return units by line number; a SKU stands for its lines in turn, as far as `free` units of each go."""
    found: dict[int, int] = {}
    for name, count in units.items():
        if type(count) is not int or count <= 0:
            raise InvalidInput(f"{count!r} of {name} is no number of units", code="invalid_quantity", field="quantity")
        if isinstance(name, int):
            found[order.line(name).number] = found.get(name, 0) + count
            continue
        lines, rest = [line.number for line in order.lines if line.sku == name], count
        if not lines:
            raise InvalidInput(
                f"order {order.id} has no {name!r}", code="unknown_line", field="sku", facts={"sku": name}
            )
        for number in lines:
            part = min(rest, free.get(number, 0) - found.get(number, 0))
            if part > 0:
                found[number] = found.get(number, 0) + part
                rest -= part
        if rest:  # too many: ask for them all the same, so that the rule says no in its own words
            fullest = max(lines, key=lambda number: free.get(number, 0))
            found[fullest] = found.get(fullest, 0) + rest
    return found


async def accept_cancellation(
    order_id: str, units: Units | None, caller: Caller, *, reason: str, shipment: str | None = None
) -> Order:
    """Stop the goods and credit their value; the money follows."""

    def decide(order: Order, now: datetime) -> Decision:
        chosen = None if units is None else by_line(order, units, free=cancelling.cancellable(order, now))
        return cancelling.cancelled(order, now, reason=reason, units=chosen, shipment=shipment)

    return await changed(order_id, "cancel", decide, caller, reason=reason, request=(units, shipment, reason))


async def cancel(
    order_id: str, units: Units | None, caller: Caller, *, reason: str, shipment: str | None = None
) -> Order:
    """Cancel the whole order, some units, or a shipment, and give the money back."""
    return await continued(await accept_cancellation(order_id, units, caller, reason=reason, shipment=shipment), caller)


async def amend_address(
    order_id: str, ship_to: Address, caller: Caller, *, expected_version: int | None = None
) -> Order:
    """Send what has not left to another address."""
    to = kept(ship_to, "ship_to", Address)
    return await changed(
        order_id,
        "amend_address",
        lambda order, now: amending.address_amended(order, now, to),
        caller,
        request=(ship_to,),
        expected_version=expected_version,
    )


async def amend_delivery(
    order_id: str, delivery: DeliveryPreference, caller: Caller, *, expected_version: int | None = None
) -> Order:
    """Wish for another day or service."""
    wish = kept(delivery, "delivery", DeliveryPreference)
    settings = await ReadSettings()

    def decide(order: Order, now: datetime) -> Decision:
        warehouses = settings.known({s.warehouse for s in order.shipments})
        return amending.delivery_amended(order, now, wish, warehouses=warehouses, handling=settings.handling)

    return await changed(
        order_id, "amend_delivery", decide, caller, request=(delivery,), expected_version=expected_version
    )


async def accept_lines(
    order_id: str, cart: Cart, pay_with: PayWith, caller: Caller, *, expected_version: int | None = None
) -> Order:
    """Add the cart's lines to the order and ask for the difference."""
    order = await loaded(order_id)
    if cart.currency != order.currency:
        raise InvalidInput(
            f"the order is in {order.currency}, the cart in {cart.currency}", code="mixed_currency", field="currency"
        )
    if not cart.lines:
        raise InvalidInput("nothing to add", code="empty_cart", field="add")
    asked = cart, tenders_of(pay_with)
    cart, tenders = kept(cart, "cart", type(cart)), kept(asked[1], "tenders", Tender)

    def first(current: Order) -> int:
        return 1 + max(line.number for line in current.facts.lines)

    cart.agreed(cart.prices(first=first(order)))
    return await replanned(
        order_id,
        "add_lines",
        lambda current: demand_of(cart.order_lines(first=first(current))),
        lambda current, now, plan, settings: amending.lines_added(
            current,
            now,
            cart.order_lines(first=first(current)),
            cart.prices(first=first(current)),
            plan,
            tenders,
            warehouses=settings.known({parcel.warehouse for parcel in plan.parcels}),
            handling=settings.handling,
        ),
        caller,
        partial="refuse",
        request=asked,
        expected_version=expected_version,
    )


async def add_lines(
    order_id: str, cart: Cart, pay_with: PayWith, caller: Caller, *, expected_version: int | None = None
) -> Order:
    """Add lines to the order; when their payment is refused they are dropped again."""
    accepted = await accept_lines(order_id, cart, pay_with, caller, expected_version=expected_version)
    return await continued(accepted, caller)


async def hold(order_id: str, caller: Caller, *, reason: str, note: str = "", until: datetime | None = None) -> Order:
    """Put the order on hold."""
    check_text(note, "note")
    return await changed(
        order_id,
        "hold",
        lambda order, now: holding.held(order, now, reason=reason, note=note, until=until),
        caller,
        reason=reason,
        request=(reason, note, until),
    )


async def release_hold(order_id: str, hold_id: str, caller: Caller) -> Order:
    """End one hold of the order."""
    return await changed(
        order_id,
        "release_hold",
        lambda order, now: holding.hold_released(order, hold_id, now),
        caller,
        request=(hold_id,),
    )


async def accept_refund(order_id: str, amount_minor: int, caller: Caller, *, reason: str) -> Order:
    """Grant a goodwill refund."""
    return await changed(
        order_id,
        "refund",
        lambda order, now: holding.goodwill(order, amount_minor, now, reason=reason),
        caller,
        reason=reason,
        request=(amount_minor, reason),
    )


async def refund(order_id: str, amount_minor: int, caller: Caller, *, reason: str) -> Order:
    """Grant a goodwill refund and pay it out."""
    return await continued(await accept_refund(order_id, amount_minor, caller, reason=reason), caller)


async def accept_attention(order_id: str, finding: str, caller: Caller) -> Order:
    """A person has looked at a finding."""
    return await changed(
        order_id, "attend", lambda order, now: holding.finding_settled(order, finding, now), caller, request=(finding,)
    )


async def attend(order_id: str, finding: str, caller: Caller) -> Order:
    """The same, and what was stuck is tried again."""
    return await continued(await accept_attention(order_id, finding, caller), caller)
