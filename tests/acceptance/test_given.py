"""What callers give, on every store alike: a time has a zone, a text is one that can be kept, and the error names the field.

The verbs are those of `test_joining_every_verb`: a text that a new one takes is looked at here without a word more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import orderkit
from orderkit import Address, Cart, DeliveryPreference, OrderQuery, Policies, Shop, Tender, VirtualClock
from orderkit.domain.returns import ReturnPolicy
from orderkit.domain.shipment import CarrierStatus, Scan, Shipment
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, Misconfigured, NotFound, OrderkitError
from orderkit.plugins.manager import Plugins
from orderkit.ports.carriers import Booked
from orderkit.ports.store import Message
from tests.drivers import needs_aiosqlite

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
NAIVE = datetime(2026, 3, 3, 11, 59)  # noqa: DTZ001  (it is the fault)
HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
BOOKED = Booked(carrier="van", tracking_number="VAN-1", tracking_url="https://van.example/1", label_url="label:1")
BAD = ("a\0b", "\udcff")
STORES = ("memory:", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each kind; tests of one module share a database of PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_database")
        Plugins().migrate_store(found)
        return found
    return str(request.param)


def opened(url: str) -> Shop:
    """Open a shop with goods, at noon, that wants to approve returns."""
    shop = orderkit.open(
        url,
        bus=None,
        notifications=None,
        documents=None,
        clock=VirtualClock(NOON),
        policies=Policies(returns=ReturnPolicy(approval=True)),
    )
    shop.put_stock("MUG", {"berlin": 50})
    return shop


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    """A shop on each kind of store."""
    with opened(url) as found:
        yield found


def a_cart(**changes: Any) -> Cart:
    """Return a cart with two mugs."""
    return Cart(**{"customer": "anna", "ship_to": HOME, **changes}).add("MUG", 2, "12.50")


def refused(field: str, act: Callable[[], object]) -> None:
    """Hold that the act is refused as invalid, for that field, and that nothing was applied."""
    with pytest.raises(InvalidInput) as caught:
        act()

    assert (caught.value.code, caught.value.field, caught.value.outcome) == ("invalid_input", field, "not_applied")


# ---- times


def test_a_time_without_a_zone_is_refused_with_its_field(shop: Shop) -> None:
    """It would mean another moment on every machine; on every store, in every place where a host hands a time over."""
    order = shop.place(a_cart(), "pm_visa")
    shipment = order.shipments[0].id
    shop.ship(order.id, shipment, booked=evolve(BOOKED, tracking_number=order.id))
    scan = Scan(id="1", status=CarrierStatus.IN_TRANSIT, at=NAIVE)
    told = Message(source="van", id=order.id, kind="shipment.scan", reference=order.id, data={}, received_at=NAIVE)

    refused("until", lambda: shop.hold(order.id, reason="manual", until=NAIVE))
    refused("until", lambda: shop.hold(order.id, reason="manual", until=NOON.date()))  # type: ignore[arg-type]  # (it is the fault)
    refused("at", lambda: shop.track(order.id, shipment, [scan]))
    refused("received_at", lambda: shop.receive_message(told))
    for name in ("placed_from", "placed_until", "shipped_from", "shipped_until"):
        refused(name, lambda name=name: shop.orders(OrderQuery(**{name: NAIVE})))
    assert shop.order(order.id).shipments[0].scans == ()


EDGES = (
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
)


@pytest.mark.parametrize("at", EDGES, ids=["first", "last"])
def test_a_time_outside_of_the_calendar_is_refused_with_its_field(shop: Shop, at: datetime) -> None:
    """In its own zone it is a time, in UTC there is no such year: it can neither be kept nor compared on every store."""
    order = shop.place(a_cart(), "pm_visa")

    for name in ("placed_from", "placed_until", "shipped_from", "shipped_until"):
        refused(name, lambda name=name: shop.orders(OrderQuery(**{name: at})))
    refused("until", lambda: shop.hold(order.id, reason="manual", until=at))


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_first_and_the_last_time_are_times(shop: Shop, at: datetime) -> None:
    """The edges themselves can be asked for."""
    shop.place(a_cart(), "pm_visa")

    assert bool(shop.orders(OrderQuery(placed_from=at)).items) is (at.year == 1)
    assert bool(shop.orders(OrderQuery(placed_until=at)).items) is (at.year != 1)


@pytest.mark.parametrize("day", [date.max, NOON.date() + timedelta(days=732)])
def test_a_day_that_is_too_far_ahead_is_refused(shop: Shop, day: date) -> None:
    """A mistyped year would let the goods lie for ever; at placement and later, whether the goods are there or not."""
    order = shop.place(a_cart(), "pm_visa")
    wish = DeliveryPreference(not_before=day)

    refused("delivery.not_before", lambda: shop.place(a_cart(delivery=wish, reference="late"), "pm_visa"))
    refused("delivery.not_before", lambda: shop.amend(order.id, delivery=wish))
    assert shop.orders(OrderQuery(text="late")).items == ()
    assert shop.order(order.id) == order


def test_a_day_in_the_past_is_no_wish_for_a_new_order(shop: Shop) -> None:
    """A checkout may be open over midnight: the order comes as soon as it can, as without the wish."""
    plain = shop.place(a_cart(), "pm_visa")

    for day in (date.min, NOON.date() - timedelta(days=1)):
        order = shop.place(a_cart(delivery=DeliveryPreference(not_before=day)), "pm_visa")
        assert order.shipments[0].promise == plain.shipments[0].promise
    latest = shop.place(a_cart(delivery=DeliveryPreference(not_before=NOON.date() + timedelta(days=731))), "pm_visa")
    assert latest.shipments[0].promise is not None
    assert latest.shipments[0].promise.arrives_from == NOON.date() + timedelta(days=731)


def test_a_day_is_no_time(shop: Shop) -> None:
    """A time is a date for Python, but the day of a delivery is compared with days."""
    order = shop.place(a_cart(), "pm_visa")

    refused("not_before", lambda: shop.amend(order.id, delivery=DeliveryPreference(not_before=NOON)))
    assert shop.amend(order.id, delivery=DeliveryPreference(not_before=date(2026, 3, 20))).version > order.version


@needs_aiosqlite
async def test_the_async_shop_refuses_the_same(tmp_path: Path) -> None:
    """Awaited, with the same words."""
    async with await orderkit.open_async(f"sqlite:///{tmp_path}/shop.db", clock=VirtualClock(NOON)) as shop:
        await shop.put_stock("MUG", {"berlin": 5})
        order = await shop.place(a_cart(), "pm_visa")
        for options, field in (({"until": NAIVE}, "until"), ({"note": "a\0b"}, "note"), ({"actor": "\udcff"}, "actor")):
            with pytest.raises(InvalidInput) as caught:
                await shop.hold(order.id, reason="manual", **options)
            assert (caught.value.code, caught.value.field) == ("invalid_input", field)
        with pytest.raises(NotFound):
            await shop.order("\udcff")
        assert (await shop.orders(OrderQuery(tracking_number="\udcff"))).items == ()


def test_a_clock_has_a_zone() -> None:
    """Every time of the shop is its own: nothing would be right."""

    class Clock:
        def now(self) -> datetime:
            return NAIVE

    with pytest.raises(Misconfigured) as caught:
        orderkit.open(clock=Clock())

    assert caught.value.field == "clock"


@pytest.mark.parametrize("status", [CarrierStatus.IN_TRANSIT, CarrierStatus.DELIVERED])
def test_what_was_stored_without_a_zone_is_read_as_utc(
    url: str, status: CarrierStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions kept such scans, and then could not go on: their orders are well again, log and all."""
    if url == "memory:":
        pytest.skip("a store in memory has nothing of earlier versions")
    with monkeypatch.context() as earlier, opened(url) as shop:
        earlier.setattr("orderkit.domain.shipping.check_time", lambda *_: None)
        earlier.setattr(Shipment, "_read_as_utc", lambda _: None)
        order = shop.place(a_cart(), "pm_visa")
        shipment = order.shipments[0].id
        shop.ship(order.id, shipment)
        shop.track(order.id, shipment, [Scan(id="1", status=status, at=NAIVE)])
        assert shop.order(order.id).shipments[0].scans[0].at == NAIVE

    with opened(url) as shop:
        found, at = shop.order(order.id).shipments[0], NAIVE.replace(tzinfo=UTC)
        assert [scan.at for scan in found.scans] == [at]
        assert found.delivered_at == (at if status is CarrierStatus.DELIVERED else None)
        assert shop.replay(order.id) == shop.order(order.id)
        later = Scan(id="2", status=CarrierStatus.DELIVERED, at=at + timedelta(hours=1))
        shop.track(order.id, shipment, [later])
        assert shop.request_return(order.id, reason="too big").returns[0].state == "requested"
        assert shop.replay(order.id) == shop.order(order.id)


