"""The hooks by which adapters come in: one for each port, the first answer wins.

A hook returns `None` for a URL that is not its own. An adapter is a module with functions marked `@hookimpl`, and an entry point of the
group `orderkit` whose name is the URL's scheme:

    [project.entry-points.orderkit]
    dynamodb = "orderkit_dynamodb.plugin"

A hook opens what the URL names and imports its driver only then; a missing driver is an `ImportError`, which becomes a message with
the command that installs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pluggy

from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache
from orderkit.ports.carriers import AsyncCarriers, Carriers
from orderkit.ports.documents import Documents
from orderkit.ports.notifications import Notifications
from orderkit.ports.payments import AsyncPayments, Payments
from orderkit.ports.search import SearchIndex
from orderkit.ports.store import AsyncStore, Store

GROUP = "orderkit"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a function of an adapter's plugin module as the implementation of the hook of that name."""


@hookspec(firstresult=True)
def open_store(url: Url) -> Store | None:
    """Open the store that the URL names."""


@hookspec(firstresult=True)
def open_async_store(url: Url) -> AsyncStore | None:
    """Open the store that the URL names, for an event loop. An adapter without this hook serves event loops from threads."""


@hookspec(firstresult=True)
def open_payments(url: Url) -> Payments | None:
    """Open the payment provider that the URL names."""


@hookspec(firstresult=True)
def open_async_payments(url: Url) -> AsyncPayments | None:
    """Open the payment provider that the URL names, for an event loop."""


@hookspec(firstresult=True)
def open_carriers(url: Url) -> Carriers | None:
    """Open the carriers that the URL names."""


@hookspec(firstresult=True)
def open_async_carriers(url: Url) -> AsyncCarriers | None:
    """Open the carriers that the URL names, for an event loop."""


@hookspec(firstresult=True)
def open_bus(url: Url) -> EventBus | None:
    """Open the event bus that the URL names."""


@hookspec(firstresult=True)
def open_cache(url: Url) -> Cache | None:
    """Open the cache that the URL names."""


@hookspec(firstresult=True)
def open_search(url: Url) -> SearchIndex | None:
    """Open the search index that the URL names."""


@hookspec(firstresult=True)
def open_notifications(url: Url) -> Notifications | None:
    """Open the channel of notifications that the URL names."""


@hookspec(firstresult=True)
def open_documents(url: Url) -> Documents | None:
    """Open the document store that the URL names."""


@hookspec(firstresult=True)
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the adapter can do under that scheme, by port (`store`, `payments`, …), without opening anything.

    A module with several schemes names here every port that the scheme opens: nothing else tells them apart.
    """


@hookspec(firstresult=True)
def migrate_store(url: Url, print_only: bool, phase: str, with_roles: bool) -> Sequence[str] | None:  # noqa: FBT001  (hooks are called by name)
    """Create or update the tables of the store that the URL names; return the SQL. With `print_only` nothing is run.

    `phase` is `pre` (what may run before a deploy), `post` (what may run after it) or `all`; `with_roles` makes the database's roles as well.
    """


@hookspec(firstresult=True)
def retire_store(url: Url, before: date, unpublished: bool) -> Sequence[date] | None:  # noqa: FBT001  (the hook's own form)
    """Take the months that ended before a day out of the store that the URL names; return them. A store without months has no such hook."""
