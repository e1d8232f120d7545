"""What events say of what happened: true to the unit, in UTC, and told to customers only where it concerns them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from orderkit import Order, Policies
from orderkit.domain.events import Event
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from orderkit.ports.notifications import Notify
from orderkit_memory import MemoryNotifications
from tests.announced import strange
from tests.flows.test_done_after_all import first_refund, returned_in_vain, told_after_all
from tests.flows.test_late_answers import pass_days
from tests.flows.test_reversed_refunds import comes_back
from tests.missing import opened, until_idle
from tests.shops import World, a_cart


def told(world: World, order: Order, kind: str) -> list[dict[str, Any]]:
    """Return the data of all events of a type; each event of the order is as announced."""
    events: Iterator[Event] = (event for record in world.shop.records(order.id) for event in record.events)
    found = list(events)
    assert [said for event in found for said in strange(event)] == []
    return [dict(event.data) for event in found if event.type == kind]


def test_units_that_were_found_in_two_warehouses_are_added_up() -> None:
    """Three that waited are found, one here and two there."""
    world = opened({"MUG": {"berlin": 0, "madrid": 0}})
    order = world.shop.place(evolve(a_cart(), lines=()).add("MUG", 3, "50.00", backorder=True), "pm_visa")
    world.shop.put_stock("MUG", {"berlin": 1})
    world.shop.put_stock("MUG", {"madrid": 2})
    pass_days(world, 1)

    assert len(world.shop.order(order.id).shipments) == 2
    assert told(world, order, "line.allocated") == [{"units": {"1": 3}}]


def test_a_carrier_says_its_times_in_its_own_zone() -> None:
    """In the log they are in UTC, like all others."""
    world = opened({"MUG": {"berlin": 1}})
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    order = world.shop.ship(order.id, order.shipments[0].id)
    at = datetime(2026, 3, 4, 23, 0, tzinfo=timezone(timedelta(hours=9)))
    number = order.shipments[0].tracking_number
    assert number is not None
    world.van.scans[number] = (Scan(id="1", status=CarrierStatus.DELIVERED, at=at),)
    pass_days(world, 1)

    assert [said["at"] for said in told(world, order, "shipment.delivered")] == ["2026-03-04T14:00:00+00:00"]


def test_a_return_that_is_lost_on_its_way_was_sent() -> None:
    """It expires as well, for another reason than one that was never sent."""
    world = opened({"MUG": {"berlin": 2}})
    order = world.shop.place(a_cart(("MUG", 2, "50.00")), "pm_visa")
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    sent = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.send_return(order.id, sent.id)
    world.shop.request_return(order.id, {1: 1}, reason="too_small")
    pass_days(world, 60)

    assert [said["reason"] for said in told(world, order, "return.expired")] == ["never_arrived", "never_sent"]


def test_the_customer_is_told_each_time_that_his_money_moves() -> None:
    """It is on its way, the bank sent it back, and it is on its way again."""
    mails = MemoryNotifications()
    world = opened({"MUG": {"berlin": 1}}, policies=Policies(), notifications=mails)
    order = world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    order = world.shop.cancel(order.id, reason="changed_mind")
    after = comes_back(world, order, first_refund(order))
    world.shop.attend(order.id, after.findings[0])
    until_idle(world)

    assert about_refunds(mails) == ["refunded", "refund_returned", "refunded"]
    assert [each.data["event"].get("paid_minor") for each in mails.sent if each.template == "refunded"] == [5000, 5000]
    assert [each.data["event"]["reason"] for each in mails.sent if each.template == "refund_returned"] == [
        "account_closed"
    ]
    assert [said["refund"] for said in told(world, order, "refund.returned")] == [order.refunds[0].id]


def test_the_customer_is_not_troubled_with_a_second_payout_that_comes_back() -> None:
    """The bank did what it had refused, and the resend too: he has his money, and nobody owes him anything."""
    mails = MemoryNotifications()
    world = opened({"MUG": {"berlin": 2}}, notifications=mails)
    order = world.shop.place(a_cart(("MUG", 2, "50.00")), "pm_visa")
    world, failed = returned_in_vain(world, order, then="yes")
    told_after_all(world, failed, first_refund(failed))
    after = comes_back(world, world.shop.order(failed.id), first_refund(failed))

    assert (after.findings, about_refunds(mails)) == ((), ["refunded"])
    assert len(told(world, order, "payment.refund_reversed")) == 1


def about_refunds(mails: MemoryNotifications) -> list[str]:
    """Return the templates of the mails about refunds, in the order of sending."""
    return [each.template for each in mails.sent if each.template.startswith("refund")]


def test_a_mail_that_is_not_sent_is_said_by_the_sweep() -> None:
    """A host that sweeps by itself sees what is wrong."""
    world = opened({"MUG": {"berlin": 1}}, notifications=Down())
    world.shop.place(a_cart(("MUG", 1, "50.00")), "pm_visa")
    swept = world.shop.sweep()

    assert "ConnectionError" in swept.error
    assert (swept.published, swept.failed) == (1, 0)  # the record before it, of which nobody is mailed


class Down(MemoryNotifications):
    """A channel whose server does not answer."""

    def notify(self, asked: Notify) -> None:
        """Send nothing."""
        raise ConnectionError("no mail server")