# ---- texts


@pytest.mark.parametrize("bad", BAD)
def test_a_text_that_cannot_be_kept_is_refused_with_its_field(shop: Shop, bad: str) -> None:
    """A NUL, and half of a surrogate pair: nothing of it reaches a store, and the next request is none the worse."""
    order = shop.place(a_cart(), "pm_visa")
    carts: dict[str, Callable[[], Cart]] = {
        "customer": lambda: a_cart(customer=bad),
        "contact": lambda: a_cart(contact=bad),
        "reference": lambda: a_cart(reference=bad),
        "street": lambda: a_cart(ship_to=evolve(HOME, street=bad)),
        "note": lambda: a_cart(delivery=DeliveryPreference(note=bad)),
        "sku": lambda: a_cart().add(bad, 1, "1.00"),
        "seller": lambda: a_cart().add("MUG", 1, "1.00", seller=bad),
        "tags": lambda: a_cart().add("MUG", 1, "1.00", tags=[bad]),
        "attributes": lambda: a_cart().add("MUG", 1, "1.00", attributes={bad: "x"}),
        "name": lambda: a_cart().charged(bad, "4.90"),
    }
    for field, cart in carts.items():
        refused(field, lambda cart=cart: shop.place(cart(), "pm_visa"))
        refused(field, lambda cart=cart: shop.place(cart(), "pm_visa", key="key"))
        refused(field, lambda cart=cart: shop.amend(order.id, add=cart(), pay_with="pm_visa"))
    refused("method", lambda: shop.place(a_cart(), bad))
    refused("kind", lambda: shop.place(a_cart(), [Tender(method="pm_visa", kind=bad)]))
    refused("units", lambda: shop.put_stock("MUG", {bad: 1}))
    for field in ("source", "id", "kind", "reference"):
        refused(field, lambda field=field: shop.receive_message(a_message(**{field: bad})))
    for data in ({"place": bad}, {bad: "x"}, {"deep": [{"er": bad}]}):
        refused("data", lambda data=data: shop.receive_message(a_message(data=data)))
    assert shop.place(a_cart(), "pm_visa", key="key" + order.id).state == "confirmed"


