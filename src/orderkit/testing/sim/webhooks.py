"""The bank's webhooks: every entry of its ledger is told to the shop, a moment later, and again until somebody says that he has it.

A fault may lose one for ever, delay it, or send it twice; a short way lets one overtake the answer that it tells about.
"""

from __future__ import annotations

from typing import Any

import attrs

from orderkit.flows.kit import Caller
from orderkit.flows.webhooks import receive_message
from orderkit.ports.store import Message
from orderkit.testing.sim.bank import Entry
from orderkit.testing.sim.chance import Dice
from orderkit.testing.sim.faults import SECOND, FaultKind
from orderkit.testing.sim.world import World

TRIES_MAX = 12
BANK = Caller(actor="bank", goes_on=False)


@attrs.define(eq=False)
class Webhooks:
    """Tells the shop what the bank entered."""

    world: World
    dice: Dice
    on_the_way: int = 0
    _count: int = 0

    def __call__(self, entry: Entry) -> None:
        """Send the webhook of a new entry."""
        self._count += 1
        fault = self.world.fault_at("bank", "Webhook", self._count)
        kind = fault.kind if fault else None
        if kind is FaultKind.UNSENT:
            return
        done = "captured" if entry.moved else "refused"
        message = Message(
            source="bank",
            id=f"evt-{done}-{entry.key}",
            kind=f"payment.{done}",
            reference=entry.key,
            data={},
            received_at=self.world.time(),
        )
        travel = int(self.dice.random() * 2 * SECOND)
        if kind is FaultKind.DELAYED and fault is not None:
            travel += fault.lasts
        self._send(travel, message, 1)
        if kind is FaultKind.TWICE and fault is not None:
            self._send(travel + fault.lasts, message, 1)

    def _send(self, travel: int, message: Message, tries: int) -> None:
        self.on_the_way += 1
        self.world.after(travel, self._deliver, message, tries)

    def _deliver(self, message: Message, tries: int) -> None:
        self.on_the_way -= 1
        alive = self.world.answering()
        again = SECOND * min(5 * 2**tries, 600)

        def answered(_: Any, error: Exception | None) -> None:
            if error is not None and tries < TRIES_MAX:
                self._send(again, message, tries + 1)

        if alive:
            self.dice.one_of(alive).start(receive_message(message, BANK), answered, f"webhook {message.id}")
        else:
            self._send(again, message, tries)
