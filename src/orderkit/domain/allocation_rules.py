"""What the planner is asked and what it answers, as plain values: demands, warehouses, supply, rules, parcels, shortages, reasons.

Every value checks itself when it is made, so that the search meets no nonsense. It must not know how a plan is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import asin, cos, radians, sin
from typing import Literal, TypeAlias

import attrs

from orderkit.domain.value import Value
from orderkit.errors import InvalidInput

Position: TypeAlias = tuple[float, float]
Vector: TypeAlias = tuple[float, float, float]
Partial: TypeAlias = Literal["refuse", "backorder", "cancel"]
Rank: TypeAlias = tuple[int | str, ...]

EARTH_DIAMETER_KM = 12742.0
LATITUDE_MAX, LONGITUDE_MAX = 90, 180
FARTHEST_KM = 20016  # what a warehouse without a position counts as: more than half way round
OBJECTIVE = ("backordered", "parcels", "late", "cost", "distance", "priority", "warehouse")
PER_PARCEL = frozenset({"parcels", "cost"})
PARTIAL = ("refuse", "backorder", "cancel")
NO_TAGS: frozenset[str] = frozenset()


def _invalid(field: str, message: str, code: str = "invalid_input") -> InvalidInput:
    return InvalidInput(message, field=field, code=code)


def _counted(field: str, value: object, least: int) -> None:
    if type(value) is not int or value < least:
        raise _invalid(field, f"{value!r} is not a whole number of {least} or more")


def _vector(field: str, position: Position | None) -> Vector | None:
    if position is None:
        return None
    try:
        latitude, longitude = map(float, position)
    except (TypeError, ValueError):
        raise _invalid(field, f"{position!r} is not a latitude and a longitude in degrees") from None
    if not (abs(latitude) <= LATITUDE_MAX and abs(longitude) <= LONGITUDE_MAX):
        raise _invalid(field, f"{position!r} is not a latitude and a longitude in degrees")
    phi, rho = radians(latitude), radians(longitude)
    return cos(phi) * cos(rho), cos(phi) * sin(rho), sin(phi)


def distance_km(start: Vector | None, end: Vector | None) -> int:
    """Return the great-circle distance in whole km; 0 when the end is not known, `FARTHEST_KM` when the start is not."""
    if end is None:
        return 0
    if start is None:
        return FARTHEST_KM
    x, y, z = start[0] - end[0], start[1] - end[1], start[2] - end[2]
    chord = (x * x + y * y + z * z) ** 0.5 / 2
    return round(EARTH_DIAMETER_KM * asin(min(chord, 1.0)))


class Demand(Value, kw_only=True):
    """Units of one SKU that one line of an order asks for.

    `seller` limits the line to that seller's warehouses and to unowned ones; a line without a seller may come from any. A line that is not
    `splittable` leaves from one warehouse only. `backorder` says that what is missing may wait.
    """

    line: int
    sku: str
    quantity: int
    seller: str | None = None
    splittable: bool = True
    backorder: bool = False
    tags: frozenset[str] = NO_TAGS

    def __post_init__(self) -> None:
        if type(self.quantity) is not int or self.quantity < 1:
            raise _invalid("quantity", f"line {self.line} asks for {self.quantity!r} units", "invalid_quantity")


@attrs.frozen
class Warehouse:
    """A place that parcels leave from.

    `priority` is better when lower. `cost_minor` is paid per parcel, in minor units. `capacity_units` is what it can still take on.
    `ships_to` lists ISO countries; None is everywhere. `position` is (latitude, longitude) in degrees.
    """

    id: str
    priority: int = 0
    lead_days: int = attrs.field(default=1, kw_only=True)
    country: str | None = attrs.field(default=None, kw_only=True)
    position: Position | None = attrs.field(default=None, kw_only=True)
    cost_minor: int = attrs.field(default=0, kw_only=True)
    seller: str | None = attrs.field(default=None, kw_only=True)
    capacity_units: int | None = attrs.field(default=None, kw_only=True)
    refuses_tags: frozenset[str] = attrs.field(default=NO_TAGS, kw_only=True)
    ships_to: frozenset[str] | None = attrs.field(default=None, kw_only=True)
    open: bool = attrs.field(default=True, kw_only=True)
    vector: Vector | None = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if not self.id:
            raise _invalid("warehouse.id", "a warehouse needs an id")
        _counted("warehouse.lead_days", self.lead_days, 0)
        _counted("warehouse.cost_minor", self.cost_minor, 0)
        if self.capacity_units is not None:
            _counted("warehouse.capacity_units", self.capacity_units, 0)
        object.__setattr__(self, "vector", _vector("warehouse.position", self.position))


@attrs.frozen(kw_only=True)
class Destination:
    """Where the order goes: an ISO country and a (latitude, longitude), as far as they are known."""

    country: str | None = None
    position: Position | None = None
    vector: Vector | None = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "vector", _vector("destination.position", self.position) if self.position else None)


class Supply(Value):
    """Available units by (SKU, warehouse id). `safety` units of each are never planned; below zero counts as none."""

    units: Mapping[tuple[str, str], int]
    safety: int = 0

    def __post_init__(self) -> None:
        _counted("supply.safety", self.safety, 0)

    def available(self, sku: str, warehouse: str) -> int:
        """Return the units that a plan may take."""
        return max(0, self.units.get((sku, warehouse), 0) - self.safety)

    def with_changes(self, changes: Mapping[tuple[str, str], int]) -> Supply:
        """Return the supply as it would be if these places held these units instead."""
        return Supply({**self.units, **changes}, self.safety)


class Rules(Value, kw_only=True):
    """How the shop wants its orders split.

    `line_split` false sends each line from one warehouse at most. `ship_complete` sends all or nothing. `partial` says what happens to
    units that are nowhere and may not wait by their line: `refuse` the whole plan, let them `backorder`, or `cancel` them.
    `objective` is lexicographic and begins with `backordered` (units not sent now, those that may not wait counted first). `parcels`
    and `cost` are per parcel, `late` (lead days), `distance` (km) and `priority` per unit; `warehouse` prefers the smaller id and always
    decides last. `node_budget` bounds the exact search; past it the plan is good, not proven best.
    """

    max_parcels: int | None = None
    line_split: bool = True
    ship_complete: bool = False
    partial: str = "refuse"
    max_distance_km: int | None = None
    objective: tuple[str, ...] = OBJECTIVE
    node_budget: int = 20000

    def __post_init__(self) -> None:
        if self.max_parcels is not None:
            _counted("rules.max_parcels", self.max_parcels, 1)
        if self.max_distance_km is not None:
            _counted("rules.max_distance_km", self.max_distance_km, 0)
        _counted("rules.node_budget", self.node_budget, 0)
        if self.partial not in PARTIAL:
            raise _invalid("rules.partial", f"{self.partial!r} is none of {', '.join(PARTIAL)}")
        if not isinstance(self.objective, tuple):
            raise _invalid("rules.objective", f"is a tuple of names, not {self.objective!r}")
        unknown = [key for key in self.objective if key not in OBJECTIVE]
        if unknown or len(set(self.objective)) != len(self.objective) or self.objective[:1] != ("backordered",):
            raise _invalid(
                "rules.objective", f"begins with 'backordered', then each at most once of {', '.join(OBJECTIVE[1:])}"
            )


class PlannedParcel(Value):
    """What one warehouse sends: (line, quantity) pairs in the order of the lines."""

    warehouse: str
    lines: tuple[tuple[int, int], ...]


class Shortage(Value):
    """A line that is short: what it asked for, and what of that could be had."""

    line: int
    sku: str
    asked: int
    available: int


class Reason(Value):
    """Why a part of a line is where it is: the rule that decided, and the fact it looked at."""

    line: int
    sku: str
    warehouse: str | None
    rule: str
    detail: str

    def __str__(self) -> str:
        where = f" at {self.warehouse}" if self.warehouse else ""
        if self.rule == "only":
            return f"{self.sku} only{where}"
        return f"{self.sku}{where}: {self.detail}"


class Rejected(Value):
    """Warehouses left out (for some SKUs only, where `skus` names them), the rule that did it, and the fact it looked at."""

    warehouses: tuple[str, ...]
    rule: str
    detail: str
    skus: tuple[str, ...] = ()

    def __str__(self) -> str:
        left_out = f"not for {', '.join(self.skus)}" if self.skus else "left out"
        return f"{' + '.join(self.warehouses)} {left_out}: {self.detail}"


class Question(Value, kw_only=True):
    """All that a plan was made from, kept so that it can be explained and asked again."""

    demands: tuple[Demand, ...]
    supply: Supply
    warehouses: tuple[Warehouse, ...]
    rules: Rules
    destination: Destination
    pinned: tuple[PlannedParcel, ...]


def forbidden(warehouse: Warehouse, rules: Rules, destination: Destination) -> tuple[str, str] | None:
    """Return the rule that forbids any parcel from this warehouse, and why; None when there is none."""
    if not warehouse.open:
        return "closed", "is closed"
    if warehouse.capacity_units == 0:
        return "capacity", "can take on nothing more"
    if warehouse.ships_to is not None:
        if destination.country is None:
            raise InvalidInput(
                f"{warehouse.id} does not ship everywhere: name the country", field="destination.country"
            )
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


def rank(objective: tuple[str, ...], warehouse: Warehouse, km: int) -> Rank:
    """Return what decides between warehouses that can send the same units: smaller is better, and no two are equal."""
    if objective == OBJECTIVE:
        return warehouse.lead_days, km, warehouse.priority, warehouse.id
    return _values([key for key in objective if key not in PER_PARCEL], warehouse, km)


def parcel_rank(objective: tuple[str, ...], warehouse: Warehouse, km: int) -> Rank:
    """Return the same with the cost of a parcel, in the order of the objective."""
    if objective == OBJECTIVE:
        return warehouse.lead_days, warehouse.cost_minor, km, warehouse.priority, warehouse.id
    return _values(objective, warehouse, km)


def _values(keys: Iterable[str], warehouse: Warehouse, km: int) -> Rank:
    values: dict[str, int | str] = {
        "late": warehouse.lead_days,
        "cost": warehouse.cost_minor,
        "distance": km,
        "priority": warehouse.priority,
        "warehouse": warehouse.id,
    }
    return *(values[key] for key in keys if key in values), warehouse.id
