"""A verb joins the transaction that the host has open: it happens with the host's COMMIT or not at all, and no provider is called inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import orderkit
from orderkit import Address, Cart, FlowMisused, Misconfigured, OrderQuery, Shop, Staged
from orderkit.domain.status import word
from orderkit.plugins.manager import Plugins

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = request.getfixturevalue("make_postgres_database")()
    Plugins().migrate_store(url)
    return url


@pytest.fixture
def shop(store_url: str) -> Iterator[Shop]:
    """A shop with ten mugs."""
    with orderkit.open(store_url, bus=None, notifications=None, documents=None) as found:
        found.put_stock("MUG", {"berlin": 10})
        yield found


@pytest.fixture
def host(store_url: str) -> Iterator[sa.Engine]:
    """The host's own engine on the same database, with a table of its own."""
    engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE baskets (name TEXT)"))
    yield engine
    engine.dispose()


def mugs(units: int = 3) -> Cart:
    """Return a cart of mugs."""
    return Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", units, "12.50")


def test_a_rollback_leaves_nothing(shop: Shop, host: sa.Engine) -> None:
    """Neither the host's row nor the order, its key, its stock or its charge."""
    with host.connect() as connection:
        connection.execute(sa.text("INSERT INTO baskets VALUES ('anna')"))
        staged = shop.place(mugs(), "pm_visa", key="k", tx=connection)
        assert isinstance(staged, Staged)
        assert word(staged) == "placed"
        connection.rollback()

    assert shop.orders(OrderQuery()).items == ()
    assert [(s.on_hand, s.reserved) for s in shop.stock("MUG")] == [(10, 0)]
    assert word(shop.place(mugs(), "pm_visa", key="k")) == "payment_confirmed"


def test_a_commit_is_picked_up_by_a_worker(shop: Shop, host: sa.Engine) -> None:
    """After the host's COMMIT a sweep charges once, and the order is confirmed."""
    with host.begin() as connection:
        connection.execute(sa.text("INSERT INTO baskets VALUES ('anna')"))
        staged = shop.place(mugs(), "pm_visa", key="k", tx=connection)

    swept = shop.sweep(roles=("sagas",))

    assert swept.claimed == 1
    found = shop.order(staged.id)
    assert (word(found), found.captured_minor) == ("payment_confirmed", 3750)


def test_a_session_is_a_transaction_too(shop: Shop, host: sa.Engine) -> None:
    """An ORM session's transaction is joined like a connection's; advance goes on at once."""
    with Session(host) as session, session.begin():
        staged = shop.place(mugs(), "pm_visa", tx=session)

    assert word(shop.advance(staged.id)) == "payment_confirmed"


def test_a_refusal_keeps_the_hosts_rows(shop: Shop, host: sa.Engine) -> None:
    """A rule that says no undoes the verb alone; what the host wrote before can still be committed."""
    order = shop.place(mugs(), "pm_visa")
    with host.begin() as connection:
        connection.execute(sa.text("INSERT INTO baskets VALUES ('anna')"))
        with pytest.raises(orderkit.NotAllowed):
            shop.cancel(order.id, {"MUG": 9}, reason="less", tx=connection)

    with host.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM baskets")).scalar_one() == 1
    assert shop.order(order.id) == order


def test_out_of_stock_leaves_the_transaction_usable(shop: Shop, host: sa.Engine) -> None:
    """The order is stored as cancelled with the host's own row."""
    with host.begin() as connection:
        staged = shop.place(mugs(99), "pm_visa", tx=connection)
        connection.execute(sa.text("INSERT INTO baskets VALUES ('anna')"))

    assert word(shop.order(staged.id)) == "cancelled"


def test_nothing_leaves_the_process_inside(shop: Shop, host: sa.Engine) -> None:
    """Booking a parcel inside the host's transaction is refused with the way out."""
    order = shop.place(mugs(), "pm_visa")
    with host.begin() as connection, pytest.raises(FlowMisused) as caught:
        shop.ship(order.id, order.shipments[0].id, tx=connection)

    assert "booked=" in caught.value.remedy


def test_autocommit_is_refused(shop: Shop, host: sa.Engine) -> None:
    """A connection that commits by itself is no transaction."""
    with (
        host.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(Misconfigured) as caught,
    ):
        shop.place(mugs(), "pm_visa", tx=connection)

    assert caught.value.code == "autocommit_refused"
