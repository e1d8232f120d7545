"""The repository as the architecture tests see it: its files, and what is written in them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("src", "adapters", "examples", "benchmarks")
_PASSING = {
    ".git",
    ".nox",
    ".venv",
    ".hypothesis",
    "__pycache__",
    "build",
    "dist",
    "site",
}  # made here, never written by hand


def files(*tops: str, suffix: str = ".py") -> list[Path]:
    """Return the files under the given folders of the repository (or the whole of it), sorted."""
    return [path for top in tops or (".",) for path in sorted(_walk(ROOT / top)) if path.name.endswith(suffix)]


def _walk(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name in _PASSING or path.name.endswith(("_cache", ".egg-info")):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def name(path: Path) -> str:
    """Return the file's name as a reader of the repository would write it."""
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    """Say whether the file belongs to the tests, not to what is shipped."""
    return "tests" in path.relative_to(ROOT).parts


def shipped() -> list[Path]:
    """Return the Python files that users run or read: the library, its adapters, examples and benchmarks."""
    return [path for path in files(*SHIPPED) if not is_test(path)]


def suites() -> list[Path]:
    """Return the Python files with tests, those of the adapters too."""
    return [path for path in files("tests", "adapters") if is_test(path) and path.name.startswith("test_")]


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return the file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of the file, the inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
