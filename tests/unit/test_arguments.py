"""What verbs are given is looked at first: each argument is of the kind that its verb declares, and says so by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

import orderkit
from orderkit import AsyncShop, InvalidInput, OrderkitError, Shop
from orderkit.arguments import TEXT_MAX, Arguments
from tests.shops import a_world


def declared(
    name: str,
    count: int | None = None,
    amount: str | int | Decimal = 0,
    units: Mapping[str, int] | None = None,
    names: Sequence[str] = (),
    whole: bool = True,
    anything: object | None = None,
) -> None:
    """A verb of tests."""


check = Arguments(declared).check

FITTING: list[dict[str, object]] = [
    {"name": "x"},
    {"count": None},
    {"count": 7},
    {"amount": Decimal("1.5")},
    {"units": {}},
    {"names": ["a", "b"]},
    {"names": ()},
    {"whole": False},
    {"anything": [7]},
    {"no_such_argument": 7},  # the call itself says so
]
WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"name": None}, "name", "a text is expected, not nothing"),
    ({"name": b"x"}, "name", "a text is expected, not a bytes"),
    ({"name": "x" * (TEXT_MAX + 1)}, "name", f"a text has {TEXT_MAX} characters at most"),
    ({"count": True}, "count", "a whole number is expected, not true or false"),
    ({"count": 1.0}, "count", "a whole number is expected, not a float"),
    ({"amount": 1.5}, "amount", "a text or a whole number or a decimal number is expected, not a float"),
    ({"units": ["MUG"]}, "units", "a mapping is expected, not a list"),
    ({"names": "ab"}, "names", "a list is expected, not a text"),
    ({"names": {"a"}}, "names", "a list is expected, not a set"),
    ({"names": ["a", 7]}, "names[1]", "a text is expected, not a whole number"),
    ({"whole": 1}, "whole", "true or false is expected, not a whole number"),
]


@pytest.mark.parametrize("given", FITTING, ids=str)
def test_what_was_declared_is_let_in(given: dict[str, object]) -> None:
    """By name or by place."""
    check((), given)
    check(("x",), given)


@pytest.mark.parametrize(("given", "field", "message"), WRONG, ids=[field for _, field, _ in WRONG])
def test_what_was_not_declared_is_refused(given: dict[str, object], field: str, message: str) -> None:
    """The error says what is expected and what came."""
    with pytest.raises(InvalidInput) as refused:
        check((), given)

    assert (refused.value.field, refused.value.message, refused.value.outcome) == (field, message, "not_applied")


def test_a_place_counts_as_its_name() -> None:
    """The second argument is the count."""
    with pytest.raises(InvalidInput) as refused:
        check(("x", "7"), {})

    assert refused.value.field == "count"


@pytest.mark.parametrize(("name", "code"), [("key", "invalid_key"), ("amount", "invalid_money")])
def test_a_code_that_says_more_is_kept(name: str, code: str) -> None:
    """A key is unusable, and money is not exact, whatever the kind of the value."""

    def verb(key: str | None = None, amount: str | int = 0) -> None:
        """A verb of tests."""

    with pytest.raises(InvalidInput) as refused:
        Arguments(verb).check((), {name: 1.5})

    assert refused.value.code == code


async def refusal(asked: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> OrderkitError:
    """Return the error; what is awaited says no where it is awaited, not before."""
    try:
        answer = asked(*args, **given)
    except OrderkitError as error:
        assert not inspect.iscoroutinefunction(asked)
        return error
    with pytest.raises(OrderkitError) as refused:
        await answer
    return refused.value


def parameters() -> list[tuple[str, str]]:
    """Every parameter of every verb but `tx`, which a store looks at."""
    found = []
    for verb in sorted(dir(Shop)):
        build = getattr(inspect.getattr_static(Shop, verb), "_build", None)
        if build is not None:
            found += [(verb, name) for name in inspect.signature(build).parameters if name != "tx"]
    return found


@pytest.mark.parametrize(("verb", "name"), parameters(), ids=lambda part: part)
async def test_no_verb_takes_just_anything(verb: str, name: str) -> None:
    """Sync, async and dry: refused by the argument's name before anything begins, so that nothing else need be given."""
    wrong: dict[str, Any] = {name: object()}
    args = (object(),) if name == "skus" else ()
    given = {} if args else wrong
    world = a_world()
    async_shop = await orderkit.open_async()
    shops: list[Shop | AsyncShop | Any] = [world.shop, async_shop]
    if hasattr(world.shop.plan, verb):
        shops += [world.shop.plan, async_shop.plan]

    with closing(world.shop):
        for shop in shops:
            asked: Callable[..., Any] = getattr(shop, verb)
            refused = await refusal(asked, args, given)
            assert (refused.field, refused.fault) == (name, "caller")
    await async_shop.close()
