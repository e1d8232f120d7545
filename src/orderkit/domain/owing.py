"""What an order still owes: what its units are worth as they leave, and what of the debt nothing covers.

Everything here is counted from the order as it stands, and nothing is asked of anybody. A sum is `hoped` for while a provider was asked for it
and has not answered: whoever would ask a tender counts it as there, whoever would call the debt settled does not.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from orderkit.domain.order import Order
from orderkit.domain.payment import TAKING, CaptureMode, OperationKind, Payment
from orderkit.domain.pricing import units_value
from orderkit.domain.saga import unpaid_lines

STUCK = frozenset(
    {"authorize_failed", "authorization_lapsed", "charge_failed", "capture_failed", "capture_short"}
)  # findings of money that did not come
_PAYING = (OperationKind.CHARGE, OperationKind.CAPTURE)  # what brings money, where an authorization only promises it


def waiting_minor(order: Order, among: Container[int] | None = None) -> int:
    """Return what the units that have not left are worth, of all lines or `among` some: what the parcels to come will take."""
    lines = [line for line in order.lines if among is None or line.number in among]
    return _units_minor(order, {line.number: (line.ordered - line.open, line.open) for line in lines})


def shipment_value(order: Order, lines: Mapping[int, int]) -> int:
    """Return what the units of a shipment are worth, so that the shipments of an order add up to what is due, exactly.

    The last units take what is left, which includes every part that rounding or an earlier shipment did not take; unless a capture was refused:
    its amount is not asked for a second time along with theirs, which would be refused too.
    """
    remaining = order.due_minor - order.paid_minor - sum(_asked_minor(payment, _PAYING) for payment in order.payments)
    if all(line.open == lines.get(line.number, 0) for line in order.lines) and not uncaptured(order):
        return max(0, remaining)
    units = {}
    for number, count in lines.items():
        line = order.line(number)
        units[number] = (min(line.left + order.credited_units(number), line.ordered - count), count)
    return max(0, min(_units_minor(order, units), remaining))


def _units_minor(order: Order, units: Mapping[int, tuple[int, int]]) -> int:
    """Return the value of units by line (how many went before, how many these are), with fees and what was not given back of shipping."""
    value = shipping = 0
    for number, (before, count) in units.items():
        price = order.facts.prices.line(number)
        value += units_value(price.total_minor, price.quantity, before, count)
        shipping += units_value(price.shipping_minor, price.quantity, before, count)
    given = sum(part.amount_minor for refund in order.refunds for part in refund.components if part.kind == "shipping")
    return value - max(0, shipping - (order.facts.prices.shipping_minor - given))


# ---- how much is missing


def stuck(order: Order) -> tuple[str, ...]:
    """Return the findings that say that money did not come."""
    return tuple([found for found in order.findings if found.partition(":")[0] in STUCK])


def uncaptured(order: Order) -> bool:
    """Whether a capture was refused and nobody has attended to it: what it was about may come from another tender."""
    return any([found.startswith("capture_failed:") for found in order.findings])  # noqa: C419  (a list of few is faster than a generator)


def missing_minor(order: Order) -> int:
    """Return what the customer may be asked for now: on another tender, besides all that was asked for already.

    Of a confirmed order it is what nothing covers; and, while a finding says that money got stuck, what left and is not paid: an authorization
    that could not be captured pays for nothing. An order whose payment failed misses all that is due.
    """
    if order.state == "payment_failed":
        return order.due_minor
    return uncovered_minor(order, hoped=True) if order.state == "confirmed" else 0


def uncovered_minor(order: Order, *, hoped: bool) -> int:
    """Return what nothing covers of an order; what is asked for and not answered yet counts as there only when it is `hoped` for."""
    unpaid = unpaid_minor(order, hoped=hoped) if stuck(order) else 0
    if hoped:  # what is being authorized beyond what waits is captured for what left, once it is there (`recovering`)
        unpaid -= spare_minor(order, hoped=True) - spare_minor(order)
    return max(shortfall_minor(order, hoped=hoped), unpaid)


def reliable_minor(order: Order, payment: Payment) -> int:
    """Return what of a tender's authorization is counted on: nothing where it refused a capture, or its bank refused to give it up."""
    return 0 if payment.refuses or kept(order, payment) else payment.capturable_minor


def kept(order: Order, payment: Payment) -> tuple[str, ...]:
    """Return the findings that say that a bank refused to give up what it holds of a tender: it is there, but for nothing."""
    found = [f"void_failed:{operation.id}" for operation in payment.operations] if order.findings else []
    return tuple([finding for finding in found if finding in order.findings])


def spare_minor(order: Order, *, hoped: bool = False) -> int:
    """Return what is authorized, or asked for and `hoped` for, beyond what the goods that wait will take: what left is captured from it.

    An amendment that is not paid yet stands apart, with its lines and its tenders.
    """
    running = {run.id for run in order.sagas}
    free = [payment for payment in order.payments if not any(o.saga in running for o in payment.operations)]
    held = sum(reliable_minor(order, payment) for payment in free)
    if hoped:
        held += sum(_asked_minor(payment, (OperationKind.AUTHORIZE,)) for payment in free)
    return max(0, held - waiting_minor(order) + waiting_minor(order, unpaid_lines(order)))


def shortfall_minor(order: Order, *, hoped: bool = True) -> int:
    """Return what is due and neither paid, nor authorized, nor asked for. What a bank refused to give up is not counted on."""
    kinds = TAKING if hoped else (OperationKind.CAPTURE,)
    covered = sum(_asked_minor(payment, kinds) for payment in order.payments)
    covered += sum(payment.capturable_minor for payment in order.payments if not kept(order, payment))
    return max(0, order.due_minor - order.paid_minor - covered)


def unpaid_minor(order: Order, *, hoped: bool = True) -> int:
    """Return what is due for goods that left, and is neither paid nor about to be; where money is taken at once, all that is due."""
    kinds = _PAYING if hoped else (OperationKind.CAPTURE,)
    coming = sum(_asked_minor(payment, kinds) for payment in order.payments)
    waiting = waiting_minor(order) if order.facts.policies.capture is CaptureMode.PER_SHIPMENT else 0
    return max(0, order.due_minor - order.paid_minor - coming - waiting)


def _asked_minor(payment: Payment, kinds: Sequence[OperationKind]) -> int:
    return sum(payment.open_minor(kind) for kind in kinds)
