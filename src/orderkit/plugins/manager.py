"""The manager of adapters: from the text of a URL to an open adapter, with the right type and the right message when it cannot be.

Only the entry point whose name is the URL's scheme is loaded. Each `open()` has its own `Plugins`, and tests pass plugin objects, which are asked
first; all that a process shares is the list of what is installed, which takes longer to read than an adapter takes to open. Nobody else touches
pluggy.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib import metadata
from typing import Any

import attrs
import pluggy

from orderkit.errors import Misconfigured
from orderkit.plugins import hookspecs
from orderkit.plugins.hookspecs import GROUP
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit.ports.cache import Cache
from orderkit.ports.carriers import AsyncCarriers, Carriers
from orderkit.ports.documents import Documents
from orderkit.ports.notifications import Notifications
from orderkit.ports.payments import AsyncPayments, Payments
from orderkit.ports.search import SearchIndex
from orderkit.ports.store import AsyncStore, Store

TRACE = "ORDERKIT_TRACE_PLUGINS"

# Drivers whose module has another name than their distribution; all others are found in the adapter's own list of requirements.
_DISTRIBUTION_OF = {
    "psycopg_binary": "psycopg",
    "psycopg_pool": "psycopg",
    "confluent_kafka": "confluent-kafka",
    "jwt": "pyjwt",
}
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)[^;]*;.*\bextra\s*==\s*['\"]([A-Za-z0-9._-]+)['\"]")


@attrs.frozen(kw_only=True)
class Adapter:
    """An installed adapter: its scheme, and who brings it. `ports` and `capabilities` are known once it is loaded."""

    scheme: str
    distribution: str
    version: str
    module: str
    ports: tuple[str, ...] = ()
    capabilities: Mapping[str, Any] = attrs.field(factory=dict)
    problem: str = ""


class Plugins:
    """Opens adapters by URL.

    `plugins` are objects with hook implementations that are asked before any entry point; `blocked` are schemes that stay out.
    """

    def __init__(self, *plugins: object, blocked: tuple[str, ...] = ()) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._loaded: dict[str, object | None] = {}  # the plugin of each scheme that was asked for
        for scheme in blocked:
            self._manager.set_blocked(scheme)
        for plugin in plugins:
            self._given(plugin)
        if os.environ.get(TRACE, "") not in ("", "0"):
            self._manager.trace.root.setwriter(_say)
            self._manager.enable_tracing()

    def open_store(self, url: Url | str) -> Store:
        """Open the store that the URL names."""
        found: Store = self._required("store", url)
        return found

    def open_async_store(self, url: Url | str) -> AsyncStore | Store:
        """Open the store that the URL names, in its form for event loops if it has one."""
        found: AsyncStore | Store = self._either("store", url)
        return found

    def open_payments(self, url: Url | str) -> Payments:
        """Open the payment provider that the URL names."""
        found: Payments = self._required("payments", url)
        return found

    def open_async_payments(self, url: Url | str) -> AsyncPayments | Payments:
        """Open the payment provider that the URL names, in its form for event loops if it has one."""
        found: AsyncPayments | Payments = self._either("payments", url)
        return found

    def open_carriers(self, url: Url | str) -> Carriers:
        """Open the carriers that the URL names."""
        found: Carriers = self._required("carriers", url)
        return found

    def open_async_carriers(self, url: Url | str) -> AsyncCarriers | Carriers:
        """Open the carriers that the URL names, in their form for event loops if they have one."""
        found: AsyncCarriers | Carriers = self._either("carriers", url)
        return found

    def open_bus(self, url: Url | str) -> EventBus:
        """Open the event bus that the URL names."""
        found: EventBus = self._required("bus", url)
        return found

    def open_cache(self, url: Url | str) -> Cache:
        """Open the cache that the URL names."""
        found: Cache = self._required("cache", url)
        return found

    def open_search(self, url: Url | str) -> SearchIndex:
        """Open the search index that the URL names."""
        found: SearchIndex = self._required("search", url)
        return found

    def open_notifications(self, url: Url | str) -> Notifications:
        """Open the channel of notifications that the URL names."""
        found: Notifications = self._required("notifications", url)
        return found

    def open_documents(self, url: Url | str) -> Documents:
        """Open the document store that the URL names."""
        found: Documents = self._required("documents", url)
        return found

    def migrate_store(
        self, url: Url | str, *, print_only: bool = False, phase: str = "all", with_roles: bool = False
    ) -> Sequence[str]:
        """Create or update the tables of the store that the URL names; return the SQL. With `print_only` nothing is run."""
        url = Url.parse(url)
        found: Sequence[str] | None = self._ask(
            "migrate_store", url, print_only=print_only, phase=phase, with_roles=with_roles
        )
        if found is None:
            raise self._unanswered("store with tables", url)
        return found

    def retire_store(self, url: Url | str, before: date, *, unpublished: bool = False) -> Sequence[date]:
        """Take the months that ended before a day out of the store that the URL names; return them."""
        url = Url.parse(url)
        found: Sequence[date] | None = self._ask("retire_store", url, before=before, unpublished=unpublished)
        if found is None:
            raise self._unanswered("store with tables", url)
        return found

    def installed(self, *, capabilities: bool = False) -> tuple[Adapter, ...]:
        """Return the installed adapters by scheme. With `capabilities` each is loaded and asked; one that cannot be says its problem."""
        return tuple(self._described(adapter) if capabilities else adapter for adapter in map(_adapter, _entries()))

    # ---- asking

    def _required(self, port: str, url: Url | str) -> Any:
        url = Url.parse(url)
        found = self._ask(f"open_{port}", url)
        if found is None:
            raise self._unanswered(port, url)
        return found

    def _either(self, port: str, url: Url | str) -> Any:
        url = Url.parse(url)
        found = self._ask(f"open_async_{port}", url)
        if found is None:
            found = self._ask(f"open_{port}", url)
        if found is None:
            raise self._unanswered(port, url)
        return found

    def _ask(self, hook: str, url: Url, **options: Any) -> Any:
        """Ask the plugins that are there; if none knows the URL, load the one whose name is its scheme and ask again."""
        caller = getattr(self._manager.hook, hook)
        try:
            found = caller(url=url, **options)
            if found is None and url.scheme not in self._loaded:
                self._load(url.scheme)
                found = caller(url=url, **options)
        except ImportError as error:
            raise _missing(url.scheme, error) from error
        return found

    def _load(self, scheme: str) -> None:
        if not _entries(scheme):
            _installed.cache_clear()  # it may have been installed meanwhile
        entries = _entries(scheme)
        if len({entry.value for entry in entries}) > 1 or len({_name(entry) for entry in entries}) > 1:
            claims = " and ".join(sorted(f"{_name(entry)} ({entry.value})" for entry in entries))
            raise Misconfigured(
                f"two distributions claim the scheme {scheme!r}: {claims}",
                code="ambiguous_scheme",
                facts={"scheme": scheme, "distributions": sorted({_name(entry) for entry in entries})},
            )
        if not self._manager.is_blocked(scheme):
            # One module may answer several schemes, and is registered once.
            modules = {entry.value for entry in entries}
            same = next(
                (other for other in _entries() if self._loaded.get(other.name) and other.value in modules), None
            )
            if same is not None:
                self._loaded[scheme] = self._loaded[same.name]
                return
            if entries:
                self._checked(partial(self._manager.register, entries[0].load(), name=scheme))
        self._loaded[scheme] = self._manager.get_plugin(scheme)

    def _checked(self, register: Any) -> None:
        """Register, and refuse hooks that no specification knows or that take other arguments."""
        try:
            register()
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise Misconfigured(
                f"an adapter does not fit: {error}",
                remedy="Update the adapter: its hooks are not those of this version.",
            ) from error

    def _given(self, plugin: object) -> None:
        """Register an object that the host gave; one without a hook, or given twice, is a mistake."""
        if self._manager.is_registered(plugin):
            raise Misconfigured(f"{plugin!r} is given twice", field="plugins", remedy="Give each plugin once.")
        self._checked(lambda: self._manager.register(plugin))
        if not self._manager.get_hookcallers(plugin):
            raise Misconfigured(
                f"{plugin!r} has no hook of an adapter",
                field="plugins",
                remedy="Give objects whose methods are marked with orderkit.plugins.hookspecs.hookimpl.",
            )

    def _offers(self, scheme: str, plugin: object, capabilities: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the ports of a scheme: those of its module's hooks, and where the module has several schemes, of its capabilities."""
        callers = self._manager.get_hookcallers(plugin) or []
        names = {
            caller.name.removeprefix("open_").removeprefix("async_")
            for caller in callers
            if caller.name.startswith("open_")
        }
        modules = {entry.value for entry in _entries(scheme)}
        shared = any(entry.name != scheme and entry.value in modules for entry in _entries())
        return tuple(sorted((names & set(capabilities) if shared else names) or names))

    def _capabilities(self, scheme: str, plugin: object) -> Mapping[str, Any]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        found: Mapping[str, Any] | None = self._manager.subset_hook_caller("adapter_capabilities", others)(
            scheme=scheme
        )
        return found or {}

    def _unanswered(self, port: str, url: Url) -> Misconfigured:
        plugin = self._loaded.get(url.scheme)
        if plugin is not None:
            offers = ", ".join(self._offers(url.scheme, plugin, self._capabilities(url.scheme, plugin))) or "nothing"
            return Misconfigured(
                f"the adapter {url.scheme!r} has no {port} for {str(url)!r}; it offers: {offers}",
                code="missing_port",
                field=port,
                remedy="Name another adapter; `orderkit adapters list` shows what each is for.",
                facts={"scheme": url.scheme, "port": port},
            )
        schemes = sorted({entry.name for entry in _entries()})
        return Misconfigured(
            f"no adapter has the scheme {url.scheme!r} (of {str(url)!r}); installed: {', '.join(schemes) or 'none'}",
            code="unknown_scheme",
            field=port,
            facts={"scheme": url.scheme, "installed": schemes},
        )

    def _described(self, adapter: Adapter) -> Adapter:
        try:
            if adapter.scheme not in self._loaded:
                self._load(adapter.scheme)
            plugin = self._loaded[adapter.scheme]
            if plugin is None:
                return attrs.evolve(adapter, problem="blocked")
            found = self._capabilities(adapter.scheme, plugin)
            return attrs.evolve(adapter, ports=self._offers(adapter.scheme, plugin, found), capabilities=found)
        except ImportError as error:
            return attrs.evolve(adapter, problem=str(_missing(adapter.scheme, error)))
        except Misconfigured as error:
            return attrs.evolve(adapter, problem=str(error))


