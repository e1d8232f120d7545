"""The contract of documents.

Inherit `DocumentsContract` and override the fixture `documents`:

    class TestMyDocuments(DocumentsContract):
        @pytest.fixture
        def documents(self):
            with closing(MyDocuments("bucket")) as documents:
                yield documents

What a document looks like is the adapter's business; that it is kept and never changes is the contract's. Nothing here knows any adapter.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orderkit.domain.order import Order
from orderkit.errors import OrderkitError
from orderkit.ports.documents import Documents, MakeDocument, ReadDocument
from orderkit.testing.contracts.racing import at_once
from orderkit.testing.samples import a_life, an_order, paid

KINDS = ("invoice", "credit_memo", "return_label")


def invoice(order: Order, name: str = "order-1-invoice") -> MakeDocument:
    """Return the wish for an order's invoice."""
    return MakeDocument(id=name, kind="invoice", order=order)


class DocumentsContract:
    """What every cabinet of documents does."""

    @pytest.fixture
    def documents(self) -> Iterator[Documents]:
        """The cabinet under test, empty. Override it."""
        pytest.fail("the suite needs its own `documents`: override it")

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_document_of_each_kind_can_be_read(self, documents: Documents, kind: str) -> None:
        """Made of an order with every part filled in and names in many alphabets."""
        order = a_life("life-1")[-1].after
        url = documents.make_document(MakeDocument(id=f"life-1-{kind}", kind=kind, order=order))

        assert url
        assert documents.read_document(ReadDocument(url))

    def test_the_same_id_is_the_same_document_whatever_came_after(self, documents: Documents) -> None:
        """A repeat answers with the first URL, and the bytes stay as they were though the order went on."""
        order = an_order("order-1")
        url = documents.make_document(invoice(order))
        content = documents.read_document(ReadDocument(url))

        assert documents.make_document(invoice(paid(order).after)) == url
        assert documents.read_document(ReadDocument(url)) == content

    def test_another_id_is_another_document(self, documents: Documents) -> None:
        """Two orders have two invoices with something of their own."""
        first = documents.make_document(invoice(an_order("order-1", {"MUG": 1}), "order-1-invoice"))
        second = documents.make_document(invoice(an_order("order-2", {"TEE": 2}), "order-2-invoice"))

        assert first != second
        assert documents.read_document(ReadDocument(first)) != documents.read_document(ReadDocument(second))

    def test_an_id_may_hold_any_letters(self, documents: Documents) -> None:
        """Slashes, spaces and umlauts neither fail nor lead to another document."""
        names = ("a/b", "a b", "a%2Fb", "ä?b#c")
        urls = [
            documents.make_document(invoice(an_order(f"order-{n}", {"MUG": n + 1}), name))
            for n, name in enumerate(names)
        ]

        assert len({documents.read_document(ReadDocument(url)) for url in urls}) == len(names)

    def test_an_unknown_url_has_no_document(self, documents: Documents) -> None:
        """Nothing is answered, and nothing raised."""
        url = documents.make_document(invoice(an_order("order-1")))

        assert documents.read_document(ReadDocument(f"{url}x")) is None
        assert documents.read_document(ReadDocument("")) is None

    def test_a_kind_that_is_not_known_is_refused(self, documents: Documents) -> None:
        """With the reason, before anything is kept."""
        with pytest.raises(OrderkitError) as refusal:
            documents.make_document(MakeDocument(id="order-1-x", kind="love_letter", order=an_order("order-1")))
        assert refusal.value.outcome == "not_applied"

    def test_many_threads_make_one_document(self, documents: Documents) -> None:
        """Sixteen ask for one id at once and get one URL."""
        order = an_order("order-1")

        assert len(set(at_once([lambda: documents.make_document(invoice(order))] * 16))) == 1
