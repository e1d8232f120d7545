"""Goods arrive at warehouses, or are counted off; and which warehouses there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orderkit.domain.given import check_texts
from orderkit.errors import InvalidInput
from orderkit.flows.kit import Caller, checked_key
from orderkit.ports.clock import NewId, Now
from orderkit.ports.settings import ReadSettings
from orderkit.ports.store import PutStock, ReadStock


async def put_stock(sku: str, units: Mapping[str, int], caller: Caller, *, reason: str = "received") -> None:
    """Add units of a SKU by warehouse; with a key, a repeat changes nothing. Negative counts take off what was not there after all."""
    check_texts(sku=sku, units=units, reason=reason)
    key = checked_key(caller.key) if caller.key else None
    for warehouse, quantity in units.items():
        if type(quantity) is not int:
            raise InvalidInput(f"{quantity!r} is no number of units", code="invalid_quantity", field="quantity")
        if not sku.strip() or not warehouse.strip():
            raise InvalidInput("stock has a SKU and a warehouse", field="sku")
        name = f"{key}/{sku}/{warehouse}" if key else await NewId()
        await PutStock(name, sku, warehouse, quantity, reason, await Now())


async def check_warehouses(names: Iterable[str], *, field: str = "warehouse") -> None:
    """Refuse a warehouse that was neither described to the shop nor has a shelf: a typing error must not move goods."""
    described = (await ReadSettings()).warehouses
    if not (unknown := [name for name in names if name not in described]):
        return
    known = sorted({*described, *(level.warehouse for level in await ReadStock())})
    for name in unknown:
        if name not in known:
            raise InvalidInput(
                f"no warehouse {name!r}; there are {', '.join(known) or 'none'}",
                code="unknown_warehouse",
                field=field,
                facts={"warehouses": known},
            )
