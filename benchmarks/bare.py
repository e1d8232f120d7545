"""What a good programmer would write without a library: the same rows as orderkit's, built by hand from the same carts, for one shop's case.

Every row of every table is here, with the keys, the log and its hash chain, the outbox, the shipments and the stock; what is missing is
everything that a shop needs besides the best case. `bound` and `sqlite` send the rows; a check in `bound` lets orderkit verify and load them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from benchmarks.workload import WAREHOUSES, Workload
from orderkit.domain.cart import Cart
from orderkit.runtime.clocks import UuidIds

Row = tuple[Any, ...]

_encode = msgspec.json.Encoder().encode
_CHAIN, _START = b"orderkit chain 1\n", bytes(32)
_NOTHING = (0,) * 15
_RESERVED = 2
_STATE_DONE = b'{"findings":[],"holds":[],"reason":null,"refunds":[],"reserved_until":null,"sagas":[]}'
_NO_CHANGE: dict[str, Any] = {"amended": False, "reason": None} | dict.fromkeys(
    ("findings", "holds", "lines", "refunds", "returns", "sagas", "shipments"), ()
)
_NO_STATE: dict[str, Any] = {"findings": (), "holds": (), "reason": None, "refunds": ()}
_POLICIES = {
    "capture": "now",
    "refund": {
        "cancellation_shipping": "full_on_full_return",
        "grades": [],
        "restocking_fee_minor_per_unit": 0,
        "restocking_fee_percent": 0,
        "return_label_cost_minor": 0,
        "shipping": "full_on_full_return",
        "tender_order": "newest_first",
    },
    "reservation": "PT1800S",
    "returns": {"approval": False, "expires_after": "P21D", "final_sale": [], "window": "P30D"},
}
_ids = UuidIds()

NEW_ORDER = (
    *("id", "version", "customer", "status", "lifecycle", "fulfillment", "payment_status", "returns_status", "on_hold"),
    *(
        "currency",
        "total_minor",
        "refunded_minor",
        "shipment_count",
        "return_count",
        "placed_at",
        "updated_at",
        "due_at",
    ),
    *("due_for", "attempts", "parked", "error", "log_head", "state", "document"),
)
NEW_KEY = ("principal", "operation", "key", "order_id", "fingerprint", "claimed_at")
NEW_LINE = (
    *(
        "order_id",
        "number",
        "sku",
        "ordered",
        "unallocated",
        "backordered",
        "reserved",
        "released",
        "shipped",
        "delivered",
    ),
    *("lost", "cancelled", "return_requested", "return_in_transit", "return_received", "restocked", "quarantined"),
    *("written_off", "sent_back"),
)
NEW_PAYMENT = (
    *("order_id", "number", "id", "kind", "method", "state", "amount_minor", "authorized_minor", "captured_minor"),
    *("refunded_minor", "expires_at", "operations"),
)
NEW_SHIPMENT = ("order_id", "number", "id", "warehouse", "state", "detail")
NEW_TEXT = ("order_id", "text")
NEW_RECORD = (
    *("order_id", "version", "at", "actor", "reason", "from_status", "to_status", "body", "previous_hash", "hash"),
)
MOVED = ("sku", "warehouse", "reserved")
ORDER_CONFIRMED = (
    *("version", "status", "lifecycle", "payment_status", "updated_at", "due_at", "due_for", "log_head", "state", "id"),
)
PAYMENT_CONFIRMED = ("state", "authorized_minor", "captured_minor", "operations", "order_id", "number")


def moment(at: datetime) -> str:
    """Return a time as it stands in a document."""
    return at.isoformat().replace("+00:00", "Z")


class Batch:
    """The rows of some orders: first those of being placed, then those of being confirmed."""

    def __init__(self, workload: Workload, numbers: Sequence[int]) -> None:
        self.orders: list[Row] = []
        self.keys: list[Row] = []
        self.lines: list[Row] = []
        self.payments: list[Row] = []
        self.shipments: list[Row] = []
        self.texts: list[Row] = []
        self.records: list[Row] = []
        self.confirmed: list[Row] = []
        self.paid: list[Row] = []
        self.confirmations: list[Row] = []
        self._moved: Counter[tuple[str, str]] = Counter()
        self._pending: list[tuple[str, int, dict[str, Any], str, bytes, str, datetime]] = []
        for number in numbers:
            self._placed(workload.cart(number), workload.key(number))

    @property
    def stock(self) -> list[Row]:
        """What the batch promises, each shelf once, in the order in which shelves are locked."""
        return [(*place, units) for place, units in sorted(self._moved.items())]

    def _placed(self, cart: Cart, key: str) -> None:
        now = datetime.now(UTC)
        said, id_ = moment(now), _ids.new_id(now)
        lines = [(n, line.sku, line.quantity, line.unit_price_minor, line.name) for n, line in enumerate(cart.lines, 1)]
        total = sum([quantity * price for _, _, quantity, price, _ in lines])
        boxes: dict[str, list[tuple[int, int]]] = {}
        places = []
        for number, sku, quantity, _, _ in lines:
            place = WAREHOUSES[int(sku[4:]) % len(WAREHOUSES)]
            boxes.setdefault(place, []).append((number, quantity))
            places.append((sku, place, quantity))
            self._moved[sku, place] += quantity
        cutoff = _cutoff(now)
        shipments = [_shipment(f"{id_}-S{n}", place, boxes[place], cutoff) for n, place in enumerate(sorted(boxes), 1)]
        until = moment(now + timedelta(minutes=30))
        saga = _saga(id_, said)
        payment = _payment(id_, total, said)
        change = {
            **_NO_CHANGE,
            "lines": [
                {"buckets": _NOTHING, "number": n, "ordered": units, "sku": sku} for n, sku, units, _, _ in lines
            ],
            "payments": [payment],
            "reserved_until": until,
            "sagas": [saga],
            "shipments": shipments,
            "state": "placed",
        }
        event = _placed_event(cart, total, shipments)
        body = _encode(_first_record(id_, change, event, places, _stamp(said, "place", key)))
        head = hashlib.sha256(_CHAIN + _START + body).digest()
        document = _encode(_facts(cart, lines))
        due = now + timedelta(seconds=10)
        self.keys.append(("shop", "place", key, id_, hashlib.sha256(document).hexdigest()[:32], now))
        self.orders.append(
            (
                *(id_, 1, cart.customer, "placed", "placed", "unfulfilled", "pending", "none", False, "EUR", total, 0),
                *(len(shipments), 0, now, now, due, "move_money", 0, False, "", head),
                *(_encode({**_NO_STATE, "reserved_until": until, "sagas": [saga]}), document),
            )
        )
        self.lines += [
            (id_, number, sku, quantity, 0, 0, quantity, *(0,) * 12) for number, sku, quantity, _, _ in lines
        ]
        self.payments.append(
            (id_, 0, payment["id"], "card", "pm_visa", "pending", total, 0, 0, 0, None, _encode(payment["operations"]))
        )
        self.shipments += [
            (id_, n, shipment["id"], shipment["warehouse"], "planned", _encode(shipment))
            for n, shipment in enumerate(shipments)
        ]
        to = cart.ship_to
        words = [id_, cart.customer, cart.reference, to.name, to.street, to.zip, to.city, to.country]
        words += [word for _, sku, _, _, name in lines for word in (sku, name)]
        self.texts.append((id_, " ".join(words).casefold()))
        self.records.append((id_, 1, now, "host", "", None, "placed", body, _START, head))
        self._pending.append((id_, total, payment, key, head, said, cutoff))

    def confirm(self) -> None:
        """Build the rows of the second commit, as after the provider's answers."""
        now = datetime.now(UTC)
        said = moment(now)
        for id_, total, payment, key, previous, _, cutoff in self._pending:
            operation = payment["operations"][0]
            operation |= {"answered_at": said, "reference": f"{operation['id']}/1", "state": "confirmed"}
            payment |= {"authorized_minor": total, "captured_minor": total, "state": "captured"}
            body = _encode(
                {
                    "change": {
                        **_NO_CHANGE,
                        "payments": [payment],
                        "reserved_until": None,
                        "state": "confirmed",
                    },
                    "events": _confirmed_events(payment, total),
                    "from_status": "placed",
                    "moves": [],
                    "order_id": id_,
                    "schema": 1,
                    "stamp": _stamp(said, "book_answer", key),
                    "stock": [],
                    "to_status": "payment_confirmed",
                    "version": 2,
                }
            )
            head = hashlib.sha256(_CHAIN + previous + body).digest()
            self.confirmed.append(
                (2, "payment_confirmed", "confirmed", "paid", now, cutoff, "release_shipment", head, _STATE_DONE, id_)
            )
            self.paid.append(("captured", total, total, _encode(payment["operations"]), id_, 0))
            self.confirmations.append((id_, 2, now, "host", "", "placed", "payment_confirmed", body, previous, head))


