"""What commands that act on an order share: the dry run that is agreed to first, the answer, and their options."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from orderkit import Order, Preview
from orderkit.cli.output import say
from orderkit.domain.status import axes, word
from orderkit.errors import InvalidInput, NotAllowed

STAFF = "staff:cli"


def agreed(
    plan: Callable[[], Preview], key: str | None, dry_run: bool, yes: bool, form: str, *, then: str = ""
) -> bool:
    """Show the dry run and what comes `then`, ask unless told not to, and return whether to go on."""
    try:
        preview = plan()
    except (NotAllowed, InvalidInput):
        if dry_run or not yes or key is None:
            raise
        return True  # what a used key has done cannot be done again; the verb itself knows the key and answers
    if dry_run and form == "json":
        say(preview)
    elif dry_run or form != "json":
        click.echo(str(preview))
        if then:
            click.echo(f"then      {then}")
    if not dry_run and not yes and form != "json":
        _ask()
    return not dry_run


def _ask() -> None:
    """Ask whether to do it; where nobody can answer, say how to do without. Raises: `click.Abort`, `click.UsageError`."""
    try:
        if click.confirm("Do it?"):
            return
    except click.Abort:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody is there to answer: add --yes to do it, or --dry-run to look only") from None
    raise click.Abort


def done(found: Order, form: str) -> None:
    """Tell how the order stands after the command."""
    if form == "json":
        say(
            {
                "order_id": found.id,
                "status": word(found),
                "axes": axes(found),
                "refunds": found.refunds,
                "returns": found.returns,
            }
        )
    else:
        click.echo(f"done: {found.id} is {word(found)}, payment {axes(found).payment}")


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_option = click.option("--dry-run", is_flag=True, help="Only show what would happen.")
reason_option = click.option("--reason", required=True, help="Why; it is kept in the log.")
key_option = click.option("--key", help="Idempotency key: a repeat changes nothing.")
