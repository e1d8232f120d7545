"""Invoices, credit memos and return labels as small real PDFs, kept in memory. The same id gives the same bytes, whatever came after.

What a document says is read from the order alone: its frozen prices, its refunds, its returns. Nothing is computed here but sums.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote

from orderkit.domain.money import to_text
from orderkit.domain.order import Order, Refund
from orderkit.domain.returns import Return
from orderkit.errors import InvalidInput
from orderkit.ports.documents import MakeDocument, ReadDocument
from orderkit_memory.pdf import COLUMNS, pdf

_AMOUNT = 18  # columns of an amount with its currency


class MemoryDocuments:
    """Documents by URL; a document is never changed."""

    in_memory = True

    def __init__(self) -> None:
        """Open an empty cabinet."""
        self._documents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def make_document(self, asked: MakeDocument) -> str:
        """Make a document, unless it exists; return its URL. Raises `InvalidInput` (`unsupported`) for a kind that it does not know."""
        rows = _KINDS.get(asked.kind)
        if rows is None:
            known = ", ".join(sorted(_KINDS))
            raise InvalidInput(
                f"{asked.kind!r} is no kind of document; there are {known}", code="unsupported", field="kind"
            )
        url = f"memory:documents/{quote(asked.id, safe='')}.pdf"
        with self._lock:
            if url not in self._documents:
                self._documents[url] = pdf(list(rows(asked)), title=asked.id)
        return url

    def read_document(self, asked: ReadDocument) -> bytes | None:
        """Return the bytes of a document, if there is one with that URL."""
        with self._lock:
            return self._documents.get(asked.url)

    def close(self) -> None:
        """Nothing is held open."""


def _invoice(asked: MakeDocument) -> Iterator[str]:
    order, prices = asked.order, asked.order.facts.prices
    yield from _head("INVOICE", asked)
    for line in order.facts.lines:
        price = prices.line(line.number)
        each = to_text(line.unit_price_minor, order.currency)
        yield _row(f"{line.quantity} x {line.sku}  {line.name}", f"at {each}", price.gross_minor, order)
        if price.discount_minor:
            yield _row("    discount", "", -price.discount_minor, order)
    yield ""
    yield _row("Goods", "", prices.subtotal_minor, order)
    if prices.discount_minor:
        yield _row("Discounts", "", -prices.discount_minor, order)
    if not prices.tax_included:
        yield _row("Tax", "", prices.tax_minor, order)
    for charge in prices.charges:
        paid = charge.amount_minor + (0 if prices.tax_included else charge.tax_minor)
        yield _row(f"{charge.kind.capitalize()}: {charge.name}", "", paid, order)
    yield _row("Total", "", order.total_minor, order)
    yield _row("Tax in the total", "", prices.tax_minor + prices.charges_tax_minor, order)


def _credit_memo(asked: MakeDocument) -> Iterator[str]:
    """The memo of one refund when the document's id begins with the refund's, else of all that the order was credited."""
    order = asked.order
    chosen = [refund for refund in order.refunds if asked.id == refund.id or asked.id.startswith(f"{refund.id}-")]
    yield from _head("CREDIT MEMO", asked)
    for refund in chosen or order.refunds:
        yield from _refund(refund, order)
    yield _row("Credited", "", sum(refund.total_minor for refund in chosen or order.refunds), order)


def _refund(refund: Refund, order: Order) -> Iterator[str]:
    yield f"{refund.id}: {refund.kind}, {refund.reason}, {refund.granted_at:%Y-%m-%d}"
    names = {line.number: f"{line.sku}  {line.name}" for line in order.facts.lines}
    for part in refund.components:
        what = part.kind.replace("_", " ")
        units = f"{part.quantity} x " if part.quantity else ""
        goods = f" {units}{names.get(part.line, '')}" if part.line is not None else ""
        label = f"    {'contains ' if part.informational else ''}{what}{goods}{' ' + part.name if part.name else ''}"
        yield _row(label, "", part.amount_minor, order)
    yield ""


def _return_label(asked: MakeDocument) -> Iterator[str]:
    order = asked.order
    found = _return(asked)
    yield from _head("RETURN LABEL", asked, sender=True)
    if found is None:
        return
    yield f"Return {found.id}, by {found.method}"
    if found.tracking_number:
        yield f"Tracking number {found.tracking_number}"
    if found.expires_at:
        yield f"To be sent by {found.expires_at:%Y-%m-%d}"
    yield ""
    for item in found.items:
        line = order.facts.line(item.line)
        yield f"{item.quantity} x {line.sku}  {line.name}"


def _return(asked: MakeDocument) -> Return | None:
    """The return that the document's id begins with, else the latest."""
    returns = asked.order.returns
    named = [found for found in returns if asked.id == found.id or asked.id.startswith(f"{found.id}-")]
    return next(reversed(named or returns), None)


def _head(title: str, asked: MakeDocument, *, sender: bool = False) -> Iterator[str]:
    order, to = asked.order, asked.order.facts.ship_to
    yield f"{title} {asked.id}"
    yield f"Order {order.id} of {order.placed_at:%Y-%m-%d}" + (
        f", {order.facts.reference}" if order.facts.reference else ""
    )
    yield ""
    yield "From" if sender else "To"
    yield to.name or order.facts.customer
    yield to.street
    yield f"{to.zip} {to.city}"
    yield to.country
    yield ""


def _row(label: str, note: str, amount_minor: int, order: Order) -> str:
    amount = f"{to_text(amount_minor, order.currency)} {order.currency}"
    room = COLUMNS - _AMOUNT - len(note) - 1
    return f"{_cut(label, room):<{room}} {note}{amount:>{_AMOUNT}}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 3] + "..."


_KINDS: dict[str, Callable[[MakeDocument], Iterator[str]]] = {
    "invoice": _invoice,
    "credit_memo": _credit_memo,
    "return_label": _return_label,
}
