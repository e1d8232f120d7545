"""What parcels meet on their way, what a restart forgets and what it does not, and which bookings are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orderkit.domain.order import Address
from orderkit.domain.shipment import RANK, CarrierStatus, Scan, folded
from orderkit.domain.value import evolve
from orderkit.errors import Misconfigured, PortError
from orderkit.plugins.url import Url
from orderkit.ports.carriers import Booked, BookParcel, CancelParcel, Carriers, TrackParcel
from orderkit.ports.payments import Refused, Unknown
from orderkit_fakecarrier import FakeCarriers, Fate, Waybill, waybill_of
from orderkit_fakecarrier.book import Book
from orderkit_fakecarrier.numbers import SHAPES
from orderkit_fakecarrier.plugin import adapter_capabilities, open_async_carriers, open_carriers
from orderkit_fakecarrier.routes import CARRIERS, COUNTRIES, Chances, scans_of

MONDAY = datetime(2009, 12, 7, 16, 0, tzinfo=UTC)
MILL_LANE = Address(name="Anna Schmidt", street="1 Mill Lane", city="Leeds", zip="LS1 4AP", country="GB")
PARCEL = BookParcel(
    key="10042-S1", carrier=None, warehouse="leeds", address=MILL_LANE, service="standard", units=4, at=MONDAY
)
MONTHS = timedelta(days=60)


def opened(url: str) -> Carriers:
    """Return the carriers that the URL names."""
    carriers = open_carriers(Url.parse(url))
    assert carriers is not None
    return carriers


def booked(carriers: Carriers, asked: BookParcel) -> Booked:
    """Book a parcel that nothing stands against."""
    answer = carriers.book_parcel(asked)
    assert isinstance(answer, Booked)
    return answer


def tracked(carriers: Carriers, parcel: Booked, at: datetime) -> tuple[Scan, ...]:
    """Ask where a parcel was until then."""
    return carriers.track_parcel(TrackParcel(carrier=parcel.carrier, tracking_number=parcel.tracking_number, at=at))


def marked(marker: str) -> BookParcel:
    """Return a parcel to an address with a marker."""
    return evolve(PARCEL, address=evolve(MILL_LANE, street=f"1 Mill Lane [{marker}]"))


def statuses(marker: str) -> list[CarrierStatus]:
    """Return everything that is said of a parcel to an address with a marker."""
    with closing(FakeCarriers()) as carriers:
        return [scan.status for scan in tracked(carriers, booked(carriers, marked(marker)), MONDAY + MONTHS)]


@pytest.mark.parametrize(
    ("marker", "end", "folds_to"),
    [
        ("nothing special", ["out_for_delivery", "delivered"], "delivered"),
        ("failed attempt", ["out_for_delivery", "failed_attempt", "out_for_delivery", "delivered"], "delivered"),
        ("collected", ["failed_attempt", "available_for_pickup", "delivered"], "delivered"),
        ("rto", ["out_for_delivery", "failed_attempt", "return_to_sender"], "return_to_sender"),
        ("lost", ["in_transit", "lost"], "lost"),
        ("found", ["lost", "out_for_delivery", "delivered"], "delivered"),
        ("damaged", ["in_transit", "damaged", "return_to_sender"], "return_to_sender"),
        ("silent", ["in_transit"], "in_transit"),
    ],
)
def test_an_address_can_ask_for_trouble(marker: str, end: list[str], folds_to: str) -> None:
    """Each marker ends the parcel's way as it says, and all scans together say so too."""
    said = statuses(marker)
    assert [status.value for status in said[-len(end) :]] == end
    assert max(said, key=lambda status: RANK[status]).value == folds_to


