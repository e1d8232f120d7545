"""Views for analysts: the facts of every order as plain tables, whatever the store keeps as documents.

They hold nothing and are made anew by every migration. On PostgreSQL they stand in a schema of their own, so that somebody can be allowed to
read them and nothing else; on SQLite they bear a prefix. Money stands twice: as whole minor units (`total_minor`), and in the currency's own
unit (`total`: exact on PostgreSQL, a floating number on SQLite). On PostgreSQL a column that a query does not name costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from orderkit.domain.money import EXPONENTS
from orderkit_sql.schema import Tables, full_name

VIEWS = (
    "orders",
    "order_items",
    "shipments",
    "shipment_items",
    "order_state_log",
    "returns",
    "payments",
    "refunds",
)


def reports_schema(made: Tables) -> str:
    """Return the schema of the views (PostgreSQL), or what their names begin with (SQLite)."""
    return f"{made.schema}_reports" if made.dialect == "postgresql" else f"{made.schema}_report_"


def report_name(made: Tables, view: str) -> str:
    """Return a view's name as SQL writes it."""
    return f"{reports_schema(made)}{'.' if made.dialect == 'postgresql' else ''}{view}"


def views(made: Tables) -> tuple[str, ...]:
    """Return the statements that make the views."""
    dialect = dialect_of(made)
    selects = _Selects(made, dialect)
    create = [
        f"CREATE VIEW {report_name(made, view)} AS\n{getattr(selects, view)()}".replace("\n\n", "\n") for view in VIEWS
    ]
    return (*dialect.before(), *create)


def dropped_views(made: Tables) -> tuple[str, ...]:
    """Return the statements that take the views away, so that tables can be changed."""
    return tuple(f"DROP VIEW IF EXISTS {report_name(made, view)}" for view in reversed(VIEWS))


# ---- what the databases write differently


def dialect_of(made: Tables) -> Dialect:
    """Return how the tables' database reads JSON and money."""
    return _Postgres(reports_schema(made)) if made.dialect == "postgresql" else _Sqlite()


class Dialect(Protocol):
    """How a database reads JSON and money."""

    def before(self) -> tuple[str, ...]:
        """Return what the views need."""

    def json(self, column: str) -> str:
        """Return stored bytes as JSON."""

    def each(self, json: str, path: str, name: str) -> str:
        """Return a list's elements as rows, under a name."""

    def element(self, name: str) -> str:
        """Return the element of a row of `each` as JSON."""

    def text(self, json: str, path: str) -> str:
        """Return a value inside JSON as text."""

    def number(self, json: str, path: str) -> str:
        """Return a value inside JSON as a whole number."""

    def moment(self, json: str, path: str) -> str:
        """Return a value inside JSON as a time."""

    def major(self, minor: str, currency: str) -> str:
        """Return minor units in the currency's own unit."""

    def joined(self, value: str) -> str:
        """Return the values of many rows as one text."""


def _cases(currency: str, amount: str) -> str:
    """Return SQL that chooses by the currency's decimals; most have two."""
    by_digits: dict[int, list[str]] = {}
    for code, digits in sorted(EXPONENTS.items()):
        by_digits.setdefault(digits, []).append(f"'{code}'")
    several = " ".join(
        f"WHEN {currency} IN ({', '.join(codes)}) THEN {amount} * {10**-digits:.{digits}f}"
        for digits, codes in sorted(by_digits.items())
        if digits != 2  # noqa: PLR2004  (the ELSE)
    )
    return f"CASE {several} ELSE {amount} * 0.01 END"


class _Postgres:
    def __init__(self, schema: str) -> None:
        self._schema = schema

    def before(self) -> tuple[str, ...]:
        cases = _cases("currency", "minor")
        return (
            f"CREATE SCHEMA IF NOT EXISTS {self._schema}",
            (
                f"CREATE OR REPLACE FUNCTION {self._schema}.major(minor bigint, currency text) RETURNS numeric"
                f" LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {cases} $$"
            ),
        )

    def json(self, column: str) -> str:
        return f"convert_from({column}, 'UTF8')::jsonb"

    def each(self, json: str, path: str, name: str) -> str:
        return f"jsonb_array_elements({json} #> '{{{path}}}') AS {name}"

    def element(self, name: str) -> str:
        return name

    def text(self, json: str, path: str) -> str:
        return f"({json} #>> '{{{path}}}')"

    def number(self, json: str, path: str) -> str:
        return f"({json} #>> '{{{path}}}')::bigint"

    def moment(self, json: str, path: str) -> str:
        return f"({json} #>> '{{{path}}}')::timestamptz"

    def major(self, minor: str, currency: str) -> str:
        return f"{self._schema}.major(({minor})::bigint, {currency})"

    def joined(self, value: str) -> str:
        return f"string_agg({value}, ', ')"


