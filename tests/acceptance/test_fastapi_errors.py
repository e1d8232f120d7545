"""The error table of the requirements, line by line, as problem+json that says whether anything happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.acceptance.served import CART, Web, opening, problem, served

ITEM = CART["items"][0]  # type: ignore[index]


@pytest.fixture
async def web(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Web]:
    store = f"sqlite:///{tmp_path}/shop.db" if getattr(request, "param", "") == "sqlite" else "memory:"
    async with served(opening(store)) as found:
        yield found


# For what a store has a say in; what is refused before it is the same on all.
on_both_stores = pytest.mark.parametrize("web", ["memory", "sqlite"], indirect=True)


async def nothing_was_placed(web: Web) -> bool:
    """Whether the shop has no order at all."""
    return not (await web.ask("GET", "/api/v1/orders", who="staff/sofia")).json()["orders"]


async def test_a_missing_key_is_400(web: Web) -> None:
    """An order without an Idempotency-Key is not placed."""
    found = problem(await web.ask("POST", "/api/v1/orders", json=CART), 400, "invalid_key")

    assert found["errors"][0]["in"] == "header"
    assert await nothing_was_placed(web)


@pytest.mark.parametrize("key", ["", " ", "k" * 256, '"' + "k" * 256 + '"', "a\tb"])
async def test_a_useless_key_is_400(web: Web, key: str) -> None:
    """A key has 1 to 255 visible characters."""
    problem(await web.place(key), 400, "invalid_key")

    assert await nothing_was_placed(web)


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b"null", b"\xff\xfe", b'{"items": 1}', b'{"payment_method_id": "\\ud800"}']
)
async def test_a_body_that_cannot_be_read_is_400(web: Web, body: bytes) -> None:
    """What is no JSON object of an order is malformed."""
    answer = await web.ask(
        "POST", "/api/v1/orders", key="checkout-1", content=body, headers={"Content-Type": "application/json"}
    )

    problem(answer, 400, "malformed")


@pytest.mark.parametrize("field", ["items", "shipping_address", "payment_method_id"])
async def test_a_missing_field_is_400(web: Web, field: str) -> None:
    """A missing field is named by its pointer."""
    body = {name: value for name, value in CART.items() if name != field}

    found = problem(await web.ask("POST", "/api/v1/orders", key="checkout-1", json=body), 400, "malformed")

    assert [error["pointer"] for error in found["errors"]] == [f"/{field}"]


@pytest.mark.parametrize(
    ("name", "value"), [("quantity", "two"), ("quantity", 1.5), ("price", "cheap"), ("price", None), ("color", "red")]
)
async def test_a_field_of_another_type_is_400(web: Web, name: str, value: object) -> None:
    """A quantity of "two", a price of "cheap" and a field that nobody knows cannot be read."""
    found = problem(await web.place("checkout-1", items=[{**ITEM, name: value}]), 400, "malformed")

    assert found["errors"][0]["pointer"] == f"/items/0/{name}"


@pytest.mark.parametrize("price", ["1e5", "1E2", "Infinity", "0x10", "1_000", " 5"])
async def test_a_price_in_another_notation_is_400(web: Web, price: str) -> None:
    """What a person would have to think about is not paid."""
    problem(await web.place("checkout-1", items=[{**ITEM, "price": price}]), 400, "malformed")


async def test_no_credentials_are_401(web: Web) -> None:
    """Nobody in particular may not even look, and learns how to sign in."""
    answer = await web.place("checkout-1", who=None)

    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_the_list_of_another_customer_is_403(web: Web) -> None:
    """Bruno may list his own orders and not anna's."""
    own = await web.ask("GET", "/api/v1/orders?user=bruno", who="bruno")
    found = problem(await web.ask("GET", "/api/v1/orders?user=anna", who="bruno"), 403, "forbidden")

    assert (own.status_code, found["field"]) == (200, "user")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/status", None),
        ("GET", "/timeline", None),
        ("GET", "/actions", None),
        ("PATCH", "", {"delivery_preference": "express"}),
        ("POST", "/cancel", {"reason": "spite"}),
        ("POST", "/return", {"items": [{"sku_id": "MUG", "quantity": 1, "reason": "spite"}]}),
        ("POST", "/payments", {"payment_method_id": "pm_visa"}),
        ("POST", "/reorder", {"payment_method_id": "pm_visa"}),
    ],
)
@on_both_stores
async def test_the_order_of_another_customer_is_404(
    web: Web, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """Whether anna has that order is not bruno's business: it reads like one that never was."""
    order_id = (await web.place("checkout-1")).json()["order_id"]

    for missing in (order_id, "no-such-order", "a%00b"):
        answer = await web.ask(method, f"/api/v1/orders/{missing}{path}", who="bruno", key="k", json=body)
        problem(answer, 404, "order_not_found")
    assert (await web.shop.order(order_id)).version == 2


async def test_unknown_paths_and_methods_are_problems(web: Web) -> None:
    """Not only the router's own errors are problems."""
    problem(await web.ask("GET", "/nowhere"), 404, "not_found")
    answer = await web.ask("DELETE", "/api/v1/orders/1")

    assert problem(answer, 405, "malformed")["title"] == "Method Not Allowed"
    assert answer.headers["Allow"]


@on_both_stores
async def test_a_cancellation_after_shipping_is_409(web: Web) -> None:
    """What has left cannot be cancelled; what was cancelled cannot be cancelled again."""
    sent, gone = [(await web.place(key)).json()["order_id"] for key in ("one", "two")]
    await web.delivered(sent)
    await web.ask("POST", f"/api/v1/orders/{gone}/cancel", json={"reason": "changed_mind"})

    late, twice = [
        await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", json={"reason": "changed_mind"})
        for order_id in (sent, gone)
    ]

    problem(late, 409, "already_shipped")
    problem(twice, 409, "already_cancelled")


async def test_a_released_shipment_is_past_its_cutoff(web: Web) -> None:
    """Once the warehouse has begun, neither cancelling nor amending is possible: 409."""
    order_id = (await web.place("checkout-1")).json()["order_id"]
    for shipment in (await web.shop.order(order_id)).shipments:
        await web.shop.release(order_id, shipment.id)

    problem(await web.ask("POST", f"/api/v1/orders/{order_id}/cancel", json={"reason": "late"}), 409, "cutoff_passed")
    answer = await web.ask("PATCH", f"/api/v1/orders/{order_id}", json={"delivery_preference": "express"})
    problem(answer, 409, "cutoff_passed")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": -1}, "invalid_input"),
        ({"quantity": 0}, "invalid_input"),
        ({"price": "-1.00"}, "invalid_input"),
        ({"price": "1.001"}, "money_precision"),
        ({"sku_id": "UNICORN"}, "unknown_sku"),
        ({"sku_id": " "}, "invalid_input"),
        ({"sku_id": "MUG\0"}, "invalid_input"),
    ],
)
@on_both_stores
async def test_an_item_that_cannot_be_right_is_422(web: Web, changes: dict[str, object], code: str) -> None:
    """Negative quantities, prices that no coin pays, and SKUs that nobody stocks are well-formed and wrong."""
    problem(await web.place("checkout-1", items=[{**ITEM, **changes}]), 422, code)

    assert await nothing_was_placed(web)


