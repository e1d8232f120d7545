"""Plans that need no search: everything from one place, or each SKU from the only place that has it.

Most orders are like that, so the planner looks here first. What is returned is what the search finds, given its budget. It must not know
orders.
"""

from __future__ import annotations

from collections.abc import Iterable

from orderkit.domain.allocation_rules import (
    Demand,
    Question,
    Supply,
    Warehouse,
    distance_km,
    forbidden,
    parcel_rank,
    rank,
    refused,
)

Shelves = dict[str, dict[str, int]]


def shelves(skus: Iterable[str], supply: Supply, warehouses: dict[str, Warehouse]) -> Shelves:
    """Return what is available of the SKUs at the warehouses, by SKU, without empty shelves."""
    held: Shelves = {sku: {} for sku in skus}
    units, safety = supply.units, supply.safety
    if len(units) <= len(held) * len(warehouses):
        for (sku, warehouse), count in units.items():
            if count > safety and sku in held and warehouse in warehouses:
                held[sku][warehouse] = count - safety
    else:
        for sku, shelf in held.items():
            for warehouse in warehouses:
                count = units.get((sku, warehouse), 0)
                if count > safety:
                    shelf[warehouse] = count - safety
    return held


def one_for_all(question: Question) -> Warehouse | None:
    """Return the best warehouse that can send everything in one parcel, where that settles the plan; None when the search must."""
    rules = question.rules
    if question.pinned or rules.objective[1:2] != ("parcels",):
        return None
    needs: dict[str, int] = {}
    limited = []
    for demand in question.demands:
        needs[demand.sku] = needs.get(demand.sku, 0) + demand.quantity
        if demand.seller is not None or demand.tags:
            limited.append(demand)
    available, safety = question.supply.units.get, question.supply.safety
    wanted = [(sku, need + safety) for sku, need in needs.items()]
    found = []
    for warehouse in question.warehouses:
        name = warehouse.id
        for sku, need in wanted:
            if available((sku, name), 0) < need:
                break
        else:
            found.append(warehouse)
    destination = question.destination
    able = [
        place
        for place in found
        if forbidden(place, rules, destination) is None and not any(refused(demand, place) for demand in limited)
        if place.capacity_units is None or place.capacity_units >= sum(needs.values())
    ]
    if len(able) < 2:  # noqa: PLR2004  (nothing to rank)
        return able[0] if able else None
    return min(
        able, key=lambda place: parcel_rank(rules.objective, place, distance_km(place.vector, destination.vector))
    )


def only_places(question: Question) -> dict[str, list[Demand]] | None:
    """Return what each warehouse sends, best first, where every SKU lies in one place only and all of it may leave; None when the search must."""
    rules, destination = question.rules, question.destination
    if question.pinned or rules.max_parcels is not None:
        return None
    needs: dict[str, list[Demand]] = {}
    for demand in question.demands:
        if demand.seller is not None or demand.tags:
            return None
        needs.setdefault(demand.sku, []).append(demand)
    warehouses = {warehouse.id: warehouse for warehouse in question.warehouses}
    sent: dict[str, list[Demand]] = {}
    for sku, shelf in shelves(needs, question.supply, warehouses).items():
        if len(shelf) != 1:
            return None
        ((name, count),) = shelf.items()
        if count < sum([demand.quantity for demand in needs[sku]]):
            return None
        sent.setdefault(name, []).extend(needs[sku])
    ranked = []
    for name, demands in sent.items():
        warehouse = warehouses[name]
        room = warehouse.capacity_units
        if forbidden(warehouse, rules, destination) is not None:
            return None
        if room is not None and room < sum([demand.quantity for demand in demands]):
            return None
        ranked.append((rank(rules.objective, warehouse, distance_km(warehouse.vector, destination.vector)), name))
    return {name: sent[name] for _, name in sorted(ranked)}
