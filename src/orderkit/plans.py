"""Dry runs: every verb up to its commit, and what that commit would do. Nothing is written, and nobody outside is asked.

A dry run is the verb itself, with other answers to some effects: the commit ends it, a carrier takes every parcel, no cache is asked.
This module knows no adapter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orderkit.domain.order import Order
from orderkit.domain.preview import Preview, previewed_commit
from orderkit.errors import FlowMisused, Misconfigured, NotAllowed, OrderkitError
from orderkit.ports.carriers import Booked, BookParcel
from orderkit.ports.effect import Effect, Outside
from orderkit.ports.store import Commit
from orderkit.runtime.admission import Admission
from orderkit.runtime.bindings import Handlers, Kind, One, no_hint
from orderkit.runtime.guards import HINTS
from orderkit.runtime.sync import run_sync
from orderkit.verb import Command
from orderkit.writes import Writes

if TYPE_CHECKING:  # it needs asyncio
    from orderkit.runtime.asynchronous import AsyncHandlers


class _Stopped(BaseException):
    """A dry run has reached its commit; the flow ends here and nothing was written."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit


class Plans(Writes):
    """Every verb as a dry run: what it would do to units, stock, money, and the customer's inbox. Nothing is written."""

    def __init__(self, handlers: Handlers, admission: Admission) -> None:
        self._handlers = handlers.over(_dry(handlers.one))
        self._admission = admission

    def preview(self, command: Command[Any], tx: object | None = None, /) -> Preview:
        """Run what a command accepts up to its commit."""
        _check(self._admission, command, tx)
        try:
            order = run_sync(command.accepted(), self._handlers)
        except _Stopped as stopped:
            return previewed_commit(stopped.commit.before, stopped.commit.after, stopped.commit.record)
        raise _unchanged(order)


class AsyncPlans(Writes):
    """The same on an event loop."""

    def __init__(self, handlers: AsyncHandlers, admission: Admission) -> None:
        from orderkit.runtime.asynchronous import at_once  # noqa: PLC0415  (whoever has an event loop has it already)

        dry = _dry(handlers.one)
        self._handlers = handlers.over({**dry, **{kind: at_once(dry[kind]) for kind in (BookParcel, *HINTS)}})
        self._admission = admission

    async def preview_async(self, command: Command[Any], tx: object | None = None, /) -> Preview:
        """Run what a command accepts up to its commit."""
        _check(self._admission, command, tx)
        try:
            order = await self._handlers.run(command.accepted())
        except _Stopped as stopped:
            return previewed_commit(stopped.commit.before, stopped.commit.after, stopped.commit.record)
        raise _unchanged(order)


def _check(admission: Admission, command: Command[Any], tx: object | None) -> None:
    """Refuse a dry run of a closed shop, and one in a transaction; what was to run is closed as well. Raises: `Misconfigured`."""
    try:
        admission.check_open()
        if tx is not None:
            raise Misconfigured(
                "a dry run joins no transaction", field="tx", remedy="Leave tx= out: nothing is written anyway."
            )
    except OrderkitError:
        command.accept.close()
        raise


def _unchanged(order: Order) -> NotAllowed:
    return NotAllowed(f"nothing would change on order {order.id}", code="not_allowed")


def _dry(kinds: Iterable[Kind]) -> dict[Kind, One]:
    """Return what answers in a dry run in the place of what leaves the process, and of the commit."""
    refused: dict[Kind, One] = {kind: _refuse for kind in kinds if issubclass(kind, Outside)}
    return {**refused, **dict.fromkeys(HINTS, no_hint), BookParcel: _as_if_booked, Commit: _stop}


def _stop(effect: Any) -> Any:
    raise _Stopped(effect)


def _refuse(effect: Effect[Any]) -> Any:
    raise FlowMisused(
        f"a dry run cannot do {type(effect).__name__}: it would leave the process",
        outcome="not_applied",
        remedy="Leave that out of the dry run, or run it for real.",
    )


def _as_if_booked(asked: BookParcel) -> Booked:
    """Stand in for a carrier that takes the parcel: which number it would give, nobody knows."""
    return Booked(carrier=asked.carrier or "any", tracking_number="not booked", tracking_url="", label_url="")
