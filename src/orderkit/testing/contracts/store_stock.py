"""The contract of stock: what is promised is always on the shelf, whoever asks, and every receipt counts once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orderkit.domain.events import Event, StockMove, decided
from orderkit.domain.stock import RECEIPT_MAX, StockReceipt
from orderkit.errors import InvalidInput, KeyReused
from orderkit.ports.store import Committed, OutOfStock, PutStock, ReadStock, ReadSupply, StockLevel, Store
from orderkit.testing.contracts.store_case import StoreCase, answer, shelved, shelves, stored
from orderkit.testing.samples import NOON, a_commit, called_off, dispatched, goods, next_commit, paid


def a_put(name: str, quantity: int, *, sku: str = "MUG", warehouse: str = "berlin") -> PutStock:
    """Return a receipt of goods, or a count that takes some off."""
    return goods(name, sku, warehouse, quantity)


def a_delivery(name: str, units: Mapping[str, int], *, reason: str = "received") -> PutStock:
    """Return receipts that belong together: mugs, by warehouse."""
    return PutStock(tuple(StockReceipt(f"{name}/{place}", "MUG", place, n, reason, NOON) for place, n in units.items()))


class StockCases(StoreCase):
    """0 ≤ reserved ≤ on hand, for every SKU at every warehouse, after every call."""

    def test_a_promise_above_the_shelf_is_refused(self, store: Store) -> None:
        """Two of three mugs are promised: two more are too many, one is not."""
        shelved(store, {("MUG", "berlin"): 3})
        stored(store, a_commit("order-1", {"MUG": 2}))

        assert answer(store, a_commit("order-2", {"MUG": 2})) == OutOfStock((("MUG", "berlin"),))
        assert answer(store, a_commit("order-3", {"MUG": 1})) == Committed(1)
        assert shelves(store) == {("MUG", "berlin"): (3, 3)}

    def test_every_short_place_is_named_and_no_other(self, store: Store) -> None:
        """Of four SKUs two are short, one of them stocked nowhere: both are named, and nothing of the other two is promised."""
        shelved(store, {("CUP", "berlin"): 5, ("MUG", "berlin"): 1, ("TEE", "berlin"): 5, ("POT", "madrid"): 5})
        commit = a_commit("order-1", {"TEE": 1, "POT": 1, "MUG": 2, "CUP": 1})

        assert answer(store, commit) == OutOfStock((("MUG", "berlin"), ("POT", "berlin")))
        assert shelves(store)["CUP", "berlin"] == (5, 0)
        assert shelves(store)["TEE", "berlin"] == (5, 0)

    def test_what_leaves_is_neither_promised_nor_there(self, store: Store) -> None:
        """A dispatch takes its units off the shelf and off the promises."""
        shelved(store, {("MUG", "berlin"): 5})
        first = stored(store, a_commit("order-1", {"MUG": 2}))
        second = stored(store, paid(first))
        stored(store, dispatched(second))

        assert shelves(store) == {("MUG", "berlin"): (3, 0)}

    def test_what_is_called_off_is_free_again(self, store: Store) -> None:
        """The last mug goes to the next customer when the first one cancels."""
        shelved(store, {("MUG", "berlin"): 2})
        first = stored(store, a_commit("order-1", {"MUG": 2}))
        stored(store, called_off(first))

        assert answer(store, a_commit("order-2", {"MUG": 2})) == Committed(1)

    def test_no_move_brings_a_shelf_below_nothing_or_below_its_promises(self, store: Store) -> None:
        """Taking off what is promised or not there, and freeing what nobody promised, are all refused."""
        shelved(store, {("MUG", "berlin"): 3})
        order = stored(store, a_commit("order-1", {"MUG": 2}))
        for on_hand, reserved in ((-2, 0), (-4, -2), (0, -3), (-1, 2)):
            moves = [StockMove("MUG", "berlin", on_hand=on_hand, reserved=reserved)]
            refused = next_commit(order, decided(order, Event("order.noted"), stock=moves))
            assert answer(store, refused) == OutOfStock((("MUG", "berlin"),))
        assert shelves(store) == {("MUG", "berlin"): (3, 2)}

    def test_goods_can_come_to_a_place_that_never_had_them(self, store: Store) -> None:
        """A return is restocked at another warehouse: it is on hand there, and was never received."""
        shelved(store, {("MUG", "berlin"): 3})
        order = stored(store, a_commit("order-1", {"MUG": 2}))
        stored(
            store,
            next_commit(order, decided(order, Event("order.noted"), stock=[StockMove("MUG", "madrid", on_hand=1)])),
        )

        assert store.read_stock(ReadStock()) == (
            StockLevel("MUG", "berlin", 3, 2, 3),
            StockLevel("MUG", "madrid", 1, 0, 0),
        )

    # ---- receipts

    def test_a_receipt_counts_once(self, store: Store) -> None:
        """The same id twice in one call, and again in the next, adds its units once; another id adds its own."""
        assert store.put_stock_many([a_put("r1", 5), a_put("r1", 5)]) == [None, None]
        assert store.put_stock_many([a_put("r1", 5), a_put("r2", 2)]) == [None, None]
        assert store.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 7, 0, 7),)

    def test_a_count_takes_off_what_is_not_there_after_all(self, store: Store) -> None:
        """What is counted off was never received."""
        store.put_stock_many([a_put("r1", 5), a_put("r2", -2)])

        assert store.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 3, 0, 3),)

    def test_a_count_below_the_promises_is_its_own_answer(self, store: Store) -> None:
        """Two of five are promised: taking four off is refused with the reason; the receipts around it are applied."""
        shelved(store, {("MUG", "berlin"): 5})
        stored(store, a_commit("order-1", {"MUG": 2}))
        before, refusal, after = store.put_stock_many([a_put("r1", 1, sku="TEE"), a_put("r2", -4), a_put("r3", 1)])

        assert (before, after) == (None, None)
        assert isinstance(refusal, InvalidInput)
        assert (refusal.code, refusal.field) == ("invalid_quantity", "quantity")
        assert shelves(store) == {("MUG", "berlin"): (6, 2), ("TEE", "berlin"): (1, 0)}

    def test_a_refused_count_can_be_made_again(self, store: Store) -> None:
        """Its id was not spent: once the promise is gone the count goes through."""
        shelved(store, {("MUG", "berlin"): 2})
        order = stored(store, a_commit("order-1", {"MUG": 2}))
        assert isinstance(store.put_stock_many([a_put("r1", -2)])[0], InvalidInput)
        stored(store, called_off(order))

        assert store.put_stock_many([a_put("r1", -2)]) == [None]
        assert shelves(store) == {("MUG", "berlin"): (0, 0)}

    def test_a_new_shelf_cannot_begin_below_nothing(self, store: Store) -> None:
        """Counting off what was never stocked is refused, and makes no shelf."""
        assert isinstance(store.put_stock_many([a_put("r1", -1)])[0], InvalidInput)
        assert store.read_stock(ReadStock()) == ()

    def test_a_delivery_is_applied_wholly_or_not_at_all(self, store: Store) -> None:
        """Five for Berlin and one too many off Madrid: neither is booked, and its neighbors are. Mended, all of it is, under the same ids."""
        shelved(store, {("MUG", "madrid"): 2})
        wrong, right = ({"berlin": 5, "madrid": count} for count in (-3, -2))
        before, refusal, after = store.put_stock_many([a_put("r1", 1), a_delivery("d1", wrong), a_put("r2", 1)])

        assert (before, after) == (None, None)
        assert isinstance(refusal, InvalidInput)
        assert (refusal.code, refusal.facts["warehouse"]) == ("invalid_quantity", "madrid")
        assert shelves(store) == {("MUG", "berlin"): (2, 0), ("MUG", "madrid"): (2, 0)}
        assert store.put_stock_many([a_delivery("d1", right)]) == [None]
        assert shelves(store) == {("MUG", "berlin"): (7, 0), ("MUG", "madrid"): (0, 0)}

    def test_what_a_delivery_takes_off_a_shelf_is_counted_together(self, store: Store) -> None:
        """Three off and five more at one shelf are two more; three off alone would not be covered."""
        put = PutStock((*a_put("r1", -3).receipts, *a_put("r2", 5).receipts))

        assert store.put_stock_many([put, a_put("r3", -3)])[0] is None
        assert shelves(store) == {("MUG", "berlin"): (2, 0)}

    def test_what_is_known_of_a_delivery_is_passed_over(self, store: Store) -> None:
        """Half of it was booked before: the other half is added, and everything is there once."""
        store.put_stock_many([a_delivery("d1", {"berlin": 5})])

        assert store.put_stock_many([a_delivery("d1", {"berlin": 5, "madrid": 3})] * 2) == [None, None]
        assert shelves(store) == {("MUG", "berlin"): (5, 0), ("MUG", "madrid"): (3, 0)}

    @pytest.mark.parametrize(
        "other",
        [
            a_delivery("d1", {"madrid": 1, "berlin": 6}),
            a_delivery("d1", {"madrid": 1, "berlin": 5}, reason="found"),
            PutStock((*a_put("r1", 1).receipts, *a_put("d1/berlin", 5, sku="TEE").receipts)),
            PutStock((*a_put("r1", 1).receipts, *a_put("r1", 2).receipts)),
        ],
        ids=["units", "reason", "sku", "itself"],
    )
    def test_a_receipt_that_says_something_else_is_refused(self, store: Store, other: PutStock) -> None:
        """Its id was applied with other words, in an earlier call or in this one: nothing of the second is booked."""
        first = a_delivery("d1", {"berlin": 5})
        at_once = store.put_stock_many([first, other])
        later = store.put_stock_many([first, other])

        for applied, refusal in (at_once, later):
            assert applied is None
            assert isinstance(refusal, KeyReused)
            assert (refusal.code, refusal.field) == ("key_reused", "key")
        assert shelves(store) == {("MUG", "berlin"): (5, 0)}

    def test_of_two_under_one_id_the_applied_one_is_kept(self, store: Store) -> None:
        """The first cannot be counted off, the second can be added: from then on the id stands for the second."""
        refusal, applied = store.put_stock_many([a_put("r1", -4), a_put("r1", 3)])

        assert isinstance(refusal, InvalidInput)
        assert applied is None
        assert store.put_stock_many([a_put("r1", 3)]) == [None]
        assert isinstance(store.put_stock_many([a_put("r1", -4)])[0], KeyReused)
        assert shelves(store) == {("MUG", "berlin"): (3, 0)}

    def test_the_largest_receipt_is_counted_exactly(self, store: Store) -> None:
        """Sums stay whole numbers."""
        store.put_stock_many([a_put(f"r{n}", RECEIPT_MAX) for n in range(20)])

        assert store.read_stock(ReadStock()) == (StockLevel("MUG", "berlin", 20 * RECEIPT_MAX, 0, 20 * RECEIPT_MAX),)

    # ---- reading

    def test_supply_is_what_is_on_hand_and_not_promised(self, store: Store) -> None:
        """An emptied shelf is there with nothing; a SKU that is stocked nowhere is not there."""
        shelved(store, {("MUG", "berlin"): 2, ("MUG", "madrid"): 4, ("TEE", "berlin"): 1})
        stored(store, a_commit("order-1", {"MUG": 2}))

        assert store.read_supply_many([ReadSupply(("MUG", "POT"))]) == [{("MUG", "berlin"): 0, ("MUG", "madrid"): 4}]

    def test_each_question_about_supply_has_its_own_answer(self, store: Store) -> None:
        """Two questions that share a SKU are both answered whole; no SKUs, no supply."""
        shelved(store, {("MUG", "berlin"): 2, ("TEE", "madrid"): 4})
        mug, tee = {("MUG", "berlin"): 2}, {("TEE", "madrid"): 4}

        asked = [ReadSupply(("TEE",)), ReadSupply(("MUG", "TEE")), ReadSupply(())]
        assert store.read_supply_many(asked) == [tee, {**mug, **tee}, {}]

    def test_stock_is_read_for_some_skus_or_for_all(self, store: Store) -> None:
        """Levels come sorted by SKU and warehouse."""
        shelved(store, {("TEE", "madrid"): 4, ("MUG", "madrid"): 1, ("MUG", "berlin"): 2})

        assert [(level.sku, level.warehouse) for level in store.read_stock(ReadStock())] == [
            ("MUG", "berlin"),
            ("MUG", "madrid"),
            ("TEE", "madrid"),
        ]
        assert store.read_stock(ReadStock(("TEE", "POT"))) == (StockLevel("TEE", "madrid", 4, 0, 4),)
