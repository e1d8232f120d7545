"""Values of the domain as stored bytes, and back: JSON in one canonical form, and the hash chain over it.

msgspec reads and writes the values of the domain as they are. Fields have their order and keys are sorted, so equal values are equal bytes; a
record's bytes are hashed as stored and never encoded anew. Everything stored in one piece is listed here; what is stored as rows is in `rows`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from orderkit.domain.events import Record
from orderkit.domain.order import Facts, Hold, Order, Refund, SagaRun
from orderkit.domain.payment import Operation
from orderkit.domain.returns import Return
from orderkit.domain.shipment import Shipment
from orderkit.domain.value import Value
from orderkit.errors import OrderkitError

CHAIN_START = bytes(32)
_CHAIN = b"orderkit chain 1\n"  # the version of the rule: another way of hashing gets another word


class State(Value):
    """What changes of an order and has neither a column nor a row of its own."""

    reason: str | None
    reserved_until: datetime | None
    refunds: tuple[Refund, ...]
    holds: tuple[Hold, ...]
    sagas: tuple[SagaRun, ...]
    findings: tuple[str, ...]
    sought_at: datetime | None = None


# What reading may raise where somebody wrote by hand: bytes are another value's, a file of SQLite keeps any kind, an address may be none any more.
UNREADABLE = (ValueError, TypeError, msgspec.DecodeError, OrderkitError)


def _text(value: object) -> str:
    """Return the text that a value of a host's own class of texts is; the codec knows only Python's own."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} cannot be written down")


encode = msgspec.json.Encoder(order="deterministic", enc_hook=_text).encode
_decode_facts = msgspec.json.Decoder(Facts).decode


@lru_cache(maxsize=2_048)  # an order is loaded several times in its life, and its document hardly ever changes
def decode_facts(document: bytes) -> Facts:
    """Return the facts of a document; equal documents give the same value."""
    return _decode_facts(document)


decode_state = msgspec.json.Decoder(State).decode
decode_operations = msgspec.json.Decoder(tuple[Operation, ...]).decode
decode_shipment = msgspec.json.Decoder(Shipment).decode
decode_return = msgspec.json.Decoder(Return).decode
decode_record = msgspec.json.Decoder(Record).decode
decode_data = msgspec.json.Decoder(dict[str, Any]).decode


def state_of(order: Order) -> State:
    """Return the order's state without its rows."""
    return State(
        order.reason,
        order.reserved_until,
        order.refunds,
        order.holds,
        order.sagas,
        order.findings,
        order.sought_at,
    )


def chained(previous: bytes, body: bytes) -> bytes:
    """Return the hash of a record's bytes in the chain of its order."""
    return hashlib.sha256(_CHAIN + previous + body).digest()


def encode_data(data: Mapping[str, Any]) -> bytes:
    """Return a message's data as bytes."""
    return encode(dict(data))
