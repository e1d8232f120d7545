"""`orderkit worker` as operators run it: what it says, how it stops, how a parked order is found and released."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import orderkit
from orderkit import Address, Cart
from orderkit.flows.kit import Caller
from orderkit.flows.placing import accept
from orderkit.flows.working import ATTEMPTS_MAX, claim

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
PATIENCE = 60.0
PROVIDER = ("--payments", "fakepsp:", "--bus", "memory:")
SECOND_SIGNAL = 130


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with one order whose payment was left to workers."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with orderkit.open(url) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        cart = Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", 1, "12.50")
        shop.run(accept(cart, "pm_visa", Caller(goes_on=False)))
    return url


def command(*arguments: str, status: int = 0) -> str:
    """Run a command, hold its status, and return what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "orderkit.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def worker(store: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker that is under way."""
    begun = [sys.executable, "-m", "orderkit.cli", "worker", "--store", store, *PROVIDER, "--interval", "0.05"]
    with subprocess.Popen(begun, stderr=subprocess.PIPE, text=True) as found:
        assert found.stderr is not None
        assert "started: roles sagas,resolver,timers,relay,inbox; 4 orders at a time" in found.stderr.readline()
        yield found
        found.kill()


def test_a_worker_says_when_it_begins_and_what_it_did(worker: subprocess.Popen[str], store: str) -> None:
    """One line at the start and one at the end, with its name and its counts; SIGTERM is a clean end."""
    give_up_at = time.monotonic() + PATIENCE
    with orderkit.open(store) as shop:
        while shop.orders(orderkit.OrderQuery()).items[0].status != "payment_confirmed":
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=PATIENCE)

    assert worker.returncode == 0
    assert "stopped after" in said
    assert "1 done" in said


def test_a_second_signal_ends_it_at_once(store: str) -> None:
    """What is under way would take a minute, and has leave to; the second SIGTERM does not wait for it, and loses nothing."""
    slow = ["--payments", "fakepsp:?latency_ms=60000", "--grace", "60", "--interval", "0.05"]
    begun = [sys.executable, "-m", "orderkit.cli", "worker", "--store", store, *slow]
    with subprocess.Popen(begun, stderr=subprocess.PIPE, text=True) as found:
        assert found.stderr is not None
        found.stderr.readline()
        time.sleep(1.0)  # by then the provider is asked
        found.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        assert found.poll() is None
        found.send_signal(signal.SIGTERM)
        assert found.wait(PATIENCE / 4) == SECOND_SIGNAL
    assert "payment_confirmed" not in command("order", "list", "--store", store)


def test_a_parked_order_is_found_explained_and_released(store: str) -> None:
    """`doctor` names it, `why` and the timeline explain it, `attend` lets workers try again."""
    with orderkit.open(store) as shop:
        for _ in range(ATTEMPTS_MAX):
            (lease,) = shop.run(claim(("sagas",), 1, lease_seconds=0.0))
        order_id = lease.order_id
        assert shop.sweep(roles=("sagas",)).parked == 1
    option = ("--store", store)

    found = json.loads(command("doctor", *option, "--format", "json", status=1))["findings"]
    assert [(f["id"], order_id in f["what"], "attend" in f["remedy"]) for f in found] == [("D010-parked", True, True)]
    assert "It is parked" in command("order", "why", order_id, *option)
    assert f"attempts {ATTEMPTS_MAX}" in command("order", "timeline", order_id, *option)

    command("order", "attend", order_id, "parked", *option)
    assert "0 of them failed" in command("worker", "--once", *option, *PROVIDER)
    assert "payment_confirmed" in command("order", "show", order_id, *option)
    assert command("doctor", *option).strip() == "nothing wrong was found"


def test_the_gates_are_listed() -> None:
    """Everything that `ORDERKIT_CRASH_AT` understands, one a line."""
    listed = command("worker", "--gates").split()

    assert {"commit:before", "commit:after", "move_money:after"} <= set(listed)


def test_a_role_that_is_none_is_refused(store: str) -> None:
    """With the option's name, and status 2."""
    assert "no such role: bakers" in command("worker", "--store", store, "--roles", "bakers", status=2)