def test_a_parcel_at_home_comes_in_two_or_three_days() -> None:
    """Posted in Leeds on Monday afternoon, it is picked up that night and delivered on Wednesday or Thursday."""
    with closing(FakeCarriers()) as carriers:
        parcel = booked(carriers, PARCEL)
        assert parcel.carrier == "royal_mail"
        assert parcel.tracking_number in parcel.tracking_url
        assert parcel.tracking_number in parcel.label_url
        assert folded(tracked(carriers, parcel, MONDAY)) is CarrierStatus.PRE_TRANSIT
        assert folded(tracked(carriers, parcel, MONDAY + timedelta(hours=9))) is CarrierStatus.IN_TRANSIT
        last = tracked(carriers, parcel, MONDAY + MONTHS)[-1]
    assert last.status is CarrierStatus.DELIVERED
    assert timedelta(days=1, hours=12) < last.at - MONDAY < timedelta(days=4)


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
@pytest.mark.parametrize("fate", list(Fate))
def test_scans_come_in_order_whatever_happens(carrier: str, fate: Fate) -> None:
    """For every carrier, fate and length of way, times rise and ids are all different."""
    for days in range(1, 10):
        for serial in range(0, SHAPES[carrier].serials, SHAPES[carrier].serials // 7):
            scans = scans_of(Waybill(carrier=carrier, minute=5_000_000, days=days, fate=fate, serial=serial))
            times = [scan.at for scan in scans]
            assert times == sorted(set(times))
            assert sorted(scan.id for scan in scans) == [scan.id for scan in scans]


def test_a_number_is_tracked_after_a_restart_without_any_book() -> None:
    """The number says it all: carriers with an empty memory tell the same story."""
    with closing(FakeCarriers()) as before:
        parcel = booked(before, PARCEL)
        story = tracked(before, parcel, MONDAY + MONTHS)
    with closing(FakeCarriers()) as after:
        assert tracked(after, parcel, MONDAY + MONTHS) == story
        assert booked(after, PARCEL) == parcel


def test_a_durable_book_knows_its_keys_after_a_restart(tmp_path: Path) -> None:
    """Booked again an hour later by another process: the same number; and a void label stays void."""
    path = f"fakecarrier:///{tmp_path}/parcels.db"
    with closing(opened(path)) as before:
        parcel = booked(before, PARCEL)
        void = CancelParcel(key="void", carrier=parcel.carrier, tracking_number=parcel.tracking_number, at=MONDAY)
        assert before.cancel_parcel(void) == parcel
    with closing(opened(path)) as after:
        assert booked(after, evolve(PARCEL, at=MONDAY + timedelta(hours=1))) == parcel
        assert {scan.status for scan in tracked(after, parcel, MONDAY + MONTHS)} == {CarrierStatus.PRE_TRANSIT}


def test_two_books_on_one_file_agree(tmp_path: Path) -> None:
    """Eight desks on one file book the same forty parcels at once: forty numbers, each told by all."""
    desks = [FakeCarriers(Book(tmp_path / "parcels.db")) for _ in range(8)]
    parcels = [evolve(PARCEL, key=f"{n}-S1") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda desk: desk.book_parcel_many(parcels), desks))
    for desk in desks:
        desk.close()
    assert all(answer == answers[0] for answer in answers)
    assert len({answer.tracking_number for answer in answers[0] if isinstance(answer, Booked)}) == 40


def test_a_lost_reply_is_found_by_asking_again() -> None:
    """The label was bought and the reply lost: the same key gets the label, not a second one."""
    with closing(FakeCarriers()) as carriers:
        asked = marked("reply lost")
        assert carriers.book_parcel(asked) == Unknown("reply_lost")
        assert booked(carriers, asked) == booked(carriers, asked)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"carrier": "pigeon"}, "unknown_carrier"),
        ({"service": "teleport"}, "unknown_service"),
        ({"units": 0}, "empty_parcel"),
        ({"address": evolve(MILL_LANE, country="XX")}, "unknown_country"),
        ({"address": evolve(MILL_LANE, street="1 Mill Lane [refused]")}, "address_refused"),
    ],
)
def test_a_booking_that_nobody_can_serve_is_refused(change: dict[str, Any], reason: str) -> None:
    """The refusal says why, and the corrected booking goes through under the same key."""
    with closing(FakeCarriers()) as carriers:
        assert carriers.book_parcel(evolve(PARCEL, **change)) == Refused(reason)
        assert isinstance(carriers.book_parcel(PARCEL), Booked)


def test_every_country_is_served() -> None:
    """Wherever the address is, somebody carries the parcel, and it arrives within two weeks."""
    with closing(FakeCarriers()) as carriers:
        for country in sorted(COUNTRIES):
            for service in ("standard", "express", "pickup"):
                asked = evolve(
                    PARCEL,
                    key=f"{country}-{service}",
                    service=service,
                    address=evolve(MILL_LANE, country=country),
                )
                scans = tracked(carriers, booked(carriers, asked), MONDAY + timedelta(days=14))
                assert scans[-1].status is CarrierStatus.DELIVERED


