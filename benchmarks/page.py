"""The page of a run: a chart and a table for each benchmark, the goals, the machine. One file: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

from benchmarks.harness import NAMES
from orderkit.replay.charts import Bar, rows_chart
from orderkit.replay.render_style import STYLE

Row = dict[str, Any]


def page(found: Row) -> str:
    """Return the page for what a run's JSON holds."""
    results: Sequence[Row] = found["results"]
    goals = {_identity(goal): goal for goal in found["goals"]}
    sections = [_section(name, list(rows), goals) for name, rows in groupby(results, key=lambda row: str(row["name"]))]
    missing = [
        f"<section><h2>{escape(name)}</h2><p>Not run: {escape(why)}</p></section>"
        for name, why in found["failures"].items()
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>orderkit: benchmarks</title><style>{STYLE}</style></head><body>"
        f'<header><p class="eyebrow">orderkit</p><h1>Benchmarks</h1><p class="lead">{escape(_lead(found["machine"]))}</p>'
        f"{_verdict(found['goals'])}</header><main>{''.join(sections + missing)}{_machine(found['machine'])}</main></body></html>\n"
    )


def _identity(row: Row) -> str:
    return f"{row['name']} {row['metric']} {sorted(row['params'].items())}"


def _lead(machine: Row) -> str:
    noise = machine["noise"]
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, Python {machine['python']}. One small loop took"
        f" {noise['loop_ms']} ms, give or take {noise['spread'] / 2:.0%}: smaller differences mean nothing, ratios mean most."
    )


def _verdict(goals: Sequence[Row]) -> str:
    if not goals:
        return ""
    held = sum(goal["held"] for goal in goals)
    return f'<p class="verdict {"good" if held == len(goals) else "bad"}">{held} of {len(goals)} goals held</p>'


def _section(name: str, rows: Sequence[Row], goals: dict[str, Row]) -> str:
    charts = [_chart(f"{name}-{number}", unit, list(group)) for number, (unit, group) in enumerate(_by_unit(rows))]
    return f"<section><h2>{escape(name)}</h2><p>{escape(NAMES.get(name, ''))}</p>{''.join(charts)}{_table(rows, goals)}</section>"


def _by_unit(rows: Sequence[Row]) -> Iterable[tuple[str, Iterable[Row]]]:
    """Group the rows that have one unit: only those can stand beside each other."""
    units = list(dict.fromkeys(str(row["unit"]) for row in rows))
    return ((unit, [row for row in rows if row["unit"] == unit]) for unit in units)


def _chart(name: str, unit: str, rows: Sequence[Row]) -> str:
    if len(rows) < 2:  # noqa: PLR2004  (one bar compares nothing)
        return ""
    bars = [Bar(_label(row), row["value"], f"{row['value']:,g}") for row in rows]
    return (
        f"<p>{escape(unit)}</p>{rows_chart(name, unit, f'{len(bars)} figures in {unit}, as in the table below', bars)}"
    )


def _label(row: Row) -> str:
    """Return what stands beside a bar: there is room for about 31 letters."""
    words = ", ".join([row["metric"], *(f"{value}" for value in row["params"].values())])
    return words if len(words) <= 31 else words[:30] + "…"  # noqa: PLR2004  (see above)


def _table(rows: Sequence[Row], goals: dict[str, Row]) -> str:
    body = "".join(
        f"<tr><th>{escape(row['metric'])}</th><td>{escape(', '.join(f'{k} {v}' for k, v in row['params'].items()))}</td>"
        f'<td class="n">{row["value"]:,g}</td><td>{escape(row["unit"])}</td>{_goal(goals.get(_identity(row)))}</tr>'
        for row in rows
    )
    head = "<tr><th>Metric</th><th>Conditions</th><th>Value</th><th>Unit</th><th>Goal</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _goal(goal: Row | None) -> str:
    if goal is None:
        return "<td></td>"
    return f'<td class="{"good" if goal["held"] else "bad"}">{"✓" if goal["held"] else "✗"} {escape(goal["goal"])}</td>'


def _machine(machine: Row) -> str:
    body = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(_words(value))}</td></tr>" for name, value in machine.items()
    )
    return f"<section><h2>machine</h2><table><tbody>{body}</tbody></table></section>"


def _words(value: object) -> str:
    return ", ".join(f"{name} {inner}" for name, inner in value.items()) if isinstance(value, dict) else str(value)
