"""The fake carriers pass the contract of carriers: in memory, on a file, for event loops, each by name, and with less than they can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orderkit.domain.value import evolve
from orderkit.plugins.url import Url
from orderkit.ports.carriers import Booked, Carriers
from orderkit.testing.contracts.carriers import BlockingCarriers, CarriersContract
from orderkit_fakecarrier.plugin import open_async_carriers, open_carriers


def opened(url: str) -> Carriers:
    """Return the carriers that the URL names."""
    carriers = open_carriers(Url.parse(url))
    assert carriers is not None
    return carriers


class TestMemoryBook(CarriersContract):
    @pytest.fixture
    def carriers(self) -> Iterator[Carriers]:
        with closing(opened("fakecarrier:")) as carriers:
            yield carriers

    @pytest.mark.parametrize("carrier", ["fedex", "ups", "usps", "royal_mail", "dhl"])
    def test_each_carrier_can_be_chosen(self, carriers: Carriers, carrier: str) -> None:
        """A parcel is booked with the carrier that was asked for."""
        answer = carriers.book_parcel(evolve(self.parcel(), carrier=carrier))
        assert isinstance(answer, Booked)
        assert answer.carrier == carrier


class TestDurableBook(CarriersContract):
    carrier = "ups"

    @pytest.fixture
    def carriers(self, tmp_path: Path) -> Iterator[Carriers]:
        with closing(opened(f"fakecarrier:///{tmp_path}/parcels.db")) as carriers:
            yield carriers


class TestEventLoop(CarriersContract):
    carrier = "fedex"

    @pytest.fixture
    def carriers(self, tmp_path: Path) -> Iterator[Carriers]:
        found = open_async_carriers(Url.parse(f"fakecarrier:///{tmp_path}/parcels.db"))
        assert found is not None
        with closing(BlockingCarriers(found)) as carriers:
            yield carriers


class TestLostReplies(CarriersContract):
    @pytest.fixture
    def carriers(self) -> Iterator[Carriers]:
        with closing(opened("fakecarrier:?reply_lost=0.5&seed=3&return_labels=no&cancel=no")) as carriers:
            yield carriers
