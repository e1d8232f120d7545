"""What each named card does, and how scripts are written and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from orderkit.domain.payment import OperationKind
from orderkit.ports.payments import AskPayment, Confirmed, MoveMoney, PaymentAnswer, Refused, Reversed, Unknown
from orderkit_fakepsp import FakeCard, FakePayments
from orderkit_fakepsp.cards import card_of, names
from orderkit_fakepsp.desk import Personality

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CHARGE, AUTHORIZE, CAPTURE, VOID, REFUND = (
    OperationKind.CHARGE,
    OperationKind.AUTHORIZE,
    OperationKind.CAPTURE,
    OperationKind.VOID,
    OperationKind.REFUND,
)


@pytest.fixture
def psp() -> Iterator[FakePayments]:
    with closing(FakePayments()) as payments:
        yield payments


def move(
    psp: FakePayments,
    method: str,
    kind: OperationKind = CHARGE,
    amount_minor: int = 5_750,
    *,
    key: str | None = None,
    at: datetime = NOON,
    payment: str = "10042-P1",
) -> PaymentAnswer:
    """Ask for an operation on Anna's payment."""
    asked = MoveMoney(
        key=key or f"{payment}.{kind.value}/1",
        kind=kind,
        payment=payment,
        method=method,
        tender="card",
        amount_minor=amount_minor,
        currency="EUR",
        order_id="10042",
        at=at,
    )
    return psp.move_money(asked)


def ask(psp: FakePayments, key: str, at: datetime = NOON) -> PaymentAnswer:
    """Ask what became of a key."""
    return psp.ask_payment(AskPayment(key=key, payment="10042-P1", at=at))


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (FakeCard.DECLINED, "declined"),
        (FakeCard.NO_FUNDS, "insufficient_funds"),
        (FakeCard.EXPIRED, "expired_card"),
        (FakeCard.PROCESSING_ERROR, "processing_error"),
        (FakeCard.FRAUD_BLOCKED, "fraud_blocked"),
        (FakeCard.CAPTURE_FAILS, "capture_failed"),
        ("4000 0000 0000 0002", "declined"),
        ("4000-0000-0000-9995", "insufficient_funds"),
        ("pm_declinde", "unknown_method"),
        ("pm_script:authorize=maybe", "unknown_method"),
    ],
)
def test_a_card_that_says_no_says_why(psp: FakePayments, card: str, reason: str) -> None:
    """Each bad card has its own reason, and a misspelled one is not a good one."""
    assert move(psp, card) == Refused(reason)
    assert psp.totals() == {}


@pytest.mark.parametrize(
    "card", [FakeCard.OK, FakeCard.VISA, "4242 4242 4242 4242", FakeCard.SLOW, FakeCard.WEBHOOK_NEVER]
)
def test_a_good_card_is_charged(psp: FakePayments, card: str) -> None:
    """Good cards are charged, under their name or their number."""
    assert isinstance(move(psp, card), Confirmed)
    assert psp.totals()["10042-P1"].captured_minor == 5_750


def test_every_constant_is_a_card() -> None:
    """What `FakeCard` names, the provider knows."""
    constants = {value for name, value in vars(FakeCard).items() if name.isupper()}
    assert constants == set(names())
    assert all(card_of(name) is not None for name in names())


def test_capture_fails_after_a_good_authorization(psp: FakePayments) -> None:
    """The bank holds the money and then refuses to pay it."""
    assert isinstance(move(psp, FakeCard.CAPTURE_FAILS, AUTHORIZE), Confirmed)
    assert move(psp, FakeCard.CAPTURE_FAILS, CAPTURE) == Refused("capture_failed")


def test_refund_fails_on_a_good_charge(psp: FakePayments) -> None:
    """The charge goes through; its refund is refused, and the money stays where it is."""
    move(psp, FakeCard.REFUND_FAILS)
    assert move(psp, FakeCard.REFUND_FAILS, REFUND) == Refused("refund_failed")
    assert psp.totals()["10042-P1"].refunded_minor == 0


