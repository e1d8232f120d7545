"""Rows of text as a PDF: as many pages as it takes, one fixed-width font that every reader has, the same bytes for the same rows.

The font knows the letters of Windows-1252. A row with others is shown with the nearest plain letters (a question mark where there are none)
and carries its true text beside them, so that searching, copying and reading aloud give the row as it was written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ROWS_PER_PAGE = 56
COLUMNS = 88  # characters of a row that fit between the margins
_TOP, _LEFT, _LEADING, _SIZE = 790, 50, 13, 9
_PLAIN = str.maketrans(
    {"Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "\N{NO-BREAK SPACE}": " "}
)


def pdf(rows: Sequence[str], *, title: str) -> bytes:
    """Return the rows as the bytes of a PDF; a row that is too long for a line goes on in the next."""
    lines = [part for row in rows for part in _wrapped(row)]
    pages = [lines[n : n + _ROWS_PER_PAGE] for n in range(0, len(lines), _ROWS_PER_PAGE)] or [[]]
    first = 5  # 1 catalog, 2 page tree, 3 font, 4 information; then for each page itself and its content
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
        b"<< /Title " + _unicode(title) + b" /Producer (orderkit) >>",
    ]
    for n, page in enumerate(pages):
        content = b"\n".join([f"BT /F1 {_SIZE} Tf {_LEADING} TL {_LEFT} {_TOP} Td".encode(), *map(_shown, page), b"ET"])
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {first + 2 * n + 1} 0 R >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """Put the objects into a file, with the table of where each begins."""
    body, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(body)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    body += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    body += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(body)


def _wrapped(row: str) -> list[str]:
    row = " ".join(row.splitlines()) if row else ""
    return [row[n : n + COLUMNS] for n in range(0, len(row), COLUMNS)] or [""]


def _shown(row: str) -> bytes:
    try:
        return _literal(row.encode("cp1252")) + b" Tj T*"
    except UnicodeEncodeError:
        plain = "".join(_nearest(letter) for letter in row)
        return b"/Span << /ActualText " + _unicode(row) + b" >> BDC " + _literal(plain.encode("cp1252")) + b" Tj EMC T*"


def _nearest(letter: str) -> str:
    """Return the letter if the font has it, else without its marks, else a question mark."""
    for candidate in (letter, letter.translate(_PLAIN), unicodedata.normalize("NFKD", letter)[0]):
        try:
            candidate.encode("cp1252")
        except UnicodeEncodeError:
            continue
        return candidate
    return "" if unicodedata.combining(letter) else "?"


def _literal(text: bytes) -> bytes:
    return b"(" + text.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def _unicode(text: str) -> bytes:
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode() + b">"
