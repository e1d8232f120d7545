"""Imports point inward, and `import orderkit` stays light."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

HEAVY = ("sqlalchemy", "redis", "structlog", "fastapi", "click", "rich", "msgspec", "pyarrow", "transitions", "pluggy")
LOADED = "import sys; before = set(sys.modules); import orderkit; print(*sorted(set(sys.modules) - before))"


@functools.cache
def modules_of_import_orderkit() -> frozenset[str]:
    """Return what a fresh interpreter loads for `import orderkit`."""
    ran = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    return frozenset(ran.stdout.split())


@pytest.mark.parametrize("heavy", HEAVY)
def test_importing_orderkit_leaves_the_heavy_ones_out(heavy: str) -> None:
    """`import orderkit` loads no database toolkit, no logger, no web framework, no command line and no codec."""
    loaded = modules_of_import_orderkit()

    assert heavy not in loaded


def test_importing_orderkit_loads_the_standard_library_only() -> None:
    """No third party is loaded before a name of orderkit is used."""
    thirds = {name.partition(".")[0] for name in modules_of_import_orderkit()} - set(sys.stdlib_module_names)

    assert thirds == {"orderkit"}


def test_importing_orderkit_loads_no_adapter() -> None:
    """An adapter is loaded when its URL is opened, not before."""
    assert not {name for name in modules_of_import_orderkit() if name.startswith("orderkit_")}


def test_the_import_contracts_are_kept(tmp_path: Path) -> None:
    """Every contract of `.importlinter` holds."""
    pytest.importorskip("importlinter", reason="import-linter is not installed (dependency group `lint`)")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    command += ["--cache-dir", str(tmp_path)]
    ran = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
