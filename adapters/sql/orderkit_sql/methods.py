"""Every method of a store, in terms of units of work: which function does it, and whether it writes.

Who begins, commits, waits and tries again is left open: the store's own transactions (`SqlStore`), or the host's (`JoinedStore`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from orderkit.domain.events import Record
from orderkit.domain.order import Order
from orderkit.errors import OrderkitError
from orderkit.ports.store import (
    ClaimDue,
    Commit,
    CommitAnswer,
    DuplicateKey,
    FindKey,
    FindOrders,
    GiveUp,
    KeepMessage,
    Lease,
    MarkPublished,
    Message,
    Page,
    PutStock,
    ReadRecords,
    ReadStock,
    ReadSupply,
    SettleMessage,
    StockLevel,
    StoreCapabilities,
    TakeMessages,
    TakeOutbox,
)
from orderkit_sql import reading, searching, stocking, working, writing
from orderkit_sql.database import Database
from orderkit_sql.failures import UNWRITABLE, Attempts, as_error

A = TypeVar("A")
Work = Callable[[Connection], A]


class SqlMethods(ABC):
    """Every method of a store, in terms of units of work that somebody else runs."""

    database: Database
    capabilities: StoreCapabilities

    @abstractmethod
    def _write(self, work: Callable[[Connection, Attempts], A]) -> A:
        """Run work that writes; it is told what was tried before."""

    @abstractmethod
    def _write_apart(self, work: Work[None]) -> None:
        """Run work that writes in a transaction of our own, also where the others are the host's."""

    @abstractmethod
    def _read(self, work: Work[A]) -> A:
        """Run work that is one statement."""

    def commit_many(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        """Apply each commit wholly or not at all, in order, in one transaction.

        A value that the database cannot store is the error of its own element.
        """
        if not commits:
            return []
        try:
            return self._commit(commits)
        except UNWRITABLE as error:
            months = self.database.months
            if months is not None:
                months.forget()  # a month may have been taken away: a new order makes it again
            if len(commits) == 1 and (months is None or commits[0].before is not None):
                raise as_error(error) from error
        answers = [self._alone(commit) for commit in commits]
        if len(answers) == 1 and isinstance(answers[0], Exception):
            raise answers[0]
        return answers

    def _commit(self, commits: Sequence[Commit]) -> list[CommitAnswer]:
        self._make_months(commits)
        return self._write(lambda c, before: writing.commit_many(self.database, c, commits, before))

    def _make_months(self, commits: Sequence[Commit]) -> None:
        """Make the partitions of new orders before their rows."""
        months = self.database.months
        if months is None:
            return
        if missing := months.missing([commit.after.id for commit in commits if commit.before is None]):
            self._write_apart(lambda c: months.make(c, missing))
            months.made(missing)

    def _alone(self, commit: Commit) -> Any:
        """Commit one element by itself; what is wrong with it is its answer."""
        try:
            return self._commit([commit])[0]
        except OrderkitError as error:
            return error
        except UNWRITABLE as error:
            return as_error(error)

    def load_many(self, order_ids: Sequence[str]) -> list[Order | OrderkitError | None]:
        """Return each order, or nothing in its place; for one that cannot be read, an error."""
        return self._read(lambda c: reading.load_many(self.database, c, order_ids))

    def find_keys(self, keys: Sequence[FindKey]) -> list[DuplicateKey | None]:
        """Return what each key stands for."""
        return self._read(lambda c: reading.find_keys(self.database, c, keys))

    def read_records(self, asked: ReadRecords) -> tuple[Record, ...]:
        """Return the log of an order."""
        return self._read(lambda c: reading.read_records(self.database, c, asked))

    def read_supply_many(self, asked: Sequence[ReadSupply]) -> list[Mapping[tuple[str, str], int]]:
        """Return units available for each question."""
        return self._read(lambda c: stocking.read_supply_many(self.database, c, asked))

    def read_stock(self, asked: ReadStock) -> tuple[StockLevel, ...]:
        """Return stock levels, sorted."""
        return self._read(lambda c: stocking.read_stock(self.database, c, asked))

    def put_stock_many(self, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
        """Add to shelves, each id once; an error of one element is its answer."""
        try:
            return self._write(lambda c, _: stocking.put_stock_many(self.database, c, puts))
        except UNWRITABLE as error:
            if len(puts) == 1:
                return [as_error(error)]
        return [self.put_stock_many([put])[0] for put in puts]

    def find_orders(self, asked: FindOrders) -> Page:
        """Return a page of orders, newest first."""
        return self._read(lambda c: searching.find_orders(self.database, c, asked))

    def claim_due(self, asked: ClaimDue) -> tuple[Lease, ...]:
        """Lease what is due and free."""
        return self._write(lambda c, _: working.claim_due(self.database, c, asked))

    def give_up(self, asked: GiveUp) -> None:
        """Free a leased order until its next time."""
        return self._write(lambda c, _: working.give_up(self.database, c, asked))

    def take_outbox(self, asked: TakeOutbox) -> tuple[Record, ...]:
        """Claim unpublished records, never one behind an earlier record that another relay has."""
        return self._write(lambda c, _: working.take_outbox(self.database, c, asked))

    def mark_published(self, asked: MarkPublished) -> None:
        """Mark records as published."""
        return self._write(lambda c, _: working.mark_published(self.database, c, asked))

    def keep_message(self, asked: KeepMessage) -> bool:
        """Keep a message once."""
        return self._write(lambda c, _: working.keep_message(self.database, c, asked))

    def take_messages(self, asked: TakeMessages) -> tuple[Message, ...]:
        """Take waiting messages that are due, oldest first, and count the attempt."""
        return self._write(lambda c, _: working.take_messages(self.database, c, asked))

    def settle_message(self, asked: SettleMessage) -> None:
        """Mark a message as applied, or as waiting for another time."""
        return self._write(lambda c, _: working.settle_message(self.database, c, asked))

    @abstractmethod
    def close(self) -> None:
        """Close what belongs to the store."""
