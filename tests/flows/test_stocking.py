"""Goods that arrive at warehouses: all of a delivery or nothing, once under a key, and never more than shelves can count."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import orderkit
from orderkit import InvalidInput, KeyReused, Shop
from orderkit.domain.stock import RECEIPT_MAX
from orderkit.flows import put_stock
from orderkit.flows.kit import Caller
from orderkit.ports.store import StockLevel


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop without goods."""
    address = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/shop.db"
    with contextlib.closing(orderkit.open(address)) as found:
        yield found


def shelves(shop: Shop) -> dict[tuple[str, str], int]:
    """Return what is on hand, by SKU and warehouse."""
    return {(level.sku, level.warehouse): level.on_hand for level in shop.stock()}


def test_put_stock_with_a_key_counts_once(shop: Shop) -> None:
    """A repeated delivery note is one delivery; another line of it, for another SKU or shelf, is its own."""
    for _ in range(2):
        shop.put_stock("MUG", {"berlin": 5, "madrid": 2}, key="note-7")
        shop.put_stock("MUG", {"paris": 1}, key="note-7")
        shop.put_stock("TEE", {"berlin": 3}, key="note-7")

    assert shop.stock("MUG")[0] == StockLevel("MUG", "berlin", 5, 0, 5)
    assert shelves(shop) == {("MUG", "berlin"): 5, ("MUG", "madrid"): 2, ("MUG", "paris"): 1, ("TEE", "berlin"): 3}


@pytest.mark.parametrize("key", [None, "note-7"])
@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"berlin": 5, "paris": -1}, "invalid_quantity", "quantity"),
        ({"berlin": 5, "paris": 1.5}, "invalid_quantity", "quantity"),
        ({"berlin": 5, "paris": True}, "invalid_quantity", "quantity"),
        ({"berlin": 5, "paris": RECEIPT_MAX + 1}, "invalid_quantity", "quantity"),
        ({"berlin": 5, "paris": -RECEIPT_MAX - 1}, "invalid_quantity", "quantity"),
        ({"berlin": 5, " ": 1}, "invalid_input", "warehouse"),
        ({"berlin": 5, 7: 1}, "invalid_input", "warehouse"),
        ([("berlin", 5)], "invalid_input", "units"),
    ],
)
def test_a_delivery_that_is_refused_changes_no_shelf(
    shop: Shop, wrong: Any, code: str, field: str, key: str | None
) -> None:
    """Berlin comes first and is right; what is wrong with Paris keeps both from being booked, and the corrected delivery counts once."""
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            shop.put_stock("MUG", wrong, key=key)
        assert (caught.value.code, caught.value.field, caught.value.outcome) == (code, field, "not_applied")
    assert shelves(shop) == {}

    shop.put_stock("MUG", {"berlin": 5, "paris": 1}, key=key)
    assert shelves(shop) == {("MUG", "berlin"): 5, ("MUG", "paris"): 1}


@pytest.mark.parametrize(("sku", "reason", "field"), [(" ", "found", "sku"), (7, "found", "sku"), ("MUG", 7, "reason")])
def test_goods_have_a_sku_and_a_reason(shop: Shop, sku: Any, reason: Any, field: str) -> None:
    """Anything else is refused and named."""
    with pytest.raises(InvalidInput) as caught:
        shop.put_stock(sku, {"berlin": 1}, reason=reason)

    assert caught.value.field == field


def test_the_key_of_another_delivery_is_refused(shop: Shop) -> None:
    """Other units, or another reason, for a shelf under a spent key: an error, and nothing of it is booked, not even what is new."""
    shop.put_stock("MUG", {"berlin": 5}, key="note-7")
    for units, reason in (({"paris": 1, "berlin": 6}, "received"), ({"paris": 1, "berlin": 5}, "found")):
        with pytest.raises(KeyReused) as caught:
            shop.put_stock("MUG", units, key="note-7", reason=reason)
        assert (caught.value.code, caught.value.field, caught.value.outcome) == ("key_reused", "key", "not_applied")
        assert caught.value.facts == {"sku": "MUG", "warehouse": "berlin", "quantity": 5, "reason": "received"}

    assert shelves(shop) == {("MUG", "berlin"): 5}


def test_receipts_of_different_requests_do_not_meet(shop: Shop) -> None:
    """Slashes and tildes in keys, SKUs and warehouses, and other principals: each delivery is its own."""
    asked = [
        ("a", "B/x", "c", "host"),
        ("a/B", "x", "c", "host"),
        ("a", "B", "x/c", "host"),
        ("a", "B~1x", "c", "host"),
        ("a", "B~01x", "c", "host"),
        ("a", "B/x", "c", "customer:anna"),
        ("anna/a", "B/x", "c", "customer:"),
    ]
    for _ in range(2):
        for units, (key, sku, place, actor) in enumerate(asked, 1):
            shop.put_stock(sku, {place: units}, key=key, actor=actor)

    assert sum(shelves(shop).values()) == sum(range(1, len(asked) + 1))


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "a\nb", 7])
def test_a_key_that_is_none_is_refused(shop: Shop, key: Any) -> None:
    """As by every other verb."""
    with pytest.raises(InvalidInput) as caught:
        shop.put_stock("MUG", {"berlin": 1}, key=key)

    assert (caught.value.code, caught.value.field) == ("invalid_key", "key")
    assert shelves(shop) == {}


def test_deliveries_that_travel_together_fail_alone(shop: Shop) -> None:
    """Of three at once the second is refused: the others are booked, each with its own answer."""
    asked: list[Callable[[], Any]] = [
        lambda: put_stock("MUG", {"berlin": 5, "madrid": 1}, Caller(key="n-1")),
        lambda: put_stock("MUG", {"berlin": 5, "madrid": -9}, Caller(key="n-2")),
        lambda: put_stock("MUG", {"berlin": 6, "madrid": 1}, Caller(key="n-1")),
        lambda: put_stock("MUG", {"berlin": 5}, Caller(key="n-3")),
    ]
    answers = shop.run_many([each() for each in asked])

    assert [getattr(answer, "code", answer) for answer in answers] == [None, "invalid_quantity", "key_reused", None]
    assert shelves(shop) == {("MUG", "berlin"): 10, ("MUG", "madrid"): 1}


def test_an_async_shop_says_the_same(tmp_path: Path) -> None:
    """Concurrent deliveries share a batch; each is whole or not at all."""

    async def told() -> tuple[list[Any], dict[tuple[str, str], int]]:
        async with await orderkit.open_async(f"sqlite:///{tmp_path}/shop.db") as shop:
            answers = await asyncio.gather(
                shop.put_stock("MUG", {"berlin": 5, "madrid": 1}, key="n-1"),
                shop.put_stock("MUG", {"berlin": 5, "madrid": -9}, key="n-2"),
                shop.put_stock("MUG", {"berlin": 6}, key="n-1"),
                shop.put_stock("MUG", {"berlin": 2}, key="n-3"),
                return_exceptions=True,
            )
            return answers, {(level.sku, level.warehouse): level.on_hand for level in await shop.stock()}

    answers, found = asyncio.run(told())

    assert [getattr(answer, "code", answer) for answer in answers] == [None, "invalid_quantity", "key_reused", None]
    assert found == {("MUG", "berlin"): 7, ("MUG", "madrid"): 1}
