"""How much of the library lives have seen: each verb in each state of an order, how it ended, and every state of every lifecycle.

A mix in which a verb never succeeds, or a state is never reached, proves little; the tables here say so, and a test holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orderkit.domain.lifecycle import LIFECYCLES
from orderkit.domain.status import PAYMENT_STATUSES
from tests.lives.life import Tally

OK = "ok"


def verbs(tally: Tally) -> dict[str, Counter[str]]:
    """Return for each verb, in each of its forms, how often it ended how."""
    found: dict[str, Counter[str]] = {}
    for (verb, _, outcome), times in tally.calls.items():
        found.setdefault(verb, Counter())[outcome] += times
    return dict(sorted(found.items()))


def unseen(tally: Tally) -> list[str]:
    """Return the states of the lifecycles, and of the payment axis, that no life was in."""
    seen = {(name, state.split(" ")[-1] if name == "operation" else state) for name, state in tally.states}
    wanted = [(name, state) for name, cycle in LIFECYCLES.items() for state in cycle.states]
    wanted += [("payment status", state) for state in PAYMENT_STATUSES]
    return [f"{name} {state}" for name, state in wanted if (name, state) not in seen]


def table(tally: Tally) -> Iterator[str]:
    """Tell how verbs ended, in which states of an order they succeeded, and which states were seen."""
    yield f"{'verb':<24}{'asked':>8}{'ok':>7}  refused with"
    for verb, ends in verbs(tally).items():
        asked = sum(ends.values())
        refusals = ", ".join(f"{code} {times}" for code, times in ends.most_common() if code != OK)
        yield f"{verb:<24}{asked:>8}{ends[OK] / asked:>7.0%}  {refusals}"
    yield ""
    yield "verb: in which states of an order it succeeded"
    for verb in verbs(tally):
        states = Counter({status: n for (name, status, end), n in tally.calls.items() if name == verb and end == OK})
        yield f"{verb:<24}  {', '.join(f'{status} {times}' for status, times in states.most_common())}"
    yield ""
    for name in sorted({name for name, _ in tally.states}):
        yield f"{name}: {', '.join(f'{state} {n}' for (kind, state), n in sorted(tally.states.items()) if kind == name)}"
    yield f"never seen: {', '.join(unseen(tally)) or 'nothing'}"
