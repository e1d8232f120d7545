"""How much is done to real processes: a short form where a change is judged (`ORDERKIT_PROFILE=full`), a long one in a nox session of its own."""

from __future__ import annotations

import os

import attrs
import pytest

SCALE = "ORDERKIT_CHAOS"


@attrs.frozen(kw_only=True)
class Scale:
    """How often, and how many."""

    kills: int
    pauses: int
    attacks: int
    outbox_rows: int
    every_gate: bool
    three_brokers: bool


SHORT = Scale(kills=5, pauses=4, attacks=12, outbox_rows=10_000, every_gate=False, three_brokers=False)
LONG = Scale(kills=100, pauses=50, attacks=600, outbox_rows=1_000_000, every_gate=True, three_brokers=True)


def scale() -> Scale:
    """Return how much is asked for. Skips the test in the light profile: it takes minutes, and a server."""
    if os.environ.get(SCALE) == "long":
        return LONG
    if os.environ.get("ORDERKIT_PROFILE") != "full":
        pytest.skip("real processes are killed in the full profile only: ORDERKIT_PROFILE=full")
    return SHORT
