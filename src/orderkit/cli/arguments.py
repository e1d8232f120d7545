"""What commands are told: texts, times and counts, refused before anything happens when they cannot be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from orderkit.domain.given import storable
from orderkit.errors import InvalidInput
from orderkit.flows.kit import KEY_LENGTH_MAX, checked_key

_WHOLE = re.compile(r"[0-9]{1,9}")  # no other script's digits, and no more than any shelf holds


class Command(click.Command):
    """A command whose texts are text: bytes of another encoding than the terminal's cannot be looked for or stored."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises: `InvalidInput` with the option's name."""
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            if isinstance(parameter.type, click.types.StringParamType):  # a path may be any bytes
                given = ctx.params.get(parameter.name or "")
                for text in given if isinstance(given, tuple) else (given,):
                    _check_text(text, parameter)
        return rest


def _check_text(text: str | None, parameter: click.Parameter) -> None:
    if text is not None and not storable(text):
        field = parameter.opts[0] if isinstance(parameter, click.Option) else parameter.name
        raise InvalidInput(f"{text!r} is no text in UTF-8", field=field)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def whole(text: str) -> int | None:
    """Return the whole number that the text is, or `None`."""
    return int(text) if _WHOLE.fullmatch(text) else None


def day(text: str | None, option: str) -> datetime | None:
    """Return the time that an option names, in UTC unless it says otherwise. Raises: `InvalidInput`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)  # as stores compare it; no time before the year 1 or after 9999
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text!r} is no date; write 2026-03-01 or 2026-03-01T12:00:00+00:00", field=option
        ) from None
    return moment


def units(texts: tuple[str, ...]) -> dict[str | int, int] | None:
    """Return units by SKU, those of one that is named twice together; `None` when none were named.

    Raises: `InvalidInput` (`invalid_quantity`).
    """
    found: dict[str | int, int] = {}
    for text in texts:
        sku, _, number = text.rpartition("=")
        many = whole(number)
        if not sku or not many:
            raise InvalidInput(f"{text!r} is not SKU=UNITS", code="invalid_quantity", field="--units")
        found[sku] = found.get(sku, 0) + many
    return found or None


def further_key(key: str | None, name: str) -> str | None:
    """Return the key of a second step that a command does under its one key. Raises: `InvalidInput` (`invalid_key`) before the first."""
    if key is None:
        return None
    checked_key(key)
    further = f"{key}/{name}"
    if len(further) > KEY_LENGTH_MAX:
        raise InvalidInput(
            f"the {name} has a key of its own, the given one with /{name} after it; together they are {len(further)} characters long",
            code="invalid_key",
            field="--key",
            remedy=f"Send a key of 1 to {KEY_LENGTH_MAX - len(name) - 1} visible characters.",
        )
    return further