def test_chance_depends_on_seed_and_key_only() -> None:
    """Of a thousand parcels about one in ten is lost, the same ones in any order; another seed loses others."""
    keys = [f"{n}-S1" for n in range(1_000)]

    def lost(seed: int, order: list[str]) -> set[str]:
        with closing(opened(f"fakecarrier:?lost=0.1&seed={seed}")) as carriers:
            numbers = {key: booked(carriers, evolve(PARCEL, key=key)).tracking_number for key in order}
        waybills = {key: waybill_of(number) for key, number in numbers.items()}
        return {key for key, waybill in waybills.items() if waybill is not None and waybill.fate == Fate.LOST}

    three = lost(3, keys)
    assert 60 < len(three) < 140
    assert lost(3, keys[::-1]) == three
    assert lost(4, keys) != three


def test_chances_add_up_to_all_fates() -> None:
    """With chances that come to one, no parcel just arrives, and every fate is met."""
    chances = Chances(failed_attempt=0.2, collected=0.2, rto=0.2, lost=0.1, found=0.1, damaged=0.1, silent=0.1)
    met = {chances.fate(f"{n}-S1") for n in range(500)}
    assert met == set(Fate) - {Fate.DELIVERED}


def test_a_wrong_carrier_does_not_know_the_number() -> None:
    """Asked about another carrier's parcel, a carrier says nothing."""
    with closing(FakeCarriers()) as carriers:
        parcel = booked(carriers, PARCEL)
        assert tracked(carriers, evolve(parcel, carrier="ups"), MONDAY + MONTHS) == ()
        void = CancelParcel(key="void", carrier="ups", tracking_number=parcel.tracking_number, at=MONDAY)
        assert carriers.cancel_parcel(void) == Refused("not_found")


def test_a_closed_book_leaves_everybody_in_doubt() -> None:
    """When the book cannot be written nobody knows whether the label was bought."""
    carriers = FakeCarriers()
    parcel = booked(carriers, PARCEL)
    carriers.close()
    assert carriers.book_parcel(evolve(PARCEL, key="other")) == Unknown("book_unavailable")
    void = CancelParcel(key="void", carrier=parcel.carrier, tracking_number=parcel.tracking_number, at=MONDAY)
    assert carriers.cancel_parcel(void) == Unknown("book_unavailable")


def test_a_book_keeps_no_address(tmp_path: Path) -> None:
    """Neither name nor street of the customer is in the file."""
    path = tmp_path / "parcels.db"
    with closing(FakeCarriers(Book(path))) as carriers:
        booked(carriers, PARCEL)
    kept = path.read_bytes()
    assert PARCEL.key.encode() in kept
    assert b"Schmidt" not in kept
    assert b"Mill Lane" not in kept


def test_a_file_that_is_no_book_is_refused(tmp_path: Path) -> None:
    """A text file is not read as a book."""
    path = tmp_path / "letter.db"
    path.write_text("Dear carrier, please find enclosed " * 100)
    with pytest.raises(PortError) as raised:
        Book(path)
    assert raised.value.code == "book_unreadable"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("fakecarrier://bumpy", "bad_url"),
        ("fakecarrier:?personality=bumpy", "bad_url"),
        ("fakecarrier:?lost=1.5", "bad_url"),
        ("fakecarrier:?lost=0.6&rto=0.6", "bad_url"),
        ("fakecarrier:?lots=0.1", "bad_url"),
        ("fakecarrier:///", "bad_url"),
        ("fakecarrier:///no/such/folder/parcels.db", "file_missing"),
    ],
)
def test_a_wrong_url_is_refused_with_a_remedy(url: str, code: str) -> None:
    """What cannot be meant is not guessed."""
    with pytest.raises(Misconfigured) as raised:
        opened(url)
    assert raised.value.code == code
    assert raised.value.remedy


def test_the_plugin_opens_its_own_urls_only() -> None:
    """Another scheme is somebody else's."""
    other = Url.parse("memory:")
    assert open_carriers(other) is None
    assert open_async_carriers(other) is None
    assert adapter_capabilities("memory") is None
    assert set(adapter_capabilities("fakecarrier") or ()) == {"carriers"}
