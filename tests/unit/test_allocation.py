"""The planner on small stories: where things leave from, what waits, what is refused."""

from __future__ import annotations

import pytest

from orderkit.domain.allocation import Demand, Plan, PlannedParcel, Rejected, Rules, Shortage, Supply, Warehouse, plan
from tests.unit.allocations import (
    BER,
    BROOKLYN,
    CANCEL,
    CHICAGO,
    LAX,
    LOS_ANGELES,
    MAD,
    NEW_YORK,
    NYC,
    PAR,
    WAIT,
    coast_to_coast_plan,
    parcels,
    stock,
    wants,
)


@pytest.fixture
def coast_to_coast() -> Plan:
    """The example of the requirements."""
    return coast_to_coast_plan()


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
