"""Whatever happens to an order, and whenever the relay comes by, its invoices less its credit memos are what the customer owes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orderkit import CaptureMode, Order, OrderkitError, Policies, Tender
from orderkit.domain.lifecycle import REFUND
from orderkit_memory import MemoryDocuments
from tests.invoices import amounts
from tests.shops import World, a_cart, a_world

ANSWERS = st.sampled_from(["yes", "yes", "yes", "no", "lost", "never"])
UNITS = st.integers(1, 2)
STEPS = st.one_of(
    st.tuples(st.just("says"), ANSWERS),
    st.tuples(st.just("wait"), st.sampled_from([1, 30])),
    st.tuples(st.just("cancel_units"), UNITS),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("add"), st.sampled_from(["pm_visa", "pm_empty"])),
    st.tuples(st.just("add"), st.sampled_from(["pm_visa", "pm_empty"])),
    st.tuples(st.just("ship"), st.none()),
    st.tuples(st.just("send_back"), UNITS),
    st.tuples(st.just("goodwill"), st.sampled_from(["0.01", "5.00"])),
    st.tuples(st.just("lacks"), st.none()),
    st.tuples(st.just("pay"), st.none()),
    st.tuples(st.just("attend"), st.none()),
)


class Life:
    """One order, and what happens to it; `relays` says after which steps the relay comes by."""

    def __init__(self, capture: CaptureMode, relays: Sequence[bool]) -> None:
        self.documents = MemoryDocuments()
        stock = {"MUG": {"berlin": 6, "madrid": 9}, "TEE": {"madrid": 20}}
        self.world: World = a_world(stock, documents=self.documents, policies=Policies(capture=capture))
        self.relays = list(relays)
        self.id = ""

    @property
    def order(self) -> Order:
        return self.world.shop.order(self.id)

    def lived(self, answer: str, steps: Sequence[tuple[str, object]]) -> Order:
        """Live through the steps; then everybody answers, a person looks at what is stuck, and the relay catches up."""
        self.says(answer)
        pay = [Tender(method="gift_1", kind="gift_card", amount_minor=700), Tender(method="pm_visa")]
        self.id = self.world.shop.place(a_cart(("MUG", 3, "12.50"), ("TEE", 1, "19.99"), shipping="4.90"), pay).id
        for n, (what, value) in enumerate(steps):
            try:
                getattr(self, what)(value)
            except OrderkitError as error:
                assert error.code != "internal"
            except StopIteration:  # nothing waits
                pass
            if self.relays[n % len(self.relays)]:
                self.world.shop.sweep(roles=("relay",))
        self.says("yes")
        for _ in range(12):
            for finding in self.order.findings:
                self.world.shop.attend(self.id, finding)
            self.world.clock.advance(hours=2)
            self.world.shop.sweep()
        return self.order

    def says(self, answer: str) -> None:
        """From now on the provider answers otherwise, except for a card that is always refused in the end."""
        bank = self.world.bank
        bank.say = lambda asked: "no" if answer == "yes" and asked.method == "pm_empty" else answer
        bank.silent = answer in ("lost", "never")

    def wait(self, hours: float) -> None:
        self.world.clock.advance(hours=hours)
        self.world.shop.sweep(roles=("sagas", "resolver", "timers"))

    def cancel_units(self, units: int) -> None:
        self.world.shop.cancel(self.id, {self.order.lines[-1].number: units}, reason="changed_mind")

    def cancel(self, _: object) -> None:
        self.world.shop.cancel(self.id, reason="changed_mind")

    def add(self, method: str) -> None:
        pay = [Tender(method="gift_2", kind="gift_card", amount_minor=300), Tender(method=method)]
        self.world.shop.amend(
            self.id, add=a_cart(("TEE", 2, "7.77"), ("MUG", 1, "3.33"), shipping="1.11"), pay_with=pay
        )

    def ship(self, _: object) -> None:
        shipment = next(shipment for shipment in self.order.shipments if shipment.waiting)
        self.world.shop.ship(self.id, shipment.id)
        self.world.shop.deliver(self.id, shipment.id)

    def send_back(self, units: int) -> None:
        asked = self.world.shop.request_return(self.id, {self.order.lines[0].number: units}, reason="too_small")
        self.world.shop.receive_return(self.id, asked.returns[-1].id, warehouse="berlin")

    def goodwill(self, amount: str) -> None:
        self.world.shop.refund(self.id, amount, reason="sorry")

    def lacks(self, _: object) -> None:
        shipment = next(shipment for shipment in self.order.shipments if shipment.waiting)
        self.world.shop.refuse(self.id, shipment.id, reason="shelf_empty", missing={shipment.lines[0][0]: 1})

    def pay(self, _: object) -> None:
        self.world.shop.pay(self.id, "pm_other")

    def attend(self, _: object) -> None:
        for finding in self.order.findings:
            self.world.shop.attend(self.id, finding)


@given(
    capture=st.sampled_from(list(CaptureMode)),
    answer=ANSWERS,
    steps=st.lists(STEPS, min_size=1, max_size=8),
    relays=st.lists(st.booleans(), min_size=1, max_size=8),
)
@settings(deadline=None)
def test_invoices_less_memos_are_what_is_due(
    capture: CaptureMode, answer: str, steps: list[tuple[str, object]], relays: list[bool]
) -> None:
    """And they are the same documents as if the relay had come by once, when everything was over."""
    life, late = Life(capture, relays), Life(capture, [False])
    order = life.lived(answer, steps)
    late.lived(answer, steps)
    papers = amounts(life.documents)

    assert papers == amounts(late.documents)
    confirmed = any(e.type == "order.confirmed" for record in life.world.shop.records(order.id) for e in record.events)
    if not confirmed:
        assert papers == {}
    elif order.sagas or not all(REFUND.states[refund.state].done for refund in order.refunds):
        event("something is under way for good")
    else:
        assert sum(papers.values()) == order.due_minor
