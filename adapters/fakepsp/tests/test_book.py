"""The provider's book: what survives a process, what many processes may do, and what balances and outages mean."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from orderkit.errors import InvalidInput, Misconfigured, NotFound, PortError
from orderkit.plugins.url import Url
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, Refused, Unknown
from orderkit_fakepsp import FakeCard, FakePayments
from orderkit_fakepsp.book import Book
from orderkit_fakepsp.plugin import adapter_capabilities, open_async_payments, open_payments

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MUG = MoveMoney(
    key="10042-P1.1/1",
    kind=OperationKind.CHARGE,
    payment="10042-P1",
    method=FakeCard.VISA,
    tender="card",
    amount_minor=1_250,
    currency="EUR",
    order_id="10042",
    at=NOON,
)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from orderkit.domain.payment import OperationKind
from orderkit.ports.payments import MoveMoney
from orderkit_fakepsp import FakePayments
from orderkit_fakepsp.book import Book

psp = FakePayments(Book(Path(sys.argv[1])))
for n in range(int(sys.argv[2])):
    psp.move_money(MoveMoney(
        key=f"{n}-P1.1/1", kind=OperationKind.CHARGE, payment=f"{n}-P1", method="pm_visa", tender="card", amount_minor=100 + n,
        currency="EUR", order_id=str(n), at=datetime(2026, 3, 2, tzinfo=UTC)))
    print(n, flush=True)
"""


def writer(path: Path, count: int) -> subprocess.Popen[str]:
    """Start a process that charges order after order and says each one that it was told of."""
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count)], stdout=subprocess.PIPE, text=True)


def test_a_book_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    """`create=no` refuses a book that is missing, one in memory, and one in which nothing stands; one that is used it opens."""
    path = tmp_path / "psp.db"
    url = Url.parse(f"fakepsp:///{path}?create=no")
    for opens in (open_payments, open_async_payments):
        with pytest.raises(Misconfigured, match="is not there, or nothing stands in it") as missing:
            opens(url)
        assert missing.value.code == "file_missing"
    assert not path.exists()
    with pytest.raises(Misconfigured, match="is not there"):
        open_payments(Url.parse("fakepsp:?create=no"))
    with closing(FakePayments(Book(path))) as psp:
        with pytest.raises(Misconfigured, match="nothing stands in it"):
            open_payments(url)
        psp.move_money(MUG)

    found = open_payments(url)

    assert found is not None
    found.close()


def test_a_book_knows_its_keys_after_a_restart(tmp_path: Path) -> None:
    """The provider is closed and opened again: the same key gets the same answer, and the sums are the same."""
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        first, sums = psp.move_money(MUG), psp.totals()
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        assert psp.move_money(MUG) == first
        assert psp.totals() == sums


def test_what_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    """A process is killed with SIGKILL while it charges: every charge that it was told of is in the book, once."""
    with writer(tmp_path / "psp.db", 100_000) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(50)]
        process.kill()
        told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        totals = psp.totals()
    assert all(totals[f"{n}-P1"].captured_minor == 100 + n for n in told)
    assert len(told) <= len(totals) <= len(told) + 1


def test_two_processes_share_one_book(tmp_path: Path) -> None:
    """Two processes charge the same fifty orders at once, on a book that neither finds: fifty charges, not a hundred."""
    with writer(tmp_path / "psp.db", 50) as one, writer(tmp_path / "psp.db", 50) as other:
        assert one.wait(60) == other.wait(60) == 0
        for process in (one, other):
            assert process.stdout is not None
            assert len(process.stdout.read().split()) == 50
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        assert {total.captured_minor for total in psp.totals().values()} == set(range(100, 150))


def test_many_operations_are_answered_each_for_itself(tmp_path: Path) -> None:
    """A batch with a good card, a bad card, the good one again and a reused key has four answers."""
    bad = evolve(MUG, key="10043-P1.1/1", payment="10043-P1", method=FakeCard.DECLINED)
    reused = evolve(MUG, amount_minor=1)
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        first, declined, again, other = psp.move_money_many([MUG, bad, MUG, reused])
        asked = psp.ask_payment_many(
            [AskPayment(key=MUG.key, payment=MUG.payment, at=NOON), AskPayment(key="none/1", payment="none", at=NOON)]
        )
    assert isinstance(first, Confirmed)
    assert (again, declined, other) == (first, Refused("declined"), Refused("key_reused"))
    assert asked == [first, Refused("not_found")]


