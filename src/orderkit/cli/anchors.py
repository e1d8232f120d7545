"""Files of anchors: heads as JSON lines, and last a digest of all that stands before it, signed where there is a key.

A file without a key shows that it was not damaged; with a key (HMAC-SHA256), also that nobody without it has written it. This module knows
files and no store.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orderkit.errors import InvalidInput, Misconfigured
from orderkit.ports.audit import Head

FORM = "orderkit anchors 1"


def write_anchors(path: Path, heads: Iterable[Head], key: str | None) -> int:
    """Write the heads; return how many there are. The file appears whole or not at all."""
    seal, count = _Seal(key), 0
    beside = path.with_name(f"{path.name}.part")
    if not path.parent.is_dir():
        raise Misconfigured(
            f"{path} cannot be written: there is no directory {path.parent}",
            code="file_missing",
            field="--out",
            remedy=f"Make it: mkdir -p {path.parent}",
        )
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(seal.line({"form": FORM, "signed": key is not None}))
        for head in heads:
            file.write(seal.line({"order": head.order_id, "version": head.version, "hash": head.hash.hex()}))
            count += 1
        file.write(json.dumps({"seal": seal.hex()}) + "\n")
    beside.replace(path)
    return count


def read_anchors(path: Path, key: str | None) -> list[Head]:
    """Return the heads of a file. Raises `InvalidInput` when it is not what was written, or not signed with this key."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        rows = [json.loads(line) for line in lines[1:-1]]
        form, signed, stated = str(first["form"]), bool(first["signed"]), str(last["seal"])
        heads = [Head(row["order"], row["version"], bytes.fromhex(row["hash"])) for row in rows]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path} is no whole file of anchors", field="anchors") from error
    if form != FORM:
        raise InvalidInput(f"{path} is of another form: {form!r}", field="anchors")
    if signed and key is None:
        raise InvalidInput(f"{path} is signed: its key is needed", field="key")
    if key is not None and not signed:
        raise InvalidInput(f"{path} is not signed", field="anchors")
    seal = _Seal(key)
    seal.add("".join(lines[:-1]))
    if not hmac.compare_digest(seal.hex(), stated):
        raise InvalidInput(f"{path} is not what was written, or was signed with another key", field="anchors")
    return heads


class _Seal:
    """The digest of a file's lines, with a key where there is one."""

    def __init__(self, key: str | None) -> None:
        self._digest: Any = hmac.new(key.encode(), digestmod=hashlib.sha256) if key else hashlib.sha256()

    def add(self, text: str) -> None:
        """Take in some text."""
        self._digest.update(text.encode())

    def line(self, row: dict[str, Any]) -> str:
        """Return a row as a line, and take it in."""
        written = json.dumps(row, ensure_ascii=False) + "\n"
        self.add(written)
        return written

    def hex(self) -> str:
        """Return the digest so far."""
        found: str = self._digest.hexdigest()
        return found
