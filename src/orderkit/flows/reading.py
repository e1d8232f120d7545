"""Questions: an order, its timeline, what it waits for, what may be done with it, and lists of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orderkit.domain.actions import Action, actions
from orderkit.domain.agenda import PARKED, Task, due
from orderkit.domain.cart import Cart, CartLine
from orderkit.domain.events import Record, replayed
from orderkit.domain.given import kept, storable
from orderkit.domain.lifecycle import RETURN, STATUS
from orderkit.domain.money import Money
from orderkit.domain.order import Order
from orderkit.domain.owing import missing_minor
from orderkit.domain.returning import graded_by_default, refund_of, return_authorized, return_received
from orderkit.domain.returns import Return
from orderkit.domain.status import PAYMENT_STATUSES, Axes, axes, word
from orderkit.domain.value import Value, evolve, field
from orderkit.errors import InvalidInput
from orderkit.flows.kit import loaded
from orderkit.ports.clock import Now
from orderkit.ports.store import FindOrders, OrderQuery, Page, ReadRecords, ReadStock, StockLevel


class Entry(Value):
    """One line of a timeline: what happened, when, by whom, why. `text` is for people, `data` has the same exactly."""

    at: datetime
    actor: str
    event: str
    text: str
    status: str
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Timeline(Value):
    """Everything that happened to an order, oldest first. `str()` of it is readable text."""

    order_id: str
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        return "\n".join(
            f"{e.at:%Y-%m-%d %H:%M:%S}  {e.event:<28} {e.text}  [{e.actor}{': ' + e.reason if e.reason else ''}]"
            for e in self.entries
        )


class Why(Value, kw_only=True):
    """Where an order stands, what it waits for, and what to do. `text` is one paragraph of plain words.

    `missing_minor` is what the customer may be asked for now (`pay`): nothing has it, and nobody is being asked for it.
    """

    order_id: str
    status: str
    axes: Axes
    progress: str
    waits_for: Task | None
    findings: tuple[str, ...]
    missing_minor: int
    text: str


async def order(order_id: str) -> Order:
    """Return the order as the primary store has it."""
    return await loaded(order_id)


async def records(order_id: str) -> tuple[Record, ...]:
    """Return the log of the order."""
    await loaded(order_id)
    return await ReadRecords(order_id)


async def timeline(order_id: str) -> Timeline:
    """Return what happened to the order."""
    found = await loaded(order_id)
    return Timeline(
        order_id, tuple(entry for record in await ReadRecords(order_id) for entry in _entries(found, record))
    )


def _entries(order: Order, record: Record) -> list[Entry]:
    stamp, status = record.stamp, record.to_status
    return [
        Entry(stamp.at, stamp.actor, event.type, _said(order, event.data), status, stamp.reason, event.data)
        for event in record.events
    ]


def _said(order: Order, data: Mapping[str, Any]) -> str:
    """Return an event's data as people read it: amounts with their currency, ids without the order's own before them."""
    parts = {
        name.removesuffix("_minor"): str(Money(value, order.currency))
        if name.endswith("_minor")
        else str(value).removeprefix(f"{order.id}-")
        for name, value in sorted(data.items())  # as a store in a file has them
        if name != "currency" and value not in ("", None) and not isinstance(value, (list, dict))
    }
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parts.items())


async def offered(order_id: str) -> tuple[Action, ...]:
    """Return every command with whether, why not, until when, and its dry run."""
    return actions(await loaded(order_id), await Now())


async def why(order_id: str) -> Why:
    """Say why the order stands where it stands."""
    found, now = await loaded(order_id), await Now()
    task = due(found)
    progress = _progress(found, task, now)
    return Why(
        order_id=order_id,
        status=word(found),
        axes=axes(found),
        progress=progress,
        waits_for=task,
        findings=found.findings,
        missing_minor=missing_minor(found),
        text=_explained(found, task, progress, now),
    )


def _progress(found: Order, task: Task | None, now: datetime) -> str:
    if found.findings:
        return "stuck"
    doubts = [o for _, o in found.operations() if o.open and (o.asked or o.attempt > 1)]
    if doubts:
        return "retrying"
    if found.active_holds:
        return "waiting"
    if task is None:
        return "done"
    return "moving" if task.at <= now else "waiting"


_WAITS = {
    "move_money": "the payment provider is about to be called",
    "ask_payment": "the payment provider's answer is not known; it is asked again",
    "expire_reservation": "the payment has to come before the reservation ends",
    "expire_authorization": "the authorization holds until then",
    "release_shipment": "the warehouse begins to work on it",
    "track_shipment": "the carrier is asked where the parcel is",
    "expire_return": "the returned goods have to arrive",
    "expire_hold": "the hold ends by itself",
    "allocate_backorder": "stock is looked for again",
}


def _explained(found: Order, task: Task | None, progress: str, now: datetime) -> str:
    parts = [f"{found.id} is {word(found).replace('_', ' ')}."]
    if found.reason:
        parts.append(f"Reason: {found.reason}.")
    parts += [
        f"On hold since {h.placed_at:%Y-%m-%d %H:%M} ({h.reason}); release the hold to go on."
        for h in found.active_holds
    ]
    if found.findings:
        parts.append("Somebody has to look at: " + ", ".join(found.findings) + ".")
    if missing := missing_minor(found):
        again = " or attend to what is stuck to ask the same one again" if found.findings else ""
        parts.append(f"{Money(missing, found.currency)} are missing: pay with another tender{again}.")
    if PARKED in found.findings:
        parts.append(
            "It is parked: every attempt to go on with it failed, as its timeline says, and nothing is done until it is attended to."
        )
    if task is not None:
        when = "now" if task.at <= now else f"at {task.at:%Y-%m-%d %H:%M} UTC"
        parts.append(f"Next, {when}: {_WAITS[task.kind.value]}" + (f" ({task.subject})." if task.subject else "."))
    elif progress == "done":
        parts.append("It waits for nothing.")
    return " ".join(parts)


async def orders(query: OrderQuery) -> Page:
    """Return a page of orders, newest first. What holds a text that no store keeps is in no order.

    Raises: `InvalidInput` (a value of the wrong kind, a status that cannot be one, or a cursor of another list).
    """
    sought = (query.customer, query.sku, query.tracking_number, query.text)
    if any(isinstance(text, str) and not storable(text) for text in sought):
        return Page(())
    query = kept(query, "query", OrderQuery)
    _check_words("statuses", query.statuses, STATUS.states)
    _check_words("payment_statuses", query.payment_statuses, PAYMENT_STATUSES)
    return await FindOrders(query)


def _check_words(name: str, words: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a status that no order has: with a slip of the pen the page would be empty."""
    if unknown := [word for word in words if word not in known]:
        raise InvalidInput(f"{unknown[0]!r} is no status; there are: {', '.join(known)}", field=name)


