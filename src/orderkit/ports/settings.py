"""How the shop works: warehouses, planning rules, handling times, policies. Flows read it as they read the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache

import attrs

from orderkit.domain.allocation import Rules, Warehouse
from orderkit.domain.order import Policies
from orderkit.domain.promise import Handling
from orderkit.ports.effect import Inside


@attrs.frozen(kw_only=True)
class Settings:
    """The shop's own rules. `handling` is by warehouse id, `*` for all others; a warehouse that is not listed has the defaults.

    `reacts` says whether the relay of this process also sends messages, makes documents and indexes; with a broker its consumers do.
    """

    warehouses: Mapping[str, Warehouse] = attrs.field(factory=dict)
    rules: Rules = attrs.field(factory=Rules)
    handling: Mapping[str, Handling] = attrs.field(factory=lambda: {"*": Handling()})
    policies: Policies = attrs.field(factory=Policies)
    replan_max: int = 3
    retry_max: int = 50
    answer_within: timedelta = timedelta(seconds=2)
    handover_after: timedelta = timedelta(seconds=10)
    doubts_max: int = 6
    reacts: bool = True

    def known(self, ids: Iterable[str]) -> dict[str, Warehouse]:
        """Return the warehouses with those ids; one that was never described has the defaults."""
        return {found: self.warehouses.get(found) or _undescribed(found) for found in ids}


@lru_cache(maxsize=1_024)  # the same few for every order
def _undescribed(id_: str) -> Warehouse:
    return Warehouse(id_)


@attrs.frozen
class ReadSettings(Inside[Settings]):
    """The shop's rules as they are now."""
