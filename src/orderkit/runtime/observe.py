"""What operators see: log events and metrics of what was committed and of what providers and carriers answered.

Flows and the domain never log: they return events, and whoever runs them tells. Logs go to structlog, which is imported only when logs are
asked for and is never configured here; metrics go to whatever the host passes as `Metrics`. Ids stand in logs, never on metrics; customers,
addresses and methods of payment stand on neither. An observer that fails never fails an order.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from orderkit.domain.order import SagaRun
from orderkit.ports import carriers, payments
from orderkit.ports.effect import Effect
from orderkit.ports.store import Commit, Committed, DuplicateKey, LeaseLost
from orderkit.runtime.bindings import Handlers, Kind, One

if TYPE_CHECKING:  # asyncio is for those who have an event loop
    from orderkit.runtime.asynchronous import AsyncHandlers


class Metrics(Protocol):
    """Where numbers go: a counter goes up (or, for a state, up and down), a histogram takes a value. Names are those of `SIGNALS`."""

    def add(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
        """Add to a counter."""

    def record(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """Record a value in a histogram, in the signal's unit."""


@attrs.frozen
class Signal:
    """One metric: its name, kind (`counter`, `updowncounter`, `histogram`), unit and attributes."""

    name: str
    kind: str
    unit: str
    attributes: tuple[str, ...]
    about: str


TRANSITIONS = "orderkit.order.transitions"
STATUS = "orderkit.order.status"
SHIPMENTS = "orderkit.allocation.shipments"
SAGA = "orderkit.saga.duration"
SAGAS = "orderkit.saga.active"
PSP = "orderkit.psp.operation.duration"
CARRIER = "orderkit.carrier.operation.duration"
KEYS = "orderkit.idempotency.requests"
STALE = "orderkit.lease.refused"

_STATE, _FROM, _TO, _TRIGGER = (
    "orderkit.order.state",
    "orderkit.order.state.from",
    "orderkit.order.state.to",
    "orderkit.trigger",
)
_SAGA, _DIRECTION = "orderkit.saga.name", "orderkit.saga.direction"
_OPERATION, _OUTCOME, _ERROR, _RESULT = (
    "orderkit.operation",
    "orderkit.outcome",
    "error.type",
    "orderkit.idempotency.result",
)

SIGNALS = (
    Signal(
        TRANSITIONS, "counter", "{transition}", (_FROM, _TO, _TRIGGER), "Commits that changed the status of an order."
    ),
    Signal(STATUS, "updowncounter", "{order}", (_STATE,), "Orders in each status, as seen by this process."),
    Signal(SHIPMENTS, "histogram", "{shipment}", (), "Shipments that a new order was split into."),
    Signal(SAGA, "histogram", "s", (_SAGA, _DIRECTION), "From the start of a saga to its end, by the shop's clock."),
    Signal(
        SAGAS,
        "updowncounter",
        "{saga}",
        (_SAGA,),
        "Sagas that were started here and not ended, as seen by this process.",
    ),
    Signal(PSP, "histogram", "s", (_OPERATION, _OUTCOME, _ERROR), "Calls of the payment provider."),
    Signal(CARRIER, "histogram", "s", (_OPERATION, _OUTCOME, _ERROR), "Calls of a carrier."),
    Signal(KEYS, "counter", "{request}", (_RESULT,), "Requests with an idempotency key: first, replayed, or mismatch."),
    Signal(STALE, "counter", "{commit}", (), "Writes of workers that were refused because another has the order."),
)

# Calls that leave the process, with the metric and the name of the operation.
_CALLS: Mapping[type[Effect[Any]], tuple[str, str, str]] = {
    payments.MoveMoney: ("payments", PSP, ""),  # the kind of movement names the operation
    payments.AskPayment: ("payments", PSP, "ask"),
    carriers.BookParcel: ("carriers", CARRIER, "book"),
    carriers.CancelParcel: ("carriers", CARRIER, "cancel"),
    carriers.TrackParcel: ("carriers", CARRIER, "track"),
}


