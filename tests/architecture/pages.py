"""The pages of the documentation that are generated from the code, and the picture in the README.

    python -m tests.architecture.pages        # renews them; a test holds that they are current

Each page is a function from the stored text to the current one, so that a page may be generated in part, between two marks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from itertools import groupby

import click

from orderkit.catalog import CATALOG, Entry
from orderkit.cli.main import root
from orderkit.diagrams import mermaid
from orderkit.domain.event_types import EVENT_TYPES, FIELDS, EventType
from orderkit.domain.lifecycle import LIFECYCLES
from orderkit.domain.messages import MESSAGES
from tests.architecture.tree import ROOT

NOTE = "<!-- generated: python -m tests.architecture.pages -->"
FAULTS = {
    "caller": "the caller",
    "nobody": "nobody",
    "host": "the host",
    "provider": "a provider or server outside",
    "installation": "the installation",
    "library": "orderkit: please report it",
}
LIFECYCLE_TEXTS = {
    "order": "Whether there is an order at all: its money decides.",
    "shipment": "One parcel, from the plan to the door.",
    "operation": "One money movement asked of a provider. `unknown` is left only by the provider's own answer.",
    "payment": "One tender of an order, derived from its operations.",
    "refund": "Money given back, from the decision to the provider's answer.",
    "return": "Goods coming back.",
    "hold": "A reason to stop the goods.",
    "status": "The single word that customers and indexes see, derived from the axes above; the rows say which change of it may be stored.",
}


def errors(_: str) -> str:
    """Return the page of error codes."""
    parts = [NOTE, "# Error codes", ERRORS_INTRODUCTION]
    for fault, whose in FAULTS.items():
        if entries := [entry for entry in CATALOG.values() if entry.fault == fault]:
            parts.append(f"## Fault of {whose}")
            parts.append(
                "\n".join(
                    ("| Code | Meaning | HTTP | Outcome | What to do |", "|---|---|---|---|---|", *map(_row, entries))
                )
            )
    return "\n\n".join(parts) + "\n"


def _row(entry: Entry) -> str:
    again = " The same request may be sent again." if entry.retryable else ""
    return f"| `{entry.code}` | {entry.title} | {entry.status} | `{entry.outcome}` | {entry.remedy}{again} |"


ERRORS_INTRODUCTION = """\
Every error that orderkit raises on purpose is an `OrderkitError` with a stable `code`. The same entry makes the exception, the
problem+json body, this page and `orderkit explain CODE`.

`outcome` says what happened to the request: `not_applied` (nothing changed), `applied`, or `unknown` (somebody outside may have done it;
repeat with the same key, never with a new one). Where the request is durable already and something fails after it, the answer is the order
as it was accepted; what a person has to mend is raised with `applied` and the order's id in `facts`. HTTP is the status that the FastAPI
router answers with."""


def lifecycles(_: str) -> str:
    """Return the page of lifecycles: each table as a picture."""
    parts = [
        NOTE,
        "# Lifecycles",
        "Drawn by `transitions` from the tables that the library runs on; `orderkit diagram NAME` prints each.",
    ]
    for name, lifecycle in LIFECYCLES.items():
        parts += [f"## {name}", LIFECYCLE_TEXTS[name], f"```mermaid\n{mermaid(lifecycle)}\n```"]
    return "\n\n".join(parts) + "\n"


def events(_: str) -> str:
    """Return the page of events: when each is told, what is in it, and what the customer hears."""
    parts = [NOTE, "# Events", EVENTS_INTRODUCTION]
    for subject, types in groupby(EVENT_TYPES.items(), key=lambda item: item[0].partition(".")[0]):
        rows = [_event(name, kind) for name, kind in types]
        parts += [f"## {subject}", "\n".join(("| Type | Told when | Data | Message |", "|---|---|---|---|", *rows))]
    fields = [f"| `{name}` | {field.kind} | {field.says} |" for name, field in sorted(FIELDS.items())]
    parts += ["## Data", "\n".join(("| Name | Kind | What it is |", "|---|---|---|", *fields))]
    return "\n\n".join(parts) + "\n"


def _event(name: str, kind: EventType) -> str:
    data = [f"`{each}`" for each in kind.data] + [f"`{each}`?" for each in kind.perhaps]
    template, channels = MESSAGES.get(name, ("", ()))
    message = f"`{template}` by {', '.join(channels)}" if template else ""
    return f"| `{name}` | {kind.says} | {', '.join(data)} | {message} |"


EVENTS_INTRODUCTION = """\
What an order does is told as events in its log: `shop.records(ID)` returns them, a relay publishes them on the bus, in the order of each order's
versions and at least once. A record with its order's id and its version is one commit, and holds the events that belong together.

