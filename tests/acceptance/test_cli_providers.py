"""What the command line does to a shop whose provider it was not told: nothing that moves money or parcels."""

from __future__ import annotations

import ast
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

import orderkit
from orderkit import Address, Cart, Order, OrderQuery
from orderkit.cli.main import root
from orderkit.cli.providers import NoCarriers, NoPayments, opened
from orderkit.domain.events import Record
from orderkit.domain.expiring import parked
from orderkit.errors import Misconfigured
from orderkit.flows.kit import WORKER, Caller, changed
from orderkit.flows.placing import accept
from orderkit.ports.carriers import TrackParcel
from orderkit.ports.clock import Now
from orderkit.ports.payments import AskPayment, Confirmed
from orderkit.ports.store import TakeOutbox
from orderkit_fakepsp.book import Book
from orderkit_sql import migrate
from tests.architecture.tree import ROOT
from tests.runner import Runner

HOME = Address(name="Anna Schmidt", street="Invalidenstr. 1", city="Berlin", zip="10115", country="DE")
CART = Cart(customer="anna", ship_to=HOME, currency="EUR").add("MUG", 1, "12.50")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store in a file, in a folder of its own."""
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def bank(tmp_path: Path) -> str:
    """The URL of the shop's own provider. It is not where a demo's would be."""
    return f"fakepsp:///{tmp_path}/bank.db?webhooks=no"


def command(*arguments: str, status: int = 0) -> Result:
    """Run a command, and hold its exit status."""
    done = Runner().invoke(root, arguments)
    assert done.exit_code == status, (done.output, done.exception)
    return done


def a_parked_order(store: str, bank: str, method: str) -> str:
    """Leave an order parked: before its charge, or with the charge in doubt."""
    with orderkit.open(store, payments=bank) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        accepted = shop.run(accept(CART, method, Caller()))
        order_id = accepted.order.id if method == "pm_visa" else shop.advance(accepted.order.id).id
        shop.run(changed(order_id, "park", lambda order, _: parked(order, attempts=20, error="x"), WORKER))
    return order_id


def a_delivered_order(store: str, bank: str) -> str:
    """Sell a mug and deliver it."""
    with orderkit.open(store, payments=bank) as shop:
        shop.put_stock("MUG", {"berlin": 5})
        order = shop.place(CART, "pm_visa")
        shop.ship(order.id, order.shipments[0].id)
        return shop.deliver(order.id, order.shipments[0].id).id


def read(store: str, order_id: str) -> Order:
    """Return an order as it is stored."""
    with opened(store) as shop:
        return shop.order(order_id)


@pytest.mark.parametrize("method", ["pm_visa", "pm_timeout_after"])
def test_attending_leaves_the_order_to_workers(store: str, bank: str, method: str) -> None:
    """Nobody is asked whether the charge happened; the worker asks the shop's own provider, and it is charged once."""
    order_id = a_parked_order(store, bank, method)
    before = read(store, order_id)

    command("order", "attend", order_id, "parked", "--store", store)
    after = read(store, order_id)
    assert after.findings == ()
    assert (after.state, after.payments) == (before.state, before.payments)

    command("worker", "--once", "--store", store, "--payments", bank)
    (operation,) = read(store, order_id).payments[0].operations

    async def answer() -> object:
        return await AskPayment(key=operation.key, payment=before.payments[0].id, at=await Now())

    with orderkit.open(store, payments=bank) as shop:
        assert isinstance(shop.run(answer()), Confirmed)
    assert operation.attempt == 1
    assert operation.state == "confirmed" or method == "pm_timeout_after"  # a doubt is asked about a little later


@pytest.mark.parametrize(
    "arguments",
    [
        ("order", "cancel", "ID", "--reason", "r", "--yes"),
        ("order", "refund", "ID", "1.00", "--reason", "r", "--yes"),
        ("order", "return", "ID", "--reason", "r", "--yes"),
        ("order", "return", "ID", "--reason", "r", "--yes", "--receive-at", "berlin"),
        ("worker", "--once"),
        ("worker",),
        ("worker", "--once", "--roles", "relay,inbox", "--bus", "memory:"),
    ],
)
def test_what_may_move_money_needs_the_shops_own_provider(
    arguments: tuple[str, ...], store: str, bank: str, tmp_path: Path
) -> None:
    """It is refused before anything happens, with the option that is missing; no book is left beside the store."""
    order_id = a_delivered_order(store, bank)
    before, files = read(store, order_id), {path.name for path in tmp_path.iterdir()}
    asked = [order_id if part == "ID" else part for part in arguments]

    told = command(*asked, "--store", store, status=3).stderr

    assert "code missing_port, field --payments, outcome not_applied" in told
    assert "--payments URL, or ORDERKIT_PAYMENTS" in told
    assert read(store, order_id) == before
    assert {path.name for path in tmp_path.iterdir()} == files


