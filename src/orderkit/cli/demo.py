"""`orderkit demo`: a small shop with trouble on purpose, then a slice of real-shaped data replayed and reconciled. No server is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

import orderkit
from orderkit import Address, Cart, Order, OrderQuery, SeededIds, Shop, VirtualClock, Warehouse
from orderkit.cli.arguments import Command
from orderkit.cli.output import table
from orderkit.cli.providers import opened, provider_of
from orderkit.domain.money import to_text
from orderkit.domain.status import axes, word
from orderkit.errors import InvalidInput
from orderkit.plugins.url import Url
from orderkit.ports.store import FindKey, FindOrders
from orderkit.runtime.clocks import SystemClock

STORY = timedelta(
    days=15, minutes=45
)  # how long the story takes; it ends now, so that the last orders can still be changed
WAREHOUSES = (
    Warehouse(id="berlin", country="DE", position=(52.52, 13.40)),
    Warehouse(id="madrid", country="ES", position=(40.42, -3.70), lead_days=2),
    Warehouse(id="lyon", country="FR", position=(45.76, 4.84), lead_days=2),
)
STOCK = {
    "MUG": {"berlin": 20, "madrid": 10},
    "TEE": {"madrid": 12, "lyon": 4},
    "TENT-2P": {"lyon": 3},
    "LAMP": {"berlin": 2},
}
HOMES = {
    "anna": Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE"),
    "bruno": Address(name="Bruno Costa", street="Calle Mayor 5", city="Madrid", zip="28013", country="ES"),
    "chloé": Address(name="Chloé Martin", street="Rue Merci 8", city="Lyon", zip="69002", country="FR"),
}


Act = Callable[[Shop, VirtualClock, str], Order]


@click.command(cls=Command)
@click.option("--store", help="Keep the shop there; default: a temporary file that is deleted.")
@click.option(
    "--invoices",
    default=300,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Size of the slice that is replayed.",
)
@click.option("--seed", default=7, show_default=True, help="Another seed, another slice.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="Write the replay's report there: .txt, .html or .json."
)
def demo(store: str | None, invoices: int, seed: int, report: Path | None) -> None:
    """Run a small shop with trouble on purpose, then replay a slice of real-shaped data.

    \b
    Examples:
      orderkit demo
      orderkit demo --store sqlite:///demo.db && orderkit order list --store sqlite:///demo.db
    """
    if report is not None:
        from orderkit.replay.render import check_writable  # noqa: PLC0415  (only where there is a report)

        check_writable(report)
    with tempfile.TemporaryDirectory() as folder:
        _shop(store or f"sqlite:///{folder}/demo.db")
        _slice(Path(folder), invoices, seed, report)
    click.echo("\nTry next:")
    if store is None:
        click.echo("  orderkit demo --store sqlite:///demo.db   the same shop, kept in a file")
    else:
        click.echo(f"  orderkit order list --store {Url.parse(store)}")
    click.echo("  orderkit explain payment_unknown          what an error means and what to do")
    click.echo("  orderkit diagram shipment                 a lifecycle, drawn from its table")


async def _strange() -> tuple[str, ...]:
    """Return orders of the store that no demo placed; there is no need to see them all."""
    claims = [await FindKey("shop", "place", _key(act)) for _, act in _STEPS]
    own = {claim.order_id for claim in claims if claim is not None}
    page = await FindOrders(OrderQuery(limit=len(_STEPS) + 1))
    return tuple(row.id for row in page.items if row.id not in own)


def _check_own(store: str) -> None:
    """Refuse a shop that is at work: the demo goes on with whatever is due, and its provider knows nothing of others' money."""
    with opened(store) as shop:
        strange = shop.run(_strange())
    if strange:
        raise InvalidInput(
            f"the store {Url.parse(store)} has orders that are not a demo's, such as {strange[0]}",
            field="--store",
            remedy="Name a store for the demo alone, such as sqlite:///demo.db.",
        )


def _shop(store: str) -> None:
    _check_own(store)
    clock = VirtualClock(SystemClock().now() - STORY)
    with orderkit.open(
        store, payments=provider_of(store), clock=clock, ids=SeededIds("demo"), warehouses=WAREHOUSES
    ) as shop:
        for sku, units in STOCK.items():
            shop.put_stock(sku, units, key=f"demo/{sku}")
        click.secho("A shop with three warehouses, a fake payment provider and fake carriers\n", bold=True)
        found = [_told(shop, clock, *step) for step in _STEPS]
        rows = [
            (
                name,
                o.id,
                word(o),
                axes(o).payment,
                _money(o, o.total_minor),
                _money(o, o.refunded_minor),
                len([s for s in o.shipments if s.lines]),
            )
            for name, o in found
        ]
        table(("what happened", "order", "status", "payment", "total", "refunded", "parcels"), rows)
        split = found[2][1]
        click.secho("\nWhy the third order stands where it stands", bold=True)
        click.echo(shop.why(split.id).text)
        click.secho("\nEverything that happened to the second", bold=True)
        click.echo(str(shop.timeline(found[1][1].id)))


