"""Webhooks: first, twice, never, shuffled; what they say; and who signed them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orderkit.domain.payment import OperationKind
from orderkit.domain.value import evolve
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney
from orderkit_fakepsp import Delivery, FakeCard, FakePayments, PaymentEvent, signed, verify
from orderkit_fakepsp.book import Book
from orderkit_fakepsp.provider import CAPABILITIES, SECRET

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=10)


@pytest.fixture
def psp() -> Iterator[FakePayments]:
    with closing(FakePayments()) as payments:
        yield payments


def charge(
    method: str, kind: OperationKind = OperationKind.CHARGE, *, key: str = "10042-P1.1/1", at: datetime = NOON
) -> MoveMoney:
    """Return what Anna pays, or gets back."""
    return MoveMoney(
        key=key,
        kind=kind,
        payment="10042-P1",
        method=method,
        tender="card",
        amount_minor=5_750,
        currency="EUR",
        order_id="10042",
        at=at,
    )


def test_an_event_names_our_key_and_the_money(psp: FakePayments) -> None:
    """Two seconds after the charge the provider tells of it: kind, key, payment, amount, time."""
    psp.move_money(charge(FakeCard.VISA))
    assert psp.deliveries(NOON + timedelta(seconds=1)) == []
    (delivery,) = psp.deliveries(NOON + timedelta(seconds=2))
    event = PaymentEvent.parse(delivery.body)
    assert event == delivery.event
    assert (event.kind, event.reference, event.payment, event.amount_minor, event.currency, event.at) == (
        "payment.captured",
        "10042-P1.1/1",
        "10042-P1",
        5_750,
        "EUR",
        NOON,
    )


def test_an_event_becomes_a_message_for_the_inbox(psp: FakePayments) -> None:
    """The inbox gets the sender's id and our reference."""
    psp.move_money(charge(FakeCard.VISA))
    (delivery,) = psp.deliveries(LATER)
    message = delivery.event.message(LATER)
    assert (message.source, message.id, message.reference) == ("fakepsp", delivery.event.id, "10042-P1.1/1")
    assert (message.kind, message.received_at, message.data["amount_minor"]) == ("payment.captured", LATER, 5_750)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["authorize", "capture", "refund"], ["payment.authorized", "payment.captured", "payment.refunded"]),
        (["authorize", "void"], ["payment.authorized", "payment.voided"]),
    ],
)
def test_each_kind_has_its_event(psp: FakePayments, kinds: list[str], told: list[str]) -> None:
    """What happens to the money is told in the order in which it happened."""
    for minute, kind in enumerate(kinds):
        psp.move_money(charge(FakeCard.VISA, OperationKind(kind), key=f"{kind}/1", at=NOON + timedelta(minutes=minute)))
    assert [delivery.event.kind for delivery in psp.deliveries(LATER)] == told


def test_a_decline_is_told_with_its_reason(psp: FakePayments) -> None:
    """A declined card is news too."""
    psp.move_money(charge(FakeCard.NO_FUNDS))
    (delivery,) = psp.deliveries(LATER)
    assert (delivery.event.kind, delivery.event.reason) == ("payment.declined", "insufficient_funds")


def test_a_webhook_that_comes_first_overtakes_the_reply(psp: FakePayments) -> None:
    """The listener hears of the charge, and can ask about it, before the call returns; then it is not told again."""
    heard: list[tuple[Delivery, object]] = []

    def listener(delivery: Delivery) -> None:
        heard.append((delivery, psp.ask_payment(AskPayment(key=delivery.event.reference, payment="10042-P1", at=NOON))))

    psp.listen(listener)
    answer = psp.move_money(charge(FakeCard.WEBHOOK_FIRST))
    ((delivery, found),) = heard
    assert isinstance(answer, Confirmed)
    assert found == answer
    assert verify(delivery.body, delivery.signature, secret=SECRET, now=NOON)
    assert psp.deliveries(LATER) == []


def test_a_webhook_that_comes_first_waits_for_whoever_drains(psp: FakePayments) -> None:
    """Without a listener it is due at once."""
    psp.move_money(charge(FakeCard.WEBHOOK_FIRST))
    assert len(psp.deliveries(NOON)) == 1


def test_a_webhook_that_comes_twice_has_one_id(psp: FakePayments) -> None:
    """A repeat is the same event, so an inbox knows it."""
    psp.move_money(charge(FakeCard.WEBHOOK_TWICE))
    first = psp.deliveries(NOON + timedelta(seconds=3))
    second = psp.deliveries(NOON + timedelta(seconds=8))
    assert [d.event.id for d in first] == [d.event.id for d in second]
    assert psp.deliveries(LATER) == []


