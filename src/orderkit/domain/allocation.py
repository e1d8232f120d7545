"""Allocation (interim)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Demand:
    line: int
    sku: str
    quantity: int
    seller: str | None = None
    backorder: bool = False
    tags: frozenset[str] = frozenset()


@attrs.frozen
class Warehouse:
    id: str
    priority: int = 0
    lead_days: int = 1


@attrs.frozen(kw_only=True)
class Destination:
    country: str | None = None


@attrs.frozen
class Supply:
    units: Mapping[tuple[str, str], int]


@attrs.frozen(kw_only=True)
class Rules:
    partial: str = "refuse"


@attrs.frozen
class PlannedParcel:
    warehouse: str
    lines: tuple[tuple[int, int], ...]


@attrs.frozen
class Shortage:
    line: int
    sku: str
    asked: int
    available: int


@attrs.frozen(kw_only=True)
class Plan:
    parcels: tuple[PlannedParcel, ...] = ()
    backordered: tuple[tuple[int, int], ...] = ()
    short: tuple[Shortage, ...] = ()


def plan(demands: Sequence[Demand], supply: Supply, warehouses: Sequence[Warehouse], rules: Rules, destination: Destination | None = None) -> Plan:
    left = dict(supply.units)
    got: dict[str, list[tuple[int, int]]] = {}
    back, short = [], []
    for d in demands:
        need = d.quantity
        for w in warehouses:
            n = min(need, left.get((d.sku, w.id), 0))
            if n > 0:
                left[d.sku, w.id] -= n
                got.setdefault(w.id, []).append((d.line, n))
                need -= n
        if need and d.backorder:
            back.append((d.line, need))
        elif need:
            short.append(Shortage(d.line, d.sku, d.quantity, d.quantity - need))
    if short and rules.partial == "refuse":
        return Plan(short=tuple(short))
    return Plan(parcels=tuple(PlannedParcel(w, tuple(x)) for w, x in got.items()), backordered=tuple(back), short=tuple(short))
