"""What belongs to one machine, one registry or one unfinished day is not in the repository."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.tree import files, functions, name, shipped, suites, tree

TEXT = (
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".cfg",
    ".ini",
    ".txt",
    ".html",
    ".json",
    ".sql",
    ".csv",
    "run",
    ".importlinter",
    ".gitignore",
)
# The brackets keep this file from finding itself.
MACHINE = re.compile(r"/(wor[k]|roo[t]|hom[e]|User[s]|far[m]|tm[p]/[a-z]+)/")
REGISTRY = re.compile(r"pyp[i]\.org|pythonhoste[d]|registry\.np[m]|(extra-)?inde[x]-url|find-link[s]")
UNFINISHED = re.compile(r"\bTOD[O]\b|\bFIXM[E]\b|\bXX[X]\b|raise NotImplemente[d]Error")


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Return where the pattern occurs, as file:line: text."""
    return [
        f"{name(path)}:{number}: {hit[0]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (hit := pattern.search(line))
    ]


def texts() -> list[Path]:
    """Return every text file of the repository."""
    return [path for path in files(suffix="") if path.name.endswith(TEXT)]


def test_no_path_of_one_machine_is_written_down() -> None:
    """Nothing in the repository names a folder that only its author has."""
    assert found(MACHINE, texts()) == []


def test_no_registry_address_is_written_down() -> None:
    """Where packages come from is the installation's business: no address of an index, and no lock file with addresses."""
    assert found(REGISTRY, texts()) == []


def test_nothing_shipped_is_unfinished() -> None:
    """Shipped code holds no marks of work left over."""
    assert found(UNFINISHED, shipped()) == []


def test_every_silenced_check_says_why() -> None:
    """In shipped code a `noqa` or a `type: ignore` carries a code and a reason."""
    bare = re.compile(r"#\s*(noqa(?!: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*\s+\S)|type: ignore(?!\[[a-z-, ]+\]\s+(#|\()))")

    assert found(bare, shipped()) == []


def test_every_test_states_a_fact() -> None:
    """Every test has a docstring: the fact that it holds."""
    silent = [
        f"{name(path)}:{test.name}"
        for path in suites()
        for test in functions(path)
        if test.name.startswith("test_") and not ast.get_docstring(test)
    ]

    assert silent == []


def test_no_property_asks_for_fewer_examples_than_its_profile() -> None:
    """The number of examples is the profile's: no property sets its own, so that `full` means a thousand everywhere."""
    own = [
        f"{name(path)}:{call.lineno}"
        for path in files("tests", "adapters")
        if path.name != "profiles.py"
        for call in ast.walk(tree(path))
        if isinstance(call, ast.keyword) and call.arg == "max_examples"
    ]

    assert own == []


def test_the_full_profile_gives_a_thousand_examples() -> None:
    """`full` gives each law at least a thousand examples and no deadline; `light` gives fewer and always the same."""
    from hypothesis import settings  # noqa: PLC0415  (only this test reads the profiles)

    full, light = settings.get_profile("full"), settings.get_profile("light")

    assert full.max_examples >= 1_000
    assert full.deadline is None
    assert light.max_examples < full.max_examples
    assert light.derandomize
