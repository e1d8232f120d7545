"""What a flow must not do, read from its source (docs/explanation/flows.md gives the reasons)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import files, name, tree

FLOWS = [path for path in files("src/orderkit/flows") if path.name != "__init__.py"]


def guarded(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a statement that a crash in an `await` would skip, or that Python would run after death."""
    match node:
        case ast.With() | ast.AsyncWith() | ast.AsyncFor():
            yield node
        case ast.Try(finalbody=[_, *_]):
            yield node
        case ast.Try(handlers=handlers):
            yield from node.body if any(_catches_all(handler) for handler in handlers) else ()
        case _:
            return


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or "BaseException" in ast.unparse(handler.type)


def awaits_under_guard(path: Path) -> list[str]:
    """Return where the file awaits inside `with`, `try/finally` or `except BaseException`."""
    return [
        f"{name(path)}:{waiting.lineno}"
        for node in ast.walk(tree(path))
        for part in guarded(node)
        for waiting in ast.walk(part)
        if isinstance(waiting, ast.Await)
    ]


@pytest.mark.parametrize("path", FLOWS, ids=name)
def test_a_flow_leaves_nothing_for_after_its_death(path: Path) -> None:
    """No flow awaits inside `with`, `try/finally` or `except BaseException`: a crash skips what follows, or Python runs it too late."""
    assert awaits_under_guard(path) == []


def test_the_check_itself_sees_what_it_looks_for(tmp_path: Path) -> None:
    """An `await` under `finally` is found, and one under `except ValueError` is not."""
    source = """
async def bad():
    try:
        await Commit()
    finally:
        close()

async def good():
    try:
        await Commit()
    except ValueError:
        pass
"""
    found = [
        waiting.lineno
        for node in ast.walk(ast.parse(source))
        for part in guarded(node)
        for waiting in ast.walk(part)
        if isinstance(waiting, ast.Await)
    ]

    assert found == [4]


def test_every_effect_is_a_frozen_value_without_a_dict() -> None:
    """Every effect of every port is frozen and has slots."""
    import orderkit.ports  # noqa: PLC0415  (its modules are imported below)

    effects = []
    for path in files("src/orderkit/ports"):
        module = (
            __import__(f"orderkit.ports.{path.stem}", fromlist=["*"]) if path.stem != "__init__" else orderkit.ports
        )
        effects += [
            v
            for v in vars(module).values()
            if isinstance(v, type) and v.__module__ == module.__name__ and _is_effect(v)
        ]
    loose = [
        effect.__qualname__ for effect in effects if "__dict__" in dir(effect) or not effect.__struct_config__.frozen
    ]

    assert len(effects) > 20
    assert loose == []


def _is_effect(kind: type) -> bool:
    from orderkit.ports.effect import Effect, Inside, Outside  # noqa: PLC0415  (this file is about sources; only here the values matter)

    return issubclass(kind, Effect) and kind not in (Effect, Inside, Outside)