def test_a_provider_of_its_own_needs_carriers_of_its_own(
    store: str, bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fake parcels go with fake money only; the variables name both as the options do."""
    order_id = a_delivered_order(store, bank)
    refund = ("order", "refund", order_id, "1.00", "--reason", "r", "--yes", "--store", store)
    monkeypatch.setattr("orderkit.cli.providers.FAKE", "nothing")
    monkeypatch.setenv("ORDERKIT_PAYMENTS", bank)

    told = command(*refund, status=3).stderr
    monkeypatch.setenv("ORDERKIT_CARRIERS", "fakecarrier:")
    command(*refund)

    assert "code missing_port, field --carriers, outcome not_applied" in told
    assert read(store, order_id).refunded_minor == 100


def test_what_moves_nothing_needs_no_provider(store: str, bank: str, tmp_path: Path) -> None:
    """Looking, trying dry, and relaying; none of it leaves a provider's book behind."""
    order_id = a_delivered_order(store, bank)

    for arguments in (
        ("order", "show", order_id),
        ("order", "refund", order_id, "1.00", "--reason", "r", "--dry-run"),
        ("order", "return", order_id, "--reason", "r", "--receive-at", "berlin", "--dry-run"),
        ("allocate", "explain", order_id),
        ("doctor",),
        ("worker", "--once", "--roles", "relay", "--bus", "memory:"),
    ):
        command(*arguments, "--store", store)

    assert not (tmp_path / "shop.db.fakepsp").exists()


def unpublished(store: str) -> int:
    """How many records no relay has published."""
    with opened(store) as shop:
        return len(shop.run(taken()))


async def taken() -> tuple[Record, ...]:
    """Look at what waits for a relay, and hold it for no time."""
    return await TakeOutbox(100, lease_seconds=0.0)


def test_without_a_bus_nothing_is_relayed(store: str, bank: str) -> None:
    """A worker in all roles says so and leaves the records; one that is told to relay refuses; a named bus gets them."""
    a_delivered_order(store, bank)
    waiting, worker = unpublished(store), ("worker", "--once", "--store", store, "--payments", bank)

    said = command(*worker).stderr
    others = command(*worker, "--roles", "sagas,timers").stderr
    for roles in ("relay", "sagas,relay"):
        refused = command(*worker, "--roles", roles, status=3).stderr
        assert "code missing_port, field --bus, outcome not_applied" in refused
        assert "--bus URL, or ORDERKIT_BUS" in refused
    left = unpublished(store)
    told = command(*worker, "--bus", "memory:").stderr

    assert "nothing is relayed: nobody named the event bus (--bus URL, or ORDERKIT_BUS)" in said
    assert "relayed" not in others + told
    assert (left, unpublished(store)) == (waiting, 0)
    assert waiting > 0


def test_the_bus_is_named_by_its_variable(store: str, bank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the other ports are."""
    a_delivered_order(store, bank)
    monkeypatch.setenv("ORDERKIT_BUS", "memory:")

    command("worker", "--once", "--roles", "relay", "--store", store)

    assert unpublished(store) == 0


def test_a_book_in_which_nothing_stands_is_no_demos(store: str, bank: str, tmp_path: Path) -> None:
    """Earlier versions left one beside every store that they looked into."""
    order_id = a_delivered_order(store, bank)
    Book(tmp_path / "shop.db.fakepsp").close()

    told = command("order", "refund", order_id, "1.00", "--reason", "r", "--yes", "--store", store, status=3).stderr

    assert "missing_port" in told


@pytest.mark.parametrize(
    "arguments", [("order", "refund", "ID", "1.00", "--reason", "r", "--yes"), ("worker", "--once")]
)
def test_a_book_of_another_shop_is_no_demos(arguments: tuple[str, ...], store: str, bank: str, tmp_path: Path) -> None:
    """A demo was here once and its book was left: it does not know the money of the shop that has the name now."""
    with orderkit.open("memory:", payments=f"fakepsp:///{tmp_path}/shop.db.fakepsp") as demo:
        demo.put_stock("MUG", {"berlin": 5})
        demo.place(CART, "pm_visa")
    order_id = a_delivered_order(store, bank)
    before = read(store, order_id)

    told = command(*[order_id if part == "ID" else part for part in arguments], "--store", store, status=3).stderr

    assert "code missing_port, field --payments, outcome not_applied" in told
    assert f"does not know {before.payments[0].operations[0].id}" in told
    assert read(store, order_id) == before
    command(
        *[order_id if part == "ID" else part for part in arguments],
        "--store",
        store,
        "--payments",
        bank,
        "--carriers",
        "fakecarrier:",
    )


def test_the_book_of_the_shop_itself_is_found(store: str, tmp_path: Path) -> None:
    """A demo's or a replay's: its provider need not be named."""
    order_id = a_delivered_order(store, f"fakepsp:///{tmp_path}/shop.db.fakepsp?webhooks=no")

    command("order", "refund", order_id, "1.00", "--reason", "r", "--yes", "--store", store)

    assert read(store, order_id).refunded_minor == 100


def test_the_demo_refuses_a_shop_that_is_at_work(store: str, bank: str, tmp_path: Path) -> None:
    """It would go on with whatever is due there, and pay it with nobody's money."""
    order_id = a_parked_order(store, bank, "pm_visa")

    told = command("demo", "--store", store, "--invoices", "1", status=2).stderr

    assert f"has orders that are not a demo's, such as {order_id}" in told
    assert "code invalid_input, field --store, outcome not_applied" in told
    with opened(store) as shop:
        assert len(shop.orders(OrderQuery()).items) == 1
    assert not (tmp_path / "shop.db.fakepsp").exists()


def test_a_call_all_the_same_is_refused() -> None:
    """The second guard: whatever a command does by mistake, no call is answered."""
    with closing(NoPayments()) as payments, closing(NoCarriers()) as carriers:
        for call in (payments.move_money, payments.ask_payment):
            with pytest.raises(Misconfigured, match="nobody said which payment provider"):
                call(object())
        for call in (carriers.book_parcel, carriers.cancel_parcel, carriers.track_parcel):
            with pytest.raises(Misconfigured, match="nobody said which carriers"):
                call(object())

    async def tracked() -> object:
        return await TrackParcel(carrier="dhl", tracking_number="1", at=await Now())

    with opened("memory:") as shop, pytest.raises(Misconfigured, match="nobody said which carriers"):
        shop.run(tracked())


def test_no_command_opens_a_shop_with_the_librarys_own_fakes() -> None:
    """`open` fakes what it is not given; every call of it here gives both."""
    bare = [
        f"{path.name}:{call.lineno}"
        for path in sorted((ROOT / "src" / "orderkit" / "cli").glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("open", "orderkit.open")
        and not any(word.arg in (None, "payments") for word in call.keywords)
    ]

    assert bare == []


@pytest.mark.postgres
def test_the_same_on_postgresql(postgres_database: str, bank: str) -> None:
    """No book lies beside a server: every command that moves money is told its provider."""
    migrate(postgres_database)
    parked_id = a_parked_order(postgres_database, bank, "pm_timeout_after")
    order_id = a_delivered_order(postgres_database, bank)
    option = ("--store", postgres_database)
    refund = ("order", "refund", order_id, "1.00", "--reason", "r", "--yes", *option)

    command("order", "attend", parked_id, "parked", *option)
    assert "missing_port" in command(*refund, status=3).stderr
    assert "missing_port" in command("worker", "--once", *option, status=3).stderr
    assert "not a demo's" in command("demo", "--invoices", "1", *option, status=2).stderr
    command(*refund, "--payments", bank)

    (operation,) = read(postgres_database, parked_id).payments[0].operations
    assert (operation.state, operation.attempt) == ("unknown", 1)
    assert read(postgres_database, order_id).refunded_minor == 100
