"""`orderkit replay`: a shop's invoices and credit notes, run through the library as orders and returns, and reconciled to the penny."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from orderkit.cli.arguments import Command
from orderkit.replay.running import Progress


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--store",
    default="sqlite:///replay.db",
    show_default=True,
    envvar="ORDERKIT_STORE",
    help="URL of the store to fill.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write the report: .txt, .html or .json; may be repeated.",
)
@click.option(
    "--book", type=click.Path(path_type=Path), help="The fake provider's own book; default: beside the store."
)
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
def replay(file: Path, store: str, reports: tuple[Path, ...], book: Path | None, quiet: bool) -> None:
    """Run the invoices in FILE (CSV or parquet) through the library in time order, and reconcile.

    Kill it whenever you like and run it again: it comes to the same end, and a second run changes nothing.

    \b
    Examples:
      orderkit replay year.parquet --store sqlite:///year.db --report year.html
      orderkit replay slice.csv --report slice.json --report slice.txt
    """
    from orderkit.replay.render import check_writable, rendered, summarized  # noqa: PLC0415  (only where there is a report)
    from orderkit.replay.running import replayed  # noqa: PLC0415  (loads the store)

    for path in reports:
        check_writable(path)
    with nullcontext() if quiet else progress() as shown:
        report = replayed(file, store=store, book=book, progress=shown)
    for path in reports:
        path.write_text(rendered(report, path), encoding="utf-8")
    if not quiet:
        click.echo(summarized(report))
    raise SystemExit(0 if report.balanced else 1)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress: a bar where a person looks, a line now and then elsewhere. The terminal gets its cursor back whatever happens."""
    if not sys.stderr.isatty():
        yield _told_now_and_then()
        return
    from rich import progress as bars  # noqa: PLC0415  (only where it is used)
    from rich.console import Console  # noqa: PLC0415  (only where it is used)

    columns = (
        bars.TextColumn("{task.description:<12}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                for task in bar.tasks:  # a phase whose total nobody knew has ended with the next one's beginning
                    bar.update(task.id, total=task.completed)
                tasks[phase] = bar.add_task(phase, total=total or None)
            bar.update(tasks[phase], completed=done, total=total or None)

        yield show


def _told_now_and_then() -> Progress:
    shown: dict[str, int] = {}

    def tell(phase: str, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 0
        if shown.get(phase) != tenth:
            shown[phase] = tenth
            click.echo(f"{phase}: {done} of {total}" if total else f"{phase}: {done}", err=True)

    return tell
