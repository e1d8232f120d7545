"""How a life ends: first the world heals and workers have their time, then people finish what was begun.

Nothing here decides whether a law holds. Whoever finishes an order does what its findings and its offers ask for, as a person at a desk would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderkit import Order
from orderkit.testing.sim.chance import Dice
from tests.lives.bank import KIND
from tests.lives.moves import Call, booked


if TYPE_CHECKING:  # a life has an ending
    from tests.lives.life import Life

ALL_ROLES = ("sagas", "resolver", "timers", "relay", "inbox")
HEALING = (0.01, 0.1, 1, 1, 1, 1, 1, 2, 2, 6, 24, 24)  # hours between rounds: beyond three refusals an hour apart, and a reservation of a day
ROUNDS = 14


def heal(life: Life) -> None:
    """Everybody answers again, every letter arrives, and workers do their rounds."""
    world = life.world
    world.bank.temper, world.carrier.says, world.fate.doors = KIND, "yes", None
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
            for call in _next(life, dice, order):
                life.attempt(call, f"end-{number}-{len(life.spent)}", dice, risky=False)
        life.world.clock.advance(hours=2)
        _drained(life)


def _next(life: Life, dice: Dice, order: Order) -> list[Call]:
    """Return what a person does next for an order: one kind of thing at a time, since each changes what comes after."""
    if order.findings:
        stuck = [f for f in order.findings]
        calls = [Call("attend", (order.id, finding)) for finding in stuck]
    else:
        calls = []
    if order.state == "payment_failed":
        return [*calls, Call("pay", (order.id, "pm_new")) if dice.chance(0.5) else Call("cancel", (order.id,), {"reason": "never_paid"})]
    if order.active_holds:
        return [*calls, *(Call("release_hold", (order.id, hold.id)) for hold in order.active_holds)]
    waiting = [s for s in order.shipments if s.waiting]
    if waiting:
        return [*calls, *(Call("ship", (order.id, s.id), {"booked": booked(s)}) for s in waiting)]
    if any(line.open for line in order.lines):
        return [*calls, _unblocked(dice, order)]
    travelling = [s for s in order.shipments if s.state in ("shipped", "out_for_delivery")]
    if travelling:
        return [*calls, *(Call("deliver", (order.id, s.id)) for s in travelling)]
    return [*calls, *_returned(order)]


def _unblocked(dice: Dice, order: Order) -> Call:
    """Bring the goods that the order waits for, or give them up."""
    if dice.chance(0.5):
        return Call("cancel", (order.id, {line.number: line.open for line in order.lines if line.open}), {"reason": "too_late"})
    line = next(line for line in order.lines if line.open)
    return Call("put_stock", (line.sku, {"berlin": line.open}), {"reason": "received"}, dry=False)


def _returned(order: Order) -> list[Call]:
    calls = []
    for found in order.returns:
        if found.state == "requested":
            calls.append(Call("decline_return", (order.id, found.id), {"reason": "too_late"}))
        elif found.state in ("authorized", "in_transit"):
            calls.append(Call("receive_return", (order.id, found.id), {"warehouse": "berlin"}))
        elif found.state == "partially_received":
            calls.append(Call("close_return", (order.id, found.id), {"reason": "rest_lost"}))
    return calls
