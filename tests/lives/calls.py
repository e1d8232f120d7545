"""One call of a public verb, as it is drawn, made, and told in a story."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from orderkit import Cart, Graded, Tender
from orderkit.domain.shipment import Scan
from orderkit.ports.carriers import Booked


@attrs.frozen
class Call:
    """One call of a verb. `dry` calls can be previewed; `keyed` ones take an idempotency key."""

    verb: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    keyed: bool = True
    dry: bool = True

    def __str__(self) -> str:
        parts = [_said(each) for each in self.args] + [f"{name}={_said(value)}" for name, value in self.kwargs.items()]
        return f"{self.verb}({', '.join(parts)})"


def _said(value: object) -> str:
    """Return an argument as a story tells it: carts, parcels and addresses in short."""
    match value:
        case Cart():
            lines = [
                f"{x.quantity} {x.sku} at {x.unit_price_minor}{' may wait' if x.backorder else ''}" for x in value.lines
            ]
            more = [f"discount {d.amount_minor}" for d in value.discounts] + [
                f"{c.kind} {c.amount_minor}" for c in value.charges
            ]
            return f"cart[{', '.join(lines + more)}{'' if value.tax_included else ', tax on top'}]"
        case Booked():
            return value.tracking_number
        case Tender():
            return f"{value.method}:{value.amount_minor or 'rest'}"
        case Scan():
            return value.status.value
        case Graded():
            return f"{value.quantity} of {value.line} {value.grade.value}→{value.disposition.value}"
        case list() | tuple():
            return f"[{', '.join(_said(each) for each in value)}]"
    return repr(value)
