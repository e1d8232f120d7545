"""Hosts plug in flows and adapters of their own, and have them crashed at every point: by fixture, under pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import pytest

from orderkit.flows import placing
from orderkit.flows.kit import Caller
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer, PaymentCapabilities, Refused
from orderkit.testing.sim import Ask, Scenario, Scene, Script, run
from orderkit.testing.sim.exhausting import Enumerated
from orderkit.testing.sim.scenarios import named

Enumerate = Callable[[Scenario], Enumerated]


@attrs.define
class OwnBank:
    """A host's provider: keeps what it did by key."""

    ledger: dict[str, MoveMoney] = attrs.Factory(dict)
    capabilities: PaymentCapabilities = attrs.Factory(PaymentCapabilities)

    def move_money(self, asked: MoveMoney) -> PaymentAnswer:
        """Do it once per key."""
        self.ledger.setdefault(asked.key, asked)
        return Confirmed(asked.key)

    def ask_payment(self, asked: AskPayment) -> PaymentAnswer:
        """Tell what is in the ledger."""
        return Confirmed(asked.key) if asked.key in self.ledger else Refused("not_found")

    def close(self) -> None:
        """Nothing is open."""


def a_checkout(**parts: object) -> Scenario:
    """Return a host's scenario: its own flow, which places an order and says thank you."""

    async def checkout(scene: Scene, caller: Caller) -> placing.Accepted:
        return await placing.place(scene.cart("c", {"MUG": 1}), "pm_good", caller)

    def people(scene: Scene) -> Iterable[tuple[float, Script]]:
        def customer() -> Script:
            yield Ask(lambda caller: checkout(scene, caller), "c", "check out")

        return [(0.0, customer())]

    return Scenario(name="checkout", about="A host's own checkout.", people=people, **parts)  # type: ignore[arg-type]


def test_a_flow_of_the_host_is_crashed_at_every_point(every_crash_point: Enumerate) -> None:
    """One run without faults, and one for each crash before and after each effect."""
    found = every_crash_point(a_checkout())
    points = len(run(a_checkout(), traced=True).places)

    assert found.runs == 1 + 2 * points
    assert found.failures == []


def test_an_adapter_of_the_host_takes_the_place_of_the_bank(every_single_fault: Enumerate) -> None:
    """The host's provider is called in every run; what it charged, the orders say."""
    banks: list[OwnBank] = []

    def payments() -> OwnBank:
        banks.append(OwnBank())
        return banks[-1]

    found = every_single_fault(a_checkout(payments=payments))

    assert found.runs > 100
    assert max(len(bank.ledger) for bank in banks) >= 1
    assert all(len({move.payment for move in bank.ledger.values()}) <= 1 for bank in banks)


def test_a_promise_of_the_host_is_checked_too(every_crash_point: Enumerate) -> None:
    """A scenario may say what else must be true; a test fails with the story of the first run where it is not."""

    def never(scene: Scene) -> Iterable[str]:
        yield "nobody said thank you"

    with pytest.raises(pytest.fail.Exception, match="story: nobody said thank you"):
        every_crash_point(a_checkout(ends=never))


def test_pairs_and_seeds_are_at_hand(
    every_crash_pair: Enumerate,
    many_seeds: Callable[[Scenario, int], Enumerated],
) -> None:
    """A short scenario stands a thousand pairs of crashes; any scenario plays under the faults of many seeds."""
    quiet = attrs.evolve(named("last-unit"), workers=1, apis=1)

    assert many_seeds(quiet, 30).runs == 30
    assert every_crash_pair(quiet).runs > 500
