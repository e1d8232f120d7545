"""Documents: invoices, credit memos, labels. Made from an order, kept under a name, never changed."""

from __future__ import annotations

from typing import Protocol

from orderkit.domain.order import Order
from orderkit.ports.effect import Outside


class MakeDocument(Outside[str], kw_only=True):
    """Make a document of that kind (`invoice`, `credit_memo`, `return_label`) for the order and answer its URL.

    The same `id` gives the same document again. The `order` of an invoice holds only the lines, prices and charges that are invoiced, which
    are not all where lines were added later, and no refunds. A credit memo is for the refund that its `id` begins with, as the `order` has it:
    without what was never invoiced.
    """

    id: str
    kind: str
    order: Order


class ReadDocument(Outside["bytes | None"]):
    """The bytes of the document with that URL."""

    url: str


class Documents(Protocol):
    """What a document adapter fulfills."""

    def make_document(self, asked: MakeDocument) -> str: ...
    def read_document(self, asked: ReadDocument) -> bytes | None: ...
    def close(self) -> None: ...
