"""The planner against OR-Tools CP-SAT, on questions too large for an exhaustive search.

The solver is heavy and no part of the project, so it is not among the test requirements.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from orderkit.domain.allocation import Demand, Destination, Plan, Rules, Supply, Warehouse, plan

try:
    from ortools.sat.python import cp_model
except ImportError:
    pytest.skip("ortools is not installed; run `nox -s oracle`", allow_module_level=True)

pytestmark = pytest.mark.oracle

SEEDS = range(90)
ROOMY = 10**6


def question(seed: int) -> tuple[list[Demand], Supply, list[Warehouse], Rules]:
    """Five to ten lines over six to fourteen warehouses: fragmented stock with little room, fragmented stock, or plenty or nothing."""
    random = Random(seed)
    warehouses = [
        Warehouse(
            f"WH-{n:02}",
            random.randint(0, 2),
            lead_days=random.randint(1, 3),
            cost_minor=random.choice((0, 0, 250, 400)),
            capacity_units=random.choice((None, None, None, 4, 8)) if seed % 3 == 0 else None,
        )
        for n in range(random.randint(6, 14))
    ]
    skus = [f"SKU-{n}" for n in range(8)]
    demands = [
        Demand(
            line=line,
            sku=random.choice(skus),
            quantity=random.randint(1, 6),
            splittable=seed % 4 != 1 or random.random() < 0.7,
            backorder=random.random() < 0.3,
        )
        for line in range(1, random.randint(6, 11))
    ]
    most = 99 if seed % 3 == 1 else 7
    units = {
        (sku, place.id): random.randint(most // 2, most)
        for sku in skus
        for place in warehouses
        if random.random() < 0.3
    }
    return (
        demands,
        Supply(units),
        warehouses,
        Rules(partial="cancel", max_parcels=3 if seed % 5 == 0 else None, node_budget=200_000),
    )


def solved(demands: list[Demand], supply: Supply, warehouses: list[Warehouse], rules: Rules) -> list[int]:
    """Minimize short, waiting, parcels, late, cost and priority one after another, each fixed before the next."""
    model = cp_model.CpModel()
    sent, opened = {}, {}
    for place in warehouses:
        opened[place.id] = model.new_bool_var(place.id)
        for demand in demands:
            most = min(demand.quantity, supply.available(demand.sku, place.id))
            sent[demand.line, place.id] = model.new_int_var(0, most, f"{demand.line}@{place.id}")
            model.add(sent[demand.line, place.id] <= most * opened[place.id])
        model.add(
            sum(sent[d.line, place.id] for d in demands)
            <= (ROOMY if place.capacity_units is None else place.capacity_units)
        )
        for sku in {demand.sku for demand in demands}:
            model.add(sum(sent[d.line, place.id] for d in demands if d.sku == sku) <= supply.available(sku, place.id))
    missing = {
        demand.line: demand.quantity - sum(sent[demand.line, place.id] for place in warehouses) for demand in demands
    }
    for demand in demands:
        model.add(missing[demand.line] >= 0)
        if not demand.splittable:
            uses = [model.new_bool_var(f"{demand.line}^{place.id}") for place in warehouses]
            model.add_at_most_one(uses)
            for use, place in zip(uses, warehouses, strict=True):
                model.add(sent[demand.line, place.id] <= demand.quantity * use)
    if rules.max_parcels is not None:
        model.add(sum(opened.values()) <= rules.max_parcels)
    units = {place.id: sum(sent[demand.line, place.id] for demand in demands) for place in warehouses}
    goals: list[Any] = [
        sum(missing[d.line] for d in demands if not d.backorder),
        sum(missing[d.line] for d in demands if d.backorder),
        sum(opened.values()),
        sum(place.lead_days * units[place.id] for place in warehouses),
        sum(place.cost_minor * opened[place.id] for place in warehouses),
        sum(place.priority * units[place.id] for place in warehouses),
    ]
    values = []
    for goal in goals:
        model.minimize(goal)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        assert solver.solve(model) == cp_model.OPTIMAL
        values.append(round(solver.objective_value))
        model.add(goal == values[-1])
    return values


def counted(found: Plan, demands: list[Demand], warehouses: list[Warehouse]) -> list[int]:
    """The same values, counted on a plan."""
    places = {place.id: place for place in warehouses}
    units = {parcel.warehouse: sum(n for _, n in parcel.lines) for parcel in found.parcels}
    return [
        sum(lack.asked - lack.available for lack in found.short),
        sum(n for _, n in found.backordered),
        len(units),
        sum(places[name].lead_days * n for name, n in units.items()),
        sum(places[name].cost_minor for name in units),
        sum(places[name].priority * n for name, n in units.items()),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_planner_finds_what_the_solver_finds(seed: int) -> None:
    """Every value of the objective is the solver's optimum when the plan says that it is exact, and no better when it does not."""
    demands, supply, warehouses, rules = question(seed)
    found = plan(demands, supply, warehouses, rules, Destination(country="NO"))
    values, best = counted(found, demands, warehouses), solved(demands, supply, warehouses, rules)
    assert values == best if found.exact else values >= best


def test_most_of_these_questions_are_solved_exactly() -> None:
    """The comparison above is not an empty one."""
    exact = [plan(*question(seed)).exact for seed in SEEDS]
    assert sum(exact) >= len(SEEDS) * 0.8
