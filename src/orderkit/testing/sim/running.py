"""One run: a scenario in a fresh world, under faults; then the world is healed, must come to rest in time, and is audited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from orderkit.domain.stock import StockReceipt
from orderkit.ports.store import PutStock
from orderkit.testing.sim.auditing import audit, resting
from orderkit.testing.sim.bank import Bank
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.faults import HOUR, MINUTE, Fault, Faults, Scripted
from orderkit.testing.sim.people import Person
from orderkit.testing.sim.scenes import Scenario, Scene, Shelves
from orderkit.testing.sim.webhooks import Webhooks
from orderkit.testing.sim.witness import Violation
from orderkit.testing.sim.workers import add_workers
from orderkit.testing.sim.world import World

SAFETY = 10 * MINUTE  # how long things go wrong
LIVENESS = 12 * HOUR  # until a healed world must be at rest: the resolver's and the refunds' longest waits, thrice
Ablate = Callable[[World], None]


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a run. `faults` are those that happened, so a run with exactly them is the same run."""

    scenario: str
    seed: int
    fingerprint: str
    violations: tuple[Violation, ...]
    faults: tuple[Fault, ...]
    orders: int
    gates: int
    seconds: float
    places: tuple[tuple[str, str, int], ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing went wrong that must not."""
        return not self.violations


@attrs.define(eq=False)
class Stage:
    """A scenario's world and everybody in it."""

    scenario: Scenario
    world: World
    scene: Scene
    people: list[Person]
    hooks: Webhooks

    def stop_when_quiet(self) -> None:
        """Stop a world in which nothing is under way; it need not be healed: what has come to rest has no fault ahead."""
        world = self.world
        if not all(person.finished for person in self.people) or self.hooks.on_the_way:
            return
        if any(not process.alive or process.running for process in world.processes.values()):
            return
        if world.storage.unpublished or world.storage.waiting_messages:
            return
        world.stopped = all(resting(order) for order in world.witness.latest.values())


def run(
    scenario: Scenario,
    seed: int = 0,
    faults: Faults | Iterable[Fault] = (),
    *,
    ablate: Ablate | None = None,
    traced: bool = False,
) -> Outcome:
    """Run a scenario under faults, heal the world, let it come to rest, and audit it."""
    stage = staged(scenario, seed, faults, ablate=ablate, traced=traced)
    performed(stage)
    world = stage.world
    return Outcome(
        scenario=scenario.name,
        seed=seed,
        fingerprint=world.fingerprint,
        violations=tuple(world.witness.violations),
        faults=tuple(world.fired),
        orders=len(world.witness.latest),
        gates=world.gates,
        seconds=world.now / 1_000_000,
        places=tuple(world.places),
        lines=tuple(world.lines),
    )


def staged(
    scenario: Scenario,
    seed: int,
    faults: Faults | Iterable[Fault] = (),
    *,
    ablate: Ablate | None = None,
    traced: bool = False,
) -> Stage:
    """Build the world of a scenario, with everybody in it; nothing has happened yet."""
    world = World(
        seed=seed,
        faults=Scripted.of(faults) if isinstance(faults, Iterable) else faults,
        settings=scenario.rules(),
        payments=scenario.payments() if scenario.payments else None,
        bank=Bank(authorized_for=scenario.authorization),
        traced=traced,
    )
    if ablate is not None:
        ablate(world)
    for n in range(1, scenario.apis + 1):
        world.process(f"api-{n}")
    add_workers(world, scenario.workers)
    hooks = Webhooks(world, Dice(seed, "webhooks"))
    if scenario.webhooks:
        world.listen(hooks)
    stocked(world, scenario.shelves)
    scene = Scene(world, Dice(seed, "people"), scenario.shelves)
    return Stage(scenario, world, scene, invited(scene, scenario), hooks)


def performed(stage: Stage) -> None:
    """Let it happen: things go wrong for a while, then the world heals, comes to rest in time, and is audited."""
    world = stage.world
    world.at_rest = stage.stop_when_quiet
    world.after(SAFETY, world.heal)
    world.run(SAFETY + LIVENESS)
    if not world.stopped and (busy := [person.name for person in stage.people if not person.finished]):
        world.witness.say("liveness", f"still busy: {', '.join(busy)}")
    audit(world)
    for sentence in stage.scenario.ends(stage.scene):
        world.witness.say("story", sentence)
    world.bury()


def stocked(world: World, shelves: Shelves) -> None:
    """Fill the shelves before anything begins."""
    at: datetime = world.time()
    for sku, places in shelves.items():
        for place, units in places.items():
            receipt = StockReceipt(f"first/{sku}/{place}", sku, place, units, "received", at)
            world.storage.put_stock_many([PutStock((receipt,))])
            world.witness.delivered[sku, place] = units


def invited(scene: Scene, scenario: Scenario) -> list[Person]:
    """Let everybody begin at their second."""
    people = []
    for n, (second, script) in enumerate(scenario.people(scene), 1):
        person = Person(f"person-{n}", script, scene.world, Dice(scene.world.seed, "person", str(n)))
        people.append(person)
        scene.world.after(int(second * 1_000_000), person.go)
    return people
