"""The plugin: `fakepsp:` URLs, read into a provider. Hook implementations and options, nothing else.

    fakepsp:                                  a book in memory
    fakepsp:///shop.psp.db                    a book in a file, relative to the working directory; four slashes begin an absolute path
    fakepsp:///shop.psp.db?create=no          the same, if the book is there and something stands in it
    fakepsp:?personality=flaky&seed=7         chances by seed and key; also `fakepsp://flaky?seed=7`

Options: `personality` (instant, flaky, slow), `seed`, `decline`, `lost`, `timeout` (0 to 1), `latency_ms`, `authorization_days`,
`horizon_s`, `secret` (of webhooks), `create` (yes or no), and what the provider claims: `authorize`, `several_captures`,
`partial_refund`, `webhooks` (yes or no), `tenders` (separated by commas).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.payments import AsyncPayments, PaymentCapabilities, Payments
from orderkit_fakepsp.book import Book
from orderkit_fakepsp.desk import PERSONALITIES, Personality
from orderkit_fakepsp.provider import CAPABILITIES, SECRET, AsyncFakePayments, FakePayments

SCHEME = "fakepsp"
_CHANCES = ("decline", "lost", "timeout")
_LENGTHS = (("authorization_days", 7), ("horizon_s", 1_800))
_LARGEST = {"authorization_days": 365, "horizon_s": 31_536_000, "latency_ms": 600_000}
_CLAIMS = ("authorize", "several_captures", "partial_refund", "webhooks")
_OPTIONS = (
    "personality",
    "seed",
    *_CHANCES,
    "latency_ms",
    "authorization_days",
    "horizon_s",
    "secret",
    "create",
    *_CLAIMS,
    "tenders",
)


@hookimpl
def open_payments(url: Url) -> Payments | None:
    """Open the provider for threads."""
    return FakePayments(**_parts(url)) if url.scheme == SCHEME else None


@hookimpl
def open_async_payments(url: Url) -> AsyncPayments | None:
    """Open the provider for event loops."""
    return AsyncFakePayments(**_parts(url)) if url.scheme == SCHEME else None


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the provider can do unless its URL takes something away."""
    return {"payments": CAPABILITIES} if scheme == SCHEME else None


def _parts(url: Url) -> dict[str, Any]:
    url.accepts(*_OPTIONS)
    named, path = _place(url)
    return {
        "personality": _personality(url, named),
        "capabilities": _capabilities(url),
        "secret": url.query.get("secret", SECRET),
        "book": Book(path, create=url.flag("create", default=True)),
    }


def _place(url: Url) -> tuple[str, Path | None]:
    """Return the personality and the book's path that stand before the question mark."""
    location = url.location
    if not location.startswith("/"):
        return location, None
    if location == "/":
        raise _bad("the book needs a name, as in fakepsp:///shop.psp.db", "path")
    return "", Path(location[1:])


def _personality(url: Url, named: str) -> Personality:
    name = url.query.get("personality", named or "instant")
    found = PERSONALITIES.get(name)
    if found is None or (named and named != name):
        raise _bad(f"{name!r} is no personality; there are: {', '.join(PERSONALITIES)}", "personality")
    chances = {chance: url.number(chance, getattr(found, chance)) for chance in _CHANCES}
    if wrong := [chance for chance, value in chances.items() if not 0 <= value <= 1]:
        raise _bad(f"{wrong[0]} is a chance from 0 to 1", wrong[0])
    lengths = {
        name: url.number(name, default) for name, default in (*_LENGTHS, ("latency_ms", found.latency_seconds * 1_000))
    }
    for name, value in lengths.items():
        if not 0 <= value <= _LARGEST[name]:
            raise _bad(f"{name} lies between 0 and {_LARGEST[name]:,}", name)
    return attrs.evolve(
        found,
        seed=url.integer("seed", 0),
        latency_seconds=lengths["latency_ms"] / 1_000,
        authorization=timedelta(days=lengths["authorization_days"]),
        horizon=timedelta(seconds=lengths["horizon_s"]),
        **chances,
    )


def _capabilities(url: Url) -> PaymentCapabilities:
    tenders = CAPABILITIES.tenders
    if "tenders" in url.query:
        tenders = frozenset(name.strip() for name in url.query["tenders"].split(",") if name.strip())
        if unknown := sorted(tenders - CAPABILITIES.tenders):
            raise _bad(f"{unknown[0]!r} is no tender of {SCHEME}:", "tenders")
    return evolve(CAPABILITIES, tenders=tenders, **{claim: url.flag(claim, default=True) for claim in _CLAIMS})


def _bad(message: str, field: str) -> Misconfigured:
    return Misconfigured(message, code="bad_url", field=field)
