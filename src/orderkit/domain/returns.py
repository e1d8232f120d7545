"""A return: goods that come back, in as many receipts as it takes. Money is not decided here (see `refunds`)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from orderkit.domain.lifecycle import RETURN
from orderkit.domain.quantities import Bucket
from orderkit.domain.value import Value


class Grade(StrEnum):
    """What the warehouse finds when it opens the parcel."""

    LIKE_NEW = "like_new"
    OPENED = "opened"
    DAMAGED = "damaged"
    UNUSABLE = "unusable"
    WRONG_ITEM = "wrong_item"


class Disposition(StrEnum):
    """What becomes of a received unit."""

    RESTOCK = "restock"
    QUARANTINE = "quarantine"
    WRITE_OFF = "write_off"
    SEND_BACK = "send_back"


DISPOSED_TO: dict[Disposition, Bucket] = {
    Disposition.RESTOCK: Bucket.RESTOCKED,
    Disposition.QUARANTINE: Bucket.QUARANTINED,
    Disposition.WRITE_OFF: Bucket.WRITTEN_OFF,
    Disposition.SEND_BACK: Bucket.SENT_BACK,
}

DEFAULT_DISPOSITIONS: dict[Grade, Disposition] = {
    Grade.LIKE_NEW: Disposition.RESTOCK,
    Grade.OPENED: Disposition.QUARANTINE,
    Grade.DAMAGED: Disposition.WRITE_OFF,
    Grade.UNUSABLE: Disposition.WRITE_OFF,
    Grade.WRONG_ITEM: Disposition.SEND_BACK,
}


class ReturnPolicy(Value, kw_only=True):
    """The shop's rules for returns, frozen with the order.

    `window` counts from the delivery of the shipment that brought the unit; `expires_after` is how long an authorized return may stay
    unsent; `approval` asks a person before a return is authorized; `final_sale` SKUs never come back.
    """

    window: timedelta = timedelta(days=30)
    expires_after: timedelta = timedelta(days=21)
    approval: bool = False
    final_sale: frozenset[str] = frozenset()


class ReturnItem(Value, kw_only=True):
    """Units of one line that the customer wants to send back, and how many have arrived."""

    line: int
    quantity: int
    reason: str
    received: int = 0


class Graded(Value, kw_only=True):
    """Units of one line in one receipt, all of one grade and one fate."""

    line: int
    quantity: int
    grade: Grade
    disposition: Disposition


class Receipt(Value, kw_only=True):
    """One parcel of a return, opened at a warehouse. `refund` is the id of the refund that it granted, if any."""

    id: str
    warehouse: str
    at: datetime
    graded: tuple[Graded, ...]
    refund: str | None = None


class Return(Value, kw_only=True):
    """Goods on their way back: what was asked for, what came, and until when the rest is expected."""

    id: str
    items: tuple[ReturnItem, ...]
    requested_at: datetime
    state: str = RETURN.initial
    method: str = "mail"
    label_url: str | None = None
    tracking_number: str | None = None
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    receipts: tuple[Receipt, ...] = ()
    reason: str | None = None

    @property
    def expected_in(self) -> Bucket:
        """Where the units that have not arrived are."""
        return Bucket.RETURN_REQUESTED if self.sent_at is None else Bucket.RETURN_IN_TRANSIT

    @property
    def outstanding(self) -> dict[int, int]:
        """Units that were announced and have not arrived, by line."""
        rest: dict[int, int] = {}
        for item in self.items:  # a line may come back for several reasons, each an item
            if item.quantity > item.received:
                rest[item.line] = rest.get(item.line, 0) + item.quantity - item.received
        return rest
