"""People: scripts of customers and warehouses, who ask the shop for something and ask again until they get a definite answer.

A script is a generator that yields what it does next: `Ask` a flow, `Wait`, or wait `Until` something is so. Requests run on the API
processes; people do not crash. They retry with the same key when the answer is lost, late or "try later", as a good client does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeAlias

import attrs

from orderkit.errors import InvalidInput, NotAllowed, NotFound
from orderkit.flows.kit import Caller
from orderkit.flows.placing import Accepted
from orderkit.ports.effect import Flow
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.faults import SECOND
from orderkit.testing.sim.world import World

PATIENCE = 30 * SECOND  # until a customer reloads the page
TRIES_MAX = 100
DEFINITE = (NotAllowed, InvalidInput, NotFound)


@attrs.frozen
class Ask:
    """Ask the shop: a flow for a caller, and the key under which it is asked again."""

    flow: Callable[[Caller], Flow[Any]]
    key: str | None = None
    about: str = ""


@attrs.frozen
class Wait:
    """Let some seconds pass."""

    seconds: float


@attrs.frozen
class Until:
    """Wait until something is so, at most so many seconds; the answer is whether it is."""

    so: Callable[[], Any]
    seconds: float = 3_600


Step: TypeAlias = "Ask | Wait | Until"
Script: TypeAlias = Generator[Step, Any, Any]


@attrs.define(eq=False)
class Person:
    """Somebody with a script."""

    name: str
    script: Script
    world: World
    dice: Dice
    finished: bool = False
    refusal: Exception | None = None
    _tries: int = 0
    _asking: Ask | None = None
    _until: int = 0

    def go(self, value: Any = None, error: Exception | None = None) -> None:
        """Go on with the script."""
        try:
            step = self.script.send(value) if error is None else self.script.throw(error)
        except StopIteration:
            self.finished = True
        except DEFINITE as refusal:  # the shop said no, and the script has nothing to say to that
            self.finished, self.refusal = True, refusal
        else:
            self._do(step)

    def _do(self, step: Step) -> None:
        match step:
            case Ask():
                self._asking, self._tries = step, 0
                self._try()
            case Wait(seconds):
                self.world.after(int(seconds * SECOND), self.go)
            case Until(_, seconds):
                self._until = self.world.now + int(seconds * SECOND)
                self._look(step)

    def _look(self, step: Until) -> None:
        if found := step.so():
            self.go(found)
        elif self.world.now >= self._until:
            self.go(None)
        else:
            self.world.after(5 * SECOND, self._look, step)

    # ---- requests

    def _try(self) -> None:
        asking = self._asking
        if asking is None:
            return
        alive = self.world.answering()
        if not alive:
            self.world.after(SECOND, self._retry, asking, self._tries)
            return
        self._tries += 1
        if self._tries > TRIES_MAX:
            self.world.witness.say("liveness", f"{self.name} asked {TRIES_MAX} times for {asking.about}")
            self.finished = True
            return
        caller = Caller(actor=self.name, key=self.world.key_of(asking.key, self._tries))
        process = self.dice.one_of(alive)
        self.world.after(PATIENCE, self._impatient, asking, self._tries)
        process.start(asking.flow(caller), partial(self._answered, asking, self._tries), f"{self.name}: {asking.about}")

    def _impatient(self, asking: Ask, tries: int) -> None:
        if self._asking is asking and self._tries == tries:
            self._try()

    def _answered(self, asking: Ask, tries: int, value: Any, error: Exception | None) -> None:
        """The first definite answer counts, from whichever try it comes."""
        if self._asking is not asking:
            return
        if error is None or isinstance(error, DEFINITE):
            self._asking = None
            if isinstance(value, Accepted) and asking.key is not None:
                self.world.placed.setdefault(asking.key, value.order.id)
            self.world.after(0, self.go, value, error)
        elif tries == self._tries:
            pause = min(2 ** min(tries, 5), 20)
            self.world.after(int(pause * SECOND * (0.5 + self.dice.random())), self._retry, asking, tries)

    def _retry(self, asking: Ask, tries: int) -> None:
        if self._asking is asking and self._tries == tries:
            self._try()
