"""What people may do next: each move draws one call of a public verb for an order as it stands, sensible most of the time.

A move that has nothing to act upon draws nothing, and another is drawn in its place. About one call in ten cannot be right: too many units,
a wrong name, an amount beyond everything. A move looks at the world and changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from orderkit import DeliveryPreference, Grade, Graded, Order, Tender
from orderkit.domain import amending, cancelling
from orderkit.domain.holding import HOLD_REASONS, refundable_minor
from orderkit.domain.money import to_text
from orderkit.domain.order import Service
from orderkit.domain.owing import missing_minor, uncovered_minor
from orderkit.domain.returning import eligibility, returnable
from orderkit.domain.returns import Disposition
from orderkit.domain.shipment import CarrierStatus, Scan, Shipment
from orderkit.domain.value import evolve
from orderkit.ports.carriers import Booked
from orderkit.testing.sim.chance import Dice
from tests.lives.calls import Call
from tests.lives.carts import a_cart, or_no_money, tenders
from tests.lives.owed import missed
from tests.lives.reckoning import plain
from tests.lives.shop import PLACES, SKUS, World
from tests.shops import HOME

WRONG = 0.08


Move = Callable[[World, Dice, Order], Call | None]


# ---- placing and paying


def place(world: World, dice: Dice, order: Order | None = None) -> Call | None:
    """Somebody orders."""
    cart = a_cart(dice)
    if dice.chance(WRONG):
        wrong = dice.one_of(
            (evolve(cart, lines=()), cart.add("NOTHING", 1, "1.00"), evolve(cart, expected_total_minor=7))
        )
        return Call("place", (wrong, "pm_visa"))
    pay = tenders(dice, cart.prices().total_minor)
    if dice.chance(WRONG):
        pay = [Tender(method="pm_visa", amount_minor=1_000_000)]
    return Call("place", (cart, pay))


def pay(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody pays an order whose payment failed, or with other tenders what is missing on a confirmed one: all of it, a part, too much."""
    missing = missing_minor(order)
    if not missing and not dice.chance(WRONG):
        return None
    if order.state == "confirmed" and dice.chance(0.3):
        return Call("pay", (order.id, Tender(method="pm_other", amount_minor=dice.between(1, missing + 1))))
    return Call("pay", (order.id, tenders(dice, missing or order.due_minor)))


# ---- changing


