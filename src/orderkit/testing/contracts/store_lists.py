"""The contract of lists: filters that hold together, words that find, and pages that neither repeat nor skip."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from orderkit.domain.order import Address, Order
from orderkit.domain.status import payment, word
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput
from orderkit.ports.store import Commit, FindOrders, OrderQuery, OrderSummary, Page, Store
from orderkit.testing.contracts.store_case import StoreCase, shelved, stored, summary
from orderkit.testing.samples import LIFE_STOCK, NOON, a_cart, a_commit, a_life, called_off, dispatched, paid

DAY = timedelta(days=1)
IN_TURKU = Address(name="Åke Mäkelä", street="Käsityöläiskatu 4", city="Turku", zip="20100", country="FI")


def found(store: Store, **query: Any) -> list[str]:
    """Return the ids of the orders that a query finds."""
    return [row.id for row in store.find_orders(FindOrders(OrderQuery(**query))).items]


def page(store: Store, **query: Any) -> Page:
    """Return a page of a query."""
    return store.find_orders(FindOrders(OrderQuery(**query)))


def placed(n: int, customer: str = "anna", items: dict[str, int] | None = None) -> Commit:
    """Return an order placed on the n-th day, under an id that does not follow the days."""
    return a_commit(
        f"{'febcda'[n]}0-order-{n}",
        items or {"MUG": 1},
        at=NOON + n * DAY,
        cart=a_cart(items or {"MUG": 1}, customer=customer),
    )


class ListCases(StoreCase):
    """Orders are found by what they are, newest first."""

    @pytest.fixture
    def orders(self, store: Store) -> list[Order]:
        """Six orders of six days: Anna's, of which one is on its way and one was called off, Ben's, and one in Turku."""
        shelved(store, {("MUG", "berlin"): 9, ("TEE", "berlin"): 9})
        first = stored(store, placed(0))
        first = stored(store, paid(first))
        second = stored(store, placed(1, items={"TEE": 1, "MUG": 1}))
        second = stored(store, paid(second))
        second = stored(store, dispatched(second, tracking_number="VAN-Ü7", at=NOON + 3 * DAY))
        third = stored(store, placed(2, "ben", {"TEE": 2}))
        fourth = stored(store, placed(3))
        fourth = stored(store, called_off(fourth))
        cart = a_cart({"TEE": 1}, customer="åke", ship_to=IN_TURKU)
        cart = evolve(cart, lines=(evolve(cart.lines[0], name="T-Shirt 100% Wolle"),))
        fifth = stored(store, a_commit("0195c3a1-77aa-7000-8000-00000000beef", at=NOON + 4 * DAY, cart=cart))
        sixth = stored(store, placed(5, "ben"))
        return [first, second, third, fourth, fifth, sixth]

    # ---- filters

    def test_without_conditions_all_are_listed_newest_first(self, store: Store, orders: list[Order]) -> None:
        """The time of placement decides, not the id."""
        assert found(store) == [order.id for order in reversed(orders)]

    def test_orders_of_one_moment_are_listed_by_id(self, store: Store) -> None:
        """The larger id comes first, so that the order is the same every time."""
        shelved(store, {("MUG", "berlin"): 9})
        stored(store, *(a_commit(f"order-{n}", {"MUG": 1}) for n in (2, 3, 1)))

        assert found(store) == ["order-3", "order-2", "order-1"]

    def test_a_row_says_what_the_order_is(self, store: Store) -> None:
        """Ids, derived words, money, times and what it waits for; a shipment that was emptied is not counted."""
        shelved(store, LIFE_STOCK)
        life = a_life("life-1")
        stored(store, *life)
        order = life[-1].after

        assert summary(store, "life-1") == OrderSummary(
            id="life-1",
            customer="zoë-7",
            status=word(order),
            payment_status=payment(order),
            currency="PLN",
            total_minor=order.total_minor,
            refunded_minor=order.refunded_minor,
            placed_at=order.placed_at,
            updated_at=order.updated_at,
            shipments=len(order.shipments) - 1,
            due_at=life[-1].due_at,
            due_for=life[-1].due_for,
            parked=False,
        )

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ({"customer": "ben"}, [5, 2]),
            ({"customer": "nobody"}, []),
            ({"statuses": ("cancelled", "shipped")}, [3, 1]),
            ({"payment_statuses": ("paid",)}, [1, 0]),
            ({"sku": "TEE"}, [4, 2, 1]),
            ({"sku": "tee"}, []),
            ({"placed_from": NOON + 2 * DAY}, [5, 4, 3, 2]),
            ({"placed_until": NOON + 2 * DAY}, [1, 0]),
            ({"placed_from": NOON + DAY, "placed_until": NOON + 3 * DAY}, [2, 1]),
            ({"shipped_from": NOON + 3 * DAY, "shipped_until": NOON + 4 * DAY}, [1]),
            ({"shipped_from": NOON + 4 * DAY}, []),
            ({"shipped_until": NOON + 3 * DAY}, []),
            ({"tracking_number": "VAN-Ü7"}, [1]),
            ({"tracking_number": "VAN"}, []),
            ({"customer": "anna", "sku": "MUG", "statuses": ("payment_confirmed",)}, [0]),
            ({"customer": "ben", "tracking_number": "VAN-Ü7"}, []),
        ],
        ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
    )
    def test_all_conditions_hold_together(
        self, store: Store, orders: list[Order], query: dict[str, Any], numbers: list[int]
    ) -> None:
        """Each condition is exact, an end of a time span is not part of it, and an order has to meet them all."""
        assert found(store, **query) == [orders[n].id for n in numbers]

    def test_one_shipment_has_to_have_left_within_the_span(self, store: Store) -> None:
        """Of two parcels one left before the span and the other after it: within it none did."""
        shelved(store, LIFE_STOCK)
        life = a_life("life-1")
        stored(store, *life)
        first, *_, last = sorted(s.shipped_at for s in life[-1].after.shipments if s.shipped_at is not None)
        moment = timedelta(microseconds=1)

        assert found(store, shipped_from=first, shipped_until=first + moment) == ["life-1"]
        assert found(store, shipped_from=first + moment, shipped_until=last) == []
        assert found(store, shipped_from=first + moment, shipped_until=last + moment) == ["life-1"]

    # ---- words

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("ben", [5, 2]),
            ("tee", [4, 2, 1]),
            ("MUG", [5, 3, 1, 0]),
            ("wolle", [4]),
            ("turku", [4]),
            ("KÄSITYÖLÄISKATU", [4]),
            ("mäkelä", [4]),
            ("20100", [4]),
            ("van-ü7", [1]),
            ("0195c3a1", [4]),
            ("0195C3A1-77", [4]),
            ("beef", []),  # how that id ends
            ("order-5", []),  # what another holds in its middle
            ("-", [4, 1]),  # in every id, and in one product name and one tracking number
            ("/", []),
            ("\\", []),
            ("anna tee", [2, 1]),  # Ben's parcels go to Anna's address
            ("tee turku åke", [4]),
            ("anna turku", []),
            ("  ", [5, 4, 3, 2, 1, 0]),
            ("100%", [4]),
            ("%", [4]),
            ("_", []),
            ("nothing-like-it", []),
        ],
    )
    def test_words_find_orders(self, store: Store, orders: list[Order], text: str, numbers: list[int]) -> None:
        """Customer, SKU, product name, address, tracking number and the beginning of an id: every word has to be somewhere, in any case."""
        assert found(store, text=text) == [orders[n].id for n in numbers]

    def test_words_and_conditions_hold_together(self, store: Store, orders: list[Order]) -> None:
        """Words narrow what the conditions leave."""
        assert found(store, text="mug", customer="anna", statuses=("cancelled",)) == [orders[3].id]

    def test_words_find_an_order_by_what_it_became(self, store: Store, orders: list[Order]) -> None:
        """A tracking number that came with the dispatch is found; before it was not there."""
        assert found(store, text="1Z-NEW") == []
        stored(store, dispatched(orders[0], tracking_number="1Z-NEW"))
        assert found(store, text="1z-new") == [orders[0].id]

    # ---- pages

    def test_pages_neither_repeat_nor_skip(self, store: Store, orders: list[Order]) -> None:
        """Pages of two, though an order comes in meanwhile: each of the six once, and the last page says that it is the last."""
        first = page(store, limit=2)
        stored(store, a_commit("order-new", {"MUG": 1}, at=NOON + 9 * DAY))
        second = page(store, limit=2, cursor=first.cursor)
        third = page(store, limit=3, cursor=second.cursor)

        rows = [row.id for part in (first, second, third) for row in part.items]
        assert rows == [order.id for order in reversed(orders)]
        assert third.cursor is None

    def test_a_full_last_page_is_the_last(self, store: Store, orders: list[Order]) -> None:
        """There is a cursor only where something follows."""
        assert len(orders) == 6
        assert page(store, limit=6).cursor is None
        assert page(store, limit=5).cursor is not None

    def test_pages_go_on_within_one_moment(self, store: Store) -> None:
        """Orders of the same instant are split over pages by their ids."""
        shelved(store, {("MUG", "berlin"): 9})
        stored(store, *(a_commit(f"order-{n}", {"MUG": 1}) for n in range(3)))
        first = page(store, limit=1)

        assert found(store, limit=5, cursor=first.cursor) == ["order-1", "order-0"]

    def test_pages_of_a_condition_stay_within_it(self, store: Store, orders: list[Order]) -> None:
        """The second page of Anna's orders holds Anna's orders."""
        first = page(store, customer="anna", limit=1)

        assert found(store, customer="anna", limit=5, cursor=first.cursor) == [orders[1].id, orders[0].id]

    @pytest.mark.parametrize("cursor", ["", "2", "not a cursor", "AAAA", "é"])
    def test_a_cursor_of_nobody_is_refused(self, store: Store, cursor: str) -> None:
        """Text that no page gave is an error of the caller."""
        with pytest.raises(InvalidInput) as refusal:
            page(store, cursor=cursor)
        assert (refusal.value.code, refusal.value.field) == ("invalid_cursor", "cursor")

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "2026-03-03T12:00:00"])
    def test_a_cursor_with_a_time_of_no_page_is_refused(self, store: Store, orders: list[Order], at: str) -> None:
        """A cursor that somebody wrote themselves may hold a time that no order has: outside of the calendar, or without a zone."""
        cursor, moment = page(store, limit=1).cursor, orders[-1].placed_at.isoformat()
        assert cursor is not None
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode(errors="replace")
        forged = cursor.replace(moment, at)
        if moment in plain:
            forged = base64.urlsafe_b64encode(plain.replace(moment, at).encode()).decode().rstrip("=")
        if forged != cursor:  # a store whose cursors cannot be forged is fine
            with pytest.raises(InvalidInput) as refusal:
                page(store, limit=1, cursor=forged)
            assert (refusal.value.code, refusal.value.field) == ("invalid_cursor", "cursor")

    def test_a_cursor_of_another_query_is_refused(self, store: Store, orders: list[Order]) -> None:
        """A cursor goes on with the query that it came from."""
        cursor = page(store, customer=orders[0].facts.customer, limit=1).cursor
        with pytest.raises(InvalidInput) as refusal:
            page(store, customer="ben", limit=1, cursor=cursor)
        assert refusal.value.code == "invalid_cursor"
