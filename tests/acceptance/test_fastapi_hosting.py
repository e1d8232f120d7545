"""What a host meets: bugs and mounted applications as problems, the pages on errors, and an API description that tells the truth."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.acceptance.served import (
    CART,
    PROBLEM,
    FastAPI,
    add_problem_handlers,
    current_actor,
    opening,
    orders_router,
    problem,
    running,
    served,
)


@pytest.mark.parametrize("prefix", ["/api/v1", "/orders-service/v1", "/orders", ""])
async def test_the_location_of_an_order_can_be_followed(prefix: str) -> None:
    """Whatever the prefix is called, the answers to a placement, a payment and a reorder say where the order is."""
    async with served(opening("memory:"), prefix=prefix) as web:
        declined = await web.ask(
            "POST", f"{prefix}/orders", key="k-1", json={**CART, "payment_method_id": "pm_declined"}
        )
        found = f"{prefix}/orders/{declined.json()['order_id']}"
        card = {"payment_method_id": "pm_visa"}
        paid = await web.ask("POST", f"{found}/payments", key="k-2", json=card)
        again = await web.ask("POST", f"{found}/reorder", key="k-3", json=card)

        assert (declined.status_code, paid.status_code, again.status_code) == (402, 201, 201)
        assert declined.headers["Location"] == paid.headers["Location"] == found
        for answer in (paid, again):
            shown = await web.ask("GET", answer.headers["Location"])
            assert (shown.status_code, shown.json()["order_id"]) == (200, answer.json()["order_id"])


class NumberedOrders:
    """A host's own numbers of orders, in its own script."""

    def __init__(self) -> None:
        self.count = 0

    def new_id(self, at: datetime) -> str:
        """Return the next one."""
        self.count += 1
        return f'заказ "{self.count}"'


async def test_headers_hold_ids_and_prefixes_of_any_script() -> None:
    """HTTP's headers know Latin letters only: what else is in an id or in a path travels percent-encoded, and comes back the same."""
    prefix = "/магазин"
    async with served(opening("memory:", ids=NumberedOrders()), prefix=prefix) as web:
        placed = await web.ask("POST", f"{prefix}/orders", key="k-1", json=CART)
        await web.ask("POST", f"{prefix}/orders", key="k-2", json=CART)
        shown = await web.ask("GET", placed.headers["Location"])
        tag = {"If-None-Match": shown.headers["ETag"]}
        again = await web.ask("GET", placed.headers["Location"], headers=tag)
        listed = await web.ask("GET", f"{prefix}/orders", params={"limit": 1})
        following = await web.ask("GET", listed.headers["Link"].partition(">")[0].removeprefix("<"))

        assert (placed.status_code, shown.status_code, again.status_code, listed.status_code) == (201, 200, 304, 200)
        assert shown.json()["order_id"] == placed.json()["order_id"]
        assert all(str(answer.headers).isascii() for answer in (placed, shown, again, listed))
        assert shown.headers["ETag"].count('"') == 2
        assert following.json()["orders"][0]["order_id"] != listed.json()["orders"][0]["order_id"]


async def test_a_bug_is_500_and_tells_nothing_of_itself() -> None:
    """A fault of the host's own becomes a problem without its message: what it did is unknown."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("secret")

    async with running(app) as (client, _):
        answer = await client.get("/broken")

    problem(answer, 500, "internal", "unknown")
    assert "secret" not in answer.text


async def test_a_mounted_application_says_what_to_do_instead() -> None:
    """A mounted application runs no lifespan, so there is no shop; the error names include_router."""
    inner, outer = FastAPI(), FastAPI()
    inner.include_router(orders_router(opening("memory:"), actor=current_actor))
    outer.mount("/shop", inner)

    async with running(outer) as (client, _):
        answer = await client.get("/shop/api/v1/orders", headers={"Authorization": "Bearer anna"})

    assert "include_router" in problem(answer, 500, "misconfigured")["hint"]


async def test_an_error_code_is_explained() -> None:
    """The type of a problem is a page that says what to do."""
    async with served(opening("memory:")) as web:
        answer = await web.ask("GET", "/api/v1/problems/payment_unknown", who=None)
        unknown = await web.ask("GET", "/api/v1/problems/nonsense")

    assert answer.json()["remedy"].startswith("Do not pay again")
    problem(unknown, 404, "not_found")


async def test_the_api_page_shows_problems() -> None:
    """Every error in OpenAPI is problem+json, never FastAPI's own schema; every write that needs a key says so."""
    async with served(opening("memory:")) as web:
        page = (await web.client.get("/openapi.json")).json()

    operations = [operation for path in page["paths"].values() for operation in path.values()]
    errors = [response for o in operations for status, response in o["responses"].items() if status >= "400"]
    assert all(set(response["content"]) == {PROBLEM} for response in errors)
    assert "HTTPValidationError" not in json.dumps(page)
    assert {"400", "401", "402", "403", "404", "409", "422", "429", "500", "502", "503"} <= set(
        page["paths"]["/api/v1/orders"]["post"]["responses"]
    )
    keys = [p for p in page["paths"]["/api/v1/orders"]["post"]["parameters"] if p["name"] == "Idempotency-Key"]
    assert [key["required"] for key in keys] == [True]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
