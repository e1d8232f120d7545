"""What `open` is given beside adapters, looked at before anything is opened: each wrong setting is refused by the name of its argument.

A shop that opened with a wrong setting would fail at its first order, with an error of Python's own. This module opens nothing and knows no
adapter; what a value holds within its own class is that class's to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orderkit.domain.allocation import Rules, Warehouse
from orderkit.domain.given import kept
from orderkit.domain.order import Policies
from orderkit.domain.promise import Handling
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, Misconfigured
from orderkit.ports.clock import Clock, Ids
from orderkit.ports.settings import Settings

_COUNTS = (("replan_max", 0), ("retry_max", 1), ("doubts_max", 1))  # settings that are counts, and the least of each


def wrong(field: str, message: str, remedy: str | None = None) -> Misconfigured:
    """Return the error for an argument of `open`."""
    return Misconfigured(message, field=field, remedy=remedy or f"Correct {field}= and open the shop again.")


def chosen(
    settings: Settings | None,
    warehouses: Iterable[Warehouse],
    rules: Rules | None,
    handling: Handling | Mapping[str, Handling] | None,
    policies: Policies | None,
) -> Settings:
    """Return the settings with what was given by itself put in. Raises: `Misconfigured` with the name of what is wrong."""
    if settings is not None and not isinstance(settings, Settings):
        raise wrong("settings", f"settings= takes orderkit.Settings, not {settings!r}")
    changes: dict[str, Any] = {}
    if places := _places(warehouses):
        changes["warehouses"] = places
    if rules is not None:
        changes["rules"] = rules
    if policies is not None:
        changes["policies"] = policies
    if handling is not None:
        changes["handling"] = {"*": handling} if isinstance(handling, Handling) else handling
    found = settings or Settings()
    found = _checked(evolve(found, **changes) if changes else found)
    return (
        evolve(found, handling=dict(found.handling)) if handling is not None else found
    )  # what the host changes later is its own


def _places(warehouses: object) -> dict[str, Warehouse]:
    if not isinstance(warehouses, Iterable) or isinstance(warehouses, (str, bytes)):
        raise wrong("warehouses", f"warehouses= takes a list of orderkit.Warehouse, not {warehouses!r}")
    places: dict[str, Warehouse] = {}
    for each in warehouses:
        place = _warehouse(each)
        if place.id in places:
            raise wrong("warehouses", f"two warehouses are called {place.id!r}")
        places[place.id] = place
    return places


def _warehouse(value: object) -> Warehouse:
    if not isinstance(value, Warehouse):
        raise wrong("warehouses", f"{value!r} is no orderkit.Warehouse")
    if not isinstance(value.id, str):
        raise wrong("warehouses", f"a warehouse's id is text, not {value.id!r}")
    return value


def _checked(settings: Settings) -> Settings:
    for name, least in _COUNTS:
        check_count(name, getattr(settings, name), least)
    if not isinstance(settings.warehouses, Mapping):
        raise wrong(
            "warehouses", f"the warehouses of the settings are orderkit.Warehouse by id, not {settings.warehouses!r}"
        )
    for place in settings.warehouses.values():
        _warehouse(place)
    if not isinstance(settings.handling, Mapping):
        raise wrong(
            "handling", f"handling= takes orderkit.Handling, or several by warehouse, not {settings.handling!r}"
        )
    for warehouse, handling in settings.handling.items():
        _check_handling(warehouse, handling)
    try:  # the parts of each setting, as its class declares them
        kept(settings, "settings", Settings)
    except InvalidInput as error:
        field = (error.field or "settings").replace("[...]", "")  # which of several is not known
        raise wrong(field, f"{field}: {error.message}") from error
    return settings


def _check_handling(warehouse: object, handling: object) -> None:
    if not isinstance(warehouse, str):
        raise wrong("handling", f"{warehouse!r} is no id of a warehouse")
    if not isinstance(handling, Handling):
        raise wrong("handling", f"the handling of {warehouse} is orderkit.Handling, not {handling!r}")


def check_count(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too few. Raises: `Misconfigured`."""
    if type(value) is not int or value < least:
        raise wrong(name, f"{name} is a whole number, {least} or more, not {value!r}")


def checked_clock(clock: Clock) -> Clock:
    """Return the clock, once it has told a time with a zone. Raises: `Misconfigured`."""
    if not _has(clock, "now"):
        raise wrong("clock", f"clock= takes an object with now(), not {clock!r}")
    try:
        now: object = clock.now()
    except Exception as error:
        raise wrong("clock", f"the clock tells no time: {type(error).__name__}: {error}") from error
    if not isinstance(now, datetime) or now.utcoffset() is None:
        raise wrong(
            "clock", f"the clock's times have no zone: {now!r}", "Give a clock that answers datetime.now(timezone.utc)."
        )
    return clock


def checked_ids(ids: Ids) -> Ids:
    """Return what makes ids. Raises: `Misconfigured`."""
    if not _has(ids, "new_id"):
        raise wrong("ids", f"ids= takes an object with new_id(at), not {ids!r}")
    return ids


def check_watchers(logs: object, metrics: object) -> None:
    """Refuse what cannot be told anything: it would be silent for ever. Raises: `Misconfigured`."""
    if not (logs is None or isinstance(logs, bool) or _has(logs, "info", "warning")):
        raise wrong("logs", f"logs= takes True, or a logger of structlog's kind, not {logs!r}")
    if not (metrics is None or _has(metrics, "add", "record")):
        raise wrong("metrics", f"metrics= takes an object with add() and record(), not {metrics!r}")


def _has(value: object, *names: str) -> bool:
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in names)
