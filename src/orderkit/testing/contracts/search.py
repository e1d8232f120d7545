"""The contract of a search index.

Inherit `SearchContract` and override the fixture `search`:

    class TestMySearch(SearchContract):
        @pytest.fixture
        def search(self):
            with closing(MySearch("test-index")) as search:
                yield search

        def refresh(self, search):
            search.client.indices.refresh()

An index may be behind by a moment: `refresh` waits until what was put in is found. Nothing here knows any adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from orderkit.domain.order import Address, Order
from orderkit.flows.reacting import document
from orderkit.ports.search import Found, SearchIndex, SearchQuery
from orderkit.testing.samples import HOME, NOON, a_cart, a_commit, a_life, dispatched, paid

DAY = timedelta(days=1)
IN_OSLO = Address(name="Søren Müller-Łoś", street="Ålesundgata 5", city="Oslo", zip="0550", country="NO")


def _orders() -> list[Order]:
    """Three orders: Anna's mugs, placed first; Søren's tee in Oslo, on its way; and Zoë's, who bought a little of everything."""
    anna = a_commit("order-anna", {"MUG": 2}, at=NOON, customer="anna", ship_to=HOME).after
    cart = a_cart({"TEE": 1, "MUG": 1}, customer="søren", ship_to=IN_OSLO)
    soren = paid(a_commit("order-soren", at=NOON + DAY, cart=cart).after).after
    return [anna, dispatched(soren, tracking_number="VAN-77").after, a_life("order-zoe")[-1].after]


class SearchContract:
    """What every index does with the documents of orders."""

    @pytest.fixture
    def search(self) -> Iterator[SearchIndex]:
        """The index under test, empty. Override it."""
        pytest.fail("the suite needs its own `search`: override it")

    def refresh(self, search: SearchIndex) -> None:
        """Wait until what was put in is found."""

    @pytest.fixture
    def filled(self, search: SearchIndex) -> SearchIndex:
        """The index with three orders in it."""
        search.index([document(order) for order in _orders()])
        self.refresh(search)
        return search

    def found(self, search: SearchIndex, **query: Any) -> list[str]:
        """Return the ids that a query finds, sorted."""
        return sorted(search.search(SearchQuery(**query)).ids)

    def test_an_empty_index_finds_nothing(self, search: SearchIndex) -> None:
        """Nor does it fail; there is nothing to count."""
        assert search.search(SearchQuery(text="mug", aggregate="status")) == Found((), 0, {})

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("", ["order-anna", "order-soren", "order-zoe"]),
            ("mug", ["order-anna", "order-soren", "order-zoe"]),
            ("TEE", ["order-soren", "order-zoe"]),
            ("Invalidenstr", ["order-anna"]),
            ("oslo", ["order-soren"]),
            ("0550", ["order-soren"]),
            ("VAN-77", ["order-soren"]),
            ("order-anna", ["order-anna"]),
            ("tee oslo", ["order-soren"]),
            ("tee berlin", []),
            ("букварь", ["order-zoe"]),
            ("teapot", []),
        ],
    )
    def test_every_word_has_to_be_found(self, filled: SearchIndex, text: str, names: list[str]) -> None:
        """Names of products, SKUs, addresses, tracking numbers and ids, in any case."""
        assert self.found(filled, text=text) == names

    @pytest.mark.parametrize("text", ["soren", "SØREN", "Søren Müller", "muller", "alesundgata", "müller-łoś", "los"])
    def test_marks_on_letters_do_not_matter(self, filled: SearchIndex, text: str) -> None:
        """Whoever types without them finds what has them, and the other way round."""
        assert self.found(filled, text=text) == ["order-soren"]

    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({"customer": ("anna",)}, ["order-anna"]),
            ({"status": ("shipped", "placed")}, ["order-anna", "order-soren"]),
            ({"skus": ("TEE",)}, ["order-soren", "order-zoe"]),
            ({"country": ("NO",), "skus": ("MUG",)}, ["order-soren"]),
            ({"country": ("NO",), "customer": ("anna",)}, []),
            ({"customer": ("ann",)}, []),
            ({"tracking_numbers": ("VAN-77",)}, ["order-soren"]),
        ],
        ids=str,
    )
    def test_filters_are_exact_and_hold_together(
        self, filled: SearchIndex, filters: Mapping[str, tuple[str, ...]], names: list[str]
    ) -> None:
        """One of the values of each field has to be the document's; a part of a value is not the value."""
        assert self.found(filled, filters=filters) == names

    def test_a_time_span_has_a_first_moment_and_no_last(self, filled: SearchIndex) -> None:
        """An order placed at the end of the span is not in it."""
        start, end = NOON.isoformat(), (NOON + DAY).isoformat()

        assert self.found(filled, placed_from=start, placed_until=end) == ["order-anna", "order-zoe"]
        assert self.found(filled, placed_from=end) == ["order-soren"]

    def test_counts_are_over_all_that_was_found(self, filled: SearchIndex) -> None:
        """By status and by SKU, of what the query finds and not only of its page; an order with two SKUs counts for each, once."""
        by_sku = filled.search(SearchQuery(text="tee", aggregate="skus", limit=1))

        assert by_sku.total == 2
        assert dict(by_sku.counts) == {"TEE": 2, "MUG": 2, "БУКВАРЬ": 1}
        assert dict(filled.search(SearchQuery(filters={"customer": ("anna",)}, aggregate="status")).counts) == {
            "placed": 1
        }
        assert len(by_sku.ids) == 1

    def test_pages_cover_everything_once(self, filled: SearchIndex) -> None:
        """Two pages of two hold three orders; beyond them there is nothing, and the total is the same everywhere."""
        pages = [filled.search(SearchQuery(limit=2, offset=offset)) for offset in (0, 2, 4)]

        assert [len(page.ids) for page in pages] == [2, 1, 0]
        assert sorted(name for page in pages for name in page.ids) == ["order-anna", "order-soren", "order-zoe"]
        assert {page.total for page in pages} == {3}

    def test_a_newer_version_takes_the_place_of_the_older(self, search: SearchIndex) -> None:
        """An order is found by what it is, and no more by what it was."""
        life = a_life("order-1")
        search.index([document(life[0].after)])
        search.index([document(life[-1].after)])
        self.refresh(search)

        assert self.found(search, filters={"status": ("placed",)}) == []
        assert self.found(search, filters={"status": ("partially_returned",)}) == ["order-1"]

    def test_an_older_version_changes_nothing(self, search: SearchIndex) -> None:
        """Documents that overtook each other, in one call or in two, end with the newest; so does a repeat."""
        life = [document(commit.after) for commit in a_life("order-1")]
        search.index([life[-1], life[3]])
        search.index([life[0]])
        search.index([life[-1]])
        self.refresh(search)

        assert self.found(search, filters={"status": ("partially_returned",)}) == ["order-1"]
        assert search.search(SearchQuery()).total == 1
