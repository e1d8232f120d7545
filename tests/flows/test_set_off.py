"""Refunds that need no money, because what they give back was never taken: they are done, and so are their credit memos."""

from __future__ import annotations

from datetime import timedelta

from orderkit import CaptureMode, Order, Policies, RefundPolicy, Tender
from orderkit.domain.payment import OperationKind
from orderkit.domain.refunds import ShippingPolicy
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from orderkit.flows import tender
from orderkit_memory import MemoryDocuments
from tests.flows.test_late_answers import told_after_all
from tests.invoices import amounts
from tests.missing import until_idle
from tests.shops import World, a_cart, a_world

LATER = Policies(capture=CaptureMode.PER_SHIPMENT)


def refuses(world: World, *kinds: OperationKind) -> None:
    """From now on the bank refuses these, and does all others."""
    world.bank.say = lambda asked: "no" if asked.kind in kinds else "yes"


def days_pass(world: World, order: Order, days: int = 2) -> Order:
    """Let workers do their rounds for some days; whatever is refused three times is given up by then."""
    for _ in range(days * 12):
        world.clock.advance(hours=2)
        world.shop.sweep()
    return world.shop.order(order.id)


def test_a_refund_is_done_when_the_capture_that_it_waited_for_is_refused() -> None:
    """Shipped, and the card does not pay; the goods come back meanwhile: nothing is missing any more, and there is a memo."""
    documents = MemoryDocuments()
    world = a_world(policies=LATER, documents=documents)
    order = world.shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa")
    refuses(world, OperationKind.CAPTURE)
    world.shop.ship(order.id, order.shipments[0].id)
    world.shop.deliver(order.id, order.shipments[0].id)
    back = world.shop.request_return(order.id, reason="too_small").returns[0]
    waiting = world.shop.receive_return(order.id, back.id, warehouse="berlin")

    after = days_pass(world, order)

    assert waiting.refunds[0].state == "granted"
    assert after.refunds[0].state == "refunded"
    assert sum(amounts(documents).values()) == after.due_minor == 0


def test_a_refund_that_failed_is_done_when_less_is_taken_instead() -> None:
    """A gift card paid a part and takes no refund; the new authorization of the rest is lower by it, so nothing is to be given back."""
    documents = MemoryDocuments()
    world = a_world(policies=LATER, documents=documents)
    world.bank.expires_after = timedelta(days=7)
    pay = [tender("gift_1", "0.22", kind="gift_card"), tender("pm_visa")]
    order = world.shop.place(a_cart(("MUG", 1, "12.50")), pay)
    world.shop.hold(order.id, reason="customer_request")
    refuses(world, OperationKind.REFUND, OperationKind.AUTHORIZE)
    world.shop.refund(order.id, "0.01", reason="sorry")
    failed = days_pass(world, order, 9)
    world.bank.say = lambda _: "yes"
    for finding in failed.findings:
        world.shop.attend(order.id, finding)
    world.shop.release_hold(order.id, order.id + "-H1")
    world.shop.ship(order.id, order.shipments[0].id)

    after = days_pass(world, order)

    assert after.paid_minor == after.due_minor == 1249
    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert sum(amounts(documents).values()) == 1249


def test_a_refund_goes_out_whole_while_added_lines_are_not_paid_for_yet() -> None:
    """A parcel is lost while the answer about another line is awaited: all of its value goes back, none is kept for the line to come."""
    world = a_world({"MUG": {"berlin": 1, "madrid": 1}, "TEE": {"madrid": 1}}, policies=LATER)
    order = world.shop.place(a_cart(("MUG", 2, "12.50")), "pm_visa")
    first = world.shop.ship(order.id, order.shipments[0].id).shipments[0]
    world.bank.say = lambda asked: "never" if asked.kind is OperationKind.AUTHORIZE else "yes"
    world.shop.amend(order.id, add=a_cart(("TEE", 1, "0.01")), pay_with="pm_visa")
    lost = Scan(id="lost", status=CarrierStatus.LOST, at=world.clock.now())

    after = world.shop.track(order.id, first.id, [lost])

    assert after.refunds[0].total_minor == after.refunded_minor == 1250


