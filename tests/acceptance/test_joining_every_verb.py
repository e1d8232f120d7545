"""Every verb that writes joins whatever transaction the host has open: after ROLLBACK nothing of it is left, after COMMIT all of it is.

The verbs are found by looking at the shop: one that somebody adds without a story here, or without `tx=`, fails.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import orderkit
from orderkit import Address, AsyncShop, Cart, Order, Policies, Shop, Staged, VirtualClock
from orderkit.domain.events import decided
from orderkit.domain.returns import ReturnPolicy
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from orderkit.plugins.manager import Plugins
from orderkit.ports.carriers import Booked
from orderkit.ports.store import Message
from orderkit.testing.samples import next_commit
from orderkit_sql.schema import Dialect, tables

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
AWAY = Address(name="Anna Schmidt", street="Am Kupfergraben 6", city="Berlin", zip="10117", country="DE")
BOOKED = Booked(carrier="van", tracking_number="VAN-1", tracking_url="https://van.example/1", label_url="label:1")
OPTIONS: dict[str, Any] = {
    "bus": None,
    "notifications": None,
    "documents": None,
    "clock": VirtualClock(NOON),
    "policies": Policies(returns=ReturnPolicy(approval=True)),
}

# What reads, and what works on its own behalf in transactions of its own (it calls providers, which no host's transaction may wait for).
READS = {"order", "orders", "records", "replay", "timeline", "actions", "why", "status", "latest", "stock", "cart_of"}
WORKS = {"advance", "sweep"}


def public_verbs(shop: type) -> dict[str, inspect.Signature]:
    """Return what a shop's public API can be told to do, without the shop's own life and its ways to run flows."""
    found = {}
    for name in dir(shop):
        value = inspect.getattr_static(shop, name)
        if not name.startswith("_") and hasattr(value, "_build"):
            found[name] = inspect.signature(value._build)
    return found


# ---- stories: how an order comes to where the verb has something to do, and what the verb is told

Story = Callable[[Shop], tuple[tuple[Any, ...], Mapping[str, Any]]]


def mugs() -> Cart:
    return Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", 2, "12.50")


def an_order(shop: Shop) -> Order:
    return shop.place(mugs(), "pm_visa")


def shipped(shop: Shop) -> Order:
    order = an_order(shop)
    return shop.ship(order.id, order.shipments[0].id, booked=BOOKED)


def delivered(shop: Shop) -> Order:
    order = shipped(shop)
    return shop.deliver(order.id, order.shipments[0].id)


def asked_back(shop: Shop) -> Order:
    return shop.request_return(delivered(shop).id, {"MUG": 2}, reason="too big")


def authorized(shop: Shop) -> Order:
    order = asked_back(shop)
    return shop.authorize_return(order.id, order.returns[0].id)


def came_in_part(shop: Shop) -> Order:
    order = authorized(shop)
    return shop.receive_return(order.id, order.returns[0].id, {"MUG": 1}, warehouse="berlin")


def with_finding(shop: Shop) -> Order:
    order = an_order(shop)
    shop.store.commit_many([next_commit(order)])
    return shop.order(order.id)


def paid_in_part(shop: Shop) -> Order:
    """A confirmed order of whose money the books have 10.00 only."""
    order = an_order(shop)
    part = evolve(order.payments[0], authorized_minor=1000, captured_minor=1000)
    shop.store.commit_many([next_commit(order, decided(order, payments=(part,)))])
    return shop.order(order.id)


def told(prepare: Callable[[Shop], Order], *arguments: Callable[[Order], Any], **options: Any) -> Story:
    """Return the story of an order to which a verb is told; the arguments after its id are made from it."""

    def story(shop: Shop) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        order = prepare(shop)
        return (order.id, *(argument(order) for argument in arguments)), options

    return story


def shipment(order: Order) -> str:
    return order.shipments[0].id


def return_(order: Order) -> str:
    return order.returns[0].id


def scans(order: Order) -> list[Scan]:
    return [Scan(id="s1", status=CarrierStatus.DELIVERED, at=NOON)]


def held(shop: Shop) -> Order:
    return shop.hold(an_order(shop).id, reason="fraud_review")


def message(shop: Shop) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    name = secrets.token_hex(8)
    kept = Message(source="psp", id=name, kind="payment.x", reference=name, data={}, received_at=NOON)
    return (kept,), {}


STORIES: dict[str, Story] = {
    "place": lambda shop: ((mugs(), "pm_visa"), {"key": secrets.token_hex(8)}),
    "pay": told(lambda shop: shop.place(mugs(), "pm_declined"), lambda order: "pm_visa"),
    "pay what is missing": told(paid_in_part, lambda order: "pm_visa"),
    "cancel": told(an_order, reason="changed_mind"),
    "amend": told(an_order, ship_to=AWAY),
    "hold": told(an_order, reason="fraud_review"),
    "release_hold": told(held, lambda order: order.holds[0].id),
    "refund": told(an_order, lambda order: "1.00", reason="sorry"),
    "release": told(an_order, shipment),
    "ship": told(an_order, shipment, booked=BOOKED),
    "track": told(shipped, shipment, scans),
    "deliver": told(shipped, shipment),
    "refuse": told(an_order, shipment, reason="broken"),
    "request_return": told(delivered, lambda order: {"MUG": 1}, reason="too big"),
    "authorize_return": told(asked_back, return_),
    "decline_return": told(asked_back, return_, reason="worn"),
    "send_return": told(authorized, return_),
    "receive_return": told(authorized, return_, lambda order: {"MUG": 1}, warehouse="berlin"),
    "cancel_return": told(authorized, return_, reason="keeps it"),
    "close_return": told(came_in_part, return_, reason="lost"),
    "attend": told(with_finding, lambda order: order.findings[0]),
    "put_stock": lambda shop: (("MUG", {"madrid": 3}), {}),
    "receive_message": message,
}


@pytest.mark.parametrize("shop", [Shop, AsyncShop])
def test_every_write_is_told_here_and_takes_tx(shop: type) -> None:
    """What is neither a question nor work of the shop's own is a write: it has a story, and a keyword `tx` that is `None` by itself."""
    verbs = public_verbs(shop)
    writes = {name: signature for name, signature in verbs.items() if name not in READS | WORKS}

    assert set(verbs) >= READS | WORKS
    assert set(writes) == {verb.split()[0] for verb in STORIES}
    for signature in writes.values():
        assert signature.parameters["tx"].kind is inspect.Parameter.KEYWORD_ONLY
        assert signature.parameters["tx"].default is None