class Observer:
    """Tells a structlog logger and a `Metrics` what happened; either may be absent."""

    def __init__(self, *, log: Any = None, metrics: Metrics | None = None) -> None:
        self._log = log
        self._metrics = metrics

    def committed(self, commit: Commit, answer: Any) -> None:
        """Tell of a commit that was answered."""
        try:
            self._keyed(commit, answer)
            if isinstance(answer, LeaseLost) and self._metrics is not None:
                self._metrics.add(STALE, 1, {})
            if isinstance(answer, Committed):
                self._told(commit)
                self._counted(commit)
                self._sagas(commit)
        except Exception as error:  # noqa: BLE001  (the order stands, whoever watches it)
            _failed(error)

    def answered(self, effect: Effect[Any], answer: Any, seconds: float) -> None:
        """Tell what a provider or carrier answered, or which exception it was, and how long it took."""
        try:
            self._call(effect, answer, seconds)
        except Exception as error:  # noqa: BLE001  (the answer stands, whoever watches it)
            _failed(error)

    def _told(self, commit: Commit) -> None:
        if self._log is None:
            return
        record = commit.record
        for event in record.events:
            self._log.info(
                event.type,
                order_id=record.order_id,
                correlation_id=record.stamp.correlation,
                version=record.version,
                command=record.stamp.command,
                status=record.to_status,
            )

    def _counted(self, commit: Commit) -> None:
        if self._metrics is None:
            return
        record = commit.record
        before, after = record.from_status, record.to_status
        if before != after:
            self._metrics.add(TRANSITIONS, 1, {_FROM: before or "", _TO: after, _TRIGGER: record.stamp.command})
            self._metrics.add(STATUS, 1, {_STATE: after})
            if before is not None:
                self._metrics.add(STATUS, -1, {_STATE: before})
        if commit.before is None:
            self._metrics.record(SHIPMENTS, len(commit.after.shipments), {})

    def _keyed(self, commit: Commit, answer: Any) -> None:
        if self._metrics is None or commit.key is None:
            return
        if isinstance(answer, DuplicateKey):
            result = "replayed" if answer.fingerprint == commit.key.fingerprint else "mismatch"
        elif isinstance(answer, Committed):
            result = "first"
        else:
            return
        self._metrics.add(KEYS, 1, {_RESULT: result})

    def _sagas(self, commit: Commit) -> None:
        old = {run.id: run for run in commit.before.sagas} if commit.before is not None else {}
        new = {run.id: run for run in commit.after.sagas}
        for run in new.values():
            if run.id not in old:
                self._saga("saga.started", commit, run, 1)
        for run in old.values():
            if run.id not in new:
                self._saga("saga.ended", commit, run, -1)

    def _saga(self, event: str, commit: Commit, run: SagaRun, change: int) -> None:
        stamp = commit.record.stamp
        seconds = (stamp.at - run.started_at).total_seconds()
        if self._log is not None:
            self._log.info(
                event,
                order_id=commit.after.id,
                correlation_id=stamp.correlation,
                saga=run.name,
                direction=run.direction,
                seconds=seconds,
            )
        if self._metrics is not None:
            self._metrics.add(SAGAS, change, {_SAGA: run.name})
            if change < 0:
                self._metrics.record(SAGA, seconds, {_SAGA: run.name, _DIRECTION: run.direction})

    def _call(self, effect: Effect[Any], answer: Any, seconds: float) -> None:
        port, metric, operation = _CALLS[type(effect)]
        facts: dict[str, Any] = {}
        if isinstance(effect, payments.MoveMoney):
            operation = effect.kind.value
            facts["order_id"] = effect.order_id
        if (key := getattr(effect, "key", None)) is not None:
            facts["operation_key"] = key
        failure = type(answer).__name__ if isinstance(answer, BaseException) else None
        outcome = "failed" if failure is not None else _OUTCOMES.get(type(answer), "answered")
        reason = getattr(answer, "reason", None) if failure is None else failure
        if self._log is not None:
            say = self._log.warning if outcome in ("unknown", "failed") else self._log.info
            say(
                "provider.answered",
                port=port,
                operation=operation,
                outcome=outcome,
                reason=reason,
                seconds=round(seconds, 6),
                **facts,
            )
        if self._metrics is not None:
            error = {_ERROR: str(reason)} if outcome in ("unknown", "failed") else {}
            self._metrics.record(metric, seconds, {_OPERATION: operation, _OUTCOME: outcome, **error})


