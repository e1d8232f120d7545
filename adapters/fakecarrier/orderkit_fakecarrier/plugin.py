"""The plugin: `fakecarrier:` URLs, read into carriers. Hook implementations and options, nothing else.

    fakecarrier:                              keys are remembered in memory; numbers can be tracked after a restart all the same
    fakecarrier:///parcels.db                 keys are remembered in a file; four slashes begin an absolute path
    fakecarrier:?lost=0.001&rto=0.001&seed=3  chances by seed and key; `fakecarrier://rough` has some of each

Options: `personality` (smooth, rough), `seed`, chances from 0 to 1 (`failed_attempt`, `collected`, `rto`, `lost`, `found`, `damaged`,
`silent`, `reply_lost`), and what the carriers claim: `cancel`, `return_labels` (yes or no).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.carriers import AsyncCarriers, Carriers
from orderkit_fakecarrier.book import Book
from orderkit_fakecarrier.carrier import CAPABILITIES, AsyncFakeCarriers, FakeCarriers, Troubles
from orderkit_fakecarrier.routes import Chances

SCHEME = "fakecarrier"
PERSONALITIES = {
    "smooth": Troubles(),
    "rough": Troubles(
        chances=Chances(
            failed_attempt=0.05, collected=0.02, rto=0.01, lost=0.01, found=0.005, damaged=0.005, silent=0.005
        ),
        reply_lost=0.01,
    ),
}
_CHANCES = tuple(field.name for field in attrs.fields(Chances) if field.name != "seed")
_CLAIMS = ("cancel", "return_labels")


@hookimpl
def open_carriers(url: Url) -> Carriers | None:
    """Open the carriers for threads."""
    return FakeCarriers(**_parts(url)) if url.scheme == SCHEME else None


@hookimpl
def open_async_carriers(url: Url) -> AsyncCarriers | None:
    """Open the carriers for event loops."""
    return AsyncFakeCarriers(**_parts(url)) if url.scheme == SCHEME else None


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the carriers can do unless their URL takes something away."""
    return {"carriers": CAPABILITIES} if scheme == SCHEME else None


def _parts(url: Url) -> dict[str, Any]:
    url.accepts("personality", "seed", "reply_lost", *_CHANCES, *_CLAIMS)
    location, path = url.location, None
    if location.startswith("/"):
        if location == "/":
            raise _bad("the book needs a name, as in fakecarrier:///parcels.db", "path")
        location, path = "", Path(location[1:])
    return {
        "troubles": _troubles(url, location),
        "capabilities": evolve(CAPABILITIES, **{claim: url.flag(claim, default=True) for claim in _CLAIMS}),
        "book": Book(path),
    }


def _troubles(url: Url, named: str) -> Troubles:
    name = url.query.get("personality", named or "smooth")
    found = PERSONALITIES.get(name)
    if found is None or (named and named != name):
        raise _bad(f"{name!r} is no personality; there are: {', '.join(PERSONALITIES)}", "personality")
    chances = {chance: url.number(chance, getattr(found.chances, chance)) for chance in _CHANCES}
    reply_lost = url.number("reply_lost", found.reply_lost)
    for chance, value in {**chances, "reply_lost": reply_lost}.items():
        if not 0 <= value <= 1:
            raise _bad(f"{chance} is a chance from 0 to 1", chance)
    if sum(chances.values()) > 1:
        raise _bad(f"the chances of {', '.join(_CHANCES)} come to more than 1", "personality")
    return Troubles(chances=Chances(seed=url.integer("seed", 0), **chances), reply_lost=reply_lost)


def _bad(message: str, field: str) -> Misconfigured:
    return Misconfigured(message, code="bad_url", field=field)
