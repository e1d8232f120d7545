"""The rules of flows that a reader of sources can hold: nothing waits where a crash would skip what follows, or run it after death."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import files, name, tree

LAST_RESORTS = {"BaseException", "CancelledError", "GeneratorExit", "KeyboardInterrupt"}


def misplaced(node: ast.AST, where: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield line and place of every `await` that a crash would turn into a lie; a nested function begins anew."""
    if isinstance(node, ast.Await) and where is not None:
        yield node.lineno, where
    if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef, ast.Lambda)):
        where = None
    elif isinstance(node, ast.AsyncWith | ast.AsyncFor):
        yield node.lineno, type(node).__name__
        where = type(node).__name__
    elif isinstance(node, ast.With):
        where = "With"
    elif isinstance(node, (ast.Try, ast.TryStar)):
        if node.finalbody:
            where = "finally"
        elif any(_last_resort(handler) for handler in node.handlers):
            where = "except BaseException"
    for child in ast.iter_child_nodes(node):
        yield from misplaced(child, where)


def _last_resort(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(part, (ast.Name, ast.Attribute)) and _word(part) in LAST_RESORTS for part in ast.walk(handler.type)
    )


def _word(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.parametrize("path", files("src/orderkit/flows"), ids=name)
def test_a_library_flow_waits_nowhere_that_a_crash_would_skip(path: Path) -> None:
    """No `await` of a library flow is inside `with`, `try/finally`, or a `try` that catches everything."""
    assert list(misplaced(tree(path))) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("try:\n  await Load('MUG')\n finally:\n  close()", "finally"),
        ("try:\n  pass\n finally:\n  await Load('MUG')", "finally"),
        ("with lock:\n  await Load('MUG')", "With"),
        ("try:\n  pass\n except BaseException:\n  await Load('MUG')", "except BaseException"),
        ("try:\n  await Load('MUG')\n except (ValueError, asyncio.CancelledError):\n  pass", "except BaseException"),
        ("try:\n  await Load('MUG')\n except:\n  pass", "except BaseException"),
    ],
)
def test_the_rule_sees_what_it_forbids(body: str, place: str) -> None:
    """Each forbidden place is found, once."""
    assert [found for _, found in misplaced(ast.parse(f"async def flow():\n {body}"))] == [place]


def test_the_rule_sees_that_an_async_with_waits_by_itself() -> None:
    """Entering an `async with` is an await that is not written."""
    assert list(misplaced(ast.parse("async def flow():\n async with lock:\n  pass"))) == [(2, "AsyncWith")]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n  await Load('MUG')\n except NotAllowed:\n  await Load('TEE')",
        "with lock:\n  async def inner():\n   await Load('MUG')",
    ],
)
def test_the_rule_leaves_the_rest_alone(body: str) -> None:
    """Catching an error of the domain is no last resort, and a nested flow waits for itself."""
    assert list(misplaced(ast.parse(f"async def flow():\n {body}"))) == []
