"""Stock: shelves locked in one order, guarded in Python under the lock and by a CHECK in the table, written once each per batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from sqlalchemy import Connection

from orderkit.domain.events import StockMove
from orderkit.domain.given import storable
from orderkit.domain.stock import ReceiptContent, StockReceipt, by_shelf, cannot_be_counted_off
from orderkit.errors import InvalidInput, KeyReused, OrderkitError
from orderkit.ports.store import PutStock, ReadStock, ReadSupply, StockLevel
from orderkit_sql.backend import Change, Row
from orderkit_sql.database import Database
from orderkit_sql.direct import rows_of

Place = tuple[str, str]
_PLACE = ("sku", "warehouse")
_UNITS = ("on_hand", "reserved", "received")


@attrs.define
class Shelf:
    """Units at one place: as stored, and what this batch does to them."""

    on_hand: int = 0
    reserved: int = 0
    stored: bool = False
    moved: bool = False
    moved_on_hand: int = 0
    moved_reserved: int = 0
    received: int = 0

    def holds(self, on_hand: int, reserved: int) -> bool:
        """Whether promises would still be covered after a move."""
        left = self.reserved + self.moved_reserved + reserved
        return 0 <= left <= self.on_hand + self.moved_on_hand + on_hand

    def move(self, on_hand: int, reserved: int) -> None:
        """Count a move."""
        self.moved = True
        self.moved_on_hand += on_hand
        self.moved_reserved += reserved


@attrs.define
class Shelves:
    """The shelves of a batch under their locks."""

    shelves: dict[Place, Shelf]

    def at(self, sku: str, warehouse: str) -> Shelf:
        """Return the shelf there, empty where there was none."""
        return self.shelves.get((sku, warehouse)) or self.shelves.setdefault((sku, warehouse), Shelf())

    def short(self, moves: Iterable[StockMove]) -> tuple[Place, ...]:
        """Return the places where the moves would take more than there is."""
        return tuple(
            (m.sku, m.warehouse) for m in moves if not self.at(m.sku, m.warehouse).holds(m.on_hand, m.reserved)
        )

    def move(self, moves: Iterable[StockMove]) -> None:
        """Count moves that are accepted."""
        for m in moves:
            self.at(m.sku, m.warehouse).move(m.on_hand, m.reserved)


def locked_shelves(database: Database, connection: Connection, places: Iterable[Place]) -> Shelves:
    """Return the shelves at the places, locked in sorted order until the transaction ends."""
    rows = sorted(places)
    if not rows:
        return Shelves({})
    table, backend = database.tables.stock, database.backend
    lock = f"{backend.for_update} OF s" if backend.for_update else ""
    statement = (
        f"SELECT s.sku, s.warehouse, s.on_hand, s.reserved FROM {backend.row_set(table, _PLACE)}"
        f" JOIN {database.name(table)} AS s ON s.sku = v.sku AND s.warehouse = v.warehouse ORDER BY s.sku, s.warehouse {lock}"
    )
    found = rows_of(connection, statement, backend.row_parameters(table, _PLACE, rows))
    return Shelves({(row[0], row[1]): Shelf(row[2], row[3], stored=True) for row in found})


def shelf_changes(database: Database, shelves: Shelves) -> Change:
    """Return what is added to every shelf that is there and moved, once each."""
    return Change(database.tables.stock, _UNITS, _moved(shelves, stored=True), keys=_PLACE, adds=True)


def add_shelves(database: Database, connection: Connection, shelves: Shelves) -> None:
    """Write the shelves that were not there. Somebody else may have made one meanwhile: then both add up."""
    rows = _moved(shelves, stored=False)
    if not rows:
        return
    table, backend = database.tables.stock, database.backend
    names = _UNITS + _PLACE
    added = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in _UNITS)
    connection.exec_driver_sql(
        f"INSERT INTO {database.name(table)} AS t ({', '.join(names)}) SELECT {', '.join(names)}"
        f" FROM {backend.row_set(table, names)} WHERE true ON CONFLICT (sku, warehouse) DO UPDATE SET {added}",
        backend.row_parameters(table, names, rows),
    )


def _moved(shelves: Shelves, *, stored: bool) -> list[Row]:
    return [
        (shelf.moved_on_hand, shelf.moved_reserved, shelf.received, *place)
        for place, shelf in sorted(shelves.shelves.items(), key=lambda item: item[0])
        if shelf.moved and shelf.stored is stored
    ]


def put_stock_many(database: Database, connection: Connection, puts: Sequence[PutStock]) -> list[OrderkitError | None]:
    """Add to shelves, each receipt once, each element wholly or not at all; an error of one element is its answer."""
    asked = [receipt for put in puts for receipt in put.receipts]
    first = {receipt.id: receipt for receipt in reversed(asked)}
    new = _kept(database, connection, first.values())
    known = _known(database, connection, first.keys() - new)
    shelves = locked_shelves(database, connection, {(r.sku, r.warehouse) for r in asked if r.id in new})
    applied: dict[str, StockReceipt] = {}
    answers = [_put(put, shelves, known, applied) for put in puts]
    database.backend.write(connection, database.backend.pieces([shelf_changes(database, shelves)]))
    add_shelves(database, connection, shelves)
    if stale := sorted(name for name in new if applied.get(name) != first[name]):
        # The first of these was refused: nothing is kept of it, or what a later one said that was applied.
        table, backend = database.name(database.tables.stock_receipts), database.backend
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE {backend.among('id', stale)}", backend.texts(stale))
        _kept(database, connection, [applied[name] for name in stale if name in applied])
    return answers


def _put(
    put: PutStock, shelves: Shelves, known: dict[str, ReceiptContent], applied: dict[str, StockReceipt]
) -> OrderkitError | None:
    """Count what is new of an element on its shelves, or say why nothing of it is."""
    try:
        fresh = put.fresh(known)
    except KeyReused as error:
        return error
    added = by_shelf(fresh)
    for place, quantity in added.items():
        if not shelves.at(*place).holds(quantity, 0):
            return _uncovered(place, quantity, shelves.at(*place))
    for place, quantity in added.items():
        shelf = shelves.at(*place)
        shelf.move(quantity, 0)
        shelf.received += quantity
    known.update({receipt.id: receipt.content for receipt in fresh})
    applied.update({receipt.id: receipt for receipt in fresh})
    return None


def _kept(database: Database, connection: Connection, receipts: Iterable[StockReceipt]) -> set[str]:
    """Keep the receipts that are new, sorted, first, so that of equal ones at once only one counts; return their ids."""
    table, backend = database.tables.stock_receipts, database.backend
    names = ("id", "sku", "warehouse", "quantity", "reason", "at")
    rows = sorted((r.id, r.sku, r.warehouse, r.quantity, r.reason, backend.moment(r.at)) for r in receipts)
    if not rows:
        return set()
    statement = (
        f"INSERT INTO {database.name(table)} ({', '.join(names)}) SELECT {', '.join(names)}"
        f" FROM {backend.row_set(table, names)} WHERE true ON CONFLICT (id) DO NOTHING RETURNING id"
    )
    return {row[0] for row in connection.exec_driver_sql(statement, backend.row_parameters(table, names, rows))}


def _known(database: Database, connection: Connection, ids: Iterable[str]) -> dict[str, ReceiptContent]:
    """Return what the receipts with these ids say."""
    if not (names := sorted(ids)):
        return {}
    table, backend = database.name(database.tables.stock_receipts), database.backend
    statement = f"SELECT id, sku, warehouse, quantity, reason FROM {table} WHERE {backend.among('id', names)}"
    return {row[0]: tuple(row[1:]) for row in connection.exec_driver_sql(statement, backend.texts(names))}


def _uncovered(place: Place, quantity: int, shelf: Shelf) -> InvalidInput:
    on_hand, reserved = shelf.on_hand + shelf.moved_on_hand, shelf.reserved + shelf.moved_reserved
    return cannot_be_counted_off(place, quantity, on_hand=on_hand, reserved=reserved)


def read_supply_many(
    database: Database, connection: Connection, asked: Sequence[ReadSupply]
) -> list[Mapping[Place, int]]:
    """Return the units available for each question."""
    by_sku: dict[str, dict[Place, int]] = {sku: {} for question in asked for sku in question.skus}
    if skus := [(sku,) for sku in by_sku if storable(sku)]:
        table, backend = database.tables.stock, database.backend
        # A join, because a list that comes as a parameter is searched from its beginning for every row of the table.
        statement = (
            f"SELECT s.sku, s.warehouse, s.on_hand - s.reserved FROM {backend.row_set(table, _PLACE[:1])}"
            f" JOIN {database.name(table)} AS s ON s.sku = v.sku ORDER BY s.sku, s.warehouse"
        )
        for sku, warehouse, units in rows_of(connection, statement, backend.row_parameters(table, _PLACE[:1], skus)):
            by_sku[sku][sku, warehouse] = units
    return [{place: units for sku in question.skus for place, units in by_sku[sku].items()} for question in asked]


def read_stock(database: Database, connection: Connection, asked: ReadStock) -> tuple[StockLevel, ...]:
    """Return stock levels, sorted."""
    backend = database.backend
    where = f"WHERE {backend.among('sku', asked.skus)}" if asked.skus else ""
    statement = (
        f"SELECT sku, warehouse, on_hand, reserved, received FROM {database.name(database.tables.stock)} {where}"
        " ORDER BY sku, warehouse"
    )
    rows = connection.exec_driver_sql(statement, backend.texts(asked.skus) if asked.skus else ())
    return tuple(StockLevel(*row) for row in rows)
