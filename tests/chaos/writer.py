"""A writer of the outbox test: `python -m tests.chaos.writer STORE NAME ROWS`. It writes orders of five records each, many in a transaction.

One batch in four is committed late: the transaction stays open while others, that began after it, commit and are relayed.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta

from sqlalchemy import create_engine

from orderkit.ports.store import Commit, Committed
from orderkit.runtime.clocks import uuid7
from orderkit.testing.samples import NOON, a_commit, next_commit
from orderkit_sql import open_store

VERSIONS = 5
BATCH = 200
DAYS = timedelta(days=60)


def main(store_url: str, name: str, rows: str) -> None:
    """Write the rows."""
    dice = random.Random(name)
    store = open_store(store_url)
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    orders = int(rows) // VERSIONS
    for start in range(0, orders, BATCH):
        # Their order of names is not the order of their commits, as with clocks of many hosts that differ.
        count = min(BATCH, orders - start)
        names = [uuid7(NOON - DAYS * dice.random(), dice.getrandbits(74)) for _ in range(count)]
        commits = [a_commit(order_id, {name: 1}) for order_id in names]  # a shelf of its own: writers wait for nobody
        for _ in range(VERSIONS):
            _written(store, engine, commits, late=dice.random() < 0.25, seconds=dice.uniform(0.0, 0.3))
            commits = [next_commit(commit.after) for commit in commits]
    store.close()
    engine.dispose()


def _written(store: object, engine: object, commits: list[Commit], *, late: bool, seconds: float) -> None:
    with engine.begin() as connection:  # type: ignore[attr-defined]
        answers = store.joined(connection).commit_many(commits)  # type: ignore[attr-defined]
        assert answers == [Committed(commit.after.version) for commit in commits]
        if late:
            time.sleep(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