def _failed(error: Exception) -> None:
    """Say in the standard library's log, which is quiet unless the host sets it up, that an observer failed."""
    import logging  # noqa: PLC0415  (only when something failed)

    log = logging.getLogger("orderkit")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    log.warning("an observer failed", exc_info=error)


_OUTCOMES: dict[type, str] = {
    payments.Confirmed: "confirmed",
    carriers.Booked: "booked",
    payments.Refused: "refused",
    payments.Reversed: "reversed",
    payments.Unknown: "unknown",
}


def observer(*, logs: object, metrics: Metrics | None) -> Observer | None:
    """Return the observer of a shop, if any is asked for: `logs` is a logger of structlog's kind, or `True` for structlog's own."""
    if not logs and metrics is None:
        return None
    if logs is True:
        import structlog  # noqa: PLC0415  (only where logs are asked for)

        logs = structlog.get_logger("orderkit")
    return Observer(log=logs or None, metrics=metrics)


# ---- around handlers


def observed(handlers: Handlers, watcher: Observer | None) -> Handlers:
    """Return the handlers with an observer around commits and calls that leave the process."""
    if watcher is None:
        return handlers
    one: dict[Kind, One] = {**handlers.one, Commit: _commit(handlers.one[Commit], watcher)}
    many = dict(handlers.many)
    if Commit in many:
        many[Commit] = _commit_many(many[Commit], watcher)
    for kind in _CALLS:
        if kind in one:
            one[kind] = _timed(one[kind], watcher)
        if kind in many:
            many[kind] = _timed_many(many[kind], watcher)
    return Handlers(one, many)


def observed_async(handlers: AsyncHandlers, watcher: Observer | None) -> AsyncHandlers:
    """The same for an event loop."""
    if watcher is None:
        return handlers
    more: dict[type[Effect[Any]], Callable[[Any], Awaitable[Any]]] = {
        Commit: _commit_async(handlers.one[Commit], watcher)
    }
    more |= {kind: _timed_async(handlers.one[kind], watcher) for kind in _CALLS if kind in handlers.one}
    return handlers.over(more)


def _commit(call: Callable[[Any], Any], watcher: Observer) -> Callable[[Any], Any]:
    def ask(commit: Commit) -> Any:
        answer = call(commit)
        watcher.committed(commit, answer)
        return answer

    return ask


def _commit_many(call: Callable[[Sequence[Any]], Any], watcher: Observer) -> Callable[[Sequence[Any]], Any]:
    def ask(commits: Sequence[Commit]) -> Any:
        answers = call(commits)
        for commit, answer in zip(commits, answers, strict=False):  # whoever asked checks the count
            watcher.committed(commit, answer)
        return answers

    return ask


def _commit_async(call: Callable[[Any], Awaitable[Any]], watcher: Observer) -> Callable[[Any], Awaitable[Any]]:
    async def ask(commit: Commit) -> Any:
        answer = await call(commit)
        watcher.committed(commit, answer)
        return answer

    return ask


def _timed(call: Callable[[Any], Any], watcher: Observer) -> Callable[[Any], Any]:
    def ask(effect: Effect[Any]) -> Any:
        begin = time.perf_counter()
        try:
            answer = call(effect)
        except Exception as error:
            watcher.answered(effect, error, time.perf_counter() - begin)
            raise
        watcher.answered(effect, answer, time.perf_counter() - begin)
        return answer

    return ask


def _timed_many(call: Callable[[Sequence[Any]], Any], watcher: Observer) -> Callable[[Sequence[Any]], Any]:
    def ask(effects: Sequence[Effect[Any]]) -> Any:
        begin = time.perf_counter()
        answers = call(effects)
        seconds = time.perf_counter() - begin
        for effect, answer in zip(effects, answers, strict=False):  # whoever asked checks the count
            watcher.answered(effect, answer, seconds)
        return answers

    return ask


def _timed_async(call: Callable[[Any], Awaitable[Any]], watcher: Observer) -> Callable[[Any], Awaitable[Any]]:
    async def ask(effect: Effect[Any]) -> Any:
        begin = time.perf_counter()
        try:
            answer = await call(effect)
        except BaseException as error:  # a cancellation too: the call was under way
            watcher.answered(effect, error, time.perf_counter() - begin)
            raise
        watcher.answered(effect, answer, time.perf_counter() - begin)
        return answer

    return ask
