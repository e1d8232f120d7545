"""Invoices less credit memos are what the customer owes, whenever the relay comes by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orderkit import CaptureMode, OrderQuery, Policies, Tender
from orderkit.domain.events import Event
from orderkit.domain.invoicing import memos
from orderkit.domain.value import evolve
from orderkit_memory import MemoryDocuments
from tests.invoices import amounts
from tests.shops import World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)
MUGS, TEE = a_cart(("MUG", 2, "12.50")), a_cart(("TEE", 1, "20.00"))

Relay = Callable[[World], None]


def at_once(world: World) -> None:
    """The relay comes by after each step."""
    world.shop.sweep(roles=("relay",))


def in_the_end(world: World) -> None:
    """The relay comes by when everything is over."""


relayed = pytest.mark.parametrize("relay", [at_once, in_the_end])


def a_shop(policies: Policies | None = None) -> tuple[World, MemoryDocuments]:
    """Open a shop that keeps documents."""
    documents = MemoryDocuments()
    return a_world(documents=documents, policies=policies or Policies()), documents


def ended(world: World) -> None:
    """Everything that waits leaves and arrives, and the relay has seen it all, twice."""
    order = world.shop.orders(OrderQuery()).items[0]
    for shipment in world.shop.order(order.id).shipments:
        if shipment.waiting:
            world.shop.ship(order.id, shipment.id)
    for _ in range(5):
        world.clock.advance(hours=2)
        world.shop.sweep()


def checked(world: World, documents: MemoryDocuments) -> dict[str, int]:
    """Return the amounts of the documents; they sum to what is due, and the shop has it."""
    ended(world)
    order = world.shop.order(world.shop.orders(OrderQuery()).items[0].id)
    found = amounts(documents)
    assert sum(found.values()) == order.due_minor == order.paid_minor
    return found


@relayed
def test_a_line_that_is_cancelled_before_its_money_is_taken_has_a_memo(relay: Relay) -> None:
    """The refund is released with the authorization: no money goes back, and its credit is told like any other."""
    world, documents = a_shop(LATER)
    order = world.shop.place(a_cart(("MUG", 2, "12.50"), ("TEE", 1, "20.00")), "pm_visa")
    relay(world)
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")
    relay(world)

    assert checked(world, documents) == {"invoice": 4500, "F1-memo": -2000}
    told = [event for record in world.shop.records(order.id) for event in record.events]
    assert Event("refund.released", {"refund": f"{order.id}-F1", "total_minor": 2000}) in told


@relayed
def test_an_order_that_is_cancelled_before_its_money_is_taken_has_a_memo(relay: Relay) -> None:
    """The whole of the invoice is credited."""
    world, documents = a_shop(LATER)
    order = world.shop.place(a_cart(("MUG", 2, "12.50"), ("TEE", 1, "20.00")), "pm_visa")
    relay(world)
    world.shop.cancel(order.id, reason="changed_mind")

    assert checked(world, documents) == {"invoice": 4500, "F1-memo": -4500}


@relayed
@pytest.mark.parametrize("policies", [Policies(), LATER])
def test_lines_that_are_added_and_paid_have_an_invoice_of_their_own(relay: Relay, policies: Policies) -> None:
    """With the shipping that came with them; the first invoice stays what it was, though the relay may come late."""
    world, documents = a_shop(policies)
    order = world.shop.place(a_cart(("MUG", 2, "12.50"), shipping="4.90"), "pm_visa")
    relay(world)
    added = a_cart(("TEE", 1, "20.00"), shipping="1.10").charged("wrap", "0.01", kind="fee")
    world.shop.amend(order.id, add=added, pay_with="pm_visa")
    relay(world)

    assert checked(world, documents) == {"invoice": 2990, "A1-invoice": 2111}
    first, second = (documents._documents[f"memory:documents/{order.id}-{name}invoice.pdf"] for name in ("", "A1-"))
    assert [b"TEE" in paper for paper in (first, second)] == [False, True]
    assert [b"4.90 EUR" in paper for paper in (first, second)] == [True, False]
    assert [b"wrap" in paper for paper in (first, second)] == [False, True]


@relayed
@pytest.mark.parametrize("policies", [Policies(), LATER])
def test_lines_whose_payment_is_refused_are_in_no_document(relay: Relay, policies: Policies) -> None:
    """Neither invoiced nor credited, though one of two tenders had paid its part and got it back."""
    world, documents = a_shop(policies)
    order = world.shop.place(MUGS, "pm_visa")
    relay(world)
    world.bank.say = lambda asked: "no" if asked.method == "pm_empty" else "yes"
    pay = [Tender(method="gift_1", kind="gift_card", amount_minor=500), Tender(method="pm_empty")]
    world.shop.amend(order.id, add=TEE, pay_with=pay)
    relay(world)

    assert checked(world, documents) == {"invoice": 2500}


@relayed
@pytest.mark.parametrize(
    ("said", "papers"), [("yes", {"A1-invoice": 2000, "F1-memo": -4500}), ("no", {"F1-memo": -2500})]
)
def test_what_is_cancelled_before_an_amendment_is_paid_waits_for_its_memo(
    relay: Relay, said: str, papers: dict[str, int]
) -> None:
    """The added lines are credited if they were paid after all, and left out if they never were."""
    world, documents = a_shop()
    order = world.shop.place(MUGS, "pm_visa")
    relay(world)
    world.bank.say, world.bank.silent = (lambda asked: "never" if asked.method == "pm_slow" else "yes"), True
    world.shop.amend(order.id, add=TEE, pay_with="pm_slow")
    world.shop.cancel(order.id, reason="changed_mind")
    relay(world)
    assert "F1-memo" not in amounts(documents)
    world.bank.say, world.bank.silent = (lambda _: said), False
    if said == "yes":
        world.bank.moved.update({call.key: call for call in world.bank.calls if call.method == "pm_slow"})
    world.clock.advance(hours=1)
    world.shop.sweep()
    world.bank.say = lambda _: "yes"

    assert checked(world, documents) == {"invoice": 2500, **papers}


@relayed
def test_an_order_that_was_never_confirmed_has_no_documents(relay: Relay) -> None:
    """Cancelled while nobody knew whether it was paid: the money that came goes back without a paper."""
    world, documents = a_shop()
    world.bank.say, world.bank.silent = (lambda asked: "lost" if asked.kind == "charge" else "yes"), True
    order = world.shop.place(MUGS, "pm_visa")
    world.shop.cancel(order.id, reason="changed_mind")
    relay(world)
    world.bank.silent = False

    assert checked(world, documents) == {}
    assert world.shop.order(order.id).refunded_minor == 2500


def test_memos_are_the_same_from_a_longer_log() -> None:
    """An order that is read before its log: what came in between is not looked at."""
    world, _ = a_shop()
    order = world.shop.place(MUGS, "pm_visa")
    before = world.shop.cancel(order.id, {"MUG": 1}, reason="changed_mind")
    after = world.shop.refund(order.id, "1.00", reason="sorry")
    log = world.shop.records(order.id)

    assert [paper.id for paper in memos(before, log)] == [f"{order.id}-F1-memo"]
    assert [paper.id for paper in memos(after, log)] == [f"{order.id}-F{n}-memo" for n in (1, 2)]
    assert memos(evolve(before, version=1), log) == ()
