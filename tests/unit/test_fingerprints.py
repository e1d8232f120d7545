"""Fingerprints are kept with idempotency keys, and carriers know them: a version with others would take a retry for another request."""

from __future__ import annotations

from orderkit.domain.cart import fingerprint
from orderkit.domain.payment import Tender
from tests.shops import HOME, a_cart


def test_the_fingerprints_of_today_are_those_of_tomorrow() -> None:
    """A new field of a cart changes them: give it a place of its own in the request instead, or say in the changelog what happens to retries."""
    cart = a_cart(("MUG", 2, "12.50"), ("TEE", 1, "3.33"))

    assert fingerprint("place", cart, (Tender(method="pm_visa"),)) == "abd88ef681799fac41967bc099757e73"
    assert fingerprint("cancel", "o-1", {1: 2, "MUG": 1}, None, "changed_mind") == "2972ff42c9a11106a92479cc44a4d7f4"
    assert fingerprint("parcel", None, "berlin", HOME, "standard", 3) == "563fd032b4bda97ecffba0c264d5e05a"
