"""The metadata say what is there: entry points that load, extras that an adapter needs, interpreters that are checked."""

from __future__ import annotations

import importlib
import re
import tomllib
from typing import Any

import pytest

from tests.architecture.tree import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENTRY_POINTS: dict[str, str] = PROJECT["project"]["entry-points"]["orderkit"]
ADAPTERS = sorted(path.parent.name + "/" + path.name for path in ROOT.glob("adapters/*/orderkit_*"))


@pytest.mark.parametrize("scheme", sorted(ENTRY_POINTS))
def test_every_scheme_has_a_plugin_that_loads_without_its_driver(scheme: str) -> None:
    """The module behind a scheme can be imported in the bare package: a missing driver shows when a URL is opened, with its remedy."""
    module = importlib.import_module(ENTRY_POINTS[scheme])

    assert module.__name__ == ENTRY_POINTS[scheme]


def test_every_adapter_is_in_the_wheel_and_on_the_path_of_an_editable_install() -> None:
    """No adapter folder is forgotten in either list of pyproject.toml."""
    build = PROJECT["tool"]["hatch"]["build"]
    packed = sorted(
        path.removeprefix("adapters/") for path in build["targets"]["wheel"]["packages"] if path.startswith("adapters/")
    )
    editable = sorted(path.removeprefix("adapters/") for path in build["dev-mode-dirs"] if path.startswith("adapters/"))

    assert packed == ADAPTERS
    assert editable == [path.partition("/")[0] for path in ADAPTERS]


def test_the_import_contracts_name_every_adapter() -> None:
    """A new adapter is under the same rules as the others."""
    contracts = (ROOT / ".importlinter").read_text(encoding="utf-8")
    modules = [path.partition("/")[2] for path in ADAPTERS]

    assert [module for module in modules if contracts.count(module) < 3] == []


def test_all_is_all() -> None:
    """The extra `all` names every other extra."""
    extras = PROJECT["project"]["optional-dependencies"]
    named = re.fullmatch(r"orderkit\[(.+)\]", extras["all"][0])

    assert named is not None
    assert named[1].split(",") == sorted(set(extras) - {"all"})


def test_ci_runs_the_very_line_that_the_readme_gives() -> None:
    """The README holds one line for each of its two commands, between the marks by which `.ci/run` finds them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for mark in ("demo-command", "tests-command"):
        lines = re.findall(rf"<!-- {mark} -->\n```(?:sh|console|bash)?\n(.+)\n```\n<!-- /{mark} -->", readme)

        assert len(lines) == 1, mark
        assert lines[0].startswith("python3 -m venv ")