def test_shipping_that_was_given_back_is_not_taken_with_a_parcel() -> None:
    """All shipping goes back with the first unit that is cancelled: a parcel takes what its goods cost, and nothing is given back of that."""
    full = Policies(capture=CaptureMode.PER_SHIPMENT, refund=RefundPolicy(cancellation_shipping=ShippingPolicy.FULL))
    world = a_world({"MUG": {"berlin": 2}, "TEE": {"madrid": 2}}, policies=full)
    order = world.shop.place(a_cart(("MUG", 2, "10.00"), ("TEE", 2, "10.00"), shipping="4.00"), "pm_visa")
    mugs, tees = sorted(order.shipments, key=lambda shipment: shipment.warehouse)
    world.shop.cancel(order.id, {"TEE": 1}, reason="changed_mind")

    first = world.shop.ship(order.id, mugs.id)
    last = world.shop.ship(order.id, tees.id)

    assert (first.captured_minor, first.refunded_minor) == (2000, 0)
    assert (last.captured_minor, last.refunded_minor, last.due_minor) == (3000, 0, 3000)


def test_a_refund_is_done_when_nothing_is_there_to_give_back() -> None:
    """A gift card got back all that it gave, for good will, and the goods wait: what is cancelled then is set off, and taken less of the card."""
    world = a_world({"MUG": {"berlin": 3}}, policies=LATER)
    pay = [tender("gift_1", "4.00", kind="gift_card"), tender("pm_visa")]
    order = world.shop.place(a_cart(("MUG", 3, "4.00")), pay)
    world.shop.refund(order.id, "4.00", reason="sorry")

    waiting = world.shop.cancel(order.id, {"MUG": 1}, reason="changed_mind")
    after = world.shop.ship(order.id, order.shipments[0].id)

    assert [refund.state for refund in waiting.refunds] == ["refunded", "refunded"]
    assert (after.captured_minor, after.refunded_minor, after.due_minor) == (800, 400, 400)


def a_refund_sent_in_part(
    pay: str | list[Tender] = "pm_visa", *, refund: str = "yes", pen: str = "20.00"
) -> tuple[World, Order]:
    """A mug for 100.00 came back while the capture of the tee for 40.00 is in doubt; a pen waits: the bank has no more to give back yet."""
    world = a_world({"MUG": {"berlin": 1}, "TEE": {"madrid": 1}, "PEN": {"berlin": 0}}, policies=LATER)
    cart = evolve(a_cart(), lines=()).add("MUG", 1, "100.00").add("TEE", 1, "40.00")
    order = world.shop.place(cart.add("PEN", 1, pen, backorder=True), pay)
    mug, tee = (next(s.id for s in order.shipments if dict(s.lines).get(line)) for line in (1, 2))
    world.shop.ship(order.id, mug)
    world.shop.deliver(order.id, mug)
    world.bank.say = lambda asked: {OperationKind.CAPTURE: "lost", OperationKind.REFUND: refund}.get(asked.kind, "yes")
    world.bank.silent = True
    world.shop.ship(order.id, tee)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    return world, world.shop.receive_return(order.id, back.id, warehouse="berlin")


def test_the_rest_of_a_refund_goes_out_when_there_is_money_for_it() -> None:
    """What the shop has goes back at once, the rest as soon as the tee is paid for: none is kept for the pen, which is paid when it leaves."""
    world, part = a_refund_sent_in_part()
    world.bank.silent, world.bank.say = False, lambda _: "yes"

    after = days_pass(world, part)

    assert (part.refunding_minor, [refund.state for refund in part.refunds]) == (6000, ["granted"])
    assert (after.refunded_minor, [refund.state for refund in after.refunds]) == (10000, ["refunded"])
    assert (after.due_minor, after.paid_minor) == (6000, 4000)
    assert world.bank.total(OperationKind.REFUND) == 10000


def test_a_refund_sent_in_part_is_done_when_the_rest_is_taken_less_instead() -> None:
    """The tee is never paid for: what was sent is all that can go back, the pen takes what is left of the claim."""
    world, part = a_refund_sent_in_part()
    world.bank.moved.clear()
    world.bank.silent, world.bank.denies = False, "declined"
    refuses(world, OperationKind.CAPTURE)

    after = days_pass(world, part)

    assert [refund.state for refund in after.refunds] == ["refunded"]
    assert (after.due_minor, after.paid_minor, after.refunded_minor) == (6000, 4000, 6000)


