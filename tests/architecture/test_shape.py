"""A file is one sitting, a function one screen, and a public name is found where `__all__` says."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, files, functions, name, shipped, tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def test_every_file_is_one_sitting() -> None:
    """No shipped source file has more than 400 lines."""
    long = {
        name(path): lines
        for path in shipped()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


def test_every_function_fits_a_screen() -> None:
    """No shipped function has more than 70 lines."""
    long = {
        f"{name(path)}:{function.name}": lines
        for path in shipped()
        for function in functions(path)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    """A shipped module opens with a paragraph."""
    silent = [
        name(path)
        for path in shipped()
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    ]

    assert silent == []


def test_no_file_is_called_utils() -> None:
    """Nothing is put into a drawer without a name."""
    drawers = [
        name(path) for path in shipped() if path.stem.strip("_") in {"utils", "util", "helpers", "common", "misc"}
    ]

    assert drawers == []


def exporting() -> list[Path]:
    """Return the files of the library that declare `__all__`."""
    return [path for path in files("src") if any(_all_of(node) is not None for node in tree(path).body)]


def _all_of(node: ast.stmt) -> list[str] | None:
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
        names: list[str] = ast.literal_eval(node.value)
        return names
    return None


def _rank(public: str) -> tuple[int, str]:
    """Constants first, then classes, then functions: the order that ruff keeps too."""
    return (0 if public.isupper() else 1 if public[0].isupper() else 2, public)


@pytest.mark.parametrize("path", exporting(), ids=name)
def test_public_names_are_sorted_and_there(path: Path) -> None:
    """`__all__` is sorted, names nothing twice, and every name can be imported."""
    module = importlib.import_module(
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    )
    names = list(module.__all__)

    assert names == sorted(set(names), key=_rank)
    assert [public for public in names if not hasattr(module, public)] == []


def test_everything_that_orderkit_imports_for_users_is_in_its_all() -> None:
    """A public name of the package is either in `__all__` or not there."""
    package = importlib.import_module("orderkit")
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree(ROOT / "src/orderkit/__init__.py"))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("orderkit")
        for alias in node.names
    }

    assert imported == set(package.__all__)
