"""The documents keep up with the code: generated pages are current, every error code and every glossary word is real."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.pages import PAGES
from tests.architecture.tree import ROOT, files, name, tree

ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
SECTIONS = ("## Context", "## Decision", "## Consequences", "## Confirmation")
LINES_MAX = 70


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_generated_page_is_what_the_code_says_today(page: str) -> None:
    """The page equals its generation; `python -m tests.architecture.pages` renews it."""
    stored = (ROOT / page).read_text(encoding="utf-8")

    assert PAGES[page](stored) == stored


def test_every_error_code_is_explained() -> None:
    """The page of errors has a heading for each code of the catalog."""
    from orderkit.catalog import CATALOG  # noqa: PLC0415  (the rest of the file reads sources only)

    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")

    assert [code for code in CATALOG if f"`{code}`" not in page] == []


def test_every_code_that_is_raised_is_in_the_catalog() -> None:
    """No source raises an error with a code that nobody explains."""
    from orderkit.catalog import CATALOG  # noqa: PLC0415  (the rest of the file reads sources only)

    raised = {
        (name(path), keyword.value.value)
        for path in files("src", "adapters")
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in _errors()
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }

    assert raised
    assert sorted(where for where in raised if where[1] not in CATALOG) == []


def _errors() -> set[str]:
    import orderkit.errors  # noqa: PLC0415  (the rest of the file reads sources only)

    return set(orderkit.errors.__all__)


def test_every_word_of_the_glossary_is_a_word_of_the_code() -> None:
    """A class that the glossary explains exists."""
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = {
        word
        for row in re.findall(r"^\| (.+?) \|", glossary, re.MULTILINE)
        for word in re.findall(r"`([A-Z][A-Za-z]+)`", row)
    }
    classes = {node.name for path in files("src") for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)}
    aliases = {
        target.id
        for path in files("src")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.AnnAssign)
        for target in [node.target]
        if isinstance(target, ast.Name)
    }

    assert len(words) > 20
    assert sorted(words - classes - aliases) == []


@pytest.mark.parametrize("path", ADRS, ids=name)
def test_a_decision_is_one_page_that_says_how_it_is_confirmed(path: Path) -> None:
    """A decision record has its status, context, decision, consequences and confirmation, on one page."""
    text = path.read_text(encoding="utf-8")

    assert [section for section in SECTIONS if section not in text] == []
    assert "Status: " in text
    assert len(text.splitlines()) <= LINES_MAX


def test_decisions_are_numbered_without_a_gap() -> None:
    """Decision records are 0001, 0002, … and the index names each."""
    numbers = [int(path.name[:4]) for path in ADRS]
    index = (ROOT / "docs/adr/index.md").read_text(encoding="utf-8")

    assert numbers == list(range(1, len(numbers) + 1))
    assert [path.name for path in ADRS if path.name not in index] == []


def test_every_link_between_documents_leads_somewhere() -> None:
    """A relative link of a page names a file that is there."""
    dead = [
        f"{name(page)}: {target}"
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *files("docs", "adapters", suffix=".md")]
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_page_is_in_the_navigation() -> None:
    """A page that nobody can reach is not there."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    assert [name(page) for page in files("docs", suffix=".md") if name(page).removeprefix("docs/") not in config] == []
