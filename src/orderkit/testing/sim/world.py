"""The simulated world: virtual time, one line of events, and the processes and models that live in it.

Everything happens in one thread, in the order of (virtual time, a seeded tie-break, the order of asking), so a seed and a list of faults say
everything. No real clock, no system randomness, no set is iterated. What people and workers do is said elsewhere.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import attrs

from orderkit.ports.effect import STEPPED, Effect, Flow, driver
from orderkit.ports.payments import MoveMoney, PaymentAnswer, Payments, Refused
from orderkit.ports.settings import Settings
from orderkit.runtime.bindings import bound
from orderkit.runtime.clocks import SeededIds
from orderkit.testing.sim.bank import Bank, Entry
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.couriers import Couriers
from orderkit.testing.sim.faults import SECOND, Fault, FaultKind, Faults, Place, Scripted
from orderkit.testing.sim.processes import Process, Wrap
from orderkit.testing.sim.storage import Bus, Cache, Index, Papers, Post, Storage
from orderkit.testing.sim.witness import Witness

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a Tuesday, three hours before the cutoff
EVENTS_MAX = 2_000_000  # a world of a few orders that needs more turns in a circle
Alteration: TypeAlias = Callable[[Process, Effect[Any]], Effect[Any]]


@attrs.define(eq=False)
class Clock:
    """The clock of one process: virtual time, and how far it is off."""

    world: World
    skew: int = 0

    def now(self) -> datetime:
        """Return the time that this process believes."""
        return NOON + timedelta(microseconds=self.world.now + self.skew)


@attrs.frozen(kw_only=True)
class Pace:
    """How fast the world is: latency of the store and of what is outside, in microseconds, low and high."""

    inside: tuple[int, int] = (500, 5_000)
    outside: tuple[int, int] = (20_000, 200_000)


@attrs.define(eq=False, slots=False)
class World:
    """Time, events, processes and models. `now` is in microseconds since noon."""

    seed: int
    faults: Faults = attrs.field(factory=Scripted)
    settings: Settings = attrs.field(factory=Settings)
    pace: Pace = attrs.field(factory=Pace)
    payments: Payments | None = None
    bank: Bank = attrs.field(factory=Bank)
    traced: bool = False
    now: int = 0
    gates: int = 0
    events: int = 0
    healed: bool = False
    stopped: bool = False
    alterations: list[Alteration] = attrs.field(factory=list)
    wraps: dict[type[Effect[Any]], Wrap] = attrs.field(factory=dict)
    ears: dict[type[Effect[Any]], Callable[[Any], Any]] = attrs.field(factory=dict)
    sweeps_once: bool = False
    fired: list[Fault] = attrs.field(factory=list)
    graves: list[Flow[Any]] = attrs.field(factory=list)
    processes: dict[str, Process] = attrs.field(factory=dict)
    lines: list[str] = attrs.field(factory=list)
    places: list[tuple[str, str, int]] = attrs.field(factory=list)
    placed: dict[str, str] = attrs.field(factory=dict)
    key_of: Callable[[str | None, int], str | None] = lambda key, _: key
    at_rest: Callable[[], None] = lambda: None

    def __attrs_post_init__(self) -> None:
        self._queue: list[tuple[int, int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._asked = 0
        self._hash = hashlib.sha256()
        self._ties = Dice(self.seed, "ties").random
        self.witness = Witness(self)
        self.bank.asked_to = self.witness.money_asked
        self.couriers = Couriers()
        self.storage = Storage(self.witness, lambda: self.now / SECOND)
        self.bus = Bus()
        self.bus.subscribe(self.witness.consume)
        self.post, self.index, self.papers = Post(), Index(), Papers()
        self.cache = Cache(lambda: self.now / SECOND)

    # ---- time

    def after(self, microseconds: int, call: Callable[..., Any], *arguments: Any) -> None:
        """Do something later."""
        self._asked += 1
        heapq.heappush(self._queue, (self.now + microseconds, int(self._ties() * 65_536), self._asked, call, arguments))

    def run(self, until: int) -> None:
        """Let time pass until then, or until there is nothing to do, or somebody stops the world."""
        queue, pop = self._queue, heapq.heappop
        token = driver.set(STEPPED)
        try:
            while queue and not self.stopped and queue[0][0] <= until:
                self.now, _, _, call, arguments = pop(queue)
                self.events += 1
                if self.events > EVENTS_MAX:
                    self.witness.say("liveness", f"the world turns in a circle: {EVENTS_MAX} events")
                    return
                call(*arguments)
        finally:
            driver.reset(token)
        if not self.stopped:
            self.now = max(self.now, until)

    def time(self) -> datetime:
        """Return the true time."""
        return NOON + timedelta(microseconds=self.now)

    def latency(self, dice: Dice, *, inside: bool) -> int:
        """Draw how long a message travels."""
        low, high = self.pace.inside if inside else self.pace.outside
        return low + int(dice.random() * (high - low))

    # ---- faults

    def fault_at(self, process: str, effect: str, nth: int) -> Fault | None:
        """Say what goes wrong at a place; the healing ends what would go on for ever."""
        if self.healed and self.faults.endless:
            return None
        fault = self.faults.at(process, effect, nth)
        if fault is not None:
            self.fired.append(fault)
        return fault

    def heal(self) -> None:
        """End all faults: from now on everything answers."""
        self.healed = True
        for process in self.processes.values():
            process.still_until = min(process.still_until, self.now)
            process.clock.skew = 0

    # ---- processes

    def process(self, name: str, main: Callable[[Process], None] | None = None) -> Process:
        """Add a process with handlers of its own: the same binding and the same guards as in production."""
        skew = self.faults.skew(name)
        if skew:
            self.fired.append(_skewed(name, skew))
        clock = Clock(self, skew)
        handlers = bound(
            store_=self.storage,
            clock_=clock,
            ids=SeededIds(f"{self.seed}/{name}"),
            settings_=self.settings,
            ports={
                "payments": self.payments or self.bank,
                "carriers": self.couriers,
                "bus": self.bus,
                "cache": self.cache,
                "search": self.index,
                "notifications": self.post,
                "documents": self.papers,
            },
            pause=lambda _: None,
        )
        found = Process(name, self, dict(handlers.one), Dice(self.seed, "latency", name), clock, main)
        self.processes[name] = found
        return found

    def answering(self) -> list[Process]:
        """Return the API processes that take requests."""
        return [p for p in self.processes.values() if p.alive and p.name.startswith("api")]

    def refuse_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Let the provider refuse, and write it down."""
        return self.bank.refuse(asked) if self.payments is None else Refused("processing_error")

    def listen(self, heard: Callable[[Entry], None]) -> None:
        """Let somebody hear what the bank enters: its webhooks."""
        self.bank.heard = heard

    # ---- what happened

    def trace(self, process: str, effect: Effect[Any], nth: int, verdict: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now} {process} {type(effect).__name__} {nth} {verdict}\n"
        self._hash.update(line.encode())
        if self.traced:
            self.lines.append(line[:-1])
            self.places.append((process, type(effect).__name__, nth))

    @property
    def fingerprint(self) -> str:
        """The hash of everything that happened: equal in every run of the same seed and faults."""
        return self._hash.hexdigest()

    def bury(self) -> None:
        """Close the flows that never came to their end; only after all has been checked."""
        for process in self.processes.values():
            self.graves.extend(task.flow for task in process.running.values())
            process.running.clear()
        for flow in self.graves:
            flow.close()


def _skewed(process: str, skew: int) -> Fault:
    return Fault(Place(process, "Clock", 1), FaultKind.SKEWED, skew)
