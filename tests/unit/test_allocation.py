"""The planner on small stories: where things leave from, what waits, what is refused, and what it says about it."""

from __future__ import annotations

from typing import Any

import pytest

from orderkit.domain.allocation import (
    Demand,
    Destination,
    Plan,
    PlannedParcel,
    Rejected,
    Rules,
    Shortage,
    Supply,
    Warehouse,
    compare,
    plan,
    what_if,
)
from orderkit.domain.allocation_rules import FARTHEST_KM, distance_km
from orderkit.errors import InvalidInput

NEW_YORK, LOS_ANGELES, CHICAGO = (40.71, -74.01), (34.05, -118.24), (41.88, -87.63)
NYC, LAX = Warehouse("WH-NYC", position=NEW_YORK), Warehouse("WH-LAX", position=LOS_ANGELES)
BROOKLYN = Destination(country="US", position=(40.65, -73.95))
BER, MAD, PAR = Warehouse("BER"), Warehouse("MAD"), Warehouse("PAR")
CANCEL, WAIT = Rules(partial="cancel"), Rules(partial="backorder")


def wants(*items: tuple[str, int], **more: Any) -> list[Demand]:
    """Lines 1, 2, … of these SKUs and quantities."""
    return [Demand(line=line, sku=sku, quantity=quantity, **more) for line, (sku, quantity) in enumerate(items, 1)]


def stock(**places: dict[str, int]) -> Supply:
    """Supply written by warehouse."""
    return Supply({(sku, name): units for name, held in places.items() for sku, units in held.items()})


def parcels(found: Plan) -> dict[str, dict[int, int]]:
    """The parcels as {warehouse: {line: units}}."""
    return {parcel.warehouse: dict(parcel.lines) for parcel in found.parcels}


@pytest.fixture
def coast_to_coast() -> Plan:
    """The example of the requirements: A only in New York, B only in Los Angeles, C in both."""
    supply = Supply({("A", "WH-NYC"): 5, ("B", "WH-LAX"): 5, ("C", "WH-LAX"): 5, ("C", "WH-NYC"): 5})
    return plan(wants(("A", 1), ("B", 1), ("C", 1)), supply, [LAX, NYC], Rules(), BROOKLYN)


