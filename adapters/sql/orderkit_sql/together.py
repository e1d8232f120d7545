"""Rows of several tables by one statement, which sees one moment in whatever transaction it is asked, and costs one way to the server and back.

All rows of an answer have the same columns, so tables share columns by their type, and a row leaves those empty that its table does not need.
This module knows tables, not orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import attrs
from sqlalchemy import Connection, Table

from orderkit_sql.backend import Backend, Row
from orderkit_sql.direct import rows_of
from orderkit_sql.schema import full_name


@attrs.frozen
class Source:
    """A table with the columns that are read of it: first the key by which its rows are asked for, a text, then a number that orders them."""

    table: Table
    names: tuple[str, ...]


class Together:
    """A question for the rows of several tables by their keys."""

    def __init__(self, backend: Backend, sources: Sequence[Source]) -> None:
        answer: list[str] = []  # what stands in each of its columns where a row does not need it
        places = [_placed(answer, [backend.blank(source.table, name) for name in source.names]) for source in sources]
        self._backend = backend
        self._keys = [source.names[0] for source in sources]
        self._selects = [_select(n, source, places[n], answer) for n, source in enumerate(sources)]
        self._picks = [itemgetter(*(place + 1 for place in chosen)) for chosen in places]

    def read(self, connection: Connection, keys: Sequence[str]) -> list[dict[str, list[Row]]]:
        """Return the rows of each table by their key, those of one key in the order of their numbers."""
        backend = self._backend
        found: list[dict[str, list[Row]]] = [{} for _ in self._selects]
        parts = [
            f"{select} WHERE {backend.among(key, keys)}{backend.near(key, keys)}"
            for select, key in zip(self._selects, self._keys, strict=True)
        ]
        rows = rows_of(connection, " UNION ALL ".join(parts), backend.texts(keys) * len(parts))
        for row in sorted(rows, key=_in_order):
            found[row[0]].setdefault(row[1], []).append(self._picks[row[0]](row))
        return found


def _placed(answer: list[str], blanks: Sequence[str]) -> list[int]:
    """Return which column of the answer each column of a table has: the first of its type that none before it has. The answer grows as needed."""
    chosen: list[int] = []
    for blank in blanks:
        place = next((n for n, known in enumerate(answer) if known == blank and n not in chosen), len(answer))
        if place == len(answer):
            answer.append(blank)
        chosen.append(place)
    return chosen


def _select(number: int, source: Source, places: Sequence[int], answer: Sequence[str]) -> str:
    columns = list(answer)
    for name, place in zip(source.names, places, strict=True):
        columns[place] = name
    return f"SELECT {number}, {', '.join(columns)} FROM {full_name(source.table)}"


def _in_order(row: Sequence[Any]) -> tuple[Any, ...]:
    """By table, key and number. A file of SQLite keeps what is no number too, when somebody writes it there by hand: it comes first."""
    source, key, number = row[:3]
    return (source, key, number, "") if type(number) is int else (source, key, -1, str(number))
