"""How a life ends: first the world heals and workers have their time, then people finish what was begun.

Nothing here decides whether a law holds. Whoever finishes an order does what its findings and its offers ask for, as a person at a desk would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderkit import Order
from orderkit.domain.money import to_text
from orderkit.domain.owing import missing_minor
from orderkit.testing.sim.chance import Dice
from tests.lives.bank import KIND
from tests.lives.calls import Call
from tests.lives.moves import booked
from tests.lives.owed import MISSING, missed

if TYPE_CHECKING:  # a life has an ending
    from tests.lives.life import Life

ALL_ROLES = ("sagas", "resolver", "timers", "relay", "inbox")
HEALING = (
    0.01,
    0.1,
    1,
    1,
    1,
    1,
    1,
    2,
    2,
    6,
    24,
    24,
)  # hours between rounds: beyond three refusals an hour apart, and a reservation of a day
ROUNDS = 14
PATIENCE = 5  # rounds in which a person asks again for what a bank refused; after that he gives up
_REFUSED = (*MISSING, "void_failed")


def heal(life: Life) -> None:
    """Everybody answers again, every letter arrives, and workers do their rounds."""
    world = life.world
    world.bank.temper, world.carrier.says, world.fate.doors = KIND, "yes", None
    world.bank.blocked.clear()
    world.note("the world heals")
    while world.letters:
        world.shop.receive_message(world.letters.pop(0))
    for hours in HEALING:
        world.clock.advance(hours=hours)
        _drained(life)


def _drained(life: Life) -> None:
    for _ in range(20):
        if life.world.shop.sweep(roles=ALL_ROLES).idle:
            return


def finish(life: Life) -> None:
    """People finish every order, round by round: look at findings, send what waits, receive what comes back."""
    dice = Dice(life.seed, "ending")
    life.world.note("people finish")
    for number in range(ROUNDS):
        for order in life.world.all():
            for call in [*_looked_at(order, number), *_next(dice, order, number)]:
                life.attempt(call, f"end-{number}-{len(life.spent)}", dice, risky=False)
        life.world.clock.advance(hours=2)
        _drained(life)


def _looked_at(order: Order, number: int) -> list[Call]:
    """Return how a person attends to what is stuck."""
    found = [finding for finding in order.findings if number < PATIENCE or finding.partition(":")[0] not in _REFUSED]
    return [Call("attend", (order.id, finding)) for finding in found]


def _next(dice: Dice, order: Order, number: int) -> list[Call]:
    """Return what a person does next for an order: one kind of thing at a time, since each changes what comes after."""
    if order.state == "payment_failed":
        return [
            Call("pay", (order.id, "pm_new"))
            if dice.chance(0.5)
            else Call("cancel", (order.id,), {"reason": "never_paid"})
        ]
    if missing := missing_minor(order):
        return [_given_up(order, missing) if dice.chance(0.3) else Call("pay", (order.id, "pm_new"))]
    if order.state == "cancelled" and missed(order) and number >= PATIENCE:
        return [_given_up(order, order.due_minor - order.paid_minor)]
    if order.active_holds:
        return [Call("release_hold", (order.id, hold.id)) for hold in order.active_holds]
    if waiting := [shipment for shipment in order.shipments if shipment.waiting]:
        return [Call("ship", (order.id, shipment.id), {"booked": booked(shipment)}) for shipment in waiting]
    if any(line.open for line in order.lines):
        return [_unblocked(dice, order)]
    if travelling := [shipment for shipment in order.shipments if shipment.state in ("shipped", "out_for_delivery")]:
        return [Call("deliver", (order.id, shipment.id)) for shipment in travelling]
    return _returned(order)


def _given_up(order: Order, missing_minor: int) -> Call:
    """Do without what nobody pays."""
    return Call("refund", (order.id, to_text(missing_minor, order.currency)), {"reason": "never_paid"})


def _unblocked(dice: Dice, order: Order) -> Call:
    """Bring the goods that the order waits for, or give them up."""
    if dice.chance(0.5):
        return Call(
            "cancel", (order.id, {line.number: line.open for line in order.lines if line.open}), {"reason": "too_late"}
        )
    line = next(line for line in order.lines if line.open)
    return Call("put_stock", (line.sku, {"berlin": line.open}), {"reason": "received"}, dry=False)


def _returned(order: Order) -> list[Call]:
    """Say no to what still asks, receive what is on its way, close what has come in part."""
    calls = []
    for found in order.returns:
        if found.state == "requested":
            calls.append(Call("decline_return", (order.id, found.id), {"reason": "too_late"}))
        elif found.state in ("authorized", "in_transit"):
            calls.append(Call("receive_return", (order.id, found.id), {"warehouse": "berlin"}))
        elif found.state == "partially_received":
            calls.append(Call("close_return", (order.id, found.id), {"reason": "rest_lost"}))
    return calls
