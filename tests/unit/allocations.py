"""Small stories for the planner: two coasts, three towns of Europe, and short ways to write what is wanted and what is there."""

from __future__ import annotations

from typing import Any

from orderkit.domain.allocation import Demand, Destination, Plan, Rules, Supply, Warehouse, plan

NEW_YORK, LOS_ANGELES, CHICAGO = (40.71, -74.01), (34.05, -118.24), (41.88, -87.63)
NYC, LAX = Warehouse("WH-NYC", position=NEW_YORK), Warehouse("WH-LAX", position=LOS_ANGELES)
BROOKLYN = Destination(country="US", position=(40.65, -73.95))
BER, MAD, PAR = Warehouse("BER"), Warehouse("MAD"), Warehouse("PAR")
CANCEL, WAIT = Rules(partial="cancel"), Rules(partial="backorder")


def wants(*items: tuple[str, int], **more: Any) -> list[Demand]:
    """Lines 1, 2, … of these SKUs and quantities."""
    return [Demand(line=line, sku=sku, quantity=quantity, **more) for line, (sku, quantity) in enumerate(items, 1)]


def stock(**places: dict[str, int]) -> Supply:
    """Supply written by warehouse."""
    return Supply({(sku, name): units for name, held in places.items() for sku, units in held.items()})


def parcels(found: Plan) -> dict[str, dict[int, int]]:
    """The parcels as {warehouse: {line: units}}."""
    return {parcel.warehouse: dict(parcel.lines) for parcel in found.parcels}


def coast_to_coast_plan() -> Plan:
    """The example of the requirements: A only in New York, B only in Los Angeles, C in both."""
    supply = Supply({("A", "WH-NYC"): 5, ("B", "WH-LAX"): 5, ("C", "WH-LAX"): 5, ("C", "WH-NYC"): 5})
    return plan(wants(("A", 1), ("B", 1), ("C", 1)), supply, [LAX, NYC], Rules(), BROOKLYN)
