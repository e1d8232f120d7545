"""What the planner says about its plans: the reasons, what was rejected, and what another shelf would change."""

from __future__ import annotations

from typing import Any

import pytest

from orderkit.domain.allocation import (
    Demand,
    Destination,
    Plan,
    PlannedParcel,
    Rules,
    Supply,
    Warehouse,
    compare,
    plan,
    what_if,
)
from orderkit.domain.allocation_rules import FARTHEST_KM, distance_km
from orderkit.errors import InvalidInput
from tests.unit.allocations import BER, MAD, NYC, PAR, WAIT, coast_to_coast_plan, parcels, stock, wants


@pytest.fixture
def coast_to_coast() -> Plan:
    """The example of the requirements."""
    return coast_to_coast_plan()


class TestExplaining:
    def test_a_plan_says_why(self, coast_to_coast: Plan) -> None:
        """Only there, or nearer than the other warehouse that is used."""
        assert coast_to_coast.explain() == (
            "A only at WH-NYC",
            "C at WH-NYC: nearest (8 km against 3,941 km)",
            "B only at WH-LAX",
        )

    def test_what_is_split_waits_or_is_not_needed_has_its_reason(self) -> None:
        """A split line, a line in the fewest parcels, one that waits, and a warehouse that the plan does without."""
        supply = stock(BER={"MUG": 2, "TEE": 1}, MAD={"MUG": 1, "CAP": 1}, PAR={"CAP": 1})
        found = plan(wants(("MUG", 3), ("CAP", 1), ("TEE", 2)), supply, [BER, MAD, PAR], WAIT)
        assert found.explain() == (
            "MUG at BER: 2 of 3",
            "TEE only at BER",
            "MUG at MAD: 1 of 3",
            "CAP at MAD: in the fewest parcels",
            "TEE: 1 of 2 wait for stock",
        )

    def test_a_warehouse_that_is_not_needed_is_named(self) -> None:
        """One parcel or two do without it."""
        one = plan(wants(("A", 1), ("B", 1)), stock(BER={"A": 1, "B": 1}, MAD={"A": 1}), [BER, MAD], Rules())
        two = plan(wants(("A", 1), ("B", 1)), stock(BER={"A": 1}, MAD={"B": 1}, PAR={"B": 1}), [BER, MAD, PAR], Rules())
        assert one.explain() == (
            "A at BER: all in one parcel",
            "B only at BER",
            "MAD left out: one parcel does without it",
        )
        assert two.explain()[-1] == "PAR left out: 2 parcels do without it"

    def test_a_full_warehouse_says_what_it_had_no_room_for(self) -> None:
        """Berlin is better by name, but takes on two units only, so the tee leaves Madrid."""
        places = [Warehouse("BER", capacity_units=2), MAD]
        found = plan(wants(("MUG", 2), ("TEE", 2)), stock(BER={"MUG": 2, "TEE": 2}, MAD={"TEE": 2}), places, Rules())
        assert found.explain() == (
            "MUG only at BER",
            "TEE at MAD: as all fits best so",
            "BER not for TEE: has room for 2 units",
        )

    def test_a_full_warehouse_that_held_no_more_says_nothing(self) -> None:
        """Its room was just enough."""
        found = plan(wants(("MUG", 2)), stock(BER={"MUG": 2}), [Warehouse("BER", capacity_units=2)], Rules())
        assert found.explain() == ("MUG only at BER",)

    def test_a_larger_warehouse_that_ranks_better_may_be_left_out(self) -> None:
        """A pinned parcel is joined; the better warehouse could have sent everything, and is simply not needed."""
        found = plan(
            wants(("MUG", 1)),
            stock(BER={"MUG": 1}, MAD={"MUG": 1}),
            [BER, MAD],
            Rules(),
            pinned=[PlannedParcel("MAD", ())],
        )
        assert found.explain()[-1] == "BER left out: one parcel does without it"

    def test_a_plan_made_by_hand_knows_no_reasons(self) -> None:
        """It has no question to look at, and cannot be asked again."""
        by_hand = Plan(parcels=(PlannedParcel("BER", ((1, 1),)),))
        assert (by_hand.explain(), by_hand.question) == ((), None)
        with pytest.raises(InvalidInput, match="does not know"):
            what_if(by_hand)


