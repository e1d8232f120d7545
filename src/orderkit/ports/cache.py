"""The cache: hints only. Losing it costs time, never correctness, so its failures are swallowed by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from orderkit.ports.effect import Outside


class Remember(Outside[None]):
    """Keep these entries for `seconds`."""

    entries: Mapping[str, str]
    seconds: int


class Recall(Outside["str | None"]):
    """The entry under that key, if it is still there."""

    key: str


class Forget(Outside[None]):
    """Drop these entries."""

    keys: tuple[str, ...]


class Cache(Protocol):
    """What a cache adapter fulfills."""

    def remember(self, asked: Remember) -> None: ...
    def recall(self, asked: Recall) -> str | None: ...
    def forget(self, asked: Forget) -> None: ...
    def close(self) -> None: ...
