"""Lists of documents as parameters of PostgreSQL: the array's binary form in one piece.

The driver asks itself about each element what it is; documents are always bytes, and there are fifteen of them in a placed order. A connection
on which nothing was registered, such as a host's own, takes `Documents` for a list like any other: slower, and with the same result. This module
knows nothing of what is in a document.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from struct import Struct
from typing import Any

_HEAD = Struct("!iiiii").pack  # dimensions, whether there are NULLs, the type, the length, the first index
_LENGTH = Struct("!i").pack
_BYTEA = 17


class Documents(list[bytes]):
    """Bytes that are the elements of a `bytea[]`."""


def array_of(documents: list[bytes]) -> bytes:
    """Return a `bytea[]` in PostgreSQL's binary form."""
    lengths = map(_LENGTH, map(len, documents))
    return b"".join(
        [_HEAD(1, 0, _BYTEA, len(documents), 1), *chain.from_iterable(zip(lengths, documents, strict=True))]
    )


def register(connection: Any) -> None:
    """Make a connection of psycopg write `Documents` this way."""
    connection.adapters.register_dumper(Documents, _dumper())


@cache
def _dumper() -> type[Any]:
    from psycopg import adapters  # noqa: PLC0415  (only where psycopg is there)
    from psycopg.adapt import Dumper  # noqa: PLC0415  (the same)
    from psycopg.pq import Format  # noqa: PLC0415  (the same)

    class DocumentsDumper(Dumper):
        """Writes the array in one piece."""

        format = Format.BINARY

        def __init__(self, cls: type, context: Any = None) -> None:
            super().__init__(cls, context)
            self.oid = adapters.types[
                "bytea"
            ].array_oid  # the instance's: of the class it would be the writer of every such array

        def dump(self, obj: Documents) -> bytes:
            return array_of(obj)

    return DocumentsDumper
