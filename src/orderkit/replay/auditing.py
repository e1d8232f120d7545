"""Reads an order that the store gave back: what the report needs of it, and the laws that it must keep.

Pure functions of an order and its log. That they are asked of every order in the store is the caller's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from orderkit.domain.events import Record, replayed
from orderkit.domain.order import Order
from orderkit.domain.quantities import check
from orderkit.domain.status import word
from orderkit.domain.value import as_dict
from orderkit.errors import NotAllowed
from orderkit.replay.reckoning import StoredOrder, StoredRefund
from orderkit.replay.report import Check

__all__ = ["Audit", "credit_reason", "credited_by", "stored_order"]

_PREFIX = "credit_note"
_LAWS = {
    "quantities": "Every line's units add up to what was ordered, and no more came back than left.",
    "money": "Refunds never exceed captures, what was granted is what was paid out, and nothing is in doubt.",
    "log": "The log, replayed from nothing, is the stored order.",
}


def credit_reason(credit: str, cause: str = "") -> str:
    """Return the reason that a refund bears, so that it can be told from the store for which credit note it was."""
    return f"{_PREFIX}:{credit}:{cause}" if cause else f"{_PREFIX}:{credit}"


def credited_by(reason: str) -> str:
    """Return the credit note that a refund's reason names; nothing when it names none."""
    prefix, _, rest = reason.partition(":")
    return rest.partition(":")[0] if prefix == _PREFIX else ""


def stored_order(order: Order) -> StoredOrder:
    """Return what the report needs of a stored order. An order whose money was never captured charges nothing."""
    captured = order.captured_minor
    return StoredOrder(
        reference=order.facts.reference or order.id,
        status=word(order),
        charged_minor=order.total_minor if captured else 0,
        refunds=tuple(
            StoredRefund(credit=credited_by(refund.reason), amount_minor=refund.total_minor)
            for refund in order.refunds
            if captured
        ),
        shipments=len(order.shipments),
        returned=bool(order.returns),
    )


@attrs.define
class Audit:
    """Tries the laws on order after order. Give it each order with its log, then ask for the checks."""

    checked: int = 0
    _findings: dict[str, list[str]] = attrs.field(factory=lambda: {name: [] for name in _LAWS}, alias="findings")

    def look_at(self, order: Order, records: Sequence[Record]) -> None:
        """Try every law on one order."""
        self.checked += 1
        for name, finding in (
            ("quantities", _quantities(order)),
            ("money", _money(order)),
            ("log", _log(order, records)),
        ):
            if finding:
                self._findings[name].append(f"{order.facts.reference or order.id}: {finding}")

    def checks(self) -> tuple[Check, ...]:
        """Return the result of each law."""
        return tuple(
            Check(name=name, law=law, checked=self.checked, findings=tuple(sorted(self._findings[name])))
            for name, law in _LAWS.items()
        )


def _quantities(order: Order) -> str:
    for line in order.lines:
        try:
            check(line)
        except NotAllowed as error:
            return error.message
    shipped = [number for shipment in order.shipments for number, _ in shipment.lines]
    if unknown := set(shipped) - {line.number for line in order.lines}:
        return f"shipments hold lines {sorted(unknown)}, which the order has not"
    return ""


def _money(order: Order) -> str:
    captured, refunded = order.captured_minor, order.refunded_minor
    if refunded > captured:
        return f"refunded {refunded} of {captured} captured"
    if captured and refunded != order.credited_minor:
        return f"granted {order.credited_minor}, paid out {refunded}"
    if captured and captured != order.total_minor:
        return f"captured {captured} of {order.total_minor}"
    if any(payment.in_doubt for payment in order.payments):
        return "money is in doubt"
    return ""


def _log(order: Order, records: Sequence[Record]) -> str:
    if not records:
        return "it has no log"
    told = replayed(records, order.facts)
    if told == order:
        return ""
    fields = [name for name, value in as_dict(order).items() if getattr(told, name) != value]
    return f"the log tells other {', '.join(fields)}"
