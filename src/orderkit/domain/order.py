"""The order: immutable facts, and the state that commands change.

`Facts` is what the customer agreed to: it is stored as one document, rewritten only by an amendment, and is the only place with personal
data. `Order` is the aggregate: units per line, shipments, payments, refunds, returns, holds, saga runs. Old value in, new value out;
statuses are derived (see `status`). Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from orderkit.domain.given import one_of
from orderkit.domain.lifecycle import HOLD, ORDER, REFUND
from orderkit.domain.payment import CaptureMode, Operation, OperationKind, Payment
from orderkit.domain.pricing import Prices
from orderkit.domain.quantities import Line
from orderkit.domain.refunds import RefundComponent, RefundPolicy
from orderkit.domain.returns import Return, ReturnPolicy
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import Value, corrected, field
from orderkit.errors import InvalidInput, NotAllowed

COUNTRY_LENGTH = 2  # ISO 3166-1 alpha-2
_NEEDED = ("street", "city", "zip")
LINES_MAX = 1_000  # a cart above this is an import or an attack; each commit must stay one readable unit of work


class Address(Value, kw_only=True):
    """Where something goes. `country` is the two-letter code."""

    street: str
    city: str
    zip: str
    country: str
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("street", "city", "zip", "country", "name"):
            if not isinstance(text := getattr(self, name), str):
                raise InvalidInput(f"an address is of texts, not {text!r}", code="invalid_address", field=name)
            if not text.strip() and name in _NEEDED:
                raise InvalidInput(f"an address needs its {name}", code="invalid_address", field=name)
        if len(self.country) != COUNTRY_LENGTH or not self.country.isascii() or not self.country.isupper():
            raise InvalidInput(
                f"{self.country!r} is no two-letter country code", code="invalid_address", field="country"
            )


class Service(StrEnum):
    """How fast the customer wants it."""

    STANDARD = "standard"
    EXPRESS = "express"
    PICKUP = "pickup"


class DeliveryPreference(Value, kw_only=True):
    """What the customer wishes of the delivery: a service, and perhaps a day before which it must not come."""

    service: Service = Service.STANDARD
    not_before: date | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if type(self.service) is not Service:
            corrected(self, "service", one_of(Service, self.service, "service"))
        day: object = self.not_before
        if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):  # a time is a date for Python
            raise InvalidInput(f"it is a day that is wished for, a date, not {day!r}", field="not_before")


class OrderLine(Value, kw_only=True):
    """What was ordered on one line, as agreed. `seller` names who sells it where there are several.

    More of the same later is a new line: a line's price never changes. `amendment` counts which amendment added it, 0 for the cart.
    """

    number: int
    sku: str
    quantity: int
    unit_price_minor: int
    name: str = ""
    seller: str | None = None
    backorder: bool = False
    tags: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str], ...] = ()
    amendment: int = 0


class Policies(Value, kw_only=True):
    """The shop's rules as they were when the order was placed; they never change under the customer's feet."""

    capture: CaptureMode = CaptureMode.NOW
    refund: RefundPolicy = field(default_factory=RefundPolicy)
    returns: ReturnPolicy = field(default_factory=ReturnPolicy)
    reservation: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        if type(self.capture) is not CaptureMode:
            corrected(self, "capture", one_of(CaptureMode, self.capture, "policies.capture"))


class Facts(Value, kw_only=True):
    """The document of an order: who, what, where to, at which prices, under which rules."""

    customer: str
    currency: str
    ship_to: Address
    lines: tuple[OrderLine, ...]
    prices: Prices
    delivery: DeliveryPreference = field(default_factory=DeliveryPreference)
    policies: Policies = field(default_factory=Policies)
    contact: str = ""
    reference: str = ""

    def line(self, number: int) -> OrderLine:
        """Return the line with that number."""
        for line in self.lines:
            if line.number == number:
                return line
        raise InvalidInput(f"the order has no line {number}", code="unknown_line", field="line")


class Refund(Value, kw_only=True):
    """A decision to give value back: what for, how much, exactly. Money moves by the operations that name it.

    `units` are (line number, units) whose value is given back; they count once. `total_minor` may exceed what is paid out, when part of
    it was never captured.
    """

    id: str
    kind: str
    reason: str
    granted_at: datetime
    total_minor: int
    state: str = REFUND.initial
    units: tuple[tuple[int, int], ...] = ()
    components: tuple[RefundComponent, ...] = ()
    return_id: str | None = None


class Hold(Value, kw_only=True):
    """A reason to wait. An order may have several; nothing is released to a warehouse while one is active."""

    id: str
    reason: str
    placed_at: datetime
    state: str = HOLD.initial
    note: str = ""
    until: datetime | None = None
    released_at: datetime | None = None


class SagaRun(Value, kw_only=True):
    """Where a durable sequence stands: definition by name and version, step by name, and the way it goes."""

    id: str
    name: str
    version: int
    step: str
    started_at: datetime
    direction: str = "forward"
    reason: str | None = None


class Order(Value, kw_only=True):
    """An order as it stands. `version` counts its commits; `state` is its own axis, the others are derived.

    `sought_at` is when stock was last looked for on behalf of units that wait.
    """

    id: str
    facts: Facts
    placed_at: datetime
    updated_at: datetime
    version: int = 0
    state: str = ORDER.initial
    reason: str | None = None
    reserved_until: datetime | None = None
    sought_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    returns: tuple[Return, ...] = ()
    holds: tuple[Hold, ...] = ()
    sagas: tuple[SagaRun, ...] = ()
    findings: tuple[str, ...] = ()

    # ---- looking up

    def line(self, number: int) -> Line:
        """Return the units of the line with that number."""
        for line in self.lines:
            if line.number == number:
                return line
        raise InvalidInput(f"order {self.id} has no line {number}", code="unknown_line", field="line")

    def shipment(self, shipment_id: str) -> Shipment:
        """Return the shipment with that id."""
        for shipment in self.shipments:
            if shipment.id == shipment_id:
                return shipment
        raise _unknown(self, "shipment", shipment_id, self.shipments)

    def payment(self, payment_id: str) -> Payment:
        """Return the payment with that id."""
        for payment in self.payments:
            if payment.id == payment_id:
                return payment
        raise _unknown(self, "payment", payment_id, self.payments)

    def return_(self, return_id: str) -> Return:
        """Return the return with that id."""
        for found in self.returns:
            if found.id == return_id:
                return found
        raise _unknown(self, "return", return_id, self.returns)

    def refund(self, refund_id: str) -> Refund:
        """Return the refund with that id."""
        for found in self.refunds:
            if found.id == refund_id:
                return found
        raise _unknown(self, "refund", refund_id, self.refunds)

    def hold(self, hold_id: str) -> Hold:
        """Return the hold with that id."""
        for found in self.holds:
            if found.id == hold_id:
                return found
        raise _unknown(self, "hold", hold_id, self.holds, code="not_found")

    def saga(self, name: str) -> SagaRun | None:
        """Return the run of the named saga that is under way, if any."""
        for run in self.sagas:
            if run.name == name:
                return run
        return None

    def operations(self) -> tuple[tuple[Payment, Operation], ...]:
        """Every operation with its payment, in the order in which they were asked for."""
        return tuple([(payment, operation) for payment in self.payments for operation in payment.operations])

    def operation(self, operation_id: str) -> tuple[Payment, Operation]:
        """Return the operation with that id, and its payment."""
        for payment in self.payments:
            for operation in payment.operations:
                if operation.id == operation_id:
                    return payment, operation
        raise NotAllowed(f"order {self.id} has no operation {operation_id}", code="illegal_transition")

    # ---- money, in minor units of `currency`

    @property
    def currency(self) -> str:
        """The ISO code of every amount of this order."""
        return self.facts.currency

    @property
    def total_minor(self) -> int:
        """What the customer agreed to pay."""
        return self.facts.prices.total_minor

    @property
    def credited_minor(self) -> int:
        """What was given back or given up: cancelled units, returned units, goodwill."""
        return sum([refund.total_minor for refund in self.refunds])

    @property
    def due_minor(self) -> int:
        """What the customer has to have paid in the end."""
        return self.total_minor - self.credited_minor

    @property
    def authorized_minor(self) -> int:
        """What providers hold or have taken."""
        return sum([payment.authorized_minor for payment in self.payments])

    @property
    def captured_minor(self) -> int:
        """What was taken, refunds not counted."""
        return sum([payment.captured_minor for payment in self.payments])

    @property
    def refunded_minor(self) -> int:
        """What was given back and confirmed by a provider."""
        return sum([payment.refunded_minor for payment in self.payments])

    @property
    def refunding_minor(self) -> int:
        """What is on its way back, the answer not yet known."""
        return sum([payment.open_minor(OperationKind.REFUND) for payment in self.payments])

    @property
    def paid_minor(self) -> int:
        """What the shop has, refunds in flight counted as gone."""
        return self.captured_minor - self.refunded_minor - self.refunding_minor

    # ---- units

    def credited_units(self, line: int) -> int:
        """How many units of a line have had their value given back."""
        return sum(units for refund in self.refunds for number, units in refund.units if number == line)

    @property
    def active_holds(self) -> tuple[Hold, ...]:
        """The holds that still stop the order."""
        return tuple([hold for hold in self.holds if hold.state == "active"]) if self.holds else ()


def _unknown(order: Order, kind: str, name: str, there: Iterable[Any], *, code: str = "unknown_line") -> InvalidInput:
    """Return the error for a name that nothing of this kind in the order has: the short form of an id, perhaps, which only people read."""
    names = [each.id for each in there]
    return InvalidInput(
        f"order {order.id} has no {kind} {name!r}; there are: {', '.join(names) or 'none'}",
        code=code,
        field=kind,
        facts={f"{kind}s": names},
    )
