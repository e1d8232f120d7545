"""The contract of a cache.

Inherit `CacheContract` and override the fixture `cache`:

    class TestMyCache(CacheContract):
        @pytest.fixture
        def cache(self):
            with closing(MyCache()) as cache:
                yield cache

A cache may forget whenever it likes, but not at once; what it must never do is answer with something old. Nothing here knows any adapter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from orderkit.ports.cache import Cache, Entry, Forget, Recall, Remember
from orderkit.testing.contracts.racing import at_once


class CacheContract:
    """What every cache does."""

    @pytest.fixture
    def cache(self) -> Iterator[Cache]:
        """The cache under test, empty. Override it."""
        pytest.fail("the suite needs its own `cache`: override it")

    def pass_seconds(self, cache: Cache, seconds: float) -> None:  # noqa: ARG002  (a cache with a clock of its own needs it)
        """Let time pass on the cache's clock."""
        time.sleep(seconds)

    @pytest.mark.parametrize(
        "entry",
        [
            "shipped",
            "größer 中",
            "",
            "(forgotten)",
            ("order-2", "order-1"),
            ("",),
            {"status": "placed", "version": "7", "": "é"},
        ],
    )
    def test_what_is_remembered_is_recalled(self, cache: Cache, entry: Entry) -> None:
        """A text, a list or fields, whatever their letters; the empty text is an entry too."""
        cache.remember(Remember("schlüssel ✓", entry, 60))

        assert cache.recall(Recall("schlüssel ✓")) == entry

    def test_what_was_never_remembered_is_not_there(self, cache: Cache) -> None:
        """An unknown key is no error."""
        assert cache.recall(Recall("order_status:9")) is None

    @pytest.mark.parametrize("new", ["shipped", ("shipped",), {"status": "shipped"}])
    @pytest.mark.parametrize("old", ["placed", ("placed", "paid"), {"status": "placed", "paid": "yes"}])
    def test_a_new_entry_takes_the_place_of_the_old(self, cache: Cache, old: Entry, new: Entry) -> None:
        """The last one counts, whatever kind it is, and so does its time; nothing of the old one is left in it."""
        cache.remember(Remember("order_status:1", old, 1))
        cache.remember(Remember("order_status:1", new, 60))
        self.pass_seconds(cache, 1.1)

        assert cache.recall(Recall("order_status:1")) == new

    @pytest.mark.parametrize(
        ("versions", "there"), [((2, 1), 2), ((1, 2), 2), ((10, 9), 10), ((9, 10), 10), ((3, None), 3), ((None, 0), 0)]
    )
    def test_a_late_version_does_not_take_the_place_of_a_newer(
        self, cache: Cache, versions: tuple[int | None, int | None], there: int
    ) -> None:
        """Versions are numbers, not texts; fields without one are as old as can be."""
        for version in versions:
            cache.remember(Remember("order_status:1", _fields(version), 60))

        assert cache.recall(Recall("order_status:1")) == _fields(there)

    def test_the_same_version_again_lasts_anew(self, cache: Cache) -> None:
        """What is true at the same version was looked up again, so its time begins again."""
        cache.remember(Remember("order_status:1", _fields(2), 1))
        cache.remember(Remember("order_status:1", _fields(2), 60))
        self.pass_seconds(cache, 1.1)

        assert cache.recall(Recall("order_status:1")) == _fields(2)

    def test_a_version_that_is_over_holds_nothing_up(self, cache: Cache) -> None:
        """When its time is up, an older one is better than none."""
        cache.remember(Remember("order_status:1", _fields(5), 1))
        self.pass_seconds(cache, 1.1)
        cache.remember(Remember("order_status:1", _fields(4), 60))

        assert cache.recall(Recall("order_status:1")) == _fields(4)

    def test_an_entry_ends_with_its_time(self, cache: Cache) -> None:
        """After its seconds it is gone; one with more time is still there."""
        cache.remember(Remember("short", "a", 1))
        cache.remember(Remember("long", "b", 60))
        self.pass_seconds(cache, 1.1)

        assert (cache.recall(Recall("short")), cache.recall(Recall("long"))) == (None, "b")

    @pytest.mark.parametrize("entry", ["1", ("1", "2"), {"status": "1", "version": "9"}])
    def test_what_is_forgotten_stays_away_for_a_while(self, cache: Cache, entry: Entry) -> None:
        """Somebody may still hold what was read before: it does not come back. Other keys are as they were."""
        cache.remember(Remember("one", entry, 60))
        cache.remember(Remember("two", entry, 60))
        cache.forget(Forget("one", 60))
        cache.remember(Remember("one", entry, 60))

        assert [cache.recall(Recall(key)) for key in ("one", "two")] == [None, entry]

    def test_a_forgotten_key_is_free_when_its_time_is_up(self, cache: Cache) -> None:
        """Empty until then, and at once where no time is asked for."""
        for key, seconds in (("one", 1), ("two", 0)):
            cache.remember(Remember(key, "old", 60))
            cache.forget(Forget(key, seconds))
        self.pass_seconds(cache, 1.1)
        over = [cache.recall(Recall(key)) for key in ("one", "two")]
        for key in ("one", "two"):
            cache.remember(Remember(key, "new", 60))

        assert over == [None, None]
        assert [cache.recall(Recall(key)) for key in ("one", "two")] == ["new", "new"]

    @pytest.mark.parametrize("version", ["", "-5", "one", "1.5", "inf", "٣", "9" * 5_000])
    def test_a_version_that_is_no_number_counts_as_none(self, cache: Cache, version: str) -> None:
        """Whatever somebody put there holds nothing up."""
        cache.remember(Remember("order_status:1", {"status": "strange", "version": version}, 60))
        cache.remember(Remember("order_status:1", _fields(1), 60))

        assert cache.recall(Recall("order_status:1")) == _fields(1)

    def test_what_the_caller_changes_later_is_not_in_it(self, cache: Cache) -> None:
        """An entry is what it was when it was remembered."""
        fields = {"status": "placed"}
        cache.remember(Remember("order_status:1", fields, 60))
        fields["status"] = "shipped"

        assert cache.recall(Recall("order_status:1")) == {"status": "placed"}

    def test_what_is_not_there_is_kept_away_as_well(self, cache: Cache) -> None:
        """Whoever found nothing may be about to remember; and forgetting twice lasts from the second time."""
        cache.forget(Forget("one", 1))
        cache.forget(Forget("one", 60))
        self.pass_seconds(cache, 1.1)
        cache.remember(Remember("one", "late", 60))

        assert cache.recall(Recall("one")) is None

    def test_threads_do_not_disturb_each_other(self, cache: Cache) -> None:
        """Eight threads remember and recall keys of their own: none meets another's entry."""

        def use(n: int) -> list[Entry | None]:
            seen: list[Entry | None] = []
            for round_ in range(50):
                cache.remember(Remember(f"key-{n}", f"{n}/{round_}", 60))
                seen.append(cache.recall(Recall(f"key-{n}")))
            return seen

        assert at_once([partial(use, n) for n in range(8)]) == [
            [f"{n}/{round_}" for round_ in range(50)] for n in range(8)
        ]

    def test_the_newest_version_wins_whoever_comes_last(self, cache: Cache) -> None:
        """Eight threads remember versions of one order in every order: the highest is what is left."""

        def remember(versions: list[int]) -> None:
            for version in versions:
                cache.remember(Remember("order_status:1", _fields(version), 60))

        at_once([partial(remember, [*range(n, 40, 8)][:: 1 if n % 2 else -1]) for n in range(8)])

        assert cache.recall(Recall("order_status:1")) == _fields(39)


def _fields(version: int | None) -> dict[str, str]:
    return {"status": "placed"} if version is None else {"status": f"at {version}", "version": str(version)}