class TestWhatIf:
    def test_other_stock_gives_another_plan_and_a_difference(self, coast_to_coast: Plan) -> None:
        """With B in New York one parcel is enough."""
        after = what_if(coast_to_coast, stock={("B", "WH-NYC"): 3})
        assert parcels(after) == {"WH-NYC": {1: 1, 2: 1, 3: 1}}
        assert compare(coast_to_coast, after) == ("1 parcel instead of 2", "B: 1 from WH-NYC instead of 1 from WH-LAX")

    def test_a_closed_warehouse_and_other_rules_change_the_plan(self, coast_to_coast: Plan) -> None:
        """Without Los Angeles, B waits when the rules let it."""
        after = what_if(coast_to_coast, closed=["WH-LAX"], rules=WAIT)
        assert compare(after, coast_to_coast) == ("2 parcels instead of 1", "B: 1 from WH-LAX instead of 1 waiting")

    def test_other_warehouses_change_the_plan(self, coast_to_coast: Plan) -> None:
        """With New York alone, B is short and the plan is refused; by hand-made plans lines go by their numbers."""
        after = what_if(coast_to_coast, warehouses=[NYC])
        assert compare(coast_to_coast, after)[1:] == (
            "A: nothing instead of 1 from WH-NYC",
            "B: 1 short instead of 1 from WH-LAX",
            "C: nothing instead of 1 from WH-NYC",
        )
        assert (
            compare(Plan(), Plan(parcels=(PlannedParcel("BER", ((7, 2),)),)))[1]
            == "line 7: 2 from BER instead of nothing"
        )


class TestValues:
    @pytest.mark.parametrize(
        ("make", "field"),
        [
            (lambda: Demand(line=1, sku="MUG", quantity=0), "quantity"),
            (lambda: Demand(line=1, sku="MUG", quantity=True), "quantity"),
            (lambda: Warehouse(""), "warehouse.id"),
            (lambda: Warehouse("BER", lead_days=-1), "warehouse.lead_days"),
            (lambda: Warehouse("BER", cost_minor=-1), "warehouse.cost_minor"),
            (lambda: Warehouse("BER", capacity_units=-1), "warehouse.capacity_units"),
            (lambda: Warehouse("BER", position=(91.0, 0.0)), "warehouse.position"),
            (lambda: Destination(position=(0.0, 181.0)), "destination.position"),
            (lambda: Supply({}, safety=-1), "supply.safety"),
            (lambda: Rules(max_parcels=0), "rules.max_parcels"),
            (lambda: Rules(max_distance_km=-1), "rules.max_distance_km"),
            (lambda: Rules(node_budget=-1), "rules.node_budget"),
            (lambda: Rules(partial="hope"), "rules.partial"),
            (lambda: Rules(objective=("parcels", "backordered")), "rules.objective"),
            (lambda: Rules(objective=("backordered", "beauty")), "rules.objective"),
            (lambda: Rules(objective=("backordered", "cost", "cost")), "rules.objective"),
            (lambda: plan([*wants(("A", 1)), *wants(("B", 1))], stock(), [BER], Rules()), "line"),
            (lambda: plan(wants(("A", 1)), stock(), [BER, MAD, BER], Rules()), "warehouses"),
            (
                lambda: plan(wants(("A", 1)), stock(BER={"A": 1}), [Warehouse("BER", ships_to=frozenset())], Rules()),
                "destination.country",
            ),
            (
                lambda: plan(wants(("A", 1)), stock(BER={"A": 1}), [BER], Rules(max_distance_km=9)),
                "destination.position",
            ),
        ],
    )
    def test_what_cannot_be_right_is_refused_by_name(self, make: Any, field: str) -> None:
        """The error names the field."""
        with pytest.raises(InvalidInput) as caught:
            make()
        assert caught.value.field == field

    def test_distances_are_along_the_great_circle(self) -> None:
        """Half way round is 20,015 km; an unknown start is farther than that, an unknown end no distance."""
        pole, opposite = Destination(position=(90.0, 0.0)).vector, Destination(position=(-90.0, 0.0)).vector
        found = [distance_km(pole, pole), distance_km(pole, opposite), distance_km(None, pole), distance_km(pole, None)]
        assert found == [0, FARTHEST_KM - 1, FARTHEST_KM, 0]
