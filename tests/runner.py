"""Calls the command line in the process of the test, with what it says on standard error kept apart."""

from __future__ import annotations

from inspect import signature
from typing import Any

from click.testing import CliRunner


class Runner(CliRunner):
    """click's runner: since 8.2 it keeps the two apart, before it has to be asked."""

    def __init__(self) -> None:
        """Ask where that can be asked."""
        apart: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
        super().__init__(**apart)
