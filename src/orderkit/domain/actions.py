"""Every command, as the order stands: whether it would be accepted, why not, until when, and what it would do.

An action is offered exactly when the command is accepted, because it is found by deciding the command and reading the answer. API, CLI,
console and error bodies all show this one list.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from orderkit.domain import amending, cancelling
from orderkit.domain.covering import covered
from orderkit.domain.events import Decision, decided
from orderkit.domain.holding import finding_settled, goodwill, held, hold_released, refundable_minor
from orderkit.domain.order import Order
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import Tender
from orderkit.domain.placing import check_offers
from orderkit.domain.preview import Preview, previewed
from orderkit.domain.returning import (
    eligibility,
    graded_by_default,
    return_authorized,
    return_cancelled,
    return_closed,
    return_declined,
    return_received,
    return_requested,
    return_sent,
)
from orderkit.domain.returns import ReturnItem
from orderkit.domain.shipping import delivered, released, shipped
from orderkit.domain.value import Value, evolve
from orderkit.errors import NotAllowed, OrderkitError


class Action(Value, kw_only=True):
    """One command on one subject (a shipment, a return, a hold; empty for the order).

    `units` says how many of which line at most, where the command takes units, and `amount_minor` how much at most, where it takes money;
    `preview` is its dry run at that most.
    """

    name: str
    subject: str = ""
    allowed: bool
    code: str | None = None
    reason: str | None = None
    until: datetime | None = None
    units: tuple[tuple[int, int], ...] = ()
    amount_minor: int | None = None
    preview: Preview | None = None


def actions(order: Order, now: datetime) -> tuple[Action, ...]:
    """Return every command that an order like this could ever take, allowed or not."""
    found = [
        _pay(order, now),
        _cancel(order, now),
        _cancel_units(order, now),
        *_amendments(order, now),
        *_returns(order, now),
    ]
    found.append(_tried(order, "hold", lambda: held(order, now, reason="manual")))
    found += [
        _tried(order, "release_hold", partial(hold_released, order, h.id, now), subject=h.id, until=h.until)
        for h in order.active_holds
    ]
    for shipment in order.shipments:
        if shipment.waiting:
            found.append(_tried(order, "release", partial(released, order, shipment.id, now), subject=shipment.id))
            found.append(
                _tried(
                    order,
                    "ship",
                    partial(shipped, order, shipment.id, now, carrier="any", tracking_number="preview"),
                    subject=shipment.id,
                )
            )
            found.append(
                _tried(
                    order,
                    "cancel_shipment",
                    partial(cancelling.cancelled, order, now, reason="preview", shipment=shipment.id),
                    subject=shipment.id,
                    until=shipment.cutoff_at,
                )
            )
            found.append(Action(name="refuse", subject=shipment.id, allowed=True, units=shipment.lines))
        elif shipment.travelling:
            found.append(_tried(order, "deliver", partial(delivered, order, shipment.id, now), subject=shipment.id))
    most = max(1, refundable_minor(order))
    refund = _tried(order, "refund", lambda: goodwill(order, most, now, reason="preview"))
    found.append(evolve(refund, amount_minor=most) if refund.allowed else refund)
    found += [_tried(order, "attend", partial(finding_settled, order, f, now), subject=f) for f in order.findings]
    return tuple(found)


def _tried(
    order: Order,
    name: str,
    decide: Callable[[], Decision],
    *,
    subject: str = "",
    until: datetime | None = None,
    units: tuple[tuple[int, int], ...] = (),
) -> Action:
    try:
        decision = decide()
    except OrderkitError as error:
        return Action(name=name, subject=subject, allowed=False, code=error.code, reason=error.message)
    return Action(
        name=name, subject=subject, allowed=True, until=until, units=units, preview=previewed(order, decision)
    )


def _pay(order: Order, now: datetime) -> Action:
    missing = missing_minor(order)
    if order.state == "confirmed":
        action = _tried(order, "pay", lambda: covered(order, [Tender(method="another")], now))
        return evolve(action, amount_minor=missing) if action.allowed else action
    if order.state == "payment_failed" and not any(operation.open for _, operation in order.operations()):
        action = _tried(order, "pay", lambda: _one_more(order))
        return evolve(action, amount_minor=missing, preview=None) if action.allowed else action
    code = "nothing_due" if order.state == "cancelled" else "action_in_flight"
    return Action(name="pay", allowed=False, code=code, reason=f"the order is {order.state}")


def _one_more(order: Order) -> Decision:
    """What the order itself says to another tender; whether its goods are still there a plan says."""
    check_offers(order)
    return decided(order)


def _cancel(order: Order, now: datetime) -> Action:
    return _tried(
        order,
        "cancel",
        lambda: cancelling.cancelled(order, now, reason="preview"),
        until=amending.amendable_until(order),
    )


def _cancel_units(order: Order, now: datetime) -> Action:
    free = tuple(sorted(cancelling.cancellable(order, now).items()))
    asked = dict(free) or {line.number: 1 for line in order.lines}  # where nothing is free, the rule says why
    return _tried(
        order,
        "cancel_units",
        lambda: cancelling.cancelled(order, now, reason="preview", units=asked),
        until=amending.amendable_until(order),
        units=free,
    )


def _amendments(order: Order, now: datetime) -> list[Action]:
    """The three parts of an order that can be amended, each by itself; lines that cost something need a tender more."""
    until = amending.amendable_until(order)
    found = [
        Action(name="amend", subject=part, allowed=refusal is None, code=code, reason=reason, until=until)
        for part, refusal in amending.why_not_by_part(order, now).items()
        for code, reason in [refusal or (None, None)]
    ]
    more = _tried(order, "amend", lambda: _one_more(order), subject="lines", until=until)
    return [more if action.subject == "lines" and action.allowed and not more.allowed else action for action in found]


def _returns(order: Order, now: datetime) -> list[Action]:
    lines = [eligibility(order, line.number, now) for line in order.lines]
    free = [e for e in lines if e.units]
    items = [ReturnItem(line=e.line, quantity=e.units, reason="preview") for e in free]
    until = min((e.until for e in free if e.until), default=None)
    if items:
        units = tuple((e.line, e.units) for e in free)
        found = [_tried(order, "request_return", lambda: return_requested(order, items, now), until=until, units=units)]
    else:
        why = next((e for e in lines if e.code == "return_window_closed"), lines[0] if lines else None)
        code, reason = (why.code, why.reason) if why else ("not_returnable", "the order has no lines")
        found = [Action(name="request_return", allowed=False, code=code, reason=reason)]
    for found_return in order.returns:
        rid, outstanding = found_return.id, found_return.outstanding
        if found_return.state == "requested":
            found.append(_tried(order, "authorize_return", partial(return_authorized, order, rid, now), subject=rid))
            found.append(
                _tried(order, "decline_return", partial(return_declined, order, rid, reason="preview"), subject=rid)
            )
        if found_return.state == "authorized":
            found.append(_tried(order, "send_return", partial(return_sent, order, rid, now), subject=rid))
        if outstanding and found_return.state in ("authorized", "in_transit", "partially_received"):
            graded = graded_by_default(outstanding)
            found.append(
                _tried(
                    order,
                    "receive_return",
                    partial(return_received, order, rid, graded, now, warehouse="preview"),
                    subject=rid,
                    units=tuple(sorted(outstanding.items())),
                )
            )
        if found_return.state == "partially_received":
            found.append(
                _tried(order, "close_return", partial(return_closed, order, rid, reason="preview"), subject=rid)
            )
        if found_return.state in ("requested", "authorized", "in_transit"):
            found.append(
                _tried(order, "cancel_return", partial(return_cancelled, order, rid, reason="preview"), subject=rid)
            )
    return found


def refused(order: Order, name: str, now: datetime) -> NotAllowed | None:
    """Return the error that the named command would raise now, or nothing when it is allowed."""
    found = [action for action in actions(order, now) if action.name == name]
    if not found or any(action.allowed for action in found):
        return None
    return NotAllowed(found[0].reason or name, code=found[0].code)
