"""Every public flow has its verb on both shops, and every write takes the host's transaction and has a dry run."""

from __future__ import annotations

import inspect

import pytest

from orderkit import AsyncShop, Shop, flows
from orderkit.plans import AsyncPlans, Plans
from orderkit.verb import Query, Verb
from orderkit.verbs import Verbs
from orderkit.writes import Writes

# A flow whose verb has another name, or that is a part of one.
VERB_OF = {
    "add_lines": "amend",
    "amend_address": "amend",
    "amend_delivery": "amend",
    "dispatch": "ship",
    "offered": "actions",
}
NO_FLOWS = {"Accepted", "Caller", "Glance", "expected_refund", "tender"}
WRITES = sorted(name for name, value in vars(Writes).items() if isinstance(value, Verb))
QUERIES = sorted(name for name, value in vars(Verbs).items() if isinstance(value, Query))


@pytest.mark.parametrize("flow", sorted(set(flows.__all__) - NO_FLOWS))
def test_a_public_flow_has_its_verb_on_both_shops(flow: str) -> None:
    """What can be run can be called."""
    verb = VERB_OF.get(flow, flow)

    assert verb in {*WRITES, *QUERIES}
    assert hasattr(Shop, verb)
    assert hasattr(AsyncShop, verb)


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_joins_the_hosts_transaction_and_can_be_tried_dry(verb: str) -> None:
    """No write may forget `tx=`, nor its place in the plan."""
    declared = vars(Writes)[verb]
    parameters = inspect.signature(declared._build).parameters

    assert parameters["tx"].default is None
    assert parameters["tx"].kind is inspect.Parameter.KEYWORD_ONLY
    assert hasattr(Plans, verb)
    assert hasattr(AsyncPlans, verb)


@pytest.mark.parametrize("verb", [*WRITES, *QUERIES])
def test_a_verb_says_what_it_does(verb: str) -> None:
    """Its docstring is the declared function's, on the class and on a shop."""
    assert (vars(Verbs).get(verb) or vars(Writes)[verb]).__doc__
