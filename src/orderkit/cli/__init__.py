"""The command line: run, inspect and repair an order shop. `main` is the whole of what is imported at start; commands load when called."""

from __future__ import annotations

from orderkit.cli.main import main

__all__ = ["main"]
