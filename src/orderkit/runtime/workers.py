"""A worker's process: threads that claim orders and go on with them, relay the outbox and try messages, until they are told to stop.

What is done for an order is a flow (`flows.working`); here is only who claims when, and what happens when the store is away or the process is
to end. Each order is worked on by one thread from claim to commit. The store's leases are what keeps processes apart: this module knows of
no other worker.
"""

from __future__ import annotations

import collections
import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import attrs

from orderkit.flows.kit import WORKER
from orderkit.flows.webhooks import sweep_messages
from orderkit.flows.working import LEASE_SECONDS, Relayed, Worked, claim, hand_back, kinds_of, relay, work_on
from orderkit.ports.effect import Flow
from orderkit.ports.store import Lease

PAUSE_MAX = 30.0  # seconds between two tries when the store is away: it is found again within half a minute
SAY_AGAIN_AFTER = 5.0  # seconds: many threads meet one outage, and one line is enough
DOUBLINGS_MAX = 20  # of the pause between two tries: a number without a bound is one day too large to wait for
LOOK_EVERY = 0.1  # seconds between two looks at whether it was told to stop


class Runs(Protocol):
    """What a worker needs of a shop: it runs flows."""

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow to its end."""


@attrs.frozen(kw_only=True)
class Plan:
    """How a worker works. Times in seconds.

    Up to `limit` orders are claimed at once, and up to `relay_limit` records taken; `interval` is the wait when there was nothing to do, and
    `grace` how long orders that are being worked on may take to end when the worker is told to stop.
    """

    roles: tuple[str, ...]
    concurrency: int = 4
    limit: int = 16
    relay_limit: int = 500
    interval: float = 0.5
    lease_seconds: float = LEASE_SECONDS
    grace: float = 20.0


class Worker:
    """A worker; `run` returns when it has stopped. `counts` says what it did, by word."""

    def __init__(self, shop: Runs, plan: Plan, *, say: Callable[[str], Any] = lambda _: None) -> None:
        self.plan = plan
        self.counts: collections.Counter[str] = collections.Counter()
        self._shop, self._say = shop, say
        self._told = False
        self._wake = threading.Event()  # ends the pauses of all threads; set once it was told to stop
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        self._hand: collections.deque[tuple[Lease, float]] = collections.deque()  # claimed, with when to hand it back
        self._quiet_until = 0.0
        self._said_at = -SAY_AGAIN_AFTER
        self._relayed_to = ""

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._told

    def stop(self) -> None:
        """Claim nothing more and end what is under way. May be called from a signal handler.

        A handler runs in the midst of whatever the main thread does, and waits for ever for a lock that this thread holds. So none is
        taken here: the flag is all, and `run` looks at it.
        """
        self._told = True

    def run(self) -> bool:
        """Work until told to stop; the answer says whether everything under way ended in time."""
        threads = [threading.Thread(target=self._work, args=(step,), daemon=True) for step in self._steps()]
        for thread in threads:
            thread.start()
        while not self._told:
            time.sleep(LOOK_EVERY)
        self._wake.set()
        deadline = time.monotonic() + self.plan.grace
        self._hand_all_back()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _steps(self) -> list[Callable[[], bool]]:
        """What each thread does again and again."""
        steps: list[Callable[[], bool]] = []
        if kinds_of(self.plan.roles):
            steps += [self._order] * self.plan.concurrency
        steps += [step for role, step in (("relay", self._relay), ("inbox", self._inbox)) if role in self.plan.roles]
        return steps

    def _work(self, step: Callable[[], bool]) -> None:
        """Do a step again and again; whatever goes wrong, wait and try again: recovery is continuous, never one shot.

        That holds for what is no `Exception` too, such as the cancellation of a loop that an adapter runs for itself: nobody means this thread
        by it. The order that was being worked on is claimed anew when its lease is over.
        """
        failures = 0
        while not self._told:
            try:
                busy = step()
            except BaseException as error:  # noqa: BLE001  (a thread that dies is missed by nobody, and its process goes on as if it worked)
                failures = min(failures + 1, DOUBLINGS_MAX)
                self._warn(error)
                self._wake.wait(self._jittered(min(self.plan.interval * 2**failures, PAUSE_MAX)))
            else:
                failures = 0
                if not busy:
                    self._wake.wait(self._jittered(self.plan.interval))

    def _jittered(self, seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311  (so that workers do not come all at once)

    def _warn(self, error: BaseException) -> None:
        with self._lock:
            self.counts["errors"] += 1
            if time.monotonic() - self._said_at < SAY_AGAIN_AFTER:
                return
            self._said_at = time.monotonic()
        with contextlib.suppress(Exception):  # nobody reads any more: no reason to stop working
            self._say(f"warning: {str(error) or type(error).__name__}")

    def _count(self, word: str, amount: int = 1) -> None:
        with self._lock:
            self.counts[word] += amount

    # ---- orders

    def _order(self) -> bool:
        lease = self._claimed()
        if lease is None:
            return False
        outcome: Worked = self._shop.run(work_on(lease))
        self._count(outcome.value)
        if outcome is Worked.PARKED:
            self._say(f"order {lease.order_id} is parked after {lease.attempts - 1} attempts: {lease.error}")
        return True

    def _claimed(self) -> Lease | None:
        """Return an order to work on now, from those in hand or newly claimed."""
        with self._claiming:
            while not self._told:
                if not self._hand and not self._claim():
                    return None
                lease, until = self._hand.popleft()
                if time.monotonic() < until:
                    return lease
                self._give_back(lease)  # the work may not end before the lease does
        return None

    def _claim(self) -> bool:
        if time.monotonic() < self._quiet_until:
            return False
        # Half the lease is for waiting in hand, the other half for the work.
        until = time.monotonic() + self.plan.lease_seconds / 2
        leases = self._shop.run(claim(self.plan.roles, self.plan.limit, lease_seconds=self.plan.lease_seconds))
        self._hand.extend((lease, until) for lease in leases)
        if not leases:
            self._quiet_until = time.monotonic() + self._jittered(self.plan.interval)
        return bool(leases)

    def _hand_all_back(self) -> None:
        with self._claiming:
            while self._hand:
                lease, _ = self._hand.popleft()
                try:
                    self._give_back(lease)
                except Exception as error:  # noqa: BLE001  (their leases end by themselves)
                    self._warn(error)
                    self._hand.clear()

    def _give_back(self, lease: Lease) -> None:
        self._shop.run(hand_back(lease))
        self._count("handed back")

    # ---- outbox and inbox

    def _relay(self) -> bool:
        relayed = self._shop.run(self._relaying())
        self._relayed_to = relayed.last
        self._count("published", relayed.published)
        if relayed.error:
            self._say(f"warning: what follows from a record failed and is tried again: {relayed.error}")
        return bool(relayed.taken)

    def _relaying(self) -> Flow[Relayed]:
        return relay(limit=self.plan.relay_limit, after=self._relayed_to, lease_seconds=self.plan.lease_seconds)

    def _trying(self) -> Flow[int]:
        return sweep_messages(WORKER, limit=self.plan.limit, lease_seconds=self.plan.lease_seconds)

    def _inbox(self) -> bool:
        messages = self._shop.run(self._trying())
        self._count("messages", messages)
        return bool(messages)
