"""The dry run that belongs to each action an order offers: what tests hold offers against."""

from __future__ import annotations

from collections.abc import Callable

from orderkit import DeliveryPreference, Order, Preview, Shop
from orderkit.domain.actions import Action
from orderkit.domain.holding import refundable_minor
from orderkit.domain.money import to_text
from orderkit.ports.carriers import Booked
from tests.shops import HOME, a_cart

PARCEL = Booked(carrier="van", tracking_number="VAN-1", tracking_url="https://van.example/1", label_url="label:1")


def tried(shop: Shop, order: Order, action: Action) -> Preview:
    """Return the dry run of what an action offers; what is refused raises."""
    plan, units, subject = shop.plan, dict(action.units), (order.id, action.subject)
    amendments: dict[str, Callable[[], Preview]] = {
        "ship_to": lambda: plan.amend(order.id, ship_to=HOME),
        "delivery": lambda: plan.amend(order.id, delivery=DeliveryPreference()),
        "lines": lambda: plan.amend(order.id, add=a_cart(("MUG", 1, "1.00")), pay_with="pm_visa"),
    }
    commands: dict[str, Callable[[], Preview]] = {
        "pay": lambda: plan.pay(order.id, "pm_other"),
        "cancel": lambda: plan.cancel(order.id, reason="why"),
        "cancel_units": lambda: plan.cancel(order.id, units or {line.number: 1 for line in order.lines}, reason="why"),
        "cancel_shipment": lambda: plan.cancel(order.id, shipment=action.subject, reason="why"),
        "amend": amendments.get(action.subject, amendments["lines"]),
        "hold": lambda: plan.hold(order.id, reason="manual"),
        "release_hold": lambda: plan.release_hold(*subject),
        "refund": lambda: plan.refund(order.id, to_text(max(1, refundable_minor(order)), "EUR"), reason="why"),
        "release": lambda: plan.release(*subject),
        "ship": lambda: plan.ship(*subject, booked=PARCEL),
        "deliver": lambda: plan.deliver(*subject),
        "refuse": lambda: plan.refuse(*subject, reason="why"),
        "request_return": lambda: plan.request_return(order.id, units or None, reason="why"),
        "authorize_return": lambda: plan.authorize_return(*subject),
        "decline_return": lambda: plan.decline_return(*subject, reason="why"),
        "send_return": lambda: plan.send_return(*subject),
        "receive_return": lambda: plan.receive_return(*subject, warehouse="berlin"),
        "cancel_return": lambda: plan.cancel_return(*subject, reason="why"),
        "close_return": lambda: plan.close_return(*subject, reason="why"),
        "attend": lambda: plan.attend(*subject),
    }
    return commands[action.name]()
