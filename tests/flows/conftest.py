"""What every test of the flows shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import missing


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close the shops that a test opened through `tests.missing`."""
    yield
    missing.close_all()
