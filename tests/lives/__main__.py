"""Live many seeds and say what was broken: `python -m tests.lives --seeds 10000 --start 0`.

Progress goes to standard error; the stories of broken laws and the tables of what was covered to standard output. Ends with 1 when a law
was broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.lives.life import Lived, Tally, lived
from tests.lives.story import shrunk, told
from tests.lives.tallying import table

EVERY = 100  # seeds between two lines of progress
STORIES_MAX = 5  # of one law: the others are most likely the same fault


def _lives(start: int, seeds: int, jobs: int) -> Iterator[Lived]:
    every = range(start, start + seeds)
    if jobs == 1:
        yield from map(lived, every)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(lived, every, chunksize=10)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lives", description="Live random lives of orders under the laws."
    )
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds (1000)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    return parser.parse_args()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  (this is a command)


def main() -> int:
    """Live the seeds that were asked for."""
    asked, tally, broken, begin = _asked(), Tally(), dict[str, list[int]](), time.monotonic()
    for number, life in enumerate(_lives(asked.start, asked.seeds, asked.jobs), 1):
        tally.add(life.tally)
        if life.broken is not None:
            seeds = broken.setdefault(life.broken.law, [])
            seeds.append(life.seed)
            if len(seeds) <= STORIES_MAX:
                print(told(shrunk(life)), end="\n\n", flush=True)  # noqa: T201  (this is a command)
        if number % EVERY == 0 or number == asked.seeds:
            took, laws = time.monotonic() - begin, {law: len(seeds) for law, seeds in broken.items()}
            _progress(f"{number} of {asked.seeds} lives in {took:.0f} s, broken: {laws or 'nothing'}")
    print(*table(tally), sep="\n")  # noqa: T201  (this is a command)
    for law, seeds in broken.items():
        print(f"BROKEN {law}: seeds {', '.join(map(str, seeds[:50]))}")  # noqa: T201  (this is a command)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
