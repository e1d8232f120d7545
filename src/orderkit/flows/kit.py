"""What every flow needs: who is asking, load-decide-commit with its retries, and planning against the supply of the moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from orderkit.domain.agenda import due
from orderkit.domain.allocation import Demand, Destination, Plan, Supply, plan
from orderkit.domain.cart import fingerprint
from orderkit.domain.events import Decision, Stamp, sealed
from orderkit.domain.given import check_text, storable
from orderkit.domain.order import Facts, Order, OrderLine
from orderkit.domain.quantities import Bucket
from orderkit.domain.value import Value, evolve
from orderkit.errors import Conflict, InvalidInput, KeyReused, NotAllowed, NotFound
from orderkit.ports.cache import Recall, Remember
from orderkit.ports.clock import Now
from orderkit.ports.settings import ReadSettings, Settings
from orderkit.ports.store import (
    Commit,
    CommitAnswer,
    Committed,
    DuplicateKey,
    FindKey,
    KeyClaim,
    Lease,
    LeaseLost,
    Load,
    OutOfStock,
    ReadSupply,
    VersionConflict,
)

KEY_LENGTH_MAX = 255  # what every proxy and header passes on
KEY_SECONDS = 86_400  # how long the cache knows of a key; the store always does

Decide: TypeAlias = Callable[[Order, datetime], Decision]
DecideWithPlan: TypeAlias = Callable[[Order, datetime, Plan, Settings], Decision]


class Caller(Value, kw_only=True):
    """Who asks, on behalf of which principal, with which idempotency key and correlation id.

    A caller that goes on with the order itself keeps workers off it for a moment (`goes_on`); a worker holds a lease.
    """

    actor: str = "host"
    principal: str = "shop"
    key: str | None = None
    correlation: str = ""
    lease: Lease | None = None
    goes_on: bool = True

    def __post_init__(self) -> None:
        try:  # one look, since hardly ever there is anything to say
            fine = storable(self.actor + self.principal + self.correlation)
        except TypeError:
            fine = False
        if not fine:
            for name in ("actor", "principal", "correlation"):
                check_text(getattr(self, name), name)

    def stamp(self, command: str, at: datetime, reason: str = "") -> Stamp:
        """Return the stamp of a commit by this caller."""
        return Stamp(
            at=at, actor=self.actor, command=command, reason=reason, correlation=self.correlation or self.key or ""
        )

    def claim(self, operation: str, *request: object) -> KeyClaim | None:
        """Return the claim of the caller's key for a request, if there is a key."""
        if self.key is None:
            return None
        return KeyClaim(
            principal=self.principal,
            operation=operation,
            key=checked_key(self.key),
            fingerprint=fingerprint(operation, *request),
        )

    @property
    def going_on(self) -> Caller:
        """The same caller for what follows the request: its key is spent, and ties the log together only."""
        return evolve(self, key=None, correlation=self.correlation or self.key or "")


WORKER = Caller(actor="worker", goes_on=False)


def principal_of(actor: str) -> str:
    """Return on whose behalf an actor asks: each customer for itself, everybody else for the shop."""
    check_text(actor, "actor")
    return actor if actor.startswith("customer:") else "shop"


def checked_key(key: str) -> str:
    """Return the key if it can be used as an idempotency key."""
    if type(key) is not str or not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable() or key.isspace():
        raise InvalidInput("an idempotency key has 1 to 255 visible characters", code="invalid_key", field="key")
    return key


async def loaded(order_id: str) -> Order:
    """Return the order, or raise `NotFound`. An id that no store keeps names no order."""
    order = await Load(order_id) if storable(order_id) else None
    if order is None:
        raise NotFound(f"no order {order_id!r}", code="order_not_found", field="order_id")
    return order


async def committed(
    before: Order | None,
    decision: Decision,
    stamp: Stamp,
    *,
    key: KeyClaim | None = None,
    lease: Lease | None = None,
    not_due_before: datetime | None = None,
) -> tuple[Order, CommitAnswer]:
    """Seal the decision and commit it; the answer says whether the returned order is now the stored one."""
    after, record = sealed(decision, before, stamp)
    task = due(after)
    at = task.at if task else None
    if at is not None and not_due_before is not None and at < not_due_before:
        at = not_due_before
    commit = Commit(
        before=before,
        after=after,
        record=record,
        key=key,
        due_at=at,
        due_for=task.kind.value if task else None,
        lease=lease,
    )
    return after, await commit


