"""A host's process that places orders until it is told to stop: `python -m tests.chaos.placer STORE PAYMENTS ACKS NAME THREADS [accept]`.

Every order has a key of its own and is asked for again under that key until there is an answer, as a good client does. What was answered is
written to a file in one call: that is the promise that the books are held to. Every ninth order is cancelled, under a key too. With
`accept` orders are only made durable, and workers do the rest.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from orderkit import Order, Shop
from orderkit.domain.status import word
from orderkit.errors import Conflict, NotAllowed, PortError
from orderkit.flows.kit import Caller
from orderkit.flows.placing import accept
from tests.chaos.shops import METHODS, a_cart, opened

A = TypeVar("A")


def again(ask: Callable[[], A]) -> A:
    """Ask until there is an answer."""
    pause = 0.02
    while True:
        try:
            return ask()
        except (PortError, Conflict):
            time.sleep(pause)
            pause = min(pause * 2, 0.5)


def placed(shop: Shop, n: int, key: str) -> Order:
    """Place order number `n`, whatever happens, and cancel every ninth."""
    order = again(lambda: shop.place(a_cart(n), METHODS[n % len(METHODS)], key=key))
    if n % 9 == 0:
        try:
            order = again(lambda: shop.cancel(order.id, reason="changed_mind", key=f"{key}/cancel"))
        except NotAllowed:  # declined, or its payment is not known yet
            order = again(lambda: shop.order(order.id))
    return order


def accepted(shop: Shop, n: int, key: str) -> Order:
    """Make order number `n` durable and leave the rest to workers."""
    caller = Caller(key=key, goes_on=False)
    return again(lambda: shop.run(accept(a_cart(n), "pm_visa", caller))).order


def main(store: str, payments: str, acks: str, name: str, threads: str, mode: str = "place") -> None:
    """Place orders in some threads until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    file = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    shop = opened(store, payments)
    place = accepted if mode == "accept" else placed

    def work(thread: int) -> None:
        n = 0
        while not stop.is_set():
            key = f"{name}-{thread}-{n}"
            order = place(shop, n, key)
            os.write(file, f"{key} {order.id} {word(order)}\n".encode())
            n += 1
            if mode == "accept":
                time.sleep(0.05)

    running = [threading.Thread(target=work, args=(thread,)) for thread in range(int(threads))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    shop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
