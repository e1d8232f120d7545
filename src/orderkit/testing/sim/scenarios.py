"""The named scenarios: small stories whose every single fault, and every pair of crashes, is enumerated.

Each is as short as its point allows, since the number of runs grows with its effects. What is true of all stories the invariants say; `ends`
says what is true of this one, whatever goes wrong on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from orderkit.domain.order import Order, Policies
from orderkit.domain.payment import CaptureMode
from orderkit.domain.quantities import Bucket
from orderkit.errors import Misconfigured
from orderkit.ports.settings import Settings
from orderkit.testing.sim.bank import ABANDONED, DECLINED, EMPTY, GIFT, GOOD, HELD, LOST, UNSENT
from orderkit.testing.sim.people import Script, Until, Wait
from orderkit.testing.sim.scenes import People, Scenario, Scene, tender

_Lines = Mapping[str, int]
ONE: _Lines = {"MUG": 1}
REFUSALS = ("payment_failed", "cancelled")
QUIET = Settings(reacts=False)


def alone(script: Callable[[Scene], Script]) -> People:
    """Return the cast of one person who begins at once."""
    return lambda scene: [(0.0, script(scene))]


def ended(cart: str, *states: str) -> Callable[[Scene], Iterable[str]]:
    """Say whether the order of a cart is in one of the states, and exists at all."""

    def judge(scene: Scene) -> Iterable[str]:
        order = scene.order_of(cart)
        if order is None or order.state not in states:
            yield f"cart {cart} ended as {order.state if order else 'nothing'}, not as {' or '.join(states)}"

    return judge


# ---- placing


def _buys(lines: _Lines = ONE, method: str = GOOD) -> People:
    return alone(lambda scene: scene.places("c", lines, method))


def _clicks_twice(scene: Scene) -> Iterable[tuple[float, Script]]:
    return [(0.0, scene.places("c", ONE)), (0.002, scene.places("c", ONE))]


def _last_unit(scene: Scene) -> Iterable[tuple[float, Script]]:
    return [(0.0, scene.places("a", ONE)), (0.001, scene.places("b", ONE))]


def _one_got_it(scene: Scene) -> Iterable[str]:
    sold = sum(counted.reserved + counted.shipped for counted in scene.world.witness.shelves.values())
    if sold > 1:
        yield f"the last unit was sold {sold} times"


def _pays_again(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", ONE, DECLINED)
    if scene.order(order.id).state == "payment_failed":
        yield from scene.pays(order.id, "c-pay")


def _gift_and_card(scene: Scene) -> Script:
    yield from scene.places("c", {"MUG": 2}, [tender(GIFT, 1_000, kind="gift_card"), tender(GOOD)])


def _gift_and_bad_card(scene: Scene) -> Script:
    yield from scene.places("c", {"MUG": 2}, [tender(GIFT, 1_000, kind="gift_card"), tender(DECLINED)])


# ---- changing


def _cancels_during_payment(scene: Scene) -> Iterable[tuple[float, Script]]:
    def cancels() -> Script:
        yield Until(lambda: scene.order_of("c") is not None, 600)
        order = scene.order_of("c")
        if order is not None:
            yield from scene.cancels(order.id, "c-cancel")

    return [(0.0, scene.places("c", ONE)), (0.0, cancels())]


def _cancels(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", {"MUG": 2})
    yield from scene.cancels(order.id, "c-cancel")


def _gets_a_refund_back(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", ONE)
    yield from scene.cancels(order.id, "c-cancel")
    yield Until(scene.world.bank.refunds)
    for key in scene.world.bank.refunds():
        yield Wait(scene.dice.one_of((2, 0, 60)))  # whether the shop has booked it by then or not
        scene.world.bank.reverse(key)
        yield from scene.misses_refund(order.id, key.partition("/")[0], "c-call")
        yield from scene.attends(order.id, "c-attend")


def _refunded_once(scene: Scene) -> Iterable[str]:
    order = scene.order_of("c")
    if (
        order is not None
        and order.captured_minor
        and not order.findings
        and order.refunded_minor != order.captured_minor
    ):
        yield f"{order.refunded_minor} of {order.captured_minor} went back"


def _cancels_a_part(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", {"MUG": 3})
    yield scene.is_in("c", "confirmed", *REFUSALS)
    yield from scene.cancels(order.id, "c-less", {"MUG": 1})


def _adds(method: str) -> Callable[[Scene], Script]:
    def script(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", ONE)
        yield scene.is_in("c", "confirmed", *REFUSALS)
        yield from scene.adds(order.id, "c-more", {"HAT": 2}, method)

    return script


def _two_editors(scene: Scene) -> Iterable[tuple[float, Script]]:
    def edits(key: str) -> Script:
        yield scene.is_in("c", "confirmed", *REFUSALS)
        order = scene.order_of("c")
        if order is not None:
            yield from scene.cancels(order.id, key, {"MUG": 1})

    return [(0.0, scene.places("c", {"MUG": 3})), (0.0, edits("editor-1")), (0.0, edits("editor-2"))]


def _goodwill(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", ONE)
    yield scene.is_in("c", "confirmed", *REFUSALS)
    yield from scene.refunds(order.id, "c-sorry", 300)


# ---- goods


def _ships(lines: _Lines) -> Callable[[Scene], Script]:
    def script(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", lines)
        yield scene.is_in("c", "confirmed", *REFUSALS)
        yield from scene.ships(order.id)

    return script


def _gives_another_card(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", ONE, EMPTY)
    yield scene.is_in("c", "confirmed", *REFUSALS)
    for number in range(3):  # a fault may refuse a good card too, or keep the goods until it has run out
        if not (yield from scene.misses_money(order.id)):
            break
        yield from scene.settles(order.id, f"c-other-{number}")
        yield from scene.ships(order.id)
    yield Wait(180)  # a process whose clock is ahead lets an authorization go a little before the bank does


def _nothing_missing(scene: Scene) -> Iterable[str]:
    order = scene.order_of("c")
    if order is None or order.state != "confirmed":
        return
    if order.findings or order.paid_minor != order.due_minor:
        yield f"another card was given, and {order.paid_minor} of {order.due_minor} are there, with {order.findings}"


def _ships_and_cancels(scene: Scene) -> Iterable[tuple[float, Script]]:
    def cancels() -> Script:
        yield scene.is_in("c", "confirmed", *REFUSALS)
        order = scene.order_of("c")
        if order is not None:
            yield from scene.cancels(order.id, "c-cancel")

    return [(0.0, _ships(ONE)(scene)), (0.0, cancels())]


def _returns(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", {"MUG": 2})
    yield scene.is_in("c", "confirmed", *REFUSALS)
    yield from scene.ships(order.id)
    if (yield scene.arrives(order.id)):
        yield from scene.sends_back(order.id, {"MUG": 1})


def _short(scene: Scene) -> Script:
    order: Order = yield from scene.places("c", {"HAT": 2})
    yield scene.is_in("c", "confirmed", *REFUSALS)
    if scene.order(order.id).state == "confirmed":
        yield from scene.runs_short(order.id)


def _backorder(scene: Scene) -> Iterable[tuple[float, Script]]:
    def arrives() -> Script:
        yield Until(lambda: scene.order_of("c") is not None, 600)
        yield from scene.restocks("MUG", "berlin", 3, "delivery-1")

    def buys() -> Script:
        order: Order = yield from scene.places("c", {"MUG": 2}, backorder=True)
        yield Until(lambda: not scene.order(order.id).line(1)[Bucket.BACKORDERED], 4 * 3_600)

    return [(0.0, buys()), (0.0, arrives())]


def _allocated(scene: Scene) -> Iterable[str]:
    order = scene.order_of("c")
    if order is not None and order.state == "confirmed" and order.line(1)[Bucket.BACKORDERED]:
        yield "goods arrived, and the customer still waits for them"


_SHORT_HOLD = timedelta(minutes=1)

ALL: tuple[Scenario, ...] = (
    Scenario(
        name="placement", about="A cart is bought and paid.", people=_buys(), ends=ended("c", "confirmed", *REFUSALS)
    ),
    Scenario(name="declined", about="The card is declined.", people=_buys(method=DECLINED), ends=ended("c", *REFUSALS)),
    Scenario(
        name="out-of-stock",
        about="More is asked for than there is.",
        people=_buys({"MUG": 99}),
        ends=ended("c", "cancelled"),
    ),
    Scenario(
        name="in-doubt",
        about="The charge happens, and its answer is always lost.",
        people=_buys(method=LOST),
        ends=ended("c", "confirmed", *REFUSALS),
    ),
    Scenario(
        name="unsent",
        about="The first charge never arrives.",
        people=_buys(method=UNSENT),
        ends=ended("c", "confirmed", *REFUSALS),
    ),
    Scenario(name="same-key-twice", about="The customer clicks twice.", people=_clicks_twice, settings=QUIET),
    Scenario(
        name="last-unit",
        about="Two customers want the last unit.",
        people=_last_unit,
        shelves={"MUG": {"berlin": 1}},
        ends=_one_got_it,
        settings=QUIET,
    ),
    Scenario(
        name="pay-again", about="A declined customer pays with another card.", people=alone(_pays_again), settings=QUIET
    ),
    Scenario(
        name="gift-card",
        about="A gift card pays a part, a card the rest.",
        people=alone(_gift_and_card),
        settings=QUIET,
    ),
    Scenario(
        name="gift-card-declined",
        about="The gift card pays its part, the card is declined.",
        people=alone(_gift_and_bad_card),
        settings=QUIET,
        ends=ended("c", *REFUSALS),
    ),
    Scenario(
        name="webhook-first",
        about="The bank's webhook may overtake its answer.",
        people=_buys(),
        webhooks=True,
        settings=QUIET,
    ),
    Scenario(
        name="webhook-in-doubt",
        about="Only the webhook tells soon what happened.",
        people=_buys(method=LOST),
        webhooks=True,
        settings=QUIET,
    ),
    Scenario(
        name="cancel-during-payment",
        about="The customer cancels while the bank is asked.",
        people=_cancels_during_payment,
        settings=QUIET,
    ),
    Scenario(
        name="cancel", about="The customer cancels, and gets the money back.", people=alone(_cancels), settings=QUIET
    ),
    Scenario(
        name="refund-reversed",
        about="The money of a refund comes back, and is sent once more.",
        people=alone(_gets_a_refund_back),
        webhooks=True,
        settings=QUIET,
        ends=_refunded_once,
    ),
    Scenario(
        name="cancel-a-part", about="One of three units is cancelled.", people=alone(_cancels_a_part), settings=QUIET
    ),
    Scenario(
        name="amend", about="A line is added, and the difference is paid.", people=alone(_adds(GOOD)), settings=QUIET
    ),
    Scenario(
        name="amend-declined",
        about="A line is added, and its payment is declined.",
        people=alone(_adds(DECLINED)),
        settings=QUIET,
    ),
    Scenario(name="two-editors", about="Two people cancel a unit each at once.", people=_two_editors, settings=QUIET),
    Scenario(name="goodwill", about="A little money is given back.", people=alone(_goodwill), settings=QUIET),
    Scenario(
        name="reservation-expiry",
        about="The payment is in doubt until after the reservation, and then comes.",
        people=_buys(method=HELD),
        reservation=_SHORT_HOLD,
        ends=ended("c", "confirmed", *REFUSALS),
    ),
    Scenario(
        name="payment-abandoned",
        about="The payment is in doubt until after the reservation, and never comes.",
        people=_buys(method=ABANDONED),
        reservation=_SHORT_HOLD,
        ends=ended("c", *REFUSALS),
    ),
    Scenario(
        name="split-shipment",
        about="Two warehouses send a parcel each.",
        people=alone(_ships({"HAT": 1, "TEE": 1})),
        workers=1,
        apis=1,
    ),
    Scenario(
        name="capture-per-shipment",
        about="The money is taken parcel by parcel.",
        people=alone(_ships({"HAT": 1, "TEE": 1})),
        capture=CaptureMode.PER_SHIPMENT,
        workers=1,
        apis=1,
    ),
    Scenario(
        name="another-card",
        about="The authorization runs out while the goods wait, its card gives no other, and the customer gives another card.",
        people=alone(_gives_another_card),
        authorization=timedelta(minutes=5),
        capture=CaptureMode.PER_SHIPMENT,
        settings=Settings(policies=Policies(capture=CaptureMode.PER_SHIPMENT), reacts=False),
        ends=_nothing_missing,
        workers=1,
        apis=1,
    ),
    Scenario(
        name="ship-or-cancel",
        about="The warehouse ships while the customer cancels.",
        people=_ships_and_cancels,
        capture=CaptureMode.PER_SHIPMENT,
    ),
    Scenario(
        name="return", about="One of two units comes back and is refunded.", people=alone(_returns), workers=1, apis=1
    ),
    Scenario(name="short-ship", about="The warehouse finds one unit too few.", people=alone(_short), settings=QUIET),
    Scenario(
        name="backorder",
        about="The customer waits until goods arrive.",
        people=_backorder,
        shelves={"MUG": {"berlin": 1}},
        workers=1,
        apis=1,
        ends=_allocated,
    ),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in ALL}
CORE = ("placement", "in-doubt", "cancel-during-payment", "pay-again", "ship-or-cancel")


def named(name: str) -> Scenario:
    """Return the scenario of that name. Raises `Misconfigured`."""
    found = BY_NAME.get(name)
    if found is None:
        raise Misconfigured(f"there is no scenario {name!r}", field="scenario", remedy=f"One of: {', '.join(BY_NAME)}.")
    return found
