"""How the shop works: warehouses, planning rules, handling times, policies. Flows read it as they read the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache

from orderkit.domain.allocation import Rules, Warehouse
from orderkit.domain.order import Policies
from orderkit.domain.promise import Handling
from orderkit.domain.value import Value, field
from orderkit.ports.effect import Inside


class Settings(Value, kw_only=True):
    """The shop's own rules. `handling` is by warehouse id, `*` for all others; a warehouse that is not listed has the defaults.

    `reacts` says whether the relay of this process also sends messages, makes documents and indexes; with a broker its consumers do.
    `recalls_keys` says whether the cache is asked for a placement's key before the store: two trips more for each order, less work for each repeat.
    """

    warehouses: Mapping[str, Warehouse] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    handling: Mapping[str, Handling] = field(default_factory=lambda: {"*": Handling()})
    policies: Policies = field(default_factory=Policies)
    replan_max: int = 3
    retry_max: int = 50
    answer_within: timedelta = timedelta(seconds=2)
    handover_after: timedelta = timedelta(seconds=10)
    doubts_max: int = 6
    reacts: bool = True
    recalls_keys: bool = False

    def known(self, ids: Iterable[str]) -> dict[str, Warehouse]:
        """Return the warehouses with those ids; one that was never described has the defaults."""
        return {found: self.warehouses.get(found) or _undescribed(found) for found in ids}


@lru_cache(maxsize=1_024)  # the same few for every order
def _undescribed(id_: str) -> Warehouse:
    return Warehouse(id_)


class ReadSettings(Inside[Settings]):
    """The shop's rules as they are now."""
