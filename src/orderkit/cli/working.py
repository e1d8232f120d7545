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
    named = _roles(roles)
    if (own := _own_shop(context, hosts)) is not None:
        opens: Callable[[], Shop] = partial(hosted, own)
    else:
        opens = _by_urls(named, store, payments, carriers, {"bus": bus, **reactions})
    shop = opens() if once else _opened(opens, interval)
    heard = bus is not None if own is None else shop.is_heard
    chosen = named or (ALL_ROLES if heard else tuple(role for role in ALL_ROLES if role != "relay"))
    said = _left_out(named, chosen, own, reactions)
    if once:
        with shop:
            return _work_once(shop, chosen, limit, said)
    plan = Plan(roles=chosen, concurrency=concurrency, limit=limit, interval=interval, lease_seconds=lease, grace=grace)
    name, begin = f"worker {socket.gethostname()}/{os.getpid()}", time.monotonic()
    found = Worker(shop, plan, say=_say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: found.stop() if not found.stopping else os._exit(130))
    _say(f"{name} started: roles {','.join(chosen)}; {concurrency} orders at a time")
    _say(*said)
    ended = found.run()
    counts = ", ".join(f"{count} {word}" for word, count in sorted(found.counts.items()) if count) or "nothing to do"
    _say(f"{name} stopped after {time.monotonic() - begin:.1f} s: {counts}")
    if not ended:
        _say(f"{name}: what was under way did not end within {grace} s; other workers go on when its leases are over")
        sys.stderr.flush()
        os._exit(1)  # threads that wait for a provider would keep the process
    shop.close()
    return None


def _own_shop(context: click.Context, named: str | None) -> str | None:
    """Return the function that opens the program's own shop, if it is that. URLs beside it would be two answers to one question.

    What is typed goes before what the environment says. Raises: `click.UsageError`.
    """
    typed = [n for n in ("store", "payments", "carriers", "bus", *REACTIONS) if _typed(context, n)]
    if named is not None and typed and _typed(context, "hosts"):
        raise click.UsageError(f"--shop opens the shop with all that it needs: leave out --{typed[0]}")
    return None if typed else named


def _typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _by_urls(
    roles: tuple[str, ...] | None, store: str, payments: str | None, carriers: str | None, more: dict[str, str | None]
) -> Callable[[], Shop]:
    """Return what opens a shop by URLs. Where nobody named who is to be told, the relay publishes and no more.

    Raises: `Misconfigured` (`missing_port`); also for a relay without a bus: a record that is marked as published never comes again.
    """
    if roles is not None and "relay" in roles and more["bus"] is None:
        raise Misconfigured(
            "nobody said which event bus this shop has: the relay would mark records as published that nobody got",
            code="missing_port",
            field="--bus",
            remedy="Name it: --bus URL, or ORDERKIT_BUS; memory: where nobody is to be told.",
            facts={"port": "bus"},
        )
    reacts = any(more[name] for name in REACTIONS)
    ports: dict[str, Any] = {**ports_of(store, payments, carriers), **more, "settings": Settings(reacts=reacts)}
    acts = roles != ("relay",)  # every other role goes on with orders, and whatever they wait for may need both
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


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)


def _left_out(
    named: tuple[str, ...] | None, chosen: tuple[str, ...], own: str | None, reactions: dict[str, str | None]
) -> list[str]:
    """Say what nobody asked for: that the relay is left out, or that it tells no customer."""
    if named is None and "relay" not in chosen:
        why = (
            "nobody named the event bus (--bus URL, or ORDERKIT_BUS)"
            if own is None
            else "the program's shop has neither a bus nor a channel but in the memory of its process"
        )
        return [f"nothing is relayed: {why}; what was committed waits for it"]
    if "relay" in chosen and own is None and not reactions["notifications"]:
        return [
            "customers are told nothing: nobody named --notifications (or ORDERKIT_NOTIFICATIONS); consumers of the bus may do it"
        ]
    return []


def _list_gates() -> None:
    from orderkit.runtime.gates import GATES  # noqa: PLC0415  (only to list them)

    click.echo("\n".join(GATES))


def _roles(text: str | None) -> tuple[str, ...] | None:
    """Return the roles that were named, if any."""
    if text is None:
        return None
    chosen = tuple(dict.fromkeys(role.strip() for role in text.split(",") if role.strip()))
    if unknown := set(chosen) - set(ALL_ROLES):
        raise click.BadParameter(f"no such role: {', '.join(sorted(unknown))}", param_hint="--roles")
    if not chosen:
        raise click.BadParameter("name at least one role", param_hint="--roles")
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


def _work_once(shop: Shop, roles: tuple[str, ...], limit: int, said: list[str]) -> None:
    _say(*said)
    done, failed, error = 0, 0, ""
    while True:
        swept = shop.sweep(roles=roles, limit=limit)
        done += swept.claimed + swept.published + swept.messages
        failed += swept.failed
        error = swept.error or error
        if swept.idle:
            break
    _say(f"worked on {done} things, {failed} of them failed and are due again")
    if error:
        _say(f"something is not told yet, and comes again: {error}")
        raise SystemExit(1)
