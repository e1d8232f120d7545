"""The cache: hints only. Losing it costs time, never correctness, so its failures are swallowed by whoever asks.

An entry is a text, a list of texts, or fields by name. What is old never takes the place of what is new: fields that tell their own `version`
stay when older ones come late, and what was forgotten stays away for a while, whoever still holds what was read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from orderkit.ports.effect import Outside

Entry: TypeAlias = str | tuple[str, ...] | Mapping[str, str]
"""A text; a list of texts, not empty; or fields by name, not empty. A `version` among them is a whole number in digits; any other counts as 0."""


VERSION_DIGITS_MAX = 18  # more is no version that an order ever has, and larger than what some caches count with


def version_of(entry: Entry) -> int:
    """Return the version that an entry tells, or 0."""
    said = entry.get("version", "") if isinstance(entry, Mapping) else ""
    return int(said) if len(said) <= VERSION_DIGITS_MAX and said.isascii() and said.isdecimal() else 0


class Remember(Outside[None]):
    """Keep an entry for `seconds`, unless the one that is there has a higher `version`, or the key was forgotten a moment ago."""

    key: str
    entry: Entry
    seconds: int


class Recall(Outside["Entry | None"]):
    """The entry under that key, if it is still there."""

    key: str


class Forget(Outside[None]):
    """Drop an entry; for `seconds` nothing is remembered under its key, since it may have been read before."""

    key: str
    seconds: int


class Cache(Protocol):
    """What a cache adapter fulfills."""

    def remember(self, asked: Remember) -> None: ...
    def recall(self, asked: Recall) -> Entry | None: ...
    def forget(self, asked: Forget) -> None: ...
    def close(self) -> None: ...
