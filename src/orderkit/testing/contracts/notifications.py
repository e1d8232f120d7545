"""The contract of a channel of notifications.

Inherit `NotificationsContract`, override the fixture, and say in `sent` what went out:

    class TestMyMail(NotificationsContract):
        @pytest.fixture
        def notifications(self):
            with closing(MyMail(sandbox=True)) as notifications:
                yield notifications

        def sent(self, notifications):
            return [mail.headers["Idempotency-Key"] for mail in notifications.sandbox.mails]

Nothing here knows any adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from orderkit.ports.notifications import Notifications, Notify
from orderkit.testing.contracts.racing import at_once


def a_message(name: str = "order-1/1/order_confirmation/email", *, recipient: str = "zoë@example.com") -> Notify:
    """Return a message to a customer."""
    return Notify(
        id=name,
        channel="email",
        recipient=recipient,
        template="order_confirmation",
        data={"order_id": "order-1", "total": "57.50", "currency": "EUR", "tracking": [], "name": "Zoë 中"},
    )


class NotificationsContract:
    """What every channel does: a message goes out once, however often it is asked for."""

    @pytest.fixture
    def notifications(self) -> Iterator[Notifications]:
        """The channel under test, with nothing sent. Override it."""
        pytest.fail("the suite needs its own `notifications`: override it")

    def sent(self, notifications: Notifications) -> Sequence[str]:
        """Return the ids of the messages that went out, in order. Override it."""
        pytest.fail(f"say what {type(notifications).__name__} has sent: override `sent`")

    def test_a_message_goes_out(self, notifications: Notifications) -> None:
        """One call, one message."""
        notifications.notify(a_message("m1"))

        assert list(self.sent(notifications)) == ["m1"]

    def test_a_repeat_goes_out_once(self, notifications: Notifications) -> None:
        """A relay that comes again asks for the same id: the customer hears it once."""
        for _ in range(3):
            notifications.notify(a_message("m1"))

        assert list(self.sent(notifications)) == ["m1"]

    def test_different_messages_all_go_out_in_order(self, notifications: Notifications) -> None:
        """The id tells messages apart, not what they say."""
        for name in ("m2", "m1", "m3"):
            notifications.notify(a_message(name))

        assert list(self.sent(notifications)) == ["m2", "m1", "m3"]

    def test_one_id_from_many_threads_is_one_message(self, notifications: Notifications) -> None:
        """Sixteen threads ask at once."""
        at_once([lambda: notifications.notify(a_message("m1"))] * 16)

        assert list(self.sent(notifications)) == ["m1"]
