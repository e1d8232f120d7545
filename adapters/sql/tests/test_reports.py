"""Ten questions of an analyst, asked in plain SQL on both databases, have the answers that the shop itself gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

import orderkit
from orderkit import Address, Cart, Order, OrderQuery, Shop, VirtualClock
from orderkit.domain.money import EXPONENTS, exponent
from orderkit.domain.quantities import Bucket
from orderkit.domain.status import word
from orderkit.plugins.manager import Plugins
from orderkit.ports.carriers import Booked
from orderkit_sql.reports import VIEWS, dialect_of, report_name
from orderkit_sql.schema import Dialect, tables

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
WIEN = Address(name="Ben Bauer", street="Ring 1", city="Wien", zip="1010", country="AT")


@attrs.frozen
class Case:
    """A shop with a month of orders, its orders as the API tells them, and a way to ask in SQL."""

    shop: Shop
    url: str
    orders: tuple[Order, ...]

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Ask; `{orders}` and the others are the views' names."""
        dialect: Dialect = "sqlite" if self.url.startswith("sqlite") else "postgresql"
        names = {view: report_name(tables(dialect), view) for view in VIEWS}
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(question.format(**names))]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Orders in three currencies and all states: paid, declined, cancelled in part, shipped, delivered, returned."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('reports') / 'shop.db'}"
    else:
        url = request.getfixturevalue("make_postgres_database")()
    Plugins().migrate_store(url)
    clock = VirtualClock(NOON)
    with orderkit.open(url, bus=None, notifications=None, documents=None, clock=clock) as shop:
        for sku in ("MUG", "TEE"):
            shop.put_stock(sku, {"berlin": 50, "madrid": 50})
        _month(shop, clock)
        page = shop.orders(OrderQuery(limit=100))
        yield Case(shop, url, tuple(shop.order(row.id) for row in reversed(page.items)))


def cart(customer: str, currency: str = "EUR", *, to: Address = HOME, tees: int = 0) -> Cart:
    price = {"EUR": "12.50", "JPY": "900", "KWD": "1.255"}[currency]
    made = Cart(customer=customer, ship_to=to, currency=currency).add("MUG", 2, price, name="Mug", tax="1")
    if tees:
        made = made.add("TEE", tees, price, name="T-shirt")
    return made.charged("parcel", "4")


def _month(shop: Shop, clock: VirtualClock) -> None:
    """Let a month pass in the shop."""

    def shipped(order: Order, number: str) -> Order:
        booked = Booked(carrier="van", tracking_number=number, tracking_url="", label_url="")
        for shipment in order.shipments:
            order = shop.ship(order.id, shipment.id, booked=booked)
        return order

    def delivered(order: Order, number: str) -> Order:
        order = shipped(order, number)
        clock.set(clock.now() + timedelta(days=2))
        for shipment in order.shipments:
            order = shop.deliver(order.id, shipment.id)
        return order

    shop.place(cart("anna", tees=3), "pm_visa", key="checkout-1")
    clock.set(NOON + timedelta(days=1))
    shop.place(cart("ben", to=WIEN), "pm_declined", key="checkout-2")
    part = shop.place(cart("ben", "KWD", tees=2), "pm_visa")
    shop.cancel(part.id, {"TEE": 1}, reason="changed_mind")
    shop.cancel(shop.place(cart("cleo"), "pm_visa").id, reason="too late")
    shipped(shop.place(cart("cleo", "JPY", to=WIEN, tees=1), "pm_visa"), "VAN-1")
    back = delivered(shop.place(cart("anna", tees=2), "pm_visa"), "VAN-2")
    back = shop.request_return(back.id, {"TEE": 1, "MUG": 1}, reason="too big")
    back = shop.receive_return(back.id, back.returns[0].id, {"TEE": 1}, warehouse="berlin")
    delivered(shop.place(cart("dora", "KWD"), "pm_visa"), "VAN-3")
    shop.refund(shop.place(cart("dora"), "pm_visa").id, "2.00", reason="sorry")


def major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-exponent(currency))


def same(told: Any, wanted: Any) -> bool:
    """Whether SQL says the same: exactly on PostgreSQL, within a float's reach on SQLite."""
    return bool(told == wanted if isinstance(told, Decimal) else told == pytest.approx(float(wanted)))


