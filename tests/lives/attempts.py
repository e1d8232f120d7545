"""One call of a verb, and the laws about it: what the dry run said, what a refusal left alone, what a repeat answers.

The laws here compare the world before a call with the world after it, so they are only asked when nobody else acted in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from orderkit import KeyReused, Order, OrderkitError, Preview
from orderkit.catalog import CATALOG
from orderkit.domain.saga import unpaid_lines
from orderkit.domain.status import word
from orderkit.flows.reading import expected_refund
from orderkit.ports.store import StockLevel
from tests.lives.books import Broken
from tests.lives.calls import Call
from tests.lives.laws import REQUESTS
from tests.lives.shop import Died, World

DIED = "died"
_NOT_OURS = ("installation", "library")  # whose fault an error in an order's life may not be


@attrs.frozen
class Photograph:
    """The whole world at a moment: orders, shelves, and the length of the bank's ledger."""

    orders: tuple[Order, ...]
    stock: tuple[StockLevel, ...]
    entries: int

    @classmethod
    def of(cls, world: World) -> Photograph:
        """Take one."""
        return cls(tuple(world.all()), world.shop.stock(), len(world.bank.entries))

    def order(self, order_id: object) -> Order | None:
        """The order at that moment, if it was there."""
        return next((order for order in self.orders if order.id == order_id), None)


@attrs.frozen
class Outcome:
    """What came of a call: an answer, or an error."""

    answer: Any = None
    error: OrderkitError | None = None

    @property
    def code(self) -> str | None:
        """The code of the error, if there was one."""
        return self.error.code if self.error else None

    def __str__(self) -> str:
        if self.error is not None:
            return str(self.error)
        if not isinstance(self.answer, Order):
            return "done"
        return word(self.answer) + (f", asks for {', '.join(self.answer.findings)}" if self.answer.findings else "")


def done(world: World, call: Call, key: str | None = None) -> Outcome:
    """Call the verb. What is no error of the library breaks the law that there is none such."""
    key_given = {"key": key} if call.keyed and key else {}
    try:
        return Outcome(getattr(world.shop, call.verb)(*call.args, **call.kwargs, **key_given))
    except OrderkitError as error:
        entry = CATALOG.get(error.code)
        if entry is None or error.fault in _NOT_OURS:
            raise Broken("errors_are_of_the_catalog", f"{call} → {error}") from error
        return Outcome(error=error)
    except Died:
        raise
    except Exception as error:
        raise Broken("errors_are_of_the_catalog", f"{call} → {error!r}") from error


def previewed(world: World, call: Call) -> Preview | str | None:
    """Return what the dry run says: a preview, or the code of its refusal; nothing for what has no dry run."""
    if not call.dry:
        return None
    try:
        return getattr(world.shop.plan, call.verb)(*call.args, **call.kwargs)  # type: ignore[no-any-return]  # by its name
    except OrderkitError as error:
        return error.code


def check(world: World, call: Call, dry: Preview | str | None, before: Photograph, outcome: Outcome) -> None:
    """Raise `Broken` for the first law about a call that does not hold."""
    for law in (
        _dry_runs(world, dry, before, outcome),
        _refusals(world, before, outcome),
        _gates(call, before, outcome),
        _findings(call, before, outcome),
        _quotes(call, before, outcome),
    ):
        for name, text in law:
            raise Broken(name, f"{call} → {outcome}: {text}")


def _dry_runs(
    world: World, dry: Preview | str | None, before: Photograph, outcome: Outcome
) -> Iterator[tuple[str, str]]:
    """The dry run is the effect: it is refused with the same code, and else does the same to units, shelves, money and inboxes."""
    if dry is None:
        return
    if isinstance(dry, str):
        if outcome.code != dry and (outcome.answer is None or _asked_for(world, before, outcome.answer)):
            yield "the_dry_run_is_the_effect", f"the dry run was refused with {dry}"
        return
    if outcome.error is not None:
        yield "the_dry_run_is_the_effect", f"the dry run was accepted: {dry}"
        return
    order: Order = outcome.answer
    old = before.order(order.id)
    record = world.shop.records(order.id)[old.version if old else 0]
    known = {operation.id for _, operation in old.operations()} if old else set()
    asked = [
        (o.kind.value, p.id, o.amount_minor) for p in record.change.payments for o in p.operations if o.id not in known
    ]
    said = [(move.kind, move.payment, move.amount_minor) for move in dry.money]
    if old is None:
        asked, said = [(a[0], a[2]) for a in asked], [(s[0], s[2]) for s in said]  # type: ignore[misc]  # a dry run's order has an id of its own
    happened = (tuple(event.type for event in record.events), record.stock, record.to_status)
    if (dry.events, dry.stock, dry.to_status) != happened or sorted(asked) != sorted(said):
        yield "the_dry_run_is_the_effect", f"the dry run said {dry}; it was {happened}, {asked}"
    if [(m.line, m.source, m.target, m.quantity) for m in dry.moves] != [
        (m.line, m.source, m.target, m.quantity) for m in record.moves
    ]:
        yield "the_dry_run_is_the_effect", f"the dry run said {dry.moves}; it was {record.moves}"


