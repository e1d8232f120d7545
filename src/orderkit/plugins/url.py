"""Adapter URLs: `scheme[+driver]:rest[?query]`, as in `sqlite:///shop.db` or `fakepsp://flaky?seed=7`.

A URL is read here, once, into a value that adapters take apart as they like. It knows no adapter and opens nothing. Whatever is printed of
it (str, repr, messages of errors) hides passwords; only `text` and `rest` hold them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import parse_qsl

import attrs

from orderkit.errors import Misconfigured

A = TypeVar("A")
N = TypeVar("N", int, float)

# Two characters at least: one letter is a drive of Windows.
_SHAPE = re.compile(
    r"(?P<scheme>[a-z][a-z0-9.-]+)(?:\+(?P<driver>[a-z0-9_.-]+))?:(?P<rest>[^?]*)(?:\?(?P<query>.*))?",
    re.IGNORECASE | re.DOTALL,
)
# Up to the last @, so that a password with a slash or an @ in it is hidden too.
_USER = re.compile(r"(?P<user>//[^/:@]*):.*@", re.DOTALL)
_SECRET = re.compile(r"([?&][^=&]*(?:pass|pwd|secret|token|key|credential|auth)[^=&]*=)[^&]*", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@attrs.frozen(repr=False)
class Url:
    """An adapter URL, taken apart.

    `text` is the whole as given; `rest` is everything between the first colon and the question mark, slashes included. Two URLs are
    equal when their texts are.
    """

    text: str
    scheme: str = attrs.field(eq=False)
    driver: str = attrs.field(default="", eq=False)
    rest: str = attrs.field(default="", eq=False)
    query: Mapping[str, str] = attrs.field(factory=lambda: MappingProxyType({}), eq=False)

    @classmethod
    def parse(cls, text: Url | str) -> Url:
        """Return the URL that the text spells. Raises `Misconfigured` (`bad_url`)."""
        if isinstance(text, Url):
            return text
        if not isinstance(text, str):
            raise _bad(f"an adapter URL is text, not {type(text).__name__}")
        found = _SHAPE.fullmatch(text)
        if found is None or not text.isprintable():
            raise _bad(f"{hidden(text)!r} is no adapter URL")
        pairs = parse_qsl(found["query"] or "", keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            raise _bad(f"{hidden(text)!r} names an option twice")
        return cls(
            text=text,
            scheme=found["scheme"].lower(),
            driver=(found["driver"] or "").lower(),
            rest=found["rest"],
            query=MappingProxyType(query),
        )

    @property
    def location(self) -> str:
        """The rest without its two leading slashes: `/shop.db` of `sqlite:///shop.db`, `flaky` of `fakepsp://flaky`."""
        return self.rest.removeprefix("//")

    def integer(self, name: str, default: int, *, lowest: int | None = None, highest: int | None = None) -> int:
        """Return the option as a whole number within its bounds. Raises `Misconfigured`."""
        return default if name not in self.query else self._within(lowest, highest, name, int, "a whole number")

    def number(self, name: str, default: float, *, lowest: float | None = None, highest: float | None = None) -> float:
        """Return the option as a finite number within its bounds. Raises `Misconfigured`."""
        return default if name not in self.query else self._within(lowest, highest, name, _finite, "a number")

    def flag(self, name: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002  (like `integer` and `number`)
        """Return the option as yes or no; an option without a value means yes."""
        return default if name not in self.query else self._read(name, _flag, "yes or no")

    def accepts(self, *names: str) -> Url:
        """Return the URL itself if it has no options but these, so that a misspelled one is not ignored. Raises `Misconfigured`."""
        if unknown := sorted(set(self.query) - set(names)):
            known = ", ".join(sorted(names)) or "none"
            raise _bad(f"{self.scheme}: has no option {unknown[0]!r}; it has: {known}", field=unknown[0])
        return self

    def _read(self, name: str, read: Callable[[str], A], wanted: str) -> A:
        try:
            return read(self.query[name])
        except ValueError:
            raise _bad(f"the option {name!r} of {self.scheme}: is not {wanted}", field=name) from None

    def _within(
        self, lowest: float | None, highest: float | None, name: str, read: Callable[[str], N], wanted: str
    ) -> N:
        value = self._read(name, read, wanted)
        if (lowest is not None and value < lowest) or (highest is not None and value > highest):
            bounds = [f"at least {lowest:,}"] if lowest is not None else []
            bounds += [f"at most {highest:,}"] if highest is not None else []
            raise _bad(f"the option {name!r} of {self.scheme}: is {' and '.join(bounds)}", field=name)
        return value

    def __str__(self) -> str:
        return hidden(self.text)

    def __repr__(self) -> str:
        return f"Url({hidden(self.text)!r})"


def hidden(text: str) -> str:
    """Return the text of a URL without passwords, in its address and in its options."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\g<user>:***@", text))


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _flag(text: str) -> bool:
    lower = text.lower()
    if lower in _FALSE:
        return False
    if lower == "" or lower in _TRUE:
        return True
    raise ValueError(text)


def _bad(message: str, field: str | None = None) -> Misconfigured:
    return Misconfigured(message, code="bad_url", field=field)
