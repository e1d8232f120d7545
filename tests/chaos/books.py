"""What has to be true after an attack, whatever it was: held against the acknowledgments that clients got and the provider's own book."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import attrs
from sqlalchemy import text

from orderkit.domain.order import Order
from orderkit.ports.store import FindKey, ReadStock
from orderkit_fakepsp.book import Book
from orderkit_fakepsp.provider import FakePayments
from orderkit_sql import open_store
from orderkit_sql.store import SqlStore

PAGE = 200
MONEY = "'move_money', 'ask_payment', 'expire_reservation'"


@attrs.define
class Books:
    """The findings; each is empty when all is well."""

    orders: int = 0
    lost: list[str] = attrs.Factory(list)
    duplicates: list[str] = attrs.Factory(list)
    money: list[str] = attrs.Factory(list)
    stock: list[str] = attrs.Factory(list)
    log: list[str] = attrs.Factory(list)
    unended: list[str] = attrs.Factory(list)

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Everything that is wrong, by kind."""
        found = attrs.asdict(self)
        return {kind: findings[:5] for kind, findings in found.items() if kind != "orders" and findings}


def acknowledged(acks: Path) -> dict[str, str]:
    """Return the order of each key that was answered."""
    lines = acks.read_text(encoding="utf-8").splitlines() if acks.exists() else []
    return {key: order_id for key, order_id, *_ in map(str.split, lines)}


def examined(store_url: str, psp: Path, acks: Path) -> Books:
    """Hold the store against the acknowledgments, the provider's book, and itself."""
    books = Books()
    with closing(open_store(store_url)) as store, closing(FakePayments(Book(psp))) as provider:
        ids = _ids(store)
        orders = {order.id: order for page in _pages(ids) for order in store.load_many(page) if order is not None}
        books.orders = len(orders)
        _keys(books, store, acknowledged(acks), orders)
        _money(books, provider, orders)
        _stock(books, store, orders.values())
        books.log += [str(finding) for finding in store.verify_log()]
        books.unended += [
            order.id for order in orders.values() if order.sagas or any(o.open for _, o in order.operations())
        ]
    return books


def _ids(store: SqlStore) -> list[str]:
    with store._engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT id FROM {store.database.name(store.database.tables.orders)} ORDER BY id")
        )
        return [row[0] for row in rows]


def _pages(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + PAGE] for start in range(0, len(names), PAGE))


def _keys(books: Books, store: SqlStore, acks: dict[str, str], orders: dict[str, Order]) -> None:
    """Every acknowledged key stands for the order that was told, and no order is without a key of its own."""
    for page in _pages(list(acks)):
        for key, known in zip(page, store.find_keys([FindKey("shop", "place", key) for key in page]), strict=True):
            if known is None or known.order_id != acks[key] or acks[key] not in orders:
                books.lost.append(f"{key}: told {acks[key]}, stored {known}")
    with store._engine.connect() as connection:
        name = store.database.name(store.database.tables.keys)
        claims = Counter(
            row[0] for row in connection.execute(text(f"SELECT order_id FROM {name} WHERE operation = 'place'"))
        )
    books.duplicates += [f"{order_id} has {claims[order_id]} keys" for order_id in orders if claims[order_id] != 1]


def _money(books: Books, provider: FakePayments, orders: dict[str, Order]) -> None:
    """What the provider moved is what the orders say, to the cent, and nothing was taken twice or for nobody."""
    totals = provider.totals()
    for order in orders.values():
        for payment in order.payments:
            found = totals.pop(payment.id, None)
            moved = (found.captured_minor, found.refunded_minor) if found else (0, 0)
            if moved != (payment.captured_minor, payment.refunded_minor) or moved[0] > payment.amount_minor:
                books.money.append(f"{payment.id}: {payment.captured_minor}/{payment.refunded_minor}, provider {moved}")
        if order.state == "cancelled" and order.captured_minor != order.refunded_minor:
            books.money.append(f"{order.id} is cancelled and keeps money")
    books.money += [f"{name}: charged, but there is no such order" for name in totals]


def _stock(books: Books, store: SqlStore, orders: Iterable[Order]) -> None:
    """What is promised of each shelf is what the orders wait for, and what left is what was shipped."""
    promised: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    for order in orders:
        for shipment in order.shipments:
            for number, units in shipment.lines:
                (promised if shipment.waiting else left)[order.line(number).sku, shipment.warehouse] += units
    for level in store.read_stock(ReadStock()):
        place = (level.sku, level.warehouse)
        if level.reserved != promised[place] or level.on_hand + left[place] != level.received:
            books.stock.append(f"{place}: {level}, orders wait for {promised[place]}, {left[place]} left")


def settled(store_url: str, *, messages: bool = False, seconds: float = 120.0) -> None:
    """Wait until no order waits for money, no record for a relay, and, if asked, no message to be tried; give up when nothing moves."""
    give_up_at, least = time.monotonic() + seconds, 0
    with closing(open_store(store_url)) as store:
        name, tables = store.database.name, store.database.tables
        questions = [
            f"SELECT count(*) FROM {name(tables.orders)} WHERE due_for IN ({MONEY})",
            f"SELECT count(*) FROM {name(tables.records)} WHERE NOT published",
            *([f"SELECT count(*) FROM {name(tables.inbox)} WHERE due_at IS NOT NULL"] if messages else []),
        ]
        while True:
            with store._engine.connect() as connection:
                waiting = [connection.execute(text(question)).scalar_one() for question in questions]
            if not any(waiting):
                return
            if not least or sum(waiting) < least:
                give_up_at, least = time.monotonic() + seconds, sum(waiting)
            assert time.monotonic() < give_up_at, f"waiting for money, a relay, an inbox: {waiting}"
            time.sleep(0.1)
