"""Safeguards taken away, one at a time: the test of the tester. What is gone is gone in the simulated world only.

Each ablation changes a world before it begins: a store that checks less, a driver that does what the library's driver never does, a client or a
worker without a habit. None of it is a switch in the library. A simulator that does not notice one of these is not looking there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from orderkit.errors import OrderkitError
from orderkit.ports.carriers import BookParcel
from orderkit.ports.effect import Effect
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, Refused, Unknown
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    CommitAnswer,
    Committed,
    DuplicateKey,
    FindKey,
    MarkPublished,
    PutStock,
    TakeOutbox,
    VersionConflict,
)
from orderkit.testing.sim.bank import Bank
from orderkit.testing.sim.faults import SECOND
from orderkit.testing.sim.processes import Handler, Process, Wrap
from orderkit.testing.sim.running import Ablate
from orderkit.testing.sim.storage import Storage
from orderkit.testing.sim.world import World


@attrs.frozen
class Ablation:
    """A safeguard, what it guards against, and how a world loses it."""

    name: str
    about: str
    apply: Ablate


# ---- a store that checks less


class Careless(Storage):
    """A store that rewrites commits before it looks at them; the witness sees what was asked for."""

    def rewrite(self, commit: Commit) -> Commit:
        """Return what is written instead."""
        return commit

    def write(self, commit: Commit) -> CommitAnswer:
        """Write something else than was asked for."""
        return super().write(self.rewrite(commit))


class Unfenced(Careless):
    """Takes writes from whoever held the order once."""

    def rewrite(self, commit: Commit) -> Commit:
        """Drop a lease that is over."""
        row, lease = self._rows.get(commit.after.id), commit.lease
        held = row is not None and lease is not None and row.token == lease.token and row.leased(self._now())
        return commit if held else evolve(commit, lease=None)


class Keyless(Careless):
    """Knows no idempotency keys."""

    def rewrite(self, commit: Commit) -> Commit:
        """Drop the key."""
        return evolve(commit, key=None)

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Find nothing."""
        return [None] * len(keys)


class Versionless(Careless):
    """The last write wins."""

    def rewrite(self, commit: Commit) -> Commit:
        """Say that the decision was made from whatever is stored."""
        row = self._rows.get(commit.after.id)
        return evolve(commit, before=row.order if row else None)


class Guardless(Storage):
    """Promises what is not on the shelf."""

    def _short(self, _: Commit) -> tuple[tuple[str, str], ...]:
        return ()


class Stockless(Careless):
    """Keeps the order, and forgets its stock moves when there is more than one: not one transaction."""

    def rewrite(self, commit: Commit) -> Commit:
        """Drop all stock moves but the first."""
        if len(commit.record.stock) < 2:
            return commit
        return evolve(commit, record=evolve(commit.record, stock=commit.record.stock[:1]))


class Unordered(Storage):
    """Hands out the newest records first."""

    def take_outbox(self, asked: TakeOutbox) -> tuple[Any, ...]:
        """Take the outbox from its end."""
        return tuple(reversed(super().take_outbox(asked)))


