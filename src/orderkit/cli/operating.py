"""`orderkit migrate`, `doctor`: make the tables of a shop and find what is wrong with it."""

from __future__ import annotations

import secrets
from contextlib import closing
from datetime import datetime

import click

from orderkit import OrderQuery, Shop, open
from orderkit.cli.arguments import Command
from orderkit.cli.output import existing_store_option, format_option, payments_option, say, store_option, table
from orderkit.cli.providers import ports_of
from orderkit.errors import NotAllowed, OrderkitError, PortError
from orderkit.ports.cache import Forget, Recall, Remember


@click.command(cls=Command)
@store_option
@click.option("--print", "print_only", is_flag=True, help="Print the SQL instead of running it.")
@click.option(
    "--phase",
    type=click.Choice(["all", "pre", "post"]),
    default="all",
    show_default=True,
    help="`pre`: what may run before a deploy; `post`: the rest, after it.",
)
@click.option("--roles", is_flag=True, help="Also make the roles for app, worker and reader (PostgreSQL).")
def migrate(store: str, print_only: bool, phase: str, roles: bool) -> None:
    """Create or update the store's tables, in a schema of their own.

    \b
    Examples:
      orderkit migrate --store postgresql://localhost/shop
      orderkit migrate --store postgresql://localhost/shop --phase pre
      orderkit migrate --store postgresql://localhost/shop --roles --print
    """
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (loads pluggy)

    statements = Plugins().migrate_store(store, print_only=print_only, phase=phase, with_roles=roles)
    if print_only:
        click.echo("".join(f"{statement};\n" for statement in statements), nl=False)
    elif statements:
        click.echo(
            "done: the store is up to date" if phase != "pre" else "done: both versions of the program can run now"
        )
    else:
        click.echo("nothing to do: the store is up to date")


@click.command(cls=Command)
@store_option
@click.option(
    "--before", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Months that ended before this day (UTC) leave."
)
@click.option("--unpublished", is_flag=True, help="Take records along that no relay has published: nobody listens.")
def retire(store: str, before: datetime, *, unpublished: bool) -> None:
    """Detach whole old months, with every row of their orders, into a schema of their own (PostgreSQL). Nothing is deleted.

    \b
    Example:
      orderkit retire --store postgresql://localhost/shop --before 2019-01-01
    """
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (loads pluggy)

    months = Plugins().retire_store(store, before.date(), unpublished=unpublished)
    for month in months:
        click.echo(f"{month:%Y-%m} is detached")
    click.echo("1 month is detached" if len(months) == 1 else f"{len(months)} months are detached")


@click.command(cls=Command)
@existing_store_option
@payments_option
@click.option(
    "--cache", metavar="URL", envvar="ORDERKIT_CACHE", help="A cache to look at as well (env ORDERKIT_CACHE)."
)
@format_option
def doctor(store: str, payments: str | None, carriers: str | None, cache: str | None, form: str) -> None:
    """Look for problems and say how to solve them; exit status 1 when there is one.

    \b
    Example:
      orderkit doctor --store sqlite:///shop.db
    """
    findings = _examined(store, payments, carriers) + ([] if cache is None else _cached(cache))
    if form == "json":
        say({"findings": findings})
    elif findings:
        table(("id", "severity", "what", "what to do"), [tuple(f.values()) for f in findings])
    else:
        click.echo("nothing wrong was found")
    if any(f["severity"] == "error" for f in findings):
        raise SystemExit(1)


def _finding(name: str, severity: str, what: str, remedy: str) -> dict[str, str]:
    return {"id": name, "severity": severity, "what": what, "remedy": remedy}


def _examined(store: str, payments: str | None, carriers: str | None) -> list[dict[str, str]]:
    try:
        shop = open(**ports_of(store, payments, carriers))
    except OrderkitError as error:
        return [_finding("D001-open", "error", str(error), error.remedy)]
    with shop:
        found: list[dict[str, str]] = []
        for look in (_waiting, _logs, _stock):
            try:
                found += look(shop)
            except PortError as error:
                found.append(_finding("D002-store", "error", str(error), error.remedy))
        return found


def _cached(url: str) -> list[dict[str, str]]:
    """Tell the cache something, ask for it and drop it: in a shop its failures are not heard of, since it loses nothing but time."""
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (loads pluggy)

    try:
        with closing(Plugins().open_cache(url)) as cache:
            key = f"orderkit_doctor:{secrets.token_hex(8)}"
            cache.remember(Remember(key, "told", PROBE_SECONDS))
            heard = cache.recall(Recall(key))
            cache.forget(Forget(key, 0))
    except PortError as error:
        remedy = "Start it, or correct its address, its password or its rights; until then everything is read from the store."
        return [_finding("D040-cache", "error", str(error), remedy)]
    except OrderkitError as error:
        return [_finding("D001-open", "error", str(error), error.remedy)]
    if heard == "told":
        return []
    return [_finding("D040-cache", "error", "the cache does not know what it was just told", "Give it more memory.")]


PROBE_SECONDS = 10
PARKED_MAX = 50  # enough to see that something is wrong; `order list` shows the rest


def _waiting(shop: Shop) -> list[dict[str, str]]:
    parked: list[str] = []
    cursor: str | None = None
    while len(parked) <= PARKED_MAX:
        page = shop.orders(OrderQuery(limit=200, cursor=cursor))
        parked += [row.id for row in page.items if row.parked]
        cursor = page.cursor
        if cursor is None:
            break
    what = "order {} is parked: it failed again and again"
    remedy = "orderkit order timeline {0} says why; orderkit order attend {0} parked lets workers try again"
    return [_finding("D010-parked", "error", what.format(found), remedy.format(found)) for found in parked]


def _logs(shop: Shop) -> list[dict[str, str]]:
    page = shop.orders(OrderQuery(limit=200))
    broken = [row.id for row in page.items if not _replays(shop, row.id)]
    remedy = "`orderkit audit verify` says where; restore it from a backup, and do not edit rows by hand."
    return [
        _finding("D020-log", "error", f"the log of order {order_id} does not give its stored state", remedy)
        for order_id in broken
    ]


def _replays(shop: Shop, order_id: str) -> bool:
    try:
        return shop.replay(order_id) == shop.order(order_id)
    except NotAllowed:  # the log's moves contradict each other
        return False
    except PortError as error:
        if error.code != "order_damaged":
            raise
        return False


def _stock(shop: Shop) -> list[dict[str, str]]:
    wrong = [level for level in shop.stock() if not 0 <= level.reserved <= level.on_hand]
    return [
        _finding(
            "D030-stock",
            "error",
            f"{s.sku} at {s.warehouse}: {s.reserved} promised of {s.on_hand}",
            "Count the shelf and put the difference.",
        )
        for s in wrong
    ]
