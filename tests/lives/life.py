"""One life: a shop is opened, people and accidents take their steps, the world heals, everybody finishes, and the laws look on.

Every step is drawn from the seed and its own number, so that leaving one out changes no other: that is what makes a life shrink.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import attrs

from orderkit import Message, Order, OrderkitError
from orderkit.domain.status import axes, word
from orderkit.testing.sim.chance import Dice
from tests.lives import attempts, endings, finishing, laws
from tests.lives.attempts import Outcome, Photograph
from tests.lives.bank import KIND, TEMPERS
from tests.lives.books import Books, Broken
from tests.lives.calls import Call
from tests.lives.carts import added_up
from tests.lives.moves import a_scan, drawn
from tests.lives.shop import Died, World, opened

STEPS = (8, 45)
ROLES = ("sagas", "resolver", "timers", "relay", "inbox")


@attrs.define
class Tally:
    """How often what happened: (verb, status before, outcome), and every state of every lifecycle that was seen."""

    calls: Counter[tuple[str, str, str]] = attrs.Factory(Counter)
    states: Counter[tuple[str, str]] = attrs.Factory(Counter)

    def saw(self, order: Order) -> None:
        """Count the states that the order and its parts are in."""
        found = axes(order)
        seen = {
            ("order", order.state),
            ("status", word(order)),
            ("payment status", found.payment),
            ("fulfillment", found.fulfillment),
        }
        parts = {
            "shipment": order.shipments,
            "payment": order.payments,
            "refund": order.refunds,
            "return": order.returns,
            "hold": order.holds,
        }
        seen.update((name, part.state) for name, group in parts.items() for part in group)  # type: ignore[attr-defined]  # each has a state
        seen.update(("operation", f"{o.kind.value} {o.state}") for _, o in order.operations())
        seen.update(("finding", finding.partition(":")[0]) for finding in order.findings)
        self.states.update(seen)

    def add(self, other: Tally) -> None:
        """Count what another tally counted."""
        self.calls.update(other.calls)
        self.states.update(other.states)


@attrs.define
class Lived:
    """How a life went: the steps that it took, the law that was broken, if any, and the notes of it."""

    seed: int
    steps: tuple[int, ...]
    broken: Broken | None
    notes: list[str]
    tally: Tally


def steps_of(seed: int) -> tuple[int, ...]:
    """Return the numbers of the steps that a seed takes."""
    return tuple(range(Dice(seed, "length").between(*STEPS)))


def lived(seed: int, steps: Iterable[int] | None = None, *, calm: frozenset[int] = frozenset()) -> Lived:
    """Live a seed, or only some of its steps; at `calm` steps nobody dies and nobody comes in between."""
    chosen = steps_of(seed) if steps is None else tuple(steps)
    life = Life(seed, opened(seed), calm)
    broken = None
    try:
        life.live(chosen)
    except Broken as found:
        broken = found
        life.world.note(f"BROKEN: {found}")
    return Lived(seed, chosen, broken, life.world.notes, life.tally)


class Life:
    """One shop and what is done there."""

    def __init__(self, seed: int, world: World, calm: frozenset[int]) -> None:
        self.seed, self.world, self.calm = seed, world, calm
        self.books, self.tally = Books(world), Tally()
        self.spent: list[tuple[Call, str, Outcome]] = []
        # one life in five has no hostile bank, one in three no deaths; the others have them more or less often
        dice = Dice(seed, "nature")
        self.hostility = dice.one_of((0.0, 0.2, 0.4, 0.6, 0.8))
        if dice.chance(self.hostility):
            world.bank.temper = dice.one_of(list(TEMPERS))
        if dice.chance(0.15):
            world.bank.blocked.add("pm_visa")
        self.danger = dice.one_of((0.0, 0.08, 0.25))
        self.haste = dice.one_of((0.25, 1.0, 1.0, 4.0))

    def live(self, steps: Iterable[int]) -> None:
        """Take the steps, then heal and finish."""
        for number in steps:
            self.step(number)
            self.looks()
            for order in self.world.all():
                self.tally.saw(order)
        finishing.heal(self)
        self.looks()
        self.books.check(endings.HEALED)
        finishing.finish(self)
        self.looks()
        self.books.check(endings.FINISHED)

    def looks(self) -> None:
        """Ask the laws that always hold about what has changed."""
        self.books.check(laws.ALWAYS)
        self.books.turn_over()

    def step(self, number: int) -> None:
        """Take one step: most are a verb, the others are time, workers, letters, repeats, and the tempers of bank and carrier."""
        dice = Dice(self.seed, "step", str(number))
        self.world.bank.dice = Dice(self.seed, "bank", str(number))
        what = dice.random()
        if what < 0.66:
            self.asks(number, dice)
        elif what < 0.76:
            self.waits(dice)
        elif what < 0.82:
            self.works(dice, number)
        elif what < 0.85:
            self.reads_a_letter(dice)
        elif what < 0.88:
            self.hears_of_a_parcel(dice)
        elif what < 0.91:
            self.repeats(dice)
        elif dice.chance(self.hostility):
            self.changes_its_mind(dice)

    # ---- steps

    def asks(self, number: int, dice: Dice) -> None:
        """Somebody calls a verb."""
        call = drawn(self.world, dice)
        if call is not None:
            self.attempt(call, f"key-{number}", dice, risky=number not in self.calm)

    def attempt(self, call: Call, key: str, dice: Dice, *, risky: bool = True) -> Outcome:
        """Call the verb under the key, hold the call against its laws, and ask once more; who died asks again when he is back."""
        world = self.world
        before, dry = Photograph.of(world), attempts.previewed(world, call)
        tempted = risky and dice.chance(self.danger)
        if tempted:
            self._tempt(dice, key)
        try:
            outcome = attempts.done(world, call, key)
        except Died:
            world.note(f"{call} → the process dies")
            outcome = attempts.done(world, call, key) if call.keyed or call.verb in ("track", "advance") else Outcome()
        disturbed = tempted and world.fate.doors is None
        world.fate.doors = world.fate.meanwhile = None
        self._noted(call, key, before, outcome)
        if not disturbed:
            attempts.check(world, call, dry, before, outcome)
        # A refusal may have another reason by now when somebody else acted meanwhile.
        held = outcome.error is None or (outcome.error.outcome == "not_applied" and not disturbed)
        if call.keyed and held and dice.chance(0.4):
            attempts.check_repeat(world, call, key, outcome)
        return outcome

    def _tempt(self, dice: Dice, key: str) -> None:
        """Let the process die at one of the next doors, or somebody else act there."""
        self.world.fate.doors = dice.below(7)
        if dice.chance(0.5):

            def meanwhile() -> None:
                call = drawn(self.world, dice)
                if call is not None:
                    before = Photograph.of(self.world)
                    self.world.note("meanwhile")
                    self._noted(call, f"{key}-m", before, attempts.done(self.world, call, f"{key}-m"))

            self.world.fate.meanwhile = meanwhile

    def _noted(self, call: Call, key: str, before: Photograph, outcome: Outcome) -> None:
        """Write down what people know of it by themselves: new orders and their prices, goods that came or were missing, keys that are spent."""
        world, order = self.world, outcome.answer
        known = before.order(call.args[0]) if call.args else None
        self.tally.calls[call.verb + _detail(call), word(known) if known else "-", outcome.code or "ok"] += 1
        if outcome.error is None:
            if call.verb == "place" and order.id not in world.orders:
                world.orders.append(order.id)
                world.totals[order.id] = added_up(call.args[0])
            elif call.verb == "put_stock":
                world.put.update({(call.args[0], place): units for place, units in call.args[1].items()})
            elif "add" in call.kwargs:
                world.totals[order.id] += added_up(call.kwargs["add"])
            elif call.kwargs.get("missing"):
                self._missed(call, before)
            if call.keyed:
                self.spent.append((call, key, outcome))
        world.note(f"{call} → {outcome}")

    def _missed(self, call: Call, before: Photograph) -> None:
        order = self.world.order(call.args[0])
        place = order.shipment(call.args[1]).warehouse
        self.world.missing.update(
            {(order.line(number).sku, place): units for number, units in call.kwargs["missing"].items()}
        )

    def waits(self, dice: Dice) -> None:
        """Time passes, and perhaps a worker comes by, once or several times."""
        hours = dice.one_of((0.01, 0.2, 1, 3, 20, 30, 24 * 3, 24 * 8)) * self.haste
        rounds = dice.one_of((0, 0, 1, 1, 4, 9))
        for _ in range(rounds or 1):
            self.world.clock.advance(hours=hours / (rounds or 1))
            self.world.note(f"{timedelta(hours=hours / (rounds or 1))} pass")
            if rounds:
                self.sweeps(ROLES)

    def works(self, dice: Dice, number: int) -> None:
        """A worker does a round in some roles; it may die on the way."""
        roles = dice.some_of(ROLES, 0.6) or ROLES
        if number not in self.calm and dice.chance(self.danger):
            self.world.fate.doors = dice.below(9)
        self.sweeps(roles)

    def sweeps(self, roles: tuple[str, ...]) -> None:
        """Do one round of everything that is due."""
        try:
            self.world.note(f"worker ({', '.join(roles)}): {self.world.shop.sweep(roles=roles)}")
        except Died:
            self.world.note(f"worker ({', '.join(roles)}) dies")
        except OrderkitError as error:
            raise Broken("a_worker_goes_on", str(error)) from error
        self.world.fate.doors = None

    def reads_a_letter(self, dice: Dice) -> None:
        """One of the bank's webhooks arrives: late, out of turn, perhaps once more later."""
        letters = self.world.letters
        if not letters:
            return
        letter = dice.one_of(letters)
        if dice.chance(0.7):
            letters.remove(letter)
        self.hears(letter)

    def hears(self, letter: Message) -> None:
        """A webhook arrives."""
        outcome = attempts.done(self.world, Call("receive_message", (letter,), keyed=False))
        self.world.note(
            f"webhook {letter.kind} {letter.reference}: {outcome.error or ('new' if outcome.answer else 'known')}"
        )

    def hears_of_a_parcel(self, dice: Dice) -> None:
        """A carrier says something: where its parcel is asked about, or in a webhook, which may name no parcel of ours."""
        travelling = [s for order in self.world.all() for s in order.shipments if s.travelling]
        if not travelling:
            return
        shipment = dice.one_of(travelling)
        said, number = a_scan(self.world, dice, shipment), shipment.tracking_number or ""
        if dice.chance(0.5):
            self.world.carrier.scans[number] = (*self.world.carrier.scans.get(number, ()), said)
            self.world.note(f"the carrier writes down {said.status.value} of {shipment.id}")
            return
        data = {"status": said.status.value, "at": said.at.isoformat(), "carrier": shipment.carrier}
        name = number if not dice.chance(0.1) else "nobody's"
        letter = Message(
            source="van", id=said.id, kind="shipment.scan", reference=name, data=data, received_at=self.world.now
        )
        self.hears(letter)

    def repeats(self, dice: Dice) -> None:
        """Somebody sends an old request again under its key; or another one under it."""
        if not self.spent:
            return
        call, key, outcome = dice.one_of(self.spent)
        if dice.chance(0.3) and "reason" in call.kwargs:
            attempts.check_reuse(self.world, call, key, outcome)
        else:
            attempts.check_repeat(self.world, call, key, outcome)

    def changes_its_mind(self, dice: Dice) -> None:
        """The bank or the carrier is disposed otherwise from now on, or the bank blocks a card, lets an authorization go, has a refund come back."""
        world, what = self.world, dice.random()
        if what < 0.2:
            world.carrier.says = dice.one_of(("yes", "yes", "no", "lost", "broken"))
            world.note(f"the carrier says {world.carrier.says}")
        elif what < 0.3 and world.bank.accounts:
            payment = dice.one_of(sorted(world.bank.accounts))
            if world.bank.lets_go(payment):
                world.note(f"the bank lets {payment} go")
        elif what < 0.5 and (refunds := world.bank.refunds()):
            world.bank.reverse(key := dice.one_of(refunds))
            world.note(f"the money of {key} comes back")
        elif what < 0.6:
            world.bank.blocked ^= {"pm_visa"}
            world.note(f"blocked cards: {', '.join(world.bank.blocked) or 'none'}")
        else:
            world.bank.temper = dice.one_of((*TEMPERS, KIND, "moody"))
            world.note(f"the bank is {world.bank.temper}")


def _detail(call: Call) -> str:
    """Return which form of a verb it is that takes several."""
    for name in ("ship_to", "delivery", "add", "missing", "shipment", "booked"):
        if name in call.kwargs:
            return f" {name}"
    return " units" if call.verb == "cancel" and len(call.args) > 1 else ""
