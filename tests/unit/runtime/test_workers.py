"""A worker's threads: they go on through outages, end what they have when told to stop, and give the rest back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orderkit.domain.order import Order
from orderkit.domain.status import word
from orderkit.errors import PortError
from orderkit.flows.kit import Caller
from orderkit.flows.placing import accept
from orderkit.flows.working import claim
from orderkit.ports.effect import Flow
from orderkit.ports.payments import MoveMoney
from orderkit.runtime.workers import Plan, Runs, Worker
from tests.shops import World, a_cart, a_world

PATIENCE = 20.0
FAILURES_MANY = 1_100  # more doublings of a pause than a float can hold

# A worker in the main thread; a signal comes at the n-th line that runs there, in this program's modules and in the locks' own, for each n.
SIGNALLED_AT_EACH_LINE = """
import os, signal, sys, threading
from orderkit.runtime import workers

workers.LOOK_EVERY = 0.001
worker = None
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
for n in range(1, 120):
    worker, lines = workers.Worker(None, workers.Plan(roles=("inbox",), interval=0.001)), 0

    def trace(frame, event, arg):
        global lines
        lines += event == "line" and frame.f_code.co_filename in (workers.__file__, threading.__file__)
        if lines == n and event == "line":
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGTERM)
        return trace

    sys.settrace(trace)
    ended = worker.run()
    sys.settrace(None)
    assert ended and worker.stopping
print("ended each time")
"""


def accepted(world: World, count: int) -> list[Order]:
    """Make orders durable, and leave their payments to workers."""
    caller = Caller(goes_on=False)
    return [world.shop.run(accept(a_cart(("MUG", 1, "1.00")), "pm_visa", caller)).order for _ in range(count)]


@contextmanager
def working(world: World, shop: Runs | None = None, **how: Any) -> Iterator[tuple[Worker, list[str]]]:
    """Let a worker work meanwhile, and stop it."""
    said: list[str] = []
    plan = Plan(**{"roles": ("sagas", "relay", "inbox"), "interval": 0.01, **how})
    worker = Worker(shop or world.shop, plan, say=said.append)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker, said
    finally:
        worker.stop()
        thread.join()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    give_up_at = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def paid(world: World, orders: list[Order]) -> int:
    """Count the paid ones."""
    return sum(word(world.shop.order(order.id)) == "payment_confirmed" for order in orders)


def test_orders_are_worked_on_at_a_time() -> None:
    """As many as it has threads for: four calls of the provider are under way together."""
    world = a_world({"MUG": {"berlin": 10}})
    together = threading.Barrier(4, timeout=PATIENCE)

    def say(_: MoveMoney) -> str:
        together.wait()
        return "yes"

    world.bank.say = say
    orders = accepted(world, 8)
    with working(world, concurrency=4) as (worker, _):
        until(lambda: paid(world, orders) == 8 and worker.counts["published"] >= 8)

    assert worker.counts["done"] == 8


def test_it_goes_on_when_the_store_is_back() -> None:
    """An outage is said once, and waited for; nobody has to start anything again."""
    world = a_world({"MUG": {"berlin": 10}})
    orders = accepted(world, 2)
    away = threading.Event()
    away.set()

    class Shop:
        def run(self, flow: Flow[Any]) -> Any:
            if away.is_set():
                flow.close()
                raise PortError("the store cannot be reached", code="store_unavailable")
            return world.shop.run(flow)

    with working(world, Shop(), concurrency=2) as (worker, said):
        until(lambda: worker.counts["errors"] >= 3)
        away.clear()
        until(lambda: paid(world, orders) == 2)

    assert said == ["warning: store_unavailable: the store cannot be reached"]


def test_it_ends_what_it_has_and_hands_the_rest_back() -> None:
    """The call under way is booked; the orders that it had claimed beside it are due at once for others, as if untouched."""
    world = a_world({"MUG": {"berlin": 10}})
    calling, answer = threading.Event(), threading.Event()

    def say(_: MoveMoney) -> str:
        calling.set()
        answer.wait(PATIENCE)
        return "yes"

    world.bank.say = say
    orders = accepted(world, 5)
    with working(world, roles=("sagas",), concurrency=1, limit=5) as (worker, _):
        assert calling.wait(PATIENCE)
        worker.stop()
        until(lambda: worker.counts["handed back"] == 4)
        answer.set()

    assert paid(world, orders) == 1
    assert [lease.attempts for lease in world.shop.run(claim(("sagas",), 10))] == [1] * 4


def test_it_does_not_wait_for_ever_for_what_is_under_way() -> None:
    """A provider that never answers keeps it for the time of grace, and no longer; it says so."""
    world = a_world({"MUG": {"berlin": 10}})
    calling, answer = threading.Event(), threading.Event()

    def say(_: MoveMoney) -> str:
        calling.set()
        answer.wait(PATIENCE)
        return "yes"

    world.bank.say = say
    accepted(world, 1)
    worker = Worker(world.shop, Plan(roles=("sagas",), concurrency=1, grace=0.1))
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(worker.run()))
    thread.start()
    assert calling.wait(PATIENCE)
    worker.stop()
    thread.join(PATIENCE)
    answer.set()

    assert ended == [False]


def test_an_order_that_waited_in_hand_too_long_is_given_back() -> None:
    """Its work might not end before its lease does: another claim gives the whole time anew."""
    world = a_world({"MUG": {"berlin": 10}})
    slow = threading.Event()

    def say(_: MoveMoney) -> str:
        slow.wait(0.3)
        return "yes"

    world.bank.say = say
    orders = accepted(world, 4)
    with working(world, roles=("sagas",), concurrency=1, limit=4, lease_seconds=0.5) as (worker, _):
        until(lambda: paid(world, orders) == 4)

    assert worker.counts["handed back"] >= 1
    assert worker.counts["lost"] == 0
    assert len(world.bank.calls) == 4


def test_what_is_no_exception_ends_no_thread() -> None:
    """A cancellation out of a loop of an adapter's own: it is said, and its order is done when the lease is over, as are all others."""
    world = a_world({"MUG": {"berlin": 10}})
    gone = threading.Event()

    def say(_: MoveMoney) -> str:
        if not gone.is_set():
            gone.set()
            raise asyncio.CancelledError
        return "yes"

    world.bank.say = say
    orders = accepted(world, 3)
    with working(world, concurrency=1, lease_seconds=0.5) as (worker, said):
        until(lambda: paid(world, orders) == 3)

    assert worker.counts["errors"] == 1
    assert said == ["warning: CancelledError"]


