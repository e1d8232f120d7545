"""The shop of a program, for a command that works on its behalf: opened by the program's own function, with its settings and adapters.

URLs say which adapters there are; they do not say which warehouses, hours and policies a shop has, nor do they reach an object that only the
program makes. This module knows how a function is named on the command line, and nothing of what a command does with the shop.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path

from orderkit import Shop
from orderkit.errors import Misconfigured

OPTION = "--shop"


def hosted(named: str) -> Shop:
    """Return the shop that `MODULE:FUNCTION` opens; modules are found as for a program that is started in this directory.

    Raises: `Misconfigured`, naming the option. What the module or the function itself raises is the program's own.
    """
    module, _, function = named.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise _wrong(f"{named!r} names no function", "Write it as MODULE:FUNCTION, for example shop.wiring:open_shop.")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        opens = getattr(import_module(module), function, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(
            f"{error.name}."
        ):  # the module is there, and misses another
            raise
        raise _wrong(
            f"there is no module {error.name!r}", "Start the command where Python finds the module, or install it."
        ) from error
    if not callable(opens):
        raise _wrong(f"{module} has no function {function!r}", "Name a function that opens the shop and returns it.")
    shop = opens()
    if isinstance(shop, Shop) and not shop.closed:
        return shop
    if isinstance(shop, Coroutine):
        shop.close()
        raise _wrong(
            f"{named} is an async function", "Name one that is not: a worker needs what orderkit.open(…) gives."
        )
    what = "a shop that is closed" if isinstance(shop, Shop) else type(shop).__name__
    raise _wrong(f"{named} returned {what}", "Return what orderkit.open(…) gives.")


def _wrong(message: str, remedy: str) -> Misconfigured:
    return Misconfigured(message, field=OPTION, remedy=remedy)
