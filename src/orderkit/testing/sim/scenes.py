"""Scenes: what scripts of customers, warehouses and service people are made of, and the scenario that puts them together.

Each helper is a part of a script (`yield from scene.places(…)`). A scenario names its people, its shelves and the shop's rules; it knows no
fault. Hosts write scenarios of their own with these, and `Ask` for any flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from orderkit.domain.cart import Cart
from orderkit.domain.order import Address, Order, Policies
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import CaptureMode, Tender
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, NotAllowed
from orderkit.flows import changing, fulfilling, placing, returning, stocking
from orderkit.flows.webhooks import receive_message
from orderkit.ports.payments import Payments
from orderkit.ports.settings import Settings
from orderkit.ports.store import Message
from orderkit.testing.sim.bank import AUTHORIZED_FOR, GOOD
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.people import Ask, Script, Until, Wait
from orderkit.testing.sim.world import World

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
PRICES = {"MUG": "12.50", "TEE": "20.00", "HAT": "8.99", "PEN": "1.10"}
Shelves = Mapping[str, Mapping[str, int]]
STOCK: Shelves = {
    "MUG": {"berlin": 20, "madrid": 10},
    "TEE": {"madrid": 20},
    "HAT": {"berlin": 20},
    "PEN": {"berlin": 200},
}


@attrs.define(eq=False)
class Scene:
    """A world with words to write scripts in."""

    world: World
    dice: Dice
    shelves: Shelves = attrs.field(factory=dict)

    # ---- looking on

    def order(self, order_id: str) -> Order:
        """Return the order as it was committed last."""
        return self.world.witness.latest[order_id]

    def order_of(self, cart: str) -> Order | None:
        """Return the order of a cart, if there is one."""
        return next((o for o in self.world.witness.latest.values() if o.facts.reference == cart), None)

    def is_in(self, cart: str, *states: str) -> Until:
        """Wait until the order of a cart is in one of the states."""
        return Until(lambda: (found := self.order_of(cart)) is not None and found.state in states)

    def cart(self, name: str, lines: Mapping[str, int], *, backorder: bool = False) -> Cart:
        """Return a cart that carries its own name to the order."""
        cart = Cart(customer=f"customer-{name}", ship_to=HOME, currency="EUR", reference=name)
        for sku, quantity in lines.items():
            cart = cart.add(sku, quantity, PRICES[sku], name=sku.title(), backorder=backorder)
        return cart

    # ---- parts of scripts

    def places(
        self, name: str, lines: Mapping[str, int], pay_with: placing.PayWith = GOOD, *, backorder: bool = False
    ) -> Script:
        """Place a cart under its own name as the key; the answer is the order."""
        cart = self.cart(name, lines, backorder=backorder)
        accepted = yield Ask(lambda caller: placing.place(cart, pay_with, caller), name, f"place {name}")
        return accepted.order

    def pays(self, order_id: str, key: str, pay_with: placing.PayWith = GOOD) -> Script:
        """Pay an order whose payment failed, or what a confirmed one misses."""
        return (yield Ask(lambda caller: placing.pay(order_id, pay_with, caller), key, f"pay {order_id}"))

    def settles(self, order_id: str, key: str, pay_with: placing.PayWith = GOOD) -> Script:
        """Pay what the order misses, unless somebody else has just done so."""
        try:
            yield from self.pays(order_id, key, pay_with)
        except (InvalidInput, NotAllowed):
            return self.order(order_id)
        return self.order(order_id)

    def misses_money(self, order_id: str) -> Script:
        """Wait until the order misses money that nobody is asked for; not any longer once all is paid, or nothing is going to be."""

        def known() -> bool:
            order = self.order(order_id)
            return order.state != "confirmed" or order.paid_minor >= order.due_minor or missing_minor(order) > 0

        yield Until(known, 3 * 3_600)  # three refusals of a capture are two hours apart
        order = self.order(order_id)
        return order.state == "confirmed" and missing_minor(order) > 0

    def attends(self, order_id: str, key: str) -> Script:
        """Look at what is stuck on the order; what another has settled meanwhile is passed over."""
        for number, finding in enumerate(self.order(order_id).findings):
            asked = lambda caller, found=finding: changing.attend(order_id, found, caller)  # noqa: E731  (a name for what is asked)
            try:
                yield Ask(asked, f"{key}-{number}", f"attend to {finding}")
            except (InvalidInput, NotAllowed):
                continue
        return self.order(order_id)

    def misses_refund(self, order_id: str, operation_id: str, key: str) -> Script:
        """Wait until the bank tells that a refund has come back; when it never does, the customer calls, and the shop asks."""
        yield Until(lambda: self.order(order_id).operation(operation_id)[1].state == "reversed", 3_600)
        reference = self.order(order_id).operation(operation_id)[1].key
        called = Message(
            source="desk", id=key, kind="payment.missed", reference=reference, data={}, received_at=self.world.time()
        )
        return (yield Ask(lambda caller: receive_message(called, caller), None, f"ask about {reference}"))

    def cancels(self, order_id: str, key: str, units: changing.Units | None = None) -> Script:
        """Cancel an order or some of it."""
        asked = lambda caller: changing.cancel(order_id, units, caller, reason="changed_mind")  # noqa: E731  (a name for what is asked)
        return (yield Ask(asked, key, f"cancel {order_id}"))

    def adds(self, order_id: str, key: str, lines: Mapping[str, int], pay_with: placing.PayWith = GOOD) -> Script:
        """Add lines to an order, and pay the difference."""
        cart = self.cart("", lines)
        asked = lambda caller: changing.add_lines(order_id, cart, pay_with, caller)  # noqa: E731  (a name for what is asked)
        return (yield Ask(asked, key, f"add to {order_id}"))

    def refunds(self, order_id: str, key: str, amount_minor: int) -> Script:
        """Give something back for good will."""
        asked = lambda caller: changing.refund(order_id, amount_minor, caller, reason="goodwill")  # noqa: E731  (a name for what is asked)
        return (yield Ask(asked, key, f"refund {order_id}"))

    def ships(self, order_id: str, *, after: float = 0) -> Script:
        """Send out every shipment that waits in its warehouse; what the rules forbid stays."""
        if after:
            yield Wait(after)
        for shipment in self.order(order_id).shipments:
            if shipment.waiting:
                asked = lambda caller, found=shipment.id: fulfilling.ship(order_id, found, caller)  # noqa: E731  (a name for what is asked)
                try:
                    yield Ask(asked, f"ship-{shipment.id}", f"ship {shipment.id}")
                except NotAllowed:
                    continue
        return self.order(order_id)

    def moves_house(self, order_id: str, key: str) -> Script:
        """Send what has not left to another street."""
        there = evolve(HOME, street=f"{key} 7")
        return (yield Ask(lambda caller: changing.amend_address(order_id, there, caller), key, f"move {order_id}"))

    def stops(self, order_id: str, key: str, seconds: float) -> Script:
        """Put the order on hold, and let it go again."""
        asked = lambda caller: changing.hold(order_id, caller, reason="check")  # noqa: E731  (a name for what is asked)
        order: Order = yield Ask(asked, key, f"hold {order_id}")
        yield Wait(seconds)
        found = order.holds[-1].id
        freed = lambda caller: changing.release_hold(order_id, found, caller)  # noqa: E731  (a name for what is asked)
        return (yield Ask(freed, f"{key}-end", f"free {order_id}"))

    def runs_short(self, order_id: str, units: int = 1) -> Script:
        """The warehouse finds fewer units of the first line of the first shipment than it should have."""
        shipment = next(s for s in self.order(order_id).shipments if s.waiting)
        line, held = shipment.lines[0]
        missing = {line: min(units, held)}
        asked = lambda caller: fulfilling.refuse(  # noqa: E731  (a name for what is asked)
            order_id, shipment.id, caller, reason="short_pick", missing=missing
        )
        return (yield Ask(asked, f"short-{shipment.id}", f"short {shipment.id}"))

    def arrives(self, order_id: str) -> Until:
        """Wait until every shipment that left has arrived."""
        return Until(
            lambda: (
                all(s.delivered_at for s in self.order(order_id).shipments if s.shipped_at is not None)
                and any(s.shipped_at for s in self.order(order_id).shipments)
            ),
            3 * 3_600,
        )

    def sends_back(self, order_id: str, units: changing.Units, *, warehouse: str = "berlin") -> Script:
        """Ask for a return, send the goods, and have them received and refunded."""
        key = f"return-{order_id}"
        asked = lambda caller: returning.request_return(order_id, units, caller, reason="too_big")  # noqa: E731  (a name for what is asked)
        order: Order = yield Ask(asked, key, f"return {order_id}")
        found = order.returns[-1].id
        yield Wait(60)
        received = lambda caller: returning.receive_return(  # noqa: E731  (a name for what is asked)
            order_id, found, None, caller, warehouse=warehouse
        )
        return (yield Ask(received, f"receive-{found}", f"receive {found}"))

    def restocks(self, sku: str, warehouse: str, units: int, key: str) -> Script:
        """Goods arrive; the witness counts them when they do."""
        shelf = (sku, warehouse)
        self.world.witness.delivered[shelf] = self.world.witness.delivered.get(shelf, 0) + units
        asked = lambda caller: stocking.put_stock(sku, {warehouse: units}, caller)  # noqa: E731  (a name for what is asked)
        return (yield Ask(asked, key, f"restock {sku}"))


People = Callable[[Scene], Iterable[tuple[float, Script]]]


@attrs.frozen(kw_only=True)
class Scenario:
    """A story with a cast: people with the second at which each begins, the shelves, the rules, and what must be true in the end.

    `ends` yields sentences about what is not as the story demands; the invariants hold in any case. `payments` brings a provider of the
    host's own in the place of the bank; the ledger is not compared then.
    """

    name: str
    about: str
    people: People
    shelves: Shelves = attrs.field(factory=lambda: STOCK)
    ends: Callable[[Scene], Iterable[str]] = lambda _: ()
    capture: CaptureMode = CaptureMode.NOW
    reservation: timedelta = timedelta(minutes=30)
    authorization: timedelta = AUTHORIZED_FOR
    webhooks: bool = False
    apis: int = 2
    workers: int = 2
    settings: Settings | None = None
    payments: Callable[[], Payments] | None = None

    def rules(self) -> Settings:
        """Return the shop's settings."""
        if self.settings is not None:
            return self.settings
        return Settings(policies=Policies(capture=self.capture, reservation=self.reservation))


def tender(method: str, amount_minor: int | None = None, *, kind: str = "card") -> Tender:
    """Return a tender over an amount, or over the rest."""
    return Tender(method=method, kind=kind, amount_minor=amount_minor)


def waits_for(scene: Scene, cart: str, *states: str) -> Script:
    """Wait for the order of a cart to be in a state, and return it."""
    yield scene.is_in(cart, *states)
    found: Any = scene.order_of(cart)
    return found