async def test_an_empty_cart_is_422(web: Web) -> None:
    """There is nothing to order."""
    problem(await web.place("checkout-1", items=[]), 422, "invalid_input")

    assert await nothing_was_placed(web)


async def test_a_cancellation_of_nothing_is_422(web: Web) -> None:
    """No items are not all items: the order stands."""
    placed = (await web.place("checkout-1")).json()
    path = f"/api/v1/orders/{placed['order_id']}"
    found = problem(await web.ask("POST", f"{path}/cancel", json={"reason": "late", "items": []}), 422, "invalid_input")

    assert found["errors"][0]["pointer"] == "/items"
    assert (await web.ask("GET", path)).json()["status"] == "payment_confirmed"


@on_both_stores
async def test_a_key_with_another_body_is_422(web: Web) -> None:
    """The first request stands; the second learns that its key was used."""
    first = await web.place("checkout-1")

    found = problem(await web.place("checkout-1", payment_method_id="pm_ok"), 422, "key_reused")

    assert found["facts"]["order_id"] == first.json()["order_id"]


@on_both_stores
async def test_out_of_stock_is_422_with_the_skus(web: Web) -> None:
    """The customer learns what there is too little of, and how much there is; a repeat says the same."""
    items = [{**ITEM, "quantity": 1_000}, CART["items"][1]]  # type: ignore[index]

    first, again = [await web.place("checkout-1", items=items) for _ in range(2)]

    found = problem(first, 422, "out_of_stock")
    assert found["facts"]["skus"] == ["MUG"]
    assert [(s["sku"], s["asked"], s["available"]) for s in found["facts"]["short"]] == [("MUG", 1_000, 300)]
    assert again.json() == found
    assert again.headers["Idempotent-Replayed"] == "true"


