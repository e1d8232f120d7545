"""`orderkit explain`, `diagram`, `adapters`, `allocate`: understand errors, lifecycles, what is installed, and why a plan is what it is."""

from __future__ import annotations

import click

from orderkit.catalog import CATALOG
from orderkit.cli.arguments import Command, Group, whole
from orderkit.cli.output import existing_store_option, format_option, say, table
from orderkit.cli.providers import opened
from orderkit.domain.allocation import Destination, Supply, plan
from orderkit.domain.lifecycle import LIFECYCLES
from orderkit.domain.quantities import counted
from orderkit.errors import InvalidInput
from orderkit.flows.kit import demand_of
from orderkit.flows.stocking import check_warehouses


@click.command(cls=Command)
@click.argument("code", required=False)
@format_option
def explain(code: str | None, form: str) -> None:
    """Say what an error CODE means: whose fault, whether it was applied, what to do. Without CODE, list all.

    \b
    Example:
      orderkit explain cutoff_passed
    """
    if code is None:
        entries = sorted(CATALOG.values(), key=lambda e: e.code)
        return say(entries) if form == "json" else table(("code", "title"), [(e.code, e.title) for e in entries])
    entry = CATALOG.get(code)
    if entry is None:
        close = [known for known in CATALOG if code.lower() in known]
        raise InvalidInput(
            f"no error has the code {code!r}" + (f"; did you mean {', '.join(close)}?" if close else ""), field="code"
        )
    if form == "json":
        return say(entry)
    click.echo(f"{entry.code}: {entry.title}\n")
    click.echo(
        f"fault      {entry.fault}\noutcome    {entry.outcome}\nHTTP       {entry.status}\nrepeat     {'yes' if entry.retryable else 'no'}"
    )
    click.echo(f"what to do {entry.remedy}")


@click.command(cls=Command)
@click.argument("machine", type=click.Choice(sorted(LIFECYCLES)), default="status")
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "table", "json"]),
    default="mermaid",
    show_default=True,
    help="How to draw.",
)
def diagram(machine: str, form: str) -> None:
    """Draw a lifecycle from its table: order, shipment, payment, operation, refund, return, hold, or the status words.

    \b
    Example:
      orderkit diagram shipment
    """
    lifecycle = LIFECYCLES[machine]
    rows = [(source, trigger, dest) for (source, trigger), dest in lifecycle.table.items()]
    if form == "json":
        return say(
            {"machine": machine, "initial": lifecycle.initial, "states": dict(lifecycle.states), "transitions": rows}
        )
    if form == "table":
        return table(("from", "trigger", "to"), rows)
    from orderkit.diagrams import mermaid  # noqa: PLC0415  (loads transitions)

    click.echo(mermaid(lifecycle))


@click.group(cls=Group)
def adapters() -> None:
    """See which adapters are installed."""


@adapters.command("list")
@format_option
def list_(form: str) -> None:
    """List the installed adapters by URL scheme.

    \b
    Example:
      orderkit adapters list --format json
    """
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (loads pluggy)

    found = Plugins().installed(capabilities=True)
    if form == "json":
        return say(found)
    table(
        ("scheme", "ports", "distribution", "version", "problem"),
        [(a.scheme, ", ".join(a.ports), a.distribution, a.version, a.problem) for a in found],
    )


@click.group(cls=Group)
def allocate() -> None:
    """Understand how orders are given to warehouses."""


@allocate.command("explain")
@click.argument("order_id")
@existing_store_option
@click.option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="WAREHOUSE:SKU=UNITS",
    help="Pretend that a shelf holds so many units; may be repeated.",
)
@click.option("--close", "closed", multiple=True, metavar="WAREHOUSE", help="Pretend that a warehouse is closed.")
@format_option
def explain_(order_id: str, store: str, changes: tuple[str, ...], closed: tuple[str, ...], form: str) -> None:
    """Say why an order is split as it is, or would be split now, or if shelves were otherwise.

    \b
    Example:
      orderkit allocate explain 01930f… --what-if berlin:MUG=10 --close madrid
    """
    imagined = _shelves(changes)
    with opened(store) as shop:
        shop.run(check_warehouses(closed, field="--close"))
        shop.run(check_warehouses([warehouse for _, warehouse in imagined], field="--what-if"))
        order, settings = shop.order(order_id), shop.settings
        skus = {line.sku for line in order.lines}
        units = {(s.sku, s.warehouse): s.on_hand - s.reserved for s in shop.stock(*sorted(skus))}
    for shipment in order.shipments:  # what the order itself holds is free for its own plan
        for number, count in shipment.lines if shipment.waiting else ():
            place = (order.line(number).sku, shipment.warehouse)
            units[place] = units.get(place, 0) + count
    units = {place: count for place, count in {**units, **imagined}.items() if place[1] not in closed}
    places = settings.known(sorted({warehouse for _, warehouse in units}))
    destination = Destination(country=order.facts.ship_to.country)
    found = plan(demand_of(order.facts.lines), Supply(units), tuple(places.values()), settings.rules, destination)
    if form == "json":
        return say({"order_id": order_id, "shipments": order.shipments, "plan": found, "reasons": found.explain()})
    click.echo(
        f"Order {order_id} has "
        + (", ".join(f"{s.warehouse} ({counted(s.units)})" for s in order.shipments if s.lines) or "no shipment")
    )
    click.echo("With these shelves it would be planned as:")
    for reason in found.explain():
        click.echo(f"  {reason}")


def _shelves(changes: tuple[str, ...]) -> dict[tuple[str, str], int]:
    """Return imagined units by SKU and warehouse. Raises: `InvalidInput`, also for a shelf that is named twice."""
    found: dict[tuple[str, str], int] = {}
    for change in changes:
        shelf, _, level = change.rpartition("=")
        warehouse, _, sku = shelf.partition(":")
        many = whole(level)
        if not (warehouse and sku) or many is None:
            raise InvalidInput(f"{change!r} is not WAREHOUSE:SKU=UNITS", field="--what-if")
        if (sku, warehouse) in found:
            raise InvalidInput(f"{shelf!r} is named twice", field="--what-if")
        found[sku, warehouse] = many
    return found
