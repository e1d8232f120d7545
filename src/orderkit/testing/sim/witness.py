"""The witness: an independent model of the shop, kept from what the world saw, and the invariants that hold at every commit.

It believes nothing that the library reports of itself: shelves are counted from shipments and returns, money from the bank's ledger, leases
from what the store handed out, the log from what was committed. A broken invariant is written down, with its time, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from orderkit.domain.events import Record
from orderkit.domain.lifecycle import STATUS
from orderkit.domain.order import Order
from orderkit.domain.payment import OperationKind
from orderkit.domain.returns import Disposition
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from orderkit.ports.store import Commit, CommitAnswer, Committed, Lease

if TYPE_CHECKING:  # a world has a witness
    from orderkit.testing.sim.world import World

Shelf = tuple[str, str]
_TAKING = (OperationKind.CHARGE, OperationKind.CAPTURE)
_PAIRS = frozenset({*STATUS.pairs(), *((state, state) for state in STATUS.states), (None, "placed")})
_FIRST = frozenset({"placed", "cancelled", "payment_confirmed"})


@attrs.frozen
class Violation:
    """An invariant that did not hold: which, how, and when in microseconds."""

    invariant: str
    text: str
    at: int

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@attrs.define
class Counted:
    """What the orders together hold of one shelf."""

    reserved: int = 0
    shipped: int = 0
    restocked: int = 0
    short: int = 0


@attrs.define(eq=False)
class Witness:
    """Sees commits, leases, money and messages; writes down what cannot be."""

    world: World
    violations: list[Violation] = attrs.field(factory=list)
    latest: dict[str, Order] = attrs.field(factory=dict)
    log: dict[str, list[Record]] = attrs.field(factory=dict)
    shelves: dict[Shelf, Counted] = attrs.field(factory=dict)
    leases: dict[str, tuple[int, float]] = attrs.field(factory=dict)
    keys: dict[tuple[str, str, str], str] = attrs.field(factory=dict)
    consumed: dict[str, int] = attrs.field(factory=dict)
    applied: dict[str, list[int]] = attrs.field(factory=dict)
    delivered: dict[Shelf, int] = attrs.field(factory=dict)
    operations: dict[str, list[str]] = attrs.field(factory=dict)
    inbox: bool = True

    def say(self, invariant: str, text: str) -> None:
        """Write down that an invariant did not hold; the same sentence once."""
        found = Violation(invariant, text, self.world.now)
        if all(str(found) != str(known) for known in self.violations):
            self.violations.append(found)

    # ---- the store

    def claimed(self, leases: Sequence[Lease], seconds: float) -> None:
        """Remember who may work on what; nobody may while somebody else does."""
        now = self.world.now / 1_000_000
        for lease in leases:
            token, until = self.leases.get(lease.order_id, (0, 0.0))
            if lease.token <= token:
                self.say("fencing", f"{lease.order_id} was leased twice under token {lease.token}")
            elif until > now:
                self.say("lease", f"{lease.order_id} was leased while another worker held it")
            self.leases[lease.order_id] = (lease.token, now + seconds)

    def freed(self, lease: Lease) -> None:
        """Remember that a lease was given up or ended."""
        token, _ = self.leases.get(lease.order_id, (0, 0.0))
        if token == lease.token:
            self.leases[lease.order_id] = (token, 0.0)

    def committed(self, commit: Commit, answer: CommitAnswer) -> None:
        """Hold an applied commit against everything that must be."""
        if not isinstance(answer, Committed):
            return
        after, record = commit.after, commit.record
        before = self.latest.get(after.id)
        self._in_line(before, commit)
        self._leased(commit)
        self._keyed(commit)
        self._legal(record)
        self.latest[after.id] = after
        self.log.setdefault(after.id, []).append(record)
        if record.stock or record.moves:
            self._shelved(before, after, record)
        self._paid(before, after)

    def _in_line(self, before: Order | None, commit: Commit) -> None:
        stored = before.version if before else 0
        if commit.after.version != stored + 1:
            self.say("log", f"{commit.after.id} went from version {stored} to {commit.after.version}")
        elif before is not None and commit.before is not before:
            self.say("lost update", f"{commit.after.id} was decided from another version {stored} than the stored one")

    def _leased(self, commit: Commit) -> None:
        lease = commit.lease
        if lease is None:
            return
        token, until = self.leases.get(lease.order_id, (0, 0.0))
        if lease.token != token or until <= self.world.now / 1_000_000:
            self.say("fencing", f"{lease.order_id} was written by a worker whose lease {lease.token} was over")
        if commit.due_at is None or commit.due_at > commit.record.stamp.at:
            self.freed(lease)

    def _keyed(self, commit: Commit) -> None:
        if commit.key is None:
            return
        scope = (commit.key.principal, commit.key.operation, commit.key.key)
        if scope in self.keys:
            self.say("identity", f"the key {commit.key.key} of {commit.key.operation} was used for two commits")
        self.keys[scope] = commit.after.id

    def _legal(self, record: Record) -> None:
        step = (record.from_status, record.to_status)
        if step not in _PAIRS and not (record.from_status is None and record.to_status in _FIRST):
            self.say("log", f"{record.order_id} went from {step[0]} to {step[1]}")
        if not (record.stamp.actor and record.stamp.command):
            self.say("log", f"{record.id} does not say who did it, or by which command")

    # ---- stock: counted from shipments and returns, compared with the shelf

    def _shelved(self, before: Order | None, after: Order, record: Record) -> None:
        touched: dict[Shelf, None] = {}
        for sign, order in ((-1, before), (1, after)):
            if order is not None:
                _count(order, sign, self.shelves, touched)
        for event in record.events:
            if event.type == "shipment.short":
                place = after.shipment(event.data["shipment"]).warehouse
                for number, units in event.data["units"].items():
                    shelf = (after.line(int(number)).sku, place)
                    self.shelves.setdefault(shelf, Counted()).short += units
                    touched[shelf] = None
        for shelf in touched:
            self.compare(shelf)

    def compare(self, shelf: Shelf) -> None:
        """Hold a shelf against what the orders say of it."""
        on_hand, reserved, received = self.world.storage.level(*shelf)
        counted = self.shelves.get(shelf) or Counted()
        name = f"{shelf[0]} at {shelf[1]}"
        expected = received - counted.shipped - counted.short + counted.restocked
        if reserved != counted.reserved:
            self.say("stock", f"{name}: {reserved} are reserved, but the orders hold {counted.reserved}")
        if on_hand != expected:
            self.say("stock", f"{name}: {on_hand} are on hand, but {expected} should be")
        if not 0 <= reserved <= on_hand:
            self.say("oversold", f"{name}: {reserved} are promised of {on_hand}")

    # ---- money

    def _paid(self, before: Order | None, after: Order) -> None:
        if before is not None and before.payments is after.payments:
            return
        for payment in after.payments:
            if not 0 <= payment.refunded_minor <= payment.captured_minor <= max(payment.authorized_minor, 0):
                self.say(
                    "money", f"{payment.id} holds {payment.captured_minor} captured, {payment.refunded_minor} back"
                )
            known = (
                () if before is None else [o.id for p in before.payments if p.id == payment.id for o in p.operations]
            )
            for operation in payment.operations:
                if operation.kind in _TAKING and operation.id not in known:
                    self._within_due(after, operation.id)
                if operation.state == "confirmed" and not self._moved(operation.id):
                    self.say("money", f"{operation.id} is booked as done, but the bank never did it")

    def _within_due(self, order: Order, operation_id: str) -> None:
        """Money that is asked for, with what is there and what was asked for before, is never more than the customer owes."""
        asked = sum(p.open_minor(kind) for p in order.payments for kind in _TAKING)
        if order.paid_minor + asked > order.due_minor:
            self.say(
                "money",
                f"with {operation_id} {asked} are asked for, {order.paid_minor} are there, and {order.due_minor} are due",
            )

    def _moved(self, operation_id: str) -> bool:
        """Whether the bank ever did it. Of a refund that has come back the shop learns later."""
        entries = self.world.bank.entries
        if self.world.payments is not None:
            return True
        return any(
            e.moved or e.reversed
            for key in self.operations.get(operation_id, ())
            if (e := entries.get(key)) is not None
        )

    def money_asked(self, asked: MoveMoney) -> None:
        """The bank is asked: the intent must be durable, and no other key of the operation may have moved money or be in doubt."""
        operation_id = asked.key.partition("/")[0]
        order = self.latest.get(asked.order_id)
        known = None if order is None else {o.id: o for _, o in order.operations()}.get(operation_id)
        if known is None:
            self.say("intent", f"the bank is asked for {asked.key}, which no stored order wants")
        entries, keys = self.world.bank.entries, self.operations.setdefault(operation_id, [])
        entry = entries.get(asked.key)
        for key in keys:
            other = entries.get(key)
            if entry is None and key != asked.key and (other is None or other.moved):
                self.say("money", f"{asked.key} is asked for while {key} {'moved money' if other else 'is in doubt'}")
        if asked.key not in keys:
            keys.append(asked.key)
        if entry is not None and entry.asked is not None and evolve(entry.asked, at=asked.at) != asked:
            self.say("money", f"the key {asked.key} came with two requests")

    # ---- the bus

    def consume(self, record: Record) -> None:
        """A consumer with an inbox: a repeat is passed over; an order's records arrive first in the order of their versions."""
        last = self.consumed.get(record.order_id, 0)
        if self.inbox and record.version <= last:
            return
        if record.version > last + 1:
            self.say("bus", f"{record.id} overtook version {last + 1}")
        self.consumed[record.order_id] = max(last, record.version)
        self.applied.setdefault(record.order_id, []).append(record.version)


def _count(order: Order, sign: int, shelves: dict[Shelf, Counted], touched: dict[Shelf, None]) -> None:
    """Add or take away what an order holds of each shelf."""
    skus = {line.number: line.sku for line in order.lines}
    for shipment in order.shipments:
        gone = shipment.shipped_at is not None
        if not gone and not shipment.waiting:
            continue
        for number, units in shipment.lines:
            shelf = (skus[number], shipment.warehouse)
            counted = shelves.get(shelf) or shelves.setdefault(shelf, Counted())
            touched[shelf] = None
            if gone:
                counted.shipped += sign * units
            else:
                counted.reserved += sign * units
    for found in order.returns:
        for receipt in found.receipts:
            for part in receipt.graded:
                if part.disposition is Disposition.RESTOCK:
                    shelf = (skus[part.line], receipt.warehouse)
                    shelves.setdefault(shelf, Counted()).restocked += sign * part.quantity
                    touched[shelf] = None
