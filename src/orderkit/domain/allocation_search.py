"""The search: which warehouses send parcels, so that the objective of the rules is least.

It prunes what the rules forbid, sorts the rest by rank, divides the demand into parts (`allocation_fill`), and chooses a set of sites:
exactly, by the number of parcels, up to a budget of work; past it greedily, improved by swaps. The answer does not depend on the order
in which warehouses are given. It must not know orders, and makes no texts but those of the rules that leave a warehouse out.
"""

from __future__ import annotations

from itertools import combinations

from orderkit.domain.allocation_fill import Column, Field, Group, Key, Loose, Tangle, bits
from orderkit.domain.allocation_rules import (
    PER_PARCEL,
    Demand,
    Destination,
    Question,
    Rules,
    Supply,
    Vector,
    Warehouse,
    distance_km,
    parcel_rank,
    rank,
)
from orderkit.errors import InvalidInput

ROUNDS_MAX = 8  # of one-swap improvement
TWINS_FROM = 9  # sites, from which it pays to drop those that a better site replaces

Shelves = dict[str, dict[str, int]]


def forbidden(warehouse: Warehouse, rules: Rules, destination: Destination) -> tuple[str, str] | None:
    """Return the rule that forbids any parcel from this warehouse, and why; None when there is none."""
    if not warehouse.open:
        return "closed", "is closed"
    if warehouse.capacity_units == 0:
        return "capacity", "can take on nothing more"
    if warehouse.ships_to is not None:
        if destination.country is None:
            raise InvalidInput(f"{warehouse.id} does not ship everywhere: name the country", field="destination.country")
        if destination.country not in warehouse.ships_to:
            return "ships_to", f"does not ship to {destination.country}"
    if rules.max_distance_km is not None:
        if destination.vector is None:
            raise InvalidInput("the rules limit the distance: give the position", field="destination.position")
        km = distance_km(warehouse.vector, destination.vector)
        if km > rules.max_distance_km:
            far = f"{km:,} km away" if warehouse.vector else "at an unknown distance"
            return "distance", f"is {far}, the limit is {rules.max_distance_km:,} km"
    return None


def refused(demand: Demand, warehouse: Warehouse) -> tuple[str, str] | None:
    """Return the rule that keeps this line from leaving this warehouse, and why; None when there is none."""
    if demand.seller is not None and warehouse.seller is not None and demand.seller != warehouse.seller:
        return "seller", f"belongs to {warehouse.seller}, not to {demand.seller}"
    if demand.tags and warehouse.refuses_tags and (tags := demand.tags & warehouse.refuses_tags):
        return "tags", f"does not take {', '.join(sorted(tags))}"
    return None


def shelves(by_sku: dict[str, list[Demand]], supply: Supply, warehouses: dict[str, Warehouse]) -> Shelves:
    """Return what is available of the SKUs at the warehouses, by SKU, without empty shelves."""
    held: Shelves = {sku: {} for sku in by_sku}
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


def known(warehouses: tuple[Warehouse, ...]) -> dict[str, Warehouse]:
    """Return the warehouses by id."""
    found = {warehouse.id: warehouse for warehouse in warehouses}
    if len(found) != len(warehouses):
        twice = sorted(w.id for w in warehouses)
        raise InvalidInput(f"warehouse {next(a for a, b in zip(twice, twice[1:], strict=False) if a == b)} is named twice", field="warehouses")
    return found


def prepared(question: Question) -> Field:
    """Prune, rank, and divide the demand into parts."""
    rules, destination = question.rules, question.destination
    by_sku: dict[str, list[Demand]] = {}
    for demand in question.demands:
        by_sku.setdefault(demand.sku, []).append(demand)
    if len({demand.line for demand in question.demands}) != len(question.demands):
        raise InvalidInput("two demands have the same line number", field="line")
    warehouses = known(question.warehouses)
    held = shelves(by_sku, question.supply, warehouses)
    end: Vector | None = destination.vector
    ranked = []
    for name in set().union(*held.values()):
        warehouse = warehouses[name]
        if forbidden(warehouse, rules, destination) is None:
            km = distance_km(warehouse.vector, end)
            ranked.append((rank(rules.objective, warehouse, km), km, warehouse))
    ranked.sort()
    field = Field(
        sites=[warehouse for _, _, warehouse in ranked],
        km=[km for _, km, _ in ranked],
        objective=rules.objective,
        budget=rules.node_budget,
    )
    _divide(field, question, by_sku, held)
    if question.pinned:
        names = {parcel.warehouse for parcel in question.pinned}
        field.pinned = sum(1 << site for site, warehouse in enumerate(field.sites) if warehouse.id in names)
    if rules.max_parcels is not None:
        field.parcels_max = max(0, rules.max_parcels - len({parcel.warehouse for parcel in question.pinned}))
    return field


def _divide(field: Field, question: Question, by_sku: dict[str, list[Demand]], held: Shelves) -> None:
    index = {warehouse.id: site for site, warehouse in enumerate(field.sites)}
    columns: dict[int, Column] = {}
    tangled: list[Group] = []
    shelf_of: dict[str, dict[int, int]] = {}
    roomy = all(warehouse.capacity_units is None for warehouse in field.sites)
    for sku, demands in by_sku.items():
        shelf = {index[name]: count for name, count in held[sku].items() if name in index}
        shelf_of[sku] = shelf
        groups = _groups(field, question, sku, demands, shelf)
        total = sum(group.need for group in groups)
        mask = groups[0].mask
        if roomy and (min(shelf.values(), default=total) >= total or not mask):
            pass
        if not all(shelf[site] >= total for group in groups for site in bits(group.mask)):
            if len(groups) == 1:
                field.parts.append(Loose(groups[0], {site: shelf[site] for site in bits(mask)}, mask))
            else:
                tangled.extend(groups)
            continue
        for group in groups:
            column = columns.get(group.mask)
            if column is None:
                column = columns[group.mask] = Column(group.mask, [], 0, 0)
            column.groups.append(group)
            column.strict += group.strict
            column.wait += group.wait
    field.parts.extend(columns.values())
