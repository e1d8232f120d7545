"""Documents in memory pass their contract; they are PDFs that a reader can follow, and what they say adds up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from orderkit.domain.cart import Cart
from orderkit.domain.money import to_text
from orderkit.domain.order import Order
from orderkit.errors import InvalidInput
from orderkit.ports.documents import Documents, MakeDocument, ReadDocument
from orderkit.testing.contracts.documents import DocumentsContract
from orderkit.testing.samples import HOME, a_commit, a_life, an_order
from orderkit_memory.documents import MemoryDocuments
from orderkit_memory.pdf import COLUMNS, pdf


class TestMemoryDocuments(DocumentsContract):
    @pytest.fixture
    def documents(self) -> Iterator[Documents]:
        with closing(MemoryDocuments()) as documents:
            yield documents


def made(kind: str, order: Order, name: str) -> list[str]:
    """Return the rows of a document, as a reader that follows its tables finds them."""
    documents = MemoryDocuments()
    content = documents.read_document(
        ReadDocument(documents.make_document(MakeDocument(id=name, kind=kind, order=order)))
    )
    assert content is not None
    return [row for page in pages(content) for row in rows(page)]


def objects(content: bytes) -> dict[int, bytes]:
    """Return the objects of a PDF, found as readers find them: from the end, by the table of offsets."""
    assert content.startswith(b"%PDF-1.")
    assert content.endswith(b"%%EOF\n")
    end = re.search(rb"trailer\n<< /Size (\d+) /Root (\d+) 0 R /Info \d+ 0 R >>\nstartxref\n(\d+)\n", content)
    assert end is not None
    size, start = int(end[1]), int(end[3])
    table = content[start:].split(b"\n")
    assert table[:3] == [b"xref", f"0 {size}".encode(), b"0000000000 65535 f "]
    found = {}
    for number in range(1, size):
        entry = table[2 + number]
        assert re.fullmatch(rb"\d{10} 00000 n ", entry)
        body = content[int(entry[:10]) :]
        assert body.startswith(f"{number} 0 obj\n".encode())
        found[number] = body[body.index(b"\n") + 1 : body.index(b"\nendobj\n")]
    assert b"/Type /Catalog" in found[int(end[2])]
    return found


def pages(content: bytes) -> list[bytes]:
    """Return the contents of the pages, in the order of the page tree."""
    found = objects(content)
    kids = [int(kid) for kid in re.findall(rb"(\d+) 0 R", found[2].split(b"/Kids")[1].split(b"]")[0])]
    streams = []
    for kid in kids:
        match = re.search(rb"/Contents (\d+) 0 R", found[kid])
        assert match is not None
        head, stream = found[int(match[1])].split(b"stream\n", 1)
        length = int(head.split(b"/Length ")[1].split(b" ")[0])
        assert stream[length:] == b"\nendstream"
        streams.append(stream[:length])
    return streams


def rows(page: bytes) -> list[str]:
    """Return the rows of a page: their true text where it is given, else what is shown."""
    found = []
    for shown in re.finditer(rb"(?:/ActualText <FEFF([0-9A-F]*)> >> BDC )?\(((?:\\.|[^\\)])*)\) Tj", page):
        true, plain = shown.groups()
        text = (
            bytes.fromhex(true.decode()).decode("utf-16-be")
            if true is not None
            else re.sub(rb"\\(.)", rb"\1", plain).decode("cp1252")
        )
        found.append(text)
    return found


def amount(row: str) -> str:
    """Return the amount at the end of a row."""
    return row.rsplit(maxsplit=2)[-2]


def minor(row: str) -> int:
    """Return the amount at the end of a row, in minor units of a currency with two decimals."""
    return int(amount(row).replace(".", ""))


# ---- what they say


def test_an_invoice_adds_up() -> None:
    """Lines, discounts, shipping, fees, tax and total of an order; what is listed sums to what is to be paid."""
    order = a_life("life-1")[-1].after
    said = made("invoice", order, "life-1-invoice")
    prices = order.facts.prices
    split = said.index("", said.index("PL") + 2)
    lines, sums = said[said.index("PL") + 2 : split], said[split + 1 :]

    assert said[0] == "INVOICE life-1-invoice"
    assert said[1] == "Order life-1 of 2026-03-03, koszyk-99"
    assert said[4:8] == ["Zoë Ångström-Łukasiewicz", "Łąkowa 7", "30-001 Kraków", "PL"]
    assert [row.split("  ")[0].strip() for row in lines if " x " in row] == [
        "3 x MUG",
        "4 x TEE",
        "2 x БУКВАРЬ",
        "1 x MUG",
        "1 x MUG",
    ]
    assert sum(map(minor, lines)) == prices.subtotal_minor - prices.discount_minor
    assert (
        sum(minor(row) for row in sums if row.startswith(("Goods", "Discounts", "Shipping", "Fee")))
        == order.total_minor
    )
    assert next(amount(row) for row in sums if row.startswith("Total")) == to_text(order.total_minor, "PLN")
    assert (
        next(minor(row) for row in sums if row.startswith("Tax in the total"))
        == prices.tax_minor + prices.charges_tax_minor
    )


def test_an_invoice_shows_tax_that_comes_on_top() -> None:
    """Where prices are without tax, the goods, the tax and the shipping sum to the total."""
    cart = Cart(customer="ben", ship_to=HOME, currency="USD", tax_included=False)
    cart = cart.add("LAMP", 2, "50.00", tax="19.00", name="Lamp (blue)").charged("parcel", "5.00", tax="0.95")
    order = a_commit("order-1", cart=cart).after
    said = made("invoice", order, "order-1-invoice")
    parts = [minor(row) for row in said if row.startswith(("Goods", "Tax  ", "Shipping"))]

    assert parts == [10_000, 1_900, 595]
    assert sum(parts) == order.total_minor
    assert any("2 x LAMP  Lamp (blue)" in row for row in said)


def test_amounts_have_the_decimals_of_their_currency() -> None:
    """Yen have none, dinars have three."""
    for currency, price, shown in (("JPY", "1500", "1500"), ("KWD", "1.505", "1.505")):
        cart = Cart(customer="ben", ship_to=HOME, currency=currency).add("MUG", 1, price)
        said = made("invoice", a_commit("order-1", cart=cart).after, "i")
        assert next(amount(row) for row in said if row.startswith("Total")) == shown


def test_a_credit_memo_is_about_its_refund() -> None:
    """The parts of one refund and their sum, though the order has others; without a refund's id it is about all of them."""
    order = a_life("life-1")[-1].after
    refund = order.refunds[1]
    said = made("credit_memo", order, f"{refund.id}-memo")
    parts = [row for row in said if row.startswith("    ") and "contains" not in row]

    assert said[0] == "CREDIT MEMO life-1-F2-memo"
    assert [row for row in said if row.startswith("life-1-F")] == ["life-1-F2: return, returned, 2026-03-10"]
    assert sum(map(minor, parts)) == refund.total_minor
    assert minor(said[-1]) == refund.total_minor
    assert minor(made("credit_memo", order, "all")[-1]) == sum(each.total_minor for each in order.refunds)