def test_revenue_by_month_and_currency(case: Case) -> None:
    """What was ordered and not cancelled, in the currency's own unit."""
    month = "to_char(placed_at, 'YYYY-MM')" if case.url.startswith("postgresql") else "substr(placed_at, 1, 7)"
    found = case.ask(
        f"SELECT {month}, currency, sum(total_minor), sum(total) FROM {{orders}} WHERE status <> 'cancelled' GROUP BY 1, 2"
    )
    wanted: Counter[tuple[str, str]] = Counter()
    for order in case.orders:
        if word(order) != "cancelled":
            wanted[f"{order.placed_at:%Y-%m}", order.currency] += order.total_minor

    assert {row[:2]: row[2] for row in found} == dict(wanted)
    assert all(same(row[3], major(row[2], row[1])) for row in found)


def test_orders_by_status(case: Case) -> None:
    """How many are where."""
    found = case.ask("SELECT status, count(*) FROM {orders} GROUP BY status")

    assert dict(found) == Counter(word(order) for order in case.orders)
    assert len(found) >= 6


def test_the_money_of_an_order_adds_up(case: Case) -> None:
    """Subtotal, discount, tax, shipping, fees and total are those of the frozen prices."""
    found = case.ask(
        "SELECT id, subtotal_minor, discount_minor, tax_minor, shipping_minor, fees_minor, total_minor, refunded_minor FROM {orders}"
    )

    assert {row[0]: tuple(row[1:]) for row in found} == {
        order.id: (
            *(order.facts.prices.subtotal_minor, order.facts.prices.discount_minor, order.facts.prices.tax_minor),
            *(order.facts.prices.shipping_minor, order.facts.prices.fee_minor),
            *(order.total_minor, order.refunded_minor),
        )
        for order in case.orders
    }


def test_best_sellers(case: Case) -> None:
    """Units sold by SKU, less what was cancelled and came back."""
    found = case.ask("SELECT sku, sum(quantity - cancelled - returned) FROM {order_items} GROUP BY sku")
    wanted: Counter[str] = Counter()
    for order in case.orders:
        for line in order.lines:
            back = (
                line[Bucket.RETURN_RECEIVED]
                + line[Bucket.RESTOCKED]
                + line[Bucket.QUARANTINED]
                + line[Bucket.WRITTEN_OFF]
            )
            wanted[line.sku] += line.ordered - line[Bucket.CANCELLED] - back

    assert dict(found) == dict(wanted)


def test_items_have_their_prices_and_shipments(case: Case) -> None:
    """Each line with its name, unit price, total, and the shipments it travels in."""
    found = case.ask(
        "SELECT order_id, line, sku, name, quantity, unit_price_minor, total_minor, shipments FROM {order_items}"
    )
    wanted = {
        (order.id, line.number): (
            *(line.sku, line.name, line.quantity, line.unit_price_minor),
            next(price.payable_minor for price in order.facts.prices.lines if price.line == line.number),
            ", ".join(s.id for s in order.shipments if any(number == line.number for number, _ in s.lines)) or None,
        )
        for order in case.orders
        for line in order.facts.lines
    }

    assert {tuple(row[:2]): tuple(row[2:]) for row in found} == wanted
    statuses = dict(case.ask("SELECT status, count(*) FROM {order_items} GROUP BY status"))
    assert {"placed", "cancelled", "shipped", "delivered", "returned"} & set(statuses) >= {"cancelled", "delivered"}


def test_time_from_order_to_door_by_warehouse(case: Case) -> None:
    """Delivered shipments, how long each took."""
    days = (
        "extract(epoch FROM delivered_at - placed_at) / 86400"
        if case.url.startswith("postgresql")
        else "julianday(delivered_at) - julianday(placed_at)"
    )
    found = case.ask(f"SELECT order_id, warehouse, {days} FROM {{shipments}} WHERE status = 'delivered'")
    wanted = {
        (order.id, shipment.warehouse): (shipment.delivered_at - order.placed_at).total_seconds() / 86_400
        for order in case.orders
        for shipment in order.shipments
        if shipment.delivered_at is not None
    }

    assert {row[:2]: float(row[2]) for row in found} == pytest.approx(wanted)
    assert len(found) >= 2


def test_a_parcel_by_its_tracking_number(case: Case) -> None:
    """Customer service has a number and wants the order and what is in the parcel."""
    found = case.ask(
        "SELECT s.order_id, i.sku, i.quantity FROM {shipments} AS s JOIN {shipment_items} AS i"
        " ON i.order_id = s.order_id AND i.shipment_id = s.id WHERE s.tracking_number = 'VAN-1'"
    )
    page = case.shop.orders(OrderQuery(tracking_number="VAN-1"))
    order = case.shop.order(page.items[0].id)

    assert sorted(found) == sorted(
        (order.id, order.line(number).sku, units) for shipment in order.shipments for number, units in shipment.lines
    )


