"""`commit_many`: many commits in one transaction, an answer for each, and one bad element never harms its neighbors.

Locks are taken in one order everywhere: keys, orders, stock, each sorted. Keys are inserted first, so that of many equal requests one
goes on and the others wait for it and read what it made. Then every element is decided in Python under those locks, in order, a later
one seeing the earlier; what was accepted is written in bulk, each row once. Functions here take an open transaction and neither begin nor
end it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import Connection

from orderkit.errors import Conflict
from orderkit.ports.store import (
    Commit,
    CommitAnswer,
    Committed,
    DuplicateKey,
    KeyClaim,
    LeaseLost,
    OutOfStock,
    VersionConflict,
)
from orderkit_sql.backend import Change, Piece, Row
from orderkit_sql.codec import CHAIN_START, chained, encode
from orderkit_sql.database import Database
from orderkit_sql.direct import rows_of
from orderkit_sql.failures import Attempts
from orderkit_sql.parts import part_changes
from orderkit_sql.rows import (
    ORDER_CHANGES,
    ORDER_KEPT,
    ORDER_NEW,
    RECORD_NEW,
    order_changes,
    order_identity,
    search_text,
    tracking_numbers,
)
from orderkit_sql.stocking import Shelves, add_shelves, locked_shelves, shelf_changes

Scope = tuple[str, str, str]
CLAIMS_MAX = 20
_KEY = ("principal", "operation", "key", "order_id", "fingerprint", "claimed_at")


@attrs.define
class Stored:
    """What a decision needs to know of a stored order, read under its lock."""

    version: int
    log_head: bytes
    token: int
    lease_until: Any
    leased: bool


@attrs.define
class Keys:
    """The keys of a batch: those that this transaction holds for its elements, and what the others stand for."""

    held: dict[Scope, DuplicateKey]
    known: dict[Scope, DuplicateKey]
    used: dict[Scope, DuplicateKey] = attrs.field(factory=dict)

    def of(self, scope: Scope) -> DuplicateKey | None:
        """Return what a key stands for by now."""
        return self.known.get(scope) or self.used.get(scope)


def commit_many(
    database: Database, connection: Connection, commits: Sequence[Commit], before: Attempts
) -> list[CommitAnswer]:
    """Apply each commit wholly or not at all.

    The first try takes it that a new order is not there yet: where one is, its row is refused, and the next try looks for everything. One that
    comes after a lost COMMIT recognizes what was written by it.
    """
    answers: list[CommitAnswer] = []
    keys = _claimed_keys(database, connection, commits)
    waves = list(_waves(commits))
    if (
        len(waves) > 1
    ):  # a later part would lock its orders after the shelves of an earlier one: so all at once, and first
        _locked_orders(database, connection, [commit.after.id for commit in commits])
        _locked_places(database, connection, commits)
    for wave in waves:
        answers += _commit_wave(database, connection, wave, before, keys)
    _settle_keys(database, connection, keys, commits)
    return answers


def _locked_places(database: Database, connection: Connection, commits: Sequence[Commit]) -> Shelves:
    return locked_shelves(database, connection, {(m.sku, m.warehouse) for c in commits for m in c.stock})


def _waves(commits: Sequence[Commit]) -> Iterator[list[Commit]]:
    """Cut the batch so that no order is in one part twice: rows are written in bulk, and a second commit builds on the first."""
    wave: list[Commit] = []
    seen: set[str] = set()
    for commit in commits:
        if commit.after.id in seen:
            yield wave
            wave, seen = [], set()
        wave.append(commit)
        seen.add(commit.after.id)
    if wave:
        yield wave


def _commit_wave(
    database: Database, connection: Connection, commits: list[Commit], before: Attempts, keys: Keys
) -> list[CommitAnswer]:
    stored = _locked_orders(database, connection, [c.after.id for c in commits if before.done or c.before is not None])
    # Made as if all were accepted, before the shelves are locked: what everybody wants stays locked for as short as can be.
    likely = _pieces(database, [(commit, stored.get(commit.after.id)) for commit in commits])
    shelves = _locked_places(database, connection, commits)
    written = _written_before(database, connection, commits) if before.unsure else set()
    answers: list[CommitAnswer] = []
    accepted: list[tuple[Commit, Stored | None]] = []
    for commit in commits:
        if commit.after.id in written:
            _use_key(keys, commit)
            answers.append(Committed(commit.after.version))
            continue
        found = stored.get(commit.after.id)
        refusal = _refusal(commit, found, keys, shelves)
        if refusal is None:
            shelves.move(commit.stock)
            _use_key(keys, commit)
            accepted.append((commit, found))
        answers.append(refusal or Committed(commit.after.version))
    if not before.done:
        _look_behind(database, connection, commits, answers)
    if accepted:
        pieces = likely if len(accepted) == len(commits) else _pieces(database, accepted)
        pieces += database.backend.pieces([shelf_changes(database, shelves)])
        database.backend.write(connection, pieces)
        add_shelves(database, connection, shelves)
    return answers


def _pieces(database: Database, accepted: Sequence[tuple[Commit, Stored | None]]) -> list[Piece]:
    """Return what is written of the orders, their parts and the log."""
    changes = [*_order_changes(database, accepted), *part_changes(database, [commit for commit, _ in accepted])]
    return database.backend.pieces(changes)


def _refusal(commit: Commit, stored: Stored | None, keys: Keys, shelves: Shelves) -> CommitAnswer | None:
    """Return why a commit cannot be, in the order that the contract gives: lease, key, version, stock."""
    if commit.lease is not None and (stored is None or not stored.leased or stored.token != commit.lease.token):
        return LeaseLost()
    if commit.key is not None and (known := keys.of(_scope(commit.key))) is not None:
        return known
    version = stored.version if stored else 0
    if commit.before is not None and stored is None:  # known rows are put in their place, so they have to be there
        return VersionConflict(version)
    if version != (commit.before.version if commit.before else 0):
        return VersionConflict(version)
    if short := shelves.short(commit.stock):
        return OutOfStock(short)
    return None


# ---- keys


def _scope(claim: KeyClaim) -> Scope:
    return claim.principal, claim.operation, claim.key


def _use_key(keys: Keys, commit: Commit) -> None:
    if commit.key is not None:
        keys.used[_scope(commit.key)] = DuplicateKey(commit.after.id, commit.key.fingerprint)


def _claimed_keys(database: Database, connection: Connection, commits: Sequence[Commit]) -> Keys:
    """Insert the batch's keys, sorted; wait for whoever holds one; return what was won and what was lost."""
    first: dict[Scope, Commit] = {}
    for commit in reversed(commits):
        if commit.key is not None:
            first[_scope(commit.key)] = commit
    if not first:
        return Keys({}, {})
    held: dict[Scope, DuplicateKey] = {}
    known: dict[Scope, DuplicateKey] = {}
    for _ in range(CLAIMS_MAX):  # once, unless a key that was there has left with its month before it was read
        asked = {scope: commit for scope, commit in first.items() if scope not in held and scope not in known}
        if not asked:
            return Keys(held, known)
        rows = [_key_row(database, commit) for _, commit in sorted(asked.items(), key=lambda each: each[0])]
        for scope in _insert_keys(database, connection, rows):
            claimed = asked[scope]
            assert claimed.key is not None  # noqa: S101  (chosen above)
            held[scope] = DuplicateKey(claimed.after.id, claimed.key.fingerprint)
        known |= find_keys(database, connection, [scope for scope in asked if scope not in held])
    raise Conflict("the keys of these orders left again and again while they were claimed")


