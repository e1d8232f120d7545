"""`orderkit worker --shop MODULE:FUNCTION`: a worker has the program's own shop, with what no URL says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import orderkit
from orderkit import Policies, Warehouse
from tests.acceptance.test_workers import PATIENCE, command
from tests.shops import a_cart

WIRING = """
import orderkit


class Mail:
    def notify(self, asked):
        print("mail to", asked.recipient, "about", asked.template, flush=True)

    def close(self):
        pass


def open_shop():
    return orderkit.open("sqlite:///shop.db", notifications=Mail(), warehouses=[orderkit.Warehouse("berlin")])


def open_alone():
    return orderkit.open("sqlite:///shop.db", warehouses=[orderkit.Warehouse("berlin")])


def open_closed():
    shop = open_alone()
    shop.close()
    return shop


async def open_async():
    return await orderkit.open_async("sqlite:///shop.db")


def number():
    return 7


nothing = None
"""


@pytest.fixture(autouse=True)
def _wired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's directory, with a shop in which one order was placed: two records."""
    (tmp_path / "wiring.py").write_text(WIRING)
    (tmp_path / "broken.py").write_text("import no_such_library")
    monkeypatch.chdir(tmp_path)
    with orderkit.open("sqlite:///shop.db", warehouses=[Warehouse("berlin")], policies=Policies()) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa")


def test_it_works_with_the_programs_own_objects() -> None:
    """All roles, the relay too: the bus is the program's to know. Customers are told by its own channel."""
    said = command("worker", "--shop", "wiring:open_shop", "--once")

    assert said.count("mail to anna about order_confirmation") == 1
    assert "nothing is relayed" not in said
    assert "told nothing" not in said


def test_what_nobody_would_hear_of_is_not_relayed() -> None:
    """A shop whose bus and channels are in the memory of its process: what is relayed there is heard by nobody, so it waits."""
    said = command("worker", "--shop", "wiring:open_alone", "--once")
    heard = command("worker", "--shop", "wiring:open_shop", "--once")

    assert "nothing is relayed: the program's shop has neither a bus nor a channel" in said
    assert "mail to anna about order_confirmation" in heard


def test_what_is_typed_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One store by hand, on a machine whose workers have a shop of their own."""
    monkeypatch.setenv("ORDERKIT_SHOP", "wiring:open_shop")
    said = command("worker", "--store", "sqlite:///shop.db", "--payments", "fakepsp:", "--once")

    assert "nothing is relayed: nobody named the event bus" in said
    assert "mail to anna" in command("worker", "--once")


def test_it_stops_as_any_worker_does() -> None:
    """It says its roles at the start and what it did at the end."""
    begun = [sys.executable, "-m", "orderkit.cli", "worker", "--shop", "wiring:open_shop", "--interval", "0.05"]
    with subprocess.Popen(begun, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as found:
        assert found.stdout is not None
        assert "mail to anna" in found.stdout.readline()
        found.send_signal(signal.SIGTERM)
        _, said = found.communicate(timeout=PATIENCE)

    assert found.returncode == 0
    assert "2 published" in said


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("wiring", "'wiring' names no function"),
        ("wiring:", "names no function"),
        ("no module:open", "names no function"),
        ("elsewhere:open_shop", "there is no module 'elsewhere'"),
        ("wiring.deeper:open_shop", "there is no module 'wiring.deeper'"),
        ("wiring:absent", "wiring has no function 'absent'"),
        ("wiring:nothing", "wiring has no function 'nothing'"),
        ("wiring:number", "wiring:number returned int"),
        ("wiring:open_closed", "wiring:open_closed returned a shop that is closed"),
        ("wiring:open_async", "wiring:open_async is an async function"),
    ],
)
def test_what_opens_no_shop_is_refused(named: str, said: str) -> None:
    """With the option's name and what to write, and nothing else."""
    answer = command("worker", "--shop", named, "--once", status=3)

    assert said in answer
    assert "field --shop" in answer
    assert "Traceback" not in answer
    assert "Warning" not in answer


def test_a_fault_within_the_program_is_told_as_it_is() -> None:
    """Which library is missing is for the program's author to see."""
    assert "no_such_library" in command("worker", "--shop", "broken:open_shop", "--once", status=1)


@pytest.mark.parametrize("option", ["--store", "--payments", "--bus", "--notifications", "--cache"])
def test_urls_beside_it_are_refused(option: str) -> None:
    """They would be two answers to one question."""
    answer = command("worker", "--shop", "wiring:open_shop", option, "memory:", "--once", status=2)

    assert f"leave out {option}" in answer