# ---- what is installed


def _entries(scheme: str | None = None) -> list[metadata.EntryPoint]:
    return [entry for entry in _installed(tuple(sys.path)) if scheme in (None, entry.name)]


@cache
def _installed(_path: tuple[str, ...]) -> list[metadata.EntryPoint]:
    """Return every entry point, sorted: read once, since every distribution is looked into, and anew when the path to them changes."""
    return sorted(metadata.entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _name(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "?"


def _adapter(entry: metadata.EntryPoint) -> Adapter:
    version = entry.dist.version if entry.dist is not None else "?"
    return Adapter(scheme=entry.name, distribution=_name(entry), version=version, module=entry.value)


def _missing(scheme: str, error: ImportError) -> Misconfigured:
    """Turn a failed import into the command that mends it. An adapter that misses a module of its own is broken, and says so itself."""
    entries = _entries(scheme)
    module = (error.name or "").partition(".")[0]
    own = {entry.value.partition(":")[0].partition(".")[0] for entry in entries}
    if module and module in own:
        return Misconfigured(
            f"the adapter {scheme!r} is broken: {error}", remedy="Reinstall the adapter.", facts={"scheme": scheme}
        )
    wanted = _extra(module, entries)
    install = f"pip install '{wanted}'"
    return Misconfigured(
        f"the adapter {scheme!r} needs a driver that cannot be imported ({error}): {install}",
        code="missing_driver",
        remedy=f"Run: {install}",
        facts={"scheme": scheme, "module": module, "install": wanted},
    )


def _extra(module: str, entries: list[metadata.EntryPoint]) -> str:
    """What to install for a module: the extra of the adapter's distribution that brings it, or the module's own distribution."""
    wanted = _plain(_DISTRIBUTION_OF.get(module, module))
    for entry in entries:
        extras = []
        for line in (entry.dist.requires if entry.dist is not None else None) or []:
            found = _REQUIREMENT.match(line)
            if found is not None and _plain(found[1]) == wanted:
                extras.append(found[2])
        if extras:
            # The extra that is only about this driver comes before those that collect everything.
            best = min(extras, key=lambda extra: (extra in ("all", "dev", "test"), extra))
            return f"{_name(entry)}[{best}]"
    return wanted or "orderkit[all]"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _say(text: str) -> None:
    sys.stderr.write(f"orderkit plugins: {text}")
