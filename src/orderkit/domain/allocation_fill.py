"""What a chosen set of warehouses can send: every part of the demand filled from the best site on.

A set of warehouses is an integer whose bits are sites in the order of their rank, best first. Demand falls into parts that do not touch
each other: a `Column` is had whole wherever it is had, a `Loose` part may have to be put together, a `Tangle` shares shelves, capacity or
undivided lines and needs a flow. Filling from the best site on is optimal for every key that is counted per unit, since what sites can
send together is a polymatroid. It must not know how the set is chosen (`allocation_search`), and makes no texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TypeAlias

import attrs

from orderkit.domain.allocation_rules import PER_PARCEL, Demand, Rank, Warehouse

Filled: TypeAlias = tuple[int, int]  # units that are short, units that wait
Record: TypeAlias = list[tuple["Group", int, int]]  # group, site, units
Key: TypeAlias = tuple[int | tuple[tuple[str, int], ...], ...]

STEPS = 16  # of a flow that are as much work as one node of the search


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@attrs.define(eq=False)
class Group:
    """Lines of one SKU that may come from the same sites: how many units may not wait, how many may."""

    sku: str
    demands: list[Demand]
    mask: int
    strict: int
    wait: int
    divided: bool = True

    @property
    def need(self) -> int:
        """All units."""
        return self.strict + self.wait


@attrs.define(eq=False)
class Column:
    """Groups which every site of the mask holds whole; no site outside it holds any."""

    mask: int
    groups: list[Group]
    strict: int
    wait: int
    target: Filled = (0, 0)

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
    held: dict[int, int]
    mask: int
    target: Filled = (0, 0)
    most: int = 0  # units with all sites

    def __attrs_post_init__(self) -> None:
        counts = self.held.values()
        self.most = min(self.group.need, sum(counts) if self.group.divided else max(counts, default=0))

    def fill(self, chosen: int, units: list[int], record: Record | None = None) -> Filled:
        """Take what there is from the best chosen site on; undivided, from the best of those that give most."""
        need, group = self.group.need, self.group
        left = need
        sites = bits(chosen & self.mask)
        if not group.divided:
            sites = iter(sorted(sites, key=lambda site: (-min(need, self.held[site]), site))[:1])
        for site in sites:
            taken = min(left, self.held[site])
            units[site] += taken
            left -= taken
            if record is not None:
                record.append((group, site, taken))
            if not left:
                break
        short = max(0, group.strict - (need - left))
        return short, left - short

    def covered(self, chosen: int) -> bool:
        """Whether the chosen sites give as much as all sites would."""
        return self._missing(chosen) <= 0

    def _missing(self, chosen: int) -> int:
        held, total = self.held, 0
        for site in bits(chosen & self.mask):
            total = total + held[site] if self.group.divided else max(total, held[site])
        return self.most - total

    def needed(self) -> int:
        """Return the sites without which it is worse off than with all."""
        if not self.group.divided:
            enough = self._enough(self.most)
            return enough if enough.bit_count() == 1 else 0
        spare = sum(self.held.values()) - self.most
        return self._enough(spare + 1)

    def helps(self, chosen: int) -> int:
        """Return sites one of which must be added."""
        return (self.mask if self.group.divided else self._enough(self.most)) & ~chosen

    def finishes(self, chosen: int) -> int:
        """Return sites each of which would be the last one needed."""
        return self._enough(self._missing(chosen) if self.group.divided else self.most) & ~chosen

    def _enough(self, units: int) -> int:
        return sum(1 << site for site, count in self.held.items() if count >= units)


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
        return way[0], self.field.per_unit(units)

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
        flow = Flow(self.groups, masks, {sku: dict(sites) for sku, sites in self.held.items()}, dict(self.room), self.field.left * STEPS)
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

    def needed(self) -> int:
        """Return the sites without which it is worse off than with all."""
        return sum(1 << site for site in bits(self.mask) if not self.covered(self.mask & ~(1 << site)))

    def helps(self, chosen: int) -> int:
        """Return sites one of which must be added."""
        return self.mask & ~chosen

    def finishes(self, chosen: int) -> int:
        """Return sites each of which would be the last one needed."""
        return sum(1 << site for site in bits(self.mask & ~chosen) if self.covered(chosen | 1 << site))


@attrs.define(eq=False)
class Flow:
    """Groups send units through shelves to sites: the most in all, the most from the best site, and first for what may not wait."""

    groups: list[Group]
    masks: list[int]
    shelf: dict[str, dict[int, int]]
    room: dict[int, int]
    limit: int  # of work; past it units go only where there is room
    sent: list[dict[int, int]] = attrs.field(init=False)
    got: list[int] = attrs.field(init=False)
    senders: dict[int, dict[int, None]] = attrs.field(factory=dict)
    sharers: dict[str, list[int]] = attrs.field(factory=dict)
    work: int = 0

    def __attrs_post_init__(self) -> None:
        self.sent = [{} for _ in self.groups]
        self.got = [0] * len(self.groups)
        for n, group in enumerate(self.groups):
            self.sharers.setdefault(group.sku, []).append(n)

    def run(self, chosen: int) -> None:
        """Open the sites best first; then let units that may wait give way, without changing what a site sends."""
        opened = 0
        for site in bits(chosen):
            opened |= 1 << site
            self._raise([group.need for group in self.groups], opened, swap=False)
        self._raise([group.strict for group in self.groups], opened, swap=True)

    def _raise(self, goals: list[int], opened: int, *, swap: bool) -> None:
        dead: set[int] = set()  # from where no chain leads on: it stays so until another site opens
        for n, goal in enumerate(goals):
            while n not in dead and self.got[n] < goal and self._augment(n, opened, goal - self.got[n], dead, swap=swap):
                pass

    def _augment(self, start: int, opened: int, most: int, dead: set[int], *, swap: bool) -> bool:
        """Find a shortest chain of groups that make way for each other, and send along it."""
        came: dict[int, tuple[int, int]] = {}
        queue = [start]
        for a in queue:
            sku = self.groups[a].sku
            shelf = self.shelf[sku]
            for site in bits(self.masks[a] & opened):
                self.work += 1
                free = shelf[site] > 0
                if free and not swap and self.room.get(site, 1) > 0:
                    self._send(start, a, site, came, min(most, shelf[site], self.room.get(site, most)))
                    return True
                for b in self.senders.get(site, {}) if free else self.sharers[sku]:
                    self.work += 1
                    if self.work > self.limit:
                        break
                    if b == start or b in came or b in dead or not self.sent[b].get(site):
                        continue
                    came[b] = a, site
                    spare = self.got[b] - self.groups[b].strict
                    if swap and spare > 0:
                        self._send(start, b, None, came, min(most, spare))
                        return True
                    queue.append(b)
        dead.update(queue)
        return False

    def _send(self, start: int, last: int, site: int | None, came: dict[int, tuple[int, int]], amount: int) -> None:
        chain = []
        b = last
        while b != start:
            a, place = came[b]
            amount = min(amount, self.sent[b][place])
            if self.groups[a].sku != self.groups[b].sku:
                amount = min(amount, self.shelf[self.groups[a].sku][place])
            chain.append((a, place, b))
            b = a
        for a, place, b in chain:
            self._move(a, place, amount)
            self._move(b, place, -amount)
        self.got[start] += amount
        if site is None:
            self.got[last] -= amount
            return
        self._move(last, site, amount)
        if site in self.room:
            self.room[site] -= amount

    def _move(self, n: int, site: int, amount: int) -> None:
        self.sent[n][site] = self.sent[n].get(site, 0) + amount
        self.senders.setdefault(site, {})[n] = None
        self.shelf[self.groups[n].sku][site] -= amount


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
    parcel_ranks: list[Rank] = attrs.field(factory=list)
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

    def per_unit(self, units: list[int]) -> Key:
        """Return what is counted per unit, in the order of the objective."""
        return self._key(units, [key for key in self.objective if key not in PER_PARCEL])

    def _key(self, units: list[int], objective: tuple[str, ...] | list[str]) -> Key:
        used = [site for site, count in enumerate(units) if count]
        return tuple(self._value(name, units, used) for name in (*objective, "warehouse") if name != "backordered")

    def _value(self, name: str, units: list[int], used: list[int]) -> int | tuple[tuple[str, int], ...]:
        sites = self.sites
        match name:
            case "parcels":
                return sum(1 for site in used if not self.pinned >> site & 1)
            case "cost":
                return sum(sites[site].cost_minor for site in used if not self.pinned >> site & 1)
            case "late":
                return sum(sites[site].lead_days * units[site] for site in used)
            case "distance":
                return sum(self.km[site] * units[site] for site in used)
            case "priority":
                return sum(sites[site].priority * units[site] for site in used)
            case _:
                return tuple(sorted((sites[site].id, -units[site]) for site in used))

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
        return *self.filled(chosen, units), *self._key(units, self.objective)
