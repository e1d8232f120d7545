"""A failing run, told so that a person can follow it: what was played, what went wrong, what broke, and the last things before."""

from __future__ import annotations

from collections.abc import Iterator

from orderkit.testing.sim.faults import Place
from orderkit.testing.sim.running import Outcome

LAST = 12  # lines of the trace that a person reads


def told(outcome: Outcome, command: str = "") -> str:
    """Return the story of a run."""
    return "\n".join(_lines(outcome, command))


def _lines(outcome: Outcome, command: str) -> Iterator[str]:
    yield f"scenario {outcome.scenario}, seed {outcome.seed}: {outcome.orders} orders, {outcome.gates} gates"
    for number, violation in enumerate(outcome.violations, 1):
        yield f"  {'broken' if number == 1 else 'and'}: {violation} (at {violation.at / 1_000_000:.3f} s)"
    yield f"  faults ({len(outcome.faults)}):" if outcome.faults else "  without any fault"
    for fault in outcome.faults:
        yield f"    {fault}"
    if outcome.lines:
        yield "  what happened around them (seconds, process, effect, which, answer):"
        yield from _around(outcome)
    if command:
        yield f"  again: {command}"


def _around(outcome: Outcome) -> Iterator[str]:
    """The lines at the faults, and the last ones before the first violation."""
    places = {str(fault.place) for fault in outcome.faults}
    first = min((violation.at for violation in outcome.violations), default=0)
    kept = [line.split(" ") for line in outcome.lines]
    before = [index for index, parts in enumerate(kept) if int(parts[0]) <= first]
    shown = {*before[-LAST:], *(n for n, p in enumerate(kept) if str(Place(p[1], p[2], int(p[3]))) in places)}
    for index in sorted(shown):
        at, process, effect, nth, verdict = kept[index]
        mark = "*" if f"{process}/{effect}/{nth}" in places else " "
        yield f"   {mark}{int(at) / 1_000_000:12.3f}  {process:<9} {effect} {nth} → {verdict}"
