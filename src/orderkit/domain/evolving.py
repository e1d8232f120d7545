"""Values that are made and changed fast: `swift` for classes on the hot path, `evolve` in the place of `attrs.evolve`.

Placing an order makes a hundred values, and a frozen class sets each field through a function that looks its name up: that was two fifths of all
the time a placement took. A swift class is filled as an instance of its twin, a class with the same slots that is not frozen, and becomes an
instance of itself before anybody sees it. It is as frozen as before. This module must not know any class in particular.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

A = TypeVar("A")

_SAME: Any = object()
_become = object.__setattr__
_evolvers: dict[type, Callable[..., Any]] = {}


def swift(kind: type[A]) -> type[A]:
    """Let a frozen attrs class without checks, converters and weak references (`weakref_slot=False`) be made and evolved fast."""
    fields = attrs.fields(kind)  # type: ignore[arg-type]  # any class; one that is not of attrs is refused right here
    if hasattr(kind, "__attrs_post_init__") or any(
        f.validator or f.converter or not f.init or f.alias != f.name for f in fields
    ):
        raise TypeError(f"{kind.__name__} checks or converts its fields: it cannot be swift")
    if kind.__bases__ != (object,) or "__weakref__" in kind.__slots__:  # type: ignore[attr-defined]  # attrs made them
        raise TypeError(f"{kind.__name__} needs weakref_slot=False, and no base, to be swift")
    twin = type(kind.__name__, (), {"__slots__": kind.__slots__})  # type: ignore[attr-defined]  # just seen
    scope: dict[str, Any] = {"_same": _SAME, "_new": object.__new__, "_become": _become, "_twin": twin, "_kind": kind}
    given, called = [], []
    for field in sorted(fields, key=lambda f: f.kw_only):
        name, default = field.name, field.default
        if field.kw_only and "*" not in given:
            given.append("*")
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # it is a class
            called.append(f"if {name} is _same: {name} = _make_{name}()")
            scope[f"_make_{name}"] = default.factory
            default = _SAME
        scope[f"_default_{name}"] = default
        given.append(name if default is attrs.NOTHING else f"{name}=_default_{name}")
    names = [field.name for field in fields]
    made = [f"self.{name} = {name}" for name in names]
    _write(
        scope,
        f"__init__(self, {', '.join(given)})",
        ["_become(self, '__class__', _twin)", *called, *made, "self.__class__ = _kind"],
    )
    changed = [f"_made.{name} = _value.{name} if {name} is _same else {name}" for name in names]
    _write(
        scope,
        f"_evolved(_value, *, {', '.join(f'{name}=_same' for name in names)})",
        ["_made = _new(_twin)", *changed, "_made.__class__ = _kind", "return _made"],
    )
    initialize: Any = scope["__init__"]
    existing: Any = kind
    initialize.__qualname__, initialize.__module__ = f"{kind.__qualname__}.__init__", kind.__module__
    initialize.__annotations__ = existing.__init__.__annotations__
    existing.__init__ = initialize
    _evolvers[kind] = scope["_evolved"]
    return kind


def evolve(value: A, **changes: Any) -> A:
    """Return the value with the named fields changed."""
    evolver: Callable[..., A] = _evolvers.get(type(value), attrs.evolve)
    return evolver(value, **changes)


def _write(scope: dict[str, Any], head: str, body: list[str]) -> None:
    """Compile a function into the scope, as attrs does for its own methods; every name in it is a field's."""
    exec("\n    ".join([f"def {head}:", *body]), scope)  # noqa: S102  (see above)
