"""What a seed plays: a mix of customers, drawn with the shelves, the rules and the number of processes.

Every seed has its own mix, as every seed has its own faults: some shops are starved of stock, some take money per shipment, some have webhooks.
The draw is a scenario like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from orderkit.domain.order import Order
from orderkit.domain.payment import CaptureMode
from orderkit.testing.sim.bank import ABANDONED, DECLINED, EMPTY, GIFT, GOOD, HELD, LOST, UNSENT
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.people import Script, Until, Wait
from orderkit.testing.sim.scenes import PRICES, STOCK, Scenario, Scene, Shelves, tender

SCARCE: Shelves = {"MUG": {"berlin": 3, "madrid": 2}, "TEE": {"madrid": 3}, "HAT": {"berlin": 4}, "PEN": {"berlin": 6}}
CUSTOMERS = (3, 7)
METHODS = (GOOD,) * 9 + (DECLINED, LOST, UNSENT, HELD, ABANDONED, EMPTY)


def drawn(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    dice = Dice(seed, "workload")
    customers = dice.between(*CUSTOMERS)
    scarce, short_hold = dice.chance(0.35), dice.chance(0.2)

    def people(scene: Scene) -> Iterable[tuple[float, Script]]:
        dice = Dice(seed, "cast")  # anew for each run: a scenario is played as often as one likes
        for n in range(1, customers + 1):
            name = f"cart-{n}"
            lines = {sku: dice.between(1, 3) for sku in dice.some_of(tuple(PRICES), 0.5)} or {"MUG": 1}
            begin = dice.between(0, 20)
            life = LIVES[dice.below(len(LIVES))]
            method = dice.one_of(METHODS)
            yield begin, life(scene, name, lines, method)
            if dice.chance(0.25):  # the customer clicks twice
                yield begin + dice.random() * 2, scene.places(name, lines, method)
            for other in range(dice.one_of((0, 0, 1, 2))):  # and others have to do with the order, at any moment
                yield begin, meddles(scene, name, f"{name}-{other}", next(iter(lines)))
        if scarce:
            yield 60, scene.restocks("MUG", "berlin", 5, "delivery-1")

    return Scenario(
        name="drawn",
        about=f"what seed {seed} draws",
        people=people,
        shelves=SCARCE if scarce else STOCK,
        capture=CaptureMode.PER_SHIPMENT if dice.chance(0.4) else CaptureMode.NOW,
        reservation=timedelta(minutes=2 if short_hold else 30),
        authorization=timedelta(minutes=dice.one_of((15, 40, 7 * 24 * 60, 7 * 24 * 60))),
        webhooks=dice.chance(0.35),
        apis=dice.between(1, 3),
        workers=dice.between(1, 3),
    )


# ---- lives of orders


def meddles(scene: Scene, name: str, key: str, sku: str) -> Script:
    """Somebody does something to an order that another person made, whatever else is going on."""
    yield Until(lambda: scene.order_of(name) is not None, 300)
    order = scene.order_of(name)
    if order is None:
        return
    yield Wait(scene.dice.random() * 30)
    match scene.dice.below(9):
        case 0:
            yield from scene.cancels(order.id, key)
        case 1:
            yield from scene.cancels(order.id, key, {sku: 1})
        case 2:
            yield from scene.adds(order.id, key, {"PEN": 2}, scene.dice.one_of(METHODS))
        case 3:
            yield from scene.refunds(order.id, key, 50)
        case 4:
            yield from scene.moves_house(order.id, key)
        case 5:
            yield from scene.stops(order.id, key, 20)
        case 6:
            yield from scene.pays(order.id, key, scene.dice.one_of(METHODS))
        case 7:
            yield Until(lambda: bool(scene.order(order.id).findings), 3 * 3_600)
            yield from scene.attends(order.id, key)
        case _:
            yield from scene.ships(order.id)


def buys(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody buys, and nothing else."""
    return (yield from scene.places(name, lines, method))


def gets_it(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody buys, and the goods leave; a declined customer pays with another card."""
    order: Order = yield from buys(scene, name, lines, method)
    if order.state == "payment_failed" and scene.dice.chance(0.5):
        order = yield from scene.pays(order.id, f"{name}-pay")
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    return (yield from scene.ships(order.id, after=scene.dice.between(1, 40)))


def cancels(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody buys and changes his mind, perhaps while the payment is under way."""
    order: Order = yield from buys(scene, name, lines, method)
    yield Wait(scene.dice.random() * 20)
    return (yield from scene.cancels(order.id, f"{name}-cancel"))


def cancels_some(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody cancels one unit; the rest leaves."""
    order: Order = yield from buys(scene, name, lines, method)
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    yield from scene.cancels(order.id, f"{name}-less", {next(iter(lines)): 1})
    return (yield from scene.ships(order.id, after=5))


def wants_more(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody adds a line, and pays the difference with another card or a bad one."""
    order: Order = yield from buys(scene, name, lines, method)
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    return (yield from scene.adds(order.id, f"{name}-more", {"HAT": 1}, scene.dice.one_of(METHODS)))


def sends_back(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody gets the goods and sends one unit back."""
    order: Order = yield from gets_it(scene, name, lines, method)
    if (yield scene.arrives(order.id)):
        yield from scene.sends_back(order.id, {next(iter(lines)): 1})


def finds_too_few(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """The warehouse cannot find all of it."""
    order: Order = yield from buys(scene, name, lines, method)
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    if scene.order(order.id).state == "confirmed" and any(s.waiting for s in scene.order(order.id).shipments):
        yield from scene.runs_short(order.id)
    return (yield from scene.ships(order.id, after=5))


def complains(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody gets a little money back for his trouble."""
    order: Order = yield from buys(scene, name, lines, method)
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    return (yield from scene.refunds(order.id, f"{name}-sorry", 100))


def has_a_gift_card(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody pays with a gift card, and with a card what is left; the gift card may be empty by then."""
    pay = [tender(GIFT, 100, kind="gift_card"), tender(method)]
    order: Order = yield from scene.places(name, lines, pay)
    if scene.dice.chance(0.5):
        yield Wait(scene.dice.random() * 10)
        yield from scene.cancels(order.id, f"{name}-cancel")


def gives_another_card(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody's card holds no money any more when the goods leave: he gives others, a part with one perhaps, until nothing is missing."""
    order: Order = yield from scene.places(name, lines, EMPTY)
    yield scene.is_in(name, "confirmed", "cancelled", "payment_failed")
    yield from scene.ships(order.id, after=scene.dice.between(1, 40))
    pays = [tender(method), tender(GOOD), tender(GOOD)]
    if scene.dice.chance(0.5):
        pays.insert(0, tender(GIFT, 100, kind="gift_card"))
    for number, pay_with in enumerate(pays):
        if not (yield from scene.misses_money(order.id)):
            break
        yield from scene.settles(order.id, f"{name}-other-{number}", pay_with)


def waits_for_stock(scene: Scene, name: str, lines: dict[str, int], method: str) -> Script:
    """Somebody is ready to wait for what is not there."""
    order: Order = yield from scene.places(name, {**lines, "MUG": 4}, method, backorder=True)
    return (yield from scene.ships(order.id, after=5))


LIVES = (
    buys,
    gets_it,
    gets_it,
    cancels,
    cancels,
    cancels_some,
    wants_more,
    sends_back,
    finds_too_few,
    complains,
    has_a_gift_card,
    gives_another_card,
    waits_for_stock,
)