def test_a_return_label_says_what_comes_back_and_from_whom() -> None:
    """Sender, return, tracking number, last day and goods."""
    order = a_life("life-1")[-1].after
    said = made("return_label", order, "life-1-R1")

    assert said[3:5] == ["From", "Zoë Ångström-Łukasiewicz"]
    assert "Return life-1-R1, by mail" in said
    assert "Tracking number VAN-R1" in said
    assert f"To be sent by {order.returns[0].expires_at:%Y-%m-%d}" in said
    assert said[-2:] == ["2 x MUG  Kubek “Żółw”", "1 x TEE  T-shirt ⚡ размер L"]


def test_a_label_without_a_return_still_says_from_whom() -> None:
    """An order without returns has a label with its address."""
    assert "Anna Schmidt" in made("return_label", an_order("order-1"), "order-1-label")


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    """The error says what could have been asked for."""
    with pytest.raises(InvalidInput, match="credit_memo, invoice, return_label") as refusal:
        MemoryDocuments().make_document(MakeDocument(id="x", kind="poem", order=an_order("order-1")))
    assert (refusal.value.code, refusal.value.field) == ("unsupported", "kind")


# ---- how they are written


def test_equal_rows_are_equal_bytes() -> None:
    """No time and no chance is in a document: two cabinets make the same one."""
    order = a_life("life-1")[-1].after
    asked = MakeDocument(id="life-1-invoice", kind="invoice", order=order)
    first, second = MemoryDocuments(), MemoryDocuments()
    urls = first.make_document(asked), second.make_document(asked)

    assert first.read_document(ReadDocument(urls[0])) == second.read_document(ReadDocument(urls[1]))


def test_letters_that_the_font_lacks_are_shown_plainly_and_kept() -> None:
    """Kraków is shown as it is, Łódź and Košice without some marks, 北京 as question marks; a reader's copy gives all as written."""
    written = ["Kraków €5 “so” ½", "Łódź, Košice, Ğölcük", "北京路 Привет", "back\\slash (and) brackets"]
    (page,) = pages(pdf(written, title="Łódź"))

    assert rows(page) == written
    shown = [
        re.sub(rb"\\(.)", rb"\1", text).decode("cp1252") for text in re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", page)
    ]
    assert shown == [written[0], "Lódz, Košice, Gölcük", "??? ??????", written[3]]


def test_a_long_document_has_several_pages_and_loses_nothing() -> None:
    """A thousand rows come back in order, a row longer than the paper in two, and line ends inside a row are no rows."""
    written = [f"row {n}" for n in range(1_000)]
    found = pages(pdf([*written, "x" * (COLUMNS + 5), "two\nlines"], title="long"))

    assert len(found) > 10
    assert [row for page in found for row in rows(page)] == [*written, "x" * COLUMNS, "x" * 5, "two lines"]


def test_a_document_without_rows_has_a_page() -> None:
    """An empty page is a page."""
    assert [rows(page) for page in pages(pdf([], title=""))] == [[]]