def test_a_refund_that_needs_no_money_does_not_wait_for_another() -> None:
    """The mug came back and one of two pens was cancelled while the capture was in doubt; the bank pays nothing back, and the pen needs nothing."""
    world = a_world({"MUG": {"berlin": 1}, "PEN": {"berlin": 0}}, policies=LATER)
    cart = evolve(a_cart(), lines=()).add("MUG", 1, "100.00").add("PEN", 2, "20.00", backorder=True)
    order = world.shop.place(cart, "pm_visa")
    world.bank.silent, world.bank.say = True, lambda asked: "lost" if asked.kind is OperationKind.CAPTURE else "yes"
    mug = order.shipments[0].id
    world.shop.ship(order.id, mug)
    world.shop.deliver(order.id, mug)
    back = world.shop.request_return(order.id, {1: 1}, reason="too_small").returns[0]
    world.shop.receive_return(order.id, back.id, warehouse="berlin")
    world.shop.cancel(order.id, {"PEN": 1}, reason="changed_mind")
    world.bank.silent = False
    refuses(world, OperationKind.REFUND)

    after = days_pass(world, order)

    assert [(refund.total_minor, refund.state) for refund in after.refunds] == [(10000, "failed"), (2000, "refunded")]


def test_the_end_of_a_refund_tells_what_went_back() -> None:
    """60.00 of 100.00 went back, the rest is set off: it is completed, so the customer hears of it, and the amount is what he got."""
    world, part = a_refund_sent_in_part()
    world.bank.moved = {key: move for key, move in world.bank.moved.items() if move.amount_minor != 4000}
    world.bank.silent, world.bank.denies = False, "declined"
    refuses(world, OperationKind.CAPTURE)

    days_pass(world, part)

    ends = [
        e
        for r in world.shop.records(part.id)
        for e in r.events
        if e.type.startswith("refund.") and "total_minor" in e.data
    ]
    assert [(end.type, end.data["total_minor"], end.data["paid_minor"]) for end in ends] == [
        ("refund.completed", 10000, 6000)
    ]


def a_part_refused(pay: list[Tender], pen: str = "20.00") -> tuple[World, Order]:
    """The bank refuses three times what may go back of the refund, while the capture of another card stays in doubt."""
    world, part = a_refund_sent_in_part(pay, refund="no", pen=pen)
    for _ in range(4):
        world.clock.advance(hours=1)
        until_idle(world)
    return world, world.shop.order(part.id)


def test_a_refund_of_which_a_part_was_refused_goes_on() -> None:
    """The part is refused three times and attended to: it is granted again, is not failed any more, and goes out."""
    world, part = a_part_refused([Tender(method="pm_mug", amount_minor=10000), Tender(method="pm_rest")])
    (found,) = [finding for finding in part.findings if finding.startswith("refund_failed")]
    world.bank.say = lambda asked: "never" if asked.kind is OperationKind.REFUND else "yes"

    again = world.shop.attend(part.id, found)
    world.bank.silent, world.bank.say = False, lambda _: "yes"
    after = days_pass(world, again)

    assert (part.refunds[0].state, again.refunds[0].state) == ("failed", "granted")
    assert (after.refunds[0].state, after.refunded_minor, after.findings) == ("refunded", 10000, ())


def test_what_was_refused_of_a_refund_is_nobodys_concern_once_it_is_done() -> None:
    """The next answer sends the part again, nobody attends: when all of it has gone back the finding is off."""
    world, part = a_part_refused([Tender(method="pm_mug", amount_minor=10000), Tender(method="pm_rest")])
    world.bank.silent, world.bank.say = False, lambda _: "yes"

    after = days_pass(world, part)

    assert any(finding.startswith("refund_failed") for finding in part.findings)
    assert (after.refunds[0].state, after.refunded_minor, after.findings) == ("refunded", 10000, ())


def test_a_part_that_was_refunded_after_all_counts() -> None:
    """It was refused, sent again, and the first is done after all: more went back than that refund is, and the next one goes out all the same."""
    tenders = [Tender(method="gift", kind="gift_card", amount_minor=6000), Tender(method="pm_mug", amount_minor=10000)]
    world, part = a_part_refused([*tenders, Tender(method="pm_rest")], pen="60.00")
    first = next(operation.id for _, operation in part.operations() if operation.kind is OperationKind.REFUND)
    world.bank.say = lambda asked: "lost" if asked.kind is OperationKind.CAPTURE else "yes"
    world.shop.attend(part.id, next(finding for finding in part.findings if finding.startswith("refund_failed")))
    until_idle(world)

    world.bank.silent = False
    told_after_all(world, world.shop.order(part.id), first)
    world.bank.silent = True
    world.shop.cancel(part.id, {"PEN": 1}, reason="changed_mind")
    world.bank.silent, world.bank.say = False, lambda _: "yes"
    after = days_pass(world, part)

    assert [refund.state for refund in after.refunds] == ["refunded", "refunded"]
    assert (after.due_minor, after.paid_minor, after.findings) == (4000, 4000, ())
