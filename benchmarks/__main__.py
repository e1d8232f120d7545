"""`python -m benchmarks NAME`: run one benchmark or all, show the figures as they come, write them as JSON and as a page."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import NAMES, Run, Unavailable, say

FAILED, MISSED = 2, 1


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, NAMES))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="\n".join(f"  {name:<{width}}  {what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="+", choices=[*NAMES, "all"], metavar="NAME", help="see below; `all` for all of them"
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long one measurement takes (10)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here, and the page beside them")
    parser.add_argument("--html", type=Path, metavar="PATH", help="write the page here")
    parser.add_argument("--strict", action="store_true", help="exit with status 1 when a goal was missed")
    parser.add_argument(
        "--largest", type=float, default=1e7, metavar="N", help="growth: the most orders in the table (1e7)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.seconds <= 0:
        parser.error("--seconds is more than 0")
    run = Run(asked.seconds, int(asked.largest))
    try:
        for name in NAMES if "all" in asked.names else dict.fromkeys(asked.names):
            say(f"{name}: {NAMES[name]}")
            try:
                run.benchmark(name)
            except Unavailable as missing:
                run.failures[name] = str(missing)
                say(f"  not run: {missing}")
            except KeyboardInterrupt:
                run.failures[name] = "interrupted"
                break
            except Exception as error:  # noqa: BLE001  (what the others measured is kept)
                run.failures[name] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
    finally:
        run.close()
    _written(run, asked.json, asked.html or (asked.json and asked.json.with_suffix(".html")))
    missed = [figure for figure in run.figures if not figure.held]
    for figure in missed:
        say(f"missed: {figure.name}, {figure.metric}: {figure.value:g} {figure.unit} is not {figure.goal}")
    if run.failures:
        return FAILED
    return MISSED if missed and asked.strict else 0


def _written(run: Run, json_path: Path | None, html_path: Path | None) -> None:
    found = run.described()
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if json_path is None:
        sys.stdout.write(text)
    else:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(text, encoding="utf-8")
        say(f"figures: {json_path}")
    if html_path is not None:
        from benchmarks.page import page  # noqa: PLC0415  (only where one is wanted)

        html_path.parent.mkdir(parents=True, exist_ok=True)
        html_path.write_text(page(found), encoding="utf-8")
        say(f"page:    {html_path}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it so wants the server stopped as well
    sys.exit(main())
