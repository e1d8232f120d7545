"""The ledger of quantities: whatever moves are tried, every unit is somewhere, and the moves that were made tell where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orderkit.domain.quantities import FORWARD, REVERSE, Bucket, Line, Move, moved
from orderkit.errors import NotAllowed

PLACES = st.one_of(st.none(), st.sampled_from(list(Bucket)))
MOVES = st.lists(st.builds(Move, st.integers(1, 3), PLACES, PLACES, st.integers(-1, 6)), max_size=60)
ONWARD = st.lists(
    st.sampled_from(
        [
            (Bucket.RESERVED, Bucket.RELEASED),
            (Bucket.RELEASED, Bucket.SHIPPED),
            (Bucket.SHIPPED, Bucket.DELIVERED),
            (Bucket.SHIPPED, Bucket.LOST),
            (Bucket.RESERVED, Bucket.CANCELLED),
            (None, Bucket.RETURN_REQUESTED),
            (Bucket.RETURN_REQUESTED, Bucket.RETURN_RECEIVED),
            (Bucket.RETURN_REQUESTED, None),
            (Bucket.RETURN_RECEIVED, Bucket.RESTOCKED),
        ]
    ).flatmap(lambda way: st.builds(Move, st.integers(1, 2), st.just(way[0]), st.just(way[1]), st.integers(1, 4))),
    max_size=80,
)
PLACED = moved(
    (Line(1, "MUG", 5), Line(2, "TEE", 3)),
    [Move(1, None, Bucket.RESERVED, 5), Move(2, None, Bucket.RESERVED, 2), Move(2, None, Bucket.BACKORDERED, 1)],
)


@given(st.one_of(MOVES, ONWARD))
def test_whatever_is_tried_units_conserve(tried: list[Move]) -> None:
    """A move is made or refused; refused, it changes nothing; made, every ordered unit is in one forward bucket."""
    lines, made = PLACED, []
    for move in tried:
        before = lines
        try:
            lines = moved(lines, [move])
            made.append(move)
        except NotAllowed as error:
            assert error.code in ("illegal_transition", "not_returnable")
            assert lines is before
        for line in lines:
            assert sum(line[bucket] for bucket in FORWARD) == line.ordered
            assert 0 <= sum(line[bucket] for bucket in REVERSE) == line.returning <= line.left
            assert min(line.buckets) >= 0

    assert moved(PLACED, made) == lines


@given(ONWARD)
def test_moves_together_are_all_or_none(tried: list[Move]) -> None:
    """One illegal move among many refuses them all; legal ones come to the same as one after the other."""
    lines = PLACED
    try:
        for move in tried:
            lines = moved(lines, [move])
        one_by_one = lines
    except NotAllowed:
        one_by_one = None

    try:
        together = moved(PLACED, tried)
    except NotAllowed:
        together = None

    assert one_by_one is None or together == one_by_one
