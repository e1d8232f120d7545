"""A shop's tables as most would write them with SQLAlchemy's ORM, and the two transactions of a placement on them.

Same work as orderkit's: the key, the order with three items, guarded stock, a payment intent, a log row and an outbox row in the first; the
provider's answer with its log row and outbox row in the second.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from benchmarks.peer.task import PLENTY, shelves


class Base(DeclarativeBase):
    """All tables."""


class Order(Base):
    """An order, with what the customer asked for as a document."""

    __tablename__ = "orders"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    currency: Mapped[str]
    total_minor: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    items: Mapped[list[Item]] = relationship()
    payments: Mapped[list[Payment]] = relationship()


class Item(Base):
    """A line of an order, reserved in a warehouse."""

    __tablename__ = "order_items"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    sku: Mapped[str]
    warehouse: Mapped[str]
    quantity: Mapped[int]
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)


class Payment(Base):
    """A payment intent, and what became of it."""

    __tablename__ = "payments"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    reference: Mapped[str | None]


class Stock(Base):
    """Units on a shelf, and how many of them are promised."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("0 <= reserved AND reserved <= on_hand"),)
    sku: Mapped[str] = mapped_column(primary_key=True)
    warehouse: Mapped[str] = mapped_column(primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)


class Key(Base):
    """An idempotency key, and the order that it stands for."""

    __tablename__ = "idempotency_keys"
    key: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID]


class LogRow(Base):
    """A step of an order's life."""

    __tablename__ = "order_state_log"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]
    order: Mapped[Order] = relationship()


class Message(Base):
    """An event for the bus."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    topic: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class OutOfStock(Exception):
    """A line cannot be reserved."""


def filled(session: Session) -> None:
    """Make all tables, and put plenty on the shelves."""
    Base.metadata.create_all(session.connection())
    session.add_all(Stock(sku=sku, warehouse=place, on_hand=PLENTY, reserved=0) for sku, place in shelves())
    session.commit()


def accepted(session: Session, key: str, request: dict[str, Any]) -> tuple[uuid.UUID, uuid.UUID | None, int]:
    """Do the first transaction's work: return the order, its payment unless the key was known, and the total."""
    now = datetime.now(UTC).replace(tzinfo=None)
    order_id = uuid.uuid4()
    claim = insert(Key).values(key=key, order_id=order_id).on_conflict_do_nothing().returning(Key.order_id)
    if session.execute(claim).first() is None:
        known = session.execute(select(Key.order_id).where(Key.key == key)).scalar_one()
        return known, None, 0
    places = _places(session, [line["sku"] for line in request["lines"]])
    total = sum(line["quantity"] * line["unit_price_minor"] for line in request["lines"])
    order = Order(
        id=order_id,
        customer=request["customer"],
        status="placed",
        currency=request["currency"],
        total_minor=total,
        document=request,
        created_at=now,
        updated_at=now,
    )
    for line in sorted(request["lines"], key=lambda line: str(line["sku"])):
        order.items.append(
            Item(
                sku=line["sku"],
                warehouse=places[line["sku"]],
                quantity=line["quantity"],
                unit_price_minor=line["unit_price_minor"],
            )
        )
        _reserve(session, line["sku"], places[line["sku"]], line["quantity"])
    payment = Payment(id=uuid.uuid4(), amount_minor=total, state="pending", reference=None)
    order.payments.append(payment)
    session.add(order)
    _noted(session, order, None, now)
    return order_id, payment.id, total


def confirmed(session: Session, order_id: uuid.UUID, payment_id: uuid.UUID, reference: str) -> str:
    """Do the second transaction's work: book the provider's answer, and return the order's status."""
    now = datetime.now(UTC).replace(tzinfo=None)
    order = session.get_one(Order, order_id, with_for_update=True)
    payment = session.get_one(Payment, payment_id)
    payment.state, payment.reference = "captured", reference
    before, order.status, order.updated_at = order.status, "payment_confirmed", now
    _noted(session, order, before, now)
    return order.status


def _places(session: Session, skus: list[str]) -> dict[str, str]:
    """Return for each SKU the warehouse that has most of it."""
    found = session.execute(
        select(Stock.sku, Stock.warehouse).where(Stock.sku.in_(skus)).order_by(Stock.on_hand - Stock.reserved)
    )
    return {sku: warehouse for sku, warehouse in found}  # noqa: C416  (rows are no pairs to a type checker)


def _reserve(session: Session, sku: str, warehouse: str, quantity: int) -> None:
    taken = session.execute(
        update(Stock)
        .where(Stock.sku == sku, Stock.warehouse == warehouse, Stock.on_hand - Stock.reserved >= quantity)
        .values(reserved=Stock.reserved + quantity)
        .returning(Stock.sku)
        .execution_options(synchronize_session=False)
    )
    if taken.first() is None:
        raise OutOfStock(sku)


def _noted(session: Session, order: Order, before: str | None, now: datetime) -> None:
    session.add(LogRow(order=order, from_status=before, to_status=order.status, actor="host", at=now))
    payload = {"order_id": str(order.id), "status": order.status}
    session.add(Message(topic="orders", payload=payload, created_at=now, published_at=None))
