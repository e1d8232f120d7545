"""A search index in memory: words that begin like those asked for, exact filters, counts. Letters are compared without their marks."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orderkit.ports.search import Found, SearchQuery

# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)
_WORD = re.compile(r"\w+")
_SEARCHED = ("id", "customer", "names", "skus", "address", "tracking_numbers")


class MemorySearch:
    """Documents by id; an older version never replaces a newer one."""

    in_memory = True

    def __init__(self) -> None:
        """Open an empty index."""
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._words: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def index(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Put documents in; each is copied, so that it stays as it was given."""
        with self._lock:
            for document in documents:
                name = str(document["id"])
                known = self._documents.get(name)
                if known is None or known["version"] <= document["version"]:
                    self._documents[name] = dict(document)
                    self._words[name] = frozenset(
                        words(text for field in _SEARCHED for text in _values(document.get(field)))
                    )

    def search(self, query: SearchQuery) -> Found:
        """Return what has all the words and meets all filters, newest first; counts are over all that was found, not over the page."""
        asked = words([query.text])
        with self._lock:
            found = [
                document
                for name, document in self._documents.items()
                if _fits(document, query) and _has(self._words[name], asked)
            ]
        found.sort(key=lambda document: (_placed_at(document), str(document["id"])), reverse=True)
        counts: Counter[str] = Counter()
        if query.aggregate is not None:
            counts.update(
                value for document in found for value in dict.fromkeys(_values(document.get(query.aggregate)))
            )
        page = found[query.offset : query.offset + query.limit]
        return Found(tuple(str(document["id"]) for document in page), len(found), dict(counts))

    def close(self) -> None:
        """Nothing is held open."""


def folded(text: str) -> str:
    """Return a text in small letters without marks: `Søren Müller` is found by `soren muller`."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def words(texts: Iterable[str]) -> list[str]:
    """Return the folded words of the texts: `T-shirt, 100%` is `t`, `shirt`, `100`."""
    return [word for text in texts for word in _WORD.findall(folded(text))]


def _values(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else [str(value)]


def _has(found: frozenset[str], asked: Sequence[str]) -> bool:
    return all(beginning in found or any(word.startswith(beginning) for word in found) for beginning in asked)


def _placed_at(document: Mapping[str, Any]) -> str:
    return str(document.get("placed_at") or "")


def _fits(document: Mapping[str, Any], query: SearchQuery) -> bool:
    placed_at = _placed_at(document)
    if query.placed_from is not None and placed_at < query.placed_from:
        return False
    if query.placed_until is not None and placed_at >= query.placed_until:
        return False
    return all(not wanted or set(_values(document.get(name))) & set(wanted) for name, wanted in query.filters.items())
