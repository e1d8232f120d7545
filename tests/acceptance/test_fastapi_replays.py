"""One key posted fifty times at once: one order and fifty equal answers, on a SQLite file and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.served import opening, served


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    make: Callable[[], str] = request.getfixturevalue("make_postgres_database")
    return f"{make()}?create=yes"


@pytest.mark.parametrize(
    ("card", "status", "payments"),
    [("pm_visa", 201, "paid"), ("pm_declined", 402, "failed"), ("pm_timeout_always", 502, "in_doubt")],
)
async def test_fifty_requests_with_one_key_are_one_order(store: str, card: str, status: int, payments: str) -> None:
    """Confirmed, declined or in doubt: all fifty say the same of the same order, forty-nine that they are repeats, and money moves once."""
    async with served(opening(store)) as web:
        answers = await asyncio.gather(*(web.place("checkout-1", payment_method_id=card) for _ in range(50)))
        rows = (await web.ask("GET", "/api/v1/orders")).json()["orders"]
        order = await web.shop.order(rows[0]["order_id"])

    assert {answer.status_code for answer in answers} == {status}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.json()["order_id"] for answer in answers} == {rows[0]["order_id"]}
    assert Counter(a.headers.get("Idempotent-Replayed") for a in answers) == {"true": 49, None: 1}
    assert (len(rows), rows[0]["payment_status"], len(order.operations())) == (1, payments, 1)


async def test_fifty_cancellations_with_one_key_are_one_refund(store: str) -> None:
    """Fifty equal cancellations of one mug at once cancel one mug and refund it once."""
    async with served(opening(store)) as web:
        order_id = (await web.place("checkout-1")).json()["order_id"]
        body = {"reason": "changed_mind", "items": [{"sku_id": "MUG", "quantity": 1}]}
        path = f"/api/v1/orders/{order_id}/cancel"
        answers = await asyncio.gather(*(web.ask("POST", path, key="cancel-1", json=body) for _ in range(50)))
        order = await web.shop.order(order_id)

    assert {(a.status_code, a.json()["order_id"], a.json()["refund_amount"]) for a in answers} == {
        (200, order_id, "12.50")
    }
    assert (len(order.refunds), order.refunded_minor) == (1, 1250)
