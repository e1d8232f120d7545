"""For every test of the repository, those of the adapters too: profiles, servers, and the documents whose snippets run."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

pytest_plugins = ("tests.profiles", "tests.servers", "tests.caches", "tests.brokers", "orderkit.testing.plugin")


@pytest.fixture(scope="module", autouse=True)
def _left_open() -> Iterator[None]:
    """What a module leaves open is told at its end, not in the middle of some later test; of SQLite's connections only Python 3.13 tells."""
    yield
    if sys.version_info >= (3, 13):
        gc.collect()


class Evaluator(PythonEvaluator):
    """Runs a snippet. Its error is raised without what caused it: sybil cannot show a chain, and would end the whole run."""

    def __call__(self, example: Example) -> None:
        """Run it."""
        try:
            super().__call__(example)
        except Exception as error:
            raise error from None


def _enter_folder(namespace: dict[str, Any]) -> None:
    """A document's snippets may write files; they do it in a folder of their own."""
    namespace["__home__"] = Path.cwd()
    namespace["__folder__"] = tempfile.mkdtemp(prefix="orderkit-docs-")
    os.chdir(namespace["__folder__"])


def _leave_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["__home__"])
    shutil.rmtree(namespace["__folder__"], ignore_errors=True)


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser("python", Evaluator()), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md", "adapters/*/README.md"],
    setup=_enter_folder,
    teardown=_leave_folder,
).pytest()