@pytest.mark.parametrize("card", [FakeCard.WEBHOOK_NEVER, FakeCard.TIMEOUT_ALWAYS])
def test_a_webhook_that_never_comes(psp: FakePayments, card: str) -> None:
    """Nothing is told: because the card asks for it, or because the provider has never seen the call."""
    psp.move_money(charge(card))
    assert psp.deliveries(LATER) == []


def test_shuffled_webhooks_tell_the_end_before_the_beginning(psp: FakePayments) -> None:
    """The refund is told first, the authorization last."""
    for second, kind in enumerate(("authorize", "capture", "refund")):
        psp.move_money(
            charge(
                FakeCard.WEBHOOKS_SHUFFLED, OperationKind(kind), key=f"{kind}/1", at=NOON + timedelta(seconds=second)
            )
        )
    told = [delivery.event.kind for delivery in psp.deliveries(LATER)]
    assert told == ["payment.refunded", "payment.captured", "payment.authorized"]


def test_a_dispute_is_told_three_days_later(psp: FakePayments) -> None:
    """The charge is told at once, the dispute on the third day, under an id of its own."""
    psp.move_money(charge(FakeCard.DISPUTED))
    (captured,) = psp.deliveries(NOON + timedelta(days=2))
    (disputed,) = psp.deliveries(NOON + timedelta(days=3))
    assert (captured.event.kind, disputed.event.kind) == ("payment.captured", "payment.disputed")
    assert captured.event.id != disputed.event.id


def test_a_refund_that_fails_later_is_told_when_it_fails(psp: FakePayments) -> None:
    """The provider decides by itself, two days later, and says so without being asked."""
    psp.move_money(charge(FakeCard.REFUND_PENDING_THEN_FAILS))
    psp.move_money(charge(FakeCard.REFUND_PENDING_THEN_FAILS, OperationKind.REFUND, key="r/1"))
    assert [d.event.kind for d in psp.deliveries(NOON + timedelta(days=1))] == ["payment.captured"]
    (delivery,) = psp.deliveries(NOON + timedelta(days=2, seconds=2))
    assert (delivery.event.kind, delivery.event.reason) == ("payment.refund_failed", "refund_failed")


def test_a_refund_that_comes_back_is_told_twice(psp: FakePayments) -> None:
    """When it is done, and when its money has come back: under an id of its own, and with the reason."""
    psp.move_money(charge(FakeCard.REFUND_REVERSED))
    psp.move_money(charge(FakeCard.REFUND_REVERSED, OperationKind.REFUND, key="r/1"))
    done = psp.deliveries(NOON + timedelta(days=1))
    (back,) = psp.deliveries(NOON + timedelta(days=5, seconds=2))
    assert [delivery.event.kind for delivery in done] == ["payment.captured", "payment.refunded"]
    assert (back.event.kind, back.event.reason, back.event.reference) == (
        "payment.refund_failed",
        "account_closed",
        "r/1",
    )
    assert psp.deliveries(NOON + timedelta(days=99)) == []


def test_what_is_not_told_yet_survives_a_restart(tmp_path: Path) -> None:
    """The deliveries are in the book: another process sends what this one did not."""
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        psp.move_money(charge(FakeCard.VISA))
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        assert len(psp.deliveries(LATER)) == 1
    with closing(FakePayments(Book(tmp_path / "psp.db"))) as psp:
        assert psp.deliveries(LATER) == []


def test_a_provider_without_webhooks_tells_nothing() -> None:
    """What is not claimed does not happen."""
    with closing(FakePayments(capabilities=evolve(CAPABILITIES, webhooks=False))) as psp:
        psp.move_money(charge(FakeCard.VISA))
        assert psp.deliveries(LATER) == []


def test_a_signature_holds_for_its_body_its_secret_and_five_minutes() -> None:
    """Another body, another secret, an old or a broken signature are all refused."""
    body = b'{"kind":"payment.captured"}'
    signature = signed(body, "whsec_anna", NOON)
    assert verify(body, signature, secret="whsec_anna", now=NOON + timedelta(minutes=5))
    assert verify(body, signature, secret="whsec_anna")
    assert not verify(body + b" ", signature, secret="whsec_anna")
    assert not verify(body, signature, secret="whsec_ben")
    assert not verify(body, signature, secret="whsec_anna", now=NOON + timedelta(minutes=6))
    assert not any(
        verify(body, broken, secret="whsec_anna") for broken in ("", "t=1", "v1=0", "t=x,v1=é", signature[:-1])
    )
    for digits in (13, 400, 5_000):  # nobody signed that: it is no time, and no error either
        assert not verify(body, f"t={'9' * digits},v1=00", secret="whsec_anna", now=NOON)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":"evt_1"}', b"\xff"])
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    """What cannot be read is a `ValueError`, whatever it is."""
    with pytest.raises(ValueError):
        PaymentEvent.parse(body)
