"""What goes over the wire: request bodies as the requirements word them, and orders as JSON. Amounts are text in major units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from orderkit import Glance
from orderkit.domain.actions import Action
from orderkit.domain.cart import Cart
from orderkit.domain.money import to_text
from orderkit.domain.order import Address, DeliveryPreference, Order, Refund, Service
from orderkit.domain.owing import missing_minor
from orderkit.domain.payment import OperationKind, Payment
from orderkit.domain.returns import Return
from orderkit.domain.shipment import Shipment
from orderkit.domain.status import payment, word
from orderkit.flows import expected_refund
from orderkit.ports.store import OrderSummary

_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


class Body(BaseModel):
    """A part of a request: no field that nobody knows, and no NUL, which is text for Python and for no database."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def without_nul(cls, value: Any) -> Any:
        """Refuse text that cannot be kept."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a NUL is no text")
        return value


def _plain(amount: object) -> object:
    """Refuse an amount in a notation that nobody pays by: "1e5"."""
    if isinstance(amount, str) and not _AMOUNT(amount):
        raise PydanticCustomError("decimal_parsing", 'an amount is written in digits, such as "12.50"')
    return amount


class ItemBody(Body):
    """One item of a cart."""

    sku_id: Annotated[str, Field(min_length=1, max_length=200)]
    quantity: Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
    price: Annotated[Decimal, BeforeValidator(_plain), Field(ge=0, max_digits=15)]
    name: Annotated[str, Field(max_length=500)] = ""


class AddressBody(Body):
    """Where it goes."""

    street: Annotated[str, Field(min_length=1, max_length=500)]
    city: Annotated[str, Field(min_length=1, max_length=200)]
    zip: Annotated[str, Field(min_length=1, max_length=40)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    name: Annotated[str, Field(max_length=200)] = ""

    def address(self) -> Address:
        """Return it as the domain's value."""
        return Address(street=self.street, city=self.city, zip=self.zip, country=self.country, name=self.name)


class DeliveryBody(Body):
    """How it should come."""

    service: Literal["standard", "express", "pickup"] = "standard"
    not_before: date | None = None


Wish = Literal["standard", "express", "pickup"] | DeliveryBody


def preference(wish: Wish) -> DeliveryPreference:
    """Return how it should come as the domain's value; one word is the service."""
    body = DeliveryBody(service=wish) if isinstance(wish, str) else wish
    return DeliveryPreference(service=Service(body.service), not_before=body.not_before)


