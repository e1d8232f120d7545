"""Between a flow and an adapter: what an adapter did not declare becomes what flows know.

A provider or carrier that raises, or answers something else than it may, leaves a doubt: `Unknown`; what it tells is made fit to keep (`told`).
A cache that fails is no cache. Anything else that leaves the process fails as a `PortError`. A batch that fails as a whole, or answers too few,
has failed for each of its elements.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from orderkit.errors import OrderkitError, PortError
from orderkit.ports import cache, carriers, payments
from orderkit.ports.effect import Effect
from orderkit.runtime.told import fit

Kind = type[Effect[Any]]

_MONEY = (payments.Confirmed, payments.Refused, payments.Unknown, payments.Reversed)
_PARCEL = (carriers.Booked, payments.Refused, payments.Unknown)
# Effects of which nobody knows what happened when their adapter fails, with the answers that they may have.
DOUBTFUL: Mapping[Kind, tuple[type, ...]] = {
    payments.MoveMoney: _MONEY,
    payments.AskPayment: _MONEY,
    carriers.BookParcel: _PARCEL,
    carriers.CancelParcel: _PARCEL,
}
HINTS: tuple[type[cache.Remember | cache.Recall | cache.Forget], ...] = (cache.Remember, cache.Recall, cache.Forget)


def guarded(kind: Kind, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Guard a call that leaves the process."""

    def ask(effect: Any) -> Any:
        try:
            return answered(kind, call(effect))
        except Exception as error:  # noqa: BLE001  (whatever an adapter raises: it is judged by what was asked)
            return failed(kind, error)

    return ask


def guarded_async(kind: Kind, call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Guard an awaited call that leaves the process. A cancellation passes: what was begun is found by its intent."""

    async def ask(effect: Any) -> Any:
        try:
            return answered(kind, await call(effect))
        except Exception as error:  # noqa: BLE001  (whatever an adapter raises: it is judged by what was asked)
            return failed(kind, error)

    return ask


def guarded_many(kind: Kind, call: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Sequence[Any]], list[Any]]:
    """Guard a call with many that leave the process; each has an answer, or the exception that is raised in its flow."""

    def ask(effects: Sequence[Any]) -> list[Any]:
        try:
            answers = call(effects)
        except Exception as error:  # noqa: BLE001  (judged for each)
            return [_judged(kind, error) for _ in effects]
        if len(answers) != len(effects):
            return [_judged(kind, miscounted(kind, len(answers), len(effects))) for _ in effects]
        return [_judged(kind, each) if isinstance(each, Exception) else one(each) for each in answers]

    def one(answer: Any) -> Any:
        try:
            return answered(kind, answer)
        except Exception as error:  # noqa: BLE001  (judged for itself: its neighbors have their answers)
            return _judged(kind, error)

    return ask


def answered(kind: Kind, answer: Any) -> Any:
    """Return the answer as it can be kept, if it is one that the effect may have; anything else is a doubt."""
    allowed = DOUBTFUL.get(kind)
    if allowed is None or isinstance(answer, allowed):
        return fit(kind, answer)
    return payments.Unknown(f"answered {type(answer).__name__}")


def failed(kind: Kind, error: Exception) -> Any:
    """Return what a failure means for the effect, or raise it as an error that callers know."""
    if kind in HINTS:
        return None
    if not isinstance(error, OrderkitError):
        if kind in DOUBTFUL:
            return payments.Unknown(type(error).__name__)
        raise _port_error(kind, error) from error
    if kind in DOUBTFUL and isinstance(error, PortError) and error.outcome != "not_applied":
        return payments.Unknown(error.code)
    raise error


def _judged(kind: Kind, error: Exception) -> Any:
    """Return what a failure means for one of many: an answer, or the exception that its flow gets."""
    try:
        return failed(kind, error)
    except Exception as raised:  # noqa: BLE001  (handed on as a value)
        return for_one(kind, raised)


# ---- batches


def single(call: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Any], Any]:
    """Return the call for one effect of a method that takes many; an exception that is the answer is raised."""

    def ask(effect: Any) -> Any:
        answers = call((effect,))
        if len(answers) != 1:
            raise miscounted(type(effect), len(answers), 1)
        answer = answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def asked(kind: Kind, call: Callable[[Sequence[Any]], Sequence[Any]], effects: Sequence[Any]) -> Sequence[Any]:
    """Ask once for all; when that fails, or the count is wrong, the failure is each one's answer."""
    try:
        answers = call(effects)
    except Exception as error:  # noqa: BLE001  (raised in every flow of the batch)
        return [for_one(kind, error) for _ in effects]
    if len(answers) != len(effects):
        return [miscounted(kind, len(answers), len(effects)) for _ in effects]
    return answers


def for_one(kind: Kind, error: BaseException) -> Exception:
    """Return a failure that many share as an error of one: a shared exception would gather the tracebacks of all."""
    found: Exception = copy.copy(error) if isinstance(error, OrderkitError) else _port_error(kind, error)
    found.__cause__ = error
    return found


def miscounted(kind: Kind, answers: int, effects: int) -> PortError:
    """Return the error for a batch with too few or too many answers: nobody can tell which is whose."""
    return PortError(
        f"{answers} answers to {effects} of {kind.__name__}", outcome="unknown", facts={"effect": kind.__name__}
    )


def _port_error(kind: Kind, error: BaseException) -> PortError:
    # The type only: a driver's message may quote rows, and rows hold names and addresses.
    return PortError(
        f"{kind.__name__} failed: {type(error).__name__}", outcome="unknown", facts={"effect": kind.__name__}
    )
