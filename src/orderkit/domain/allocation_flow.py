"""Units sent from groups of lines over shared shelves to sites with limited room: the most, the best sites first.

An augmenting path search on integers. It knows nothing of objectives: which sites are open, and in which order, is told.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from orderkit.domain.allocation_rules import Demand


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
            while (
                n not in dead and self.got[n] < goal and self._augment(n, opened, goal - self.got[n], dead, swap=swap)
            ):
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