class TestChoosing:
    def test_what_two_warehouses_hold_leaves_from_the_nearer_of_the_two_needed(self, coast_to_coast: Plan) -> None:
        """A and C leave from New York, B from Los Angeles."""
        assert coast_to_coast.parcels == (PlannedParcel("WH-NYC", ((1, 1), (3, 1))), PlannedParcel("WH-LAX", ((2, 1),)))
        assert coast_to_coast.complete
        assert coast_to_coast.exact

    def test_one_parcel_beats_two_nearer_ones(self) -> None:
        """Los Angeles alone holds both; fewer parcels come before distance."""
        supply = Supply({("A", "WH-NYC"): 1, ("A", "WH-LAX"): 1, ("B", "WH-LAX"): 1})
        assert parcels(plan(wants(("A", 1), ("B", 1)), supply, [NYC, LAX], Rules(), BROOKLYN)) == {
            "WH-LAX": {1: 1, 2: 1}
        }

    def test_nearer_comes_before_fewer_when_the_rules_say_so(self) -> None:
        """The objective is the shop's."""
        supply = Supply({("A", "WH-NYC"): 1, ("A", "WH-LAX"): 1, ("B", "WH-LAX"): 1})
        rules = Rules(objective=("backordered", "distance", "parcels"))
        found = plan(wants(("A", 1), ("B", 1)), supply, [NYC, LAX], rules, BROOKLYN)
        assert parcels(found) == {"WH-NYC": {1: 1}, "WH-LAX": {2: 1}}

    def test_the_true_minimum_is_found_where_coverage_misleads(self) -> None:
        """PAR covers most lines, yet BER and MAD together cover all."""
        supply = stock(PAR={"A": 1, "B": 1, "C": 1, "D": 1}, BER={"A": 1, "B": 1, "E": 1}, MAD={"C": 1, "D": 1, "F": 1})
        found = plan(wants(*((sku, 1) for sku in "ABCDEF")), supply, [PAR, BER, MAD], Rules())
        assert parcels(found) == {"BER": {1: 1, 2: 1, 5: 1}, "MAD": {3: 1, 4: 1, 6: 1}}

    def test_lines_of_one_sku_are_summed_before_any_check(self) -> None:
        """Three and three of five is short by one, not twice enough."""
        found = plan(wants(("MUG", 3), ("MUG", 3)), stock(BER={"MUG": 5}), [BER], Rules())
        assert found.short == (Shortage(2, "MUG", 3, 2),)

    def test_a_line_is_put_together_from_several_warehouses(self) -> None:
        """Nobody holds seven; three warehouses together do."""
        supply = stock(BER={"MUG": 3}, MAD={"MUG": 2}, PAR={"MUG": 2})
        assert parcels(plan(wants(("MUG", 7)), supply, [BER, MAD, PAR], Rules())) == {
            "BER": {1: 3},
            "MAD": {1: 2},
            "PAR": {1: 2},
        }

    @pytest.mark.parametrize(
        ("rules", "splittable"), [(Rules(line_split=False, partial="cancel"), True), (CANCEL, False)]
    )
    def test_an_undivided_line_leaves_from_one_warehouse(self, rules: Rules, *, splittable: bool) -> None:
        """The one that holds most of it; the rest is short."""
        supply = stock(BER={"MUG": 3}, MAD={"MUG": 4})
        found = plan(wants(("MUG", 6), splittable=splittable), supply, [BER, MAD], rules)
        assert (parcels(found), found.short) == ({"MAD": {1: 4}}, (Shortage(1, "MUG", 6, 4),))

    def test_capacity_is_shared_by_all_lines(self) -> None:
        """Berlin can take on two of four units, Madrid has the rest."""
        small = Warehouse("BER", capacity_units=2)
        supply = stock(BER={"MUG": 2, "TEE": 2}, MAD={"TEE": 2})
        assert parcels(plan(wants(("MUG", 2), ("TEE", 2)), supply, [small, MAD], Rules())) == {
            "BER": {1: 2},
            "MAD": {2: 2},
        }

    def test_units_that_may_not_wait_are_served_first(self) -> None:
        """Of two units the line without backorder gets two, although it stands second."""
        demands = [Demand(line=1, sku="MUG", quantity=2, backorder=True), Demand(line=2, sku="MUG", quantity=2)]
        found = plan(demands, stock(BER={"MUG": 2}), [BER], Rules())
        assert (parcels(found), found.backordered, found.short) == ({"BER": {2: 2}}, ((1, 2),), ())

    def test_a_pinned_parcel_is_joined_although_another_is_nearer(self) -> None:
        """A parcel that leaves Los Angeles anyway costs no second one."""
        supply = Supply({("C", "WH-NYC"): 1, ("C", "WH-LAX"): 1})
        pinned = [PlannedParcel("WH-LAX", ((2, 1),))]
        found = plan(wants(("C", 1)), supply, [NYC, LAX], Rules(), BROOKLYN, pinned)
        assert parcels(found) == {"WH-LAX": {1: 1}}
        assert found.explain()[0] == "C at WH-LAX: joins the parcel that leaves there anyway"

    def test_an_undivided_line_stays_with_its_pinned_part(self) -> None:
        """A part of it leaves Madrid, so the rest does not leave Berlin."""
        pinned = [PlannedParcel("MAD", ((1, 1),))]
        found = plan(
            wants(("MUG", 2), splittable=False),
            stock(BER={"MUG": 2}, MAD={"MUG": 1}),
            [BER, MAD],
            CANCEL,
            pinned=pinned,
        )
        assert (parcels(found), found.short) == ({"MAD": {1: 1}}, (Shortage(1, "MUG", 2, 1),))

    def test_nothing_asked_is_a_complete_plan(self) -> None:
        """No demand, no parcel."""
        assert plan([], stock(), [BER], Rules()) == Plan()

    def test_a_spent_budget_gives_a_good_plan_that_does_not_claim_to_be_best(self) -> None:
        """With no work allowed the greedy plan is complete, and says so much and no more."""
        supply = stock(BER={"A": 1, "B": 1}, MAD={"B": 1, "C": 1}, PAR={"C": 1, "A": 1})
        found = plan(wants(("A", 1), ("B", 1), ("C", 1)), supply, [BER, MAD, PAR], Rules(node_budget=0))
        assert (len(found.parcels), found.complete, found.exact) == (2, True, False)

    def test_twelve_undivided_lines_in_six_places_are_planned_within_the_budget(self) -> None:
        """Six to the twelfth ways are not tried; largest first is good enough and is not called exact."""
        places = [Warehouse(f"W{n}") for n in range(6)]
        supply = Supply({("MUG", place.id): 7 for place in places})
        found = plan(wants(*(("MUG", 2 + n % 3) for n in range(12)), splittable=False), supply, places, CANCEL)
        sent = [sum(n for _, n in parcel.lines) for parcel in found.parcels]
        assert not found.exact
        assert max(sent) <= 7
        assert sum(sent) >= 33

    def test_a_large_crowd_is_planned_within_the_budget(self) -> None:
        """Eighty lines and narrow capacities: everything fits, and no site is asked for more than it takes."""
        places = [Warehouse(f"W{n}", capacity_units=60) for n in range(4)]
        demands = wants(*((f"S{n}", 3) for n in range(80)))
        supply = Supply({(d.sku, p.id): 1 + (d.line + n) % 3 for d in demands for n, p in enumerate(places)})
        found = plan(demands, supply, places, Rules(partial="cancel", node_budget=60))
        assert all(sum(n for _, n in parcel.lines) <= 60 for parcel in found.parcels)
        assert not found.exact

    def test_of_fifty_warehouses_the_best_that_hold_the_same_are_taken(self) -> None:
        """Half hold three lines, half the others; a cheaper parcel comes before a better priority."""
        places = [Warehouse(f"W{n:02}", n % 5, cost_minor=0 if n % 5 else 300) for n in range(50)]
        units = {(sku, place.id): 1 for n, place in enumerate(places) for sku in ("ABC" if n % 2 else "DEF")}
        found = plan(wants(*((sku, 1) for sku in "ABCDEF")), Supply(units), places, Rules())
        assert parcels(found) == {"W01": {1: 1, 2: 1, 3: 1}, "W06": {4: 1, 5: 1, 6: 1}}

    def test_two_lines_of_one_sku_share_two_shelves(self) -> None:
        """The first is served first, so that only one of them is divided."""
        found = plan(wants(("MUG", 3), ("MUG", 3)), stock(BER={"MUG": 4}, MAD={"MUG": 2}), [BER, MAD], Rules())
        assert parcels(found) == {"BER": {1: 3, 2: 1}, "MAD": {2: 2}}

    def test_an_undivided_line_goes_where_it_is_whole(self) -> None:
        """Paris has one of three; Berlin and Madrid have all, and the tee is in Oslo or Rome."""
        supply = stock(BER={"MUG": 3}, MAD={"MUG": 3}, PAR={"MUG": 1}, OSL={"TEE": 1}, ROM={"TEE": 1})
        places = [PAR, MAD, BER, Warehouse("ROM"), Warehouse("OSL")]
        found = plan(wants(("MUG", 3), ("TEE", 1), splittable=False), supply, places, Rules())
        assert (parcels(found), found.exact) == ({"BER": {1: 3}, "OSL": {2: 1}}, True)

    def test_too_many_sets_are_not_all_tried(self) -> None:
        """When cost comes first every set counts; past the budget the cheaper of what was seen is taken, without a claim."""
        places = [Warehouse(f"W{n}", cost_minor=9 - n) for n in range(6)]
        supply = Supply({(sku, place.id): 1 for sku in "AB" for place in places})
        rules = Rules(objective=("backordered", "cost"), node_budget=3)
        found = plan(wants(("A", 1), ("B", 1)), supply, places, rules)
        assert (parcels(found), found.exact) == ({"W5": {1: 1, 2: 1}}, False)


