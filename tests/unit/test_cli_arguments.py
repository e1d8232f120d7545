"""What the command line cannot read is refused with the option's name: no number, no time, no text."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

import orderkit
from orderkit import Address, Cart, InvalidInput
from orderkit.cli.arguments import Command, units
from orderkit.cli.main import root
from tests.runner import Runner

NO_TEXT = "\udcff"  # how a byte that is no UTF-8 arrives
HOME = Address(street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
STORE = ("--store", "sqlite:///:memory:")


@pytest.mark.parametrize("number", ["\u00b2", "\u0663", "9" * 5_000, "-1", "1.0", "", "1_0", "x"])
@pytest.mark.parametrize("command", ["cancel", "return"])
def test_what_is_no_number_of_units_is_told(command: str, number: str) -> None:
    """Digits of another script are none, nor are more of them than a shelf has units."""
    asked = ("order", command, "x", "--reason", "r", "--yes", "--units", f"MUG={number}", *STORE)
    done = Runner().invoke(root, asked)

    assert done.exit_code == 2
    assert "is not SKU=UNITS\n  code invalid_quantity, field --units" in done.stderr


def test_units_that_are_named_twice_add_up() -> None:
    """As they do in a request: nothing of what was said is left out."""
    assert units(("MUG=1", "TEE=4", "MUG=2")) == {"MUG": 3, "TEE": 4}


def test_no_units_beside_some_are_told() -> None:
    """A nought is refused by itself, and so it is beside other units of its SKU."""
    with pytest.raises(InvalidInput) as caught:
        units(("MUG=0", "MUG=2"))

    assert (caught.value.code, caught.value.field) == ("invalid_quantity", "--units")


def test_a_shelf_that_is_imagined_twice_is_told() -> None:
    """It holds one number or the other: which of them is meant is not guessed."""
    asked = ("allocate", "explain", "x", "--what-if", "berlin:MUG=1", "--what-if", "berlin:MUG=2", *STORE)
    done = Runner().invoke(root, asked)

    assert done.exit_code == 2, done.exception
    assert "'berlin:MUG' is named twice\n  code invalid_input, field --what-if" in done.stderr


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (("order", "list", "--customer", NO_TEXT), "--customer"),
        (("order", "list", "--text", NO_TEXT), "--text"),
        (("order", "list", "--sku", NO_TEXT), "--sku"),
        (("order", "list", "--tracking-number", NO_TEXT), "--tracking-number"),
        (("order", "list", "--cursor", NO_TEXT), "--cursor"),
        (("order", "list", "--store", NO_TEXT), "--store"),
        (("order", "show", NO_TEXT), "order_id"),
        (("order", "why", NO_TEXT), "order_id"),
        (("order", "timeline", NO_TEXT), "order_id"),
        (("order", "attend", "x", NO_TEXT), "finding"),
        (("order", "cancel", "x", "--reason", NO_TEXT), "--reason"),
        (("order", "cancel", "x", "--reason", "r", "--units", f"{NO_TEXT}=1"), "--units"),
        (("order", "cancel", "x", "--reason", "r", "--shipment", NO_TEXT), "--shipment"),
        (("order", "return", "x", "--reason", "r", "--receive-at", NO_TEXT), "--receive-at"),
        (("order", "refund", "x", NO_TEXT, "--reason", "r"), "amount"),
        (("order", "refund", "x", "1.00", "--reason", "r", "--key", NO_TEXT), "--key"),
        (("allocate", "explain", "x", "--what-if", f"berlin:{NO_TEXT}=1"), "--what-if"),
        (("worker", "--payments", NO_TEXT), "--payments"),
        (("audit", "verify", "--key", NO_TEXT), "--key"),
        (("explain", NO_TEXT), "code"),
    ],
)
def test_what_is_no_text_is_told(command: tuple[str, ...], field: str) -> None:
    """Before a store is opened: it could neither be looked for nor be stored."""
    done = Runner().invoke(root, command)

    assert done.exit_code == 2, done.exception
    assert f"code invalid_input, field {field}, outcome not_applied" in done.stderr
    assert "\\udcff" in done.stderr


@pytest.mark.parametrize("time", ["9999-99", "today", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
@pytest.mark.parametrize("option", ["--placed-from", "--placed-until"])
def test_what_is_no_time_is_told(option: str, time: str) -> None:
    """Nor is what lies before the first or after the last year in UTC."""
    done = Runner().invoke(root, ["order", "list", option, time, *STORE])

    assert done.exit_code == 2, done.exception
    assert (
        f"is no date; write 2026-03-01 or 2026-03-01T12:00:00+00:00\n  code invalid_input, field {option}"
        in done.stderr
    )


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5_000, "x"])
def test_what_is_no_number_on_an_imagined_shelf_is_told(number: str, tmp_path: Path) -> None:
    """An order has to be there first: its plan is what is asked about."""
    store = f"sqlite:///{tmp_path}/shop.db"
    cart = Cart(customer="anna", ship_to=HOME).add("MUG", 1, "12.50")
    with orderkit.open(store) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        order_id = shop.place(cart, "pm_visa").id

    asked = ("allocate", "explain", order_id, "--what-if", f"berlin:MUG={number}", "--store", store)
    done = Runner().invoke(root, asked)

    assert done.exit_code == 2, done.exception
    assert "is not WAREHOUSE:SKU=UNITS\n  code invalid_input, field --what-if" in done.stderr


def test_every_command_reads_its_texts_so() -> None:
    """A command of click's own class would let them through."""

    def leaves(group: click.Group) -> list[click.Command]:
        context = click.Context(group)
        found = [group.get_command(context, name) for name in group.list_commands(context)]
        return [leaf for one in found if one for leaf in (leaves(one) if isinstance(one, click.Group) else [one])]

    assert [leaf.name for leaf in leaves(root) if not isinstance(leaf, Command)] == []
