"""The planner against a naive exhaustive search, and the laws that every plan obeys."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, TypeAlias
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from orderkit.domain import allocation
from orderkit.domain.allocation import (
    Demand,
    Destination,
    Plan,
    PlannedParcel,
    Rules,
    Supply,
    Warehouse,
    compare,
    plan,
    what_if,
)
from orderkit.domain.allocation_rules import OBJECTIVE, Question, distance_km
from orderkit.domain.value import evolve

OSLO, BERLIN, MADRID = (59.9, 10.8), (52.5, 13.4), (40.4, -3.7)
HOME = Destination(country="NO", position=OSLO)
SKUS = ("MUG", "TEE", "CAP")
PLACES = ("BER", "MAD", "OSL", "PAR")
HAZMAT = frozenset({"hazmat"})
Sent: TypeAlias = dict[tuple[int, str], int]


@st.composite
def demands_of(draw: st.DrawFn, most: int) -> tuple[Demand, ...]:
    """One to four lines over three SKUs."""
    count = draw(st.integers(1, 4))
    return tuple(
        Demand(
            line=line,
            sku=draw(st.sampled_from(SKUS)),
            quantity=draw(st.integers(1, most if count < 4 else 2)),
            seller=draw(st.sampled_from((None, None, "ada"))),
            splittable=draw(st.sampled_from((True, True, False))),
            backorder=draw(st.booleans()),
            tags=draw(st.sampled_from((frozenset(), frozenset(), HAZMAT))),
        )
        for line in range(1, count + 1)
    )


@st.composite
def warehouses_of(draw: st.DrawFn) -> tuple[Warehouse, ...]:
    """One to four warehouses that differ in everything that a rule looks at."""
    often = st.sampled_from
    return tuple(
        Warehouse(
            name,
            draw(st.integers(0, 1)),
            lead_days=draw(st.integers(1, 2)),
            position=draw(often((None, BERLIN, MADRID, OSLO))),
            cost_minor=draw(st.integers(0, 2)),
            seller=draw(often((None, None, "ada", "bob"))),
            capacity_units=draw(often((None, None, None, 0, 1, 2, 3, 4))),
            refuses_tags=draw(often((frozenset(), frozenset(), HAZMAT))),
            ships_to=draw(often((None, None, None, frozenset({"NO"}), frozenset({"SE"})))),
            open=draw(often((True, True, True, False))),
        )
        for name in PLACES[: draw(st.integers(1, 4))]
    )


@st.composite
def rules_of(draw: st.DrawFn) -> Rules:
    """Rules with the usual objective or any other."""
    rest = draw(st.permutations(OBJECTIVE[1:]))
    other = ("backordered", *rest[: draw(st.integers(0, 6))])
    return Rules(
        max_parcels=draw(st.sampled_from((None, None, 1, 2))),
        line_split=draw(st.booleans()),
        ship_complete=draw(st.sampled_from((False, False, True))),
        partial=draw(st.sampled_from(("refuse", "backorder", "cancel", "cancel"))),
        max_distance_km=draw(st.sampled_from((None, None, 1000))),
        objective=draw(st.sampled_from((OBJECTIVE, other))),
    )


@st.composite
def questions(draw: st.DrawFn, most: int = 3) -> Question:
    """A whole question with little stock, so that it is often short and often fragmented."""
    demands, warehouses = draw(demands_of(most)), draw(warehouses_of())
    count = st.integers(0, draw(st.sampled_from((1, 3, 6))))
    units = {(sku, place.id): draw(count) for sku in SKUS for place in warehouses}
    pinned = draw(st.sampled_from(((), (), (PlannedParcel("BER", ((1, 1),)),), (PlannedParcel("GONE", ()),))))
    return Question(
        demands=demands,
        supply=Supply(units, draw(st.sampled_from((0, 0, 1)))),
        warehouses=warehouses,
        rules=draw(rules_of()),
        destination=HOME,
        pinned=pinned,
    )


@st.composite
def fragments(draw: st.DrawFn) -> Question:
    """Every warehouse may send everything, and no shelf holds much: what is hard is which of them to choose."""
    count, lines = draw(st.sampled_from(((5, 2), (5, 2), (4, 3), (3, 3))))
    warehouses = tuple(
        Warehouse(
            f"W{n}", draw(st.integers(0, 1)), lead_days=draw(st.integers(1, 2)), cost_minor=draw(st.integers(0, 2))
        )
        for n in range(count)
    )
    plain = draw(st.booleans())
    demands = tuple(
        Demand(line=n, sku=SKUS[n], quantity=draw(st.integers(1, 5 - lines)), splittable=plain or draw(st.booleans()))
        for n in range(lines)
    )
    units = st.integers(0, draw(st.sampled_from((1, 2, 3))))
    fewest = ("parcels", *draw(st.permutations(("late", "cost", "distance", "priority"))))
    other = draw(st.permutations(OBJECTIVE[1:]))
    return Question(
        demands=demands,
        supply=Supply({(demand.sku, place.id): draw(units) for demand in demands for place in warehouses}),
        warehouses=warehouses,
        rules=Rules(
            objective=("backordered", *draw(st.sampled_from((fewest, fewest, other)))),
            partial="cancel",
            max_parcels=draw(st.sampled_from((None, None, None, 2))),
        ),
        destination=HOME,
        pinned=draw(st.sampled_from(((), (), (PlannedParcel("W1", ()),)))),
    )


@st.composite
def scattered(draw: st.DrawFn) -> Question:
    """Each SKU lies in one warehouse, with plenty of it as a rule: nothing is left to choose."""
    demands, warehouses = draw(demands_of(3)), draw(warehouses_of())
    homes = {sku: draw(st.sampled_from(warehouses)).id for sku in SKUS}
    units = {(sku, home): draw(st.sampled_from((2, 40, 40, 40))) for sku, home in homes.items()}
    return Question(
        demands=tuple(evolve(demand, seller=None, tags=frozenset()) for demand in demands),
        supply=Supply(units, draw(st.sampled_from((0, 0, 1)))),
        warehouses=warehouses,
        rules=draw(rules_of()),
        destination=HOME,
        pinned=(),
    )


def planned(question: Question, **changes: Any) -> Plan:
    """Ask the planner."""
    asked = evolve(question, **changes)
    return plan(asked.demands, asked.supply, asked.warehouses, asked.rules, asked.destination, asked.pinned)


def may_send(question: Question, demand: Demand, place: Warehouse) -> bool:
    """The hard rules, said again and plainly."""
    rules = question.rules
    near = rules.max_distance_km is None or distance_km(place.vector, HOME.vector) <= rules.max_distance_km
    ships = place.ships_to is None or "NO" in place.ships_to
    owned = demand.seller is None or place.seller in {None, demand.seller}
    homes = {parcel.warehouse for parcel in question.pinned if demand.line in dict(parcel.lines)}
    whole = rules.line_split and demand.splittable
    return (
        place.open
        and near
        and ships
        and owned
        and not demand.tags & place.refuses_tags
        and (whole or not homes or place.id in homes)
    )


def ways_of(question: Question, demand: Demand) -> Iterator[dict[str, int]]:
    """Every way to send some of one line."""
    places = [place.id for place in question.warehouses if may_send(question, demand, place)]
    whole = not (question.rules.line_split and demand.splittable)
    for counts in product(range(demand.quantity + 1), repeat=len(places)):
        if sum(counts) <= demand.quantity and not (whole and sum(map(bool, counts)) > 1):
            yield {place: count for place, count in zip(places, counts, strict=True) if count}


def naive(question: Question) -> Iterator[Sent]:
    """Every plan there is, one line after another."""

    def go(
        rest: tuple[Demand, ...], left: dict[tuple[str, str], int], room: dict[str, int], sent: Sent
    ) -> Iterator[Sent]:
        if not rest:
            yield sent
            return
        first = rest[0]
        for way in ways_of(question, first):
            if all(left[first.sku, place] >= n and room[place] >= n for place, n in way.items()):
                taken = {**left, **{(first.sku, place): left[first.sku, place] - n for place, n in way.items()}}
                fuller = {**room, **{place: room[place] - n for place, n in way.items()}}
                yield from go(rest[1:], taken, fuller, {**sent, **{(first.line, place): n for place, n in way.items()}})

    stock = {(sku, place.id): question.supply.available(sku, place.id) for sku in SKUS for place in question.warehouses}
    capacity = {place.id: 99 if place.capacity_units is None else place.capacity_units for place in question.warehouses}
    pinned = {parcel.warehouse for parcel in question.pinned}
    most = question.rules.max_parcels
    for found in go(question.demands, stock, capacity, {}):
        new = {place for _, place in found} - pinned
        if most is None or not new or len(new) + len(pinned) <= most:
            yield found


def value(question: Question, sent: Sent) -> tuple[Any, ...]:
    """What a plan is worth by the objective, counted plainly: smaller is better."""
    places = {place.id: place for place in question.warehouses}
    pinned = {parcel.warehouse for parcel in question.pinned}
    new = {place for _, place in sent} - pinned
    short = wait = 0
    for demand in question.demands:
        missing = demand.quantity - sum(n for (line, _), n in sent.items() if line == demand.line)
        if demand.backorder or question.rules.partial == "backorder":
            wait += missing
        else:
            short += missing
    units = {place: sum(n for (_, p), n in sent.items() if p == place) for place in sorted(places)}
    keys: dict[str, Any] = {
        "backordered": wait,
        "parcels": len(new),
        "late": sum(places[p].lead_days * n for p, n in units.items()),
        "cost": sum(places[p].cost_minor for p in new),
        "distance": sum(distance_km(places[p].vector, HOME.vector) * n for p, n in units.items()),
        "priority": sum(places[p].priority * n for p, n in units.items()),
        "warehouse": tuple(-n for n in units.values()),
    }
    return short, *(keys[name] for name in question.rules.objective), keys["warehouse"]


def sent_by(found: Plan) -> Sent:
    """The parcels, as the naive search writes them."""
    return {(line, parcel.warehouse): n for parcel in found.parcels for line, n in parcel.lines}


def unwithdrawn(question: Question, **changes: Any) -> Question:
    """The question without those rules that withdraw a plan when something is missing."""
    partial = "cancel" if question.rules.partial == "refuse" else question.rules.partial
    return evolve(question, rules=evolve(question.rules, partial=partial, ship_complete=False, **changes))


@given(questions())
def test_an_exact_plan_is_as_good_as_the_best_of_all_plans(question: Question) -> None:
    """Exhaustive search finds nothing better, and small questions are always solved exactly."""
    asked = unwithdrawn(question)
    found = planned(asked)
    assert found.exact
    assert value(asked, sent_by(found)) == min(value(asked, sent) for sent in naive(asked))


@given(fragments())
def test_fragmented_stock_is_gathered_in_the_fewest_and_best_parcels(question: Question) -> None:
    """Over up to five warehouses exhaustive search finds nothing better."""
    found = planned(question)
    assert found.exact
    assert value(question, sent_by(found)) == min(value(question, sent) for sent in naive(question))


@given(questions(), st.integers(0, 6))
def test_a_plan_past_its_budget_is_still_a_plan(question: Question, budget: int) -> None:
    """With little work allowed the plan keeps every hard rule; when it says that it is exact, it is no worse than with a full budget."""
    asked = unwithdrawn(question)
    hasty = planned(unwithdrawn(question, node_budget=budget))
    best, reached = value(asked, sent_by(planned(asked))), value(asked, sent_by(hasty))
    assert reached == best if hasty.exact else reached >= best
    assert sent_by(hasty) in list(naive(asked))


@given(questions(most=9))
def test_a_plan_takes_no_more_than_there_is_and_than_was_asked(question: Question) -> None:
    """Stock, capacity and demand are never exceeded, and no parcel is empty."""
    found = planned(question)
    sku = {demand.line: demand.sku for demand in question.demands}
    taken: dict[tuple[str, str], int] = {}
    for (line, place), n in sent_by(found).items():
        assert n > 0
        taken[sku[line], place] = taken.get((sku[line], place), 0) + n
    assert all(n <= question.supply.available(*where) for where, n in taken.items())
    room = {place.id: place.capacity_units for place in question.warehouses}
    assert all(
        room[p.warehouse] is None or sum(n for _, n in p.lines) <= (room[p.warehouse] or 0) for p in found.parcels
    )
    assert len({parcel.warehouse for parcel in found.parcels}) == len(found.parcels)


@given(questions(most=9))
def test_what_leaves_waits_and_is_short_adds_up_to_the_demand(question: Question) -> None:
    """Line by line; a refusal sends nothing and names what it lacked; ship-complete sends all or nothing."""
    found = planned(question)
    refused = bool(found.short) and question.rules.partial == "refuse"
    if refused:
        assert (found.parcels, found.backordered) == ((), ())
        assert all(lack.available < lack.asked for lack in found.short)
    else:
        for demand in question.demands:
            sent = sum(n for (line, _), n in sent_by(found).items() if line == demand.line)
            waiting = sum(n for line, n in found.backordered if line == demand.line)
            short = sum(lack.asked - lack.available for lack in found.short if lack.line == demand.line)
            assert sent + waiting + short == demand.quantity
    assert found.complete == (not found.short and not found.backordered)
    assert not question.rules.ship_complete or found.complete or not found.parcels


@given(questions(most=9), st.randoms(use_true_random=False))
def test_the_order_of_warehouses_and_stock_does_not_matter(question: Question, random: Any) -> None:
    """The same question in another order has the same answer, word for word."""
    found = planned(question)
    places, units = list(question.warehouses), list(question.supply.units.items())
    random.shuffle(places)
    random.shuffle(units)
    again = planned(question, warehouses=tuple(places), supply=Supply(dict(units), question.supply.safety))
    assert (again, again.nodes, again.explain()) == (found, found.nodes, found.explain())


@given(questions(most=9), st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(1, 9))
def test_more_stock_never_means_more_parcels(question: Question, sku: str, place: str, more: int) -> None:
    """What could be sent completely can still be sent so in as few parcels, when parcels come first."""
    rules = evolve(question.rules, objective=OBJECTIVE)
    before = planned(question, rules=rules)
    units = {**question.supply.units, (sku, place): question.supply.units.get((sku, place), 0) + more}
    after = planned(question, rules=rules, supply=Supply(units, question.supply.safety))
    pinned = {parcel.warehouse for parcel in question.pinned}

    def new(found: Plan) -> int:
        return len({parcel.warehouse for parcel in found.parcels} - pinned)

    assert not before.complete or (after.complete and new(after) <= new(before))


@given(questions(most=9))
def test_every_part_of_a_plan_has_a_reason(question: Question) -> None:
    """One reason per line and parcel, waiting line and short line; a warehouse that is left out is in no parcel."""
    found = planned(question)
    parts = sum(len(parcel.lines) for parcel in found.parcels) + len(found.backordered) + len(found.short)
    assert len(found.reasons) == parts
    used = {parcel.warehouse for parcel in found.parcels}
    assert not {name for left in found.rejected if not left.skus for name in left.warehouses} & used
    assert len(found.explain()) == parts + len(found.rejected)


@given(questions())
def test_a_plan_asked_again_is_the_same_plan(question: Question) -> None:
    """What-if without a change differs in nothing."""
    found = planned(question)
    again = what_if(found)
    assert again == found
    assert compare(found, again) == ()


@given(scattered())
def test_what_is_seen_at_a_glance_is_what_the_search_finds(question: Question) -> None:
    """A plan that is settled because each SKU lies in one place only is the plan that the search comes to."""
    with patch.object(allocation, "only_places", lambda _: None):
        searched = planned(question)

    assert planned(question) == searched
