"""The contract of a carrier adapter.

Inherit `CarriersContract` and override the fixture `carriers`:

    class TestAcme(CarriersContract):
        @pytest.fixture
        def carriers(self):
            with closing(AcmeCarriers(sandbox=True)) as carriers:
                yield carriers

What the adapter claims in `capabilities` is tested; what it does not claim must be refused. An adapter for event loops is wrapped in
`BlockingCarriers`. Nothing here knows any adapter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import ClassVar

import pytest

from orderkit.domain.order import Address
from orderkit.domain.shipment import CarrierStatus, Scan
from orderkit.domain.value import evolve
from orderkit.ports.carriers import (
    AsyncCarriers,
    Booked,
    BookParcel,
    CancelParcel,
    CarrierAnswer,
    Carriers,
    TrackParcel,
)
from orderkit.ports.payments import Refused, Unknown
from orderkit.testing.contracts.payments import MONDAY, THREADS, EventLoop

BAKER_STREET = Address(name="Anna Schmidt", street="221b Baker Street", city="London", zip="NW1 6XE", country="GB")
MANY = 100  # parcels that leave a warehouse at its cutoff
_PARCELS = itertools.count(1)


class BlockingCarriers:
    """An adapter for event loops, as the suite calls it."""

    def __init__(self, carriers: AsyncCarriers) -> None:
        self.capabilities = carriers.capabilities
        self._carriers = carriers
        self._loop = EventLoop()

    def book_parcel(self, asked: BookParcel) -> CarrierAnswer:
        """Pass the booking on."""
        return self._loop.run(self._carriers.book_parcel(asked))

    def cancel_parcel(self, asked: CancelParcel) -> Booked | Refused | Unknown:
        """Pass the cancellation on."""
        return self._loop.run(self._carriers.cancel_parcel(asked))

    def track_parcel(self, asked: TrackParcel) -> tuple[Scan, ...]:
        """Pass the question on."""
        return self._loop.run(self._carriers.track_parcel(asked))

    def close(self) -> None:
        """Close the adapter and the loop."""
        self._loop.run(self._carriers.close())
        self._loop.close()


class CarriersContract:
    """What every carrier adapter does."""

    address: ClassVar[Address] = BAKER_STREET
    carrier: ClassVar[str | None] = None
    latest: ClassVar[timedelta] = timedelta(days=60)

    @pytest.fixture
    def carriers(self) -> Iterator[Carriers]:
        """The adapter under test. Override it."""
        pytest.fail("override this fixture with your adapter")

    def parcel(self) -> BookParcel:
        """Return a parcel of two units under a new key."""
        return BookParcel(
            key=f"contract-{MONDAY:%y%m%d}-S{next(_PARCELS)}",
            carrier=self.carrier,
            warehouse="leeds",
            address=self.address,
            service="standard",
            units=2,
            at=MONDAY,
        )

    def booked(self, carriers: Carriers, asked: BookParcel) -> Booked:
        """Book a parcel, as often as it takes to learn the answer."""
        for _ in range(3):
            answer = carriers.book_parcel(asked)
            if not isinstance(answer, Unknown):
                break
        assert isinstance(answer, Booked)
        return answer

    def tracked(self, carriers: Carriers, booked: Booked, after: timedelta) -> tuple[Scan, ...]:
        """Ask where a parcel was until some time after Monday morning."""
        asked = TrackParcel(carrier=booked.carrier, tracking_number=booked.tracking_number, at=MONDAY + after)
        return carriers.track_parcel(asked)

    def cancelled(self, carriers: Carriers, booked: Booked, after: timedelta) -> Booked | Refused | Unknown:
        """Void a label some time after Monday morning."""
        number = booked.tracking_number
        return carriers.cancel_parcel(
            CancelParcel(key=f"{number}/void", carrier=booked.carrier, tracking_number=number, at=MONDAY + after)
        )

    # ---- booking

    def test_a_booking_has_a_number_and_a_label(self, carriers: Carriers) -> None:
        """A booked parcel has a carrier, a number to follow it by, and a label to print."""
        booked = self.booked(carriers, self.parcel())
        assert all((booked.carrier, booked.tracking_number, booked.tracking_url, booked.label_url))

    def test_a_repeated_key_gets_the_first_number(self, carriers: Carriers) -> None:
        """The same parcel booked again, an hour later, is the same parcel."""
        asked = self.parcel()
        first = self.booked(carriers, asked)
        assert self.booked(carriers, evolve(asked, at=MONDAY + timedelta(hours=1))) == first

    def test_one_key_in_parallel_books_one_parcel(self, carriers: Carriers) -> None:
        """Sixteen threads book one parcel at once and get one number."""
        asked = self.parcel()
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(carriers.book_parcel, [asked] * THREADS))
        numbers = {answer.tracking_number for answer in answers if isinstance(answer, Booked)}
        assert numbers == {self.booked(carriers, asked).tracking_number}

    def test_a_key_with_another_parcel_is_refused(self, carriers: Carriers) -> None:
        """A key stands for one parcel."""
        asked = self.parcel()
        self.booked(carriers, asked)
        assert carriers.book_parcel(evolve(asked, units=3)) == Refused("key_reused")

    def test_two_parcels_have_two_numbers(self, carriers: Carriers) -> None:
        """Parcels that are booked in one minute have numbers of their own."""
        numbers = {self.booked(carriers, self.parcel()).tracking_number for _ in range(MANY)}
        assert len(numbers) == MANY

    def test_a_country_that_does_not_exist_is_refused(self, carriers: Carriers) -> None:
        """Nobody carries a parcel to ZZ."""
        asked = evolve(self.parcel(), address=evolve(self.address, country="ZZ"))
        assert isinstance(carriers.book_parcel(asked), Refused)

    def test_a_return_label_is_printed_if_claimed_and_refused_if_not(self, carriers: Carriers) -> None:
        """A label for the way back is a parcel like any other, where the adapter claims it."""
        answer = carriers.book_parcel(evolve(self.parcel(), back=True))
        assert isinstance(answer, Booked if carriers.capabilities.return_labels else Refused)

    # ---- scans

    def test_a_parcel_arrives(self, carriers: Carriers) -> None:
        """In the end the carrier says that the parcel was delivered."""
        scans = self.tracked(carriers, self.booked(carriers, self.parcel()), self.latest)
        assert scans[-1].status is CarrierStatus.DELIVERED

    def test_nothing_is_said_before_it_happens(self, carriers: Carriers) -> None:
        """Whenever somebody asks, every scan is from before the question, and they come in order of time."""
        booked = self.booked(carriers, self.parcel())
        for hours in range(0, 24 * 10, 5):
            scans = self.tracked(carriers, booked, timedelta(hours=hours))
            assert [scan.at for scan in scans] == sorted(scan.at for scan in scans)
            assert all(scan.at <= MONDAY + timedelta(hours=hours) for scan in scans)

    def test_what_was_said_stays_said(self, carriers: Carriers) -> None:
        """A later question repeats the earlier scans, with their ids, and adds new ones at the end."""
        booked = self.booked(carriers, self.parcel())
        before: tuple[Scan, ...] = ()
        for hours in range(0, 24 * 10, 5):
            scans = self.tracked(carriers, booked, timedelta(hours=hours))
            assert scans[: len(before)] == before
            before = scans
        assert before
        assert len({scan.id for scan in before}) == len(before)

    def test_scans_of_two_parcels_have_different_ids(self, carriers: Carriers) -> None:
        """An id names one scan of one parcel."""
        mine, yours = (self.tracked(carriers, self.booked(carriers, self.parcel()), self.latest) for _ in range(2))
        assert not {scan.id for scan in mine} & {scan.id for scan in yours}

    def test_an_unknown_number_has_no_scans(self, carriers: Carriers) -> None:
        """A number that the carrier did not write is no error: there is nothing to say."""
        carrier = self.booked(carriers, self.parcel()).carrier
        assert carriers.track_parcel(TrackParcel(carrier=carrier, tracking_number="NO-SUCH-NUMBER", at=MONDAY)) == ()

    # ---- cancelling

    def test_a_label_is_void_before_pickup_if_claimed_and_refused_if_not(self, carriers: Carriers) -> None:
        """A parcel cancelled at once never travels; an adapter that cannot cancel says so, and the parcel travels."""
        booked = self.booked(carriers, self.parcel())
        answer = self.cancelled(carriers, booked, timedelta(0))
        statuses = {scan.status for scan in self.tracked(carriers, booked, self.latest)}
        if carriers.capabilities.cancel:
            assert isinstance(answer, Booked)
            assert statuses <= {CarrierStatus.PRE_TRANSIT}
        else:
            assert isinstance(answer, Refused)
            assert CarrierStatus.DELIVERED in statuses

    def test_a_label_can_be_made_void_twice(self, carriers: Carriers) -> None:
        """The second cancellation gets the answer of the first."""
        booked = self.booked(carriers, self.parcel())
        first = self.cancelled(carriers, booked, timedelta(0))
        assert self.cancelled(carriers, booked, timedelta(days=30)) == first

    def test_a_parcel_on_its_way_cannot_be_cancelled(self, carriers: Carriers) -> None:
        """After pickup a cancellation is refused, and the parcel arrives."""
        booked = self.booked(carriers, self.parcel())
        assert isinstance(self.cancelled(carriers, booked, self.latest), Refused)
        assert self.tracked(carriers, booked, self.latest)[-1].status is CarrierStatus.DELIVERED

    def test_a_number_that_nobody_wrote_cannot_be_cancelled(self, carriers: Carriers) -> None:
        """Cancelling an unknown parcel is refused."""
        carrier = self.booked(carriers, self.parcel()).carrier
        asked = CancelParcel(key="no-such-parcel/void", carrier=carrier, tracking_number="NO-SUCH-NUMBER", at=MONDAY)
        assert isinstance(carriers.cancel_parcel(asked), Refused)
