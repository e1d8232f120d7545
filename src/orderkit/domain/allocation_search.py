"""The search: which warehouses send parcels, so that the objective of the rules is least.

It prunes what the rules forbid, sorts the rest by rank, divides the demand into parts (`allocation_fill`), and chooses a set of sites:
exactly, by the number of parcels, up to a budget of work; past it greedily, improved by swaps. The answer does not depend on the order
in which warehouses are given. It must not know orders, and makes no texts but those of the rules that leave a warehouse out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from orderkit.domain.allocation_fill import Column, Field, Loose, Tangle
from orderkit.domain.allocation_flow import Group, bits
from orderkit.domain.allocation_glance import Shelves, shelves
from orderkit.domain.allocation_rules import (
    PER_PARCEL,
    Demand,
    Question,
    Rank,
    Warehouse,
    distance_km,
    forbidden,
    parcel_rank,
    rank,
    refused,
)
from orderkit.errors import InvalidInput

ROUNDS_MAX = 8  # of one-swap improvement
TWINS_FROM = 9  # sites, from which it pays to drop those that a better site replaces


def check(question: Question) -> None:
    """Refuse a question that names a line or a warehouse twice."""
    lines = [demand.line for demand in question.demands]
    if len(set(lines)) != len(lines):
        raise InvalidInput(f"line {_twice(lines)} is asked for twice", field="line")
    names = [warehouse.id for warehouse in question.warehouses]
    if len(set(names)) != len(names):
        raise InvalidInput(f"warehouse {_twice(names)} is named twice", field="warehouses")


def _twice(names: Iterable[int | str]) -> int | str:
    counts = Counter(names)
    return next(name for name in counts if counts[name] > 1)


def prepared(question: Question) -> Field:
    """Prune, rank, and divide the demand into parts."""
    rules, destination = question.rules, question.destination
    by_sku: dict[str, list[Demand]] = {}
    for demand in question.demands:
        by_sku.setdefault(demand.sku, []).append(demand)
    warehouses = {warehouse.id: warehouse for warehouse in question.warehouses}
    held = shelves(by_sku, question.supply, warehouses)
    ranked = []
    for name in set().union(*held.values()):
        warehouse = warehouses[name]
        if forbidden(warehouse, rules, destination) is None:
            km = distance_km(warehouse.vector, destination.vector)
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
    """Divide the demand into parts; what could meet at a site with too little room is one tangle."""
    index = {warehouse.id: site for site, warehouse in enumerate(field.sites)}
    room = _room(field.sites, by_sku, held)
    columns: dict[int, Column] = {}
    crowd: list[Group] = []
    crowd_held: dict[str, dict[int, int]] = {}
    for sku, demands in by_sku.items():
        shelf = {index[name]: count for name, count in held[sku].items() if name in index}
        total = demands[0].quantity if len(demands) == 1 else sum([demand.quantity for demand in demands])
        crowded = bool(room) and not room.keys().isdisjoint(shelf)
        whole, stocked = not crowded, 0
        for site, count in shelf.items():
            stocked |= 1 << site
            if count < total:
                whole = False
        groups = _groups(field.sites, question, demands, shelf, stocked, whole=whole)
        if whole:
            for group in groups:
                _into_column(columns, group)
        elif crowded:
            crowd.extend(groups)
            crowd_held[sku] = shelf
        elif len(groups) == 1:
            mask = groups[0].mask
            field.parts.append(Loose(groups[0], [(shelf[site], site) for site in bits(mask)], mask))
        else:
            field.parts.append(Tangle(groups, {sku: shelf}, {}, field))
    field.parts.extend(columns.values())
    if crowd:
        field.parts.append(Tangle(crowd, crowd_held, room, field))


def _into_column(columns: dict[int, Column], group: Group) -> None:
    column = columns.get(group.mask)
    if column is None:
        columns[group.mask] = Column(group.mask, [group], group.strict, group.wait)
    else:
        column.groups.append(group)
        column.strict += group.strict
        column.wait += group.wait


def _room(sites: list[Warehouse], by_sku: dict[str, list[Demand]], held: Shelves) -> dict[int, int]:
    """Return the capacity of the sites that could be asked for more than it."""
    room = {}
    for site, warehouse in enumerate(sites):
        limit = warehouse.capacity_units
        if limit is not None:
            asked = sum(
                min(sum(d.quantity for d in demands), held[sku].get(warehouse.id, 0)) for sku, demands in by_sku.items()
            )
            if limit < asked:
                room[site] = limit
    return room


def _groups(
    sites: list[Warehouse],
    question: Question,
    demands: list[Demand],
    shelf: dict[int, int],
    stocked: int,
    *,
    whole: bool,
) -> list[Group]:
    """Put the lines of a SKU that may come from the same sites together; undivided lines stay alone unless each site holds them all."""
    rules, first = question.rules, demands[0]
    if len(demands) == 1 and first.splittable and first.seller is None and not first.tags and rules.line_split:
        waits = first.backorder or rules.partial == "backorder"
        return [Group(first.sku, demands, stocked, 0 if waits else first.quantity, first.quantity if waits else 0)]
    groups: list[Group] = []
    found: dict[int, Group] = {}
    for demand in demands:
        mask = stocked
        if demand.seller is not None or demand.tags:
            mask = sum(1 << site for site in shelf if refused(demand, sites[site]) is None)
        divided = rules.line_split and demand.splittable
        if not divided and question.pinned:
            homes = {
                parcel.warehouse for parcel in question.pinned if any(line == demand.line for line, _ in parcel.lines)
            }
            mask = sum(1 << site for site in bits(mask) if not homes or sites[site].id in homes)
        group = found.get(mask) if divided or whole else None
        if group is None:
            group = Group(demand.sku, [], mask, 0, 0, divided=divided or whole)
            groups.append(group)
            if group.divided:
                found[mask] = group
        group.demands.append(demand)
        if demand.backorder or rules.partial == "backorder":
            group.wait += demand.quantity
        else:
            group.strict += demand.quantity
    return groups


def choose(field: Field) -> int:
    """Return the set of sites whose plan is best; `field.exact` says whether that is proven."""
    if not field.sites:
        return 0
    if field.objective[1:2] == ("parcels",):
        chosen = _fewest(field)
        if chosen is not None:
            return chosen
    elif _settled_per_unit(field):
        return field.all
    return _every(field)


def _settled_per_unit(field: Field) -> bool:
    """Whether keys per unit decide before any key per parcel, and no two sites are equal in them: then nothing is left to choose."""
    leading: list[str] = []
    for name in (*field.objective[1:], "warehouse"):
        if name in PER_PARCEL:
            break
        leading.append(name)
    if (
        not leading
        or field.parcels_max is not None
        or any(isinstance(part, Tangle) or not _divided(part) for part in field.parts)
    ):
        return False
    prefix = ("backordered", *leading)
    ranks = {rank(prefix, warehouse, km)[: len(leading)] for warehouse, km in zip(field.sites, field.km, strict=True)}
    return len(ranks) == len(field.sites)


def _divided(part: Column | Loose | Tangle) -> bool:
    return not isinstance(part, Loose) or part.group.divided


def _fewest(field: Field) -> int | None:
    """Return the best of the smallest sets that give as much as all sites would; None when there is none of the allowed size."""
    everything, pinned = field.all, field.pinned
    field.nodes += 1
    forced = 0
    for part in field.parts:
        if isinstance(part, Tangle):
            part.target = part.fill(everything, [0] * len(field.sites))
        else:
            forced |= part.needed()
    forced &= ~pinned
    masks = [part.mask for part in field.parts if isinstance(part, Column) and part.mask]
    rest = [part for part in field.parts if not isinstance(part, Column) and part.mask]
    most = (everything & ~pinned).bit_count()
    if field.parcels_max is not None:
        most = min(most, field.parcels_max)
    begun, chosen, banned = forced.bit_count(), pinned | forced, pinned | forced
    for size in range(begun, most + 1):
        if size == begun + 2 and not rest:
            banned |= _replaced(field, masks)
        covers: list[int] = []
        complete = _cover(field, masks, rest, chosen, banned, size - begun, covers)
        if covers:
            best = min(covers, key=field.key) if len(covers) > 1 else covers[0]
            if complete and field.exact:
                return best
            field.exact = False
            return min(best, _greedy(field), key=field.key)
        if not complete:
            field.exact = False
            return _greedy(field)
    return None


def _replaced(field: Field, masks: list[int]) -> int:
    """Return sites for which a better site holds exactly the same parts, so that no smallest set needs them."""
    if len(field.sites) < TWINS_FROM or field.pinned:
        return 0
    holds = [0] * len(field.sites)
    for n, mask in enumerate(masks):
        for site in bits(mask):
            holds[site] |= 1 << n
    best: dict[int, int] = {}
    worse = 0
    for site, parts in enumerate(holds):
        other = best.setdefault(parts, site)
        if other != site:
            if _parcel_rank(field, site) < _parcel_rank(field, other):
                best[parts] = site
                worse |= 1 << other
            else:
                worse |= 1 << site
    return worse


def _parcel_rank(field: Field, site: int) -> Rank:
    return parcel_rank(field.objective, field.sites[site], field.km[site])


def _cover(
    field: Field, masks: list[int], rest: list[Loose | Tangle], chosen: int, banned: int, more: int, covers: list[int]
) -> bool:
    """Collect every set of `more` further sites that covers all parts; return whether the budget sufficed."""
    field.nodes += 1 + len(rest) // 8
    if field.nodes > field.budget:
        return False
    masks = [mask for mask in masks if not mask & chosen]
    rest = [part for part in rest if not part.covered(chosen)]
    if not masks and not rest:
        covers.append(chosen)
        return True
    if not more:
        return True
    if more == 1:
        _covers_with_one(field, masks, rest, chosen, banned, covers)
        return True
    options = min((mask & ~banned for mask in (*masks, *(part.helps(chosen) for part in rest))), key=int.bit_count)
    for site in bits(options):
        if not _cover(field, masks, rest, chosen | 1 << site, banned, more - 1, covers):
            return False
        banned |= 1 << site
    return True


def _covers_with_one(
    field: Field, masks: list[int], rest: list[Loose | Tangle], chosen: int, banned: int, covers: list[int]
) -> None:
    last = field.all & ~banned
    for mask in masks:
        last &= mask
    for part in rest:
        last &= part.finishes(chosen)
    if last and not chosen:  # one parcel for everything: the site's own rank decides
        covers.append(1 << min(bits(last), key=lambda site: _parcel_rank(field, site)))
    else:
        covers.extend(chosen | 1 << site for site in bits(last))


def _every(field: Field) -> int:
    """Return the best of all sets of the allowed size, if the budget allows, else a good one."""
    free = [site for site in range(len(field.sites)) if not field.pinned >> site & 1]
    most = len(free) if field.parcels_max is None else min(len(free), field.parcels_max)
    best, chosen = field.key(field.pinned), field.pinned
    for size in range(1, most + 1):
        for sites in combinations(free, size):
            if field.nodes > field.budget:
                field.exact = False
                return min(_greedy(field), chosen, key=field.key)
            some = field.pinned | sum(1 << site for site in sites)
            key = field.key(some)
            if key < best:
                best, chosen = key, some
    return chosen


def _greedy(field: Field) -> int:
    """Add the site that helps most until none does, then swap or drop one at a time while that helps."""
    chosen, key = field.pinned, field.key(field.pinned)
    free = [1 << site for site in range(len(field.sites)) if not field.pinned >> site & 1]
    most = len(free) if field.parcels_max is None else field.parcels_max
    for _ in range(most):
        after, site = min(((field.key(chosen | site), site) for site in free if not chosen & site), default=(key, 0))
        if after >= key:
            break
        chosen, key = chosen | site, after
    for _ in range(ROUNDS_MAX):
        inside = [site for site in free if chosen & site]
        outside = [0, *(site for site in free if not chosen & site)]
        after, other = min(
            ((field.key(chosen ^ a | b), chosen ^ a | b) for a in inside for b in outside), default=(key, chosen)
        )
        if after >= key:
            break
        chosen, key = other, after
    return chosen
