"""What an order was invoiced and credited: one invoice for what was placed, one for each paid amendment, one memo for each refund.

The invoices of an order less its credit memos come to what the customer owes for it (`Order.due_minor`), whenever they are made: nothing
here depends on how the order stands when somebody gets round to it, only on its log and on prices that never change.

An order that was never confirmed has neither. Lines whose payment was refused are never invoiced, so what was credited of them is in no
memo; until it is known whether they are paid, refunds granted meanwhile wait for their memos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orderkit.domain.events import Record
from orderkit.domain.lifecycle import REFUND
from orderkit.domain.order import Facts, Order, Refund
from orderkit.domain.pricing import Charge, Prices
from orderkit.domain.refunds import RefundComponent
from orderkit.domain.saga import AMENDMENT, amendment_of
from orderkit.domain.value import Value, evolve

CONFIRMED, PAID = "order.confirmed", "order.amendment_paid"
# after these it may be known at last what a refund from before is to be credited
_DECIDING = frozenset({CONFIRMED, PAID, "order.amendment_failed", "payment.refused"})


class Invoiced(Value):
    """A document that an order should have: its stable name, its kind, and the order with nothing else in it."""

    id: str
    kind: str
    order: Order


class _Window(Value):
    """An amendment in the log: the refunds that were granted while its payment was not known, and how it ended (`None`: not yet)."""

    amendment: int
    paid: bool | None
    refunds: tuple[str, ...]


def invoices(order: Order, record: Record) -> tuple[Invoiced, ...]:
    """Return the invoices that the record gives rise to."""
    found = []
    for event in record.events:
        if event.type == CONFIRMED:
            found.append(Invoiced(f"{order.id}-invoice", "invoice", of_amendment(order, 0)))
        elif event.type == PAID:
            number = int(str(event.data["saga"]).rsplit("/", 1)[-1])
            found.append(Invoiced(f"{order.id}-A{number}-invoice", "invoice", of_amendment(order, number)))
    return tuple(found)


def may_credit(order: Order, record: Record) -> bool:
    """Whether the record may complete what a memo needs: then `memos` is worth reading the log for."""
    if not order.refunds:
        return False
    return bool(_done(record)) or not _DECIDING.isdisjoint(event.type for event in record.events)


def memos(order: Order, log: Iterable[Record]) -> tuple[Invoiced, ...]:
    """Return all credit memos that the order should have, from its whole log; those of before are the same again."""
    log = tuple([record for record in log if record.version <= order.version])
    if not any(event.type == CONFIRMED for record in log for event in record.events):
        return ()
    refunds = {refund.id: refund for record in log for refund in record.change.refunds}
    done = {name for record in log for name in _done(record)}
    windows = _windows(log)
    waiting = {name for window in windows if window.paid is None for name in window.refunds}
    never: dict[str, Refund] = {}
    for window in windows:
        if window.paid is False:
            never |= _without(order.facts, window, refunds)
    found = []
    for refund in refunds.values():
        credited = never.get(refund.id, refund)
        if refund.id in done and refund.id not in waiting and credited.total_minor:
            told = evolve(order, refunds=tuple([credited if r.id == refund.id else r for r in order.refunds]))
            found.append(Invoiced(f"{refund.id}-memo", "credit_memo", told))
    return tuple(found)


def _done(record: Record) -> list[str]:
    """Return the refunds that are done by now. They are credited for good, also where the money comes back."""
    return [refund.id for refund in record.change.refunds if REFUND.states[refund.state].done]


def of_amendment(order: Order, number: int) -> Order:
    """Return the order with nothing but the lines that this amendment added (0: the cart), their prices and charges, and no refunds."""
    lines = tuple([line for line in order.facts.lines if line.amendment == number])
    if len(lines) == len(order.facts.lines):
        return evolve(order, refunds=())
    numbers = {line.number for line in lines}
    prices = order.facts.prices
    narrow = Prices(
        tax_included=prices.tax_included,
        lines=tuple([price for price in prices.lines if price.line in numbers]),
        charges=_charges(order.facts, number),
    )
    return evolve(
        order,
        facts=evolve(order.facts, lines=lines, prices=narrow),
        lines=tuple([line for line in order.lines if line.number in numbers]),
        refunds=(),
    )


def _charges(facts: Facts, number: int) -> tuple[Charge, ...]:
    """Return the charges that came with this amendment: they stand in the order of the amendments, and each's lines bear them exactly."""
    rest = list(facts.prices.charges)
    mine: list[Charge] = []
    for amendment in sorted({line.amendment for line in facts.lines}):
        borne = [facts.prices.line(line.number) for line in facts.lines if line.amendment == amendment]
        open_minor = sum([price.shipping_minor + price.fee_minor for price in borne])
        mine = []
        while rest and (open_minor or not _paid(rest[0], facts)):
            mine.append(rest.pop(0))
            open_minor -= _paid(mine[-1], facts)
        if amendment == number:
            break
    return tuple(mine)


def _paid(charge: Charge, facts: Facts) -> int:
    return charge.amount_minor + (0 if facts.prices.tax_included else charge.tax_minor)


def _windows(log: Sequence[Record]) -> list[_Window]:
    """Return the amendments that had to be paid, with the refunds that fell into the time when nobody knew."""
    windows: dict[str, _Window] = {}
    known: set[str] = set()
    for record in log:
        fresh = tuple([refund.id for refund in record.change.refunds if refund.id not in known])
        known.update(fresh)
        running = {run.id: run for run in record.change.sagas if run.name == AMENDMENT.name}
        paid = {event.data["saga"] for event in record.events if event.type == PAID}
        for name, window in windows.items():
            if window.paid is None:
                ended = None if name in running else name in paid
                windows[name] = evolve(window, refunds=window.refunds + fresh, paid=ended)
        for name, run in running.items():
            windows.setdefault(name, _Window(amendment_of(run), None, fresh))
    return list(windows.values())


def _without(facts: Facts, window: _Window, refunds: Mapping[str, Refund]) -> dict[str, Refund]:
    """Return the refunds of a refused amendment less what they credited of its lines, which nobody was ever asked to pay.

    Together they lose exactly what the lines cost: first what each credited of the lines, then, where that was shipping of the whole order
    or was cut short by what had been given before, from the latest on.
    """
    numbers = {line.number for line in facts.lines if line.amendment == window.amendment}
    open_minor = sum([price.total_minor for price in facts.prices.lines if price.line in numbers])
    taken: dict[str, int] = {}
    for name in window.refunds:
        of_lines = _counted(part for part in refunds[name].components if part.line in numbers)
        taken[name] = max(0, min(of_lines, refunds[name].total_minor, open_minor))
        open_minor -= taken[name]
    for name in reversed(window.refunds):
        more = min(refunds[name].total_minor - taken[name], open_minor)
        taken[name] += more
        open_minor -= more
    return {name: _less(refunds[name], numbers, minor) for name, minor in taken.items() if minor}


def _less(refund: Refund, numbers: set[int], minor: int) -> Refund:
    total = refund.total_minor - minor
    parts = tuple([part for part in refund.components if part.line not in numbers])
    if off := total - _counted(parts):
        parts = (*parts, RefundComponent(kind="never_invoiced", amount_minor=off))
    units = tuple([(number, count) for number, count in refund.units if number not in numbers])
    return evolve(refund, total_minor=total, components=parts, units=units)


def _counted(parts: Iterable[RefundComponent]) -> int:
    return sum([part.amount_minor for part in parts if not part.informational])
