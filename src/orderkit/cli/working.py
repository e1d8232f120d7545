"""`orderkit worker`: go on with what orders wait for, in a process of its own. Signals, lines on standard error, exit status; nothing else."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from orderkit import Settings, Shop, open
from orderkit.cli.arguments import Command
from orderkit.cli.hosted import hosted
from orderkit.cli.output import REACTIONS, existing_store_option, payments_option, reactions_option
from orderkit.cli.providers import check_book, check_named, ports_of
from orderkit.errors import Misconfigured, OrderkitError, PortError
from orderkit.flows.working import ALL_ROLES, LEASE_SECONDS

RETRY_OPEN_MAX = 30.0  # seconds between two tries to reach a store that is not there yet


@click.command(cls=Command)
@click.option(
    "--shop",
    "hosts",
    metavar="MODULE:FUNCTION",
    envvar="ORDERKIT_SHOP",
    help="The function of your program that opens its shop; in the place of all URLs.",
)
@existing_store_option
@payments_option
@click.option("--bus", envvar="ORDERKIT_BUS", help="URL of the event bus; without one nothing is relayed.")
@reactions_option
@click.option(
    "--roles",
    help=f"What to do, with commas; default: {','.join(ALL_ROLES)}, without a bus all but relay.",
)
@click.option(
    "--concurrency", default=4, show_default=True, type=click.IntRange(1, 256), help="Orders worked on at a time."
)
@click.option("--limit", default=16, show_default=True, type=click.IntRange(1, 10_000), help="Orders claimed at once.")
@click.option(
    "--interval",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0.01),
    help="Seconds to wait when there was nothing to do.",
)
@click.option(
    "--lease",
    default=LEASE_SECONDS,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds that a claimed order is kept from other workers.",
)
@click.option(
    "--grace",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.0),
    help="Seconds that orders under way may take to end at SIGTERM.",
)
@click.option("--once", is_flag=True, help="Work until nothing is due, then stop.")
@click.option("--gates", is_flag=True, help="List the places at which ORDERKIT_CRASH_AT can end a process, then stop.")
@click.pass_context
def worker(
    context: click.Context,
    /,
    hosts: str | None,
    store: str,
    payments: str | None,
    carriers: str | None,
    bus: str | None,
    roles: str | None,
    concurrency: int,
    limit: int,
    interval: float,
    lease: float,
    grace: float,
    once: bool,
    gates: bool,
    **reactions: str | None,
) -> None:
    """Go on with sagas, resolve doubts, run timers, poll carriers, relay events, try messages.

    At SIGTERM it ends what is under way and hands the rest back; a second signal ends it at once.

    \b
    Examples:
      orderkit worker --store sqlite:///demo.db
      orderkit worker --shop myshop.wiring:open_shop --concurrency 16
      orderkit worker --store postgresql://localhost/shop --payments … --carriers … --bus … --notifications …
      orderkit worker --once --roles sagas,resolver
    """
    from orderkit.runtime.workers import Plan, Worker  # noqa: PLC0415  (only a worker needs threads)

    if gates:
        return _list_gates()
    if hosts is not None:
        _refuse_beside_shop(context)
        chosen = _roles(roles, "the program's own")
        opens: Callable[[], Shop] = partial(hosted, hosts)
    else:
        chosen = _roles(roles, bus)
        opens = _by_urls(chosen, store, payments, carriers, {"bus": bus, **reactions})
    if once:
        _say_left_out(chosen, roles, hosts, reactions)
        with opens() as shop:
            return _work_once(shop, chosen, limit)
    plan = Plan(roles=chosen, concurrency=concurrency, limit=limit, interval=interval, lease_seconds=lease, grace=grace)
    name, begin = f"worker {socket.gethostname()}/{os.getpid()}", time.monotonic()
    shop = _opened(opens, interval)
    found = Worker(shop, plan, say=_say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: found.stop() if not found.stopping else os._exit(130))
    _say(f"{name} started: roles {','.join(chosen)}; {concurrency} orders at a time")
    _say_left_out(chosen, roles, hosts, reactions)
    ended = found.run()
    counts = ", ".join(f"{count} {word}" for word, count in sorted(found.counts.items()) if count) or "nothing to do"
    _say(f"{name} stopped after {time.monotonic() - begin:.1f} s: {counts}")
    if not ended:
        _say(f"{name}: what was under way did not end within {grace} s; other workers go on when its leases are over")
        sys.stderr.flush()
        os._exit(1)  # threads that wait for a provider would keep the process
    shop.close()
    return None


def _refuse_beside_shop(context: click.Context) -> None:
    """Refuse URLs beside a program's own shop: two answers to one question."""
    for name in ("store", "payments", "carriers", "bus", *REACTIONS):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--shop opens the shop with all that it needs: leave out --{name}")