def test_who_did_what_when(case: Case) -> None:
    """The log of each order, with its steps between words, equals what the API reads."""
    found = case.ask("SELECT order_id, version, from_status, to_status, actor, reason, command FROM {order_state_log}")
    wanted = {
        (
            *(record.order_id, record.version, record.from_status, record.to_status),
            *(record.stamp.actor, record.stamp.reason, record.stamp.command),
        )
        for order in case.orders
        for record in case.shop.records(order.id)
    }
    changed = case.ask("SELECT count(*) FROM {order_state_log} WHERE changed")

    assert set(found) == wanted
    assert changed == [(sum(1 for row in wanted if row[2] != row[3]),)]


def test_returns_and_what_they_cost(case: Case) -> None:
    """Each return with its reason, state, units and the money it gave back; refunds by kind."""
    found = case.ask("SELECT order_id, id, customer, status, refund_minor, reason, units, received FROM {returns}")
    refunds = case.ask("SELECT kind, count(*), sum(total_minor) FROM {refunds} GROUP BY kind")
    wanted_refunds: defaultdict[str, list[int]] = defaultdict(list)
    for order in case.orders:
        for refund in order.refunds:
            wanted_refunds[refund.kind].append(refund.total_minor)

    assert found == [
        (
            *(order.id, value.id, order.facts.customer, value.state),
            sum(refund.total_minor for refund in order.refunds if refund.return_id == value.id),
            *("too big", sum(item.quantity for item in value.items), sum(item.received for item in value.items)),
        )
        for order in case.orders
        for value in order.returns
    ]
    assert found[0][4] > 0
    assert {row[0]: row[1:] for row in refunds} == {
        kind: (len(amounts), sum(amounts)) for kind, amounts in wanted_refunds.items()
    }


def test_customers_by_country_and_payment(case: Case) -> None:
    """Where orders go, how they were paid, and which checkout made them."""
    found = case.ask(
        "SELECT id, customer, ship_to_country, ship_to_city, payment_method, payment_status, idempotency_key FROM {orders}"
    )
    keys = {"checkout-1": "anna", "checkout-2": "ben"}

    assert {row[:6] for row in found} == {
        (
            *(order.id, order.facts.customer, order.facts.ship_to.country, order.facts.ship_to.city),
            *(", ".join(payment.method for payment in order.payments), _payment(case.shop, order)),
        )
        for order in case.orders
    }
    assert {row[6]: row[1] for row in found if row[6]} == keys


def _payment(shop: Shop, order: Order) -> str:
    return next(row.payment_status for row in shop.orders(OrderQuery(limit=100)).items if row.id == order.id)


def test_payments_as_the_provider_has_them(case: Case) -> None:
    """Authorized, captured and refunded by payment, in the currency's own unit."""
    found = case.ask("SELECT id, currency, captured_minor, captured, refunded FROM {payments}")
    wanted = {
        payment.id: (order.currency, payment.captured_minor, payment.refunded_minor)
        for order in case.orders
        for payment in order.payments
    }

    assert {row[0]: row[2] for row in found} == {name: captured for name, (_, captured, _) in wanted.items()}
    assert all(same(row[3], major(wanted[row[0]][1], row[1])) for row in found)
    assert all(same(row[4], major(wanted[row[0]][2], row[1])) for row in found)


def test_every_currency_has_its_decimals(case: Case) -> None:
    """12,345 minor units are 123.45 euros, 12,345 yen and 12.345 dinars, in SQL as in Python."""
    sql = dialect_of(tables("sqlite" if case.url.startswith("sqlite") else "postgresql"))
    found = dict(
        case.ask(" UNION ALL ".join(f"SELECT '{code}', {sql.major('12345', repr(code))}" for code in EXPONENTS))
    )

    assert set(found) == set(EXPONENTS)
    assert [code for code, amount in found.items() if not same(amount, major(12_345, code))] == []


def test_a_column_that_is_not_asked_for_costs_nothing(case: Case) -> None:
    """The plan of a simple question reads no document and joins no keys."""
    if not case.url.startswith("postgresql"):
        pytest.skip("SQLite says less of its plans")
    plan = "\n".join(
        str(row[0]) for row in case.ask("EXPLAIN (VERBOSE) SELECT status, count(*) FROM {orders} GROUP BY 1")
    )

    assert "keys" not in plan
    assert "document" not in plan