async def changed(
    order_id: str,
    command: str,
    decide: Decide,
    caller: Caller,
    *,
    reason: str = "",
    request: tuple[object, ...] = (),
    known: Order | None = None,
    expected_version: int | None = None,
) -> Order:
    """Load the order, decide, commit; decide again when somebody else was faster. A repeated key answers with the order as it is.

    An order that was just read or written may be given as `known`: should it be outdated, the version says so and it is loaded after all.
    A caller that saw one version and means no other gives it as `expected_version`; every try looks at it. Raises: `Conflict`.
    """
    check_text(reason, "reason")
    settings = await ReadSettings()
    claim = caller.claim(command, order_id, *request)
    for _ in range(settings.retry_max):
        order, known = known or await loaded(order_id), None
        if expected_version not in (None, order.version):
            return await outdated(order, claim)
        now = await Now()
        try:
            decision = decide(order, now)
        except (NotAllowed, InvalidInput):  # or it was done already, by this very request
            if (spent := await spent_on(claim)) is not None:
                return await replayed(spent, claim)
            raise
        if decision.order is order and not decision.events:
            return await unchanged(order, claim)
        stamp = caller.stamp(command, now, reason)
        later = now + settings.handover_after if caller.goes_on else None
        after, answer = await committed(order, decision, stamp, key=claim, lease=caller.lease, not_due_before=later)
        match answer:
            case Committed():
                return after
            case DuplicateKey():
                return await replayed(answer, claim)
            case LeaseLost() | OutOfStock():
                raise _refusal(order_id, answer)
            case VersionConflict():
                continue
    raise Conflict(f"order {order_id} changed again and again", facts={"order_id": order_id})


def _refusal(order_id: str, answer: LeaseLost | OutOfStock) -> Conflict | NotAllowed:
    """Return the error of a commit that another try would not save."""
    if isinstance(answer, LeaseLost):
        return Conflict(f"another worker has order {order_id}", code="lease_lost")
    short = [{"sku": sku, "warehouse": place} for sku, place in answer.short]
    return NotAllowed("the stock that this needs is not there", code="not_allowed", facts={"short": short})


async def replanned(
    order_id: str,
    command: str,
    demands: Callable[[Order], tuple[Demand, ...]],
    decide: DecideWithPlan,
    caller: Caller,
    *,
    partial: str = "cancel",
    avoid: frozenset[str] = frozenset(),
    reason: str = "",
    request: tuple[object, ...] = (),
    expected_version: int | None = None,
) -> Order:
    """The same for a decision that needs a plan: when a shelf was emptied meanwhile, read the supply and plan again."""
    check_text(reason, "reason")
    settings = await ReadSettings()
    claim = caller.claim(command, order_id, *request)
    for _ in range(settings.retry_max):
        order = await loaded(order_id)
        if expected_version not in (None, order.version):
            return await outdated(order, claim)
        now = await Now()
        try:
            found = await planned(order.facts, demands(order), settings, partial=partial, avoid=avoid)
            decision = decide(order, now, found, settings)
        except (NotAllowed, InvalidInput):  # or it was done already, by this very request
            if (spent := await spent_on(claim)) is not None:
                return await replayed(spent, claim)
            raise
        if decision.order is order and not decision.events:
            return await unchanged(order, claim)
        later = now + settings.handover_after if caller.goes_on else None
        stamp = caller.stamp(command, now, reason)
        after, answer = await committed(order, decision, stamp, key=claim, lease=caller.lease, not_due_before=later)
        match answer:
            case Committed():
                return after
            case DuplicateKey():
                return await replayed(answer, claim)
            case LeaseLost():
                raise Conflict(f"another worker has order {order_id}", code="lease_lost")
            case OutOfStock() | VersionConflict():
                continue
    raise Conflict(
        f"order {order_id} or its stock changed again and again", code="stock_contended", facts={"order_id": order_id}
    )


