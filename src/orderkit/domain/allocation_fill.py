"""What a chosen set of warehouses can send: every part of the demand filled from the best site on.

A set of warehouses is an integer whose bits are sites in the order of their rank, best first. Demand falls into parts that do not touch
each other: a `Column` is had whole wherever it is had, a `Loose` part may have to be put together, a `Tangle` shares shelves, capacity or
undivided lines and needs a flow. Filling from the best site on is optimal for every key that is counted per unit, since what sites can
send together is a polymatroid. It must not know how the set is chosen (`allocation_search`), and makes no texts.
"""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import attrs

from orderkit.domain.allocation_flow import Flow, Group, bits
from orderkit.domain.allocation_rules import PER_PARCEL, Warehouse

Filled: TypeAlias = tuple[int, int]  # units that are short, units that wait
Record: TypeAlias = list[tuple[Group, int, int]]  # group, site, units
Spread: TypeAlias = tuple[tuple[str, int], ...]  # units by warehouse id, negative: more at a smaller id is smaller
Key: TypeAlias = tuple[int | Spread, ...]

STEPS = 16  # of a flow that are as much work as one node of the search


@attrs.define(eq=False)
class Column:
    """Groups which every site of the mask holds whole; no site outside it holds any."""

    mask: int
    groups: list[Group]
    strict: int
    wait: int

    def fill(self, chosen: int, units: list[int], record: Record | None = None) -> Filled:
        """Take everything from the best chosen site."""
        held = chosen & self.mask
        if not held:
            return self.strict, self.wait
        site = (held & -held).bit_length() - 1
        units[site] += self.strict + self.wait
        if record is not None:
            record.extend((group, site, group.strict + group.wait) for group in self.groups)
        return 0, 0

    def needed(self) -> int:
        """Return the sites without which it is worse off than with all."""
        return self.mask if self.mask.bit_count() == 1 else 0


