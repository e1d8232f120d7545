"""How commands speak: tables and color where a person looks, JSON where a program does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import click

from orderkit.domain.value import as_dict, field_names
from orderkit.errors import OrderkitError

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = "sqlite:///orderkit.db"


def store_option(command: F, *, callback: Callable[[click.Context, click.Parameter, str], str] | None = None) -> F:
    """Add `--store`."""
    return click.option(
        "--store",
        default=DEFAULT_STORE,
        show_default=True,
        envvar="ORDERKIT_STORE",
        callback=callback,
        help="URL of the store (env ORDERKIT_STORE).",
    )(command)


def existing_store_option(command: F) -> F:
    """Add `--store` to what looks into a shop and must not make one: a mistyped name would look like an empty shop."""
    return store_option(command, callback=_existing)


def _existing(_context: click.Context, _option: click.Parameter, store: str) -> str:
    scheme, _, rest = store.partition(":")
    if scheme.partition("+")[0] != "sqlite" or "create=" in rest.partition("?")[2]:  # only a file is made by opening it
        return store
    return f"{store}{'&' if '?' in store else '?'}create=no"


def payments_option(command: F) -> F:
    """Add `--payments` and `--carriers`; see `providers` for what there is when they are not given."""
    command = click.option(
        "--payments",
        envvar="ORDERKIT_PAYMENTS",
        help="URL of the provider; default: a demo's or replay's fake one, if its book lies beside the store, else none.",
    )(command)
    return click.option(
        "--carriers",
        envvar="ORDERKIT_CARRIERS",
        help="URL of the carriers; default: fake ones with a fake provider, else none.",
    )(command)


REACTIONS = {
    "notifications": "URL of the channel to customers; without one the relay tells them nothing.",
    "documents": "URL of the cabinet of invoices; without one the relay makes none.",
    "search": "URL of the search index; without one the relay keeps none.",
    "cache": "URL of the cache; without one the relay keeps none.",
}


def reactions_option(command: F) -> F:
    """Add the ports of what follows from an event, none of which is there by default: what is told to nobody cannot be told again."""
    for name, said in reversed(REACTIONS.items()):
        command = click.option(f"--{name}", envvar=f"ORDERKIT_{name.upper()}", help=said)(command)
    return command


def format_option(command: F) -> F:
    """Add `--format`. It is read first, because errors are told in it too (`tell`)."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        is_eager=True,
        callback=_noted,
        help="How to answer.",
    )(command)


_FORM = "orderkit.form"


def _noted(context: click.Context, _: click.Parameter, form: str) -> str:
    context.meta[_FORM] = form  # a command's context and the root's share it
    return form


def asks_json(context: click.Context) -> bool:
    """Whether the command at work was asked for JSON."""
    return context.meta.get(_FORM) == "json"


def tell(error: OrderkitError, context: click.Context) -> None:
    """Write an error to standard error, in the form that was asked for: what, about which field, whether it was applied, what to do."""
    if asks_json(context):
        names = ("code", "message", "field", "fault", "outcome", "remedy", "facts")
        return say({name: getattr(error, name) for name in names}, err=True)
    click.secho(f"error: {error.message}", fg="red", err=True)
    field = f", field {error.field}" if error.field else ""
    click.echo(f"  code {error.code}{field}, outcome {error.outcome}; see `orderkit explain {error.code}`", err=True)
    click.echo(f"  {error.remedy}", err=True)


def say(value: Any, *, err: bool = False) -> None:
    """Write a value as JSON."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, sort_keys=True), err=err)


def plain(value: Any) -> Any:
    """Return a value as what JSON knows."""
    if field_names(type(value)) is not None:
        return {name: plain(part) for name, part in as_dict(value).items() if not name.startswith("_")}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if hasattr(value, "name") and hasattr(value, "value"):
        return value.name.lower() if isinstance(value.value, int) else value.value
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Write a table: ruled and colored on a terminal that is wide enough for each word, tab-aligned plain text elsewhere."""
    cells = [[str(cell) if cell is not None else "" for cell in row] for row in rows]
    if sys.stdout.isatty() and _ruled(headings, cells, title):
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    if title:
        click.echo(title)
    for row in [list(headings), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _ruled(headings: Sequence[str], cells: Sequence[Sequence[str]], title: str | None) -> bool:
    """Write a ruled table, unless it would have to cut a word short: an id is there to be copied."""
    from rich.console import Console  # noqa: PLC0415  (only where a person looks)
    from rich.measure import Measurement  # noqa: PLC0415  (only where it is used)
    from rich.table import Table  # noqa: PLC0415  (only where it is used)
    from rich.text import Text  # noqa: PLC0415  (only where it is used)

    console, shown = Console(), Table(*headings, header_style="bold")
    for row in cells:
        shown.add_row(*map(Text, row))  # a name in brackets is no markup
    anything = console.options.update(max_width=sum(len(cell) for row in [headings, *cells] for cell in row) + 1_000)
    if Measurement.get(console, anything, shown).minimum > console.width:
        return False
    if title:
        click.echo(title)
    console.print(shown)
    return True