def test_a_pending_refund_fails_after_two_days(psp: FakePayments) -> None:
    """The refund is accepted, nobody knows for two days, and then it has failed."""
    card = FakeCard.REFUND_PENDING_THEN_FAILS
    move(psp, card)
    assert move(psp, card, REFUND, key="r/1") == Unknown("pending")
    assert ask(psp, "r/1", NOON + timedelta(hours=47)) == Unknown("pending")
    assert move(psp, card, REFUND, 1, key="r2/1") == Refused("refund_exceeds_captured")
    assert ask(psp, "r/1", NOON + timedelta(days=2)) == Refused("refund_failed")


def test_a_reversed_refund_is_done_until_it_comes_back(psp: FakePayments) -> None:
    """For five days it is confirmed; then it is refused, its money can be refunded once more, and that stays."""
    card = FakeCard.REFUND_REVERSED
    move(psp, card)
    assert isinstance(move(psp, card, REFUND, key="r/1"), Confirmed)
    assert isinstance(ask(psp, "r/1", NOON + timedelta(hours=119)), Confirmed)
    assert psp.totals()["10042-P1"].refunded_minor == 5_750
    assert ask(psp, "r/1", NOON + timedelta(days=5)) == Reversed("account_closed")
    assert psp.totals()["10042-P1"].refunded_minor == 0
    assert isinstance(move(psp, card, REFUND, key="r2/1", at=NOON + timedelta(days=6)), Confirmed)
    assert isinstance(ask(psp, "r2/1", NOON + timedelta(days=90)), Confirmed)
    assert ask(psp, "r/1", NOON + timedelta(days=90)) == Reversed("account_closed")
    assert [movement.state for movement in psp.movements("10042-P1")] == ["confirmed", "reversed", "confirmed"]


def test_what_has_come_back_is_there_for_the_next_refund(psp: FakePayments) -> None:
    """Also when nobody has asked about the first one."""
    move(psp, FakeCard.REFUND_REVERSED)
    move(psp, FakeCard.REFUND_REVERSED, REFUND, key="r/1")
    assert isinstance(move(psp, FakeCard.REFUND_REVERSED, REFUND, key="r2/1", at=NOON + timedelta(days=6)), Confirmed)


@pytest.mark.parametrize("script", ["charge=ok:5d->account_closed", "void=ok:5d->account_closed", "refund=ok:5d->ok"])
def test_only_the_money_of_a_refund_comes_back_and_for_a_reason(script: str) -> None:
    """A script that says anything else is no card."""
    assert card_of(f"pm_script:{script}") is None


def test_a_timeout_before_moves_nothing_and_the_repeat_works(psp: FakePayments) -> None:
    """The first call is lost on its way; the same key again goes through."""
    assert move(psp, FakeCard.TIMEOUT_BEFORE) == Unknown("timeout")
    assert psp.totals() == {}
    assert isinstance(move(psp, FakeCard.TIMEOUT_BEFORE), Confirmed)


def test_a_timeout_after_moved_the_money(psp: FakePayments) -> None:
    """The reply is lost, the money is not: asking finds it."""
    assert move(psp, FakeCard.TIMEOUT_AFTER, key="c/1") == Unknown("reply_lost")
    assert psp.totals()["10042-P1"].captured_minor == 5_750
    assert isinstance(ask(psp, "c/1"), Confirmed)


def test_a_vanished_call_is_in_doubt_until_the_horizon(psp: FakePayments) -> None:
    """For half an hour nobody knows; from then on it never happened, and never will."""
    assert move(psp, FakeCard.TIMEOUT_ALWAYS, key="c/1") == Unknown("no_answer")
    assert ask(psp, "c/1", NOON + timedelta(minutes=29)) == Unknown("no_answer")
    assert ask(psp, "c/1", NOON + timedelta(minutes=30)) == Refused("not_found")
    assert move(psp, FakeCard.TIMEOUT_ALWAYS, key="c/1", at=NOON + timedelta(hours=1)) == Refused("not_found")
    assert psp.totals() == {}


