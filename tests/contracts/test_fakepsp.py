"""The fake provider passes the contract of payments: in memory, on a file, for event loops, and with less than it can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.plugins.url import Url
from orderkit.ports.payments import Payments
from orderkit.testing.contracts.payments import BlockingPayments, PaymentsContract
from orderkit_fakepsp import FakeCard
from orderkit_fakepsp.plugin import open_async_payments, open_payments


def opened(url: str) -> Payments:
    """Return the provider that the URL names."""
    payments = open_payments(Url.parse(url))
    assert payments is not None
    return payments


class FakePaymentsContract(PaymentsContract):
    """The contract, with the cards that make trouble on purpose."""

    method = FakeCard.VISA
    declined_method = FakeCard.DECLINED
    lost_method = FakeCard.TIMEOUT_AFTER
    unsent_method = FakeCard.TIMEOUT_BEFORE
    reversed_method = FakeCard.REFUND_REVERSED


class TestMemoryBook(FakePaymentsContract):
    @pytest.fixture
    def payments(self) -> Iterator[Payments]:
        with closing(opened("fakepsp:")) as payments:
            yield payments


class TestDurableBook(FakePaymentsContract):
    @pytest.fixture
    def payments(self, tmp_path: Path) -> Iterator[Payments]:
        with closing(opened(f"fakepsp:///{tmp_path}/psp.db")) as payments:
            yield payments


class TestEventLoop(FakePaymentsContract):
    @pytest.fixture
    def payments(self, tmp_path: Path) -> Iterator[Payments]:
        found = open_async_payments(Url.parse(f"fakepsp:///{tmp_path}/psp.db"))
        assert found is not None
        with closing(BlockingPayments(found)) as payments:
            yield payments


class TestChargesOnly(FakePaymentsContract):
    @pytest.fixture
    def payments(self) -> Iterator[Payments]:
        with closing(opened("fakepsp:?authorize=no&partial_refund=no&tenders=card&webhooks=no")) as payments:
            yield payments


class TestOneCapture(FakePaymentsContract):
    @pytest.fixture
    def payments(self) -> Iterator[Payments]:
        with closing(opened("fakepsp:?several_captures=no")) as payments:
            yield payments