def _money(order: Order, minor: int) -> str:
    return f"{to_text(minor, order.currency)} {order.currency}"


def _cart(customer: str, *lines: tuple[str, int, str]) -> Cart:
    cart = Cart(customer=customer, ship_to=HOMES[customer], currency="EUR")
    for sku, units, price in lines:
        cart = cart.add(sku, units, price, name=sku.title())
    return cart.charged("parcel", "4.90")


def _placed(shop: Shop, cart: Cart, method: str, key: str) -> Order:
    """Place the order; one that an earlier run left when it was killed is taken to its answer."""
    order = shop.place(cart, method, key=key)
    return shop.advance(order.id) if order.state == "placed" else order


def _delivered(shop: Shop, clock: VirtualClock, order: Order) -> Order:
    for shipment in order.shipments:
        if shipment.waiting:
            order = shop.ship(order.id, shipment.id, key=shipment.id)
    clock.advance(days=5)
    for shipment in order.shipments:
        if shipment.travelling:
            order = shop.advance(order.id)
    return order


def _bought(shop: Shop, clock: VirtualClock, key: str) -> Order:
    return _delivered(shop, clock, _placed(shop, _cart("anna", ("MUG", 3, "12.50")), "pm_visa", key))


def _split(shop: Shop, clock: VirtualClock, key: str) -> Order:
    cart = _cart("bruno", ("LAMP", 1, "39.00"), ("TENT-2P", 1, "129.00"), ("TEE", 2, "20.00"))
    order = _placed(shop, cart, "pm_visa", key)
    return shop.ship(order.id, order.shipments[0].id, key=f"{key}/ship")


def _declined(shop: Shop, clock: VirtualClock, key: str) -> Order:
    order = _placed(shop, _cart("chloé", ("TEE", 1, "20.00")), "pm_declined", key)
    return shop.pay(order.id, "pm_visa", key=f"{key}/again")


def _doubtful(shop: Shop, clock: VirtualClock, key: str) -> Order:
    order = _placed(shop, _cart("anna", ("MUG", 1, "12.50")), "pm_timeout_after", key)
    clock.advance(minutes=10)
    shop.sweep()
    return shop.order(order.id)


def _sold_out(shop: Shop, clock: VirtualClock, key: str) -> Order:
    return _placed(shop, _cart("chloé", ("LAMP", 5, "39.00")), "pm_visa", key)


def _returned(shop: Shop, clock: VirtualClock, key: str) -> Order:
    order = _delivered(shop, clock, _placed(shop, _cart("bruno", ("TEE", 3, "20.00")), "pm_visa", key))
    clock.advance(days=2)
    order = shop.request_return(order.id, {"TEE": 1}, reason="too_small", key=f"{key}/return")
    clock.advance(days=3)
    return shop.receive_return(order.id, order.returns[0].id, warehouse="lyon", key=f"{key}/receipt")


_STEPS = (
    ("bought, shipped, delivered", _bought),
    ("delivered, one of three sent back", _returned),
    ("split over warehouses, a part has left", _split),
    ("declined, then paid by another card", _declined),
    ("the provider's answer was lost, then found", _doubtful),
    ("sold out: nothing charged", _sold_out),
)


def _told(shop: Shop, clock: VirtualClock, name: str, act: Act) -> tuple[str, Order]:
    clock.advance(minutes=5)
    return name, act(shop, clock, _key(act))


def _key(act: Act) -> str:
    return f"demo/{act.__name__}"


def _slice(folder: Path, invoices: int, seed: int, report: Path | None) -> None:
    from orderkit.cli.replaying import progress  # noqa: PLC0415  (the second half of the demo)
    from orderkit.replay.render import rendered, summarized  # noqa: PLC0415  (only where it is used)
    from orderkit.replay.running import replayed  # noqa: PLC0415  (only where it is used)
    from orderkit.replay.sample import write_sample  # noqa: PLC0415  (only where it is used)

    file = folder / "slice.csv"
    lines = write_sample(file, invoices=invoices, seed=seed)
    click.secho(
        f"\nA slice of real-shaped data: {invoices} sales in {lines} lines, with credit notes and dirt, replayed",
        bold=True,
    )
    with progress() as shown:
        found = replayed(file, store=f"sqlite:///{folder}/slice.db", progress=shown)
    click.echo(summarized(found))
    if report is not None:
        report.write_text(rendered(found, report), encoding="utf-8")
