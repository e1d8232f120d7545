"""A payment provider that moves no money: named cards for every trouble, and a durable book of what really happened.

`FakeCard` names the cards; `plugin` opens the provider for `fakepsp:` URLs. It knows ports and domain values, never flows or stores.
"""

from __future__ import annotations

from orderkit_fakepsp.cards import FakeCard
from orderkit_fakepsp.provider import AsyncFakePayments, FakePayments
from orderkit_fakepsp.webhooks import Delivery, PaymentEvent, signed, verify

__all__ = ["AsyncFakePayments", "Delivery", "FakeCard", "FakePayments", "PaymentEvent", "signed", "verify"]
