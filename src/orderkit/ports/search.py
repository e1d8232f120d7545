"""The search index: denormalized order documents, behind the truth by a moment, never ahead of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orderkit.domain.value import Value, field
from orderkit.ports.effect import Outside


class Index(Outside[None]):
    """Put these documents into the index; each has `id` and `version`, and an older version never replaces a newer one."""

    documents: tuple[Mapping[str, Any], ...]


class SearchQuery(Value, kw_only=True):
    """Words over product names, SKUs and addresses, with exact filters; `aggregate` counts by one field."""

    text: str = ""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placed_from: str | None = None
    placed_until: str | None = None
    aggregate: str | None = None
    limit: int = 50
    offset: int = 0


class Found(Value):
    """Order ids, best first, how many there are in all, and counts of the aggregated field."""

    ids: tuple[str, ...]
    total: int
    counts: Mapping[str, int] = field(default_factory=dict)


class Search(Outside[Found]):
    """Ask the index."""

    query: SearchQuery


class SearchIndex(Protocol):
    """What a search adapter fulfills."""

    def index(self, documents: Sequence[Mapping[str, Any]]) -> None: ...
    def search(self, query: SearchQuery) -> Found: ...
    def close(self) -> None: ...