def _key_row(database: Database, commit: Commit) -> Row:
    claim = commit.key
    assert claim is not None  # noqa: S101  (the caller chose commits with a key)
    at = commit.record.stamp.at
    return claim.principal, claim.operation, claim.key, commit.after.id, claim.fingerprint, database.backend.moment(at)


def _insert_keys(database: Database, connection: Connection, rows: list[Row]) -> list[Scope]:
    table, backend = database.tables.keys, database.backend
    names = ", ".join(_KEY)
    statement = (
        f"INSERT INTO {database.name(table)} ({names}) SELECT {names} FROM {backend.row_set(table, _KEY)} WHERE true"
        " ON CONFLICT (principal, operation, key) DO NOTHING RETURNING principal, operation, key"
    )
    return [
        (row[0], row[1], row[2]) for row in rows_of(connection, statement, backend.row_parameters(table, _KEY, rows))
    ]


def find_keys(database: Database, connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, DuplicateKey]:
    """Return what the keys stand for that were claimed."""
    if not scopes:
        return {}
    table, backend = database.tables.keys, database.backend
    statement = (
        "SELECT k.principal, k.operation, k.key, k.order_id, k.fingerprint"
        f" FROM {backend.row_set(table, _KEY[:3])} JOIN {database.name(table)} AS k"
        " ON k.principal = v.principal AND k.operation = v.operation AND k.key = v.key"
    )
    found = rows_of(connection, statement, backend.row_parameters(table, _KEY[:3], scopes))
    return {(row[0], row[1], row[2]): DuplicateKey(row[3], row[4]) for row in found}


def _settle_keys(database: Database, connection: Connection, keys: Keys, commits: Sequence[Commit]) -> None:
    """Give back the keys whose elements were refused; a key that a later element uses is inserted for that one."""
    wrong = [scope for scope, inserted in keys.held.items() if keys.used.get(scope) != inserted]
    if not wrong:
        return
    table, backend = database.tables.keys, database.backend
    same = "k.principal = v.principal AND k.operation = v.operation AND k.key = v.key"
    connection.exec_driver_sql(
        f"DELETE FROM {database.name(table)} AS k WHERE EXISTS (SELECT 1 FROM {backend.row_set(table, _KEY[:3])} WHERE {same})",
        backend.row_parameters(table, _KEY[:3], wrong),
    )
    taken = {scope for scope in wrong if scope in keys.used}
    again = [
        _key_row(database, commit)
        for commit in commits
        if commit.key is not None
        and (scope := _scope(commit.key)) in taken
        and keys.used[scope] == DuplicateKey(commit.after.id, commit.key.fingerprint)
    ]
    if again:
        _insert_keys(database, connection, again)