def _by_urls(
    roles: tuple[str, ...], store: str, payments: str | None, carriers: str | None, more: dict[str, str | None]
) -> Callable[[], Shop]:
    """Return what opens a shop by URLs. Where nobody named who is to be told, the relay publishes and no more.

    Raises: `Misconfigured` (`missing_port`).
    """
    reacts = any(more[name] for name in REACTIONS)
    ports: dict[str, Any] = {**ports_of(store, payments, carriers), **more, "settings": Settings(reacts=reacts)}
    acts = bool(
        set(roles) - {"relay"}
    )  # every other role goes on with orders, and whatever they wait for may need both
    if acts:
        check_named(ports)

    def opens() -> Shop:
        shop = open(**ports)
        try:
            if payments is None and acts:
                check_book(shop)
        except OrderkitError:
            shop.close()
            raise
        return shop

    return opens


def _say(line: str) -> None:
    click.echo(line, err=True)


def _say_left_out(
    chosen: tuple[str, ...], named: str | None, hosts: str | None, reactions: dict[str, str | None]
) -> None:
    """Say what nobody asked for: that the relay is left out, or that it tells no customer."""
    if named is None and "relay" not in chosen:
        _say(
            "nothing is relayed: nobody named the event bus (--bus URL, or ORDERKIT_BUS); what was committed waits for it"
        )
    if "relay" in chosen and hosts is None and not reactions["notifications"]:
        _say(
            "customers are told nothing: nobody named --notifications (or ORDERKIT_NOTIFICATIONS); consumers of the bus may do it"
        )


def _list_gates() -> None:
    from orderkit.runtime.gates import GATES  # noqa: PLC0415  (only to list them)

    click.echo("\n".join(GATES))


def _roles(text: str | None, bus: str | None) -> tuple[str, ...]:
    """Return the roles that were named, else all. Without a bus nothing is relayed: a record that is marked as published never comes again.

    Raises: `Misconfigured` (`missing_port`: the relay was named, and no bus).
    """
    if text is None:
        return ALL_ROLES if bus is not None else tuple(role for role in ALL_ROLES if role != "relay")
    chosen = tuple(role.strip() for role in text.split(",") if role.strip())
    if unknown := set(chosen) - set(ALL_ROLES):
        raise click.BadParameter(f"no such role: {', '.join(sorted(unknown))}", param_hint="--roles")
    if not chosen:
        raise click.BadParameter("name at least one role", param_hint="--roles")
    if "relay" in chosen and bus is None:
        raise Misconfigured(
            "nobody said which event bus this shop has: the relay would mark records as published that nobody got",
            code="missing_port",
            field="--bus",
            remedy="Name it: --bus URL, or ORDERKIT_BUS; memory: where nobody is to be told.",
            facts={"port": "bus"},
        )
    return chosen


def _opened(opens: Callable[[], Shop], interval: float) -> Shop:
    """Open the shop; a store that is not there yet is waited for."""
    pause = interval
    while True:
        try:
            return opens()
        except PortError as error:
            _say(f"warning: {error}")
            time.sleep(pause)
            pause = min(pause * 2, RETRY_OPEN_MAX)


def _work_once(shop: Shop, roles: tuple[str, ...], limit: int) -> None:
    done = failed = 0
    while not (swept := shop.sweep(roles=roles, limit=limit)).idle:
        done += swept.claimed + swept.published + swept.messages
        failed += swept.failed
    _say(f"worked on {done} things, {failed} of them failed and are due again")