class TestRules:
    @pytest.mark.parametrize(
        ("place", "why"),
        [
            (Warehouse("BER", open=False), "BER left out: is closed"),
            (Warehouse("BER", capacity_units=0), "BER left out: can take on nothing more"),
            (Warehouse("BER", ships_to=frozenset({"SE"})), "BER left out: does not ship to US"),
            (Warehouse("BER", position=(52.5, 13.4)), "BER left out: is 6,387 km away, the limit is 2,000 km"),
            (Warehouse("BER"), "BER left out: is at an unknown distance, the limit is 2,000 km"),
            (Warehouse("BER", position=CHICAGO, seller="bob"), "BER not for MUG: belongs to bob, not to ada"),
            (
                Warehouse("BER", position=CHICAGO, refuses_tags=frozenset({"hazmat"})),
                "BER not for MUG: does not take hazmat",
            ),
        ],
    )
    def test_a_hard_rule_leaves_a_warehouse_out_and_says_so(self, place: Warehouse, why: str) -> None:
        """Nothing leaves there, whatever it holds."""
        demands = wants(("MUG", 1), seller="ada", tags=frozenset({"hazmat"}))
        found = plan(demands, stock(BER={"MUG": 9}), [place, PAR], Rules(max_distance_km=2000), BROOKLYN)
        assert (found.parcels, found.short) == ((), (Shortage(1, "MUG", 1, 0),))
        assert found.explain() == ("MUG: 1 asked for, 0 to be had", why)

    def test_a_rule_for_one_line_leaves_the_others_alone(self) -> None:
        """Berlin sends the mug, not the paint."""
        demands = [*wants(("MUG", 1)), Demand(line=2, sku="PAINT", quantity=1, tags=frozenset({"hazmat"}))]
        supply = stock(BER={"MUG": 1, "PAINT": 1}, MAD={"PAINT": 1})
        found = plan(demands, supply, [Warehouse("BER", refuses_tags=frozenset({"hazmat"})), MAD], Rules())
        assert parcels(found) == {"BER": {1: 1}, "MAD": {2: 1}}
        assert found.rejected == (Rejected(("BER",), "tags", "does not take hazmat", ("PAINT",)),)

    def test_a_seller_s_line_leaves_from_its_seller_or_from_nobody_s(self) -> None:
        """Lines of one SKU by two sellers do not share their shelves."""
        ada, bob = Warehouse("ADA", seller="ada"), Warehouse("BOB", seller="bob")
        demands = [
            Demand(line=1, sku="MUG", quantity=2, seller="ada"),
            Demand(line=2, sku="MUG", quantity=2, seller="bob"),
        ]
        found = plan(demands, stock(ADA={"MUG": 3}, BOB={"MUG": 1}, PAR={"MUG": 1}), [ada, bob, PAR], Rules())
        assert parcels(found) == {"ADA": {1: 2}, "BOB": {2: 1}, "PAR": {2: 1}}

    def test_a_shortage_refuses_the_whole_plan(self) -> None:
        """By the usual rules nothing is sent, and what was short is named."""
        found = plan(wants(("MUG", 1), ("TEE", 2)), stock(BER={"MUG": 1, "TEE": 1}), [BER], Rules())
        assert (found.parcels, found.short, found.complete) == ((), (Shortage(2, "TEE", 2, 1),), False)

    def test_a_shortage_is_cancelled_or_waits_when_the_rules_say_so(self) -> None:
        """The rest leaves."""
        asked, supply = wants(("MUG", 1), ("TEE", 2)), stock(BER={"MUG": 1, "TEE": 1})
        cancelled, waiting = plan(asked, supply, [BER], CANCEL), plan(asked, supply, [BER], WAIT)
        assert (parcels(cancelled), cancelled.short) == ({"BER": {1: 1, 2: 1}}, (Shortage(2, "TEE", 2, 1),))
        assert (parcels(waiting), waiting.backordered) == ({"BER": {1: 1, 2: 1}}, ((2, 1),))

    def test_ship_complete_waits_as_a_whole(self) -> None:
        """Nothing leaves before everything can."""
        found = plan(
            wants(("MUG", 1), ("TEE", 2)),
            stock(BER={"MUG": 1, "TEE": 1}),
            [BER],
            Rules(ship_complete=True, partial="backorder"),
        )
        assert (found.parcels, found.backordered) == ((), ((1, 1), (2, 2)))

    def test_ship_complete_is_cancelled_as_a_whole(self) -> None:
        """What may not wait and cannot leave takes the rest with it."""
        found = plan(
            wants(("MUG", 1), ("TEE", 2)),
            stock(BER={"MUG": 1, "TEE": 1}),
            [BER],
            Rules(ship_complete=True, partial="cancel"),
        )
        assert (found.parcels, found.short) == ((), (Shortage(1, "MUG", 1, 0), Shortage(2, "TEE", 2, 0)))

    def test_a_limit_of_parcels_sends_the_most_that_fits(self) -> None:
        """Of three single shelves two are used, the ones that give most."""
        supply = stock(BER={"A": 1}, MAD={"B": 2}, PAR={"C": 3})
        found = plan(
            wants(("A", 1), ("B", 2), ("C", 3)), supply, [BER, MAD, PAR], Rules(max_parcels=2, partial="cancel")
        )
        assert parcels(found) == {"MAD": {2: 2}, "PAR": {3: 3}}
        assert "BER left out: the rules allow 2 parcels" in found.explain()

    def test_a_pinned_parcel_counts_against_the_limit(self) -> None:
        """One parcel is allowed and is on its way: only its warehouse may add to it."""
        supply = stock(BER={"A": 1}, MAD={"B": 2})
        rules, pinned = Rules(max_parcels=1, partial="cancel"), [PlannedParcel("BER", ())]
        found = plan(wants(("A", 1), ("B", 2)), supply, [BER, MAD], rules, pinned=pinned)
        assert (parcels(found), found.short) == ({"BER": {1: 1}}, (Shortage(2, "B", 2, 0),))

    def test_safety_stock_is_never_planned(self) -> None:
        """Of three with two in reserve, one can be had; a shelf below zero has none."""
        supply = Supply({("MUG", "BER"): 3, ("MUG", "MAD"): -4, ("TEE", "BER"): 1}, safety=2)
        assert [supply.available("MUG", name) for name in ("BER", "MAD", "PAR")] == [1, 0, 0]
        assert parcels(plan(wants(("MUG", 2)), supply, [BER, MAD], CANCEL)) == {"BER": {1: 1}}

    @pytest.mark.parametrize(
        ("better", "worse", "why"),
        [
            (Warehouse("Z", lead_days=1, cost_minor=900), Warehouse("A", lead_days=3), "soonest (1 d against 3 d)"),
            (
                Warehouse("Z", cost_minor=200),
                Warehouse("A", cost_minor=1500, position=NEW_YORK),
                "cheapest (200 against 1,500)",
            ),
            (
                Warehouse("Z", 5, position=NEW_YORK),
                Warehouse("A", position=LOS_ANGELES),
                "nearest (8 km against 3,941 km)",
            ),
            (Warehouse("Z", 0), Warehouse("A", 1), "preferred (0 against 1)"),
            (Warehouse("A"), Warehouse("Z"), "first by name"),
        ],
    )
    def test_between_equals_the_next_key_decides_and_says_so(
        self, better: Warehouse, worse: Warehouse, why: str
    ) -> None:
        """Late, cost, distance, priority, name; in that order."""
        supply = Supply({("MUG", "A"): 1, ("MUG", "Z"): 1})
        found = plan(wants(("MUG", 1)), supply, [worse, better], Rules(), BROOKLYN)
        assert parcels(found) == {better.id: {1: 1}}
        assert found.explain()[0] == f"MUG at {better.id}: {why}"
        assert [left.warehouses for left in found.rejected] == [(worse.id,)]


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
