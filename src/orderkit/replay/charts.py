"""Bar charts as inline SVG: no script, no font, no network; colors come from the page, words from the caller.

Each chart is an image with a title and a description for those who cannot see it; the page puts the numbers in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import attrs

__all__ = ["Bar", "Pair", "columns_chart", "rows_chart"]

_WIDTH = 960
_STEPS = (1, 2, 2.5, 5, 10)


@attrs.frozen
class Pair:
    """Two values of one column: the tall one and the one it is compared with, and words for each."""

    label: str
    first: float
    second: float
    first_words: str
    second_words: str


@attrs.frozen
class Bar:
    """One row: a value, with the words that stand beside it."""

    label: str
    value: float
    words: str


def columns_chart(name: str, title: str, description: str, pairs: Sequence[Pair], legend: tuple[str, str]) -> str:
    """Return columns side by side in pairs, such as orders and refunds by month."""
    height, left, top, bottom = 340, 64, 44, 44
    ceiling, step = _scale(max((max(pair.first, pair.second) for pair in pairs), default=0.0))
    plot_width, plot_height = _WIDTH - left - 8, height - top - bottom
    band = plot_width / max(len(pairs), 1)
    thick = min(34.0, band * 0.36)
    parts = [_legend(legend, left)]
    for mark in range(round(ceiling / step) + 1):
        y = top + plot_height * (1 - mark * step / ceiling)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{_WIDTH - 8}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(mark * step)}</text>'
        )
    for position, pair in enumerate(pairs):
        middle = left + band * (position + 0.5)
        for shift, value, words, kind in (
            (-thick, pair.first, pair.first_words, "first"),
            (0.0, pair.second, pair.second_words, "second"),
        ):
            tall = plot_height * value / ceiling
            parts.append(
                f'<rect class="{kind}" x="{middle + shift + 1:.1f}" y="{top + plot_height - tall:.1f}" width="{thick - 2:.1f}" '
                f'height="{tall:.1f}" rx="2"><title>{escape(f"{pair.label}: {words}")}</title></rect>'
            )
        parts.append(
            f'<text class="tick" x="{middle:.1f}" y="{height - bottom + 20}" text-anchor="middle">{escape(pair.label)}</text>'
        )
    return _image(name, title, description, height, parts)


def rows_chart(name: str, title: str, description: str, bars: Sequence[Bar]) -> str:
    """Return one row for each value, longest bar to the widest; values below zero are drawn in the other color."""
    row, top, left, right = 30, 8, 236, 132
    height = top * 2 + row * max(len(bars), 1)
    longest = max((abs(bar.value) for bar in bars), default=0.0) or 1.0
    room = _WIDTH - left - right
    parts: list[str] = []
    for position, bar in enumerate(bars):
        y = top + row * position
        long = max(room * abs(bar.value) / longest, 1.5 if bar.value else 0.0)
        kind = "second" if bar.value < 0 else "first"
        parts.append(f'<text class="name" x="{left - 12}" y="{y + 20}" text-anchor="end">{escape(bar.label)}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 6}" width="{long:.1f}" height="{row - 12}" rx="2"/>')
        parts.append(f'<text class="value" x="{left + long + 8:.1f}" y="{y + 20}">{escape(bar.words)}</text>')
    return _image(name, title, description, height, parts)


def _image(name: str, title: str, description: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {_WIDTH} {height}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _legend(words: tuple[str, str], left: int) -> str:
    first, second = (escape(word) for word in words)
    shift = left + 40 + 8 * len(words[0])
    return (
        f'<rect class="first" x="{left}" y="10" width="12" height="12" rx="2"/><text class="name" x="{left + 20}" y="20">{first}</text>'
        f'<rect class="second" x="{shift}" y="10" width="12" height="12" rx="2"/><text class="name" x="{shift + 20}" y="20">{second}</text>'
    )


def _scale(highest: float) -> tuple[float, float]:
    """Return a round ceiling above the highest value, and a round step that divides it into four or so."""
    if highest <= 0:
        return 1.0, 1.0
    rough, size = highest / 4, 1.0
    while size * 10 <= rough:
        size *= 10
    while size > rough:
        size /= 10
    step = next(size * factor for factor in _STEPS if size * factor >= rough)
    ceiling = step
    while ceiling < highest:
        ceiling += step
    return ceiling, step


def _short(value: float) -> str:
    if value >= 1_000_000:  # noqa: PLR2004  (a million is its own name)
        return f"{value / 1_000_000:g}m"
    if value >= 1_000:  # noqa: PLR2004  (and so is a thousand)
        return f"{value / 1_000:g}k"
    return f"{value:g}"
