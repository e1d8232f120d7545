"""When a warehouse begins to work on a shipment, and when the customer may expect it.

The cutoff is the point of no return: before it the customer may cancel or change, after it the warehouse is asked. It is the first
processing hour of a working day that leaves the customer at least `grace` to think again. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from orderkit.domain.order import DeliveryPreference, Service
from orderkit.domain.shipment import Promise
from orderkit.domain.value import Value
from orderkit.errors import InvalidInput

_TRANSIT_DAYS: dict[Service, tuple[int, int]] = {
    Service.EXPRESS: (1, 1),
    Service.STANDARD: (1, 3),
    Service.PICKUP: (0, 1),
}


WISH_MAX = timedelta(days=731)  # two years: what is further ahead is a mistyped year
_LAST_DAY = date(9990, 1, 1)  # a wish may have been kept before there was a limit: its promise must still be a date


class Handling(Value, kw_only=True):
    """How warehouses work: at which hour of which days they begin, and how long a customer has at least to change an order."""

    cutoff: time = time(15, 0)
    workdays: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = frozenset()
    grace: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        days: object = self.workdays
        if not isinstance(days, frozenset) or not days & frozenset(range(7)):
            raise InvalidInput(
                "a warehouse works on some days of the week, a frozenset of 0 (Monday) to 6", field="workdays"
            )

    def works_on(self, day: date) -> bool:
        """Whether the warehouse works on that day."""
        return day.weekday() in self.workdays and day not in self.holidays

    def cutoff_after(self, at: datetime) -> datetime:
        """Return the first cutoff that leaves the customer the grace."""
        earliest = at + self.grace
        moment = datetime.combine(earliest.date(), self.cutoff, tzinfo=at.tzinfo)
        if moment < earliest:
            moment += timedelta(days=1)
        while not self.works_on(moment.date()):
            moment += timedelta(days=1)
        return moment


_USUAL = Handling()


def handling_of(warehouse: str, handling: Mapping[str, Handling]) -> Handling:
    """Return how a warehouse works: as listed by its id, or by `*` for all others; one that is not listed has the defaults."""
    return handling.get(warehouse) or handling.get("*") or _USUAL


def check_wish(delivery: DeliveryPreference, today: date) -> None:
    """Refuse a wish for a day that is too far ahead; one in the past asks for nothing. Raises: `InvalidInput`."""
    if delivery.not_before is not None and delivery.not_before - today > WISH_MAX:
        raise InvalidInput(f"{delivery.not_before} is more than two years ahead", field="delivery.not_before")


def promised(
    at: datetime, handling: Handling, delivery: DeliveryPreference, lead_days: int
) -> tuple[datetime, Promise]:
    """Return the cutoff and the promise of a shipment ordered at that time; a wish for a later day moves both."""
    fastest, slowest = _TRANSIT_DAYS[delivery.service]
    days = (fastest + lead_days, slowest + lead_days)
    cutoff = handling.cutoff_after(at)
    wished = min(delivery.not_before or date.min, _LAST_DAY)
    if wished > at.date():
        latest_start = datetime.combine(wished - timedelta(days=days[0]), handling.cutoff, tzinfo=at.tzinfo)
        while latest_start > cutoff and not handling.works_on(latest_start.date()):
            latest_start -= timedelta(days=1)
        cutoff = max(cutoff, latest_start)
    ships_by = cutoff + timedelta(hours=8)
    first = max(cutoff.date() + timedelta(days=days[0]), wished)
    return cutoff, Promise(
        ships_by=ships_by, arrives_from=first, arrives_until=first + timedelta(days=days[1] - days[0])
    )
