"""Where a law of money lets the bank have more than is owed, and a life that needs it: without the excuse the law would be wrong.

Each life is led by hand in a shop of a life, up to the moment at which the bank has too much. The laws hold there; once the excuse is taken from
them, they do not. So no excuse is wider than the library needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from orderkit import CaptureMode, Order, Tender
from orderkit.domain.value import evolve
from orderkit.ports.payments import MoveMoney
from tests.lives import money, owed
from tests.lives.bank import LOST, NEVER, NO, YES
from tests.lives.books import Books
from tests.lives.carts import added_up
from tests.lives.shop import World, opened
from tests.shops import a_cart

NOW, LATER = CaptureMode.NOW, CaptureMode.PER_SHIPMENT


def a_shop(capture: CaptureMode, mugs: int = 10) -> World:
    """Open the first shop of a life that takes money like this, with so many mugs, all in Berlin, and authorizations of a week."""
    world = next(w for seed in range(100) if (w := opened(seed)).policies.capture is capture)
    world.bank._authorized_for = timedelta(days=7)
    for level in world.shop.stock():
        world.shop.put_stock(level.sku, {level.warehouse: -level.on_hand})
    world.shop.put_stock("MUG", {"berlin": mugs})
    return world


def says(world: World, **kinds: str) -> None:
    """From now on the bank answers these kinds of operations so, perhaps only of one tender (`kind__method`), and yes to all others."""

    def how(asked: MoveMoney) -> str:
        kind = asked.kind.value
        return kinds.get(f"{kind}__{asked.method}", kinds.get(kind, YES))

    world.bank._how = how  # type: ignore[method-assign]  # a temper of this life alone


def placed(world: World, mugs: int = 1, pay: str | list[Tender] = "pm_visa", *, backorder: bool = False) -> Order:
    """Somebody orders mugs at 10.00; perhaps they may be waited for."""
    cart = evolve(a_cart(), lines=()).add("MUG", mugs, "10.00", backorder=backorder)
    order = world.shop.place(cart, pay)
    world.orders.append(order.id)
    world.totals[order.id] = added_up(cart)
    return order


def days_pass(world: World, hours: int = 8) -> None:
    """Workers do their rounds; what is refused three times is given up by then."""
    for _ in range(hours):
        world.clock.advance(hours=1)
        world.shop.sweep()


def two_cards(first: int = 400) -> list[Tender]:
    """One card for a part, another for the rest."""
    return [Tender(method="pm_visa", amount_minor=first), Tender(method="pm_amex")]


# ---- the lives


def an_authorization_that_the_bank_does_not_give_up() -> World:
    """The second card is declined, the bank does not void the first, and the customer pays with a third."""
    world = a_shop(LATER)
    says(world, authorize__pm_amex=NO, void=NO)
    order = placed(world, pay=two_cards())
    days_pass(world)
    world.shop.pay(order.id, "pm_new")
    return world


def an_authorization_that_could_not_be_captured() -> World:
    """One mug left and its capture was refused; another card pays for it, and the first still holds for both, since one waits."""
    world = a_shop(LATER, 1)
    says(world, capture=NO)
    order = placed(world, 2, backorder=True)
    world.shop.ship(order.id, order.shipments[0].id)
    days_pass(world)
    says(world)
    world.shop.pay(order.id, "pm_new")
    return world


def a_refund_that_the_bank_does_not_pay() -> World:
    """The second card is declined, the bank does not pay the first back, and the customer pays with a third."""
    world = a_shop(NOW)
    says(world, charge__pm_amex=NO, refund=NO)
    order = placed(world, pay=two_cards())
    days_pass(world)
    world.shop.pay(order.id, "pm_new")
    return world


def a_refund_that_is_under_way() -> World:
    """The order is paid and cancelled, and the bank says nothing of the refund."""
    world = a_shop(NOW)
    says(world, refund=NEVER)
    order = placed(world)
    world.shop.cancel(order.id, reason="changed_mind")
    return world


def a_capture_whose_answer_is_lost() -> World:
    """The mug is taken for and the shop does not know it; half of it is forgiven meanwhile."""
    world = a_shop(LATER)
    says(world, capture=LOST)
    order = placed(world)
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, reason="too_small").returns[0]
    if back.state == "requested":
        world.shop.authorize_return(order.id, back.id)
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    return world


def a_charge_whose_answer_is_lost() -> World:
    """The mug left without being paid, another card is charged for it and the answer is lost; the mug comes back meanwhile."""
    world = a_shop(LATER)
    says(world, capture=NO, charge=LOST)
    order = placed(world)
    world.shop.ship(order.id, order.shipments[0].id)
    days_pass(world)
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, reason="too_small").returns[0]
    world.shop.pay(order.id, "pm_new")
    if back.state == "requested":
        world.shop.authorize_return(order.id, back.id)
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    return world


def a_payment_that_is_being_made() -> World:
    """The first card has paid, the second does not answer, and a mug is missing on the shelf: that is seen to when the second answers."""
    world = a_shop(NOW, 2)
    says(world, charge__pm_amex=NEVER)
    order = placed(world, 2, two_cards(1900))
    world.shop.refuse(order.id, order.shipments[0].id, reason="shelf_empty", missing={1: 1})
    return world


NEEDS = [
    (an_authorization_that_the_bank_does_not_give_up, money.nobody_pays_more_than_agreed, "void"),
    (an_authorization_that_could_not_be_captured, money.nobody_pays_more_than_agreed, "capture"),
    (a_refund_that_the_bank_does_not_pay, money.nobody_pays_more_than_agreed, "refund"),
    (a_refund_that_the_bank_does_not_pay, money.the_shop_keeps_no_more_than_is_due, "refund"),
    (a_refund_that_is_under_way, money.the_shop_keeps_no_more_than_is_due, "refund"),
    (a_capture_whose_answer_is_lost, money.the_shop_keeps_no_more_than_is_due, "capture"),
    (a_charge_whose_answer_is_lost, money.the_shop_keeps_no_more_than_is_due, "charge"),
    (a_payment_that_is_being_made, money.the_shop_keeps_no_more_than_is_due, "agreed"),
]


@pytest.mark.parametrize(("live", "law", "excuse"), NEEDS)
def test_a_law_excuses_no_more_than_a_life_needs(
    monkeypatch: pytest.MonkeyPatch, live: Callable[[], World], law: Callable[[Books], Iterator[str]], excuse: str
) -> None:
    """With the excuse the law holds in that life, without it the law is broken."""
    books = Books(live())
    held = [*law(books)]

    for name in ("not_done", "not_heard"):
        whole = getattr(owed, name)
        for module in (owed, money):
            monkeypatch.setattr(
                module, name, lambda b, o, *kinds, f=whole: f(b, o, *(k for k in kinds if k != excuse)), raising=False
            )
    if excuse == "agreed":
        monkeypatch.setattr(money, "may_keep", owed.due)

    assert held == []
    assert [*law(books)] != []
