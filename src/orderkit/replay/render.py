"""The report in the form that a file's ending asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orderkit.errors import InvalidInput, Misconfigured

if TYPE_CHECKING:
    from orderkit.replay.report import Report

_FORMS = {".json": "json", ".html": "html", ".htm": "html", ".txt": "text", ".text": "text"}


def form_of(path: Path) -> str:
    """Return json, html or text by the ending of a path. Raises `InvalidInput` for any other ending."""
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise InvalidInput(f"{path.name}: a report ends in .txt, .html or .json", field="--report")
    return form


def check_writable(path: Path) -> None:
    """Raise before the work, not after it, when no report can be written to a path."""
    form_of(path)
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a directory" if path.is_dir() else f"there is no directory {path.parent}"
        raise Misconfigured(f"{path} cannot be written: {what}", code="file_missing", field="--report")


def summarized(report: Report) -> str:
    """Return the first part of the text form: what a person wants to see when the run has ended."""
    from orderkit.replay.render_text import render_summary  # noqa: PLC0415  (one of three)

    return render_summary(report).rstrip()


def rendered(report: Report, path: Path) -> str:
    """Return the report in the form of the path's ending."""
    form = form_of(path)
    if form == "json":
        from orderkit.replay.render_json import render_json  # noqa: PLC0415  (one of three)

        return render_json(report)
    if form == "html":
        from orderkit.replay.render_html import render_html  # noqa: PLC0415  (one of three)

        return render_html(report)
    from orderkit.replay.render_text import render_text  # noqa: PLC0415  (one of three)

    return render_text(report)
