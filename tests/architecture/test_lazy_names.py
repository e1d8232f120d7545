"""The public names come when they are asked for, each from the module that the type checkers are told."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import orderkit


def declared() -> dict[str, str]:
    """Return name → module as the imports for type checkers say."""
    tree = ast.parse(Path(orderkit.__file__).read_text(encoding="utf-8"))
    return {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("name", sorted(set(orderkit.__all__) - {"flows"}))
def test_a_public_name_is_where_the_type_checkers_look(name: str) -> None:
    """The table and the imports agree, and the name is there."""
    assert orderkit._MODULE_OF[name] == declared()[name]
    assert getattr(orderkit, name) is not None


def test_the_import_itself_loads_nothing() -> None:
    """Not even attrs; that comes with the first name."""
    code = "import sys, orderkit; print(sorted(m for m in sys.modules if m.startswith(('attr', 'orderkit.'))))"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'ordr'"):
        orderkit.ordr  # noqa: B018  (the look-up is the test)
