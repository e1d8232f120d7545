"""The worker: claim what is due, go on with each order, hand back what failed; relay the outbox; try waiting messages.

One sweep never stops at a bad order: its error is kept with it, and it is due again later. The attempt is counted when it is claimed, so an
order that kills its worker is parked by the store after some tries.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from orderkit.domain.agenda import ROLES, TaskKind
from orderkit.errors import OrderkitError
from orderkit.flows.advancing import advanced
from orderkit.flows.kit import WORKER, loaded
from orderkit.flows.reacting import react
from orderkit.flows.webhooks import sweep_messages
from orderkit.ports.bus import Publish
from orderkit.ports.clock import Now
from orderkit.ports.settings import ReadSettings
from orderkit.ports.store import ClaimDue, GiveUp, Lease, MarkPublished, TakeOutbox

RETRY_SECONDS = (1, 5, 30, 120, 600)


@attrs.frozen(kw_only=True)
class Swept:
    """What one sweep did."""

    claimed: int = 0
    failed: int = 0
    published: int = 0
    messages: int = 0

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.claimed or self.published or self.messages)


def kinds_of(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of task that the roles do."""
    chosen: list[TaskKind] = [kind for role in roles for kind in ROLES.get(role, ())]
    return tuple(kind.value for kind in chosen)


async def sweep(
    *, roles: tuple[str, ...] = ("sagas", "resolver", "timers", "relay", "inbox"), limit: int = 100
) -> Swept:
    """Do one round of everything that is due, in the given roles."""
    claimed = failed = published = messages = 0
    if kinds := kinds_of(roles):
        for lease in await ClaimDue(await Now(), limit, kinds=kinds):
            claimed += 1
            failed += not await work_on(lease)
    if "inbox" in roles:
        messages = await sweep_messages(WORKER, limit=limit)
    if "relay" in roles:
        published = await relay(limit=limit)
    return Swept(claimed=claimed, failed=failed, published=published, messages=messages)


async def work_on(lease: Lease) -> bool:
    """Go on with one claimed order; an error is kept with it, and it is due again later."""
    caller = attrs.evolve(WORKER, lease=lease)
    try:
        before = await loaded(lease.order_id)
        after = await advanced(before, caller)
    except Exception as error:  # noqa: BLE001  (whatever one order raises is kept with it: the others go on)
        if lost := isinstance(error, OrderkitError) and error.code == "lease_lost":
            return lost
        await GiveUp(lease, _later(await Now(), lease), str(error) or type(error).__name__)
        return False
    if after.version == before.version:  # nothing came of it: somebody else was faster, or nobody knows more yet
        await GiveUp(lease, _later(await Now(), lease), "")
    return True


def _later(now: datetime, lease: Lease) -> datetime:
    return now + timedelta(seconds=RETRY_SECONDS[min(lease.attempts, len(RETRY_SECONDS)) - 1])


async def relay(*, limit: int = 100) -> int:
    """Publish what no relay has published: first the bus, then the mark, so that a crash between repeats and never loses."""
    records = await TakeOutbox(limit)
    if records:
        await Publish(records)
        if (await ReadSettings()).reacts:
            for record in records:
                await react(record)
        await MarkPublished(tuple((record.order_id, record.version) for record in records))
    return len(records)