def a_message(**changes: Any) -> Message:
    """Return a message of which nothing is known."""
    parts = {"source": "van", "id": "m", "kind": "shipment.scan", "reference": "VAN-9", "data": {}, "received_at": NOON}
    return Message(**{**parts, **changes})


@pytest.mark.parametrize("bad", BAD)
def test_what_is_only_looked_for_is_not_found(shop: Shop, bad: str) -> None:
    """No order has such an id, such a number, such words."""
    order = shop.place(a_cart(), "pm_visa")
    for look in (
        shop.order,
        shop.records,
        shop.replay,
        shop.timeline,
        shop.actions,
        shop.why,
        shop.cart_of,
        shop.advance,
    ):
        with pytest.raises(NotFound) as caught:
            look(bad)
        assert caught.value.code == "order_not_found"
    for name in ("customer", "sku", "tracking_number", "text"):
        assert shop.orders(OrderQuery(**{name: bad})).items == ()
    refused("statuses", lambda: shop.orders(OrderQuery(statuses=(bad,))))
    assert shop.stock(bad) == ()
    assert [level.sku for level in shop.stock(bad, "MUG")] == ["MUG"]
    assert shop.order(order.id) == order


@pytest.mark.parametrize("bad", BAD)
def test_no_verb_lets_such_a_text_through(shop: Shop, bad: str) -> None:
    """Every argument of every verb that is a text: it is refused, or names nothing that is there; it never fails inside."""
    order = shop.place(a_cart(), "pm_visa")
    told: dict[str, Any] = {
        "order_id": order.id,
        "cart": a_cart(),
        "pay_with": "pm_visa",
        "reason": "manual",
        "amount": "1.00",
        "shipment": order.shipments[0].id,
        "scans": [],
        "sku": "MUG",
        "units": {"berlin": 1},
        "message": a_message(),
    }
    for name, argument, needed in texts_of_verbs():
        with pytest.raises(OrderkitError) as caught:
            getattr(shop, name)(**{**{each: told.get(each, "none") for each in needed}, argument: bad})
        assert (name, argument, caught.value.outcome) == (name, argument, "not_applied")
        assert caught.value.code not in ("internal", "port_failed"), (name, argument)
    assert shop.order(order.id) == order


