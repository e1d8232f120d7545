"""From a life that broke a law to the fewest steps that still break it, told so that a person can follow them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.lives.life import Lived, lived

RUNS_MAX = 400  # what a person waits for: a minute


def shrunk(failing: Lived) -> Lived:
    """Return a life of the same seed that breaks the same law, with as few steps and accidents as can be found (delta debugging)."""
    if failing.broken is None:
        return failing
    law, best, runs = failing.broken.law, failing, 0
    calm: frozenset[int] = frozenset()

    def still(steps: Sequence[int], quiet: frozenset[int]) -> bool:
        nonlocal best, runs
        runs += 1
        found = lived(failing.seed, steps, calm=quiet)
        if found.broken is None or found.broken.law != law:
            return False
        best = found
        return True

    steps, size = list(failing.steps), max(1, len(failing.steps) // 2)
    while runs < RUNS_MAX:
        shorter = next((rest for rest in _without(steps, size) if runs < RUNS_MAX and still(rest, calm)), None)
        if shorter is not None:
            steps = shorter
        elif size > 1:
            size //= 2
        else:
            break
    if still(steps, frozenset(steps)):
        return best
    for step in steps:
        if runs < RUNS_MAX and still(steps, calm | {step}):
            calm |= {step}
    return best


def _without(steps: list[int], size: int) -> list[list[int]]:
    """Return the steps without each stretch of that size, the latest first."""
    return [steps[:begin] + steps[begin + size :] for begin in reversed(range(0, len(steps), size))]


def told(life: Lived) -> str:
    """Return the story of a life."""
    head = f"seed {life.seed}, {len(life.steps)} steps: " + (str(life.broken) if life.broken else "every law held")
    again = f"again: lived({life.seed}, {list(life.steps)})"
    return "\n".join([head, *(f"  {note}" for note in life.notes), again])
