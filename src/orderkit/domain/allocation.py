"""The planner: which warehouse sends what, in as few parcels as can be, and why.

One pure function serves the reservation at placement, a new allocation after a refusal, a short pick or an amendment, and the question
what would be if. It must not know orders, nor how stock is kept: it is handed a snapshot of supply and returns a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from orderkit.domain import allocation_explain
from orderkit.domain.allocation_fill import Record
from orderkit.domain.allocation_glance import one_for_all, only_places
from orderkit.domain.allocation_rules import (
    Demand,
    Destination,
    Partial,
    PlannedParcel,
    Position,
    Question,
    Reason,
    Rejected,
    Rules,
    Shortage,
    Supply,
    Warehouse,
)
from orderkit.domain.allocation_search import check, choose, prepared
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput

__all__ = [
    "Demand",
    "Destination",
    "Partial",
    "Plan",
    "PlannedParcel",
    "Position",
    "Reason",
    "Rejected",
    "Rules",
    "Shortage",
    "Supply",
    "Warehouse",
    "compare",
    "plan",
    "what_if",
]

NOWHERE = Destination()


@attrs.frozen(kw_only=True)
class Plan:
    """What leaves from where, what waits, and what is short; for each line these add up to its demand.

    A plan that refuses (`Rules.partial`) has no parcels, and `short` holds the lines that it lacked. `exact` says that no plan is better
    by the objective; `nodes` is the work it took. Reasons are made when they are asked for.
    """

    parcels: tuple[PlannedParcel, ...] = ()
    backordered: tuple[tuple[int, int], ...] = ()
    short: tuple[Shortage, ...] = ()
    exact: bool = True
    nodes: int = attrs.field(default=0, eq=False)
    _question: Question | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def complete(self) -> bool:
        """Whether every unit leaves now."""
        return not self.short and not self.backordered

    @property
    def question(self) -> Question | None:
        """What the plan was made from; None for a plan that was put together by hand."""
        return self._question

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why each part of each line is where it is."""
        return allocation_explain.reasons(self._question, self.parcels, self.backordered, self.short)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Warehouses that hold something of the demand and were left out, with the rule that did it."""
        return allocation_explain.rejected(self._question, self.parcels)

    def explain(self) -> tuple[str, ...]:
        """Return the reasons and the rejected warehouses as sentences."""
        return (*map(str, self.reasons), *map(str, self.rejected))


def plan(
    demands: Sequence[Demand],
    supply: Supply,
    warehouses: Iterable[Warehouse],
    rules: Rules,
    destination: Destination | None = None,
    pinned: Iterable[PlannedParcel] = (),
) -> Plan:
    """Return the best plan for the demands by the objective of the rules.

    `pinned` are parcels that stay as they are: supply and capacity are already without their units, the demands without their quantities;
    more units may join them, at no further parcel or cost. Raises `InvalidInput` for two demands of one line, two warehouses of one
    id, or a rule that needs a fact about the destination which is missing. Does not depend on the order of the warehouses.
    """
    question = Question(
        demands=tuple(demands),
        supply=supply,
        warehouses=tuple(warehouses),
        rules=rules,
        destination=destination or NOWHERE,
        pinned=tuple(pinned),
    )
    return _answer(question)


def what_if(
    base: Plan,
    *,
    stock: Mapping[tuple[str, str], int] | None = None,
    closed: Iterable[str] = (),
    warehouses: Iterable[Warehouse] | None = None,
    rules: Rules | None = None,
) -> Plan:
    """Return the plan as it would be with this stock by (SKU, warehouse), these warehouses closed, or these warehouses or rules instead."""
    asked = base.question
    if asked is None:
        raise InvalidInput("the plan does not know what it was made from", field="plan")
    places = asked.warehouses if warehouses is None else tuple(warehouses)
    shut = frozenset(closed)
    return _answer(
        evolve(
            asked,
            supply=asked.supply.with_changes(stock or {}),
            warehouses=tuple(attrs.evolve(place, open=False) if place.id in shut else place for place in places),
            rules=rules or asked.rules,
        )
    )


def compare(before: Plan, after: Plan) -> tuple[str, ...]:
    """Return what is different in the second plan, as sentences; nothing when they send the same."""
    return allocation_explain.differences(
        _laid_out(before), _laid_out(after), allocation_explain.names(before.question, after.question)
    )


def _laid_out(found: Plan) -> allocation_explain.Layout:
    return found.parcels, found.backordered, found.short


def _answer(question: Question) -> Plan:
    if not question.demands:
        return Plan(question=question)
    check(question)
    if (alone := one_for_all(question)) is not None:
        return Plan(parcels=(_parcel(alone.id, question.demands),), nodes=1, question=question)
    if (places := only_places(question)) is not None:
        return Plan(parcels=tuple([_parcel(*place) for place in places.items()]), nodes=1, question=question)
    field = prepared(question)
    record: Record = []
    short, wait = field.filled(choose(field), [0] * len(field.sites), record)
    sent = _by_line(record)
    rules = question.rules
    if not short and not wait:
        return Plan(parcels=_parcels(field.sites, sent), exact=field.exact, nodes=field.nodes, question=question)
    got = {line: sum(parts.values()) for line, parts in sent.items()}
    waiting, missing = [], []
    for demand in question.demands:
        have = got.get(demand.line, 0)
        if have == demand.quantity:
            continue
        if demand.backorder or rules.partial == "backorder":
            waiting.append((demand.line, demand.quantity - have))
        else:
            missing.append(Shortage(demand.line, demand.sku, demand.quantity, have))
    found = Plan(
        parcels=_parcels(field.sites, sent),
        backordered=tuple(waiting),
        short=tuple(missing),
        exact=field.exact,
        nodes=field.nodes,
        question=question,
    )
    return _allowed(found, question)


def _parcel(warehouse: str, demands: Sequence[Demand]) -> PlannedParcel:
    return PlannedParcel(warehouse, tuple(sorted([(demand.line, demand.quantity) for demand in demands])))


def _allowed(found: Plan, question: Question) -> Plan:
    """Apply what the rules say of a plan that does not send everything."""
    rules = question.rules
    if found.short and rules.partial == "refuse":
        return attrs.evolve(found, parcels=(), backordered=())
    if not rules.ship_complete:
        return found
    if not found.short:
        return attrs.evolve(found, parcels=(), backordered=tuple((d.line, d.quantity) for d in question.demands))
    return attrs.evolve(
        found, parcels=(), backordered=(), short=tuple(Shortage(d.line, d.sku, d.quantity, 0) for d in question.demands)
    )


def _by_line(record: Record) -> dict[int, dict[int, int]]:
    """Hand the units of each group to its lines, site by site; lines that may not wait come first."""
    sent: dict[int, dict[int, int]] = {}
    left: dict[int, dict[int, int]] = {}
    for group, site, units in record:
        demands = group.demands
        if len(demands) == 1:
            sent.setdefault(demands[0].line, {})[site] = units
            continue
        open_lines = left.get(id(group))
        if open_lines is None:
            if group.strict and group.wait:
                demands = sorted(demands, key=lambda demand: demand.backorder)
            open_lines = left[id(group)] = {demand.line: demand.quantity for demand in demands}
        rest = units
        for line, want in open_lines.items():
            if want and rest:
                taken = min(want, rest)
                sent.setdefault(line, {})[site] = taken
                open_lines[line] = want - taken
                rest -= taken
    return sent


def _parcels(sites: Sequence[Warehouse], sent: Mapping[int, Mapping[int, int]]) -> tuple[PlannedParcel, ...]:
    boxes: dict[int, list[tuple[int, int]]] = {}
    for line in sorted(sent):
        for site, units in sent[line].items():
            boxes.setdefault(site, []).append((line, units))
    return tuple(PlannedParcel(sites[site].id, tuple(boxes[site])) for site in sorted(boxes))
