"""The bound on running flows: a refusal comes before the first effect, never in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import orderkit
from orderkit import OrderQuery
from orderkit.errors import Misconfigured, Overloaded
from orderkit.runtime.admission import Admission
from orderkit_memory.store import MemoryStore
from tests.shops import Bank, Van, a_cart


def test_one_more_than_the_limit_is_refused_with_the_numbers() -> None:
    """`Overloaded` says how many are running, and that nothing was begun."""
    admission = Admission(1)
    with admission, pytest.raises(Overloaded) as caught, admission:
        pass

    assert caught.value.facts == {"running": 1, "running_max": 1}
    assert (caught.value.outcome, caught.value.retryable) == ("not_applied", True)
    assert admission.running == 0


def test_without_a_limit_all_are_let_in() -> None:
    """`None` is no bound."""
    admission = Admission(None)
    with admission, admission, admission:
        assert admission.running == 3


def test_a_shop_that_lets_nobody_in_is_refused() -> None:
    """Zero flows are of no use to anybody."""
    with pytest.raises(Misconfigured, match="1 or more"):
        Admission(0)
    assert Admission(1).limit == 1


def test_a_refused_verb_has_asked_nobody_and_leaves_no_coroutine_behind() -> None:
    """A verb that is refused has neither loaded, nor committed, nor charged; its key is free."""
    store, bank = MemoryStore(), Bank()
    shop = orderkit.open(
        store, payments=bank, carriers=Van(), bus=None, notifications=None, documents=None, running_max=1
    )
    shop.put_stock("MUG", {"berlin": 5})
    shop.put_stock("TEE", {"berlin": 5})
    with shop._admission, pytest.raises(Overloaded):
        shop.place(a_cart(), "pm_visa", key="checkout-7f3a")

    assert shop.orders(OrderQuery()).items == ()
    assert bank.calls == []
    assert shop.place(a_cart(), "pm_visa", key="checkout-7f3a").version > 0


def test_a_closed_shop_says_so_and_opens_nothing_again(tmp_path: Path) -> None:
    """Verbs, questions, dry runs and batches; to close it twice is nothing."""
    shop = orderkit.open(f"sqlite:///{tmp_path}/shop.db")
    plan = shop.plan
    shop.close()
    shop.close()
    asked: list[Callable[[], object]] = [
        lambda: shop.place(a_cart(), "pm_visa"),
        lambda: shop.order("x"),
        lambda: shop.plan.cancel("x", reason="y"),
        lambda: plan.cancel("x", reason="y"),
        lambda: shop.run_many([]),
        lambda: shop.run_each([]),
    ]
    for ask in asked:
        with pytest.raises(Misconfigured) as refused:
            ask()
        assert (refused.value.code, refused.value.fault, refused.value.outcome) == (
            "shop_closed",
            "host",
            "not_applied",
        )


async def test_a_closed_async_shop_says_so() -> None:
    """The same on an event loop."""
    shop = await orderkit.open_async()
    await shop.close()
    with pytest.raises(Misconfigured, match="shop_closed"):
        await shop.order("x")
    with pytest.raises(Misconfigured, match="shop_closed"):
        await shop.plan.cancel("x", reason="y")


async def test_concurrent_flows_above_the_limit_are_refused_and_the_others_end() -> None:
    """Of three at once, with two let in, one is refused."""
    shop = await orderkit.open_async(
        MemoryStore(), payments=Bank(), carriers=Van(), bus=None, notifications=None, documents=None, running_max=2
    )
    door = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, door.set)

    async def flow() -> str:
        await door.wait()
        return "served"

    results = await asyncio.gather(*(shop.run(flow()) for _ in range(3)), return_exceptions=True)

    assert [r if isinstance(r, str) else type(r).__name__ for r in results] == ["served", "served", "Overloaded"]