def cancel(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants nothing of it any more."""
    if cancelling.why_not(order, world.now) and not dice.chance(WRONG):
        return None
    return Call("cancel", (order.id,), {"reason": "changed_mind"})


def cancel_units(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants fewer of something, named by line or by SKU."""
    free = cancelling.cancellable(order, world.now)
    if not free and not dice.chance(WRONG):
        return None
    line = order.line(dice.one_of(sorted(free))) if free else dice.one_of(order.lines)
    units = dice.between(1, min(2, free.get(line.number, 1)))
    if dice.chance(WRONG):
        return Call(
            "cancel",
            (order.id, dice.one_of(({99: 1}, {line.number: 99}, {line.number: 0}, {}))),
            {"reason": "changed_mind"},
        )
    name: str | int = line.number if dice.chance(0.7) else line.sku
    return Call("cancel", (order.id, {name: units}), {"reason": "changed_mind"})


def cancel_shipment(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants one parcel no more."""
    shipment = _one(dice, order, lambda s: s.state == "planned")
    return shipment and Call("cancel", (order.id,), {"reason": "late", "shipment": shipment.id})


def amend_address(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody moves, once in a while to another country."""
    if _not_amendable(world, dice, order, "ship_to"):
        return None
    to = evolve(
        HOME, street=dice.one_of(("Torstr. 2", "Invalidenstr. 1")), country="FR" if dice.chance(WRONG) else HOME.country
    )
    return Call("amend", (order.id,), {"ship_to": to})


def amend_delivery(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants it on another day or faster; sometimes only if nobody else changed the order."""
    if _not_amendable(world, dice, order, "delivery"):
        return None
    day = world.now.date() + timedelta(days=-2 if dice.chance(WRONG) else dice.between(0, 12))
    wish = DeliveryPreference(service=dice.one_of(list(Service)), not_before=day)
    expects = {"expected_version": order.version - dice.below(2)} if dice.chance(0.2) else {}
    return Call("amend", (order.id,), {"delivery": wish, **expects})


def add_lines(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants more."""
    if _not_amendable(world, dice, order, "lines"):
        return None
    cart = a_cart(dice, lines=2, tax_included=order.facts.prices.tax_included)
    return Call(
        "amend", (order.id,), {"add": cart, "pay_with": or_no_money(dice, tenders(dice, cart.prices().total_minor))}
    )


def hold(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody has doubts, for a while or until further notice."""
    if not any(line.open for line in order.lines) and not dice.chance(WRONG):
        return None
    reason = "no reason" if dice.chance(WRONG) else dice.one_of(sorted(HOLD_REASONS))
    until = world.now + timedelta(hours=dice.between(1, 30)) if dice.chance(0.6) else None
    return Call("hold", (order.id,), {"reason": reason, "until": until})


def release_hold(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody has no doubts any more."""
    if not order.holds:
        return None
    held = order.active_holds or order.holds
    return Call("release_hold", (order.id, dice.one_of(held).id))


def refund(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody is sorry: for a little, for all that is left, or for more than there is."""
    left = refundable_minor(order)
    if not left and not dice.chance(0.3):
        return None
    amount = dice.one_of((1, 1, 250, (left + 1) // 2, (left + 1) // 2, left, left + 1, 0))
    given = {"currency": "USD"} if dice.chance(WRONG / 2) else {}
    return Call("refund", (order.id, to_text(amount, "EUR")), {"reason": "sorry", **given})


def give_up(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody does without what nobody pays, or a part of it, or that and a little more."""
    missing = uncovered_minor(order, hoped=dice.chance(0.8)) if order.state in ("confirmed", "cancelled") else 0
    if not missing:
        return None
    amount = dice.one_of((missing, missing, missing, (missing + 1) // 2, missing + 1))
    return Call("refund", (order.id, to_text(amount, "EUR")), {"reason": "never_paid"})


def attend(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody looks at what is stuck."""
    if dice.chance(WRONG / 4):
        return Call("attend", (order.id, "nothing:like:that"))
    return Call("attend", (order.id, dice.one_of(order.findings))) if order.findings else None


# ---- fulfilling


def release(world: World, dice: Dice, order: Order) -> Call | None:
    """A shipment is handed to its warehouse."""
    shipment = _one(dice, order, lambda s: s.state == "planned")
    return shipment and Call("release", (order.id, shipment.id))


def ship(world: World, dice: Dice, order: Order) -> Call | None:
    """A shipment leaves, booked here or elsewhere."""
    shipment = _one(dice, order, lambda s: s.waiting)
    if shipment is None:
        return None
    if dice.chance(0.5):
        return Call("ship", (order.id, shipment.id), dry=False)  # no carrier is called in a dry run
    return Call("ship", (order.id, shipment.id), {"booked": booked(shipment)})


def booked(shipment: Shipment) -> Booked:
    """Return a parcel that was booked elsewhere."""
    number = f"UPS-{shipment.id}"
    return Booked(
        carrier="ups", tracking_number=number, tracking_url=f"https://ups.example/{number}", label_url=f"label:{number}"
    )


def track(world: World, dice: Dice, order: Order) -> Call | None:
    """A carrier says something of a parcel, in any order, and again."""
    shipment = _one(dice, order, lambda s: s.travelling)
    if shipment is None:
        return None
    return Call("track", (order.id, shipment.id, [a_scan(world, dice, shipment)]), keyed=False)


def a_scan(world: World, dice: Dice, shipment: Shipment) -> Scan:
    """Draw what a carrier says of a parcel: something new, something late, or what it said before."""
    if shipment.scans and dice.chance(0.2):
        return dice.one_of(shipment.scans)
    status = dice.one_of((*CarrierStatus, CarrierStatus.DELIVERED, CarrierStatus.DELIVERED, CarrierStatus.LOST))
    at = world.now - timedelta(minutes=dice.one_of((0, 0, 5, 600)))
    return Scan(id=f"{status.value}@{at.isoformat()}", status=status, at=at)


def deliver(world: World, dice: Dice, order: Order) -> Call | None:
    """A shipment arrived."""
    shipment = _one(dice, order, lambda s: s.travelling)
    return shipment and Call("deliver", (order.id, shipment.id))


def refuse(world: World, dice: Dice, order: Order) -> Call | None:
    """A warehouse cannot send a shipment."""
    shipment = _one(dice, order, lambda s: s.waiting)
    return shipment and Call("refuse", (order.id, shipment.id), {"reason": "broken_belt"})


def lacks(world: World, dice: Dice, order: Order) -> Call | None:
    """A warehouse finds its shelf short of some units."""
    shipment = _one(dice, order, lambda s: s.waiting)
    if shipment is None or not shipment.lines:
        return None
    number, units = dice.one_of(shipment.lines)
    missing = {number: dice.between(1, units) if not dice.chance(WRONG) else units + 1}
    return Call("refuse", (order.id, shipment.id), {"reason": "shelf_empty", "missing": missing})


# ---- what comes back


def request_return(world: World, dice: Dice, order: Order) -> Call | None:
    """The customer wants to send something back, or everything."""
    within = not dice.chance(0.2)
    free = {
        line.number: units
        for line in order.lines
        if (units := eligibility(order, line.number, world.now).units if within else returnable(order, line.number))
    }
    if not free and not dice.chance(WRONG):
        return None
    more = {"reason": "too_small", "enforce_window": within, "method": dice.one_of(("mail", "mail", "store"))}
    if not free or dice.chance(0.3):
        return Call("request_return", (order.id,), more)
    number = dice.one_of(sorted(free))
    units = dice.between(1, free[number]) + (1 if dice.chance(WRONG) else 0)
    name: str | int = number if dice.chance(0.7) else order.line(number).sku
    return Call("request_return", (order.id, {name: units}), more)


def receive_return(world: World, dice: Dice, order: Order) -> Call | None:
    """A returned parcel arrives: all of it as new, or some units in any condition and with any fate."""
    open_ = [
        r for r in order.returns if r.outstanding and r.state in ("authorized", "in_transit", "partially_received")
    ]
    if not open_:
        return None
    found = dice.one_of(open_)
    where = {"warehouse": "nowhere" if dice.chance(WRONG / 2) else dice.one_of(PLACES)}
    if dice.chance(0.4):
        return Call("receive_return", (order.id, found.id), where)
    number = dice.one_of(sorted(found.outstanding))
    units = dice.between(1, found.outstanding[number]) + (1 if dice.chance(WRONG) else 0)
    # a plain shop keeps nothing, so that what its orders come to is known to the cent
    kept = {"deduction_minor": dice.one_of((1, 500))} if dice.chance(0.2) and not plain(world.policies) else {}
    if dice.chance(0.4):
        return Call(
            "receive_return",
            (order.id, found.id, {number: units}),
            {**where, **kept, "grade": dice.one_of(list(Grade))},
        )
    part = Graded(
        line=number, quantity=units, grade=dice.one_of(list(Grade)), disposition=dice.one_of(list(Disposition))
    )
    return Call("receive_return", (order.id, found.id, [part]), {**where, **kept})


def _of_return(verb: str, *states: str, **kwargs: object) -> Move:
    """Return the move of a verb that takes a return, most often one in these states."""

    def move(world: World, dice: Dice, order: Order) -> Call | None:
        open_ = [found for found in order.returns if found.state in states]
        if not open_ and order.returns and dice.chance(WRONG):
            open_ = list(order.returns)
        return Call(verb, (order.id, dice.one_of(open_).id), kwargs) if open_ else None

    return move


# ---- the world


def put_stock(world: World, dice: Dice, order: Order | None = None) -> Call | None:
    """Goods arrive at a shelf, or are counted off it."""
    units = dice.one_of((1, 2, 5, 5, -1, -3))
    return Call(
        "put_stock",
        (dice.one_of(SKUS), {dice.one_of(PLACES): units}),
        {"reason": "counted" if units < 0 else "received"},
        dry=False,
    )


def advance(world: World, dice: Dice, order: Order) -> Call | None:
    """Somebody wants to see now whatever is due."""
    return Call("advance", (order.id,), keyed=False, dry=False)


def wrong_order(world: World, dice: Dice, order: Order | None = None) -> Call | None:
    """Somebody mistypes an order's id, or a part of it."""
    if order is None or dice.chance(0.5):
        return Call("cancel", ("no-such-order",), {"reason": "changed_mind"})
    verb, *more = dice.one_of(
        (("ship", "S99"), ("deliver", "S99"), ("send_return", "R99"), ("release_hold", "H99"), ("release", "S99"))
    )
    return Call(verb, (order.id, f"{order.id}-{more[0]}"), dry=verb != "ship")


def _not_amendable(world: World, dice: Dice, order: Order, part: str) -> bool:
    """Whether that part of the order cannot be amended, and nobody tries all the same."""
    return amending.why_not_by_part(order, world.now)[part] is not None and not dice.chance(WRONG)


def _one(dice: Dice, order: Order, wanted: Callable[[Shipment], bool]) -> Shipment | None:
    """Return a shipment as it is wanted; once in a while any other."""
    found = [shipment for shipment in order.shipments if wanted(shipment)]
    if order.shipments and dice.chance(WRONG):
        found = list(order.shipments)
    return dice.one_of(found) if found else None


# Every move, as often as it stands in the lot.
MOVES: tuple[tuple[int, Move], ...] = (
    (4, pay),
    (1, cancel),
    (3, cancel_units),
    (2, cancel_shipment),
    (1, amend_address),
    (2, amend_delivery),
    (3, add_lines),
    (1, hold),
    (2, release_hold),
    (3, refund),
    (3, give_up),
    (3, attend),
    (2, release),
    (7, ship),
    (5, track),
    (4, deliver),
    (2, refuse),
    (2, lacks),
    (6, request_return),
    (6, receive_return),
    (4, _of_return("authorize_return", "requested")),
    (1, _of_return("decline_return", "requested", reason="too_late")),
    (3, _of_return("send_return", "authorized")),
    (1, _of_return("cancel_return", "requested", "authorized", "in_transit", reason="keeps_it")),
    (2, _of_return("close_return", "partially_received", reason="rest_lost")),
    (1, advance),
    (1, put_stock),
    (1, wrong_order),
)
LOT: tuple[Move, ...] = tuple(move for times, move in MOVES for _ in range(times))
TRIES = 12
AT_ONCE = 3  # orders that compete for shelves; beyond that they are only more of the same


def drawn(world: World, dice: Dice) -> Call | None:
    """Draw what somebody does next: most often for the latest order that is not over, or asks for somebody."""
    orders = world.all()
    alive = [order for order in orders if order.state != "cancelled" or order.findings]
    if not alive or (len(alive) < AT_ONCE and dice.chance(0.05)):
        return place(world, dice) if dice.chance(0.9) else put_stock(world, dice)
    if dice.chance(WRONG):
        alive = orders
    for _ in range(TRIES):
        order = alive[-1] if dice.chance(0.6) else dice.one_of(alive)
        move = dice.one_of(LOT)
        if order.state == "payment_failed" and dice.chance(0.15):
            move = pay
        elif missed(order) and dice.chance(0.25):
            move = dice.one_of((pay, pay, pay, attend, attend, give_up))
        call = move(world, dice, order)
        if call is not None:
            return call
    return None
