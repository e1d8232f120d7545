"""`orderkit audit`: hold the log against what was written, inside the store and against heads that are kept outside of it."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orderkit.cli.anchors import read_anchors, write_anchors
from orderkit.cli.arguments import Group
from orderkit.cli.output import existing_store_option, format_option, say, table
from orderkit.errors import Misconfigured
from orderkit.ports.audit import ChainedLog, Finding

SHOWN_MAX = 200  # findings in a table; all of them are in the JSON
KEY_VARIABLE = "ORDERKIT_ANCHOR_KEY"


@click.group(cls=Group)
def audit() -> None:
    """Check that the log is what was written, and keep heads of it elsewhere."""


@audit.command()
@existing_store_option
@click.option(
    "--anchors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A file of `audit anchor`; may be given several times.",
)
@click.option("--key", envvar=KEY_VARIABLE, help=f"The secret that signs the file (env {KEY_VARIABLE}).")
@format_option
def verify(store: str, anchors: tuple[Path, ...], key: str | None, form: str) -> None:
    """Recompute every hash chain and hold every order, row by row, against its log; exit status 1 with findings.

    \b
    Examples:
      orderkit audit verify --store postgresql://localhost/shop
      orderkit audit verify --anchors /elsewhere/heads.jsonl --format json
    """
    files = [read_anchors(path, key) for path in anchors]
    looked = 0

    def progress(count: int) -> None:
        nonlocal looked
        looked = count
        if sys.stderr.isatty():
            click.echo(f"\r{count} orders", nl=False, err=True)

    with closing(_opened(store)) as opened:
        findings = list(opened.verify_log(progress))
        anchored = [finding for heads in files for finding in opened.verify_heads(heads)]
    if sys.stderr.isatty():
        click.echo(err=True)
    _tell(looked, sum(map(len, files)), [*findings, *anchored], form)
    if findings or anchored:
        raise SystemExit(1)


def _tell(orders: int, heads: int, findings: list[Finding], form: str) -> None:
    if form == "json":
        say({"orders": orders, "anchors": heads, "findings": findings})
    elif findings:
        table(("order", "version", "what"), [(f.order_id, f.version, f.problem) for f in findings[:SHOWN_MAX]])
        click.echo(f"{len(findings)} findings in {orders} orders")
    else:
        click.echo(f"{orders} orders and {heads} anchors: the log is what was written")


@audit.command()
@existing_store_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where to write; not on the database's disk.",
)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only orders that changed since (UTC)."
)
@click.option("--key", envvar=KEY_VARIABLE, help=f"A secret to sign the file with (env {KEY_VARIABLE}).")
def anchor(store: str, out: Path, since: datetime | None, key: str | None) -> None:
    """Write the head of every order's chain to a file that the database's owner cannot change.

    \b
    Examples:
      orderkit audit anchor --out /elsewhere/heads.jsonl
      orderkit audit anchor --since 2026-03-03T12:00:00 --out /elsewhere/heads-1205.jsonl
    """
    with closing(_opened(store)) as opened:
        count = write_anchors(out, opened.read_heads(since.replace(tzinfo=UTC) if since else None), key)
    click.echo(f"{count} heads in {out}{'' if key else ', not signed'}")


def _opened(store: str) -> Any:
    from orderkit.plugins.manager import Plugins  # noqa: PLC0415  (loads pluggy)

    opened = Plugins().open_store(store)
    if not isinstance(opened, ChainedLog):
        opened.close()
        raise Misconfigured(
            f"the store {store} keeps no hash chain",
            code="misconfigured",
            remedy="Audit a store on SQLite or PostgreSQL.",
        )
    return opened
