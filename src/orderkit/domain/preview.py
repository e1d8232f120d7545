"""The dry run: what a decision would do to units, stock, money, status and the customer's inbox, readable before anything happens.

A preview is made from the very decision that a commit would write; there is no second implementation to disagree with.
"""

from __future__ import annotations

from orderkit.domain.events import Decision, Event, Record, StockMove, summed
from orderkit.domain.messages import messages
from orderkit.domain.money import to_text
from orderkit.domain.order import Order
from orderkit.domain.quantities import Move
from orderkit.domain.status import word
from orderkit.domain.value import Value


class MoneyMove(Value):
    """Money that would be asked to move: what kind, over which tender, how much in minor units."""

    kind: str
    payment: str
    method: str
    amount_minor: int


class Preview(Value, kw_only=True):
    """What would happen. `str()` of it is the dry run as text."""

    order_id: str
    currency: str
    from_status: str | None
    to_status: str
    moves: tuple[Move, ...]
    stock: tuple[StockMove, ...]
    money: tuple[MoneyMove, ...]
    credited_minor: int
    events: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    skus: tuple[tuple[int, str], ...]

    def __str__(self) -> str:
        names = dict(self.skus)
        status = (
            self.to_status
            if self.from_status == self.to_status
            else f"{self.from_status or 'nothing'} → {self.to_status}"
        )
        lines = [f"status    {status}"]
        lines += [
            f"units     {m.quantity} of {names.get(m.line, m.line)}: {_name(m.source)} → {_name(m.target)}"
            for m in self.moves
        ]
        lines += [
            f"stock     {s.sku} at {s.warehouse}: on hand {s.on_hand:+d}, reserved {s.reserved:+d}" for s in self.stock
        ]
        lines += [
            f"money     {m.kind} {to_text(m.amount_minor, self.currency)} {self.currency} ({m.method})"
            for m in self.money
        ]
        if self.credited_minor:
            lines.append(f"credit    {to_text(self.credited_minor, self.currency)} {self.currency}")
        lines += [f"event     {event}" for event in self.events]
        lines += [f"message   {template} by {channel}" for template, channel in self.messages]
        return "\n".join(lines)


def previewed(before: Order | None, decision: Decision) -> Preview:
    """Return what the decision would do."""
    return _told(before, decision.order, decision.events, decision.moves, summed(decision.stock))


def previewed_commit(before: Order | None, after: Order, record: Record) -> Preview:
    """Return what a commit that was not made would have done."""
    return _told(before, after, record.events, record.moves, record.stock)


def _told(
    before: Order | None, after: Order, events: tuple[Event, ...], moves: tuple[Move, ...], stock: tuple[StockMove, ...]
) -> Preview:
    known = {operation.id for _, operation in before.operations()} if before else set()
    money = tuple(
        MoneyMove(o.kind.value, p.id, p.method, o.amount_minor) for p, o in after.operations() if o.id not in known
    )
    names = tuple(event.type for event in events)
    return Preview(
        order_id=after.id,
        currency=after.currency,
        from_status=word(before) if before else None,
        to_status=word(after),
        moves=moves,
        stock=stock,
        money=money,
        credited_minor=after.credited_minor - (before.credited_minor if before else 0),
        events=names,
        messages=messages(names),
        skus=tuple((line.number, line.sku) for line in after.lines),
    )


def _name(bucket: object) -> str:
    return str(getattr(bucket, "name", "customer")).lower().replace("_", " ")
