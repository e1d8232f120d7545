"""Marks for tests that need a driver which only an extra brings: without it they are skipped, and say what would enable them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_aiosqlite = pytest.mark.skipif(
    find_spec("aiosqlite") is None, reason="aiosqlite is not installed (pip install 'orderkit[sqlite-async]')"
)
needs_psycopg = pytest.mark.skipif(
    find_spec("psycopg") is None, reason="psycopg is not installed (pip install 'orderkit[postgres]')"
)
