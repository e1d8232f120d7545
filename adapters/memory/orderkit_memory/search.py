"""A search index in memory: words that begin like those asked for, exact filters, counts. Letters are compared without their marks."""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from orderkit.ports.search import Found, SearchQuery

_UNMARKED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe"})


class MemorySearch:
    """Documents by id; an older version never replaces a newer one."""

    in_memory = True

    def __init__(self) -> None:
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._words: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def index(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Put documents in."""
        with self._lock:
            for document in documents:
                name = str(document["id"])
                known = self._documents.get(name)
                if known is None or known["version"] <= document["version"]:
                    self._documents[name] = document
                    self._words[name] = frozenset(_words(document))

    def search(self, query: SearchQuery) -> Found:
        """Return what fits all words and filters, newest first."""
        asked = folded(query.text).split()
        with self._lock:
            found = [d for name, d in self._documents.items() if _fits(d, query) and _has(self._words[name], asked)]
        found.sort(key=lambda d: (str(d.get("placed_at", "")), str(d["id"])), reverse=True)
        counts: Counter[str] = Counter()
        if query.aggregate:
            counts.update(value for d in found for value in _values(d.get(query.aggregate)))
        page = found[query.offset : query.offset + query.limit]
        return Found(tuple(str(d["id"]) for d in page), len(found), dict(counts))

    def close(self) -> None:
        """Nothing is held open."""


def folded(text: str) -> str:
    """Return a text in small letters without marks: `Søren Müller` is found by `soren muller`."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_UNMARKED))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _values(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [] if value is None else [str(value)]


def _words(document: Mapping[str, Any]) -> list[str]:
    texts = [document["id"], document.get("customer", ""), document.get("address", "")]
    for name in ("skus", "names", "tracking_numbers"):
        texts += list(document.get(name, ()))
    return folded(" ".join(str(text) for text in texts)).split()


def _has(words: frozenset[str], asked: Sequence[str]) -> bool:
    return all(any(word.startswith(start) for word in words) for start in asked)


def _fits(document: Mapping[str, Any], query: SearchQuery) -> bool:
    placed = str(document.get("placed_at", ""))
    if query.placed_from is not None and placed < query.placed_from:
        return False
    if query.placed_until is not None and placed >= query.placed_until:
        return False
    return all(set(_values(document.get(name))) & set(wanted) for name, wanted in query.filters.items())