def _asked_for(world: World, before: Photograph, order: Order) -> bool:
    """Whether the order changed by a request since; what was due went on in any case."""
    old = before.order(order.id)
    return any(record.stamp.command in REQUESTS for record in world.shop.records(order.id)[old.version if old else 0 :])


def _refusals(world: World, before: Photograph, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """What says that it was not applied left orders, shelves and the bank as they were."""
    if outcome.error is None or outcome.error.outcome == "unknown":
        return
    if outcome.error.outcome == "not_applied" and not unchanged(world, before):
        yield "what_is_not_applied_changes_nothing", "something changed"


def _gates(call: Call, before: Photograph, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Nothing is released or leaves while the order is on hold, before it is confirmed, or before its lines are paid for."""
    old = before.order(call.args[0]) if call.args else None
    if call.verb not in ("ship", "release") or outcome.error is not None or old is None:
        return
    shipment = old.shipment(call.args[1])
    if shipment.waiting and (old.active_holds or old.state != "confirmed" or unpaid_lines(old) & shipment.numbers):
        yield "nothing_leaves_too_early", f"it was {old.state}, held by {old.active_holds}, unpaid {unpaid_lines(old)}"


def _findings(call: Call, before: Photograph, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """A person can attend to every finding that an order has; only money that no tender may be asked for, or not yet, keeps it there."""
    old = before.order(call.args[0]) if call.args else None
    if call.verb != "attend" or outcome.error is None or old is None or call.args[1] not in old.findings:
        return
    if not outcome.error.facts.get("missing_minor"):
        yield "a_finding_can_be_attended", "it was refused"


def _quotes(call: Call, before: Photograph, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """A return gives back what was expected of it, when all of it arrives as new, and those that were opened before it have arrived."""
    if call.verb != "receive_return" or len(call.args) != 2 or outcome.error is not None or "grade" in call.kwargs:
        return
    old, new = before.order(call.args[0]), outcome.answer
    if old is None or new is None:
        return
    found, receipt = old.return_(call.args[1]), new.return_(call.args[1]).receipts[-1]
    gave = new.refund(receipt.refund).total_minor if receipt.refund else 0
    earlier = any(expected_refund(old, each) or each.outstanding for each in old.returns[: old.returns.index(found)])
    if gave != expected_refund(old, found) and not earlier:
        yield "a_return_gives_back_what_was_expected", f"{gave}, and {expected_refund(old, found)} were expected"


def unchanged(world: World, before: Photograph) -> bool:
    """Whether the world is as it was in the photograph."""
    now = Photograph.of(world)
    same = len(now.orders) == len(before.orders) and all(a is b for a, b in zip(now.orders, before.orders, strict=True))
    return same and (now.stock, now.entries) == (before.stock, before.entries)


def check_repeat(world: World, call: Call, key: str, before: Outcome) -> None:
    """The same request under the same key changes nothing and answers with the order as it is; a refusal is refused again alike.

    What is due is done first: a repeat goes on with it like any request. A request that found its work done by somebody else spent no key, and
    one that was refused because somebody else was faster may succeed the next time: neither is held to anything.
    """
    order = before.answer if isinstance(before.answer, Order) else None
    if (order is not None and not _spent(world, order, key)) or (before.error is not None and before.error.retryable):
        return
    if order is not None:
        done(world, Call("advance", (order.id,), keyed=False))
    photograph = Photograph.of(world)
    again = done(world, call, key)
    if order is not None:
        now = photograph.order(order.id)
        if again.error is not None or again.answer != now:
            raise Broken("a_repeat_answers_alike", f"{call} → {before}; again: {again}")
    elif again.code != before.code:
        raise Broken("a_repeat_answers_alike", f"{call} → {before}; again: {again}")
    if not unchanged(world, photograph):
        raise Broken("a_repeat_changes_nothing", f"{call} → {before}; again: {again}")


def _spent(world: World, order: Order, key: str) -> bool:
    return any(r.stamp.correlation == key and r.stamp.command in REQUESTS for r in world.shop.records(order.id))


def check_reuse(world: World, call: Call, key: str, before: Outcome) -> None:
    """Another request under a key that is spent is refused as `key_reused` and changes nothing."""
    order = before.answer if isinstance(before.answer, Order) else None
    if order is not None and not _spent(world, order, key):
        return
    photograph = Photograph.of(world)
    other = attrs.evolve(call, kwargs={**call.kwargs, "reason": "something_else"})
    outcome = done(world, other, key)
    if not isinstance(outcome.error, KeyReused) or not unchanged(world, photograph):
        raise Broken("a_key_stands_for_one_request", f"{other} under {key} → {outcome}")
