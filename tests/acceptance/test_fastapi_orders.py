"""The four endpoints of the requirements and what stands beside them, over HTTP, on the real stores for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orderkit import Address, Settings, VirtualClock
from tests.acceptance.served import CART, PROBLEM, Web, opening, served


@pytest.fixture(params=["memory", "sqlite"])
async def web(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Web]:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/shop.db"
    async with served(opening(store, cache="memory:")) as found:
        yield found


async def placed(web: Web, key: str = "checkout-1") -> str:
    """Place an order and return its id."""
    answer = await web.place(key)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


async def test_an_order_is_placed_with_the_body_of_the_requirements(web: Web) -> None:
    """A placement answers 201 with id, status, estimate, total and shipments, and says where the order is."""
    answer = await web.place("checkout-1")

    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"order_id", "status", "estimated_delivery", "total", "currency", "shipments"}
    assert (body["status"], body["total"], body["currency"]) == ("payment_confirmed", "57.50", "EUR")
    assert [set(shipment) for shipment in body["shipments"]] == [{"shipment_id", "items", "warehouse"}]
    assert answer.headers["Location"] == f"/api/v1/orders/{body['order_id']}"
    assert answer.headers["ETag"] == f'"{body["order_id"]}:v2"'


async def test_a_repeat_of_the_key_is_the_same_answer(web: Web) -> None:
    """A second request with the key gets the first order and says that it is a repeat; a quoted key is the same key."""
    first, second = await web.place("checkout-1"), await web.place('"checkout-1"')

    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (second.status_code, second.json()) == (201, first.json())
    assert len((await web.ask("GET", "/api/v1/orders")).json()["orders"]) == 1


async def test_two_customers_may_choose_the_same_key(web: Web) -> None:
    """Keys belong to who sent them: bruno's checkout-1 is not anna's."""
    anna, bruno = await web.place("checkout-1"), await web.place("checkout-1", who="bruno")

    assert bruno.status_code == 201
    assert anna.json()["order_id"] != bruno.json()["order_id"]


async def test_an_order_is_read_with_the_body_of_the_requirements(web: Web) -> None:
    """An order shows its status, items, shipments with tracking, and payment."""
    order_id = await placed(web)
    order = await web.shop.order(order_id)
    await web.shop.ship(order_id, order.shipments[0].id)

    answer = await web.ask("GET", f"/api/v1/orders/{order_id}")

    body = answer.json()
    assert {"order_id", "status", "placed_at", "items", "shipments", "payment"} <= set(body)
    parcel = body["shipments"][0]
    assert {"shipment_id", "status", "carrier", "tracking_number", "estimated_delivery", "tracking_url"} <= set(parcel)
    assert parcel["status"] == "shipped"
    assert parcel["tracking_number"]
    assert (body["payment"]["method"], body["payment"]["amount"], body["payment"]["status"]) == (
        "pm_visa",
        "57.50",
        "paid",
    )


async def test_an_order_that_has_not_changed_is_not_sent_again(web: Web) -> None:
    """The entity tag of the last answer saves the body of the next."""
    order_id = await placed(web)
    tag = (await web.ask("GET", f"/api/v1/orders/{order_id}")).headers["ETag"]

    answer = await web.ask("GET", f"/api/v1/orders/{order_id}", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_a_cancellation_says_what_goes_back(web: Web) -> None:
    """A cancelled order answers with its status and the refund; the repeat of the key gives the same answer."""
    order_id = await placed(web)

    answers = [
        await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", key="cancel-1", json={"reason": "changed_mind"})
        for _ in range(2)
    ]

    expected = {"order_id": order_id, "status": "cancelled", "refund_amount": "57.50", "refund_status": "refunded"}
    assert [(a.status_code, a.json()) for a in answers] == [(200, expected)] * 2
    assert [a.headers.get("Idempotent-Replayed") for a in answers] == [None, "true"]


async def test_a_part_is_cancelled(web: Web) -> None:
    """Two of three mugs are cancelled: two thirds of their price go back, and a repeat after another part still says so."""
    order_id = await placed(web)
    path = f"/api/v1/orders/{order_id}/cancel"
    two = {"reason": "too_many", "items": [{"sku_id": "MUG", "quantity": 1}, {"sku_id": "MUG", "quantity": 1}]}

    first = await web.ask("POST", path, key="two-mugs", json=two)
    await web.ask("POST", path, json={"reason": "no_tee", "items": [{"sku_id": "TEE", "quantity": 1}]})
    again = await web.ask("POST", path, key="two-mugs", json=two)

    assert first.json()["refund_amount"] == "25.00"
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"items": []}, "/items"), ({"items": [{"sku_id": "MUG", "quantity": 1}], "shipment_id": "S1"}, "/shipment_id")],
)
async def test_a_cancellation_that_says_no_one_thing_is_422(web: Web, body: dict[str, object], pointer: str) -> None:
    """No items are not the whole order, and items beside a shipment are not the whole shipment."""
    order_id = await placed(web)

    answer = await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", json={"reason": "changed_mind", **body})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await web.ask("GET", f"/api/v1/orders/{order_id}")).json()["payment"]["refunded"] == "0.00"


async def test_a_cancelled_order_that_was_never_paid_gives_nothing_back(web: Web) -> None:
    """After a decline no money was taken, so none is promised."""
    order_id = (await web.place("checkout-1", payment_method_id="pm_declined")).json()["order_id"]

    answer = await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", json={"reason": "changed_mind"})

    assert answer.json() == {
        "order_id": order_id,
        "status": "cancelled",
        "refund_amount": "0.00",
        "refund_status": "none",
    }


async def test_a_return_is_opened_with_its_label(web: Web) -> None:
    """Delivered units go back: id, label, and the amount that their receipt will refund; the key opens one return."""
    order_id = await placed(web)
    await web.delivered(order_id)
    body = {"items": [{"sku_id": "MUG", "quantity": 2, "reason": "broken"}], "return_method": "mail"}
    path = f"/api/v1/orders/{order_id}/return"

    first = await web.ask("POST", path, key="return-1", json=body)
    other = await web.ask("POST", path, json={"items": [{"sku_id": "TEE", "quantity": 1, "reason": "too_small"}]})
    again = await web.ask("POST", path, key="return-1", json=body)

    found = first.json()
    assert first.status_code == 200
    assert {"return_id", "return_label_url", "refund_amount", "refund_status"} <= set(found)
    assert (found["refund_amount"], found["refund_status"]) == ("25.00", "on_receipt")
    assert found["return_label_url"]
    assert other.json()["return_id"] != found["return_id"]
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (found, "true")


async def test_a_declined_order_is_paid_by_another_card(web: Web) -> None:
    """402 names the order; another tender pays that same order, once per key."""
    declined = await web.place("checkout-1", payment_method_id="pm_declined")
    order_id = declined.json()["order_id"]
    path = f"/api/v1/orders/{order_id}/payments"

    paid = [await web.ask("POST", path, key="again", json={"payment_method_id": "pm_visa"}) for _ in range(2)]

    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    assert [(a.status_code, a.json()["order_id"], a.json()["status"]) for a in paid] == [
        (201, order_id, "payment_confirmed")
    ] * 2
    assert paid[1].headers["Idempotent-Replayed"] == "true"


async def test_an_order_is_ordered_again(web: Web) -> None:
    """A reorder is a new order of the same lines."""
    order_id = await placed(web)

    answer = await web.ask(
        "POST", f"/api/v1/orders/{order_id}/reorder", key="again", json={"payment_method_id": "pm_visa"}
    )

    assert (answer.status_code, answer.json()["total"]) == (201, "57.50")
    assert answer.json()["order_id"] != order_id


async def test_an_address_is_amended_by_who_saw_the_latest_version(web: Web) -> None:
    """Of two editors that saw one version the first is heard; the second gets a conflict with the version of now."""
    order_id = await placed(web)
    tag = (await web.ask("GET", f"/api/v1/orders/{order_id}")).headers["ETag"]
    addresses = [{**CART["shipping_address"], "street": street} for street in ("Torstr. 2", "Torstr. 3")]  # type: ignore[dict-item]

    first, second = [
        await web.ask(
            "PATCH", f"/api/v1/orders/{order_id}", json={"shipping_address": address}, headers={"If-Match": tag}
        )
        for address in addresses
    ]

    assert first.status_code == 200
    assert first.headers["ETag"] != tag
    assert (second.status_code, second.json()["code"], second.json()["facts"]) == (
        409,
        "version_conflict",
        {"version": 3},
    )
    assert (await web.shop.order(order_id)).facts.ship_to == Address(
        street="Torstr. 2", city="Berlin", zip="10115", country="DE"
    )


async def test_of_two_amendments_at_once_of_one_version_one_is_heard(tmp_path: Path) -> None:
    """`If-Match` holds until the commit: whoever is slower gets a conflict, however close the two are."""
    async with served(opening(f"sqlite:///{tmp_path}/shop.db")) as web:
        order_id = await placed(web)
        tag = (await web.ask("GET", f"/api/v1/orders/{order_id}")).headers["ETag"]
        bodies = [{"shipping_address": {**CART["shipping_address"], "street": f"Torstr. {n}"}} for n in range(4)]  # type: ignore[dict-item]
        bodies.append({"delivery_preference": "express"})

        found = await asyncio.gather(
            *(web.ask("PATCH", f"/api/v1/orders/{order_id}", json=body, headers={"If-Match": tag}) for body in bodies)
        )

        assert sorted(answer.status_code for answer in found) == [200, 409, 409, 409, 409]
        assert {a.json()["code"] for a in found if a.status_code != 200} == {"version_conflict"}
        assert (await web.shop.order(order_id)).version == 3


async def test_a_delivery_is_amended(web: Web) -> None:
    """Express instead of standard, before the cutoff; one change at a time."""
    order_id = await placed(web)

    answer = await web.ask("PATCH", f"/api/v1/orders/{order_id}", json={"delivery_preference": "express"})
    nothing = await web.ask("PATCH", f"/api/v1/orders/{order_id}", json={})

    assert answer.status_code == 200
    assert (await web.shop.order(order_id)).facts.delivery.service == "express"
    assert nothing.status_code == 422


async def test_a_history_has_pages_and_filters(web: Web) -> None:
    """Anna's five orders come newest first, two by two, and bruno's are not among them."""
    mine = [await placed(web, f"checkout-{n}") for n in range(5)]
    await web.place("checkout-1", who="bruno", items=[{"sku_id": "TEE", "quantity": 1, "price": "20.00"}])

    found: list[str] = []
    path = "/api/v1/orders?limit=2"
    while path:
        answer = await web.ask("GET", path)
        found += [row["order_id"] for row in answer.json()["orders"]]
        path = answer.links.get("next", {}).get("url", "")

    assert found == mine[::-1]


async def test_staff_search_everybodys_orders(web: Web) -> None:
    """By customer, status, product, time, and tracking number; for staff, of all customers."""
    anna = await placed(web)
    bruno = (await web.place("b", who="bruno", items=[{"sku_id": "TEE", "quantity": 1, "price": "20.00"}])).json()[
        "order_id"
    ]
    await web.delivered(bruno)
    number = (await web.shop.order(bruno)).shipments[0].tracking_number

    async def search(query: str) -> list[str]:
        answer = await web.ask("GET", f"/api/v1/orders?{query}", who="staff/sofia")
        assert answer.status_code == 200, answer.text
        return sorted(row["order_id"] for row in answer.json()["orders"])

    assert await search("") == sorted([anna, bruno])
    assert await search("user=bruno") == [bruno]
    assert await search("product=MUG") == [anna]
    assert await search("status=delivered") == [bruno]
    assert await search("status=delivered&status=payment_confirmed") == sorted([anna, bruno])
    assert await search(f"tracking_number={number}") == [bruno]
    assert await search("placed_until=2001-01-01T00:00:00Z") == []
    assert await search("placed_from=2001-01-01T00:00:00Z&payment_status=paid") == sorted([anna, bruno])


async def test_a_status_is_told_from_the_cache(web: Web) -> None:
    """Where the order stands, its parcels, when it changed; who has seen that version is told so, and the next one comes with the relay."""
    order_id = await placed(web)
    path = f"/api/v1/orders/{order_id}/status"

    first = await web.ask("GET", path)
    same = await web.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    await web.delivered(order_id)
    await web.shop.sweep()
    later = await web.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    order = await web.shop.order(order_id)

    assert first.json()["status"] == "payment_confirmed"
    assert (same.status_code, same.content) == (304, b"")
    assert later.json() == {
        "order_id": order_id,
        "status": "delivered",
        "tracking": [shipment.tracking_number for shipment in order.shipments],
        "updated_at": order.updated_at.isoformat(),
    }


async def test_a_timeline_tells_what_happened(web: Web) -> None:
    """Placed, captured, confirmed, in order, by whom."""
    order_id = await placed(web)

    entries = (await web.ask("GET", f"/api/v1/orders/{order_id}/timeline")).json()["entries"]

    assert [entry["event"] for entry in entries] == ["order.placed", "payment.captured", "order.confirmed"]
    assert entries[0]["actor"] == "customer:anna"


async def test_actions_say_what_is_possible_and_why_not(web: Web) -> None:
    """An order that waits can be cancelled until its cutoff; nothing of it can come back yet."""
    order_id = await placed(web)

    found = (await web.ask("GET", f"/api/v1/orders/{order_id}/actions")).json()["actions"]

    offered = {action["action"]: action for action in found}
    assert offered["cancel"]["allowed"] is True
    assert offered["cancel"]["until"]
    assert (offered["request_return"]["allowed"], offered["request_return"]["code"]) == (False, "not_returnable")


async def test_an_answer_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    """A provider slower than the deadline: 201 with payment_pending, and the order is confirmed all the same a little later."""
    hurried = Settings(answer_within=timedelta(milliseconds=20))
    slow = opening(f"sqlite:///{tmp_path}/shop.db", payments="fakepsp:?latency_ms=300", settings=hurried)
    async with served(slow) as web:
        answer = await web.place("checkout-1")
        repeat = await web.place("checkout-1")

    async with served(opening(f"sqlite:///{tmp_path}/shop.db", stock={})) as web:  # closing waited for what was running
        later = await web.ask("GET", f"/api/v1/orders/{answer.json()['order_id']}")

    assert [(a.status_code, a.json()["status"]) for a in (answer, repeat)] == [(201, "payment_pending")] * 2
    assert later.json()["status"] == "payment_confirmed"


async def test_a_lost_answer_is_found_by_the_sweep_of_the_same_process() -> None:
    """502 names the order and says that nobody knows; with `sweep_seconds` the host's own process asks the provider and confirms it."""
    clock = VirtualClock(datetime(2026, 3, 3, 12, 0, tzinfo=UTC))
    async with served(opening("memory:", clock=clock), sweep_seconds=0.01) as web:
        answer = await web.place("checkout-1", payment_method_id="pm_timeout_after")
        order_id = answer.json()["order_id"]
        clock.advance(minutes=10)
        for _ in range(1_000):
            order = (await web.ask("GET", f"/api/v1/orders/{order_id}")).json()
            if order["status"] != "payment_pending":
                break
            await asyncio.sleep(0.02)
        repeat = await web.place("checkout-1", payment_method_id="pm_timeout_after")

    assert (answer.status_code, answer.json()["outcome"], answer.headers["content-type"]) == (502, "unknown", PROBLEM)
    assert answer.headers["Retry-After"]
    assert (order["status"], order["payment"]["status"]) == ("payment_confirmed", "paid")
    assert (repeat.status_code, repeat.json()["order_id"]) == (201, order_id)