class _Sqlite:
    def before(self) -> tuple[str, ...]:
        return ()

    def json(self, column: str) -> str:
        return f"CAST({column} AS TEXT)"

    def each(self, json: str, path: str, name: str) -> str:
        return f"json_each({json}, '{_dollar(path)}') AS {name}"

    def element(self, name: str) -> str:
        return f"{name}.value"

    def text(self, json: str, path: str) -> str:
        return f"json_extract({json}, '{_dollar(path)}')"

    number = moment = text

    def major(self, minor: str, currency: str) -> str:
        return _cases(currency, f"({minor})")

    def joined(self, value: str) -> str:
        return f"group_concat({value}, ', ')"


def _dollar(path: str) -> str:
    return "$" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(","))


# ---- the views


class _Selects:
    """What each view selects."""

    def __init__(self, made: Tables, dialect: Dialect) -> None:
        self._made, self._sql = made, dialect

    def _name(self, table: str) -> str:
        return full_name(getattr(self._made, table))

    def _money(self, name: str, minor: str, currency: str = "o.currency") -> str:
        return f"{minor} AS {name}_minor, {self._sql.major(minor, currency)} AS {name}"

    def _sum(self, json: str, path: str, field: str) -> str:
        element = self._sql.number(self._sql.element("e"), field)
        return f"(SELECT coalesce(sum({element}), 0) FROM {self._sql.each(json, path, 'e')})"

    def _select(self, columns: Iterator[str], source: str) -> str:
        return "SELECT\n  " + ",\n  ".join(columns) + f"\nFROM {source}"

    def orders(self) -> str:
        return self._select(
            self._orders(), f"{self._name('orders')} AS o LEFT JOIN {self._keys()} AS k ON k.order_id = o.id"
        )

    def _keys(self) -> str:
        # Grouped, so that the database sees one row for an order and leaves the join out where no key is asked for.
        return (
            f"(SELECT order_id, min(key) AS key FROM {self._name('keys')} WHERE operation = 'place' GROUP BY order_id)"
        )

    def _orders(self) -> Iterator[str]:
        sql, document = self._sql, self._sql.json("o.document")
        yield "o.id, o.customer, o.status, o.lifecycle, o.fulfillment, o.payment_status, o.returns_status, o.on_hold, o.currency"
        for name, field in (("subtotal", "gross_minor"), ("discount", "discount_minor"), ("tax", "tax_minor")):
            yield self._money(name, self._sum(document, "prices,lines", field))
        yield self._money("shipping", self._sum(document, "prices,lines", "shipping_minor"))
        yield self._money("fees", self._sum(document, "prices,lines", "fee_minor"))
        yield self._money("total", "o.total_minor")
        yield self._money("refunded", "o.refunded_minor")
        for part in ("name", "street", "zip", "city", "country"):
            yield f"{sql.text(document, f'ship_to,{part}')} AS ship_to_{part}"
        yield f"{sql.text(document, 'contact')} AS contact, {sql.text(document, 'reference')} AS reference"
        yield f"{sql.text(document, 'delivery,service')} AS delivery_service"
        methods = f"SELECT method FROM {self._name('payments')} AS p WHERE p.order_id = o.id ORDER BY p.number"
        yield f"(SELECT {sql.joined('method')} FROM ({methods}) AS m) AS payment_method"
        yield f"k.key AS idempotency_key, {sql.text(sql.json('o.state'), 'reason')} AS reason"
        yield "o.shipment_count, o.return_count, o.placed_at, o.updated_at, o.version"

    def order_items(self) -> str:
        sql, document = self._sql, self._sql.json("o.document")
        fact, price = sql.element("f"), sql.element("p")
        source = (
            f"{self._name('orders')} AS o CROSS JOIN {sql.each(document, 'lines', 'f')} CROSS JOIN {sql.each(document, 'prices,lines', 'p')}"
            f"\nJOIN {self._name('order_lines')} AS l ON l.order_id = o.id AND l.number = {sql.number(fact, 'number')}"
            f"\nWHERE {sql.number(price, 'line')} = {sql.number(fact, 'number')}"
        )
        return self._select(self._order_items(fact, price), source)

    def _order_items(self, fact: str, price: str) -> Iterator[str]:
        sql = self._sql
        yield f"o.id AS order_id, l.number AS line, l.sku, {sql.text(fact, 'name')} AS name, {sql.text(fact, 'seller')} AS seller"
        yield "l.ordered AS quantity, o.currency"
        yield self._money("unit_price", sql.number(fact, "unit_price_minor"))
        for name, field in (("gross", "gross_minor"), ("discount", "discount_minor"), ("tax", "tax_minor")):
            yield self._money(name, sql.number(price, field))
        yield self._money("total", sql.number(price, "payable_minor"))
        shipment = (
            f"SELECT s.id FROM {self._name('shipments')} AS s CROSS JOIN {sql.each(sql.json('s.detail'), 'lines', 'e')}"
        )
        own = f"s.order_id = l.order_id AND {sql.number(sql.element('e'), '0')} = l.number ORDER BY s.number"
        yield f"(SELECT {sql.joined('id')} FROM ({shipment} WHERE {own}) AS t) AS shipments"
        yield f"{_ITEM_STATUS} AS status"
        yield f"{_BACK} AS returned, l.cancelled, l.shipped, l.delivered, l.lost, o.customer, o.placed_at"

    def shipments(self) -> str:
        sql, detail = self._sql, self._sql.json("s.detail")
        columns = (
            "s.order_id, s.id, s.warehouse, s.carrier, s.tracking_number, s.state AS status",
            f"{sql.text(detail, 'carrier_status')} AS carrier_status, {sql.text(detail, 'tracking_url')} AS tracking_url",
            f"{self._sum(detail, 'lines', '1')} AS units",
            f"{sql.text(detail, 'promise,arrives_from')} AS arrives_from, {sql.text(detail, 'promise,arrives_until')} AS arrives_until",
            "s.shipped_at, s.delivered_at, o.customer, o.placed_at",
        )
        joined = f"{self._name('shipments')} AS s JOIN {self._name('orders')} AS o ON o.id = s.order_id"
        return self._select(iter(columns), joined)

    def shipment_items(self) -> str:
        sql, element = self._sql, self._sql.element("e")
        columns = (
            "s.order_id, s.id AS shipment_id, s.warehouse, s.state AS status",
            f"l.number AS line, l.sku, {sql.number(element, '1')} AS quantity",
        )
        joined = (
            f"{self._name('shipments')} AS s CROSS JOIN {sql.each(sql.json('s.detail'), 'lines', 'e')}"
            f"\nJOIN {self._name('order_lines')} AS l ON l.order_id = s.order_id AND l.number = {sql.number(element, '0')}"
        )
        return self._select(iter(columns), joined)

    def order_state_log(self) -> str:
        columns = (
            "r.order_id, r.version, r.from_status, r.to_status, r.actor, r.reason, r.at",
            f"{self._sql.text(self._sql.json('r.body'), 'stamp,command')} AS command",
            "(r.from_status IS NULL OR r.from_status <> r.to_status) AS changed",
        )
        return self._select(iter(columns), f"{self._name('records')} AS r")

    def returns(self) -> str:
        sql, detail = self._sql, self._sql.json("t.detail")
        refund = sql.element("e")
        refunded = (
            f"(SELECT coalesce(sum({sql.number(refund, 'total_minor')}), 0)"
            f" FROM {sql.each(sql.json('o.state'), 'refunds', 'e')} WHERE {sql.text(refund, 'return_id')} = t.id)"
        )
        reasons = f"SELECT DISTINCT {sql.text(refund, 'reason')} AS reason FROM {sql.each(detail, 'items', 'e')}"
        columns = (
            "t.order_id, t.id, o.customer, t.state AS status, o.currency",
            self._money("refund", refunded),
            f"(SELECT {sql.joined('reason')} FROM ({reasons}) AS d) AS reason",
            f"{sql.text(detail, 'method')} AS method, t.label_url",
            f"{self._sum(detail, 'items', 'quantity')} AS units, {self._sum(detail, 'items', 'received')} AS received",
            "t.requested_at",
        )
        joined = f"{self._name('returns')} AS t JOIN {self._name('orders')} AS o ON o.id = t.order_id"
        return self._select(iter(columns), joined)

    def payments(self) -> str:
        amounts = (self._money(name, f"p.{name}_minor") for name in ("amount", "authorized", "captured", "refunded"))
        columns = (
            "p.order_id, p.id, p.kind, p.method, p.state AS status, o.currency",
            *amounts,
            "p.expires_at, o.customer",
        )
        joined = f"{self._name('payments')} AS p JOIN {self._name('orders')} AS o ON o.id = p.order_id"
        return self._select(iter(columns), joined)

    def refunds(self) -> str:
        sql, refund = self._sql, self._sql.element("e")
        columns = (
            f"o.id AS order_id, {sql.text(refund, 'id')} AS id, {sql.text(refund, 'kind')} AS kind",
            f"{sql.text(refund, 'state')} AS status, {sql.text(refund, 'reason')} AS reason",
            f"{sql.text(refund, 'return_id')} AS return_id, o.customer, o.currency",
            self._money("total", sql.number(refund, "total_minor")),
            f"{sql.moment(refund, 'granted_at')} AS granted_at",
        )
        return self._select(
            iter(columns), f"{self._name('orders')} AS o CROSS JOIN {sql.each(sql.json('o.state'), 'refunds', 'e')}"
        )


_OPEN = "(l.unallocated + l.backordered + l.reserved + l.released)"
_BACK = "(l.return_received + l.restocked + l.quarantined + l.written_off)"
_ITEM_STATUS = f"""CASE
    WHEN l.cancelled = l.ordered THEN 'cancelled'
    WHEN {_BACK} > 0 AND {_BACK} >= l.shipped + l.delivered AND {_OPEN} = 0 THEN 'returned'
    WHEN {_BACK} > 0 THEN 'partially_returned'
    WHEN l.shipped + l.delivered + l.lost > 0 AND {_OPEN} > 0 THEN 'partially_shipped'
    WHEN l.delivered > 0 AND l.shipped = 0 THEN 'delivered'
    WHEN l.shipped > 0 THEN 'shipped'
    WHEN l.lost > 0 THEN 'lost'
    WHEN l.released > 0 THEN 'processing'
    WHEN l.backordered > 0 AND l.reserved = 0 THEN 'backordered'
    ELSE 'placed' END"""
