"""`orderkit order pay`: another tender, for an order whose payment failed or for what a confirmed one misses."""

from __future__ import annotations

from secrets import token_hex

import click

from orderkit import Order, Preview, Shop, Tender
from orderkit.cli.acting import STAFF, agreed, done, dry_option, key_option, yes_option
from orderkit.cli.arguments import Command
from orderkit.cli.output import existing_store_option, format_option, payments_option
from orderkit.cli.providers import acting
from orderkit.domain.covering import answer_of
from orderkit.domain.money import Money
from orderkit.domain.owing import missing_minor
from orderkit.errors import NotAllowed, PortError
from orderkit.flows.placing import tender


@click.command(cls=Command)
@click.argument("order_id")
@click.argument("method")
@existing_store_option
@payments_option
@click.option("--amount", help="Only so much of what is missing; by default all of it.")
@click.option(
    "--kind", default="card", show_default=True, help="What it is: card, gift_card, store_credit or the like."
)
@key_option
@dry_option
@yes_option
@format_option
def pay(
    order_id: str, method: str, store: str, payments: str | None, carriers: str | None, amount: str | None, kind: str, key: str | None,
    dry_run: bool, yes: bool, form: str,
) -> None:  # fmt: skip
    """Pay with another tender, named by the provider's token METHOD: an order whose payment failed, or what is missing on a confirmed one.

    \b
    Example:
      orderkit order pay 01930f… pm_visa --amount 20.00
    """
    with acting(store, payments, carriers, dry_run=dry_run) as shop:
        pay_with = tender(method, amount, kind=kind, currency=shop.order(order_id).currency)

        def plan() -> Preview:
            return shop.plan.pay(order_id, pay_with)

        if agreed(plan, key, dry_run, yes, form):
            key = key or token_hex(8)  # by which its own answer is known from what others pay meanwhile
            found = shop.pay(order_id, pay_with, key=key, actor=STAFF)
            _answered(shop, found, pay_with, key)
            done(found, form)


def _answered(shop: Shop, order: Order, pay_with: Tender, key: str) -> None:
    """Say no where the tender did: for a command a decline is a failure. Raises: `NotAllowed`, `PortError`."""
    mine = [r for r in shop.records(order.id) if (r.stamp.command, r.stamp.correlation) == ("pay", key)]
    payments = [payment.id for payment in mine[-1].change.payments] if mine else []
    missing = missing_minor(order)
    facts = {"order_id": order.id, "missing_minor": missing}
    said = answer_of(order, payments)
    if said == "declined":
        raise NotAllowed(
            f"{pay_with.method} was declined; {Money(missing, order.currency)} are missing",
            code="payment_declined",
            facts=facts,
        )
    if said == "unknown":
        raise PortError(
            f"nobody knows whether {pay_with.method} has paid; the order stands",
            code="payment_unknown",
            facts=facts,
        )