def texts_of_verbs() -> list[tuple[str, str, list[str]]]:
    """Return each argument of a verb that is one text, with what the verb needs besides it."""
    found = []
    for name in dir(Shop):
        if (build := getattr(inspect.getattr_static(Shop, name), "_build", None)) is None:
            continue
        signature = inspect.signature(build, eval_str=True)
        parameters = {each: p for each, p in signature.parameters.items() if p.kind is not p.VAR_POSITIONAL}
        needed = [each for each, p in parameters.items() if p.default is p.empty]
        found += [(name, each, needed) for each, p in parameters.items() if p.annotation in (str, str | None)]
    assert len(found) > 60
    return found


def test_any_text_that_can_be_written_is_kept(shop: Shop) -> None:
    """Names of all the world, signs, and lines in a note: nothing else is a reason to refuse."""
    name = "Zoë Œuvre 山田\u200d👩🏽 \\u0000 \x07\x7f\ufffe"
    cart = a_cart(ship_to=evolve(HOME, name=name), delivery=DeliveryPreference(note="ring twice\n\tthen wait\r\n"))

    order = shop.hold(shop.place(cart, "pm_visa").id, reason="manual", note="one\ntwo")

    assert shop.order(order.id) == order
    assert order.facts.ship_to.name == name


def test_a_tracking_number_is_no_longer_than_an_index_holds(shop: Shop) -> None:
    """It is looked for, so every store takes as many characters and no more: a number that somebody pasted a page into is refused."""
    order = shop.place(a_cart(), "pm_visa")
    shipment = order.shipments[0].id
    endless = evolve(BOOKED, tracking_number="".join(map(chr, range(0x4E00, 0x4E00 + 256))))

    refused("tracking_number", lambda: shop.ship(order.id, shipment, booked=endless))
    shipped = shop.ship(order.id, shipment, booked=evolve(endless, tracking_number=endless.tracking_number[:-1]))

    assert [row.id for row in shop.orders(OrderQuery(tracking_number=endless.tracking_number[:-1])).items] == [order.id]
    assert shipped.shipments[0].tracking_number == endless.tracking_number[:-1]
