from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orderkit.replay.matching import MatchedUnits, OrderFunds, PurchaseBook


def bought(*purchases: tuple[str, int, int]) -> PurchaseBook:
    """Return the book of customer 13085, who bought SKU 85048 in these (order, units, price) and nothing else."""
    book = PurchaseBook()
    for order, quantity, price in purchases:
        book.buy(customer="13085", sku="85048", order=order, line=1, quantity=quantity, unit_price_minor=price)
    return book


def take(book: PurchaseBook, quantity: int) -> list[tuple[str, int]]:
    """Give units of that SKU back; return (order, units) for each part."""
    return [(found.order, found.quantity) for found in book.take_back(customer="13085", sku="85048", quantity=quantity)]


class TestPurchases:
    def test_the_most_recent_purchase_gives_first(self) -> None:
        """A credit of 15 takes all 10 of the later order and 5 of the earlier one."""
        assert take(bought(("489434", 12, 695), ("491001", 10, 695)), 15) == [("491001", 10), ("489434", 5)]

    def test_a_unit_comes_back_once(self) -> None:
        """What was credited is not credited again."""
        book = bought(("489434", 12, 695))
        take(book, 8)

        assert take(book, 8) == [("489434", 4)]
        assert take(book, 1) == []

    def test_a_part_given_back_leaves_the_rest_for_later(self) -> None:
        """After 3 of 10 are back, 7 of the same order are still the first to come back."""
        book = bought(("489434", 12, 695), ("491001", 10, 695))
        take(book, 3)

        assert take(book, 9) == [("491001", 7), ("489434", 2)]
        assert book.returnable(customer="13085", sku="85048") == 10

    def test_a_match_names_line_and_price(self) -> None:
        """Whoever refunds needs to know what was paid, and on which line."""
        book = PurchaseBook()
        book.buy(customer="13085", sku="85048", order="489434", line=7, quantity=12, unit_price_minor=675)

        expected = (MatchedUnits(order="489434", line=7, quantity=2, unit_price_minor=675),)
        assert expected == book.take_back(customer="13085", sku="85048", quantity=2)

    def test_two_lines_of_one_order_stay_two(self) -> None:
        """The same SKU twice on one invoice comes back line by line, the last one first."""
        book = PurchaseBook()
        for number in (1, 2):
            book.buy(customer="13085", sku="85048", order="489434", line=number, quantity=3, unit_price_minor=695)
        found = book.take_back(customer="13085", sku="85048", quantity=4)

        assert [(match.line, match.quantity) for match in found] == [(2, 3), (1, 1)]

    def test_other_customers_and_other_skus_give_nothing(self) -> None:
        """A credit is matched by customer and SKU together."""
        book = bought(("489434", 12, 695))

        assert book.take_back(customer="13086", sku="85048", quantity=1) == ()
        assert book.take_back(customer="13085", sku="22041", quantity=1) == ()

    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=40))
    def test_units_are_conserved(self, steps: list[tuple[bool, int]]) -> None:
        """Whatever is bought and given back in whatever order: bought = given back + still returnable."""
        book, total, back = PurchaseBook(), 0, 0
        for number, (buys, quantity) in enumerate(steps):
            if buys:
                book.buy(customer="c", sku="s", order=str(number), line=1, quantity=quantity, unit_price_minor=100)
                total += quantity
            else:
                found = sum(match.quantity for match in book.take_back(customer="c", sku="s", quantity=quantity))
                assert found == min(quantity, total - back)
                back += found

        assert book.returnable(customer="c", sku="s") == total - back


class TestFunds:
    def test_an_order_gives_no_more_than_it_was_paid(self) -> None:
        """The last request gets what is left."""
        funds = OrderFunds()
        funds.pay(customer="13085", order="489434", amount_minor=1000)

        assert [funds.take("489434", 700), funds.take("489434", 700), funds.take("489434", 1)] == [700, 300, 0]

    def test_the_latest_order_gives_first(self) -> None:
        """A goodwill refund that exceeds the latest order goes on with the one before."""
        funds = OrderFunds()
        funds.pay(customer="13085", order="489434", amount_minor=1000)
        funds.pay(customer="13085", order="491001", amount_minor=200)

        assert funds.take_from_latest("13085", 500) == (("491001", 200), ("489434", 300))
        assert funds.left_minor("489434") == 700

    def test_a_stranger_has_no_orders(self) -> None:
        """Nothing is taken from nobody."""
        funds = OrderFunds()

        assert not funds.knows("13085")
        assert funds.take_from_latest("13085", 500) == ()
