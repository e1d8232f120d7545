"""`orderkit order …`: find orders, look at one, and act on it after seeing what would happen."""

from __future__ import annotations

from typing import Any

import click

from orderkit import Order, OrderQuery, Preview, Shop
from orderkit.cli.acting import STAFF, agreed, done, dry_option, key_option, reason_option, yes_option
from orderkit.cli.arguments import Group, day, further_key, units
from orderkit.cli.output import existing_store_option, format_option, payments_option, say, table
from orderkit.cli.paying import pay
from orderkit.cli.providers import acting, opened
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.money import to_text
from orderkit.domain.owing import missing_minor
from orderkit.domain.status import axes, word
from orderkit.errors import NotAllowed
from orderkit.flows import changing, returning
from orderkit.flows.kit import Caller
from orderkit.flows.stocking import check_warehouses

_units_option = click.option(
    "--units", "texts", multiple=True, metavar="SKU=UNITS", help="Only these units; may be repeated, and adds up."
)


@click.group(cls=Group)
def order() -> None:
    """Find orders, look at one, and act on it.

    \b
    Examples:
      orderkit order list --status delivered --limit 5
      orderkit order why 01930f…
      orderkit order cancel 01930f… --units MUG=1 --reason changed_mind
    """


order.add_command(pay)