def _cutoff(now: datetime) -> datetime:
    earliest = now + timedelta(minutes=30)
    cutoff = earliest.replace(hour=15, minute=0, second=0, microsecond=0)
    if cutoff < earliest:
        cutoff += timedelta(days=1)
    while cutoff.weekday() > 4:  # noqa: PLR2004  (Friday)
        cutoff += timedelta(days=1)
    return cutoff


def _shipment(id_: str, place: str, lines: list[tuple[int, int]], cutoff: datetime) -> dict[str, Any]:
    first = cutoff.date() + timedelta(days=2)
    return {
        "asked_at": None,
        "carrier": None,
        "carrier_status": "unknown",
        "cutoff_at": moment(cutoff),
        "delivered_at": None,
        "id": id_,
        "label_url": None,
        "lines": lines,
        "promise": {
            "arrives_from": first.isoformat(),
            "arrives_until": (first + timedelta(days=2)).isoformat(),
            "ships_by": moment(cutoff + timedelta(hours=8)),
        },
        "reason": None,
        "released_at": None,
        "scans": [],
        "shipped_at": None,
        "state": "planned",
        "tracking_number": None,
        "tracking_url": None,
        "warehouse": place,
    }


def _first_record(
    order_id: str,
    change: dict[str, Any],
    event: dict[str, Any],
    places: list[tuple[str, str, int]],
    stamp: dict[str, Any],
) -> dict[str, Any]:
    return {
        "change": change,
        "events": [event],
        "from_status": None,
        "moves": [
            {"cause": shipment["id"], "line": number, "quantity": quantity, "source": None, "target": _RESERVED}
            for shipment in change["shipments"]
            for number, quantity in shipment["lines"]
        ],
        "order_id": order_id,
        "schema": 1,
        "stamp": stamp,
        "stock": [
            {"on_hand": 0, "reserved": units, "sku": sku, "warehouse": place} for sku, place, units in sorted(places)
        ],
        "to_status": "placed",
        "version": 1,
    }