class Repeating(Storage):
    """Books a delivery of goods in again when it is told again."""

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Give every booking an id of its own."""
        self.booked = getattr(self, "booked", 0) + 1
        return super().put_stock_many(
            [PutStock(tuple(evolve(r, id=f"{r.id}#{self.booked}") for r in put.receipts)) for put in puts]
        )


def stored_in(kind: type[Storage]) -> Ablate:
    """Give the world another store."""

    def apply(world: World) -> None:
        world.storage = kind(world.witness, lambda: world.now / SECOND)

    return apply


# ---- a driver that does what it must not


def altered(alter: Callable[[Process, Effect[Any]], Effect[Any]]) -> Ablate:
    """Change effects on their way out."""
    return lambda world: world.alterations.append(alter)


def answered(kind: type[Effect[Any]], wrap: Wrap) -> Ablate:
    """Answer an effect in another way: `wrap` gets the process, the real handler and the effect."""

    def apply(world: World) -> None:
        world.wraps[kind] = wrap

    return apply


def heard(kind: type[Effect[Any]], ear: Callable[[Any], Any]) -> Ablate:
    """Let flows hear something else than what was answered, or not answered."""

    def apply(world: World) -> None:
        world.ears[kind] = ear

    return apply


def _new_key(process: Process, effect: Effect[Any]) -> Effect[Any]:
    if not isinstance(effect, MoveMoney):
        return effect
    return evolve(effect, key=f"{effect.key}#{process.name}-{process.world.now}")


def _new_parcel(process: Process, effect: Effect[Any]) -> Effect[Any]:
    if not isinstance(effect, BookParcel):
        return effect
    return evolve(effect, key=f"{effect.key}#{process.name}-{process.world.now}")


def _no_lease(_: Process, effect: Effect[Any]) -> Effect[Any]:
    return evolve(effect, lease_seconds=0.0) if isinstance(effect, ClaimDue) else effect


def _fails_in_doubt(answer: Any) -> Any:
    return Refused("time-out") if isinstance(answer, Unknown) else answer


def _never_mind(answer: Any) -> Any:
    return Committed(answer.stored_version + 1) if isinstance(answer, VersionConflict) else answer


def _believes_refunds(_: Process, real: Handler, effect: MoveMoney) -> Any:
    return Confirmed("surely") if effect.kind is OperationKind.REFUND else real(effect)


def _does_not_ask(*_: Any) -> Any:
    return Refused("not_found")


def _marks_first(process: Process, real: Handler, effect: TakeOutbox) -> Any:
    records = real(effect)
    process.world.storage.mark_published(MarkPublished(tuple((r.order_id, r.version) for r in records)))
    return records


def _writes_twice(process: Process, real: Handler, effect: Commit) -> Any:
    """Without an outbox: the record is published after the commit, by whoever made it and still lives."""
    answer, world, life = real(effect), process.world, process.life
    if isinstance(answer, Committed):
        world.storage.mark_published(MarkPublished(((effect.after.id, effect.after.version),)))

        def publish() -> None:
            if process.life == life:
                world.bus.publish([effect.record])

        world.after(1_000, publish)
    return answer


def _intent_last(world: World) -> None:
    """A new order is written only after its provider has answered."""
    unwritten: dict[str, Commit] = {}

    def commit(_: Process, real: Handler, effect: Commit) -> Any:
        if effect.before is None and any(o.open for _, o in effect.after.operations()):
            unwritten[effect.after.id] = effect
            return Committed(effect.after.version)
        if (first := unwritten.pop(effect.after.id, None)) is not None:
            real(first)
        return real(effect)

    world.wraps[Commit] = commit


def _forgets_inbox(world: World) -> None:
    world.witness.inbox = False


def _breaks_promises(world: World) -> None:
    world.bank = Bank(final=False)
    world.bank.asked_to = world.witness.money_asked


def _client_changes_key(world: World) -> None:
    world.key_of = lambda key, tries: key if key is None or tries == 1 else f"{key}#{tries}"


def _sweeps_once(world: World) -> None:
    world.sweeps_once = True


ALL: tuple[Ablation, ...] = (
    Ablation("fencing", "Every write checks the token of its lease.", stored_in(Unfenced)),
    Ablation("lease", "An order that is worked on is handed to nobody else.", altered(_no_lease)),
    Ablation("unique-key", "A key stands for one order.", stored_in(Keyless)),
    Ablation("client-key", "A client asks again with the same key.", _client_changes_key),
    Ablation("version-check", "A decision from an old version is not written.", stored_in(Versionless)),
    Ablation("redecide", "Whoever meets a newer version decides again.", heard(Commit, _never_mind)),
    Ablation("stock-guard", "Nobody is promised what is not there.", stored_in(Guardless)),
    Ablation("one-transaction", "Order and stock are written together.", stored_in(Stockless)),
    Ablation("receipt-id", "Goods that are booked in twice are there once.", stored_in(Repeating)),
    Ablation("intent-first", "The intent is durable before the provider is called.", _intent_last),
    Ablation("provider-key", "A repeated call bears the same key.", altered(_new_key)),
    Ablation("doubt", "What may have happened is not a failure.", heard(MoveMoney, _fails_in_doubt)),
    Ablation(
        "ask-first", "Nothing is given up before the provider has been asked.", answered(AskPayment, _does_not_ask)
    ),
    Ablation("final-answer", "A key that was not found never arrives.", _breaks_promises),
    Ablation("refund-asked", "A refund is done when the provider says so.", answered(MoveMoney, _believes_refunds)),
    Ablation("carrier-key", "A parcel that is booked again is one parcel.", altered(_new_parcel)),
    Ablation("publish-first", "A record is marked after it was published.", answered(TakeOutbox, _marks_first)),
    Ablation("outbox", "Records are written with the order.", answered(Commit, _writes_twice)),
    Ablation("record-order", "An order's records are published in their order.", stored_in(Unordered)),
    Ablation("inbox", "A consumer passes over what it has seen.", _forgets_inbox),
    Ablation("sweep-again", "Workers sweep for ever, not once.", _sweeps_once),
)
BY_NAME: Mapping[str, Ablation] = {ablation.name: ablation for ablation in ALL}
