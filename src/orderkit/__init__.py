"""orderkit: the order domain as a pure-Python library.

Quantities that always add up, refunds that always sum, money that is never guessed after a time-out, and a plan you can read before
anything happens. Start with `open`, `Cart` and the verbs of `Shop`; `flows` are what verbs run, and stand beside your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orderkit import flows
    from orderkit.app import AsyncShop, Shop, open, open_async
    from orderkit.domain.allocation import Rules, Warehouse
    from orderkit.domain.cart import Cart
    from orderkit.domain.money import Money
    from orderkit.domain.order import Address, DeliveryPreference, Order, Policies, Service
    from orderkit.domain.payment import CaptureMode, Tender
    from orderkit.domain.preview import Preview
    from orderkit.domain.promise import Handling
    from orderkit.domain.refunds import RefundPolicy
    from orderkit.domain.returns import Disposition, Grade, Graded, ReturnPolicy
    from orderkit.domain.shipment import CarrierStatus, Scan
    from orderkit.domain.status import status_of
    from orderkit.errors import (
        Conflict,
        FlowMisused,
        InvalidInput,
        KeyReused,
        Misconfigured,
        NotAllowed,
        NotFound,
        OrderkitError,
        Overloaded,
        PortError,
    )
    from orderkit.flows.glancing import Glance
    from orderkit.flows.kit import Caller
    from orderkit.ports.carriers import Booked
    from orderkit.ports.settings import Settings
    from orderkit.ports.store import Message, OrderQuery
    from orderkit.runtime.clocks import SeededIds, VirtualClock
    from orderkit.verb import Staged

__all__ = [
    "Address",
    "AsyncShop",
    "Booked",
    "Caller",
    "CaptureMode",
    "CarrierStatus",
    "Cart",
    "Conflict",
    "DeliveryPreference",
    "Disposition",
    "FlowMisused",
    "Glance",
    "Grade",
    "Graded",
    "Handling",
    "InvalidInput",
    "KeyReused",
    "Message",
    "Misconfigured",
    "Money",
    "NotAllowed",
    "NotFound",
    "Order",
    "OrderQuery",
    "OrderkitError",
    "Overloaded",
    "Policies",
    "PortError",
    "Preview",
    "RefundPolicy",
    "ReturnPolicy",
    "Rules",
    "Scan",
    "SeededIds",
    "Service",
    "Settings",
    "Shop",
    "Staged",
    "Tender",
    "VirtualClock",
    "Warehouse",
    "flows",
    "open",
    "open_async",
    "status_of",
]

# Every name with the module that it comes from: a name is imported when it is first asked for, so that `import orderkit` costs nothing
# to a host that only passes by. The imports above say the same to type checkers, and a test holds the two together.
_NAMES = {
    "orderkit.app": ("AsyncShop", "Shop", "open", "open_async"),
    "orderkit.domain.allocation": ("Rules", "Warehouse"),
    "orderkit.domain.cart": ("Cart",),
    "orderkit.domain.money": ("Money",),
    "orderkit.domain.order": ("Address", "DeliveryPreference", "Order", "Policies", "Service"),
    "orderkit.domain.payment": ("CaptureMode", "Tender"),
    "orderkit.domain.preview": ("Preview",),
    "orderkit.domain.promise": ("Handling",),
    "orderkit.domain.refunds": ("RefundPolicy",),
    "orderkit.domain.returns": ("Disposition", "Grade", "Graded", "ReturnPolicy"),
    "orderkit.domain.shipment": ("CarrierStatus", "Scan"),
    "orderkit.domain.status": ("status_of",),
    "orderkit.errors": (
        "Conflict",
        "FlowMisused",
        "InvalidInput",
        "KeyReused",
        "Misconfigured",
        "NotAllowed",
        "NotFound",
        "OrderkitError",
        "Overloaded",
        "PortError",
    ),
    "orderkit.flows.glancing": ("Glance",),
    "orderkit.flows.kit": ("Caller",),
    "orderkit.ports.carriers": ("Booked",),
    "orderkit.ports.settings": ("Settings",),
    "orderkit.ports.store": ("Message", "OrderQuery"),
    "orderkit.runtime.clocks": ("SeededIds", "VirtualClock"),
    "orderkit.verb": ("Staged",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "flows":
        return import_module("orderkit.flows")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  (slow, and rarely asked)

        return version("orderkit")
    if (module := _MODULE_OF.get(name)) is None:
        raise AttributeError(f"module 'orderkit' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