async def stock(*skus: str) -> tuple[StockLevel, ...]:
    """Return stock levels of some SKUs, or of all. Raises: `InvalidInput`."""
    if not all(isinstance(sku, str) for sku in skus):
        raise InvalidInput("SKUs are texts, one after the other", field="skus")
    known = tuple(sku for sku in skus if storable(sku))
    return await ReadStock(known) if known or not skus else ()


async def replay(order_id: str) -> Order:
    """Return the order that its log tells; it equals the stored one, or the log is broken."""
    found = await loaded(order_id)
    return replayed(await ReadRecords(order_id), found.facts)


async def cart_of(order_id: str) -> Cart:
    """Return a cart with the lines of an earlier order, to be ordered again at the prices and taxes of then, without discounts and charges.

    The host prices it anew if it likes.
    """
    facts = (await loaded(order_id)).facts
    cart = Cart(
        customer=facts.customer,
        ship_to=facts.ship_to,
        currency=facts.currency,
        delivery=evolve(facts.delivery, not_before=None),
        contact=facts.contact,
        tax_included=facts.prices.tax_included,
    )
    lines = tuple(
        CartLine(
            sku=line.sku,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            tax_minor=facts.prices.line(line.number).tax_minor,
            name=line.name,
            seller=line.seller,
            backorder=line.backorder,
            tags=line.tags,
            attributes=line.attributes,
        )
        for line in facts.lines
    )
    return evolve(cart, lines=lines)


def expected_refund(order: Order, found: Return) -> int:
    """Return what a return will give back (minor units) when all that is outstanding arrives as new; nothing once it has ended.

    Returns that were opened before it and still wait are taken to have arrived, so that what is quoted for all of them adds up. Execution
    uses the same functions.
    """
    if not _awaited(found):
        return 0
    for earlier in order.returns:
        if earlier.id == found.id:
            break
        if _awaited(earlier):
            order = _arrived(order, earlier)
    refund = refund_of(order, found.id, graded_by_default(found.outstanding), "expected", order.updated_at)
    return 0 if refund is None else refund.total_minor


def _awaited(found: Return) -> bool:
    return bool(found.outstanding) and not RETURN.states[found.state].final


def _arrived(order: Order, found: Return) -> Order:
    """Return the order as it will be when all that is outstanding of the return has come."""
    at = order.updated_at
    if found.state == RETURN.initial:
        order = return_authorized(order, found.id, at).order
    return return_received(order, found.id, graded_by_default(found.outstanding), at, warehouse="").order