@order.command("list")
@existing_store_option
@click.option("--customer", help="Whose orders.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    type=click.Choice(list(STATUS.states)),
    help="Only these statuses; may be repeated.",
)
@click.option("--sku", help="Orders with this SKU.")
@click.option("--text", help="Words in names, addresses, ids.")
@click.option("--placed-from", help="Placed at or after this time (UTC).")
@click.option("--placed-until", help="Placed before this time (UTC).")
@click.option("--tracking-number", help="The order with this parcel.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.option("--cursor", help="Go on after an earlier page.")
@format_option
def list_(store: str, form: str, **conditions: Any) -> None:
    """List orders, newest first.

    \b
    Example:
      orderkit order list --sku MUG --placed-from 2026-03-01 --format json
    """
    query = OrderQuery(
        customer=conditions["customer"],
        statuses=tuple(conditions["statuses"]),
        sku=conditions["sku"],
        text=conditions["text"],
        placed_from=day(conditions["placed_from"], "--placed-from"),
        placed_until=day(conditions["placed_until"], "--placed-until"),
        tracking_number=conditions["tracking_number"],
        limit=conditions["limit"],
        cursor=conditions["cursor"],
    )
    with opened(store) as shop:
        page = shop.orders(query)
    if form == "json":
        return say(page)
    rows = [
        (
            r.id,
            r.customer,
            r.status,
            r.payment_status,
            f"{to_text(r.total_minor, r.currency)} {r.currency}",
            f"{r.placed_at:%Y-%m-%d %H:%M}",
            r.shipments,
        )
        for r in page.items
    ]
    table(("order", "customer", "status", "payment", "total", "placed", "shipments"), rows)
    if page.cursor:
        click.echo(f"more: --cursor {page.cursor}")


@order.command()
@click.argument("order_id")
@existing_store_option
@format_option
def show(order_id: str, store: str, form: str) -> None:
    """Show an order: its lines, shipments, money, and what may be done with it.

    \b
    Example:
      orderkit order show 01930f…
    """
    with opened(store) as shop:
        found, offered = shop.order(order_id), shop.actions(order_id)
    if form == "json":
        return say({"order": found, "status": word(found), "axes": axes(found), "actions": offered})
    _show(found)
    rows = [
        (
            a.name,
            a.subject,
            "yes" if a.allowed else f"no: {a.reason}".replace(f"order {order_id}", "the order"),
            f"{a.until:%Y-%m-%d %H:%M}" if a.until else "",
        )
        for a in offered
    ]
    table(("action", "of", "allowed", "until"), rows, title="\nActions")


def _show(found: Order) -> None:
    def amount(minor: int) -> str:
        return f"{to_text(minor, found.currency)} {found.currency}"

    click.echo(
        f"Order {found.id}  {word(found)}  placed {found.placed_at:%Y-%m-%d %H:%M} UTC by {found.facts.customer}"
    )
    click.echo(
        f"Money  total {amount(found.total_minor)}, captured {amount(found.captured_minor)}, "
        f"refunded {amount(found.refunded_minor)}, credited {amount(found.credited_minor)}"
        + (f", missing {amount(missing)}" if (missing := missing_minor(found)) else "")
    )
    lines = [
        (
            f.number,
            f.sku,
            f.name,
            f.quantity,
            amount(f.unit_price_minor),
            ", ".join(f"{q} {b}" for b, q in found.line(f.number).quantities().items()),
        )
        for f in found.facts.lines
    ]
    table(("line", "sku", "name", "units", "price", "where"), lines, title="\nLines")
    shipments = [
        (
            s.id,
            s.warehouse,
            s.state,
            s.units,
            s.carrier,
            s.tracking_number,
            s.promise.arrives_until if s.promise else "",
        )
        for s in found.shipments
    ]
    table(
        ("shipment", "warehouse", "state", "units", "carrier", "tracking", "arrives until"),
        shipments,
        title="\nShipments",
    )


@order.command()
@click.argument("order_id")
@existing_store_option
@format_option
def timeline(order_id: str, store: str, form: str) -> None:
    """Show everything that happened to an order.

    \b
    Example:
      orderkit order timeline 01930f…
    """
    with opened(store) as shop:
        found = shop.timeline(order_id)
    if form == "json":
        return say(found)
    click.echo(str(found))


@order.command()
@click.argument("order_id")
@existing_store_option
@format_option
def why(order_id: str, store: str, form: str) -> None:
    """Say in a sentence where an order stands and what it waits for.

    \b
    Example:
      orderkit order why 01930f…
    """
    with opened(store) as shop:
        found = shop.why(order_id)
    if form == "json":
        return say(found)
    click.echo(found.text)


@order.command()
@click.argument("order_id")
@click.argument("finding")
@existing_store_option
@format_option
def attend(order_id: str, finding: str, store: str, form: str) -> None:
    """Say that a person has looked at a FINDING of an order.

    A `parked` order is worked on again; money that was refused is asked for again. Both are left to workers.

    \b
    Example:
      orderkit order attend 01930f… parked
    """
    with opened(store) as shop:  # the order is left to workers: what it is parked for may end this process too
        found = shop.run(changing.accept_attention(order_id, finding, Caller(actor="operator", goes_on=False)))
    done(found, form)


@order.command()
@click.argument("order_id")
@existing_store_option
@payments_option
@_units_option
@click.option("--shipment", help="Only this shipment.")
@reason_option
@key_option
@dry_option
@yes_option
@format_option
def cancel(
    order_id: str, store: str, payments: str | None, carriers: str | None, texts: tuple[str, ...], shipment: str | None, reason: str,
    key: str | None, dry_run: bool, yes: bool, form: str,
) -> None:  # fmt: skip
    """Cancel an order, some units, or a shipment, and give the money back.

    \b
    Example:
      orderkit order cancel 01930f… --units MUG=1 --reason changed_mind
    """
    chosen = units(texts)
    with acting(store, payments, carriers, dry_run=dry_run) as shop:

        def plan() -> Preview:
            return shop.plan.cancel(order_id, chosen, reason=reason, shipment=shipment)

        if agreed(plan, key, dry_run, yes, form):
            done(shop.cancel(order_id, chosen, reason=reason, shipment=shipment, key=key, actor=STAFF), form)


@order.command("return")
@click.argument("order_id")
@existing_store_option
@payments_option
@_units_option
@click.option("--receive-at", metavar="WAREHOUSE", help="The goods are here already: receive them at this warehouse.")
@reason_option
@key_option
@dry_option
@yes_option
@format_option
def return_(
    order_id: str, store: str, payments: str | None, carriers: str | None, texts: tuple[str, ...], receive_at: str | None, reason: str,
    key: str | None, dry_run: bool, yes: bool, form: str,
) -> None:  # fmt: skip
    """Open a return for delivered units, by default all of them; with --receive-at, receive it too and refund it.

    \b
    Example:
      orderkit order return 01930f… --units TEE=1 --reason too_small
    """
    chosen, receipt_key = units(texts), further_key(key, "receipt") if receive_at else key
    with acting(store, payments, carriers, dry_run=dry_run) as shop:
        if receive_at:
            shop.run(check_warehouses((receive_at,), field="--receive-at"))  # before the return is opened

        def plan() -> Preview:
            return shop.plan.request_return(order_id, chosen, reason=reason)

        then = f"all of it is received at {receive_at} as good as new, and refunded" if receive_at else ""
        if not agreed(plan, key, dry_run, yes, form, then=then):
            return
        if receive_at:
            found = _received(shop, order_id, chosen, reason, receive_at, key, receipt_key)
        else:
            found = shop.request_return(order_id, chosen, reason=reason, key=key, actor=STAFF)
        done(found, form)


def _received(
    shop: Shop, order_id: str, chosen: changing.Units | None, reason: str, warehouse: str, key: str | None,
    receipt_key: str | None,
) -> Order:  # fmt: skip
    """Open a return and receive it: no label is needed, and of several returns it is the one that this key opened."""
    caller = Caller(actor=STAFF, key=key)
    order = shop.run(returning.accept_return(order_id, chosen, caller, reason=reason))
    found = shop.run(returning.asked_for(order, caller))
    if found is None:
        raise NotAllowed(
            f"the log of order {order_id} does not tell which return was opened under the key {key!r}; nothing was received",
            field="--key",
            remedy="Look at the order's returns, and receive the one that is here by its id (receive_return).",
        )
    return shop.receive_return(order_id, found.id, None, warehouse=warehouse, key=receipt_key, actor=STAFF)


@order.command()
@click.argument("order_id")
@click.argument("amount")
@existing_store_option
@payments_option
@reason_option
@key_option
@dry_option
@yes_option
@format_option
def refund(
    order_id: str, amount: str, store: str, payments: str | None, carriers: str | None, reason: str, key: str | None, dry_run: bool,
    yes: bool, form: str,
) -> None:  # fmt: skip
    """Give AMOUNT back for good will, or give it up where it is missing.

    \b
    Example:
      orderkit order refund 01930f… 5.00 --reason late_delivery
    """
    with acting(store, payments, carriers, dry_run=dry_run) as shop:
        if agreed(lambda: shop.plan.refund(order_id, amount, reason=reason), key, dry_run, yes, form):
            done(shop.refund(order_id, amount, reason=reason, key=key, actor=STAFF), form)
