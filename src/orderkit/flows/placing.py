"""Place an order, and pay one again or with another tender: the part that is accepted in one commit, then the saga that goes on from it.

`accept` awaits only what the store answers, so it can run in a transaction of the host; whoever runs it goes on with `advance`, or leaves that
to a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from orderkit.domain.allocation import Plan
from orderkit.domain.cart import Cart
from orderkit.domain.covering import covered
from orderkit.domain.events import Decision
from orderkit.domain.given import kept
from orderkit.domain.money import to_minor
from orderkit.domain.order import Order
from orderkit.domain.payment import Tender
from orderkit.domain.placing import divided, paid_again, placed
from orderkit.domain.quantities import Bucket
from orderkit.domain.value import Value
from orderkit.errors import Conflict, InvalidInput
from orderkit.flows.advancing import answered_by_the_winner, continued, followed
from orderkit.flows.kit import (
    Caller,
    committed,
    demand_of,
    planned,
    recalled,
    remembered,
    replanned,
    replayed,
    spent_on,
    waiting,
)
from orderkit.ports.clock import NewId, Now
from orderkit.ports.settings import ReadSettings, Settings
from orderkit.ports.store import Committed, DuplicateKey, OutOfStock

PayWith = str | Tender | Sequence[Tender]


class Accepted(Value):
    """The order is durable, or will be with the host's COMMIT; `replayed` says that an earlier request with the key made it."""

    order: Order
    replayed: bool = False


def tenders_of(pay_with: PayWith) -> tuple[Tender, ...]:
    """Return the tenders that a host's word for them means: a method token pays everything. Raises: `InvalidInput`."""
    if isinstance(pay_with, str):
        pay_with = Tender(method=pay_with)
    found = tuple(pay_with) if isinstance(pay_with, Iterable) else (pay_with,)
    if not all(isinstance(each, Tender) for each in found):
        raise InvalidInput("say what pays: a method's token, a tender, or several", field="pay_with")
    return found


def tender(
    method: str, amount: str | int | Decimal | None = None, *, kind: str = "card", currency: str = "EUR"
) -> Tender:
    """Return a tender over an amount in major units, or over the rest."""
    return Tender(method=method, kind=kind, amount_minor=None if amount is None else to_minor(amount, currency))


async def accept(cart: Cart, pay_with: PayWith, caller: Caller) -> Accepted:
    """Plan, reserve, and make the order durable with its payment intents; nothing outside is called."""
    settings = await ReadSettings()
    asked = tenders_of(pay_with)
    read, tenders = kept(cart, "cart", type(cart)), kept(asked, "tenders", Tender)
    claim = caller.claim("place", cart, asked)  # as they were given: a repeat gives them in the same way
    if read != cart:  # else the cart itself goes on: a copy has cold texts, and costs a twentieth of placing
        cart = read
    facts = cart.facts(settings.policies)
    divided(tenders, facts.prices.total_minor, facts.currency) if facts.prices.total_minor else None
    hinting = claim if settings.recalls_keys else None
    if hinting is not None and (spent := await recalled(hinting)) is not None:
        return Accepted(await replayed(spent, claim), replayed=True)
    order_id = await NewId()
    for _ in range(settings.retry_max):
        now = await Now()
        plan = await planned(facts, demand_of(facts.lines), settings)
        warehouses = settings.known({parcel.warehouse for parcel in plan.parcels})
        decision = placed(order_id, facts, plan, tenders, now, warehouses=warehouses, handling=settings.handling)
        later = now + settings.handover_after if caller.goes_on else None
        order, answer = await committed(None, decision, caller.stamp("place", now), key=claim, not_due_before=later)
        match answer:
            case Committed():
                if hinting is not None:
                    await remembered(hinting, order_id)
                return Accepted(order)
            case DuplicateKey():
                return Accepted(await replayed(answer, claim), replayed=True)
            case OutOfStock():  # somebody took the shelf between the look and the commit: look again
                if (spent := await spent_on(claim)) is not None:
                    return Accepted(await replayed(spent, claim), replayed=True)
            case _:
                continue
    raise Conflict("the stock changed again and again while the order was placed", code="stock_contended")


async def place(cart: Cart, pay_with: PayWith, caller: Caller) -> Accepted:
    """Place the order and take it to its first answer: confirmed, failed, cancelled for lack of stock, or in doubt."""
    accepted = await accept(cart, pay_with, caller)
    if accepted.replayed:
        return Accepted(await followed(accepted.order, answered_by_the_winner(accepted.order)), replayed=True)
    return Accepted(await continued(accepted.order, caller))


async def accept_payment(order_id: str, pay_with: PayWith, caller: Caller) -> Order:
    """Make new payment intents durable: on an order whose payment failed, whose goods are reserved again, or for what a confirmed one misses."""
    asked = tenders_of(pay_with)
    tenders = kept(asked, "tenders", Tender)

    def decide(order: Order, now: datetime, plan: Plan, settings: Settings) -> Decision:
        if order.state == "confirmed":  # its goods are where they are
            return covered(order, tenders, now)
        warehouses = settings.known({parcel.warehouse for parcel in plan.parcels})
        return paid_again(order, plan, tenders, now, warehouses=warehouses, handling=settings.handling)

    return await replanned(
        order_id,
        "pay",
        lambda order: waiting(order, Bucket.UNALLOCATED),
        decide,
        caller,
        partial="refuse",
        request=(asked,),
    )


async def pay(order_id: str, pay_with: PayWith, caller: Caller) -> Order:
    """Pay an order whose first payment failed, or with other tenders what is missing on a confirmed one.

    For a confirmed order they may give less than is missing, never more; one without an amount takes the rest.
    """
    return await continued(await accept_payment(order_id, pay_with, caller), caller)