Names are stable: a type may get a field more, which older records lack, and none changes its meaning without a higher `schema`. Fields with a
question mark are not always there. The message is the template that the customer gets by default, and over which channels; a template is filled with
the event's data (`event`), `order_id`, the `status` after it, and the order's `total`, `currency` and `tracking` numbers as they are when it is sent.
Who listens is plugged in where the shop is opened: `orderkit.open(..., bus=..., notifications=...)`; nothing is told before a worker relays, or
`shop.sweep()`.

orderkit puts no name and no address into an event. What a host, a person, a carrier or a provider words is kept as it is given (`customer`,
`reason`, `tracking_number`, `error`): the log is never changed, so keep personal data out of it."""


def commands(_: str) -> str:
    """Return the page of the command line."""
    parts = [
        NOTE,
        "# Command line",
        "Every command has `--help`; every option has an environment variable, `ORDERKIT_` and its path.",
        COMMANDS_ERRORS,
    ]
    for path, command in _commands(root, "orderkit"):
        parts.append(f"## {path}" if path == "orderkit" else f"### {path}")
        parts.append(_help(command))
        if options := [option for option in command.params if isinstance(option, click.Option) and not option.hidden]:
            parts.append(
                "\n".join(
                    f"- `{', '.join(o.opts + o.secondary_opts)}`: {(o.help or '').rstrip('.')}."
                    for o in options
                    if o.help
                )
            )
    return "\n\n".join(part for part in parts if part) + "\n"


COMMANDS_ERRORS = """\
What goes wrong is told on standard error: the message, the [code](errors.md), the field, the outcome, what to do. Under `--format json` it is an
object with `code`, `message`, `field`, `fault`, `outcome`, `remedy` and `facts`. The exit status is the same: 0 done, 1 problems found, 2 wrong
usage or input, 3 not connected or misconfigured, 4 refused by a rule, 5 partly done, 130 interrupted. An option that does not exist is always
told as text, since nobody knows then what was asked for."""


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from _commands(found, f"{path} {name}")


def _help(command: click.Command) -> str:
    """Return a command's help; a paragraph that is laid out by hand becomes a block of code."""
    paragraphs = re.split(
        r"\n\s*\n", inspect.cleandoc(command.help or "")
    )  # only Python 3.13 takes the indent off by itself
    return "\n\n".join(_block(part) if part.startswith("\b") else " ".join(part.split()) for part in paragraphs)


def _block(part: str) -> str:
    return "```console\n" + "\n".join(line.strip() for line in part.splitlines()[2:]) + "\n```"


def readme(stored: str) -> str:
    """Return the README with today's picture of the status words."""
    return between(stored, "lifecycle", f"```mermaid\n{mermaid(LIFECYCLES['status'])}\n```")


def between(stored: str, mark: str, text: str) -> str:
    """Return the text with what stands between two marks replaced."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    head, found, rest = stored.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the marks {begin} and {end} are missing")
    return f"{head}{begin}\n{text}\n{end}{tail}"


PAGES: dict[str, Callable[[str], str]] = {
    "docs/reference/errors.md": errors,
    "docs/reference/lifecycles.md": lifecycles,
    "docs/reference/events.md": events,
    "docs/reference/cli.md": commands,
    "README.md": readme,
}


def main() -> None:
    """Write every page that is not current."""
    for page, generate in PAGES.items():
        path = ROOT / page
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if (current := generate(stored)) != stored:
            path.write_text(current, encoding="utf-8")
            click.echo(f"renewed {page}")


if __name__ == "__main__":
    main()