class OrderBody(Body):
    """A cart to be ordered."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "items": [{"sku_id": "MUG", "quantity": 2, "price": "12.50"}],
                "shipping_address": {"street": "Invalidenstr. 1", "city": "Berlin", "zip": "10115", "country": "DE"},
                "payment_method_id": "pm_visa",
                "delivery_preference": "standard",
            }
        },
    )
    items: Annotated[list[ItemBody], Field(min_length=1, max_length=1_000)]
    shipping_address: AddressBody
    payment_method_id: Annotated[str, Field(min_length=1, max_length=300)]
    delivery_preference: Wish = "standard"

    def cart(self, customer: str, currency: str) -> Cart:
        """Return it as a cart of that customer."""
        cart = Cart(
            customer=customer,
            ship_to=self.shipping_address.address(),
            currency=currency,
            delivery=preference(self.delivery_preference),
        )
        for item in self.items:
            cart = cart.add(item.sku_id, item.quantity, item.price, name=item.name)
        return cart


class CancelItem(Body):
    """Units of one SKU to cancel."""

    sku_id: str
    quantity: Annotated[int, Field(strict=True, gt=0)]


class CancelBody(Body):
    """Why, and what: everything, some items, or one shipment."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]
    items: Annotated[list[CancelItem], Field(min_length=1)] | None = None
    shipment_id: str | None = None

    @field_validator("shipment_id")
    @classmethod
    def instead_of_items(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse a shipment beside items: one of them would not be looked at."""
        if value is not None and info.data.get("items") is not None:
            raise ValueError("cancel either items or a whole shipment, not both")
        return value


class ReturnItemBody(Body):
    """Units of one SKU to send back."""

    sku_id: str
    quantity: Annotated[int, Field(strict=True, gt=0)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class ReturnBody(Body):
    """What comes back, and how."""

    items: Annotated[list[ReturnItemBody], Field(min_length=1, max_length=1_000)]
    return_method: Literal["mail", "drop_off", "pickup"] = "mail"

    @field_validator("items")
    @classmethod
    def one_reason_each(cls, items: list[ReturnItemBody]) -> list[ReturnItemBody]:
        """Refuse two reasons for one SKU: `request_return` takes one for each, and none is dropped silently."""
        reasons: dict[str, str] = {}
        for item in items:
            if reasons.setdefault(item.sku_id, item.reason) != item.reason:
                raise ValueError(
                    f"{item.sku_id} comes back for one reason in a return; open another return for the other"
                )
        return items


class AmendBody(Body):
    """What changes: the address, or the delivery."""

    shipping_address: AddressBody | None = None
    delivery_preference: Wish | None = None


class PayBody(Body):
    """Another way to pay the same order."""

    payment_method_id: Annotated[str, Field(min_length=1, max_length=300)]


class MissingBody(PayBody):
    """The same for what an order misses: all of it, or a part of what a confirmed order misses."""

    amount: Annotated[Decimal, BeforeValidator(_plain), Field(gt=0, max_digits=15)] | None = None


# ---- answers


def money(minor: int, order: Order) -> str:
    """Return an amount of the order in major units."""
    return to_text(minor, order.currency)


def placed(order: Order) -> dict[str, Any]:
    """Return the answer to a placement."""
    return {
        "order_id": order.id,
        "status": word(order) if order.state != "placed" else "payment_pending",
        "estimated_delivery": _estimated(order),
        "total": money(order.total_minor, order),
        "currency": order.currency,
        "shipments": [
            {"shipment_id": s.id, "items": _items(order, s), "warehouse": s.warehouse}
            for s in order.shipments
            if s.lines
        ],
    }


def shown(order: Order) -> dict[str, Any]:
    """Return an order as its owner sees it."""
    tender = _paying(order)
    return {
        "order_id": order.id,
        "status": word(order),
        "placed_at": order.placed_at.isoformat(),
        "version": order.version,
        "total": money(order.total_minor, order),
        "currency": order.currency,
        "items": [
            {
                "sku_id": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "price": money(line.unit_price_minor, order),
                "units": order.line(line.number).quantities(),
            }
            for line in order.facts.lines
        ],
        "shipments": [
            {
                "shipment_id": s.id,
                "status": s.state,
                "items": _items(order, s),
                "warehouse": s.warehouse,
                "carrier": s.carrier,
                "tracking_number": s.tracking_number,
                "estimated_delivery": s.promise.arrives_until.isoformat() if s.promise else None,
                "tracking_url": s.tracking_url,
            }
            for s in order.shipments
        ],
        "payment": {
            "method": tender.method if tender else None,
            "amount": money(order.total_minor, order),
            "captured": money(order.captured_minor, order),
            "refunded": money(order.refunded_minor, order),
            "missing": money(missing_minor(order), order),
            "status": payment(order),
        },
    }


def _paying(order: Order) -> Payment | None:
    """Return the newest tender that holds money of the order, while none does the newest that was not declined, else the newest."""
    holding = [tender for tender in order.payments if tender.authorized_minor > tender.refunded_minor]
    accepted = [tender for tender in order.payments if tender.state != "declined"]
    return next((tenders[-1] for tenders in (holding, accepted, order.payments) if tenders), None)


def refunded(order: Order, refund: Refund | None) -> dict[str, Any]:
    """Return the money that goes back: what was never taken is let go, and what a provider refused stays; both count as nothing."""
    if refund is None:
        return {"refund_amount": money(0, order), "refund_status": "none"}
    sent = [op for _, op in order.operations() if op.kind is OperationKind.REFUND and op.refund == refund.id]
    # what was refused moved nothing, or came back, and was perhaps sent again as another operation
    moves = sum(op.amount_minor for op in sent if not op.in_vain)
    return {"refund_amount": money(moves, order), "refund_status": refund.state if sent else "none"}


def opened(order: Order, found: Return) -> dict[str, Any]:
    """Return a return, and what it will give back when all of it arrives whole."""
    return {
        "order_id": order.id,
        "return_id": found.id,
        "status": found.state,
        "return_label_url": found.label_url,
        "refund_amount": money(expected_refund(order, found), order),
        "refund_status": "on_receipt",
    }


def counted(items: Iterable[CancelItem | ReturnItemBody]) -> dict[str | int, int]:
    """Return units by SKU."""
    units: dict[str | int, int] = {}
    for item in items:
        units[item.sku_id] = units.get(item.sku_id, 0) + item.quantity
    return units


def summarized(row: OrderSummary) -> dict[str, Any]:
    """Return one row of a list."""
    return {
        "order_id": row.id,
        "customer": row.customer,
        "status": row.status,
        "payment_status": row.payment_status,
        "total": to_text(row.total_minor, row.currency),
        "refunded": to_text(row.refunded_minor, row.currency),
        "currency": row.currency,
        "placed_at": row.placed_at.isoformat(),
        "shipments": row.shipments,
    }


def glanced(found: Glance) -> dict[str, Any]:
    """Return where an order stands."""
    return {
        "order_id": found.order_id,
        "status": found.status,
        "tracking": found.tracking,
        "updated_at": found.updated_at.isoformat(),
    }


def offered(action: Action, currency: str) -> dict[str, Any]:
    """Return one action with its reason or its dry run."""
    return {
        "action": action.name,
        "subject": action.subject,
        "allowed": action.allowed,
        "code": action.code,
        "reason": action.reason,
        "until": action.until.isoformat() if action.until else None,
        "units": [{"line": line, "quantity": units} for line, units in action.units],
        "amount": None if action.amount_minor is None else to_text(action.amount_minor, currency),
        "preview": str(action.preview) if action.preview else None,
    }


def _items(order: Order, shipment: Shipment) -> list[dict[str, Any]]:
    skus = {line.number: line.sku for line in order.lines}
    return [{"sku_id": skus[number], "quantity": units} for number, units in shipment.lines]


def _estimated(order: Order) -> str | None:
    days = [s.promise.arrives_until for s in order.shipments if s.promise and s.lines]
    return max(days).isoformat() if days else None
