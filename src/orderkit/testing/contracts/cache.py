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

from orderkit.ports.cache import Cache, Forget, Recall, Remember
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

    def test_what_is_remembered_is_recalled(self, cache: Cache) -> None:
        """Every entry of a call, whatever its letters; the empty text is an entry too."""
        entries = {"order_status:1": "shipped", "schlüssel ✓": "größer 中", "user_orders:anna": ""}
        cache.remember(Remember(entries, 60))

        assert {key: cache.recall(Recall(key)) for key in entries} == entries

    def test_what_was_never_remembered_is_not_there(self, cache: Cache) -> None:
        """An unknown key is no error."""
        assert cache.recall(Recall("order_status:9")) is None

    def test_a_new_value_takes_the_place_of_the_old(self, cache: Cache) -> None:
        """The last one counts, and so does its time."""
        cache.remember(Remember({"order_status:1": "placed"}, 1))
        cache.remember(Remember({"order_status:1": "shipped"}, 60))
        self.pass_seconds(cache, 1.1)

        assert cache.recall(Recall("order_status:1")) == "shipped"

    def test_an_entry_ends_with_its_time(self, cache: Cache) -> None:
        """After its seconds it is gone; one with more time is still there."""
        cache.remember(Remember({"short": "a"}, 1))
        cache.remember(Remember({"long": "b"}, 60))
        self.pass_seconds(cache, 1.1)

        assert (cache.recall(Recall("short")), cache.recall(Recall("long"))) == (None, "b")

    def test_what_is_forgotten_is_gone(self, cache: Cache) -> None:
        """The named entries and no others; forgetting what is not there is no error."""
        cache.remember(Remember({"one": "1", "two": "2", "three": "3"}, 60))
        cache.forget(Forget(("one", "three", "nine")))
        cache.forget(Forget(()))

        assert [cache.recall(Recall(key)) for key in ("one", "two", "three")] == [None, "2", None]

    def test_threads_do_not_disturb_each_other(self, cache: Cache) -> None:
        """Eight threads remember, recall and forget keys of their own: none meets another's value."""

        def use(n: int) -> list[str | None]:
            seen: list[str | None] = []
            for round_ in range(50):
                cache.remember(Remember({f"key-{n}": f"{n}/{round_}"}, 60))
                seen.append(cache.recall(Recall(f"key-{n}")))
                cache.forget(Forget((f"key-{n}",)))
            return seen

        assert at_once([partial(use, n) for n in range(8)]) == [
            [f"{n}/{round_}" for round_ in range(50)] for n in range(8)
        ]
