"""Notifications: a message to a customer, once per id, over a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from orderkit.ports.effect import Outside


class Notify(Outside[None], kw_only=True):
    """Tell the customer. `id` makes a repeat visible to the channel; `template` names the text, `data` fills it."""

    id: str
    channel: str
    recipient: str
    template: str
    data: Mapping[str, Any]


class Notifications(Protocol):
    """What a notification adapter fulfills."""

    def notify(self, asked: Notify) -> None: ...
    def close(self) -> None: ...
