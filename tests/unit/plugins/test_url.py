"""Adapter URLs: taken apart once, and never printed with a password."""

from __future__ import annotations

from typing import Any

import pytest

from orderkit.errors import Misconfigured
from orderkit.plugins.url import Url, hidden


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("memory:", ("memory", "", "", {})),
        ("sqlite:///shop.db", ("sqlite", "", "///shop.db", {})),
        ("postgresql+psycopg://localhost/shop", ("postgresql", "psycopg", "//localhost/shop", {})),
        ("fakepsp://flaky?seed=7&decline=0.02", ("fakepsp", "", "//flaky", {"seed": "7", "decline": "0.02"})),
        ("file:events.jsonl?note=a%20b&empty=", ("file", "", "events.jsonl", {"note": "a b", "empty": ""})),
        ("SQLite+AioSQLite:///C:/shop.db", ("sqlite", "aiosqlite", "///C:/shop.db", {})),
    ],
)
def test_a_url_is_scheme_driver_rest_and_options(text: str, parts: tuple[str, str, str, dict[str, str]]) -> None:
    """Each part is where adapters look for it."""
    url = Url.parse(text)

    assert (url.scheme, url.driver, url.rest, dict(url.query)) == parts
    assert url.text == text


@pytest.mark.parametrize("text", ["", "memory", "://shop.db", "C:\\shop.db", "sqlite:///a\nb", "7up:", 7])
def test_what_is_no_url_is_refused(text: Any) -> None:
    """The error shows how one is written."""
    with pytest.raises(Misconfigured) as caught:
        Url.parse(text)

    assert caught.value.code == "bad_url"
    assert "sqlite:///shop.db" in caught.value.remedy


def test_an_option_that_is_named_twice_is_refused() -> None:
    """Nobody would know which one counts."""
    with pytest.raises(Misconfigured, match="an option twice") as caught:
        Url.parse("fakepsp:?seed=7&seed=8")

    assert caught.value.code == "bad_url"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://anna:s3cret@db/shop", "postgresql://anna:***@db/shop"),
        ("redis://:s3cret@cache/0", "redis://:***@cache/0"),
        ("postgresql://anna:s3/cr@t@db/shop", "postgresql://anna:***@db/shop"),
        ("stripe:?api_key=s3cret&mode=test", "stripe:?api_key=***&mode=test"),
        ("postgresql://db/shop?user=anna&password=s3cret", "postgresql://db/shop?user=anna&password=***"),
        ("postgresql://db/shop", "postgresql://db/shop"),
    ],
)
def test_a_password_is_never_shown(text: str, shown: str) -> None:
    """Neither `str` nor `repr` has it; the adapter gets it from `text`."""
    url = Url.parse(text)

    assert str(url) == shown
    assert repr(url) == f"Url({shown!r})"
    assert url.text == text


def test_an_error_about_a_url_hides_its_password() -> None:
    """A URL that cannot be read may still hold a secret."""
    with pytest.raises(Misconfigured) as caught:
        Url.parse("post gresql://anna:s3cret@db/shop")

    assert "s3cret" not in str(caught.value)
    assert hidden("//anna:s3cret@db") == "//anna:***@db"


def test_options_are_read_as_what_they_mean() -> None:
    """Whole numbers, numbers, and yes or no; what is not given has its default."""
    url = Url.parse("fakepsp:?seed=7&decline=0.02&webhooks=&loud=no")

    assert (url.integer("seed", 0), url.number("decline", 0.0)) == (7, 0.02)
    assert (url.flag("loud", True), url.flag("quiet", True), url.flag("webhooks"), url.integer("limit", 5)) == (
        False,
        True,
        True,
        5,
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "soon", "-1", "61"])
def test_a_number_is_finite_and_within_its_bounds(text: str) -> None:
    """No time-out is endless by accident, and none is below nothing."""
    with pytest.raises(Misconfigured) as caught:
        Url.parse(f"x1:?wait={text}").number("wait", 1.0, lowest=0, highest=60)

    assert (caught.value.code, caught.value.field) == ("bad_url", "wait")
    assert Url.parse("x1:?wait=60").number("wait", 1.0, lowest=0, highest=60) == 60.0
    assert Url.parse("x1:?wait=-7").integer("wait", 1) == -7


@pytest.mark.parametrize(("text", "message"), [("x1:?n=seven", "a whole number"), ("x1:?n=1.5", "a whole number")])
def test_an_option_that_is_something_else_is_refused(text: str, message: str) -> None:
    """The option is named."""
    with pytest.raises(Misconfigured, match=message) as caught:
        Url.parse(text).integer("n", 0)

    assert caught.value.field == "n"


def test_a_misspelled_option_is_refused() -> None:
    """The error lists the options that there are."""
    with pytest.raises(Misconfigured, match="no option 'sede'; it has: decline, seed") as caught:
        Url.parse("fakepsp:?sede=7").accepts("seed", "decline")

    assert caught.value.field == "sede"


def test_two_urls_are_equal_when_their_texts_are() -> None:
    """A URL can be a key."""
    assert len({Url.parse("memory:"), Url.parse("memory:"), Url.parse("memory:?x=1")}) == 2
    assert Url.parse(Url.parse("memory:")) == Url.parse("memory:")
