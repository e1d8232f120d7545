"""What workers ask: orders that are due, records to publish, messages that wait. Leases end by the database's own clock.

Due orders are claimed in one transaction that passes over what others have locked. Relays claim one at a time, under a lock that lasts for
the claim only, so that no relay gets a record behind one that another relay has. Both forms are short transactions of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text

from orderkit.domain.events import Record
from orderkit.ports.store import (
    ClaimDue,
    GiveUp,
    KeepMessage,
    Lease,
    MarkPublished,
    Message,
    SettleMessage,
    TakeMessages,
    TakeOutbox,
)
from orderkit_sql.backend import Backend
from orderkit_sql.codec import UNREADABLE, decode_data, decode_record, encode_data
from orderkit_sql.database import Database

_RELAY_LOCK = 7_093_104_417  # one number for all relays of a database, out of the way of a host's own locks


# ---- due orders


def claim_due(database: Database, connection: Connection, asked: ClaimDue) -> tuple[Lease, ...]:
    """Lease what is due and free, count the attempt, and park what failed too often."""
    leases: list[Lease] = []
    while len(leases) < asked.limit:
        wanted = asked.limit - len(leases)
        claimed = _claimed(database, connection, asked, wanted)
        leases += [Lease(order_id=row[1], token=row[2], attempts=row[3], error=row[5]) for row in claimed if not row[4]]
        if len(claimed) < wanted:
            break
    return tuple(leases)


def _claimed(database: Database, connection: Connection, asked: ClaimDue, limit: int) -> list[Any]:
    """Choose due orders, passing over what others have locked, then lease them: in two statements, so that the second names their months."""
    chosen = _chosen(database, connection, asked, limit)
    if not chosen:
        return []
    parked = "attempts >= :attempts_max"
    statement = text(
        f"UPDATE {database.name(database.tables.orders)} SET attempts = attempts + 1, parked = ({parked}),"
        f" error = CASE WHEN {parked} THEN 'parked: claimed ' || attempts || ' times without a commit; last: ' || error ELSE error END,"
        f" lease_token = CASE WHEN {parked} THEN lease_token ELSE lease_token + 1 END,"
        f" lease_until = CASE WHEN {parked} THEN NULL ELSE {_later(database)} END"
        f" WHERE id IN :chosen{database.backend.near('id', chosen)} RETURNING due_at, id, lease_token, attempts, parked, error"
    ).bindparams(bindparam("chosen", expanding=True))
    values = {"attempts_max": asked.attempts_max, "lease_seconds": asked.lease_seconds, "chosen": chosen}
    return sorted(connection.execute(statement, values).fetchall(), key=lambda row: (row[0], row[1]))


def _chosen(database: Database, connection: Connection, asked: ClaimDue, limit: int) -> Sequence[str]:
    backend, orders = database.backend, database.name(database.tables.orders)
    kinds = {f"kind_{n}": kind for n, kind in enumerate(asked.kinds)}
    among = f"AND due_for IN ({', '.join(f':{name}' for name in kinds)})" if kinds else ""
    skip = "FOR UPDATE SKIP LOCKED" if backend.skip_locked else ""
    statement = text(
        f"SELECT id FROM {orders} WHERE due_at <= :now AND due_at IS NOT NULL AND NOT parked"
        f" AND (lease_until IS NULL OR lease_until <= {backend.clock}) {among} ORDER BY due_at, id LIMIT :limit {skip}"
    )
    return connection.execute(statement, {"now": backend.moment(asked.now), "limit": limit, **kinds}).scalars().all()


def give_up(database: Database, connection: Connection, asked: GiveUp) -> None:
    """Free a leased order until its next time, and keep the error with it; one that was not touched is as it was."""
    change = "attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END"  # a change meanwhile began them anew
    values: dict[str, Any] = {"id": asked.lease.order_id, "token": asked.lease.token}
    if (
        asked.retry_at is not None
    ):  # never sooner than the agenda says, for somebody may have changed the order meanwhile
        change = "due_at = CASE WHEN due_at < :retry_at THEN :retry_at ELSE due_at END, error = :error"
        values |= {"retry_at": database.backend.moment(asked.retry_at), "error": asked.error}
    connection.execute(
        text(
            f"UPDATE {database.name(database.tables.orders)} SET lease_until = NULL, {change}"
            " WHERE id = :id AND lease_token = :token AND lease_until IS NOT NULL"
        ),
        values,
    )


def _later(database: Database) -> str:
    if database.backend.name == "sqlite":
        return "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', :lease_seconds || ' seconds')"
    return "clock_timestamp() + make_interval(secs => :lease_seconds)"


# ---- outbox


def take_outbox(database: Database, connection: Connection, asked: TakeOutbox) -> tuple[Record, ...]:
    """Claim unpublished records, never one behind an earlier record that another relay has."""
    backend, records = database.backend, database.name(database.tables.records)
    if backend.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _RELAY_LOCK})
    free = f"(leased_until IS NULL OR leased_until <= {backend.clock})"
    chosen: list[Any] = []
    # Round all orders, on from where the last take ended: nothing starves behind busier orders, and what was published is not passed again.
    for side in (">", "<=") if asked.after else (">",):
        statement = text(
            f"SELECT r.order_id, r.version, r.body FROM {records} AS r"
            f" WHERE NOT published AND {free} AND r.order_id {side} :after"
            f" AND NOT EXISTS (SELECT 1 FROM {records} AS e WHERE e.order_id = r.order_id AND e.version < r.version"
            f" AND NOT e.published AND e.leased_until > {backend.clock})"
            " ORDER BY r.order_id, r.version LIMIT :limit"
        )
        left = asked.limit - len(chosen)
        chosen += connection.execute(statement, {"limit": left, "after": asked.after}).fetchall() if left else []
    if chosen:
        lease = _lease(database, asked.lease_seconds)
        _mark(database, connection, f"leased_until = {lease}", [(row[0], row[1]) for row in chosen])
    return tuple(_readable(chosen))


def _readable(rows: Iterable[Sequence[Any]]) -> Iterator[Record]:
    """Yield the records of each order up to one that cannot be read: its order comes again later, and holds up no other."""
    damaged: set[str] = set()
    for order_id, _, body in rows:
        if order_id not in damaged:
            try:
                yield decode_record(body)
            except UNREADABLE:
                damaged.add(order_id)


def _lease(database: Database, seconds: float) -> str:
    """The end of a lease from now, as SQL; the number is ours, so it stands in the text."""
    if database.backend.name == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', '{float(seconds)} seconds')"
    return f"clock_timestamp() + interval '{float(seconds)} seconds'"


def mark_published(database: Database, connection: Connection, asked: MarkPublished) -> None:
    """Mark records as published; they leave the outbox and stay in the log."""
    if asked.ids:
        true = "true" if database.backend.name == "postgresql" else "1"
        _mark(database, connection, f"published = {true}, leased_until = NULL", asked.ids)


def _mark(database: Database, connection: Connection, change: str, ids: Sequence[tuple[str, int]]) -> None:
    backend, table = database.backend, database.tables.records
    names = ("order_id", "version")
    connection.exec_driver_sql(
        f"UPDATE {database.name(table)} AS r SET {change} FROM {backend.row_set(table, names)}"
        f" WHERE r.order_id = v.order_id AND r.version = v.version{backend.near('r.order_id', [order_id for order_id, _ in ids])}",
        backend.row_parameters(table, names, sorted(ids)),
    )


# ---- inbox


def keep_message(database: Database, connection: Connection, asked: KeepMessage) -> bool:
    """Keep a message once; the answer says whether it is new."""
    message, moment = asked.message, database.backend.moment
    kept = connection.execute(
        text(
            f"INSERT INTO {database.name(database.tables.inbox)}"
            " (source, id, kind, reference, data, received_at, due_at, attempts)"
            " VALUES (:source, :id, :kind, :reference, :data, :received_at, :received_at, :attempts)"
            " ON CONFLICT (source, id) DO NOTHING RETURNING id"
        ),
        {
            "source": message.source,
            "id": message.id,
            "kind": message.kind,
            "reference": message.reference,
            "data": encode_data(message.data),
            "received_at": moment(message.received_at),
            "attempts": message.attempts,
        },
    )
    return kept.first() is not None


def take_messages(database: Database, connection: Connection, asked: TakeMessages) -> tuple[Message, ...]:
    """Take waiting messages that are due, oldest first, and count the attempt."""
    inbox, moment = database.name(database.tables.inbox), database.backend.moment
    skip = "FOR UPDATE SKIP LOCKED" if database.backend.skip_locked else ""
    rows = connection.execute(
        text(
            "WITH chosen AS (SELECT source AS chosen_source, id AS chosen_id"
            f" FROM {inbox} WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY received_at, id LIMIT :limit {skip})"
            f" UPDATE {inbox} SET due_at = :until, attempts = attempts + 1 FROM chosen"
            " WHERE source = chosen_source AND id = chosen_id"
            " RETURNING source, id, kind, reference, data, received_at, attempts"
        ),
        {
            "now": moment(asked.now),
            "limit": asked.limit,
            "until": moment(asked.now + timedelta(seconds=asked.lease_seconds)),
        },
    ).fetchall()
    messages: list[Message] = []
    for row in sorted(rows, key=lambda row: (row[5], row[1])):
        try:
            messages.append(_message(row, database.backend))
        except UNREADABLE:  # it holds up no other, and is left to a person with its note
            given_up = SettleMessage(row[0], row[1], None, "its data cannot be read", row[6])
            settle_message(database, connection, given_up)
    return tuple(messages)


def _message(row: Sequence[Any], backend: Backend) -> Message:
    return Message(
        source=row[0],
        id=row[1],
        kind=row[2],
        reference=row[3],
        data=decode_data(row[4]),
        received_at=backend.instant(row[5]),  # type: ignore[arg-type]  # the column is not null
        attempts=row[6],
    )


def settle_message(database: Database, connection: Connection, asked: SettleMessage) -> None:
    """Mark a message as applied, or as waiting for another time, unless somebody else has taken it."""
    connection.execute(
        text(
            f"UPDATE {database.name(database.tables.inbox)} SET due_at = :due_at, note = :note"
            " WHERE source = :source AND id = :id AND attempts = :attempts"
        ),
        {
            "due_at": database.backend.moment(asked.retry_at),
            "note": asked.note,
            "source": asked.source,
            "id": asked.id,
            "attempts": asked.attempts,
        },
    )
