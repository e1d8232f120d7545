"""Some random lives of orders, always the same in the light profile. A long run is `nox -s lives`."""

from __future__ import annotations

import os
from collections.abc import Callable
from operator import attrgetter

import pytest

from orderkit import Order
from orderkit.domain import returning
from orderkit.domain.events import Decision, decided
from tests.lives.life import Tally, lived
from tests.lives.story import shrunk, told
from tests.lives.tallying import OK, unseen, verbs

FULL = os.environ.get("ORDERKIT_PROFILE") == "full"
SEEDS = range(100 if FULL else 8)


@pytest.fixture(scope="module")
def tally() -> Tally:
    """What the seeds of this profile have seen, every law held."""
    found = Tally()
    for seed in SEEDS:
        life = lived(seed)
        assert life.broken is None, told(shrunk(life))
        found.add(life.tally)
    return found


def test_every_law_holds_in_every_life(tally: Tally) -> None:
    """A seed's orders are placed, paid, changed, sent and returned at random, with a hostile bank; no law is broken on the way or in the end."""
    assert tally.calls.total() > 10 * len(SEEDS)


def test_the_same_seed_is_the_same_life() -> None:
    """Two lives of one seed have the same notes, to the letter."""
    assert lived(7).notes == lived(7).notes


def test_a_fault_is_found_and_told_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Returned goods that nobody pays back: a law is broken, and the shortest story of it ends with the receipt of a return."""
    monkeypatch.setattr(returning, "settled", lambda order, _: decided(order))
    law = "the_shop_keeps_no_more_than_is_due"
    life = next(life for seed in range(100) if (life := lived(seed)).broken is not None and life.broken.law == law)

    found = shrunk(life)
    story = told(found)

    assert found.broken is not None
    assert found.broken.law == law
    assert len(found.steps) < min(8, len(life.steps))
    assert "receive_return" in story.splitlines()[-3]


def _nothing(order: Order, *_: object, **__: object) -> Decision:
    return decided(order)


# What is broken, how, the first seed that is known to find it, and by which law.
FAULTS = [
    ("settling._voided", _nothing, 1, "nothing_is_held_for_nothing"),
    ("settling._in_vain", lambda *_: [], 156, "nothing_is_held_for_lines_that_were_refused"),
    ("settling._released", _nothing, 1, "a_refund_goes_on"),
    ("settling.unstuck", _nothing, 32, "what_is_said_is_missing"),
    ("holding.asked_again", _nothing, 34, "what_is_missing_is_said"),
    ("answering.refund_reversed", _nothing, 2, "everybody_is_even"),
    ("covering.missing_minor", attrgetter("due_minor"), 125, "nobody_pays_more_than_agreed"),
]


@pytest.mark.parametrize(("place", "fault", "seed", "law"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_each_law_of_money_finds_a_fault(
    monkeypatch: pytest.MonkeyPatch, place: str, fault: Callable[..., object], seed: int, law: str
) -> None:
    """With one step of the library left out, or one sum wrong, some life of the next few breaks the law that is about it."""
    monkeypatch.setattr(f"orderkit.domain.{place}", fault)

    lives = (lived(number).broken for number in range(seed, seed + 100))
    found = next((broken.law for broken in lives if broken is not None), None)

    assert found == law


@pytest.mark.skipif(not FULL, reason="a few lives do not see everything")
def test_the_mix_reaches_what_it_tests(tally: Tally) -> None:
    """Every form of every verb succeeds in some share of its attempts, and hardly a state is never seen."""
    rare = {verb: dict(ends) for verb, ends in verbs(tally).items() if ends[OK] < 0.05 * ends.total()}

    assert rare == {}
    assert len(unseen(tally)) <= 3, unseen(tally)
