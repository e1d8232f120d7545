"""Who may ask, and how often."""

from __future__ import annotations

import pytest

from orderkit.errors import OrderkitError

try:
    from orderkit_fastapi.access import Limiter
except ModuleNotFoundError:
    pytest.skip("FastAPI is not installed (pip install 'orderkit[fastapi]')", allow_module_level=True)


def test_a_bucket_fills_again() -> None:
    """Half a token a second: refused at once, served after the seconds that the refusal named."""
    now = [100.0]
    limiter = Limiter(rate=0.5, burst=1, clock=lambda: now[0])
    limiter.take("customer:anna")
    with pytest.raises(OrderkitError) as refused:
        limiter.take("customer:anna")
    now[0] += refused.value.facts["retry_after_seconds"]

    limiter.take("customer:anna")

    assert refused.value.facts == {"retry_after_seconds": 2}
