"""Notifications: a message to a customer, once per id, over a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from orderkit.ports.effect import Outside


class Notify(Outside[None], kw_only=True):
    """Tell the customer. `id` makes a repeat visible to the channel; `template` names the text, `data` fills it.

    In `data`: `order_id`; `event`, the data of the event that the message is about (`orderkit.domain.event_types`); `status` after it; the order's
    `total`, `currency` and `tracking` numbers as they are when the message is sent.
    """

    id: str
    channel: str
    recipient: str
    template: str
    data: Mapping[str, Any]


class Notifications(Protocol):
    """What a notification adapter fulfills."""

    def notify(self, asked: Notify) -> None: ...
    def close(self) -> None: ...