@on_both_stores
async def test_a_return_of_what_never_came_is_422(web: Web) -> None:
    """Nothing was delivered, so nothing can come back; and no more can than was ordered."""
    order_id = (await web.place("checkout-1")).json()["order_id"]
    body = {"items": [{"sku_id": "MUG", "quantity": 4, "reason": "broken"}], "return_method": "mail"}
    early = await web.ask("POST", f"/api/v1/orders/{order_id}/return", json=body)
    await web.delivered(order_id)
    many = await web.ask("POST", f"/api/v1/orders/{order_id}/return", json=body)

    problem(early, 422, "not_returnable")
    problem(many, 422, "not_returnable")


@on_both_stores
async def test_a_decline_is_402_and_names_the_order(web: Web) -> None:
    """The order stands and may be paid again; a repeat of the key is the same answer."""
    first, again = [await web.place("checkout-1", payment_method_id="pm_declined") for _ in range(2)]

    found = problem(first, 402, "payment_declined")
    assert (found["order_status"], found["reason"]) == ("payment_failed", "declined")
    assert (await web.shop.order(found["order_id"])).state == "payment_failed"
    assert (again.status_code, again.json()) == (402, found)


@pytest.mark.parametrize("card", ["pm_timeout_before", "pm_timeout_after", "pm_timeout_always"])
async def test_a_provider_that_does_not_answer_is_502(web: Web, card: str) -> None:
    """Nobody knows whether money moved: the outcome is unknown, the order is named, and polling it is the way on."""
    answer = await web.place("checkout-1", payment_method_id=card)

    found = problem(answer, 502, "payment_unknown", "unknown")
    polled = await web.ask("GET", f"/api/v1/orders/{found['order_id']}")
    assert polled.json()["status"] == "payment_pending"
    assert int(answer.headers["Retry-After"]) > 0


@on_both_stores
async def test_a_bad_query_is_400(web: Web) -> None:
    """A cursor of another search, a time without its zone, and a word for a number cannot be read."""
    for key in ("one", "two"):
        await web.place(key)
    cursor = (await web.ask("GET", "/api/v1/orders?limit=1")).json()["next_cursor"]

    problem(await web.ask("GET", f"/api/v1/orders?limit=1&product=MUG&cursor={cursor}"), 400, "invalid_cursor")
    problem(await web.ask("GET", "/api/v1/orders?cursor=nonsense"), 400, "invalid_cursor")
    problem(await web.ask("GET", "/api/v1/orders?placed_from=2026-03-01T00:00:00"), 400, "malformed")
    problem(await web.ask("GET", "/api/v1/orders?placed_from=yesterday"), 400, "malformed")
    problem(await web.ask("GET", "/api/v1/orders?text=%00"), 400, "malformed")


@pytest.mark.parametrize("name", ["status", "payment_status", "foo"])
async def test_a_filter_that_means_nothing_is_400(web: Web, name: str) -> None:
    """A status that no order has and a filter that nobody knows are named: an empty list would look like an empty shop."""
    found = problem(await web.ask("GET", f"/api/v1/orders?limit=1&{name}=foo"), 400, "malformed")

    assert found["field"] == name


async def test_too_many_requests_are_429(tmp_path: Path) -> None:
    """After its burst an actor waits; another one does not."""
    async with served(opening("memory:"), requests_per_second=0.5, burst=3) as web:
        answers = [await web.ask("GET", "/api/v1/orders") for _ in range(4)]
        other = await web.ask("GET", "/api/v1/orders", who="bruno")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    problem(answers[-1], 429, "rate_limited")
    assert answers[-1].headers["Retry-After"] == "2"
    assert other.status_code == 200


class Cable:
    """A way to a server that can be cut: connections through it end, and new ones are refused."""

    def __init__(self, host: str, port: int) -> None:
        self._far = host, port
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """End every connection, and take no more."""
        self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._far)
        self._ends += [writer, far_writer]
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.close()


@pytest.mark.postgres
async def test_a_store_that_is_gone_is_503(postgres_database: str) -> None:
    """The way to the database is cut under the running shop: nothing was applied, come back later."""
    parts = urlsplit(postgres_database)
    async with Cable(parts.hostname or "", parts.port or 5432) as cable:
        way = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{cable.port}"))
        async with served(opening(f"{way}?create=yes")) as web:
            before = await web.place("checkout-1")
            cable.cut()
            answers = [await web.place("checkout-2"), await web.ask("GET", "/api/v1/orders")]

    assert before.status_code == 201
    for answer in answers:
        problem(answer, 503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_shop_that_is_full_is_503() -> None:
    """While all the room is taken a request is refused before its first effect, and may come again with its key."""
    async with served(opening("memory:", running_max=1)) as web:
        with web.shop._admission:
            found = problem(await web.place("checkout-1"), 503, "overloaded")
        again = await web.place("checkout-1")

    assert (found["retryable"], again.status_code) == (True, 201)
