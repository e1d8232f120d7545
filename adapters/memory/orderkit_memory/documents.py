"""Invoices, credit memos and return labels as small real PDFs, kept in memory. The same id gives the same bytes."""

from __future__ import annotations

import threading

from orderkit.domain.money import to_text
from orderkit.domain.order import Order
from orderkit.ports.documents import MakeDocument, ReadDocument

_TITLES = {"invoice": "INVOICE", "credit_memo": "CREDIT MEMO", "return_label": "RETURN LABEL"}
_ROWS_PER_PAGE = 50


class MemoryDocuments:
    """Documents by URL; a document is never changed."""

    in_memory = True

    def __init__(self) -> None:
        self._documents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def make_document(self, asked: MakeDocument) -> str:
        """Make a document, unless it exists; return its URL."""
        url = f"memory:documents/{asked.id}.pdf"
        with self._lock:
            if url not in self._documents:
                self._documents[url] = pdf(_rows(asked.kind, asked.order))
        return url

    def read_document(self, asked: ReadDocument) -> bytes | None:
        """Return the bytes of a document."""
        with self._lock:
            return self._documents.get(asked.url)

    def close(self) -> None:
        """Nothing is held open."""


def _rows(kind: str, order: Order) -> list[str]:
    facts, amount = order.facts, lambda minor: f"{to_text(minor, order.currency):>12} {order.currency}"
    to = facts.ship_to
    rows = [_TITLES.get(kind, kind.upper()), f"Order {order.id}", f"Placed {order.placed_at:%Y-%m-%d}", ""]
    rows += [to.name or facts.customer, to.street, f"{to.zip} {to.city}", to.country, ""]
    if kind == "return_label":
        return [*rows, f"Return {order.returns[-1].id if order.returns else order.id}"]
    if kind == "credit_memo":
        for refund in order.refunds:
            rows.append(
                f"{refund.id.rsplit('-', 1)[-1]:<6}{refund.kind:<24}{refund.reason[:24]:<26}{amount(refund.total_minor)}"
            )
        return [*rows, "", f"{'Credited':<56}{amount(order.credited_minor)}"]
    for line in facts.lines:
        total = facts.prices.line(line.number).payable_minor
        rows.append(f"{line.quantity:>6} x {line.sku[:14]:<16}{line.name[:30]:<31}{amount(total)}")
    rows += [
        "",
        f"{'Shipping':<56}{amount(facts.prices.shipping_minor)}",
        f"{'of which tax':<56}{amount(facts.prices.tax_minor)}",
    ]
    return [*rows, f"{'Total':<56}{amount(order.total_minor)}"]


def pdf(rows: list[str]) -> bytes:
    """Return rows of text as a PDF of as many pages as it takes, in a fixed-width font.

    The font is one of those that every reader has; it knows the letters of Windows-1252, and a letter beyond those becomes a question mark.
    """
    pages = [rows[n : n + _ROWS_PER_PAGE] for n in range(0, len(rows), _ROWS_PER_PAGE)] or [[]]
    first = 4  # 1 catalog, 2 page tree, 3 font; then a page and its content, for each page
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for n, page in enumerate(pages):
        content = (
            b"BT /F1 9 Tf 13 TL 50 790 Td " + b" ".join(b"(" + _escaped(row) + b") Tj T*" for row in page) + b" ET"
        )
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {first + 2 * n + 1} 0 R >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    body, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(body)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    body += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    body += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(body)


def _escaped(text: str) -> bytes:
    plain = text.encode("cp1252", errors="replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
