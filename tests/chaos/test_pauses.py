"""A worker is stopped in the middle of its work for longer than its leases last, and goes on as if nothing had been: none of its writes counts."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, text

from orderkit.plugins.manager import Plugins
from tests.chaos.books import acknowledged, examined, settled
from tests.chaos.processes import Processes, processes, until
from tests.chaos.scale import scale
from tests.chaos.shops import opened, stocked

pytestmark = [pytest.mark.chaos, pytest.mark.postgres, pytest.mark.slow]
LEASE = 0.5
# An observer of its own beside the library: who claimed an order last, and who writes it although another did.
WITNESS = """
CREATE TABLE public.claims (order_id text PRIMARY KEY, who text NOT NULL);
CREATE TABLE public.stale_writes (order_id text NOT NULL, who text NOT NULL, claimed_by text NOT NULL);
CREATE FUNCTION public.witness() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE me text := current_setting('application_name');
BEGIN
  IF NEW.lease_token <> OLD.lease_token THEN
    INSERT INTO public.claims VALUES (NEW.id, me) ON CONFLICT (order_id) DO UPDATE SET who = me;
  ELSIF NEW.version <> OLD.version AND starts_with(me, 'worker') THEN
    INSERT INTO public.stale_writes SELECT order_id, me, who FROM public.claims WHERE order_id = NEW.id AND who <> me;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER witness BEFORE UPDATE ON orderkit.orders FOR EACH ROW EXECUTE FUNCTION public.witness();
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Processes]:
    """The processes of the test."""
    with processes(tmp_path) as found:
        yield found


def test_a_worker_that_was_away_too_long_writes_nothing(
    make_postgres_database: Callable[[], str], running: Processes, tmp_path: Path
) -> None:
    """Stopped while it waits for the provider, it comes back with answers to orders that another has taken: all are refused."""
    pauses = scale().pauses
    store = make_postgres_database()
    Plugins().migrate_store(store)
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql(WITNESS)
    psp, acks = tmp_path / "psp.db", tmp_path / "acks"
    with opened(store, f"fakepsp:///{psp}") as shop:
        stocked(shop)
    feeder = running.start("-m", "tests.chaos.placer", store, f"fakepsp:///{psp}", str(acks), "feeder", "4", "accept")
    options = (
        "--bus",
        "memory:",
        "--payments",
        f"fakepsp:///{psp}?latency_ms=150",
        "--interval",
        "0.05",
        "--lease",
        str(LEASE),
        "--limit",
        "4",
    )
    names = [f"{store}?{urlencode({'application_name': name})}" for name in ("worker-1", "worker-2")]
    victim, other = (running.worker("--store", name, *options) for name in names)

    for n in range(pauses):
        known = len(acknowledged(acks))
        until(lambda known=known: len(acknowledged(acks)) > known + 8, "there is work")
        victim.signal(signal.SIGSTOP)
        time.sleep(LEASE * (2 + n % 2))
        victim.signal(signal.SIGCONT)
    assert feeder.terminated() == 0
    settled(store)
    assert (victim.terminated(), other.terminated()) == (0, 0)

    refused = sum(int(n) for n in re.findall(r"(\d+) lost", victim.said))
    with engine.connect() as connection:
        stale = connection.execute(text("SELECT count(*) FROM public.stale_writes")).scalar_one()
        claims = dict(connection.execute(text("SELECT who, count(*) FROM public.claims GROUP BY who")).all())
    engine.dispose()
    books = examined(store, psp, acks)
    print({"pauses": pauses, "refused": refused, "accepted": stale, "orders": books.orders, "last claimed by": claims})  # noqa: T201  (the report)

    assert len(claims) == 2
    assert stale == 0
    assert refused > 0
    assert books.wrong == {}
