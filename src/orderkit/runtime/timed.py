"""A flow as of a moment: its `Now` is that moment, and its ids are made of a name.

For imports and replays, where each order has a time of its own.
It works under the stepping drivers (sync, batch); under the async driver the shop's clock is the only time.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Generator
from datetime import datetime
from typing import Any, TypeVar

from orderkit.domain.given import check_time
from orderkit.ports.clock import NewId, Now
from orderkit.ports.effect import Effect, Flow
from orderkit.runtime.clocks import uuid7

A = TypeVar("A")


@types.coroutine
def as_of(flow: Flow[A], moment: datetime, name: str) -> Generator[Effect[Any], Any, A]:
    """Run the flow with its own time; the ids that it asks for follow from `name`, so a second run makes the same.

    Raises: `InvalidInput` (a moment without a zone), and whatever the flow does.
    """
    check_time(moment, "moment")
    value: Any = None
    error: Exception | None = None
    count = 0
    while True:
        try:
            effect = flow.throw(error) if error is not None else flow.send(value)
        except StopIteration as done:
            answer: A = done.value
            return answer
        error = None
        if type(effect) is Now:
            value = moment
        elif type(effect) is NewId:
            count += 1
            value = named_id(moment, f"{name}/{count}")
        else:
            try:
                value = yield effect
            except Exception as raised:  # noqa: BLE001  (it belongs to the flow)
                error = raised


def named_id(moment: datetime, name: str) -> str:
    """Return the UUIDv7 of a name at a moment."""
    return uuid7(moment, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=10).digest(), "big"))
