"""Why a plan is as it is, and how two plans differ: facts first (`Reason`, `Rejected`), then sentences.

Made only when asked for, from what the plan was made from; it never decides anything, and must not be needed for a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from orderkit.domain.allocation_rules import (
    Demand,
    PlannedParcel,
    Question,
    Rank,
    Reason,
    Rejected,
    Shortage,
    Warehouse,
    distance_km,
    forbidden,
    rank,
    refused,
)

Layout: TypeAlias = tuple[tuple[PlannedParcel, ...], tuple[tuple[int, int], ...], tuple[Shortage, ...]]


@attrs.define
class _Scene:
    """The question, looked at from the side of one finished plan."""

    question: Question
    parcels: tuple[PlannedParcel, ...]
    places: dict[str, Warehouse] = attrs.field(init=False)
    demands: dict[int, Demand] = attrs.field(init=False)
    used: dict[str, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.places = {place.id: place for place in sorted(self.question.warehouses, key=lambda place: place.id)}
        self.demands = {demand.line: demand for demand in self.question.demands}
        self.used = {parcel.warehouse: sum(units for _, units in parcel.lines) for parcel in self.parcels}

    def km(self, place: Warehouse) -> int:
        return distance_km(place.vector, self.question.destination.vector)

    def rank(self, place: Warehouse) -> Rank:
        return rank(self.question.rules.objective, place, self.km(place))

    def available(self, demand: Demand, place: Warehouse) -> int:
        """Return what the line could have of this warehouse."""
        if refused(demand, place) or forbidden(place, self.question.rules, self.question.destination):
            return 0
        return self.question.supply.available(demand.sku, place.id)

    def holders(self, demand: Demand) -> list[Warehouse]:
        return [place for place in self.places.values() if self.available(demand, place)]

    def holds_all(self, place: Warehouse) -> bool:
        """Whether one parcel from this warehouse could be the whole order."""
        needs: dict[str, int] = {}
        for demand in self.demands.values():
            needs[demand.sku] = needs.get(demand.sku, 0) + demand.quantity
        room = place.capacity_units is None or place.capacity_units >= sum(needs.values())
        return room and all(self.available(demand, place) >= needs[demand.sku] for demand in self.demands.values())

    def better(self, place: Warehouse, other: Warehouse) -> tuple[str, str, str] | None:
        """Return the key that prefers the first, in words from the side of either; None when none does."""
        mine, theirs = self.km(place), self.km(other)
        for name in (*self.question.rules.objective, "warehouse"):
            match name:
                case "late" if place.lead_days != other.lead_days:
                    a, b, words = place.lead_days, other.lead_days, ("soonest", "later", " d")
                case "cost" if place.cost_minor != other.cost_minor:
                    a, b, words = place.cost_minor, other.cost_minor, ("cheapest", "dearer", "")
                case "distance" if mine != theirs:
                    a, b, words = mine, theirs, ("nearest", "farther", " km")
                case "priority" if place.priority != other.priority:
                    a, b, words = place.priority, other.priority, ("preferred", "less preferred", "")
                case "warehouse":
                    return ("warehouse", "first by name", "later by name") if place.id < other.id else None
                case _:
                    continue
            best, worse, unit = words
            if a > b:
                return None
            return name, f"{best} ({a:,}{unit} against {b:,}{unit})", f"{worse} ({b:,}{unit} against {a:,}{unit})"
        raise AssertionError("the id decides")  # pragma: no cover


def reasons(
    question: Question | None,
    parcels: tuple[PlannedParcel, ...],
    backordered: Sequence[tuple[int, int]],
    short: Sequence[Shortage],
) -> tuple[Reason, ...]:
    """Return why each part of each line is where it is, in the order of the parcels."""
    if question is None:
        return ()
    scene = _Scene(question, parcels)
    found = [
        _why(scene, parcel.warehouse, scene.demands[line], units) for parcel in parcels for line, units in parcel.lines
    ]
    for line, units in backordered:
        demand = scene.demands[line]
        found.append(Reason(line, demand.sku, None, "backordered", f"{units} of {demand.quantity} wait for stock"))
    found.extend(Reason(s.line, s.sku, None, "short", f"{s.asked} asked for, {s.available} to be had") for s in short)
    return tuple(found)


def _why(scene: _Scene, name: str, demand: Demand, units: int) -> Reason:
    place = scene.places[name]
    others = [other for other in scene.holders(demand) if other.id != name]

    def because(rule: str, detail: str) -> Reason:
        return Reason(demand.line, demand.sku, name, rule, detail)

    if not others:
        return because("only", "only there")
    if any(parcel.warehouse == name for parcel in scene.question.pinned):
        return because("pinned", "joins the parcel that leaves there anyway")
    if units < demand.quantity:
        return because("split", f"{units} of {demand.quantity}")
    rivals = [other for other in others if other.id in scene.used]
    if not rivals and len(scene.used) == 1:
        rivals = [other for other in others if scene.holds_all(other)]
    if not rivals:
        return because("parcels", "in the fewest parcels" if len(scene.used) > 1 else "all in one parcel")
    decided = scene.better(place, min(rivals, key=scene.rank))
    if decided is None:
        return because("fit", "as all fits best so")
    return because(decided[0], decided[1])


def rejected(question: Question | None, parcels: tuple[PlannedParcel, ...]) -> tuple[Rejected, ...]:
    """Return what was left out of the plan among the warehouses that hold something of the demand, by id."""
    if question is None:
        return ()
    scene, found = _Scene(question, parcels), []
    for place in scene.places.values():
        held = [d for d in question.demands if question.supply.available(d.sku, place.id)]
        if not held:
            continue
        barred = forbidden(place, question.rules, question.destination)
        if barred is not None:
            found.append(Rejected((place.id,), *barred))
            continue
        refusals = _refusals(place, held)
        found.extend(refusals)
        if sum(len(refusal.skus) for refusal in refusals) < len({d.sku for d in held}):
            found.extend(_left_out(scene, place, held))
    return tuple(found)


def _refusals(place: Warehouse, held: Sequence[Demand]) -> list[Rejected]:
    by_rule: dict[tuple[str, str], dict[str, None]] = {}
    for demand in held:
        barred = refused(demand, place)
        if barred is not None:
            by_rule.setdefault(barred, {})[demand.sku] = None
    return [Rejected((place.id,), rule, detail, tuple(skus)) for (rule, detail), skus in by_rule.items()]


def _left_out(scene: _Scene, place: Warehouse, held: Sequence[Demand]) -> list[Rejected]:
    """Say why a warehouse that may send parcels sends none, or not all it holds."""
    rules, used = scene.question.rules, scene.used
    limit = place.capacity_units
    if place.id in used:
        if limit is None or used[place.id] < limit:
            return []
        sent = {line for parcel in scene.parcels if parcel.warehouse == place.id for line, _ in parcel.lines}
        skus = tuple(dict.fromkeys(demand.sku for demand in held if demand.line not in sent))
        return [Rejected((place.id,), "capacity", f"has room for {limit} units", skus)] if skus else []
    complete = sum(used.values()) == sum(demand.quantity for demand in scene.demands.values())
    if not complete:
        full = rules.max_parcels is not None and len(used) >= rules.max_parcels
        return [Rejected((place.id,), "max_parcels", f"the rules allow {rules.max_parcels} parcels")] if full else []
    if len(used) == 1 and scene.holds_all(place):
        better = scene.better(scene.places[next(iter(used))], place)
        if better is not None:
            return [Rejected((place.id,), better[0], better[2])]
    count = "one parcel does" if len(used) == 1 else f"{len(used)} parcels do"
    return [Rejected((place.id,), "parcels", f"{count} without it")]


def names(*questions: Question | None) -> dict[int, str]:
    """Return the SKU of each line that the questions know."""
    return {demand.line: demand.sku for question in questions if question for demand in question.demands}


def differences(before: Layout, after: Layout, skus: Mapping[int, str]) -> tuple[str, ...]:
    """Return what the second layout does otherwise, one sentence each."""
    was, now = _by_line(before), _by_line(after)
    found = []
    if len(before[0]) != len(after[0]):
        count = len(after[0])
        found.append(f"{count} parcel{'' if count == 1 else 's'} instead of {len(before[0])}")
    for line in sorted(was.keys() | now.keys()):
        old, new = was.get(line, {}), now.get(line, {})
        if old != new:
            found.append(f"{skus.get(line, f'line {line}')}: {_listed(new)} instead of {_listed(old)}")
    return tuple(found)


def _by_line(layout: Layout) -> dict[int, dict[str, int]]:
    parcels, backordered, short = layout
    found: dict[int, dict[str, int]] = {}
    for parcel in parcels:
        for line, units in parcel.lines:
            found.setdefault(line, {})[f"from {parcel.warehouse}"] = units
    for line, units in backordered:
        found.setdefault(line, {})["waiting"] = units
    for lack in short:
        found.setdefault(lack.line, {})["short"] = lack.asked - lack.available
    return found


def _listed(parts: Mapping[str, int]) -> str:
    return " and ".join(f"{units} {where}" for where, units in sorted(parts.items())) or "nothing"