def test_it_goes_on_when_nobody_reads_what_it_says() -> None:
    """Its terminal was closed: the work does not depend on it."""
    world = a_world({"MUG": {"berlin": 10}})
    orders = accepted(world, 1)
    tries: list[str] = []

    class Shop:
        def run(self, flow: Flow[Any]) -> Any:
            if len(tries) < 2:
                tries.append("")
                flow.close()
                raise PortError("the store cannot be reached", code="store_unavailable")
            return world.shop.run(flow)

    def say(line: str) -> None:
        raise BrokenPipeError(line)

    worker = Worker(Shop(), Plan(roles=("sagas",), interval=0.01, concurrency=1), say=say)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        until(lambda: paid(world, orders) == 1)
    finally:
        worker.stop()
        thread.join()

    assert len(tries) == 2
    assert paid(world, orders) == 1


def test_an_outage_may_last_as_long_as_it_likes() -> None:
    """The pause between two tries grows to its bound and not beyond what can be reckoned with."""
    world = a_world({"MUG": {"berlin": 10}})
    orders = accepted(world, 1)
    failures: list[None] = []

    class Shop:
        def run(self, flow: Flow[Any]) -> Any:
            if len(failures) < FAILURES_MANY:
                failures.append(None)
                flow.close()
                raise PortError("the store cannot be reached", code="store_unavailable")
            return world.shop.run(flow)

    with working(world, Shop(), concurrency=1, interval=0.0, roles=("sagas",)):
        until(lambda: paid(world, orders) == 1)


def test_a_signal_may_come_at_any_moment() -> None:
    """At whichever line of the main thread its handler runs, also where a lock is held there, the worker stops."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_AT_EACH_LINE],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )

    assert done.stdout == "ended each time\n", done.stderr