@attrs.define(eq=False)
class Loose:
    """One group over sites that may hold a part of it; undivided, only one of them sends."""

    group: Group
    held: list[tuple[int, int]]  # units and site, best site first
    mask: int
    most: int = 0  # units with all sites
    _bits: list[tuple[int, int, int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        group = self.group
        if not group.divided:
            self.held.sort(key=lambda one: (-min(one[0], group.need), one[1]))
        self.most = min(group.need, sum(units for units, _ in self.held[: None if group.divided else 1]))
        self._bits = [(1 << site, site, units) for units, site in self.held]

    def fill(self, chosen: int, units: list[int], record: Record | None = None) -> Filled:
        """Take what there is from the best chosen site on; undivided, from the best of those that give most."""
        group = self.group
        left = need = group.strict + group.wait
        for bit, site, count in self._bits:
            if chosen & bit:
                taken = min(count, left)
                units[site] += taken
                left -= taken
                if record is not None:
                    record.append((group, site, taken))
                if not left or not group.divided:
                    break
        if not left:
            return 0, 0
        short = max(0, group.strict - (need - left))
        return short, left - short

    def covered(self, chosen: int) -> bool:
        """Whether the chosen sites give as much as all sites would."""
        missing = self.most
        divided = self.group.divided
        for bit, _, count in self._bits:
            if chosen & bit:
                if count >= missing:
                    return True
                if not divided:
                    return False
                missing -= count
        return missing <= 0

    def needed(self) -> int:
        """Return the sites without which it is worse off than with all."""
        if not self.group.divided:
            enough = self._enough(self.most)
            return enough if enough.bit_count() == 1 else 0
        spare = sum(count for count, _ in self.held) - self.most
        return self._enough(spare + 1)

    def helps(self, chosen: int) -> int:
        """Return sites one of which must be added."""
        return (self.mask if self.group.divided else self._enough(self.most)) & ~chosen

    def finishes(self, chosen: int) -> int:
        """Return sites each of which would be the last one needed."""
        missing = self.most
        if self.group.divided:
            missing -= sum(count for bit, _, count in self._bits if chosen & bit)
        return self._enough(missing) & ~chosen

    def _enough(self, units: int) -> int:
        enough = 0
        for bit, _, count in self._bits:
            if count >= units:
                enough |= bit
        return enough


@attrs.define(eq=False)
class Tangle:
    """Groups that share shelves or capacity, or lines of one SKU that may not be divided: a flow for each way to send the undivided."""

    groups: list[Group]
    held: dict[str, dict[int, int]]
    room: dict[int, int]
    field: Field
    mask: int = 0
    target: Filled = (0, 0)
    known: dict[int, tuple[Filled, list[dict[int, int]]]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for group in self.groups:
            self.mask |= group.mask

    def fill(self, chosen: int, units: list[int], record: Record | None = None) -> Filled:
        """Take the most, the best sites first."""
        chosen &= self.mask
        if chosen not in self.known:
            self.known[chosen] = self._best(chosen)
        filled, sent = self.known[chosen]
        for group, parts in zip(self.groups, sent, strict=True):
            for site in sorted(parts):
                units[site] += parts[site]
                if record is not None and parts[site]:
                    record.append((group, site, parts[site]))
        return filled

    def _best(self, chosen: int) -> tuple[Filled, list[dict[int, int]]]:
        whole = [n for n, group in enumerate(self.groups) if not group.divided and group.mask & chosen]
        ways = 1
        for n in whole:
            ways *= (self.groups[n].mask & chosen).bit_count()
        masks = [group.mask & chosen for group in self.groups]
        if ways > max(1, self.field.left):
            self.field.exact = False
            return self._flow(self._one_by_one(masks, whole), chosen)
        settled = [
            [1 << sites[whole.index(n)] if n in whole else mask for n, mask in enumerate(masks)]
            for sites in product(*(bits(masks[n]) for n in whole))
        ]
        return min((self._flow(way, chosen) for way in settled), key=self._key)

    def _key(self, way: tuple[Filled, list[dict[int, int]]]) -> tuple[Filled, Key]:
        units = [0] * len(self.field.sites)
        for parts in way[1]:
            for site, count in parts.items():
                units[site] += count
        return way[0], self.field.per_unit(units, self.mask)

    def _one_by_one(self, masks: list[int], whole: list[int]) -> list[int]:
        """Settle undivided lines largest first: too many ways to try them all."""
        held = {sku: dict(sites) for sku, sites in self.held.items()}
        room = dict(self.room)
        for n in sorted(whole, key=lambda n: (-self.groups[n].need, n)):
            group, shelf = self.groups[n], held[self.groups[n].sku]
            can = {site: min(group.need, shelf[site], room.get(site, group.need)) for site in bits(masks[n])}
            site = min(can, key=lambda site: (-can[site], site))
            shelf[site] -= can[site]
            if site in room:
                room[site] -= can[site]
            masks[n] = 1 << site
        return masks

    def _flow(self, masks: list[int], chosen: int) -> tuple[Filled, list[dict[int, int]]]:
        flow = Flow(
            self.groups,
            masks,
            {sku: dict(sites) for sku, sites in self.held.items()},
            dict(self.room),
            self.field.left * STEPS,
        )
        flow.run(chosen)
        self.field.nodes += 1 + flow.work // STEPS
        if flow.work > flow.limit:
            self.field.exact = False
        short = sum(max(0, group.strict - got) for group, got in zip(self.groups, flow.got, strict=True))
        left = sum(group.need - got for group, got in zip(self.groups, flow.got, strict=True))
        return (short, left - short), flow.sent

    def covered(self, chosen: int) -> bool:
        """Whether the chosen sites give as much as all sites would."""
        return self.fill(chosen, [0] * len(self.field.sites)) <= self.target

    def helps(self, chosen: int) -> int:
        """Return sites one of which must be added."""
        return self.mask & ~chosen

    def finishes(self, chosen: int) -> int:
        """Return sites each of which would be the last one needed."""
        return sum(1 << site for site in bits(self.mask & ~chosen) if self.covered(chosen | 1 << site))


Part: TypeAlias = Column | Loose | Tangle


@attrs.define(eq=False)
class Field:
    """Everything the search looks at, and how much of its budget it has used."""

    sites: list[Warehouse]
    km: list[int]
    objective: tuple[str, ...]
    budget: int
    pinned: int = 0
    parcels_max: int | None = None  # beside the pinned ones
    parts: list[Part] = attrs.field(factory=list)
    nodes: int = 0
    exact: bool = True

    @property
    def left(self) -> int:
        """What is left of the budget."""
        return self.budget - self.nodes

    @property
    def all(self) -> int:
        """The set of all sites."""
        return (1 << len(self.sites)) - 1

    def per_unit(self, units: list[int], chosen: int) -> Key:
        """Return what is counted per unit, in the order of the objective."""
        values = self._values(units, chosen)
        return tuple(values[name] for name in (*self.objective[1:], "warehouse") if name not in PER_PARCEL)

    def _values(self, units: list[int], chosen: int) -> dict[str, int | Spread]:
        parcels = cost = late = distance = priority = 0
        spread = []
        while chosen:
            bit = chosen & -chosen
            chosen ^= bit
            index = bit.bit_length() - 1
            count = units[index]
            if not count:
                continue
            site = self.sites[index]
            if not self.pinned & bit:
                parcels += 1
                cost += site.cost_minor
            late += site.lead_days * count
            distance += self.km[index] * count
            priority += site.priority * count
            spread.append((site.id, -count))
        spread.sort()
        return {
            "parcels": parcels,
            "cost": cost,
            "late": late,
            "distance": distance,
            "priority": priority,
            "warehouse": tuple(spread),
        }

    def filled(self, chosen: int, units: list[int], record: Record | None = None) -> Filled:
        """Fill every part from the chosen sites and return what is short and what waits."""
        short = wait = 0
        for part in self.parts:
            missing = part.fill(chosen, units, record)
            short += missing[0]
            wait += missing[1]
        return short, wait

    def key(self, chosen: int) -> Key:
        """Return the objective's value for the best plan from the chosen sites: smaller is better."""
        self.nodes += 1 + len(self.parts) // 8
        units = [0] * len(self.sites)
        filled = self.filled(chosen, units)
        values = self._values(units, chosen)
        return *filled, *[values[name] for name in self.objective[1:]], values["warehouse"]