def test_movements_tell_the_story_of_a_payment() -> None:
    """Charge, refused refund, refund: three movements in order, with the provider's names."""
    with closing(FakePayments()) as psp:
        psp.move_money(MUG)
        psp.move_money(evolve(MUG, key="r1/1", kind=OperationKind.REFUND, amount_minor=9_999))
        psp.move_money(evolve(MUG, key="r2/1", kind=OperationKind.REFUND, amount_minor=250))
        story = [(m.kind, m.amount_minor, m.state, m.reason) for m in psp.movements("10042-P1")]
        totals = psp.totals()["10042-P1"]
    assert story == [
        (OperationKind.CHARGE, 1_250, "confirmed", ""),
        (OperationKind.REFUND, 9_999, "refused", "refund_exceeds_captured"),
        (OperationKind.REFUND, 250, "confirmed", ""),
    ]
    assert (totals.captured_minor, totals.refunded_minor) == (1_250, 250)


def test_an_authorization_expires_and_can_be_renewed() -> None:
    """Seven days hold; then a capture is refused, and a new authorization holds again."""
    hold = evolve(MUG, kind=OperationKind.AUTHORIZE)
    take = evolve(MUG, key="c1/1", kind=OperationKind.CAPTURE, at=NOON + timedelta(days=7))
    with closing(FakePayments()) as psp:
        answer = psp.move_money(hold)
        assert isinstance(answer, Confirmed)
        assert answer.expires_at == NOON + timedelta(days=7)
        assert psp.move_money(evolve(hold, key="a2/1")) == Refused("already_authorized")
        assert psp.move_money(take) == Refused("authorization_expired")
        assert isinstance(psp.move_money(evolve(hold, key="a3/1", at=take.at)), Confirmed)
        assert isinstance(psp.move_money(evolve(take, key="c2/1")), Confirmed)


def test_a_void_releases_the_rest_of_a_partly_captured_authorization() -> None:
    """Of 1,250 held, 1,000 are taken; the void gives up 250, and the 1,000 stay."""
    with closing(FakePayments()) as psp:
        psp.move_money(evolve(MUG, kind=OperationKind.AUTHORIZE))
        psp.move_money(evolve(MUG, key="c/1", kind=OperationKind.CAPTURE, amount_minor=1_000))
        assert isinstance(psp.move_money(evolve(MUG, key="v/1", kind=OperationKind.VOID, amount_minor=250)), Confirmed)
        total = psp.totals()["10042-P1"]
    assert (total.authorized_minor, total.captured_minor) == (1_000, 1_000)


def test_a_gift_card_pays_what_is_on_it() -> None:
    """A card of 20.00 pays 12.50, not another 12.50; a refund fills it up again; another currency is refused."""
    gift = evolve(MUG, method="gift_BIRTHDAY", tender="gift_card")
    with closing(FakePayments()) as psp:
        assert psp.move_money(evolve(gift, key="early/1")) == Refused("unknown_method")
        psp.issue("gift_BIRTHDAY", 2_000, "EUR")
        assert isinstance(psp.move_money(gift), Confirmed)
        assert psp.move_money(evolve(gift, key="x/1", payment="10043-P1")) == Refused("insufficient_funds")
        assert psp.balance("gift_BIRTHDAY", NOON) == 750
        psp.move_money(evolve(gift, key="r/1", kind=OperationKind.REFUND))
        assert psp.balance("gift_BIRTHDAY", NOON) == 2_000
        with pytest.raises(InvalidInput):
            psp.issue("gift_BIRTHDAY", 500, "JPY")
        assert psp.move_money(evolve(gift, key="y/1", payment="10044-P1", currency="JPY")) == Refused(
            "currency_mismatch"
        )


def test_store_credit_is_held_until_the_authorization_ends() -> None:
    """What is authorized cannot be spent twice; when the authorization expires the credit is there again."""
    credit = evolve(MUG, method="credit_anna", tender="store_credit", kind=OperationKind.AUTHORIZE, amount_minor=800)
    with closing(FakePayments()) as psp:
        psp.issue("credit_anna", 1_000, "EUR")
        assert isinstance(psp.move_money(credit), Confirmed)
        assert psp.balance("credit_anna", NOON) == 200
        assert psp.balance("credit_anna", NOON + timedelta(days=7)) == 1_000
        assert psp.balance("credit_ben", NOON) == 0


