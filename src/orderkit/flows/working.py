"""The worker's flows: claim what is due, go on with each order, hand back what failed; relay the outbox; try waiting messages.

One sweep never stops at a bad order: its error is kept with it, and it is due again later. The attempt is counted when it is claimed, so an
order that kills its worker is parked too: with a finding in its log, and nothing on its agenda until a person has attended to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from orderkit.domain.agenda import ROLES, TaskKind
from orderkit.domain.events import Decision, Record
from orderkit.domain.expiring import parked
from orderkit.domain.order import Order
from orderkit.domain.value import Value, evolve
from orderkit.errors import InvalidInput, OrderkitError
from orderkit.flows.advancing import advanced
from orderkit.flows.kit import WORKER, Caller, changed, loaded
from orderkit.flows.reacting import react
from orderkit.flows.webhooks import sweep_messages
from orderkit.ports.bus import Publish
from orderkit.ports.clock import Now
from orderkit.ports.settings import ReadSettings
from orderkit.ports.store import ClaimDue, GiveUp, Lease, MarkPublished, TakeOutbox

ALL_ROLES = ("sagas", "resolver", "timers", "relay", "inbox")
RETRY_SECONDS = (1, 5, 30, 120, 600, 1_800, 3_600)
ATTEMPTS_MAX = 20  # half a day of trying, so that a night's outage of a carrier parks nothing
# When even the finding cannot be noted, because the order cannot be read, the store itself hands it out no more.
CLAIMS_MAX = ATTEMPTS_MAX + 5
LEASE_SECONDS = 30.0
REACTIONS_MAX = 50  # records taken at once, each with half a dozen effects to follow: their lease has to outlast them


class Worked(StrEnum):
    """What came of a claimed order."""

    DONE = "done"
    WAITS = "waits"  # nothing came of it: somebody else was faster, or nobody knows more yet
    FAILED = "failed"
    LOST = "lost"  # another worker has it by now; what this one wanted to write was refused
    PARKED = "parked"


class Relayed(Value, kw_only=True):
    """What one round of the relay did. `last` is where the next one goes on; `error` is the last one of a reaction."""

    taken: int = 0
    published: int = 0
    last: str = ""
    error: str = ""


class Swept(Value, kw_only=True):
    """What one sweep did. `error` is the last one of the bus, or of a reaction to what was published: a mail that was not sent; it comes again."""

    claimed: int = 0
    failed: int = 0
    lost: int = 0
    parked: int = 0
    published: int = 0
    messages: int = 0
    error: str = ""

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.claimed or self.published or self.messages)


async def _relayed(limit: int) -> Relayed:
    """Relay once; a bus that fails takes nothing from what the other roles did: its records come again when their lease is over."""
    try:
        return await relay(limit=limit)
    except OrderkitError as error:
        if error.code == "store_unavailable":
            raise
        return Relayed(error=_said(error))


def kinds_of(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of task that the roles do."""
    chosen: list[TaskKind] = [kind for role in roles for kind in ROLES.get(role, ())]
    return tuple(kind.value for kind in chosen)


async def sweep(*, roles: Sequence[str] = ALL_ROLES, limit: int = 100) -> Swept:
    """Do one round of everything that is due, in the given roles. Raises: `InvalidInput` (no such role, or nothing to be done at once)."""
    if unknown := [role for role in roles if role not in ALL_ROLES]:
        raise InvalidInput(
            f"no such role: {', '.join(map(repr, unknown))}; there are {', '.join(ALL_ROLES)}", field="roles"
        )
    if limit < 1:
        raise InvalidInput(f"{limit} is no number of orders to claim, 1 or more", field="limit")
    found: list[Worked] = []
    messages, relayed = 0, Relayed()
    if kinds_of(roles):
        found = [await work_on(lease) for lease in await claim(roles, limit)]
    if "inbox" in roles:
        messages = await sweep_messages(WORKER, limit=limit)
    if "relay" in roles:
        relayed = await _relayed(limit)
    return Swept(
        claimed=len(found),
        failed=found.count(Worked.FAILED),
        lost=found.count(Worked.LOST),
        parked=found.count(Worked.PARKED),
        published=relayed.published,
        messages=messages,
        error=relayed.error,
    )


# ---- orders


async def claim(roles: Iterable[str], limit: int, *, lease_seconds: float = LEASE_SECONDS) -> tuple[Lease, ...]:
    """Claim orders that are due for something that the roles do."""
    return await ClaimDue(
        await Now(), limit, lease_seconds=lease_seconds, kinds=kinds_of(roles), attempts_max=CLAIMS_MAX
    )


async def work_on(lease: Lease) -> Worked:
    """Go on with one claimed order; an error is kept with it, and it is due again later."""
    caller = evolve(WORKER, lease=lease)
    try:
        before = await loaded(lease.order_id)
        if lease.attempts > ATTEMPTS_MAX:
            await _park(before, lease, caller)
            return Worked.PARKED
        after = await advanced(before, caller)
    except Exception as error:  # noqa: BLE001  (a bug in one order, or in an adapter, is no reason to leave all others)
        if isinstance(error, OrderkitError) and error.code == "lease_lost":
            return Worked.LOST
        await GiveUp(lease, _later(await Now(), lease), _said(error))
        return Worked.FAILED
    if after.version > before.version:
        return Worked.DONE
    await GiveUp(lease, _later(await Now(), lease))
    return Worked.WAITS


async def hand_back(lease: Lease) -> None:
    """Give a claimed order back as if it had not been claimed."""
    await GiveUp(lease, None)


async def _park(order: Order, lease: Lease, caller: Caller) -> None:
    def decide(current: Order, _: datetime) -> Decision:
        return parked(current, attempts=lease.attempts - 1, error=lease.error)

    await changed(order.id, "park", decide, caller, known=order)


def _later(now: datetime, lease: Lease) -> datetime:
    return now + timedelta(seconds=RETRY_SECONDS[min(lease.attempts, len(RETRY_SECONDS)) - 1])


def _said(error: Exception) -> str:
    """What may be kept of an error: a stranger's message may quote rows, and rows hold names and addresses."""
    return str(error) if isinstance(error, OrderkitError) else type(error).__name__


# ---- the outbox


async def relay(*, limit: int = 100, after: str = "", lease_seconds: float = LEASE_SECONDS) -> Relayed:
    """Publish what no relay has published: first the bus, then the mark, so that a crash between repeats and never loses."""
    reacts = (await ReadSettings()).reacts
    records = await TakeOutbox(min(limit, REACTIONS_MAX) if reacts else limit, lease_seconds=lease_seconds, after=after)
    if not records:
        return Relayed()
    await Publish(records)
    done, error = await _reacted(records) if reacts else (records, "")
    await MarkPublished(tuple((record.order_id, record.version) for record in done))
    return Relayed(taken=len(records), published=len(done), last=records[-1].order_id, error=error)


async def _reacted(records: Sequence[Record]) -> tuple[tuple[Record, ...], str]:
    """React to each record; one that fails comes again with what follows in its order, and holds up no other."""
    done: list[Record] = []
    failed: set[str] = set()
    said = ""
    for record in records:
        if record.order_id in failed:
            continue
        try:
            await react(record)
        except Exception as error:
            if isinstance(error, OrderkitError) and error.code == "store_unavailable":  # all others would fail as well
                raise
            failed.add(record.order_id)
            said = _said(error)
        else:
            done.append(record)
    return tuple(done), said
