"""The root command: lazily loaded subcommands, and errors turned into a message, a remedy and an exit status.

Exit statuses: 0 done, 1 problems found, 2 wrong usage or input, 3 not connected or misconfigured, 4 refused by a rule, 5 partly done,
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from orderkit.errors import (
    Conflict,
    InvalidInput,
    Misconfigured,
    NotAllowed,
    NotFound,
    OrderkitError,
    Overloaded,
    PortError,
)

STATUS: dict[type[OrderkitError], int] = {
    InvalidInput: 2,
    NotFound: 2,
    Misconfigured: 3,
    PortError: 3,
    Overloaded: 3,
    NotAllowed: 4,
    Conflict: 4,
}

INTERRUPTED = 130  # what a shell makes of Ctrl-C

_COMMANDS = {
    "demo": "orderkit.cli.demo",
    "replay": "orderkit.cli.replaying",
    "worker": "orderkit.cli.working",
    "migrate": "orderkit.cli.operating",
    "retire": "orderkit.cli.operating",
    "doctor": "orderkit.cli.operating",
    "audit": "orderkit.cli.auditing",
    "order": "orderkit.cli.ordering",
    "allocate": "orderkit.cli.understanding",
    "simulate": "orderkit.cli.simulating",
    "diagram": "orderkit.cli.understanding",
    "explain": "orderkit.cli.understanding",
    "adapters": "orderkit.cli.understanding",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that `--help` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of a day's work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(importlib.import_module(module), cmd_name)
        return found


class Root(LazyGroup):
    """The root: what goes wrong on purpose is told in three lines or as JSON, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and tell its error."""
        try:
            return super().invoke(ctx)
        except OrderkitError as error:
            found = error
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(INTERRUPTED)
        except click.UsageError as error:
            from orderkit.cli.output import asks_json  # noqa: PLC0415  (only where something is wrong)

            if not asks_json(ctx):
                raise
            option = getattr(error, "param", None)
            found = InvalidInput(error.format_message(), field=option.opts[0] if option else None)
        from orderkit.cli.output import tell  # noqa: PLC0415  (only where something is wrong)

        tell(found, ctx)
        ctx.exit(next((status for kind, status in STATUS.items() if isinstance(found, kind)), 1))


@click.group(
    cls=Root,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": "ORDERKIT",
    },
    epilog="Exit statuses: 0 done, 1 problems found, 2 usage, 3 not connected, 4 refused by a rule, 5 partly done, 130 interrupted.",
)
@click.version_option(package_name="orderkit")
def root() -> None:
    """Run, inspect and repair an order shop.

    \b
    Examples:
      orderkit demo
      orderkit replay year.parquet --store sqlite:///year.db --report year.html
      orderkit order list --store sqlite:///year.db --status delivered
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    root(args=list(arguments) if arguments is not None else None, prog_name="orderkit")
