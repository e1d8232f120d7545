"""What a refund gives back: the value of the units that it is for, exactly, under the order's own policy.

What is due follows that policy, with two exceptions: an order that is given up before it was confirmed owes nothing, and the lines of a refused
amendment take all that came with them. Whether money moves for it is decided elsewhere (`settling`): here nothing is asked of anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orderkit.domain.order import Order, Refund
from orderkit.domain.refunds import Grading, RefundComponent, RefundPolicy, ShippingPolicy, quote
from orderkit.domain.saga import dropped_lines

_UNCONFIRMED = ("placed", "payment_pending", "payment_failed")


def granted(
    order: Order,
    kind: str,
    reason: str,
    now: datetime,
    *,
    units: Mapping[int, int],
    grades: Mapping[int, Grading] | None = None,
    goodwill_minor: int = 0,
    deduction_minor: int = 0,
    return_id: str | None = None,
) -> Refund:
    """Return the refund decision for these units: the value of each, exactly, under the order's own policy.

    `grades` gives basis points of value by line for what came back less than whole; `deduction_minor` is kept besides, as agreed with the
    customer. What was given back before for good will is not given twice. The preview of a refund is this same call.
    """
    components = _quoted(order, kind, units, grades, goodwill_minor, return_id)
    components = _less(components, "deduction", deduction_minor)
    components = _less(components, "given_before", max(0, _counted(components) - order.due_minor))
    return Refund(
        id=f"{order.id}-F{len(order.refunds) + 1}",
        kind=kind,
        reason=reason,
        granted_at=now,
        total_minor=_counted(components),
        units=tuple(sorted(units.items())),
        components=components,
        return_id=return_id,
    )


def _less(components: tuple[RefundComponent, ...], kind: str, amount_minor: int) -> tuple[RefundComponent, ...]:
    kept = min(amount_minor, _counted(components))
    return (*components, RefundComponent(kind=kind, amount_minor=-kept)) if kept else components


def _counted(components: tuple[RefundComponent, ...]) -> int:
    return sum(part.amount_minor for part in components if not part.informational)


def _quoted(
    order: Order,
    kind: str,
    units: Mapping[int, int],
    grades: Mapping[int, Grading] | None,
    goodwill_minor: int,
    return_id: str | None,
) -> tuple[RefundComponent, ...]:
    already = _credited(order)
    gone = all(already.get(line.number, 0) + units.get(line.number, 0) >= line.ordered for line in order.lines)
    earlier = [(refund, part) for refund in order.refunds for part in refund.components]
    components = quote(
        order.facts.prices,
        {number: (already.get(number, 0), count) for number, count in units.items()},
        _policy(order, kind, everything_gone=gone),
        grades=grades,
        everything_gone=gone,
        shipping_already_refunded_minor=sum(part.amount_minor for _, part in earlier if part.kind == "shipping"),
        goodwill_minor=goodwill_minor,
        label_already_charged_minor=-sum(
            p.amount_minor for r, p in earlier if p.kind == "label_cost" and r.return_id == return_id
        ),
    ).components
    return components + _dropped_shipping(order, units, components)


def _policy(order: Order, kind: str, *, everything_gone: bool) -> RefundPolicy:
    """Return what this refund gives back besides the goods."""
    policy = order.facts.policies.refund
    if kind not in ("cancellation", "lost"):
        return policy
    all_with_the_last = everything_gone and policy.cancellation_shipping is ShippingPolicy.FULL_ON_FULL_RETURN
    if dropped_lines(order) and not all_with_the_last:
        return RefundPolicy(shipping=ShippingPolicy.NONE)  # exactly what came with the lines, see `_dropped_shipping`
    if everything_gone and order.state in _UNCONFIRMED:
        return RefundPolicy(shipping=ShippingPolicy.FULL)  # nothing is kept of an order that never came to be
    return policy.for_cancellation()


def _dropped_shipping(
    order: Order, units: Mapping[int, int], quoted: Sequence[RefundComponent]
) -> tuple[RefundComponent, ...]:
    """Return what is left of the shipping that came with the lines of a refused amendment: nobody ever agreed to pay it without them."""
    given = [part for refund in order.refunds for part in refund.components if part.kind == "shipping"]
    given += [part for part in quoted if part.kind == "shipping"]
    left = order.facts.prices.shipping_minor - sum(part.amount_minor for part in given)
    components = []
    for number in sorted(dropped_lines(order)):
        share = order.facts.prices.line(number).shipping_minor
        share = min(left, share - sum(part.amount_minor for part in given if part.line == number))
        if share > 0:
            left -= share
            quantity = units.get(number, 0)
            components.append(RefundComponent(kind="shipping", amount_minor=share, line=number, quantity=quantity))
    return tuple(components)


def _credited(order: Order) -> dict[int, int]:
    """Units by line whose value was given back before."""
    counts: dict[int, int] = {}
    for refund in order.refunds:
        for number, count in refund.units:
            counts[number] = counts.get(number, 0) + count
    return counts
