"""orderkit: the order domain as a pure-Python library.

Quantities that always add up, refunds that always sum, money that is never guessed after a time-out, and a plan you can read before
anything happens. Start with `open`, `Cart` and the verbs of `Shop`; `flows` are what verbs run, and stand beside your own.
"""

from __future__ import annotations

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
from orderkit.flows.kit import Caller
from orderkit.ports.settings import Settings
from orderkit.ports.store import Message, OrderQuery
from orderkit.runtime.clocks import SeededIds, VirtualClock
from orderkit.verb import Staged

__all__ = [
    "Address",
    "AsyncShop",
    "Caller",
    "CaptureMode",
    "Cart",
    "Conflict",
    "DeliveryPreference",
    "Disposition",
    "FlowMisused",
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
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  (slow, and rarely asked)

        return version("orderkit")
    raise AttributeError(f"module 'orderkit' has no attribute {name!r}")
