"""Every lifecycle of orderkit as one literal table each, in the words of the `transitions` package.

The tables are the whole truth: `step` looks them up compiled to a dictionary, `orderkit diagram` and the documentation draw them with
`transitions`, and the property tests hold the compiled form against a real `transitions` machine on every (state, trigger). Nobody
writes a state anywhere else than through `step`, except the status words, which `status` derives and the STATUS table then allows.
This module knows only names: no orders, no time, no money. It does not import `transitions`; what draws does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from orderkit.domain.value import Value
from orderkit.errors import NotAllowed


class Flags(Value):
    """What a state permits, as data, so that no rule asks "is the state one of…". What is `done` without being `final` may come undone."""

    cancellable: bool = False
    amendable: bool = False
    reserves_stock: bool = False
    final: bool = False
    done: bool = False
    in_doubt: bool = False


def _row(trigger: str, source: str | list[str], dest: str) -> dict[str, Any]:
    return {"trigger": trigger, "source": source, "dest": dest}


@attrs.frozen(eq=False)
class Lifecycle:
    """A named machine: its states with flags, its first state, and its rows as `transitions` takes them."""

    name: str
    initial: str
    states: Mapping[str, Flags]
    transitions: tuple[dict[str, Any], ...]
    _table: Mapping[tuple[str, str], str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        table = {
            (source, row["trigger"]): row["dest"] for row in self.transitions for source in _sources(row["source"])
        }
        object.__setattr__(self, "_table", MappingProxyType(table))

    @property
    def table(self) -> Mapping[tuple[str, str], str]:
        """The compiled form: (state, trigger) → state."""
        return self._table

    def step(self, state: str, trigger: str) -> str:
        """Return the state after the trigger; an illegal one raises `NotAllowed` and changes nothing."""
        after = self._table.get((state, trigger))
        if after is None:
            raise NotAllowed(
                f"a {self.name} that is {state} cannot {trigger.replace('_', ' ')}",
                code="illegal_transition",
                facts={
                    "machine": self.name,
                    "state": state,
                    "trigger": trigger,
                    "possible": sorted(self.triggers(state)),
                },
            )
        return after

    def allows(self, state: str, trigger: str) -> bool:
        """Whether the trigger leads anywhere from the state."""
        return (state, trigger) in self._table

    def triggers(self, state: str) -> Iterator[str]:
        """The triggers that lead somewhere from the state."""
        return (trigger for source, trigger in self._table if source == state)

    def pairs(self) -> frozenset[tuple[str, str]]:
        """Every legal (from, to), for CHECK constraints."""
        return frozenset((source, dest) for (source, _), dest in self._table.items())


def _sources(source: str | list[str]) -> Iterable[str]:
    return [source] if isinstance(source, str) else source


ORDER = Lifecycle(
    name="order",
    initial="placed",
    states={
        "placed": Flags(cancellable=True, reserves_stock=True),
        "payment_pending": Flags(cancellable=True, reserves_stock=True, in_doubt=True),
        "confirmed": Flags(cancellable=True, amendable=True, reserves_stock=True),
        "payment_failed": Flags(cancellable=True),
        "cancelled": Flags(final=True),
    },
    transitions=(
        _row("doubt", ["placed", "payment_pending"], "payment_pending"),
        _row("confirm", ["placed", "payment_pending"], "confirmed"),
        _row("decline", ["placed", "payment_pending"], "payment_failed"),
        _row("pay_again", "payment_failed", "placed"),
        _row("cancel", ["placed", "payment_pending", "confirmed", "payment_failed"], "cancelled"),
    ),
)

SHIPMENT = Lifecycle(
    name="shipment",
    initial="planned",
    states={
        "planned": Flags(cancellable=True, amendable=True, reserves_stock=True),
        "released": Flags(reserves_stock=True),
        "shipped": Flags(),
        "out_for_delivery": Flags(),
        "delivered": Flags(final=True),
        "lost": Flags(),
        "returned_to_sender": Flags(),
        "cancelled": Flags(final=True),
    },
    transitions=(
        _row("release", "planned", "released"),
        _row("refuse", ["planned", "released"], "cancelled"),
        _row("cancel", ["planned", "released"], "cancelled"),
        _row("ship", ["planned", "released"], "shipped"),
        _row("go_out", ["shipped", "out_for_delivery"], "out_for_delivery"),
        _row("deliver", ["shipped", "out_for_delivery", "lost", "returned_to_sender"], "delivered"),
        _row("lose", ["shipped", "out_for_delivery"], "lost"),
        _row("turn_back", ["shipped", "out_for_delivery", "lost"], "returned_to_sender"),
    ),
)

OPERATION = Lifecycle(
    name="operation",
    initial="pending",
    states={
        "pending": Flags(),
        "unknown": Flags(in_doubt=True),
        "confirmed": Flags(),
        "refused": Flags(),
        "reversed": Flags(final=True),
    },
    transitions=(
        _row("confirm", ["pending", "unknown"], "confirmed"),
        _row("confirm_late", "refused", "confirmed"),
        _row("refuse", ["pending", "unknown"], "refused"),
        _row("doubt", ["pending", "unknown"], "unknown"),
        _row("try_again", "refused", "pending"),
        _row("reverse", ["pending", "unknown", "confirmed"], "reversed"),
    ),
)

PAYMENT = Lifecycle(
    name="payment",
    initial="pending",
    states={
        "pending": Flags(),
        "in_doubt": Flags(in_doubt=True),
        "authorized": Flags(),
        "captured": Flags(),
        "refunded": Flags(),
        "declined": Flags(),
        "voided": Flags(),
        "expired": Flags(),
    },
    transitions=(
        _row("doubt", ["pending", "in_doubt"], "in_doubt"),
        # A provider may say yes after all, when it had said no and others have paid meanwhile: that is booked, and given back.
        _row("authorize", ["pending", "in_doubt", "authorized", "expired", "declined", "voided"], "authorized"),
        _row(
            "capture",
            ["pending", "in_doubt", "authorized", "captured", "refunded", "declined", "expired", "voided"],
            "captured",
        ),
        _row("refund", ["captured", "refunded"], "refunded"),
        _row("refund_part", ["captured", "refunded"], "captured"),
        _row("decline", ["pending", "in_doubt", "expired"], "declined"),
        _row("void", ["authorized", "expired", "pending", "in_doubt", "declined", "voided"], "voided"),
        _row("expire", "authorized", "expired"),
    ),
)

REFUND = Lifecycle(
    name="refund",
    initial="granted",
    states={
        "granted": Flags(),
        "sent": Flags(),
        "in_doubt": Flags(in_doubt=True),
        "refunded": Flags(done=True),
        "failed": Flags(),
    },
    transitions=(
        _row("send", ["granted", "failed"], "sent"),
        _row("send_part", ["granted", "failed"], "granted"),
        _row("release", ["granted", "failed"], "refunded"),
        _row("doubt", ["sent", "in_doubt"], "in_doubt"),
        _row("confirm", ["sent", "in_doubt"], "refunded"),
        _row("fail", ["granted", "sent", "in_doubt", "refunded"], "failed"),
    ),
)

RETURN = Lifecycle(
    name="return",
    initial="requested",
    states={
        "requested": Flags(cancellable=True),
        "authorized": Flags(cancellable=True),
        "in_transit": Flags(),
        "partially_received": Flags(),
        "received": Flags(final=True),
        "declined": Flags(final=True),
        "expired": Flags(final=True),
        "cancelled": Flags(final=True),
    },
    transitions=(
        _row("authorize", "requested", "authorized"),
        _row("decline", "requested", "declined"),
        _row("send", "authorized", "in_transit"),
        _row("receive_part", ["authorized", "in_transit", "partially_received"], "partially_received"),
        _row("receive", ["authorized", "in_transit", "partially_received"], "received"),
        _row("expire", ["authorized", "in_transit"], "expired"),
        _row("close", "partially_received", "received"),
        _row("cancel", ["requested", "authorized", "in_transit"], "cancelled"),
    ),
)

HOLD = Lifecycle(
    name="hold",
    initial="active",
    states={"active": Flags(), "released": Flags(final=True), "expired": Flags(final=True)},
    transitions=(_row("release", "active", "released"), _row("expire", "active", "expired")),
)

_PAID = ["payment_confirmed", "processing"]
_MOVING = ["partially_shipped", "shipped", "out_for_delivery", "delivered"]

# The single word of the requirements. It is derived from the quantities (see `status`); the rows say which change of word may be stored.
STATUS = Lifecycle(
    name="status",
    initial="placed",
    states={
        "placed": Flags(cancellable=True, reserves_stock=True),
        "payment_pending": Flags(cancellable=True, reserves_stock=True, in_doubt=True),
        "payment_confirmed": Flags(cancellable=True, amendable=True, reserves_stock=True),
        "payment_failed": Flags(cancellable=True),
        "processing": Flags(reserves_stock=True),
        "partially_shipped": Flags(),
        "shipped": Flags(),
        "out_for_delivery": Flags(),
        "delivered": Flags(),
        "partially_returned": Flags(),
        "returned": Flags(),
        "cancelled": Flags(final=True),
    },
    transitions=(
        _row("doubt_payment", "placed", "payment_pending"),
        _row("confirm_payment", ["placed", "payment_pending"], "payment_confirmed"),
        _row("fail_payment", ["placed", "payment_pending"], "payment_failed"),
        _row("pay_again", "payment_failed", "placed"),
        _row("cancel", ["placed", "payment_pending", "payment_failed", *_PAID], "cancelled"),
        _row("process", "payment_confirmed", "processing"),
        _row("replan", "processing", "payment_confirmed"),
        _row("ship_part", _PAID, "partially_shipped"),
        _row("ship", [*_PAID, "partially_shipped", "out_for_delivery"], "shipped"),
        _row("go_out", [*_PAID, "partially_shipped", "shipped"], "out_for_delivery"),
        _row("deliver", [*_PAID, "partially_shipped", "shipped", "out_for_delivery"], "delivered"),
        _row("return_part", [*_MOVING, "returned"], "partially_returned"),
        _row("return_all", [*_MOVING, "partially_returned"], "returned"),
    ),
)

LIFECYCLES: dict[str, Lifecycle] = {
    m.name: m for m in (ORDER, SHIPMENT, OPERATION, PAYMENT, REFUND, RETURN, HOLD, STATUS)
}
