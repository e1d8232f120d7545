"""What a shop's documents come to: read from the papers themselves, as an accountant would."""

from __future__ import annotations

import re

from orderkit_memory import MemoryDocuments

_SUM = re.compile(rb"\((?:Total|Credited) +(-?[0-9.]+) EUR\) Tj")


def amounts(documents: MemoryDocuments, order_id: str = "") -> dict[str, int]:
    """Return what each document (of one order) asks for, in cents, by its name without the order's id: a memo counts below zero, labels not."""
    found = {}
    for url, content in documents._documents.items():
        name = url.rsplit("/", 1)[-1].removesuffix(".pdf")[36:].lstrip("-")
        if order_id not in url or not name.endswith(("invoice", "memo")):
            continue
        cents = int(_SUM.findall(content)[0].replace(b".", b""))
        found[name] = -cents if name.endswith("memo") else cents
    return found
