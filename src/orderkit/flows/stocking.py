"""Goods arrive at warehouses, or are counted off; and which warehouses there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orderkit.domain.given import check_text, kept
from orderkit.domain.stock import StockReceipt
from orderkit.errors import InvalidInput
from orderkit.flows.kit import Caller, checked_key
from orderkit.ports.clock import NewId, Now
from orderkit.ports.settings import ReadSettings
from orderkit.ports.store import PutStock, ReadStock


async def put_stock(sku: str, units: Mapping[str, int], caller: Caller, *, reason: str = "received") -> None:
    """Add units of a SKU by warehouse, all or none. Negative counts take off what was not there after all.

    With a key every shelf's receipt counts once: a repeat changes nothing, other units or another reason for that shelf are `KeyReused`.
    """
    if not isinstance(units, Mapping):
        raise InvalidInput("say how many units by warehouse", field="units")
    check_text(sku, "sku")
    check_text(reason, "reason")
    units = kept(units, "units")
    key = None if caller.key is None else checked_key(caller.key)
    receipts = []
    for warehouse, quantity in units.items():
        name = await NewId() if key is None else _receipt_id(caller.principal, key, sku, warehouse)
        receipts.append(StockReceipt(name, sku, warehouse, quantity, reason, await Now()))
    await PutStock(tuple(receipts))


def _receipt_id(principal: str, key: str, sku: str, warehouse: str) -> str:
    """Return an id that only this shelf has under the caller's key.

    The key comes first and may hold slashes, those of the names after it are escaped as in a JSON pointer. A principal but the shop's stands
    before a character that no key has. So nearly all ids are those of version 1, which wrote the three as they are; the rest are migrated.
    """
    names = [str(name).replace("~", "~0").replace("/", "~1") for name in (sku, warehouse)]
    owner = "" if principal == Caller().principal else f"{principal}\x1f"
    return "/".join([owner + key, *names])


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