def test_a_balance_is_never_overdrawn_by_a_crowd() -> None:
    """Twenty threads want 100 each of a card with 500: five get it."""
    with closing(FakePayments()) as psp, ThreadPoolExecutor(20) as pool:
        psp.issue("gift_LAST", 500, "EUR")
        wanted = [
            evolve(MUG, key=f"{n}/1", payment=f"{n}-P1", method="gift_LAST", tender="gift_card", amount_minor=100)
            for n in range(20)
        ]
        answers = list(pool.map(psp.move_money, wanted))
        assert sum(isinstance(answer, Confirmed) for answer in answers) == 5
        assert psp.balance("gift_LAST", NOON) == 0


def test_an_outage_answers_nobody_and_moves_nothing() -> None:
    """Between noon and one the provider is down: calls and questions get no answer; at one the same key goes through."""
    with closing(FakePayments()) as psp:
        psp.outage(NOON, NOON + timedelta(hours=1))
        assert psp.move_money(MUG) == Unknown("unreachable")
        assert psp.ask_payment(AskPayment(key=MUG.key, payment=MUG.payment, at=NOON)) == Unknown("unreachable")
        assert psp.movements(MUG.payment) == ()
        assert isinstance(psp.move_money(evolve(MUG, at=NOON + timedelta(hours=1))), Confirmed)


def test_nothing_is_reviewed_that_is_not_held() -> None:
    """A decision about a payment that nobody holds is an error."""
    with closing(FakePayments()) as psp:
        psp.move_money(MUG)
        with pytest.raises(NotFound) as raised:
            psp.review("10042-P1", at=NOON)
    assert raised.value.field == "payment"


def test_a_closed_book_leaves_everybody_in_doubt() -> None:
    """When the book cannot be written nobody knows what happened, and the answer says so."""
    psp = FakePayments()
    psp.close()
    assert psp.move_money(MUG) == Unknown("book_unavailable")
    assert psp.ask_payment(AskPayment(key=MUG.key, payment=MUG.payment, at=NOON)) == Unknown("book_unavailable")


def test_a_file_that_is_no_book_is_refused(tmp_path: Path) -> None:
    """A text file is not read as a book, and stays as it was."""
    path = tmp_path / "letter.db"
    path.write_text("Dear provider, please find enclosed " * 100)
    with pytest.raises(PortError) as raised:
        Book(path)
    assert raised.value.code == "book_unreadable"
    assert path.read_text().startswith("Dear provider")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("fakepsp:?personality=moody", "bad_url"),
        ("fakepsp://moody", "bad_url"),
        ("fakepsp:?decline=2", "bad_url"),
        ("fakepsp:?decline=often", "bad_url"),
        ("fakepsp:?latency_ms=-1", "bad_url"),
        ("fakepsp:?tenders=card,shells", "bad_url"),
        ("fakepsp:?sead=7", "bad_url"),
        ("fakepsp:///", "bad_url"),
        ("fakepsp:///no/such/folder/psp.db", "file_missing"),
    ],
)
def test_a_wrong_url_is_refused_with_a_remedy(url: str, code: str) -> None:
    """What cannot be meant is not guessed."""
    with pytest.raises(Misconfigured) as raised:
        open_payments(Url.parse(url))
    assert raised.value.code == code
    assert raised.value.remedy


def test_the_plugin_opens_its_own_urls_only() -> None:
    """Another scheme is somebody else's."""
    other = Url.parse("memory:")
    assert open_payments(other) is None
    assert open_async_payments(other) is None
    assert adapter_capabilities("memory") is None
    assert set(adapter_capabilities("fakepsp") or ()) == {"payments"}


def test_a_slow_provider_takes_its_time() -> None:
    """Latency is real time: a call to a provider that takes 60 ms takes 60 ms."""
    psp = open_payments(Url.parse("fakepsp://slow?latency_ms=60"))
    assert psp is not None
    with closing(psp):
        began = time.perf_counter()
        assert isinstance(psp.move_money(MUG), Confirmed)
        assert time.perf_counter() - began >= 0.06
