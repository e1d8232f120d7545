"""Bindings: every effect has its port when the shop opens, and what adapters do not declare becomes what flows know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import attrs
import pytest

import orderkit
from orderkit.domain.value import evolve
from orderkit.errors import FlowMisused, InvalidInput, Misconfigured, OrderkitError, PortError
from orderkit.ports.cache import Forget, Recall, Remember
from orderkit.ports.carriers import TrackParcel
from orderkit.ports.clock import NewId, Now
from orderkit.ports.documents import ReadDocument
from orderkit.ports.effect import Effect, Flow, all_of
from orderkit.ports.notifications import Notify
from orderkit.ports.payments import Confirmed, MoveMoney, PaymentAnswer, Refused, Unknown
from orderkit.ports.settings import ReadSettings, Settings
from orderkit.ports.store import Commit, Committed, Load, StoreCapabilities
from orderkit.runtime.asynchronous import bound_async, run_async
from orderkit.runtime.batch import run_many
from orderkit.runtime.bindings import Handlers, bound, joined
from orderkit.runtime.sync import run_sync
from orderkit.runtime.threads import ThreadLane
from orderkit_memory.store import MemoryStore
from tests.shops import Bank, Van
from tests.unit.runtime.effects import NOON, a_booking, a_charge, a_commit


class StoppedClock:
    """It is always noon."""

    def now(self) -> Any:
        """Return noon."""
        return NOON


class OneId:
    """There is one id."""

    def new_id(self, at: object) -> str:
        """Return it."""
        return f"id at {at:%H:%M}"


def shop_handlers(store: Any = None, **ports: Any) -> Handlers:
    """Return the handlers of a shop in memory."""
    ports = {"payments": Bank(), "carriers": Van(), **ports}
    return bound(
        store_=store or MemoryStore(),
        clock_=StoppedClock(),
        ids=OneId(),
        settings_=Settings(),
        ports=ports,
        pause=lambda _: None,
    )


async def asking(effect: Effect[Any]) -> Any:
    """Await one effect."""
    return await effect


def ask(effect: Effect[Any], **ports: Any) -> Any:
    """Ask one effect of a shop in memory."""
    return run_sync(asking(effect), shop_handlers(**ports))


async def ask_async(effect: Effect[Any], **ports: Any) -> Any:
    """Ask one effect of a shop in memory, on an event loop."""
    ports = {"payments": Bank(), "carriers": Van(), **ports}
    handlers = bound_async(store_=MemoryStore(), clock_=StoppedClock(), ids=OneId(), settings_=Settings(), ports=ports)
    return await run_async(asking(effect), handlers)


# ---- at the start


@pytest.mark.parametrize("port", ["payments", "carriers"])
def test_a_shop_without_a_port_that_it_needs_does_not_open(port: str) -> None:
    """The error names an effect that nobody would answer, and the argument that is missing."""
    given: dict[str, Any] = {"payments": Bank(), "carriers": Van(), port: None}
    with pytest.raises(Misconfigured, match=rf"no adapter answers \w+: orderkit.open\({port}=…\)") as caught:
        orderkit.open(MemoryStore(), bus=None, notifications=None, documents=None, **given)

    assert (caught.value.code, caught.value.field, caught.value.fault) == ("missing_port", port, "installation")


def test_an_adapter_that_lacks_a_method_is_refused_by_name() -> None:
    """What the adapter would have to answer is said when the shop opens."""

    class Mute:
        """A provider that cannot be asked."""

        def move_money(self, asked: MoveMoney) -> PaymentAnswer:
            return Refused("closed")

    with pytest.raises(
        Misconfigured, match=r"Mute, given as orderkit.open\(payments=…\), does not answer AskPayment"
    ) as caught:
        shop_handlers(payments=Mute())
    assert caught.value.facts["method"] == "ask_payment"


def test_an_adapter_for_event_loops_is_refused_without_one() -> None:
    """A sync shop says what to use instead."""

    class Remote(Bank):
        async def move_money(self, asked: MoveMoney) -> PaymentAnswer:  # type: ignore[override]
            return Confirmed("r-1")

    with pytest.raises(Misconfigured, match="needs an event loop") as caught:
        shop_handlers(payments=Remote())
    assert "open_async" in caught.value.remedy


def test_what_a_shop_can_do_without_is_done_quietly() -> None:
    """Without a channel nobody is told, without a cache nothing is remembered."""
    told = Notify(id="n-1", channel="mail", recipient="anna", template="placed", data={})

    assert ask(told) is None
    assert ask(Recall("total")) is None


def test_what_has_no_quiet_answer_is_refused_when_it_is_asked() -> None:
    """A document that nobody keeps cannot be read."""
    with pytest.raises(Misconfigured, match=r"ReadDocument: orderkit.open\(documents=…\)") as caught:
        ask(ReadDocument("memory:invoice/1"))
    assert caught.value.field == "documents"


def test_time_names_and_rules_come_from_the_shop() -> None:
    """The clock, the ids and the settings are answered without any adapter."""
    answers = ask(all_of(Now(), NewId(), ReadSettings()))

    assert answers == (NOON, "id at 12:00", Settings())


def test_commits_in_memory_take_no_lane_and_durable_ones_do() -> None:
    """Sharing transactions is for stores that have some."""

    class Disk(MemoryStore):
        in_memory = False

    class OneByOne(Disk):
        capabilities = evolve(MemoryStore().capabilities, batch_max=1)

    kinds = [isinstance(shop_handlers(store).one[Commit], ThreadLane) for store in (MemoryStore(), Disk(), OneByOne())]

    assert kinds == [False, True, False]


# ---- doubt


@attrs.define
class Broken:
    """A provider, a carrier and a cache whose every call fails in the same way."""

    fail: Callable[[], object]
    capabilities: object = None

    def _fail(self, _: object) -> Any:
        return self.fail()

    move_money = ask_payment = book_parcel = cancel_parcel = track_parcel = remember = recall = forget = notify = _fail


def raising(error: Exception) -> Broken:
    """Return an adapter that raises."""

    def fail() -> object:
        raise error

    return Broken(fail)


@pytest.mark.parametrize("asked", [a_charge(), a_booking()], ids=["payment", "parcel"])
async def test_an_undeclared_exception_is_a_doubt(asked: Effect[Any]) -> None:
    """Nobody knows whether the money moved or the parcel was booked, with or without an event loop, alone or in a batch."""
    broken = raising(TimeoutError("read timed out"))
    batched = run_many([asking(asked)], shop_handlers(payments=broken, carriers=broken))

    assert ask(asked, payments=broken, carriers=broken) == Unknown("TimeoutError")
    assert await ask_async(asked, payments=broken, carriers=broken) == Unknown("TimeoutError")
    assert batched == [Unknown("TimeoutError")]


def test_an_answer_that_nobody_declared_is_a_doubt() -> None:
    """An adapter that forgets to return has told us nothing."""
    assert ask(a_charge(), payments=Broken(lambda: None)) == Unknown("answered NoneType")


def test_a_declared_failure_with_an_unknown_outcome_is_a_doubt() -> None:
    """A provider may say itself that it does not know."""
    assert ask(a_charge(), payments=raising(PortError("gone", code="payment_unknown"))) == Unknown("payment_unknown")


@pytest.mark.parametrize(
    "error", [InvalidInput("no vouchers here", code="unsupported"), PortError("x", code="book_unreadable")]
)
def test_a_declared_failure_that_applied_nothing_is_raised(error: OrderkitError) -> None:
    """What certainly did not happen is no doubt."""
    with pytest.raises(type(error)) as caught:
        ask(a_charge(), payments=raising(error))
    assert caught.value.outcome == "not_applied"


@pytest.mark.parametrize(
    "hint", [Remember("total", "57.50", 60), Recall("total"), Forget("total", 60)], ids=["keep", "ask", "drop"]
)
async def test_a_cache_that_fails_is_no_cache(hint: Effect[Any]) -> None:
    """Its failure is swallowed."""
    broken = raising(ConnectionError("reset"))

    assert ask(hint, cache=broken) is None
    assert await ask_async(hint, cache=broken) is None


def test_any_other_failure_outside_is_an_error_of_the_port() -> None:
    """It is one of the library's tree, and says only what kind it was."""
    broken = raising(ConnectionError("cannot reach anna@example.com"))
    with pytest.raises(PortError, match=r"^port_failed: TrackParcel failed: ConnectionError$") as caught:
        ask(TrackParcel(carrier="van", tracking_number="VAN-1", at=NOON), carriers=broken)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_provider_may_take_many_at_once() -> None:
    """`move_money_many` is one call for all flows; a failure in it is a doubt for each, or for one."""

    class Bulk(Bank):
        calls_many: int = 0

        def move_money_many(self, asked: Sequence[MoveMoney]) -> list[object]:
            self.calls_many += 1
            if len(asked) == 1:
                raise TimeoutError
            return [Confirmed("r-1"), TimeoutError(), None, Refused("declined")]

    bank = Bulk()
    four = run_many([asking(a_charge(f"o-{n}")) for n in range(4)], shop_handlers(payments=bank))
    one = run_many([asking(a_charge())], shop_handlers(payments=bank))

    assert four == [Confirmed("r-1"), Unknown("TimeoutError"), Unknown("answered NoneType"), Refused("declined")]
    assert one == [Unknown("TimeoutError")]
    assert bank.calls_many == 2