async def unchanged(order: Order, claim: KeyClaim | None) -> Order:
    """Return the order to which nothing is to be done, unless the key was used for another request."""
    return order if (spent := await spent_on(claim)) is None else await replayed(spent, claim)


async def outdated(order: Order, claim: KeyClaim | None) -> Order:
    """Say that the order is not at the version any more which the caller saw, unless it was this very request that changed it."""
    if (spent := await spent_on(claim)) is not None:
        return await replayed(spent, claim)
    raise Conflict(f"the order is at version {order.version} now", facts={"version": order.version})


async def spent_on(claim: KeyClaim | None) -> DuplicateKey | None:
    """Return what the key of a request stands for already, if anything."""
    return None if claim is None else await FindKey(claim.principal, claim.operation, claim.key)


async def recalled(claim: KeyClaim) -> DuplicateKey | None:
    """Return what the key stands for already, if the cache has heard of it. The cache is only asked whether; what it is, the store says."""
    return None if await Recall(_hint_of(claim)) is None else await spent_on(claim)


async def remembered(claim: KeyClaim, order_id: str) -> None:
    """Tell the cache of a key that is spent, after its commit."""
    await Remember(_hint_of(claim), order_id, KEY_SECONDS)


def _hint_of(claim: KeyClaim) -> str:
    return f"idempotency:{claim.principal}:{claim.operation}:{claim.key}"


async def replayed(known: DuplicateKey, claim: KeyClaim | None) -> Order:
    """Return the order that a repeated key stands for; another request under the same key is refused."""
    if claim is not None and known.fingerprint != claim.fingerprint:
        raise KeyReused(
            f"the key {claim.key!r} was used for another request",
            field="key",
            facts={"order_id": known.order_id, "operation": claim.operation},
        )
    return await loaded(known.order_id)


def demand_of(lines: tuple[OrderLine, ...]) -> tuple[Demand, ...]:
    """Return what the planner is asked for these lines."""
    return tuple(
        [
            Demand(
                line=line.number,
                sku=line.sku,
                quantity=line.quantity,
                seller=line.seller,
                backorder=line.backorder,
                tags=line.tags,
            )
            for line in lines
        ]
    )


def waiting(order: Order, bucket: Bucket, *, backorder: bool | None = None) -> tuple[Demand, ...]:
    """Return what the planner is asked for the units of an order in a bucket; `backorder` overrides whether they may wait."""
    return demand_for(order, {line.number: line[bucket] for line in order.lines if line[bucket]}, backorder=backorder)


def demand_for(order: Order, units: Mapping[int, int], *, backorder: bool | None = None) -> tuple[Demand, ...]:
    """Return what the planner is asked for some units of an order's lines."""
    return tuple(
        evolve(demand, quantity=units[demand.line], backorder=demand.backorder if backorder is None else backorder)
        for demand in demand_of(order.facts.lines)
        if units.get(demand.line, 0) > 0
    )


async def planned(
    facts: Facts,
    demands: tuple[Demand, ...],
    settings: Settings,
    *,
    partial: str | None = None,
    avoid: frozenset[str] = frozenset(),
) -> Plan:
    """Plan the demands against what is available now, without the warehouses to avoid; an unknown SKU is an error, not a shortage."""
    skus = tuple(sorted({demand.sku for demand in demands}))
    units = await ReadSupply(skus)
    if avoid:
        units = {place: count for place, count in units.items() if place[1] not in avoid}
    if (unknown := set(skus) - {sku for sku, _ in units}) and not avoid:
        first = min(unknown)
        raise InvalidInput(
            f"{first!r} is stocked nowhere", code="unknown_sku", field="sku", facts={"skus": sorted(unknown)}
        )
    return planning(facts, demands, units, settings, partial=partial)


def planning(
    facts: Facts,
    demands: tuple[Demand, ...],
    units: Mapping[tuple[str, str], int],
    settings: Settings,
    *,
    partial: str | None = None,
) -> Plan:
    """The plan itself, from supply already read."""
    rules = settings.rules if partial is None else evolve(settings.rules, partial=partial)
    warehouses = settings.known(sorted({warehouse for _, warehouse in units}))
    destination = Destination(country=facts.ship_to.country)
    return plan(demands, Supply(units), tuple(warehouses.values()), rules, destination)
