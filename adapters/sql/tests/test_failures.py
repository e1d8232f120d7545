"""Connections that are lost: before COMMIT nothing was applied and the work is done again; at COMMIT the store finds out what became of it.

A wire between the store and a real PostgreSQL is cut at the very moment.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs
import pytest

from orderkit.errors import Misconfigured, OrderkitError, PortError
from orderkit.ports.store import (
    Committed,
    DuplicateKey,
    KeyClaim,
    OutOfStock,
    PutStock,
    ReadRecords,
    ReadStock,
    StockLevel,
)
from orderkit.testing.samples import a_commit, goods, next_commit, paid
from orderkit_sql import SqlStore, open_async_store, open_store
from orderkit_sql.failures import Attempts, Fault, fault_of
from tests.drivers import needs_psycopg

CLAIM = KeyClaim(principal="shop", operation="place", key="checkout-7f3a", fingerprint="f1")

pytestmark = pytest.mark.postgres


class Wire:
    """A wire to a server that can be cut when the client says COMMIT: before the server hears it, or before the client hears back."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts: list[str] = []
        self.dead = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                if self.dead:
                    client.close()
                    continue
                threading.Thread(
                    target=self._carry, args=(client, socket.create_connection(self._target)), daemon=True
                ).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Carry what either says to the other, until one of them ends or the wire is cut."""
        with suppress(OSError), selectors.DefaultSelector() as ends:
            ends.register(client, selectors.EVENT_READ)
            ends.register(server, selectors.EVENT_READ)
            while self._carried([key.fileobj for key, _ in ends.select()], client, server):
                pass
        for end in (client, server):
            end.close()

    def _carried(self, speaking: list[Any], client: socket.socket, server: socket.socket) -> bool:
        for source, target in ((client, server), (server, client)):
            if source not in speaking:
                continue
            data = source.recv(65_536)
            cut = self.cuts.pop(0) if source is client and self.cuts and b"COMMIT\0" in data else None
            if not data or cut == "before":
                return False
            target.sendall(data)
            if cut == "after":
                server.recv(65_536)  # the server has answered, so it is durable; the client never hears it
                return False
        return True

    def close(self) -> None:
        self._listener.close()


@attrs.frozen
class Cut:
    """A store behind the wire, and the same store on its own."""

    wire: Wire
    store: SqlStore
    direct: SqlStore
    address: str


@pytest.fixture
def cut(postgres_database: str) -> Iterator[Cut]:
    parts = urlsplit(postgres_database)
    wire = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
    user = parts.netloc.rpartition("@")[0]
    options = f"schema=shop_{secrets.token_hex(4)}&sslmode=disable"
    address = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{wire.port}", query=options))
    with (
        closing(open_store(urlunsplit(parts._replace(query=options)), create=True)) as direct,
        closing(open_store(address)) as store,
    ):
        direct.put_stock_many([goods("r1", "MUG", "berlin", 2)])
        yield Cut(wire, store, direct, address)
    wire.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_found_out(cut: Cut, where: str) -> None:
    """Whether the server heard COMMIT or not, the answer is the truth: one order, its key its own, two units promised once."""
    cut.wire.cuts.append(where)
    commit = a_commit("order-1", {"MUG": 2}, key=CLAIM)

    assert cut.store.commit_many([commit]) == [Committed(1)]
    assert cut.wire.cuts == []
    assert cut.direct.load_many(["order-1"]) == [commit.after]
    assert cut.direct.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 2, 2, 2),)
    assert cut.direct.read_records(ReadRecords("order-1")) == (commit.record,)


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_batch_whose_answer_was_lost_has_the_same_answers(cut: Cut, where: str) -> None:
    """Refusals stay refusals, and what was written is recognized: a change of a stored order, a repeated key, an empty shelf."""
    first = a_commit("order-1", {"MUG": 1})
    cut.direct.commit_many([first])
    batch = [
        paid(first.after),
        a_commit("order-2", {"MUG": 1}, key=CLAIM),
        a_commit("order-3", {"MUG": 1}),
        a_commit("order-4", {"MUG": 1}, key=CLAIM),
    ]
    cut.wire.cuts.append(where)

    assert cut.store.commit_many(batch) == [
        Committed(2),
        Committed(1),
        OutOfStock((("MUG", "berlin"),)),
        DuplicateKey("order-2", "f1"),
    ]
    assert cut.direct.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 2, 2, 2),)


async def test_a_lost_commit_is_found_out_on_an_event_loop(cut: Cut) -> None:
    """The async store does the same."""
    store = open_async_store(cut.address)
    cut.wire.cuts += ["after", "before"]
    commit = a_commit("order-1", {"MUG": 2}, key=CLAIM)
    answers = await store.commit_many([commit])
    await store.close()

    assert answers == [Committed(1)]
    assert cut.direct.read_records(ReadRecords("order-1")) == (commit.record,)


def test_who_cannot_find_out_says_so(cut: Cut) -> None:
    """The server is gone for good after COMMIT: the outcome is unknown, and the same request may be sent again, as it here can be."""
    commit = a_commit("order-1", {"MUG": 2}, key=CLAIM)
    cut.store.load_many(["order-1"])
    cut.wire.cuts.append("after")
    cut.wire.dead = True
    with pytest.raises(PortError) as failure:
        cut.store.commit_many([commit])
    cut.wire.dead = False

    assert (failure.value.code, failure.value.outcome, failure.value.retryable) == ("commit_unknown", "unknown", True)
    assert cut.store.commit_many([commit]) == [DuplicateKey("order-1", "f1")]


def test_a_server_that_went_away_and_came_back_is_not_noticed(cut: Cut) -> None:
    """Every idle connection is cut by the server: the next call opens another one."""
    cut.store.load_many(["order-1"])
    with cut.direct._engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    assert cut.store.load_many(["order-1"]) == [None]
    assert cut.store.commit_many([a_commit("order-1", {"MUG": 2})]) == [Committed(1)]


def test_a_lock_that_somebody_holds_too_long_is_reported(cut: Cut) -> None:
    """Nothing was applied, and the caller may come back; afterwards the same commit goes through."""
    commit = a_commit("order-1", {"MUG": 1})
    schema = cut.direct.database.tables.schema
    impatient = open_store(cut.address.replace(f":{cut.wire.port}", f":{cut.wire._target[1]}") + "&lock_timeout=0.2")
    with closing(impatient) as store:
        with cut.direct._engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT 1 FROM {schema}.stock FOR UPDATE")
            with pytest.raises(PortError) as failure:
                store.commit_many([commit])

        assert (failure.value.code, failure.value.outcome) == ("store_unavailable", "not_applied")
        assert store.commit_many([commit]) == [Committed(1)]


def test_of_two_that_write_one_new_order_at_once_one_conflicts(cut: Cut) -> None:
    """The same id from many callers: one is stored, the others learn its version, whichever insert the database let through."""
    commits = [a_commit("order-1", {"MUG": 1}, customer=f"customer-{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda commit: cut.direct.commit_many([commit])[0], commits))

    assert Counter(type(answer).__name__ for answer in answers) == {"Committed": 1, "VersionConflict": 7}
    assert cut.direct.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 2, 1, 2),)


def test_a_value_that_cannot_be_stored_harms_no_neighbor(cut: Cut) -> None:
    """A customer's name with a NUL, a quantity beyond all columns: an error for that element, the others are stored."""
    nul = a_commit("order-1", {"MUG": 1}, customer="an\0na")
    last = a_commit("order-3", {"MUG": 1})
    refused, stored = cut.direct.commit_many([nul, last])

    assert isinstance(refused, OrderkitError)
    assert (refused.code, refused.outcome) == ("internal", "not_applied")
    assert stored == Committed(1)
    assert cut.direct.commit_many([next_commit(last.after)]) == [Committed(2)]


