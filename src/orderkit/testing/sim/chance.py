"""Chance for simulations: numbered streams of dice, each a function of the seed and of its name.

Every stream is its own, so that one more draw of one part reshuffles no other. Only `random()` of the standard generator is used: it is the
same on every Python. Nothing here knows a world.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

A = TypeVar("A")


class Dice:
    """One stream of chance."""

    __slots__ = ("random",)

    def __init__(self, seed: int, *names: str) -> None:
        text = "/".join((str(seed), *names))
        source = random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
        self.random = source.random

    def below(self, count: int) -> int:
        """Return a number from 0 up to, and without, the count."""
        return int(self.random() * count)

    def between(self, low: int, high: int) -> int:
        """Return a number from low up to high, both possible."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Say yes in that share of the cases."""
        return self.random() < share

    def one_of(self, choices: Sequence[A]) -> A:
        """Return one of the choices."""
        return choices[int(self.random() * len(choices))]

    def some_of(self, choices: Sequence[A], share: float) -> tuple[A, ...]:
        """Return the choices that come up, each with that chance."""
        return tuple(choice for choice in choices if self.random() < share)
