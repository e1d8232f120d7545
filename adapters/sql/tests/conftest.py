"""What the tests of the SQL adapter share: a schema of their own on the server."""

from __future__ import annotations

import secrets

import pytest


@pytest.fixture
def address(postgres_database: str) -> str:
    """The address of a schema of its own."""
    return f"{postgres_database}?schema=shop_{secrets.token_hex(4)}"
