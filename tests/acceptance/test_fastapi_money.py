"""What the answers over HTTP say of money: what goes back, once, and which card paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from httpx2 import Response

from orderkit import Address, CaptureMode, Cart, InvalidInput, OrderQuery, Policies, Settings, VirtualClock
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit_fakepsp import FakeCard
from tests.acceptance.served import CART, Web, opening, problem, served

HOME = Address(street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 5, 8, tzinfo=UTC))


@pytest.fixture(params=["memory", "sqlite"])
async def web(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Web]:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/shop.db"
    async with served(opening(store, clock=clock)) as found:
        yield found


async def test_a_refund_that_was_refused_and_sent_again_counts_once(web: Web, clock: VirtualClock) -> None:
    """While it has failed nothing goes back; sent again, a repeat of the cancellation says the amount once."""
    card = FakeCard.script(refund=["refund_failed"] * 3 + ["ok"])
    order_id = (await web.place("checkout-1", payment_method_id=card)).json()["order_id"]
    told = []
    for _ in range(3):
        body = {"reason": "changed_mind", "items": [{"sku_id": "TEE", "quantity": 1}]}
        answer = await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", key="no-tee", json=body)
        told.append((answer.json()["refund_amount"], answer.json()["refund_status"]))
        for _ in range(4):
            clock.advance(hours=2)
            await web.shop.sweep()
        for finding in (await web.shop.order(order_id)).findings:
            if len(told) == 2:
                await web.shop.attend(order_id, finding)

    assert told == [("20.00", "sent"), ("0.00", "failed"), ("20.00", "refunded")]
    assert (await web.shop.order(order_id)).refunded_minor == 2000


async def test_prices_are_the_hosts_to_check() -> None:
    """Before anything begins; what was ordered under a key stands, also when it costs more by now."""
    cents = 1250

    async def check_cart(cart: Cart) -> None:
        if any(line.unit_price_minor != cents for line in cart.lines):
            raise InvalidInput(f"a mug costs {cents}", code="total_mismatch", field="price")

    item = {"sku_id": "MUG", "quantity": 1}
    async with served(opening("memory:"), check_cart=check_cart) as web:
        problem(await web.place("cheap", items=[{**item, "price": "0.01"}]), 422, "total_mismatch")
        first = await web.place("fair", items=[{**item, "price": "12.50"}])
        cents = 1300
        again = await web.place("fair", items=[{**item, "price": "12.50"}])
        refused = await web.ask(
            "POST", f"/api/v1/orders/{first.json()['order_id']}/reorder", key="k", json={"payment_method_id": "pm_visa"}
        )
        orders = await web.shop.orders(OrderQuery())

    assert (first.status_code, again.json()["order_id"]) == (201, first.json()["order_id"])
    problem(refused, 422, "total_mismatch")
    assert len(orders.items) == 1


async def test_the_return_of_a_parcel_that_was_lost_and_found_is_opened(web: Web, clock: VirtualClock) -> None:
    """Its value was given back already: the return is open, and gives back nothing; a repeat says so too."""
    order_id = (await web.place("checkout-1", items=CART["items"][:1])).json()["order_id"]  # type: ignore[index]
    for shipment in (await web.shop.order(order_id)).shipments:
        await web.shop.ship(order_id, shipment.id)
        for status in (CarrierStatus.LOST, CarrierStatus.DELIVERED):
            await web.shop.track(order_id, shipment.id, [Scan(id=status.value, status=status, at=clock.now())])
    body = {"items": [{"sku_id": "MUG", "quantity": 1, "reason": "broken"}]}

    answers = [await web.ask("POST", f"/api/v1/orders/{order_id}/return", key="back", json=body) for _ in range(2)]

    assert [(a.status_code, a.json()["status"], a.json()["refund_amount"]) for a in answers] == [
        (200, "authorized", "0.00")
    ] * 2
    assert len((await web.shop.order(order_id)).returns) == 1


async def test_one_article_comes_back_for_one_reason_in_a_return(web: Web) -> None:
    """Two reasons for one SKU are refused, and nothing is opened; the same reason twice, or two returns, are not."""
    order_id = (await web.place("checkout-1")).json()["order_id"]
    await web.delivered(order_id)

    def asked(*items: tuple[int, str]) -> dict[str, list[dict[str, object]]]:
        return {"items": [{"sku_id": "MUG", "quantity": units, "reason": reason} for units, reason in items]}

    path = f"/api/v1/orders/{order_id}/return"
    refused = problem(
        await web.ask("POST", path, json=asked((2, "damaged"), (1, "changed_mind"))), 422, "invalid_input"
    )
    opened = (await web.shop.order(order_id)).returns
    for body in (asked((1, "damaged"), (1, "damaged")), asked((1, "changed_mind"))):
        assert (await web.ask("POST", path, json=body)).status_code == 200

    assert (refused["errors"][0]["pointer"], opened) == ("/items", ())
    kept = [(item.quantity, item.reason) for r in (await web.shop.order(order_id)).returns for item in r.items]
    assert kept == [(2, "damaged"), (1, "changed_mind")]


async def test_the_card_that_paid_is_shown(web: Web) -> None:
    """Not the declined one of an amendment that failed; another that pays for added lines is; a declined order shows its card."""
    order_id = (await web.place("checkout-1")).json()["order_id"]
    more = Cart(customer="anna", ship_to=HOME).add("TEE", 1, "20.00")

    async def method(of: str) -> str:
        return str((await web.ask("GET", f"/api/v1/orders/{of}")).json()["payment"]["method"])

    shown = [await method(order_id)]
    for card in ("pm_declined", "pm_ok"):
        await web.shop.amend(order_id, add=more, pay_with=card)
        shown.append(await method(order_id))
    unpaid = (await web.place("checkout-2", payment_method_id="pm_declined")).json()["order_id"]
    shown.append(await method(unpaid))
    await web.ask("POST", f"/api/v1/orders/{unpaid}/payments", key="again", json={"payment_method_id": "pm_visa"})
    shown.append(await method(unpaid))

    assert shown == ["pm_visa", "pm_visa", "pm_ok", "pm_declined", "pm_visa"]


async def a_short_order(web: Web, card: str) -> str:
    """Everything left, and the card that was authorized would not be captured; the three tries took two hours."""
    order_id: str = (await web.place("checkout-1", payment_method_id=card)).json()["order_id"]
    for shipment in (await web.shop.order(order_id)).shipments:
        await web.shop.ship(order_id, shipment.id)
    return order_id


@pytest.fixture(params=["memory", "sqlite"])
async def later(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Web]:
    """A shop that takes money parcel by parcel."""
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/later.db"
    settings = Settings(policies=Policies(capture=CaptureMode.PER_SHIPMENT))
    async with served(opening(store, clock=clock, settings=settings)) as found:
        yield found


async def test_another_card_pays_what_is_missing(later: Web, clock: VirtualClock) -> None:
    """The order says how much; a declined card is a 402 that says so still, too much is a 422; a part, then the rest, each once per key."""
    order_id = await a_short_order(later, FakeCard.script(capture="capture_failed"))
    for _ in range(8):
        clock.advance(hours=1)
        await later.shop.sweep()
    path, told = f"/api/v1/orders/{order_id}", []

    async def pay(key: str, card: str, amount: str | None = None) -> Response:
        body = {"payment_method_id": card, **({} if amount is None else {"amount": amount})}
        return await later.ask("POST", f"{path}/payments", key=key, json=body)

    async def missing() -> str:
        found = (await later.ask("GET", path)).json()["payment"]["missing"]
        told.append(found)
        return str(found)

    actions = (await later.ask("GET", f"{path}/actions")).json()["actions"]
    await missing()
    too_much, declined = await pay("k-1", "pm_visa", "57.51"), await pay("k-2", "pm_declined")
    again = await pay("k-2", "pm_declined")
    await missing()
    part = [await pay("k-3", "pm_visa", "7.50") for _ in range(2)]
    await missing()
    rest, nothing = await pay("k-4", "pm_ok"), await pay("k-5", "pm_ok")
    await missing()

    assert next((a["allowed"], a["amount"]) for a in actions if a["action"] == "pay") == (True, "57.50")
    assert problem(too_much, 422, "tenders_mismatch")["facts"]["missing_minor"] == 5750
    for answer in (declined, again):
        found = problem(answer, 402, "payment_declined")
        assert (found["reason"], found["missing"], found["order_status"]) == ("declined", "57.50", "shipped")
    assert [(a.status_code, a.json()["tender"], a.json()["missing"]) for a in part] == [(201, "accepted", "50.00")] * 2
    assert part[1].headers["Idempotent-Replayed"] == "true"
    assert (rest.status_code, rest.json()["missing"]) == (201, "0.00")
    assert problem(nothing, 409, "nothing_due")
    assert told == ["57.50", "57.50", "50.00", "0.00"]
    order = await later.shop.order(order_id)
    assert (order.captured_minor, order.findings, [p.captured_minor for p in order.payments]) == (
        5750,
        (),
        [0, 0, 750, 5000],
    )


async def test_a_payment_in_doubt_of_a_confirmed_order_is_not_a_success(later: Web, clock: VirtualClock) -> None:
    """The order is confirmed all the time; the answer is 502, and nobody else may pay meanwhile."""
    order_id = await a_short_order(later, FakeCard.script(capture="capture_failed"))
    for _ in range(8):
        clock.advance(hours=1)
        await later.shop.sweep()
    path = f"/api/v1/orders/{order_id}/payments"

    doubtful = await later.ask("POST", path, key="k-1", json={"payment_method_id": "pm_timeout_after"})
    other = await later.ask("POST", path, key="k-2", json={"payment_method_id": "pm_visa"})

    assert problem(doubtful, 502, "payment_unknown", "unknown")["missing"] == "0.00"
    assert problem(other, 409, "action_in_flight")