# ---- the host's transaction


def test_in_the_hosts_transaction_effects_go_to_the_joined_store() -> None:
    """What is committed there is not seen by the shop's own store."""
    own, hosts = MemoryStore(), MemoryStore()

    async def flow() -> object:
        return await a_commit()

    answer = run_sync(flow(), joined(shop_handlers(own), hosts))

    assert isinstance(answer, Committed)
    assert own.load_many(["o-1"]) == [None]
    assert [order.id for order in hosts.load_many(["o-1"]) if order is not None] == ["o-1"]


@attrs.define
class Host:
    """A store that a host's transaction can join; the transaction is another store."""

    store: MemoryStore
    capabilities: ClassVar[StoreCapabilities] = evolve(MemoryStore.capabilities, joins_host_transaction=True)

    def joined(self, tx: Any) -> Any:
        """Return the store of the transaction."""
        return tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.mark.parametrize("outside", [a_charge(), all_of(Load("o-1"), a_charge())], ids=["alone", "among several"])
async def test_nothing_leaves_the_process_in_the_hosts_transaction(outside: Effect[Any]) -> None:
    """A charge is refused before the provider is called, sync and async, and the error says what to do instead."""
    bank = Bank()
    quiet: dict[str, Any] = {"payments": bank, "carriers": Van(), "bus": None, "notifications": None, "documents": None}
    shop = orderkit.open(Host(MemoryStore()), **quiet)
    async_shop = await orderkit.open_async(Host(MemoryStore()), **quiet)

    def flow() -> Flow[Any]:
        return asking(outside)

    with pytest.raises(FlowMisused, match="MoveMoney leaves the process"):
        shop.run(flow(), tx=MemoryStore())
    with pytest.raises(FlowMisused, match="MoveMoney leaves the process") as caught:
        await async_shop.run(flow(), tx=MemoryStore())

    assert "host's COMMIT" in caught.value.remedy
    assert bank.calls == []


async def test_async_effects_in_the_hosts_transaction_go_to_the_joined_store() -> None:
    """Several at once too: none escapes to the shop's own store."""
    own, hosts = MemoryStore(), MemoryStore()
    hosts.commit_many([a_commit()])
    shop = await orderkit.open_async(
        Host(own), payments=Bank(), carriers=Van(), bus=None, notifications=None, documents=None
    )

    (found,) = await shop.run(asking(all_of(Load("o-1"))), tx=hosts)

    assert found is not None
    assert await shop.run(asking(Load("o-1"))) is None