@pytest.mark.parametrize("wrong", [goods("r9", "M\0UG", "berlin", 1), goods("r9", "TEE", "\udcff", 1)])
def test_a_delivery_that_cannot_be_stored_harms_no_neighbor(cut: Cut, wrong: PutStock) -> None:
    """A SKU with a NUL, a warehouse that UTF-8 does not hold: an error for that delivery, the others are on their shelves, once."""
    first, last = (goods(f"more-{n}", "MUG", "berlin", 5) for n in range(2))
    before = cut.direct.read_stock(ReadStock())[0].on_hand
    answers = cut.direct.put_stock_many([first, wrong, last])

    assert (answers[0], answers[2]) == (None, None)
    assert isinstance(answers[1], OrderkitError)
    assert (answers[1].code, answers[1].outcome) == ("internal", "not_applied")
    assert cut.direct.put_stock_many([first]) == [None]
    assert [level.on_hand for level in cut.direct.read_stock(ReadStock())] == [before + 10]


@needs_psycopg
def test_a_unit_of_work_is_not_tried_forever() -> None:
    """After some tries the failure is raised; each pause is longer than half the one before could be."""
    attempts = Attempts(tries_max=4)
    lost = _lost()
    pauses = [attempts.after(lost, committing=False) for _ in range(3)]
    with pytest.raises(PortError) as failure:
        attempts.after(lost, committing=False)

    assert failure.value.code == "store_unavailable"
    assert all(0 < pause < 1 for pause in pauses)


@needs_psycopg
@pytest.mark.parametrize("state", ["40P01", "42501", "57014"])
def test_after_a_lost_commit_nobody_says_that_nothing_was_applied(state: str) -> None:
    """Whatever the later tries die of, a race, a right that is gone, a time-out: the first COMMIT may have been done."""
    from psycopg.errors import lookup  # noqa: PLC0415  (an extra)
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  (only where it is used)

    attempts = Attempts(tries_max=2)
    attempts.after(_lost(), committing=True)
    with pytest.raises(PortError) as failure:
        attempts.after(DBAPIError("SELECT 1", None, lookup(state)("no")), committing=False)

    assert (failure.value.code, failure.value.outcome) == ("commit_unknown", "unknown")


def _lost() -> Exception:
    from psycopg import OperationalError  # noqa: PLC0415  (an extra)
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  (only where it is used)

    error = DBAPIError(
        "SELECT 1", None, OperationalError("server closed the connection unexpectedly"), connection_invalidated=True
    )
    assert fault_of(error) is Fault.LOST
    return error


def test_statements_that_a_pooler_lost_are_a_fault_of_the_setup(postgres_database: str) -> None:
    """Another connection of the server's knows none of what was prepared: the error says which option leaves that off."""
    address = urlunsplit(urlsplit(postgres_database)._replace(query=f"schema=shop_{secrets.token_hex(4)}&pool_size=1"))
    with closing(open_store(address, create=True)) as store:
        for _ in range(6):
            store.load_many(["order-1"])
        with store._single.connect() as connection:  # behind the driver's back, as a pooler does it
            connection.exec_driver_sql("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
        with pytest.raises(Misconfigured) as refusal:
            store.load_many(["order-1"])

    assert (refusal.value.code, refusal.value.outcome) == ("misconfigured", "not_applied")
    assert "prepare=no" in refusal.value.remedy
