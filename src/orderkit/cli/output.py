"""How commands speak: tables and color where a person looks, JSON where a program does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import attrs
import click

from orderkit import Shop
from orderkit.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = "sqlite:///orderkit.db"


def store_option(command: F) -> F:
    """Add `--store`. It is read first: the provider's book lies beside it."""
    return click.option(
        "--store",
        default=DEFAULT_STORE,
        show_default=True,
        envvar="ORDERKIT_STORE",
        is_eager=True,
        help="URL of the store (env ORDERKIT_STORE).",
    )(command)


def provider_of(store: str) -> str:
    """Return the URL of the fake provider that keeps its book beside a store in a file, so that every process asks the same one."""
    path = store.split("?", 1)[0].removeprefix("sqlite:///")
    return (
        f"fakepsp:///{path}.fakepsp?webhooks=no"
        if store.startswith("sqlite:///") and path != ":memory:"
        else "fakepsp:"
    )


def _provider(context: click.Context, _: click.Parameter, value: str | None) -> str:
    return value or provider_of(context.params.get("store", DEFAULT_STORE))


def payments_option(command: F) -> F:
    """Add `--payments` and `--carriers`."""
    command = click.option(
        "--payments",
        callback=_provider,
        envvar="ORDERKIT_PAYMENTS",
        help="URL of the provider; default: a fake one with its book beside the store.",
    )(command)
    return click.option(
        "--carriers", default="fakecarrier:", show_default=True, envvar="ORDERKIT_CARRIERS", help="URL of the carriers."
    )(command)


def check_warehouses(shop: Shop, names: Sequence[str], option: str) -> None:
    """Refuse a warehouse that holds no shelf: a typing error must not move goods, nor change an answer in silence."""
    known = sorted({level.warehouse for level in shop.stock()})
    for name in names:
        if name not in known:
            raise InvalidInput(f"no warehouse {name!r}; there are {', '.join(known) or 'none'}", field=option)


def format_option(command: F) -> F:
    """Add `--format`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How to answer.",
    )(command)


def say(value: Any) -> None:
    """Write a value as JSON."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, sort_keys=True))


def plain(value: Any) -> Any:
    """Return a value as what JSON knows."""
    if attrs.has(type(value)):
        return {
            field.name: plain(getattr(value, field.name))
            for field in attrs.fields(type(value))
            if not field.name.startswith("_")
        }
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
    """Write a table: ruled and colored on a terminal, tab-aligned plain text elsewhere."""
    cells = [[str(cell) if cell is not None else "" for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  (only where a person looks)
        from rich.table import Table  # noqa: PLC0415  (only where it is used)

        shown = Table(*headings, title=title, header_style="bold", title_justify="left")
        for row in cells:
            shown.add_row(*row)
        Console().print(shown)
        return
    widths = [
        max(len(heading), *(len(row[n]) for row in cells)) if cells else len(heading)
        for n, heading in enumerate(headings)
    ]
    if title:
        click.echo(title)
    for row in [list(headings), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