def _saga(order_id: str, said: str) -> dict[str, Any]:
    return {
        "direction": "forward",
        "id": f"{order_id}/placement/1",
        "name": "placement",
        "reason": None,
        "started_at": said,
        "step": "charge",
        "version": 1,
    }


def _payment(order_id: str, total: int, said: str) -> dict[str, Any]:
    operation = {
        "amount_minor": total,
        "answered_at": None,
        "asked": 0,
        "attempt": 1,
        "id": f"{order_id}-P1.1",
        "kind": "charge",
        "next_at": None,
        "reason": None,
        "reference": None,
        "refund": None,
        "requested_at": said,
        "saga": f"{order_id}/placement/1",
        "shipment": None,
        "state": "pending",
    }
    return {
        "amount_minor": total,
        "authorized_minor": 0,
        "captured_minor": 0,
        "expires_at": None,
        "id": f"{order_id}-P1",
        "kind": "card",
        "method": "pm_visa",
        "operations": [operation],
        "refunded_minor": 0,
        "state": "pending",
    }


def _stamp(said: str, command: str, key: str) -> dict[str, Any]:
    return {"actor": "host", "at": said, "command": command, "correlation": key, "reason": ""}


def _placed_event(cart: Cart, total: int, shipments: list[dict[str, Any]]) -> dict[str, Any]:
    parcels = [
        {"id": s["id"], "units": sum([units for _, units in s["lines"]]), "warehouse": s["warehouse"]}
        for s in shipments
    ]
    data = {"currency": "EUR", "customer": cart.customer, "lines": len(cart.lines), "shipments": parcels}
    return {"data": {**data, "total_minor": total}, "schema": 1, "type": "order.placed"}


def _confirmed_events(payment: dict[str, Any], total: int) -> list[dict[str, Any]]:
    taken = {
        "amount_minor": total,
        "currency": "EUR",
        "operation": payment["operations"][0]["id"],
        "payment": payment["id"],
    }
    return [
        {"data": taken, "schema": 1, "type": "payment.captured"},
        {"data": {"currency": "EUR", "total_minor": total}, "schema": 1, "type": "order.confirmed"},
    ]


def _facts(cart: Cart, lines: list[tuple[int, str, int, int, str]]) -> dict[str, Any]:
    to = cart.ship_to
    return {
        "contact": "",
        "currency": "EUR",
        "customer": cart.customer,
        "delivery": {"not_before": None, "note": cart.delivery.note, "service": "standard"},
        "lines": [
            {
                "amendment": 0,
                "attributes": [],
                "backorder": False,
                "name": name,
                "number": number,
                "quantity": quantity,
                "seller": None,
                "sku": sku,
                "tags": [],
                "unit_price_minor": price,
            }
            for number, sku, quantity, price, name in lines
        ],
        "policies": _POLICIES,
        "prices": {
            "charges": [],
            "lines": [
                {
                    "discount_minor": 0,
                    "fee_minor": 0,
                    "gross_minor": quantity * price,
                    "line": number,
                    "payable_minor": quantity * price,
                    "quantity": quantity,
                    "shares": [],
                    "shipping_minor": 0,
                    "tax_minor": 0,
                }
                for number, _, quantity, price, _ in lines
            ],
            "tax_included": True,
        },
        "reference": "",
        "ship_to": {"city": to.city, "country": to.country, "name": to.name, "street": to.street, "zip": to.zip},
    }