@pytest.mark.parametrize(("approve", "captured_minor"), [(True, 5_750), (False, 0)])
def test_a_review_decides_about_the_money(psp: FakePayments, approve: bool, captured_minor: int) -> None:
    """Until a person at the provider has looked, nobody knows; then the answer is final."""
    assert move(psp, FakeCard.FRAUD_REVIEW, key="c/1") == Unknown("in_review")
    psp.review("10042-P1", at=NOON + timedelta(hours=3), approve=approve)
    answer = ask(psp, "c/1", NOON + timedelta(hours=3))
    assert isinstance(answer, Confirmed) if approve else answer == Refused("fraud_blocked")
    assert sum(total.captured_minor for total in psp.totals().values()) == captured_minor


def test_an_action_is_completed_or_abandoned(psp: FakePayments) -> None:
    """A customer who confirms at the bank pays; one who does not within a day has not."""
    assert move(psp, FakeCard.NEEDS_ACTION, key="anna/1", payment="anna") == Unknown("needs_action")
    assert move(psp, FakeCard.NEEDS_ACTION, key="ben/1", payment="ben") == Unknown("needs_action")
    psp.complete_action("anna", at=NOON + timedelta(minutes=2))
    assert isinstance(ask(psp, "anna/1"), Confirmed)
    assert ask(psp, "ben/1", NOON + timedelta(days=1)) == Refused("action_abandoned")


def test_a_script_goes_from_step_to_step(psp: FakePayments) -> None:
    """Each call of a kind takes the next step, whatever its key; the last step repeats."""
    card = FakeCard.script(capture=["timeout", "capture_failed", "ok"], refund="pending:2d->ok")
    move(psp, card, AUTHORIZE)
    answers = [move(psp, card, CAPTURE, 1_000, key=f"c{n}/1") for n in range(4)]
    assert answers[:2] == [Unknown("timeout"), Refused("capture_failed")]
    assert all(isinstance(answer, Confirmed) for answer in answers[2:])
    assert move(psp, card, REFUND, 500, key="r/1") == Unknown("pending")
    assert isinstance(ask(psp, "r/1", NOON + timedelta(days=2)), Confirmed)


@pytest.mark.parametrize(
    ("steps", "webhooks"),
    [
        ({"authorize": "okay"}, "after"),
        ({"refund": "pending:soon->ok"}, "after"),
        ({"void": ["ok", ""]}, "after"),
        ({}, "sometimes"),
    ],
)
def test_a_script_that_says_nothing_known_is_refused(steps: dict[str, str], webhooks: str) -> None:
    """A misspelled step is an error where it is written, not a card that works."""
    with pytest.raises(ValueError):
        FakeCard.script(**steps, webhooks=webhooks)


def test_chance_depends_on_seed_and_key_only() -> None:
    """The same keys in another order, one by one or together, meet the same fates; another seed deals others."""

    def fates(seed: int, *, backwards: bool) -> dict[str, PaymentAnswer]:
        with closing(FakePayments(personality=Personality(seed=seed, decline=0.2, lost=0.2, timeout=0.2))) as psp:
            order = list(range(200))[:: -1 if backwards else 1]
            return {f"{n}/1": move(psp, FakeCard.VISA, key=f"{n}/1", payment=f"{n}-P1") for n in order}

    seven = fates(7, backwards=False)
    assert fates(7, backwards=True) == seven
    assert fates(8, backwards=False) != seven
    assert {type(answer) for answer in seven.values()} == {Confirmed, Refused, Unknown}


def test_a_void_can_fail_by_script(psp: FakePayments) -> None:
    """A void that is refused leaves the authorization as it was."""
    card = FakeCard.script(void="void_failed")
    move(psp, card, AUTHORIZE)
    assert move(psp, card, VOID) == Refused("void_failed")
    assert isinstance(move(psp, card, CAPTURE), Confirmed)