# ---- orders


def _locked_orders(database: Database, connection: Connection, ids: Sequence[str]) -> dict[str, Stored]:
    if not ids:
        return {}
    backend = database.backend
    columns = f"id, version, log_head, lease_token, lease_until, lease_until >= {backend.clock}"
    found = rows_of(connection, *backend.locking(database.tables.orders, columns, ids))
    return {row[0]: Stored(row[1], row[2], row[3], row[4], bool(row[5])) for row in found}


def _look_behind(
    database: Database, connection: Connection, commits: Sequence[Commit], answers: list[CommitAnswer]
) -> None:
    """Answer new orders for which there was no stock with their version, where they are there already: nobody has looked before.

    Nothing is written for them, so they are not locked: order locks do not come after those of shelves.
    """
    short = [n for n, answer in enumerate(answers) if isinstance(answer, OutOfStock) and commits[n].before is None]
    if not short:
        return
    backend, ids = database.backend, [commits[n].after.id for n in short]
    statement = (
        f"SELECT id, version FROM {database.name(database.tables.orders)}"
        f" WHERE {backend.among('id', ids)}{backend.near('id', ids)}"
    )
    found = dict(map(tuple, rows_of(connection, statement, backend.texts(ids))))
    for n in short:
        if (version := found.get(commits[n].after.id)) is not None:
            answers[n] = VersionConflict(version)


def _written_before(database: Database, connection: Connection, commits: Sequence[Commit]) -> set[str]:
    """Return the orders whose record of this very commit is in the log already."""
    table, backend = database.tables.records, database.backend
    names = ("order_id", "version")
    statement = (
        f"SELECT r.order_id, r.body FROM {backend.row_set(table, names)} JOIN {database.name(table)} AS r"
        f" ON r.order_id = v.order_id AND r.version = v.version{backend.near('r.order_id', [c.after.id for c in commits])}"
    )
    rows = [(commit.after.id, commit.record.version) for commit in commits]
    parameters = backend.row_parameters(table, names, rows)
    bodies = dict(map(tuple, rows_of(connection, statement, parameters)))
    return {commit.after.id for commit in commits if bodies.get(commit.after.id) == encode(commit.record)}


def _order_changes(database: Database, accepted: Sequence[tuple[Commit, Stored | None]]) -> list[Change]:
    """Return how the orders' own rows change, what they are found by, and the log."""
    backend, tables = database.backend, database.tables
    new: list[Row] = []
    changed: list[Row] = []
    amended: list[Row] = []
    texts: list[Row] = []
    new_texts: list[Row] = []
    records: list[Row] = []
    for commit, stored in accepted:
        before, after = commit.before, commit.after
        record = _record_row(commit, stored.log_head if stored else CHAIN_START, database)
        records.append(record)
        lease_until = stored.lease_until if stored else None
        if commit.lease is not None and not keeps_lease(commit):
            lease_until = None
        values = order_changes(commit, backend, lease_until=lease_until, log_head=record[-1])
        if before is None:
            new.append(values + order_identity(after, backend, encode(after.facts)))
            new_texts.append((search_text(after), after.id))
            continue
        other_facts = before.facts is not after.facts and before.facts != after.facts
        if other_facts:
            amended.append(values + order_identity(after, backend, encode(after.facts)))
        else:
            changed.append(values + order_identity(after, backend))
        if other_facts or tracking_numbers(before) != tracking_numbers(after):
            texts.append((search_text(after), after.id))
    return [
        Change(tables.orders, ORDER_NEW, new),
        Change(tables.orders, ORDER_CHANGES, changed, keys=("id",), kept=ORDER_KEPT),
        Change(tables.orders, ORDER_CHANGES + ORDER_KEPT, amended, keys=("id",)),
        Change(tables.texts, ("text", "order_id"), new_texts),
        Change(tables.texts, ("text",), texts, keys=("order_id",)),
        Change(tables.records, RECORD_NEW, records),
    ]


def _record_row(commit: Commit, previous: bytes, database: Database) -> Row:
    record = commit.record
    body = encode(record)
    return (
        record.order_id,
        record.version,
        database.backend.moment(record.stamp.at),
        record.stamp.actor,
        record.stamp.reason,
        record.from_status,
        record.to_status,
        body,
        previous,
        chained(previous, body),
    )


def keeps_lease(commit: Commit) -> bool:
    """Whether a worker's commit leaves something to do at once, so that it goes on with the order."""
    return commit.due_at is not None and commit.due_at <= commit.record.stamp.at