# ---- the host's transactions


@contextmanager
def sqlalchemy_connection(url: str, *, keep: bool) -> Iterator[sa.Connection]:
    with _engine(url).connect() as connection:
        connection.execute(sa.text("INSERT INTO baskets VALUES (1)"))
        yield connection
        connection.commit() if keep else connection.rollback()


@contextmanager
def sqlalchemy_session(url: str, *, keep: bool) -> Iterator[Session]:
    with Session(_engine(url)) as session:
        session.execute(sa.text("INSERT INTO baskets VALUES (1)"))
        yield session
        session.commit() if keep else session.rollback()


@contextmanager
def psycopg_connection(url: str, *, keep: bool) -> Iterator[Any]:
    import psycopg  # noqa: PLC0415  (only where there is a server)

    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO baskets VALUES (1)")
        yield connection
        connection.commit() if keep else connection.rollback()


@contextmanager
def sqlite_connection(url: str, *, keep: bool) -> Iterator[Any]:
    import sqlite3  # noqa: PLC0415  (beside its only use)

    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("INSERT INTO baskets VALUES (1)")
    yield connection
    connection.commit() if keep else connection.rollback()
    connection.close()


@asynccontextmanager
async def async_connection(url: str, *, keep: bool) -> AsyncIterator[Any]:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  (it needs greenlet)

    engine = create_async_engine(_with_driver(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(sa.text("INSERT INTO baskets VALUES (1)"))
        yield connection
        await (connection.commit() if keep else connection.rollback())


@asynccontextmanager
async def async_session(url: str, *, keep: bool) -> AsyncIterator[Any]:
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine  # noqa: PLC0415  (it needs greenlet)

    async with AsyncSession(create_async_engine(_with_driver(url), poolclass=NullPool)) as session:
        await session.execute(sa.text("INSERT INTO baskets VALUES (1)"))
        yield session
        await (session.commit() if keep else session.rollback())


@asynccontextmanager
async def async_psycopg(url: str, *, keep: bool) -> AsyncIterator[Any]:
    import psycopg  # noqa: PLC0415  (only where there is a server)

    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("INSERT INTO baskets VALUES (1)")
        yield connection
        await (connection.commit() if keep else connection.rollback())


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@cache
def _engine(url: str) -> sa.Engine:
    """Return one engine for all tests, which asks its server only once who it is; it keeps no connection."""
    return sa.create_engine(_with_driver(url), poolclass=NullPool)


# ---- the proof


@pytest.fixture(scope="module")
def postgres_shop(postgres_database: str) -> str:
    """The URL of a store on PostgreSQL with a table of the host beside it."""
    Plugins().migrate_store(postgres_database)
    with sa.create_engine(_with_driver(postgres_database), poolclass=NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE baskets (number integer)"))
    return postgres_database


@pytest.fixture(scope="module")
def sqlite_shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store on SQLite with a table of the host beside it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    Plugins().migrate_store(url)
    with sa.create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE baskets (number integer)"))
    return url


def everything(url: str) -> set[tuple[str, str]]:
    """Return every row of every table of the store and of the host."""
    dialect: Dialect = "sqlite" if url.startswith("sqlite") else "postgresql"
    names = [table.fullname for table in tables(dialect).metadata.sorted_tables]
    with _engine(url).connect() as connection:
        return {
            (name, repr(tuple(row)))
            for name in (*names, "baskets")
            for row in connection.exec_driver_sql(f"SELECT * FROM {name}")
        }


def all_of_it(shop: Shop, verb: str, answer: Any, before: set[tuple[str, str]], after: set[tuple[str, str]]) -> None:
    """Hold what is stored after COMMIT against what the verb has answered."""
    assert after != before
    assert ("baskets", "(1,)") in after
    if isinstance(answer, Order):
        assert isinstance(answer, Staged)
        order = shop.order(answer.id)
        assert (order.version, order.lines, order.shipments) == (answer.version, answer.lines, answer.shipments)
        assert (order.payments, order.refunds, order.returns) == (answer.payments, answer.refunds, answer.returns)
        assert shop.replay(answer.id) == order
    else:
        assert answer == {"put_stock": None, "receive_message": True}[verb]


def emptied(url: str) -> None:
    with _engine(url).begin() as connection:
        connection.execute(sa.text("DELETE FROM baskets"))


@pytest.mark.postgres
@pytest.mark.parametrize("opened", [sqlalchemy_connection, sqlalchemy_session, psycopg_connection])
@pytest.mark.parametrize("verb", sorted(STORIES))
def test_a_verb_lives_and_dies_with_the_hosts_transaction(postgres_shop: str, verb: str, opened: Any) -> None:
    """With each kind of connection that a host may hold on PostgreSQL."""
    lives_and_dies(postgres_shop, verb, opened)


@pytest.mark.parametrize("opened", [sqlalchemy_connection, sqlalchemy_session, sqlite_connection])
@pytest.mark.parametrize("verb", sorted(STORIES))
def test_a_verb_does_the_same_on_sqlite(sqlite_shop: str, verb: str, opened: Any) -> None:
    """With each kind of connection that a host may hold on SQLite."""
    lives_and_dies(sqlite_shop, verb, opened)


def lives_and_dies(url: str, verb: str, opened: Any) -> None:
    """Call the verb in a transaction that is rolled back, and in one that is committed."""
    with orderkit.open(url, **OPTIONS) as shop:
        shop.put_stock("MUG", {"berlin": 20})
        arguments, options = STORIES[verb](shop)
        emptied(url)
        before = everything(url)
        with opened(url, keep=False) as tx:
            getattr(shop, verb.split(maxsplit=1)[0])(*arguments, **options, tx=tx)
        assert everything(url) == before
        with opened(url, keep=True) as tx:
            answer = getattr(shop, verb.split(maxsplit=1)[0])(*arguments, **options, tx=tx)
        all_of_it(shop, verb, answer, before, everything(url))


@pytest.mark.postgres
@pytest.mark.parametrize("opened", [async_connection, async_session, async_psycopg])
@pytest.mark.parametrize("verb", sorted(STORIES))
async def test_a_verb_does_the_same_on_an_event_loop(postgres_shop: str, verb: str, opened: Any) -> None:
    """The async shop joins async connections."""
    with orderkit.open(postgres_shop, **OPTIONS) as shop:
        shop.put_stock("MUG", {"berlin": 20})
        arguments, options = STORIES[verb](shop)
        emptied(postgres_shop)
        before = everything(postgres_shop)
        async with await orderkit.open_async(postgres_shop, **OPTIONS) as other:
            async with opened(postgres_shop, keep=False) as tx:
                await getattr(other, verb.split(maxsplit=1)[0])(*arguments, **options, tx=tx)
            assert everything(postgres_shop) == before
            async with opened(postgres_shop, keep=True) as tx:
                answer = await getattr(other, verb.split(maxsplit=1)[0])(*arguments, **options, tx=tx)
        all_of_it(shop, verb, answer, before, everything(postgres_shop))


def test_a_message_that_was_kept_waits_for_a_worker(sqlite_shop: str, tmp_path: Path) -> None:
    """In the host's transaction no provider is asked: the message is applied by the inbox's worker after the COMMIT."""
    with orderkit.open(f"sqlite:///{tmp_path}/shop.db", **OPTIONS) as shop:
        shop.put_stock("MUG", {"berlin": 20})
        order = shipped(shop)
        scan = {"status": "delivered", "at": NOON.isoformat()}
        kept = Message(source="van", id="m1", kind="shipment.scan", reference="VAN-1", data=scan, received_at=NOON)
        with sqlalchemy_connection_to(f"sqlite:///{tmp_path}/shop.db") as tx:
            fresh = shop.receive_message(kept, tx=tx)
        state = shop.order(order.id).shipments[0].state
        swept = shop.sweep(roles=("inbox",))

        assert fresh is True
        assert state == "shipped"
        assert swept.messages == 1
        assert shop.order(order.id).shipments[0].state == "delivered"


@contextmanager
def sqlalchemy_connection_to(url: str) -> Iterator[sa.Connection]:
    with sa.create_engine(url, poolclass=NullPool).begin() as connection:
        yield connection
