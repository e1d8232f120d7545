"""What providers and carriers tell, made fit to keep: text of theirs never ends a flow, whatever is in it and however long it is.

What has happened is booked: a text that no store keeps is mended, an endless one is cut. Only what would be wrong when mended, the number or
the label of a parcel, makes a booking one that nobody can use, which is a doubt. What kind of answer it is stands elsewhere (`guards`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orderkit.domain.given import NUMBER_MAX, mended, storable
from orderkit.domain.shipment import Scan
from orderkit.domain.value import evolve
from orderkit.errors import PortError
from orderkit.ports import carriers, documents, payments
from orderkit.ports.effect import Effect

Kind = type[Effect[Any]]

TEXT_MAX = 1_000  # a reference, a reason, a place: more than anybody reads, and less than a row may hold
URL_MAX = 65_536  # a label may be a whole picture in its URL; every load of the order reads it


def fit(kind: Kind, answer: Any) -> Any:
    """Return the answer as it can be kept. Raises: `PortError` where there is nothing left to go on with."""
    found = _FIT.get(kind)
    return answer if found is None else found(answer)


def _text(text: object, most: int = TEXT_MAX) -> str:
    """Return a text that every store keeps, cut where it is endless; what is no text is written down."""
    found = text if isinstance(text, str) else "" if text is None else str(text)
    return mended(found if len(found) <= most else f"{found[: most - 1]}…")


def _money(answer: Any) -> Any:
    if isinstance(answer, payments.Confirmed):
        reference = _text(answer.reference)
        expires_at = answer.expires_at if isinstance(answer.expires_at, datetime) else None
        same = reference is answer.reference and expires_at is answer.expires_at
        return answer if same else payments.Confirmed(reference, expires_at)
    return _reasoned(answer)


def _reasoned(answer: Any) -> Any:
    reason = _text(answer.reason)
    return answer if reason is answer.reason else evolve(answer, reason=reason)


def _parcel(answer: Any) -> Any:
    if not isinstance(answer, carriers.Booked):
        return _reasoned(answer)
    limits = {"carrier": NUMBER_MAX, "tracking_number": NUMBER_MAX, "tracking_url": URL_MAX, "label_url": URL_MAX}
    for name, most in limits.items():
        value = getattr(answer, name)
        if not storable(value) or len(value) > most:
            return payments.Unknown(f"a {name} that cannot be kept")
    return answer


def _scans(answer: Any) -> tuple[Scan, ...]:
    if not isinstance(answer, (tuple, list)) or not all(isinstance(scan, Scan) for scan in answer):
        raise PortError(f"TrackParcel answered {type(answer).__name__}, no scans", outcome="not_applied")
    return tuple([_scan(scan) for scan in answer])


def _named(name: object) -> str:
    """Return a name that every store keeps, and that is another one's only if that has the same text from beginning to end."""
    found = _text(name)
    if found is name:
        return found
    digest = hashlib.blake2b(str(name).encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{found[: TEXT_MAX - 17]}…{digest}"


def _scan(scan: Scan) -> Scan:
    id_, place = _named(scan.id), None if scan.place is None else _text(scan.place)
    return scan if id_ is scan.id and place is scan.place else evolve(scan, id=id_, place=place)


def _document(answer: Any) -> str:
    """Return the URL, or none: the document is made all the same, and most who ask for one only want that."""
    return answer if storable(answer) and len(answer) <= URL_MAX else ""


_FIT: Mapping[Kind, Callable[[Any], Any]] = {
    payments.MoveMoney: _money,
    payments.AskPayment: _money,
    carriers.BookParcel: _parcel,
    carriers.CancelParcel: _parcel,
    carriers.TrackParcel: _scans,
    documents.MakeDocument: _document,
}
