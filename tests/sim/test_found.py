"""What the simulator found in the library, each as a small story: it failed before it was mended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from orderkit.domain.order import Order
from orderkit.domain.payment import CaptureMode
from orderkit.domain.quantities import Bucket
from orderkit.testing.sim import Fault, FaultKind, Place, Scenario, Scene, Script, Until, Wait, run
from orderkit.testing.sim.bank import ABANDONED, GOOD
from tests.sim.played import played


def test_the_rest_of_a_partly_captured_authorization_is_renewed() -> None:
    """One unit ships and is captured; the rest of the authorization runs out before the other's stock comes; it is asked for again."""

    def customer(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", {"MUG": 2}, GOOD, backorder=True)
        yield from scene.ships(order.id)
        yield Until(lambda: not scene.order(order.id).line(1)[Bucket.BACKORDERED], 4 * 3_600)
        yield from scene.ships(order.id)

    def people(scene: Scene) -> Iterable[tuple[float, Script]]:
        return [(0.0, customer(scene)), (10.0, scene.restocks("MUG", "berlin", 3, "delivery-1"))]

    world, _ = played(
        Scenario(
            name="renewed",
            about="An authorization runs out between two shipments.",
            people=people,
            shelves={"MUG": {"berlin": 1}},
            capture=CaptureMode.PER_SHIPMENT,
            authorization=timedelta(minutes=20),
        )
    )
    (account,) = world.bank.accounts.values()
    (order,) = world.witness.latest.values()

    assert world.witness.violations == []
    assert order.lines[0][Bucket.BACKORDERED] == order.lines[0].open == 0
    assert order.findings == ()
    assert account.captured == order.total_minor == 2_500


def test_units_that_wait_are_looked_for_whatever_else_happens() -> None:
    """An order that changes every few minutes still has its waiting units looked for after an hour."""

    def customer(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", {"MUG": 2}, GOOD, backorder=True)
        for n in range(30):
            yield from scene.moves_house(order.id, f"c-{n}")
            yield Wait(300)

    def people(scene: Scene) -> Iterable[tuple[float, Script]]:
        return [(0.0, customer(scene)), (60.0, scene.restocks("MUG", "berlin", 3, "delivery-1"))]

    world, _ = played(Scenario(name="busy", about="Much goes on.", people=people, shelves={"MUG": {"berlin": 1}}))
    (order,) = world.witness.latest.values()

    assert world.witness.violations == []
    assert order.lines[0].quantities() == {"reserved": 2}


def test_nothing_of_an_amendment_leaves_before_it_is_paid() -> None:
    """A line is added, and its payment is in doubt; the warehouse ships what is paid; the doubt ends in a no, and the added line is dropped."""

    def customer(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", {"MUG": 1})
        yield from scene.adds(order.id, "c-more", {"HAT": 1}, ABANDONED)
        yield from scene.ships(order.id)

    world, _ = played(
        Scenario(name="unpaid", about="An amendment is never paid.", people=lambda scene: [(0.0, customer(scene))])
    )
    (order,) = world.witness.latest.values()

    assert world.witness.violations == []
    assert [line.quantities() for line in order.lines] == [{"shipped": 1}, {"cancelled": 1}]
    assert order.due_minor == order.paid_minor == 1_250


def test_a_parcel_whose_address_changed_is_another_parcel() -> None:
    """The carrier's answer is lost, the customer moves, and the warehouse tries again: the parcel goes to the new street."""

    def customer(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", {"MUG": 1})
        yield from scene.ships(order.id)

    def moves(scene: Scene) -> Script:
        yield Until(lambda: scene.world.couriers.parcels, 600)
        order = scene.order_of("c")
        assert order is not None
        yield from scene.moves_house(order.id, "Newstreet")

    scenario = Scenario(
        name="moved",
        about="The customer moves while a parcel is booked.",
        people=lambda scene: [(0.0, customer(scene)), (0.0, moves(scene))],
    )
    booked = next(Place(*place) for place in run(scenario, traced=True).places if place[1] == "BookParcel")
    world, _ = played(scenario, Fault(booked, FaultKind.LOST))
    (order,) = world.witness.latest.values()
    sent = [
        p for p in world.couriers.parcels.values() if p.booked.tracking_number == order.shipments[0].tracking_number
    ]

    assert world.witness.violations == []
    assert [parcel.asked.address.street for parcel in sent] == ["Newstreet 7"]


def test_a_parcel_is_not_sent_to_where_the_customer_no_longer_lives() -> None:
    """The customer moves between the carrier's answer and the dispatch: the parcel is booked again, to the new street."""

    def customer(scene: Scene) -> Script:
        order: Order = yield from scene.places("c", {"MUG": 1})
        yield from scene.ships(order.id)

    def moves(scene: Scene) -> Script:
        yield Until(lambda: scene.world.couriers.parcels, 600)
        order = scene.order_of("c")
        assert order is not None
        yield from scene.moves_house(order.id, "Newstreet")

    scenario = Scenario(
        name="moving",
        about="The customer moves while the parcel's label is printed.",
        people=lambda scene: [(0.0, customer(scene)), (0.0, moves(scene))],
    )
    booked = next(Place(*place) for place in run(scenario, traced=True).places if place[1] == "BookParcel")
    world, _ = played(scenario, Fault(booked, FaultKind.DELAYED, 20_000_000))
    (order,) = world.witness.latest.values()
    sent = [
        p for p in world.couriers.parcels.values() if p.booked.tracking_number == order.shipments[0].tracking_number
    ]

    assert world.witness.violations == []
    assert order.facts.ship_to.street == "Newstreet 7"
    assert [parcel.asked.address for parcel in sent] == [order.facts.ship_to]
